"""The kernel against the plainest comparison there is, from no rows to a million."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jikimi.engine import kernel_numpy as kernel
from jikimi.engine.kernel_types import Pairs

Values = npt.NDArray[np.uint8]

_MILLION = 1_000_000


def test_the_kernel_has_a_name() -> None:
    assert kernel.name() == "numpy"


@pytest.mark.parametrize("rows", [0, 1, 2, 300])
def test_tables_order_all_rows_by_each_word(rows: int) -> None:
    values = random_values(rows, seed=rows)
    tables = kernel.build(values)
    assert kernel.is_sound(tables, rows)
    words = values.view("<u2")
    for table in range(kernel.WORDS):
        ordered = words[tables.order[table], table]
        assert sorted(tables.order[table].tolist()) == list(range(rows))
        for word in set(ordered.tolist()):
            start, end = tables.starts[table, word : word + 2]
            assert (ordered[start:end] == word).all()
            assert (ordered == word).sum() == end - start


def test_unsound_tables_are_recognised() -> None:
    good = kernel.build(random_values(50, seed=1))
    beyond, backwards, early, offset = good.order.copy(), good.starts.copy(), good.starts.copy(), good.starts.copy()
    beyond[3, 7] = 50
    backwards[2, 1000] = 51
    early[5, -1] = 49
    offset[1, 0] = 1
    assert not kernel.is_sound(good, 49)
    assert not kernel.is_sound(kernel.Tables(order=beyond, starts=good.starts), 50)
    for starts in (backwards, early, offset, good.starts[:, 1:]):
        assert not kernel.is_sound(kernel.Tables(order=good.order, starts=starts), 50)


few_values = st.lists(
    st.integers(0, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**40 - 1))), max_size=40
)


@settings(deadline=None, derandomize=True)
@given(few_values, few_values, st.integers(0, 256))
def test_few_values_are_compared_exactly(rows: list[tuple[int, int]], queries: list[tuple[int, int]], r: int) -> None:
    values, asked = sparse_values(rows), sparse_values(queries)
    check(kernel.within(values, None, asked, r), plain(values, asked, r))
    check(kernel.within(values, kernel.build(values), asked, r), plain(values, asked, r))


@pytest.mark.parametrize("radius", [-1, 257])
def test_a_radius_that_cannot_be_is_an_error(radius: int) -> None:
    with pytest.raises(ValueError, match="radius"):
        kernel.within(random_values(1, seed=1), None, random_values(1, seed=1), radius)


@pytest.mark.parametrize("radius", [0, 1, 15, 16, 20, 31, 32, 47, 48, 64, 100, 256])
@pytest.mark.parametrize("kind", ["uniform", "clustered"])
def test_fifty_thousand_values_with_any_radius(kind: str, radius: int) -> None:
    values = corpus(kind, 50_000)
    near = [
        turn_bits(values[seed], bits, seed) for seed, bits in enumerate((0, 1, 15, 16, 17, 31, 32, 47, 48, 63, 64, 65))
    ]
    asked = np.array([*near, *random_values(2, seed=4)])[: 3 if radius > 100 else None]
    check(kernel.within(values, corpus_tables(kind, 50_000), asked, radius), plain(values, asked, radius))


@pytest.mark.parametrize("kind", ["uniform", "clustered"])
def test_a_million_values_with_neighbours_at_every_distance(kind: str) -> None:
    values = corpus(kind, _MILLION)
    rng = np.random.default_rng(99)
    chosen = rng.integers(0, _MILLION, 40)
    asked = np.array([turn_bits(values[row], bits, seed=bits) for bits, row in enumerate(chosen)])
    found = kernel.within(values, corpus_tables(kind, _MILLION), asked, 31)
    check(found, plain(values, asked, 31))
    pairs = set(zip(found.query.tolist(), found.row.tolist(), strict=True))
    for query, row in enumerate(chosen):
        assert ((query, int(row)) in pairs) == (query <= 31)


def test_values_that_share_most_words_are_found_all_the_same() -> None:
    rng = np.random.default_rng(7)
    values = np.repeat(random_values(1, seed=3), 40_000, axis=0)
    values[:, 25:] = rng.integers(0, 256, (40_000, 7), dtype=np.uint8)
    asked = np.array([turn_bits(values[5], 9, 1), values[6], *random_values(2, seed=8)])
    check(kernel.within(values, kernel.build(values), asked, 31), plain(values, asked, 31))


def test_thousands_of_queries_at_once_answer_as_each_alone() -> None:
    values, tables = corpus("clustered", 50_000), corpus_tables("clustered", 50_000)
    asked = values[:3000]
    together = kernel.within(values, tables, asked, 31)
    for query in range(0, 3000, 271):
        alone = kernel.within(values, tables, asked[query : query + 1], 31)
        assert np.array_equal(together.row[together.query == query], alone.row)
        assert np.array_equal(together.distance[together.query == query], alone.distance)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30),
    st.sampled_from([16, 20, 32]),
)
def test_equal_values_are_found_sorted_or_not(
    rows: list[tuple[int, int]], queries: list[tuple[int, int]], length: int
) -> None:
    values, asked = exact_values(rows, length), exact_values(queries, length)
    expected = [(q, r, 0) for q, query in enumerate(queries) for r, row in enumerate(rows) if query == row]
    assert triples(kernel.equal(values, None, asked)) == expected
    order = np.argsort(kernel.prefixes(values), kind="stable")
    renamed = kernel.equal(values[order], kernel.prefixes(values)[order], asked)
    assert sorted((q, int(order[r]), d) for q, r, d in triples(renamed)) == expected


def test_prefixes_sort_as_bytes_do() -> None:
    values = random_values(500, seed=2)[:, :20]
    by_prefix = np.argsort(kernel.prefixes(values), kind="stable")
    assert [values[row].tobytes() for row in by_prefix] == sorted(row.tobytes() for row in values)


def random_values(rows: int, seed: int) -> Values:
    return np.random.default_rng(seed).integers(0, 256, (rows, 32), dtype=np.uint8)


@cache
def corpus(kind: str, rows: int) -> Values:
    """Uniform values, or families that differ in few bits, with exact copies among them."""
    if kind == "uniform":
        return random_values(rows, seed=rows)
    rng = np.random.default_rng(rows + 1)
    families = rng.integers(0, 256, (rows // 100, 32), dtype=np.uint8)
    values = families[rng.integers(0, len(families), rows)]
    for _ in range(12):
        where = rng.integers(0, rows, rows)
        values[where, rng.integers(0, 32, rows)] ^= np.uint8(1) << rng.integers(0, 8, rows, dtype=np.uint8)
    return values


@cache
def corpus_tables(kind: str, rows: int) -> kernel.Tables:
    return kernel.build(corpus(kind, rows))


def turn_bits(value: Values, bits: int, seed: int) -> Values:
    places = np.random.default_rng(seed).permutation(256)[:bits]
    mask = np.zeros(256, np.uint8)
    mask[places] = 1
    turned: Values = value ^ np.packbits(mask)
    return turned


def sparse_values(content: list[tuple[int, int]]) -> Values:
    """Values that are zero but for 40 bits somewhere: many are near each other."""
    raw = b"".join((number << (32 * place)).to_bytes(40, "little")[:32] for place, number in content)
    return np.frombuffer(raw, np.uint8).reshape(-1, 32)


def exact_values(content: list[tuple[int, int]], length: int) -> Values:
    """Values of which some agree in the first 8 bytes only."""
    raw = b"".join(first.to_bytes(8, "big") + rest.to_bytes(length - 8, "big") for first, rest in content)
    return np.frombuffer(raw, np.uint8).reshape(-1, length)


def plain(values: Values, queries: Values, radius: int) -> list[tuple[int, int, int]]:
    """Every pair compared, byte by byte."""
    ones = np.array([number.bit_count() for number in range(256)], np.uint8)
    found = []
    for number, query in enumerate(queries):
        distance = np.zeros(len(values), np.int64)
        for place in range(32):
            distance += ones[values[:, place] ^ query[place]]
        found += [(number, row, int(distance[row])) for row in np.flatnonzero(distance <= radius).tolist()]
    return found


def triples(pairs: Pairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.query.tolist(), pairs.row.tolist(), pairs.distance.tolist(), strict=True))


def check(found: Pairs, expected: list[tuple[int, int, int]]) -> None:
    assert triples(found) == expected
