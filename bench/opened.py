"""`python -m bench.opened SNAPSHOT [--flat]`: one process opens a snapshot and answers; prints what it cost, as JSON.

A process of its own, so that its memory is that of an index that was opened and nothing else. With `--flat`, faiss flat
over as many of the same values as it can hold here answers in turns with ours.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from bench.corpora import RADIUS, Values, questions
from jikimi.engine import kernel
from jikimi.engine.index import Index
from jikimi.engine.snapshot import read
from jikimi.model.signal import Signal

BANK = 1
BATCH = 1_000_000
_LOOKUPS = 400
_MOST_OF_FLAT = 20_000_000
_PASSES = 3


def main() -> None:
    """Open, look up, and tell."""
    path = Path(sys.argv[1])
    before = _resident()
    index = Index()
    began, spent = time.monotonic(), time.process_time()
    index.load(path)
    index.search([Signal(type="pdq", value=bytes(32))], {BANK: RADIUS})
    first, first_cpu = time.monotonic() - began, time.process_time() - spent
    rows = index.sizes()["pdq"]
    queries = questions(some_values(rows), _LOOKUPS)
    took = _alone(index, queries)
    told = {
        "first": first,
        "first_cpu": first_cpu,
        "bytes": (_resident() - before) / rows,
        "p50": float(np.median(took)),
        "p99": float(np.percentile(took, 99)),
    }
    told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if "--flat" in sys.argv:
        told |= _beside_flat(index, read(path).columns["pdq.values"], queries[:20])
    print(json.dumps(told))


def some_values(rows: int) -> Values:
    """The first values of a snapshot that `bench.index_life` made with so many rows: they need not be read there."""
    count = min(BATCH, rows)
    return np.frombuffer(np.random.default_rng(rows).bytes(32 * count), np.uint8).reshape(-1, 32)


def _alone(index: Index, queries: Values) -> Values:
    """Microseconds of processor time for each query, through the index as the service asks it."""
    passes = []
    for _ in range(_PASSES):
        took = []
        for query in queries:
            signal = Signal(type="pdq", value=query.tobytes())
            began = time.thread_time_ns()
            index.search([signal], {BANK: RADIUS})
            took.append((time.thread_time_ns() - began) / 1000)
        passes.append(took)
    least: Values = np.array(passes).min(axis=0)
    return least


def _beside_flat(index: Index, values: Values, queries: Values) -> dict[str, float]:
    import faiss

    faiss.omp_set_num_threads(1)
    flat = faiss.IndexBinaryFlat(256)
    held = min(len(values), _MOST_OF_FLAT)
    for first in range(0, held, 1_000_000):
        flat.add(np.ascontiguousarray(values[first : min(first + 1_000_000, held)]))
    scan = kernel.searchable(values, np.zeros(len(values), np.uint16), None)
    limits = np.array([RADIUS + 1], np.uint16)
    times: dict[str, list[float]] = {"ours": [], "flat": [], "scan": []}
    for query in np.repeat(queries, 2, axis=0):
        one, signal = query[None], Signal(type="pdq", value=query.tobytes())
        for name, ask in (
            ("ours", lambda signal=signal: index.search([signal], {BANK: RADIUS})),
            ("flat", lambda one=one: flat.range_search(one, RADIUS + 1)),
            ("scan", lambda one=one: scan.within(one, limits)),
        ):
            began = time.thread_time_ns()
            ask()
            times[name].append((time.thread_time_ns() - began) / 1000)
    ours, per_row = float(np.median(times["ours"])), float(np.median(times["flat"])) / held
    return {
        "beside": ours,
        "flat": per_row * len(values),
        "flat_held": held,
        "scan": float(np.median(times["scan"])),
    }


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
