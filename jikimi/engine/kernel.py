"""Which rows of a table of values are equal to, or near, which queries: the inner loops of matching.

Decided here: which kernel answers: the native one where it is installed, else NumPy (`JIKIMI_KERNEL_LEVEL=numpy` asks
for it). Both answer the same. Each has tables of its own, so the columns of a snapshot tell which kernel wrote it. Not
decided here: which banks count and what a distance means (`engine.index`, `model`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from jikimi.engine import kernel_numpy
from jikimi.engine.kernel_numpy import equal, prefixes
from jikimi.engine.kernel_types import (
    BITS,
    SUM_BLOCK,
    Arranged,
    Banks,
    Column,
    Limits,
    Numbers,
    Pairs,
    Places,
    Searchable,
    Sums,
    Values,
)

__all__ = [
    "BITS",
    "SUM_BLOCK",
    "Arranged",
    "Banks",
    "Column",
    "Limits",
    "Numbers",
    "Pairs",
    "Places",
    "Searchable",
    "Sums",
    "Values",
    "arrange",
    "checksum",
    "equal",
    "name",
    "prefixes",
    "searchable",
    "tables",
    "tabulate",
]


class _Kernel(Protocol):
    """What `kernel_numpy` and `kernel_native` both are."""

    TABLES: Mapping[str, str]

    def name(self) -> str: ...
    def arrange(self, values: Values, threads: int = 1) -> Arranged: ...
    def tabulate(self, values: Values, threads: int = 1) -> Mapping[str, Column]: ...
    def searchable(self, values: Values, banks: Banks, tables: Mapping[str, Column] | None) -> Searchable: ...
    def checksum(self, data: Values, threads: int = 1) -> Sums: ...


def _best() -> _Kernel:
    if os.environ.get("JIKIMI_KERNEL_LEVEL") == "numpy":
        return kernel_numpy
    try:
        from jikimi.engine import kernel_native
    except ImportError:
        return kernel_numpy
    return kernel_native


_kernel = _best()


def name() -> str:
    """Which kernel is in use."""
    return _kernel.name()


def tables() -> Mapping[str, str]:
    """The columns of this kernel's tables, with their types."""
    return _kernel.TABLES


def arrange(values: Values, threads: int = 1) -> Arranged:
    """Put (rows, 32) uint8 values, fewer than 2^31, in the order that this kernel wants.

    What comes next is a call of its own, so that the values as they were can be let go before it takes its memory.
    """
    return _kernel.arrange(values, threads)


def tabulate(values: Values, threads: int = 1) -> Mapping[str, Column]:
    """The tables of arranged values: columns that a file can keep."""
    return _kernel.tabulate(values, threads)


def searchable(values: Values, banks: Banks, tables: Mapping[str, Column] | None) -> Searchable:
    """Get values ready for searches, with the bank number of each row; without tables all rows will be tried.

    Nothing is copied: the arrays must not change any more. `ValueError` if the tables have not the right shape.
    """
    return _kernel.searchable(values, banks, tables)


def checksum(data: Values, threads: int = 1) -> Sums:
    """Two 64-bit sums for each MiB of a uint8 array: against failing disks and memory, not against forgers.

    Of the 64-bit words w_i of a block (little-endian, the last padded with zeros), and keys k_i = (i + 1) * SUM_KEY:
    the sum of w_i, and the sum of low32(w_i ^ k_i) * high32(w_i ^ k_i), modulo 2^64. Reads at the speed of memory.
    """
    return _kernel.checksum(data, threads)
