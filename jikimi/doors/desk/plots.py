"""Geometry of the plots: numbers in, places on a small canvas out. Templates draw; a table says the same in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 640
HEIGHT = 160
FOOT = 22
"""Room for the words under the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar with its word underneath; `word` is empty where there is no room for all of them.

    `is_spare`: on a narrow screen there is no room for this one either.
    """

    x: float
    y: float
    width: float
    height: float
    count: int
    word: str
    is_spare: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Bars, perhaps a line above them, and up to where the axis goes."""

    bars: tuple[Bar, ...]
    line: str
    top: int


def plot(counts: Sequence[int], words: Sequence[str], line: Sequence[int] = ()) -> Plot:
    """Lay out one bar for each count, and a line through the same places."""
    top = _round_up(max((*counts, *line, 1)))
    slot = WIDTH / max(len(counts), 1)
    floor = HEIGHT - FOOT
    every = math.ceil(len(counts) * 90 / WIDTH)
    bars = tuple(
        Bar(
            x=round(place * slot + slot * 0.14, 1),
            y=round(floor - floor * count / top, 1),
            width=round(slot * 0.72, 1),
            height=round(floor * count / top, 1),
            count=count,
            word=word if (len(counts) - 1 - place) % every == 0 else "",
            is_spare=(len(counts) - 1 - place) // every % 2 == 0,
        )
        for place, (count, word) in enumerate(zip(counts, words, strict=True))
    )
    points = [f"{(place + 0.5) * slot:.1f},{floor - floor * count / top:.1f}" for place, count in enumerate(line)]
    return Plot(bars=bars, line=" ".join(points), top=top)


def _round_up(number: int) -> int:
    """The next number that is easy to read."""
    size: int = 10 ** (len(str(number)) - 1)
    return next((step * size for step in (1, 2, 5) if step * size >= number), 10 * size)
