"""The inner loops of matching in NumPy: for machines without the native kernel, and to check it against.

Decided here: how candidates are found and checked, and when trying all rows is cheaper. Every answer is exact. Not
decided here: which kernel is used (`engine.kernel`).

Near values are found by multi-index hashing (Norouzi, Punjani, Fleet: "Fast Exact Search in Hamming Space with
Multi-Index Hashing", 2014) with the general pigeonhole principle: a 256-bit value is 16 words of 16 bits. If word i is
probed with up to t_i flipped bits and the sum of all (t_i + 1) is above the radius, then no neighbour escapes: it would
have to differ in at least t_i + 1 bits of every word. Values come from outside, and a list of look-alikes would fill a
few buckets; so candidates are counted from the bucket sizes first, and too many mean that all rows are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from jikimi.engine.kernel_types import (
    BITS,
    SUM_BLOCK,
    SUM_KEY,
    Arranged,
    Banks,
    Column,
    Limits,
    Numbers,
    Pairs,
    Sums,
    Values,
    Wide,
)

WORDS = 16
WORD_BITS = 16
BUCKETS = 1 << WORD_BITS

_MOST_FLIPS = 3
"""Four flips would be 40 000 probes and, on evenly spread values, 4 % of all rows per word: trying all is cheaper."""

_SHARE = 8
"""All rows are tried when probes and candidates exceed 1 / 8 of them: a random row costs that much more (measured)."""

_PROBES_AT_ONCE = 1 << 19
"""Look-ups of many queries done in one go: about 16 MiB of work arrays."""

_CANDIDATES_AT_ONCE = 1 << 16
"""Candidates compared in one go: about 6 MiB of work arrays."""

_THIN_FROM = 1 << 16
"""Pairs that are held before those too many for a query and bank are dropped."""

_ROWS_AT_ONCE = 1 << 13
"""Rows compared in one go when all are tried: 0.5 MiB, which stays in the L2 cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """For each of the 16 words: all rows ordered by it, and where each of its 65 536 values begins in that order.

    `order` is (16, rows) uint32, `starts` (16, 65537) uint32. Words are read little-endian.
    """

    order: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.uint32]


TABLES: Mapping[str, str] = {"word_order": "u4", "word_starts": "u4"}
"""The columns that `tabulate` makes, and their types."""


def name() -> str:
    """Which kernel this is."""
    return "numpy"


def arrange(values: Values, threads: int = 1) -> Arranged:
    """The values, which stay in their order."""
    return Arranged(values=values, places=None)


def tabulate(values: Values, threads: int = 1) -> Mapping[str, Column]:
    """The tables of all words."""
    tables = build(values)
    return {"word_order": tables.order, "word_starts": tables.starts}


class _Searchable:
    """Values with their tables."""

    def __init__(self, values: Values, banks: Banks, tables: Mapping[str, Column] | None) -> None:
        self._values = values
        self._banks = banks
        self._tables = Tables(order=tables["word_order"], starts=tables["word_starts"]) if tables else None

    def is_sound(self, threads: int = 1) -> bool:
        """Whether the tables lead nowhere but to the rows."""
        return self._tables is None or is_sound(self._tables, len(self._values))

    def within(self, queries: Values, limits: Limits, threads: int = 1, most: int = 0) -> Pairs:
        """See `engine.kernel`."""
        radius = min(int(limits.max(initial=0)) - 1, BITS)
        if radius < 0:
            return _sorted_pairs([])
        held: list[Pairs] = []
        thin_from = _THIN_FROM
        for found in _found(self._values, self._tables, queries, radius):
            near = found.distance < limits[self._banks[found.row]]
            held.append(Pairs(found.query[near], found.row[near], found.distance[near]))
            if most and sum(len(pairs.row) for pairs in held) > thin_from:
                held = [self._nearest(_sorted_pairs(held), most)]
                thin_from = max(_THIN_FROM, 2 * len(held[0].row))
        pairs = _sorted_pairs(held)
        return _sorted_pairs([self._nearest(pairs, most)]) if most else pairs

    def _nearest(self, pairs: Pairs, most: int) -> Pairs:
        """The nearest `most` of each query in each bank; rows that are as far as each other, in their order."""
        bank = self._banks[pairs.row]
        order = np.lexsort((pairs.row, pairs.distance, bank, pairs.query))
        query, bank = pairs.query[order], bank[order]
        begins = np.flatnonzero(np.diff(query, prepend=-1) | np.diff(bank.astype(np.int64), prepend=-1))
        place = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
        kept = order[place < most]
        return Pairs(pairs.query[kept], pairs.row[kept], pairs.distance[kept])


def searchable(values: Values, banks: Banks, tables: Mapping[str, Column] | None) -> _Searchable:
    """See `engine.kernel`."""
    return _Searchable(values, banks, tables)


def checksum(data: Values, threads: int = 1) -> Sums:
    """See `engine.kernel`."""
    blocks = [data[first : first + SUM_BLOCK] for first in range(0, len(data), SUM_BLOCK)]
    return np.array([_sum_block(block) for block in blocks], np.uint64).reshape(-1, 2)


def _sum_block(block: Values) -> tuple[np.uint64, np.uint64]:
    words = np.frombuffer(block.tobytes() + bytes(-len(block) % 8), "<u8")
    mixed = words ^ _sum_keys()[: len(words)]
    return words.sum(), ((mixed & np.uint64(0xFFFFFFFF)) * (mixed >> np.uint64(32))).sum()


@cache
def _sum_keys() -> Wide:
    with np.errstate(over="ignore"):
        return np.arange(1, SUM_BLOCK // 8 + 1, dtype=np.uint64) * np.uint64(SUM_KEY)


def build(values: Values) -> Tables:
    """The tables of (rows, 32) uint8 values, fewer than 2^32 rows. The order within a bucket is that of the rows."""
    rows = len(values)
    words = _words(values)
    order = np.empty((WORDS, rows), np.uint32)
    starts = np.zeros((WORDS, BUCKETS + 1), np.uint32)
    for table in range(WORDS):
        keys = np.ascontiguousarray(words[:, table])
        order[table] = np.argsort(keys, kind="stable")
        np.cumsum(np.bincount(keys, minlength=BUCKETS), out=starts[table, 1:])
    return Tables(order=order, starts=starts)


def is_sound(tables: Tables, rows: int) -> bool:
    """Whether tables from a file can be searched at all: every bucket in range and every row number below `rows`."""
    starts = tables.starts
    if tables.order.shape != (WORDS, rows) or starts.shape != (WORDS, BUCKETS + 1):
        return False
    if starts[:, 0].any() or (starts[:, -1] != rows).any() or (starts[:, 1:] < starts[:, :-1]).any():
        return False
    return rows == 0 or int(tables.order.max()) < rows


def within(values: Values, tables: Tables | None, queries: Values, radius: int) -> Pairs:
    """All pairs of (queries, 32) and (rows, 32) uint8 at most `radius` bits apart (0..256), each once.

    Without tables, all rows are tried.
    """
    if not 0 <= radius <= BITS:
        raise ValueError(f"a radius is 0 to {BITS} bits, not {radius}")
    return _sorted_pairs(list(_found(values, tables, queries, radius)))


def _found(values: Values, tables: Tables | None, queries: Values, radius: int) -> Iterator[Pairs]:
    """See `within`; a bounded number at once, in any order, and some of them twice."""
    probes = None if tables is None else _probes(radius)
    if tables is None or probes is None or probes.count * _SHARE > len(values):
        yield from _try_all(values, queries, np.arange(len(queries)), radius)
        return
    step = max(_PROBES_AT_ONCE // probes.count, 1)
    for first in range(0, len(queries), step):
        asked = np.arange(first, min(first + step, len(queries)))
        yield from _probe(values, tables, probes, queries, asked, radius)


def prefixes(values: Values) -> Wide:
    """The first 8 bytes of (rows, at least 8) uint8 values as numbers that sort as the bytes do."""
    return np.ascontiguousarray(values[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def equal(values: Values, keys: Wide | None, queries: Values) -> Pairs:
    """All pairs of equal (queries, length) and (rows, length) uint8, each once; distances are 0.

    `keys` are the `prefixes` of the values if these are in ascending order of them, and None if in any order.
    """
    asked = prefixes(queries)
    if keys is not None:
        found = [Pairs(at, row, row) for at, row in _in_runs(keys, asked)]
    else:
        order = np.argsort(asked, kind="stable")
        found = [Pairs(order[at], row, row) for row, at in _in_runs(asked[order], prefixes(values))]
    same = [(values[pairs.row] == queries[pairs.query]).all(axis=1) for pairs in found]
    return _sorted_pairs(
        [Pairs(p.query[ok], p.row[ok], np.zeros(int(ok.sum()), np.int64)) for p, ok in zip(found, same, strict=True)]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probes:
    """Which word of a query is looked up with which bits flipped: arrays of one length."""

    table: npt.NDArray[np.intp]
    flip: npt.NDArray[np.uint16]

    @property
    def count(self) -> int:
        """How many look-ups one query takes."""
        return len(self.table)


@lru_cache(maxsize=BITS + 1)
def _probes(radius: int) -> _Probes | None:
    """The look-ups for a radius, or None if trying all rows is certainly better.

    `radius + 1` is dealt out over the words: word i gets t_i + 1 of it, t_i flips (-1: it need not be probed).
    """
    share, rest = divmod(radius + 1, WORDS)
    flips = [share if table < rest else share - 1 for table in range(WORDS)]
    if max(flips) > _MOST_FLIPS:
        return None
    masks = [_masks(most) for most in flips]
    table = np.repeat(np.arange(WORDS), [len(mask) for mask in masks])
    return _Probes(table=table, flip=np.concatenate(masks))


def _masks(most_flips: int) -> npt.NDArray[np.uint16]:
    """All 16-bit words with at most this many bits set."""
    masks = [
        sum(1 << bit for bit in bits) for set_ in range(most_flips + 1) for bits in combinations(range(WORD_BITS), set_)
    ]
    return np.array(masks, np.uint16)


def _probe(
    values: Values, tables: Tables, probes: _Probes, queries: Values, asked: Numbers, radius: int
) -> Iterator[Pairs]:
    """The neighbours of the queries numbered `asked`; one that two words lead to is given twice."""
    rows = len(values)
    bucket = _words(queries[asked])[:, probes.table] ^ probes.flip
    at = bucket + probes.table * (BUCKETS + 1)
    begin = tables.starts.reshape(-1).take(at).astype(np.int64)
    count = tables.starts.reshape(-1).take(at + 1) - begin
    cheap = (count.sum(axis=1) + probes.count) * _SHARE <= rows
    yield from _try_all(values, queries, asked[~cheap], radius)
    asked, begin, count = asked[cheap], begin[cheap], count[cheap]
    order = tables.order.reshape(-1)
    for probe, entry in _expand((begin + probes.table * rows).reshape(-1), count.reshape(-1)):
        query, row = asked[probe // probes.count], order.take(entry).astype(np.int64)
        distance = _distances(_longs(values).take(row, axis=0), _longs(queries).take(query, axis=0))
        yield _near(query, row, distance, radius)


def _try_all(values: Values, queries: Values, asked: Numbers, radius: int) -> Iterator[Pairs]:
    """The neighbours of the queries numbered `asked` among all rows."""
    longs, wanted = _longs(values), _longs(queries)
    for first in range(0, len(values) if len(asked) else 0, _ROWS_AT_ONCE):
        block = longs[first : first + _ROWS_AT_ONCE]
        for query in asked:
            distance = _distances(block, wanted[query])
            row = np.flatnonzero(distance <= radius)
            if len(row):
                yield Pairs(np.full(len(row), query), row + first, distance[row].astype(np.int64))


def _in_runs(keys: Wide, asked: Wide) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs (number in `asked`, number in the ascending `keys`) with the same key."""
    begin = np.searchsorted(keys, asked, side="left")
    return _expand(begin, np.searchsorted(keys, asked, side="right") - begin)


def _expand(begin: Numbers, count: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Write runs out: (number of the run, begin[run] + 0, 1, ... count[run] - 1), a bounded number at once."""
    end = np.cumsum(count)
    total = int(end[-1]) if len(end) else 0
    for low in range(0, total, _CANDIDATES_AT_ONCE):
        high = min(low + _CANDIDATES_AT_ONCE, total)
        first, last = np.searchsorted(end, (low, high - 1), side="right")
        runs = np.arange(first, last + 1)
        before = end[runs] - count[runs]
        run = np.repeat(runs, np.minimum(end[runs], high) - np.maximum(before, low))
        yield run, begin[run] + (np.arange(low, high) - before[run - first])


def _near(query: Numbers, row: Numbers, distance: npt.NDArray[np.uint32], radius: int) -> Pairs:
    near = np.flatnonzero(distance <= radius)
    return Pairs(query[near], row[near], distance[near].astype(np.int64))


def _sorted_pairs(found: list[Pairs]) -> Pairs:
    """All pairs by query and row, without the repeated ones."""
    if not found:
        nothing = np.empty(0, np.int64)
        return Pairs(nothing, nothing, nothing)
    query, row, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((row, query))
    query, row, distance = query[order], row[order], distance[order]
    is_new = np.ones(len(query), np.bool_)
    is_new[1:] = (query[1:] != query[:-1]) | (row[1:] != row[:-1])
    return Pairs(query[is_new], row[is_new], distance[is_new])


def _words(values: Values) -> npt.NDArray[np.uint16]:
    return values.view("<u2")


def _longs(values: Values) -> npt.NDArray[np.uint64]:
    return values.view(np.uint64)


def _distances(left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """Differing bits per row of four 64-bit words. The four counts are added as bytes of one number: a sum is slow."""
    four: npt.NDArray[np.uint32] = np.bitwise_count(left ^ right).view(np.uint32).reshape(-1)
    two = (four & 0x00FF00FF) + ((four >> 8) & 0x00FF00FF)
    total: npt.NDArray[np.uint32] = (two & 0xFFFF) + (two >> 16)
    return total
