"""The native kernel against NumPy trying all rows: every level, every radius, every kind of corpus."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jikimi.engine import kernel_numpy
from jikimi.engine.kernel_types import Banks, Limits, Pairs, Searchable, Values

native = pytest.importorskip("jikimi.engine.kernel_native")
search = pytest.importorskip("jikimi_kernel.search")

LEVELS: list[str] = search.levels()
RADII = [0, 1, 2, 15, 16, 30, 31, 32, 45, 63, 64, 100, 255, 256]
KINDS = ["uniform", "equal", "adversarial", "families", "near"]


@pytest.fixture(params=LEVELS, autouse=True)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = search.level()
    search.use_level(request.param)
    assert native.name() == f"native ({request.param})"
    yield request.param
    search.use_level(before)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        search.use_level("abacus")


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 8, 9, 63, 1000, 5000])
@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_is_found_once_with_tables_and_without(kind: str, rows: int) -> None:
    values, queries = corpus(kind, rows), questions(kind, rows)
    banks = (np.arange(rows) % 3).astype(np.uint16)
    places, arranged = with_tables(values, banks)
    plain = native.searchable(values, banks, None)
    for radius in RADII[:: 1 if rows < 100 else 3]:
        limits = np.array([radius + 1, 0, radius // 2], np.uint16)
        expected = tried(values, banks, queries, limits)
        for threads in (1, 2):
            assert_same(plain.within(queries, limits, threads), expected)
            assert_same(moved_back(arranged.within(queries, limits, threads), places), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_radius_of_a_large_corpus(kind: str) -> None:
    """Enough rows that the tables are worth it up to radii far above 31."""
    values, banks = corpus(kind, 60_000), np.zeros(60_000, np.uint16)
    queries = questions(kind, 60_000)[:6]
    places, arranged = large(kind)
    everything = tried(values, banks, queries, np.array([66], np.uint16))
    for radius in range(65):
        near = everything.distance <= radius
        expected = Pairs(*(column[near] for column in everything))
        found = arranged.within(queries, np.array([radius + 1], np.uint16), 1)
        assert_same(moved_back(found, places), expected)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2**40 - 1)), max_size=60),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2**40 - 1)), max_size=10),
    st.lists(st.integers(0, 257), min_size=1, max_size=5),
)
def test_few_values_with_banks(rows: list[tuple[int, int]], asked: list[tuple[int, int]], reach: list[int]) -> None:
    values, queries = sparse_values(rows), sparse_values(asked)
    banks = (np.arange(len(values)) % len(reach)).astype(np.uint16)
    limits = np.array(reach, np.uint16)
    expected = tried(values, banks, queries, limits)
    places, arranged = with_tables(values, banks)
    assert_same(moved_back(arranged.within(queries, limits, 1), places), expected)
    assert_same(native.searchable(values, banks, None).within(queries, limits, 1), expected)


@pytest.mark.parametrize("widths", [[16] * 16, [22] * 11 + [14], [8] * 32, [1] * 4 + [9] * 28, [20] * 12 + [16]])
def test_any_widths_answer_the_same(widths: list[int]) -> None:
    values, banks = corpus("families", 3000), np.zeros(3000, np.uint16)
    bits = np.array(widths, np.uint8)
    places = search.arrange(values, bits)
    arranged = search.gather(values, places, 1)
    blocks, order = search.fill(arranged, bits, 2)
    index = search.MultiIndex(arranged, banks, bits, blocks, order)
    assert index.is_sound(2)
    queries = questions("families", 3000)
    for radius in (0, 5, 31, 64):
        limits = np.array([radius + 1], np.uint16)
        assert_same(moved_back(Pairs(*index.search(queries, limits, 1)), places), tried(values, banks, queries, limits))


@pytest.mark.parametrize("rows", [1, 10_000, 1_000_000, 10_000_000, 100_000_000])
def test_chosen_widths_are_256_bits(rows: int) -> None:
    assert sum(search.choose_widths(rows)) == 256


def test_damaged_tables_are_recognised_and_never_read_beyond() -> None:
    rng = np.random.default_rng(5)
    values, banks = corpus("families", 3000), np.zeros(3000, np.uint16)
    made = native.arrange(values)
    sound = native.tabulate(made.values)
    limits = np.array([4], np.uint16)  # so near that the tables are used
    assert native.searchable(made.values, banks, sound).probes(3) > 0
    for _ in range(200):
        tables = {name: column.copy() for name, column in sound.items()}
        spoiled = tables[("chunk_blocks", "chunk_order")[rng.integers(2)]].view(np.uint8).reshape(-1)
        spoiled[rng.integers(len(spoiled), size=1 + rng.integers(5))] = rng.integers(256)
        index = native.searchable(made.values, banks, tables)
        try:
            index.within(made.values[:50], limits, 1)
        except RuntimeError:
            assert not index.is_sound()
    beyond = {**sound, "chunk_order": sound["chunk_order"] + np.uint32(3000)}
    index = native.searchable(made.values, banks, beyond)
    assert not index.is_sound()
    with pytest.raises(RuntimeError, match="damaged"):
        index.within(made.values[:50], limits, 1)


def test_an_unknown_bank_is_damage_and_not_a_match() -> None:
    values, banks = corpus("equal", 10), np.full(10, 3, np.uint16)
    for index in (native.searchable(values, banks, None), with_tables(values, banks)[1]):
        with pytest.raises(RuntimeError, match="damaged"):
            index.within(values[:1], np.array([5, 5, 5], np.uint16), 1)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_500_001])
def test_checksums_are_those_of_numpy(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    assert np.array_equal(native.checksum(data, 2), kernel_numpy.checksum(data))


@pytest.mark.parametrize("offset", range(8))
def test_arrays_at_any_address(offset: int) -> None:
    values, banks = corpus("families", 1000), np.zeros(1000, np.uint16)
    room = np.empty(values.nbytes + 8, np.uint8)
    shifted = room[offset : offset + values.nbytes].reshape(values.shape)
    shifted[...] = values
    limits = np.array([32], np.uint16)
    found = native.searchable(shifted, banks, None).within(shifted[:7], limits, 1)
    assert_same(found, tried(values, banks, values[:7], limits))
    assert np.array_equal(native.checksum(shifted.reshape(-1)), kernel_numpy.checksum(values.reshape(-1)))


@cache
def corpus(kind: str, rows: int) -> Values:
    """`adversarial`: 200 of 256 bits shared; `families`: few bits apart, one family with hundreds of exact copies."""
    rng = np.random.default_rng(rows + 1)
    values = rng.integers(0, 256, (rows, 32), dtype=np.uint8)
    if kind in ("equal", "near"):
        values[:] = rng.integers(0, 256, 32, dtype=np.uint8)
    if kind == "near":
        values = turned(values, rng, 8)
    if kind == "adversarial":
        shared = rng.permutation(256) < 200
        values = np.where(np.packbits(shared), 0, 255).astype(np.uint8) & values
    if kind == "families" and rows:
        values = turned(values[rng.integers(0, rows // 50 + 1, rows)], rng, 10)
        values[rows // 2 : rows // 2 + 700] = values[0]
    values.flags.writeable = False
    return values


def questions(kind: str, rows: int) -> Values:
    """Some of the corpus, some near it, some anything."""
    rng = np.random.default_rng(7)
    anything = rng.integers(0, 256, (3, 32), dtype=np.uint8)
    if not rows:
        return anything
    own = corpus(kind, rows)[rng.integers(0, rows, 9)]
    return np.concatenate([own[:3], turned(own[3:6], rng, 31), turned(own[6:], rng, 64), anything])


def turned(values: Values, rng: np.random.Generator, most: int) -> Values:
    """With at most so many random bits flipped."""
    values = values.copy()
    for _ in range(most if len(values) else 0):
        where = rng.integers(0, len(values), len(values) // 2 + 1)
        values[where, rng.integers(0, 32, len(where))] ^= np.uint8(1) << rng.integers(0, 8, len(where), dtype=np.uint8)
    return values


def sparse_values(content: list[tuple[int, int]]) -> Values:
    """Values that are zero but for 40 bits somewhere: many are near each other."""
    raw = b"".join((number << (32 * place)).to_bytes(40, "little")[:32] for place, number in content)
    return np.frombuffer(raw, np.uint8).reshape(-1, 32)


def with_tables(values: Values, banks: Banks) -> tuple[Values, Searchable]:
    made = native.arrange(values, 2)
    assert np.array_equal(np.sort(made.places), np.arange(len(values)))
    assert np.array_equal(values[made.places], made.values)
    index = native.searchable(made.values, banks[made.places], native.tabulate(made.values, 2))
    assert index.is_sound()
    return made.places, index


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, 7, 300])
def test_only_the_nearest_of_each_query_and_bank_if_asked(kind: str, most: int) -> None:
    """Which of equally far rows are given is open; how far they are is not."""
    rows = 30_000
    values, queries = corpus(kind, rows), questions(kind, rows)[:20]
    banks = (np.arange(rows) % 3).astype(np.uint16)
    limits = np.array([120, 0, 32], np.uint16)
    everything = tried(values, banks, queries, limits)
    expected = distances_by_query_and_bank(everything, banks, most)
    places, arranged = with_tables(values, banks)
    for threads in (1, 2):
        found = moved_back(arranged.within(queries, limits, threads, most), places)
        assert distances_by_query_and_bank(found, banks, most + 1) == expected
        assert {*zip(*(column.tolist() for column in found), strict=True)} <= {
            *zip(*(column.tolist() for column in everything), strict=True)
        }
    for kernel in (native, kernel_numpy):
        found = kernel.searchable(values, banks, None).within(queries, limits, 2, most)
        assert distances_by_query_and_bank(found, banks, most + 1) == expected


def distances_by_query_and_bank(pairs: Pairs, banks: Banks, most: int) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for query, row, distance in zip(*(column.tolist() for column in pairs), strict=True):
        found.setdefault((query, int(banks[row])), []).append(distance)
    return {key: sorted(distances)[:most] for key, distances in found.items()}


@cache
def large(kind: str) -> tuple[Values, Searchable]:
    return with_tables(corpus(kind, 60_000), np.zeros(60_000, np.uint16))


def moved_back(found: Pairs, places: Values) -> Pairs:
    """Rows named as they were before they were arranged."""
    row = places[found.row].astype(np.int64)
    order = np.lexsort((row, found.query))
    return Pairs(found.query[order], row[order], found.distance[order])


def tried(values: Values, banks: Banks, queries: Values, limits: Limits) -> Pairs:
    return kernel_numpy.searchable(values, banks, None).within(queries, limits)


def assert_same(found: Pairs, expected: Pairs) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == np.int64
        assert np.array_equal(mine, theirs)
