"""What is searched beside what: our kernel, faiss and threatexchange's index, behind one shape.

The peers are imported where they are used: they are in `.venv-bench` only.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.corpora import RADIUS, Values
from jikimi.engine import kernel

Ask = Callable[[Values], int]
"""Search queries (count, 32) and say how many matches there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A built index: `build` is the processor time it took, in seconds. `batch` asks with two threads,
    `scan` is ours without its tables.
    """

    name: str
    ask: Ask
    build: float
    batch: Ask | None = None
    scan: Ask | None = None


def ours(values: Values) -> Engine:
    """The kernel, as a segment of the index holds it."""
    gc.collect()
    began = time.process_time()
    arranged = kernel.arrange(values, 2)
    tables = kernel.tabulate(arranged.values, 2)
    build = time.process_time() - began
    banks, limits = np.zeros(len(values), np.uint16), np.array([RADIUS + 1], np.uint16)
    index = kernel.searchable(arranged.values, banks, tables)
    flat = kernel.searchable(arranged.values, banks, None)
    return Engine(
        name="jikimi",
        build=build,
        ask=lambda queries: len(index.within(queries, limits).row),
        batch=lambda queries: len(index.within(queries, limits, 2).row),
        scan=lambda queries: len(flat.within(queries, limits).row),
    )


def faiss_flat(values: Values) -> Engine:
    """All rows are tried."""
    import faiss

    index = faiss.IndexBinaryFlat(256)
    return _faiss("faiss flat", index, values)


def faiss_multi_hash(values: Values) -> Engine:
    """Sixteen chunks of sixteen bits, one of which may differ: exact up to 31."""
    import faiss

    index = faiss.IndexBinaryMultiHash(256, 16, 16)
    index.nflip = 1
    return _faiss("faiss multi-hash", index, values)


def threatexchange(values: Values) -> Engine:
    """The index of HMA and python-threatexchange for PDQ."""
    from threatexchange.signal_type.pdq.pdq_index import PDQIndex

    entries = [(value.tobytes().hex(), number) for number, value in enumerate(values)]
    index, build = _timed(lambda: PDQIndex.build(entries))
    return Engine(
        name="threatexchange",
        build=build,
        ask=lambda queries: sum(len(index.query(query.tobytes().hex())) for query in queries),
    )


PEERS: dict[str, Callable[[Values], Engine]] = {
    "faiss flat": faiss_flat,
    "faiss multi-hash": faiss_multi_hash,
    "threatexchange": threatexchange,
}


def one_thread() -> None:
    """Keep faiss to one thread for single queries, as ours is."""
    import faiss

    faiss.omp_set_num_threads(1)


def two_threads() -> None:
    """Let faiss use two, as ours does for a batch."""
    import faiss

    faiss.omp_set_num_threads(2)


def _faiss(name: str, index: Any, values: Values) -> Engine:
    _, build = _timed(lambda: index.add(values))
    return Engine(name=name, build=build, ask=lambda queries: len(index.range_search(queries, RADIUS + 1)[1]))


def _timed(make: Callable[[], Any]) -> tuple[Any, float]:
    gc.collect()
    began = time.process_time()
    made = make()
    return made, time.process_time() - began
