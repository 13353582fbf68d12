"""A service pulls a list of a million records for the first time, while uploads are checked: time, memory, latency."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.million import MILLION
from bench.pictures import SMALL, photograph
from bench.place import Place, commands_seconds
from bench.table import Figure, milliseconds, percentile
from tests.e2e.node import Node, memory_of, running
from tests.e2e.programme import install, pdq

_BEFORE = 15.0
"""Seconds in which uploads are checked while nothing else goes on."""
_PAUSE = 0.1
_PICTURES = 12
_EVERY = 7.0
"""Longer than the server keeps a connection without requests: none is taken up again just as it is closed."""


@dataclass(slots=True)
class _Seen:
    """What one client has seen, and what the pulling process took."""

    took: list[float] = field(default_factory=list)
    wrong: int = 0
    memory: list[int] = field(default_factory=list)


def run(place: Place, quick: bool) -> list[Figure]:
    """Pull a list whose every second record says two signals."""
    records = MILLION // 10 if quick else MILLION
    packages = f"{install(place.folder / 'packages')}:{Path(__file__).parents[1]}"
    node = Node(place.folder / "data", database_url=place.database_url, PYTHONPATH=packages, JIKIMI_PLUGS='["numbers"]')
    node.furnish(block=[])
    pictures = [photograph(200 + seed, SMALL) for seed in range(_PICTURES)]
    spent = commands_seconds()
    with running(node):
        before = _checked_for(node, pictures, _BEFORE)
        began = time.monotonic()
        node.run(
            "exchange", "add", "feed", "--kind", "numbers", "--bank", "fed", "--category", "other", "--on-match",
            "block", "--set", f"last={records}", "--set", "two=true",
        )  # fmt: skip
        meanwhile = _checked_until_pulled(node, pictures)
        took = time.monotonic() - began
        (exchange,) = node.get("/v1/exchanges").body
        found = bool(node.match(pdq(records).value.hex())[0])
        node.stop()
    spent = commands_seconds() - spent
    return [
        Figure(
            what=f"{records} records, {records * 3 // 2} signals: from `exchange add` to `ok`", value=f"{took:.1f} s"
        ),
        Figure(what="records that count; last one found", value=f"{exchange['records']}; {'yes' if found else 'no'}"),
        Figure(what="processor time of the service and the pull", value=f"{spent:.1f} s"),
        Figure(what=f"memory of the pull every {_EVERY:.0f} s", value=_memory(meanwhile)),
        Figure(what="an upload before: p50, p99", value=_latency(before)),
        Figure(what="an upload meanwhile: p50, p99", value=_latency(meanwhile)),
        Figure(what="wrong answers", value=str(before.wrong + meanwhile.wrong)),
    ]


def _checked_for(node: Node, pictures: Sequence[bytes], seconds: float) -> _Seen:
    seen, done = _Seen(), threading.Event()
    client = threading.Thread(target=_client, args=(node, pictures, seen, done))
    client.start()
    time.sleep(seconds)
    done.set()
    client.join()
    return seen


def _checked_until_pulled(node: Node, pictures: Sequence[bytes]) -> _Seen:
    seen, done = _Seen(), threading.Event()
    client = threading.Thread(target=_client, args=(node, pictures, seen, done))
    client.start()
    while _state(node) not in ("ok", "failing"):
        seen.memory.append(memory_of(_pulling()))
        time.sleep(_EVERY)
    done.set()
    client.join()
    return seen


def _client(node: Node, pictures: Sequence[bytes], seen: _Seen, done: threading.Event) -> None:
    while not done.wait(_PAUSE):
        picture = pictures[len(seen.took) % len(pictures)]
        began = time.monotonic()
        answer = node.scan(picture)
        seen.took.append(time.monotonic() - began)
        seen.wrong += answer.status != 200 or answer.body["verdict"] != "clear"


def _state(node: Node) -> str:
    (exchange,) = node.get("/v1/exchanges").body or [{"state": ""}]
    return str(exchange["state"])


def _pulling() -> list[int]:
    """The process that pulls."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"exchange" in words and b"sync" in words and b"feed" in words:
                found.append(int(folder.name))
    return found


def _memory(seen: _Seen) -> str:
    return ", ".join(f"{one / 1024**2:.0f}" for one in seen.memory if one) + " MiB"


def _latency(seen: _Seen) -> str:
    return f"{milliseconds(percentile(seen.took, 0.5))}, {milliseconds(percentile(seen.took, 0.99))} ({len(seen.took)})"
