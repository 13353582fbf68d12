"""How long one waits: for `--help`, for a command, for the service to be ready."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from bench.place import Place
from bench.table import Figure, milliseconds
from jikimi.engine.pattern import paint
from tests.e2e.node import Node, running

_TIMES = 5


def run(place: Place, quick: bool) -> list[Figure]:
    """The middle one of some tries each; the first start of all, which compiles Python files, is left out."""
    times = 2 if quick else _TIMES
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[paint(1)])
    picture = place.folder / "known.png"
    picture.write_bytes(paint(1))

    def ready() -> None:
        with running(node):
            node.stop()

    return [
        Figure(what="import jikimi", value=_middle(lambda: _python("import jikimi"), times)),
        Figure(what="jikimi --help", value=_middle(lambda: node.run("--help"), times)),
        Figure(what="jikimi hash of one picture", value=_middle(lambda: node.run("hash", picture), times)),
        Figure(what="jikimi bank list", value=_middle(lambda: node.run("bank", "list"), times)),
        Figure(what="jikimi up: ready, and stopped again", value=_middle(ready, times)),
    ]


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _middle(wait: Callable[[], object], times: int) -> str:
    wait()
    took = []
    for _ in range(times):
        began = time.monotonic()
        wait()
        took.append(time.monotonic() - began)
    return milliseconds(statistics.median(took))
