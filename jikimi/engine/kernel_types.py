"""What the kernels take and give. Nothing is done here; `engine.kernel` says what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
Values = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Places = npt.NDArray[np.uint32]
Wide = npt.NDArray[np.uint64]
Sums = npt.NDArray[np.uint64]

Banks = npt.NDArray[np.uint16]
"""For each row, the number of its bank."""

Limits = npt.NDArray[np.uint16]
"""For each number of a bank, the distance below which its rows count: 0 leaves it out, 32 is a radius of 31."""

BITS = 256

SUM_BLOCK = 1 << 20
SUM_KEY = 0x9E3779B97F4A7C15


class Pairs(NamedTuple):
    """Equal-length arrays: query `query[i]` and row `row[i]` are `distance[i]` bits apart; by query, then row."""

    query: Numbers
    row: Numbers
    distance: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """Values in the order a kernel wants them. Row i was row `places[i]` before; None if all are where they were."""

    values: Values
    places: Places | None


class Searchable(Protocol):
    """Rows of perceptual values that can be searched by any number of threads."""

    def is_sound(self, threads: int = 1) -> bool:
        """Whether the tables lead nowhere but to the rows: asked once, about a file that anybody may have made."""

    def within(self, queries: Values, limits: Limits, threads: int = 1, most: int = 0) -> Pairs:
        """All pairs of a query (of (queries, 32) uint8) and a row that are nearer than the limit of the row's bank.

        `limits` has a number for every bank number. Each pair is given once. With `most`, only the nearest so many of
        each query in each bank are given, whatever else there is, and memory stays bounded by that.
        """
