"""`jikimi bank import`: a million plain lines, from the command's start to its end, snapshot included."""

from __future__ import annotations

import time

from bench.million import MILLION, write_list
from bench.place import Place, commands_seconds
from bench.table import Figure
from tests.e2e.node import Node


def run(place: Place, quick: bool) -> list[Figure]:
    """Import a list, and import it once more when all of it is known."""
    lines = MILLION // 10 if quick else MILLION
    write_list(place.folder / "list.txt", lines)
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[])
    figures = []
    for what in ("new", "known already"):
        began, spent = time.monotonic(), commands_seconds()
        node.run("bank", "import", "block", place.folder / "list.txt")
        took, spent = time.monotonic() - began, commands_seconds() - spent
        speed = f"{took:.1f} s, {lines / took:.0f} lines a second ({spent:.1f} s of processor time)"
        figures.append(Figure(what=f"{lines} lines, all {what}", value=speed))
    return figures
