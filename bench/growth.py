"""`python -m bench.growth`: draws `growth.svg`, time of a query by number of entries, from tables in `README.md`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).parent
_ROW = re.compile(
    r"\| (?:° )?([\d.]+) M uniform[^|]*: one query "
    r"\| ([\d.]+) (µs|ms|s)\b[^|]*\| ([^|]+?) \| ([\d.]+) (µs|ms|s)\b[^|]*\|"
)
_MICROSECONDS = {"µs": 1.0, "ms": 1e3, "s": 1e6}
_COLOURS = {
    "jikimi": "#2da44e",
    "faiss flat": "#bf8700",
    "faiss multi-hash": "#8250df",
    "threatexchange": "#cf222e",
}
_WIDTH, _HEIGHT = 720, 420
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 20, 560, 370
_DECADES = (3, 8)
_TIMES = {0: "1 µs", 1: "10 µs", 2: "100 µs", 3: "1 ms", 4: "10 ms", 5: "100 ms", 6: "1 s"}
_ROWS = {3: "1 k", 4: "10 k", 5: "100 k", 6: "1 M", 7: "10 M", 8: "100 M"}
_STYLE = """
  text { font: 13px sans-serif; fill: #57606a } .grid { stroke: #8c959f; stroke-opacity: .35 }
  .line { fill: none; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) { text { fill: #b1bac4 } }
"""

Points = dict[str, dict[float, float]]
"""For each engine: microseconds by number of entries."""


def main() -> None:
    """Draw what the README says."""
    points = measured((_HERE / "README.md").read_text())
    (_HERE / "growth.svg").write_text(drawn(points))


def measured(text: str) -> Points:
    """The rows about single queries on values of independent bits."""
    points: Points = {}
    for millions, ours, our_unit, peer, theirs, their_unit in _ROW.findall(text):
        rows = float(millions) * 1e6
        name = re.sub(r" \(.*", "", peer)
        points.setdefault("jikimi", {})[rows] = float(ours) * _MICROSECONDS[our_unit]
        if name in _COLOURS:
            points.setdefault(name, {})[rows] = float(theirs) * _MICROSECONDS[their_unit]
    return points


def drawn(points: Points) -> str:
    """The picture, both axes logarithmic."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Time of one query by number of entries</title>",
        f"<style>{_STYLE}</style>",
        *_grid(),
    ]
    for name, of_rows in points.items():
        lines += _line(name, of_rows)
    lines += _names(points)
    return "\n".join([*lines, "</svg>", ""])


def _grid() -> Iterator[str]:
    for power, label in _TIMES.items():
        y = _y(10**power)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    for power, label in _ROWS.items():
        x = _x(10**power)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_BOTTOM}"/>'
        yield f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{label}</text>'
    yield f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 42}" text-anchor="middle">entries</text>'


def _line(name: str, of_rows: dict[float, float]) -> Iterator[str]:
    places = [(_x(rows), _y(time)) for rows, time in sorted(of_rows.items())]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    colour = _COLOURS[name]
    yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def _names(points: Points) -> Iterator[str]:
    """The name of each line at its end; where ends meet, one below the other."""
    ends = {name: max(of_rows.items()) for name, of_rows in points.items()}
    last: tuple[float, float] = (0, -math.inf)
    for name, (rows, time) in sorted(ends.items(), key=lambda end: (end[1][0], -end[1][1])):
        x, y = _x(rows) + 10, _y(time) + 4
        y = max(y, last[1] + 16) if x == last[0] else y
        last = (x, y)
        yield f'<text x="{x:.1f}" y="{y:.1f}" style="fill:{_COLOURS[name]};font-weight:600">{name}</text>'


def _x(rows: float) -> float:
    first, last = _DECADES
    return _LEFT + (_RIGHT - _LEFT) * (math.log10(rows) - first) / (last - first)


def _y(microseconds: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * math.log10(microseconds) / max(_TIMES)


if __name__ == "__main__":
    main()
