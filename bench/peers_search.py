"""Exact search within 31 bits: ours beside faiss and threatexchange's index, in one process.

Times of single queries are processor time of one thread, so that other work on the machine disturbs them little.
Engines take turns in blocks of queries, and the fastest of three passes counts for each query, so that all see the same
conditions. All must find the same number. Batches run on two threads; what counts is the processor time of both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from bench.corpora import KINDS, Values, corpus, questions
from bench.engines import PEERS, Ask, Engine, one_thread, ours, two_threads
from bench.place import Place
from bench.table import Figure, microseconds

Times = npt.NDArray[np.float64]

_SIZES = (1_000_000, 10_000_000)
_QUICK_SIZES = (200_000,)
_SMALL_SIZES = (1_000, 10_000, 100_000)
"""On uniform values only: they show how the time grows."""
_QUERIES = 200
_PASSES = 3
_BLOCK = 20
_BATCH, _BATCH_OF_FLAT = 8192, 64
_SLOW_ON = {"adversarial": ("faiss multi-hash", "threatexchange")}
"""Left out: they take a second and more for each query there."""
_LARGE = 10_000_000
_ONLY_LARGE = ("uniform", "families", "photographs", "adversarial")


def run(place: Place, quick: bool) -> list[Figure]:
    """Every corpus at every size."""
    figures: list[Figure] = []
    for rows in _SMALL_SIZES:
        figures += _at("uniform", rows, 60 if quick else _QUERIES)
    for rows in _QUICK_SIZES if quick else _SIZES:
        for kind in KINDS if rows < _LARGE else _ONLY_LARGE:
            figures += _at(kind, rows, 60 if quick else _QUERIES)
    return figures


def _at(kind: str, rows: int, count: int) -> Iterator[Figure]:
    values = corpus(kind, rows)
    name = f"{rows / 1e6:g} M {kind}"
    if not len(values):
        yield Figure(what=name, value="skipped: no package with photographs is installed")
        return
    queries = questions(values, count)
    own = ours(values)
    one_thread()
    peers = [make(values) for peer, make in PEERS.items() if peer not in _SLOW_ON.get(kind, ())]
    found = [own.ask(queries[number : number + 1]) for number in range(count)]
    planted = f"{np.median(found[::2]):.0f} for the middle one of the planted"
    yield Figure(what=f"{name}: matches of a query", value=f"{np.mean(found):.1f}; {planted}")
    yield from _singles(name, own, peers, queries)
    if rows in _SMALL_SIZES:
        return  # building takes no time, and sharing a batch out takes longer than to answer it
    yield from _builds(name, own, peers)
    if kind != "adversarial":
        flat = next(peer for peer in peers if peer.name == "faiss flat")
        yield _batched(name, own, flat, values)


def _builds(name: str, own: Engine, peers: Sequence[Engine]) -> Iterator[Figure]:
    for peer in peers:
        if peer.name != "faiss flat":  # nothing is built there
            yield Figure(
                what=f"{name}: build",
                value=f"{own.build:.1f} s",
                peer=peer.name,
                theirs=f"{peer.build:.1f} s",
                ratio=peer.build / own.build,
            )


def _singles(name: str, own: Engine, peers: Sequence[Engine], queries: Values) -> Iterator[Figure]:
    assert own.scan is not None
    asks = {engine.name: engine.ask for engine in (own, *peers)} | {"own scan": own.scan}
    times = measure(asks, queries)
    mine = times.pop("jikimi")
    value = f"{microseconds(float(np.median(mine)))} (p99 {microseconds(float(np.percentile(mine, 99)))})"
    for peer, theirs in times.items():
        yield Figure(
            what=f"{name}: one query",
            value=value,
            peer=peer,
            theirs=f"{microseconds(float(np.median(theirs)))} (p99 {microseconds(float(np.percentile(theirs, 99)))})",
            ratio=float(np.median(theirs) / np.median(mine)),
        )


def measure(asks: dict[str, Ask], queries: Values) -> dict[str, Times]:
    """Microseconds of each engine and query."""
    found = {name: np.zeros(len(queries), np.int64) for name in asks}
    spent = {name: np.full((_PASSES, len(queries)), np.inf) for name in asks}
    for pass_ in range(_PASSES):
        for first in range(0, len(queries), _BLOCK):
            for name, ask in asks.items():
                for number in range(first, min(first + _BLOCK, len(queries))):
                    query = queries[number : number + 1]
                    began = time.thread_time_ns()
                    found[name][number] = ask(query)
                    spent[name][pass_, number] = (time.thread_time_ns() - began) / 1000
    for name in asks:
        if not np.array_equal(found[name], found["jikimi"]):
            raise AssertionError(f"{name} found {found[name].sum()}, jikimi {found['jikimi'].sum()}")
    return {name: times.min(axis=0) for name, times in spent.items()}


def _batched(name: str, own: Engine, flat: Engine, values: Values) -> Figure:
    """Processor time for one of many queries asked at once, of both threads together."""
    many = questions(values, _BATCH)
    two_threads()
    assert own.batch is not None
    mine = _each(own.batch, many)
    theirs = _each(flat.ask, many[:_BATCH_OF_FLAT])
    one_thread()
    return Figure(
        what=f"{name}: one of a batch, two threads",
        value=microseconds(mine),
        peer="faiss flat",
        theirs=microseconds(theirs),
        ratio=theirs / mine,
    )


def _each(ask: Ask, queries: Values) -> float:
    took = []
    for _ in range(_PASSES):
        began = time.process_time()
        ask(queries)
        took.append(time.process_time() - began)
    return min(took) / len(queries) * 1e6
