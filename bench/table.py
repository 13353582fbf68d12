"""One measured figure, and how figures are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured, and what came out, with its unit."""

    what: str
    value: str


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of all values does not exceed."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def milliseconds(seconds: float) -> str:
    """Write a short time."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def printed(title: str, figures: Iterable[Figure]) -> str:
    """A table as Markdown, as it stands in the README."""
    lines = [f"### {title}", "", "| what | figure |", "|---|---|"]
    lines += [f"| {figure.what} | {figure.value} |" for figure in figures]
    return "\n".join(lines) + "\n"
