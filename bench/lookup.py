"""Looking up signals among a million entries: through `POST /v1/match`, and in the index alone."""

from __future__ import annotations

import random
import threading
import time
from array import array

from bench.million import MILLION, write_list
from bench.place import Place
from bench.table import Figure, milliseconds, percentile
from jikimi.engine.index import Index
from jikimi.model.signal import EntryBatch, Signal
from tests.e2e.node import Node, running

_CLIENTS = 8
_SECONDS = 10.0
_BULK = 1000
_POSITIONS = 8
_SEARCHES = 2000
_BANK, _DISTANCE = 1, 31


def run(place: Place, quick: bool) -> list[Figure]:
    """Measure at a million entries."""
    entries = MILLION // 10 if quick else MILLION
    return [*_through_the_door(place, entries, 2.0 if quick else _SECONDS), *_in_the_index(entries)]


def _through_the_door(place: Place, entries: int, seconds: float) -> list[Figure]:
    write_list(place.folder / "list.txt", entries)
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[])
    node.run("bank", "import", "block", place.folder / "list.txt")
    figures = []
    with running(node):
        for count in (1, _BULK):
            took = _ask(node, count, seconds)
            figures += [
                Figure(
                    what=f"POST /v1/match with {count} pdq, {_CLIENTS} clients",
                    value=f"{len(took) * count / seconds:.0f} signals a second",
                ),
                Figure(what=f"… p50, p99 of {count}", value=_both(took)),
            ]
        node.stop()
    return figures


def _ask(node: Node, count: int, seconds: float) -> list[float]:
    took: list[float] = []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            values = [chance.randbytes(32).hex() for _ in range(count)]
            began = time.monotonic()
            assert len(node.match(*values)) == count
            took.append(time.monotonic() - began)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(_CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    return took


def _in_the_index(entries: int) -> list[Figure]:
    index = Index()
    banks = array("q", [_BANK]) * entries
    values = random.Random(1).randbytes(32 * entries)
    began = time.monotonic()
    index.add(EntryBatch(type="pdq", ids=array("q", range(entries)), bank_ids=banks, values=values))
    built = time.monotonic() - began
    figures = [Figure(what=f"index: {entries} pdq added", value=f"{built:.1f} s")]
    chance = random.Random(2)
    for count in (1, _POSITIONS):
        took = []
        for _ in range(_SEARCHES):
            signals = [Signal(type="pdq", value=chance.randbytes(32)) for _ in range(count)]
            began = time.monotonic()
            index.search(signals, {_BANK: _DISTANCE})
            took.append(time.monotonic() - began)
        figures.append(Figure(what=f"index: search of {count} pdq, p50, p99", value=_both(took)))
    return figures


def _both(took: list[float]) -> str:
    return f"{milliseconds(percentile(took, 0.5))}, {milliseconds(percentile(took, 0.99))}"
