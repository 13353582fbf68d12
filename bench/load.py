"""A hundred clients at once, for a minute: nothing may fail, nothing may be lost, and then the speed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.pictures import LARGE, SMALL, photograph
from bench.place import Place, commands_seconds
from bench.table import Figure, milliseconds, percentile
from jikimi.db.tx import SqlStore
from jikimi.engine.pattern import paint
from tests.e2e.node import Node, family, memory_of, running

CLIENTS = 100
SECONDS = 60.0
_KNOWN = 4
_PICTURES = 12
_LARGE_PART = 0.25
_KNOWN_PART = 0.1


@dataclass(slots=True)
class _Seen:
    """What the clients have seen together."""

    took: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    remembered: set[str] = field(default_factory=set)


def run(place: Place, quick: bool) -> list[Figure]:
    """Load a server and account for every answer."""
    seconds = 5.0 if quick else SECONDS
    clean = {size: [photograph(100 + seed, size) for seed in range(_PICTURES)] for size in (SMALL, LARGE)}
    known = {size: [photograph(seed, size) for seed in range(_KNOWN)] for size in (SMALL, LARGE)}
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[paint(seed) for seed in range(_KNOWN)])
    seen = _Seen()
    spent = commands_seconds()
    with running(node):
        end = time.monotonic() + seconds
        clients = [
            threading.Thread(target=_client, args=(node, number, clean, known, end, seen)) for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        time.sleep(seconds / 2)
        memory = memory_of(family(node.pid))
        for client in clients:
            client.join()
        took = seconds + (time.monotonic() - end)
        node.stop()
    spent = commands_seconds() - spent
    return [
        Figure(what="clients, seconds", value=f"{CLIENTS}, {took:.0f}"),
        Figure(what="requests", value=str(len(seen.took))),
        Figure(what="answers", value=", ".join(f"{count} {name}" for name, count in sorted(seen.answers.items()))),
        Figure(
            what="errors and wrong answers", value=str(len(seen.wrong)) + "".join(f"; {one}" for one in seen.wrong[:3])
        ),
        Figure(what="lost scans", value=str(_lost(node, seen))),
        Figure(what="requests a second", value=f"{len(seen.took) / took:.1f}"),
        Figure(what="p50", value=milliseconds(percentile(seen.took, 0.5))),
        Figure(what="p99", value=milliseconds(percentile(seen.took, 0.99))),
        Figure(what="processor time of the service for one request", value=milliseconds(spent / len(seen.took))),
        Figure(what="memory of all processes half-way", value=f"{memory / 1024**2:.0f} MiB"),
    ]


def _client(
    node: Node,
    number: int,
    clean: dict[tuple[int, int], list[bytes]],
    known: dict[tuple[int, int], list[bytes]],
    end: float,
    seen: _Seen,
) -> None:
    chance = random.Random(number)
    while time.monotonic() < end:
        size = LARGE if chance.random() < _LARGE_PART else SMALL
        is_known = chance.random() < _KNOWN_PART
        began = time.monotonic()
        try:
            reply = node.scan(chance.choice((known if is_known else clean)[size]), account_id=f"{number}-{began}")
            answer = str(reply.body["verdict"]) if reply.status == 200 else str(reply.status)
        except Exception as error:  # noqa: BLE001 - counted, and shown
            seen.wrong.append(repr(error))
            continue
        seen.took.append(time.monotonic() - began)
        seen.answers[answer] += 1
        if answer != ("block" if is_known else "clear"):
            seen.wrong.append(f"{'known' if is_known else 'clean'}: {reply.status} {reply.body}")
        elif answer != "clear":
            seen.remembered.add(reply.body["scan_id"])


def _lost(node: Node, seen: _Seen) -> int:
    """Answers that the counters do not count, and scans that the database does not hold."""
    store = SqlStore(node.database)
    with store.read() as tx:
        counted = sum(total.count for total in tx.counters.all() if total.source == "tester")
        held = {scan.id for scan in tx.scans.list(unchecked=False, limit=1_000_000)}
    store.close()
    return abs(len(seen.took) - counted) + len(seen.remembered - held)
