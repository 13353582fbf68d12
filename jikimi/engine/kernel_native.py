"""The inner loops of matching in C++: what `kernel/` offers, in the words of `engine.kernel`.

Nothing is decided here: how wide the chunks are, how they are looked up and when all rows are tried is decided, and
written down, in `kernel/include/jikimi/multi_index.h`. Importing this fails where the native kernel is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jikimi_kernel import search

from jikimi.engine.kernel_types import Arranged, Banks, Column, Limits, Pairs, Sums, Values

TABLES: Mapping[str, str] = {"chunk_widths": "u1", "chunk_blocks": "u1", "chunk_order": "u4"}
"""The columns that `tabulate` makes, and their types."""

_BLOCK = 64
"""A block of buckets is a cache line and has to begin with one."""


def name() -> str:
    """Which kernel this is."""
    return f"native ({search.level()})"


def arrange(values: Values, threads: int = 1) -> Arranged:
    """The values in the order of their first chunk."""
    values = _aligned(values)
    places = search.arrange(values, _widths(values))
    return Arranged(values=search.gather(values, places, threads), places=places)


def tabulate(values: Values, threads: int = 1) -> Mapping[str, Column]:
    """The tables of all chunks."""
    widths = _widths(values)
    blocks, order = search.fill(_aligned(values), widths, threads)
    return {"chunk_widths": widths, "chunk_blocks": blocks, "chunk_order": order}


def searchable(values: Values, banks: Banks, tables: Mapping[str, Column] | None) -> _Searchable:
    """See `engine.kernel`."""
    return _Searchable(values, banks, tables)


class _Searchable:
    """Values with their tables."""

    def __init__(self, values: Values, banks: Banks, tables: Mapping[str, Column] | None) -> None:
        self._values = _aligned(values)
        self._banks = banks
        self._index: search.MultiIndex | None = None
        if tables is not None:
            widths, blocks, order = (tables[name] for name in TABLES)
            self._index = search.MultiIndex(self._values, banks, widths, _aligned(blocks, _BLOCK), order)

    def is_sound(self, threads: int = 1) -> bool:
        """Whether the tables lead nowhere but to the rows. A search notices for itself, too, before it reads there."""
        return self._index is None or self._index.is_sound(threads)

    def probes(self, radius: int) -> int:
        """How many look-ups a search with this radius takes; 0 if all rows would be tried."""
        return self._index.estimate(radius)[0] if self._index is not None else 0

    def within(self, queries: Values, limits: Limits, threads: int = 1, most: int = 0) -> Pairs:
        """See `engine.kernel`."""
        queries = _aligned(queries)
        if self._index is not None:
            return Pairs(*self._index.search(queries, limits, threads, most))
        return Pairs(*search.scan(self._values, self._banks, queries, limits, threads, most))


def checksum(data: Values, threads: int = 1) -> Sums:
    """See `engine.kernel`."""
    return search.checksum(_aligned(data), threads)


def _widths(values: Values) -> Values:
    return np.array(search.choose_widths(len(values)), np.uint8)


def _aligned(array: Values, unit: int = 8) -> Values:
    """The array itself, or a copy of it that begins at a multiple of `unit`: Python aligns its bytes as it likes."""
    array = np.ascontiguousarray(array)
    if array.ctypes.data % unit == 0:
        return array
    room = np.empty(array.nbytes + unit, np.uint8)
    begin = -room.ctypes.data % unit
    copy: Values = room[begin : begin + array.nbytes].reshape(array.shape)
    copy[...] = array
    return copy
