"""One measured figure, and how figures are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured, and what came out, with its unit.

    With a `peer`, `theirs` is what came out for that, and `ratio` how many times better ours is: below 1 it has won.
    """

    what: str
    value: str
    peer: str = ""
    theirs: str = ""
    ratio: float = 0


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of all values does not exceed."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def milliseconds(seconds: float) -> str:
    """Write a short time."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def microseconds(number: float) -> str:
    """Write a time given in millionths of a second, with three digits."""
    if number < 1000:
        return f"{number:.0f} µs"
    return f"{number / 1000:.3g} ms" if number < 999_500 else f"{number / 1e6:.1f} s"


def printed(title: str, figures: Iterable[Figure]) -> str:
    """A table as Markdown, as it stands in the README."""
    lines = [f"### {title}", "", "| what | figure |", "|---|---|"]
    lines += [f"| {figure.what} | {figure.value} |" for figure in figures if not figure.peer]
    return "\n".join(lines) + "\n" if len(lines) > 4 else ""


def ratios(figures: Iterable[Figure]) -> str:
    """The one table of everything that was measured beside a peer."""
    lines = ["### beside the peers", "", "| what | jikimi | peer | its figure | ratio |", "|---|---|---|---|---|"]
    for figure in figures:
        if figure.peer:
            ratio = f"{figure.ratio:.0f}" if figure.ratio >= 10 else f"{figure.ratio:.2g}"
            won = f"**{ratio}×**" if figure.ratio >= 1 else f"{ratio}× (lost)"
            lines.append(f"| {figure.what} | {figure.value} | {figure.peer} | {figure.theirs} | {won} |")
    return "\n".join(lines) + "\n" if len(lines) > 4 else ""
