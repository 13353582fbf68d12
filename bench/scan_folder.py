"""`jikimi scan FOLDER`: pictures a second, from the command's start to its end."""

from __future__ import annotations

import time

from bench.pictures import LARGE, SMALL, photograph
from bench.place import Place, commands_seconds
from bench.table import Figure
from jikimi.engine.pattern import paint
from tests.e2e.node import Node

_COUNTS = {SMALL: 1000, LARGE: 200}
_DIFFERENT = 10


def run(place: Place, quick: bool) -> list[Figure]:
    """Scan a folder of small and one of large pictures."""
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[paint(1)])
    figures = []
    for size, count in _COUNTS.items():
        count = count // 10 if quick else count
        folder = place.folder / f"{size[0]}"
        folder.mkdir()
        pictures = [photograph(100 + seed, size) for seed in range(_DIFFERENT)]
        for number in range(count):
            (folder / f"{number:05}.jpg").write_bytes(pictures[number % _DIFFERENT])
        began, spent = time.monotonic(), commands_seconds()
        node.run("scan", "--json", folder)
        took, spent = time.monotonic() - began, commands_seconds() - spent
        figures.append(
            Figure(
                what=f"{count} JPEGs of {size[0]} x {size[1]} ({len(pictures[0]) // 1024} KiB)",
                value=f"{count / took:.1f} a second ({took:.1f} s; {spent:.1f} s of processor time)",
            )
        )
    return figures
