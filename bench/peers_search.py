"""Exact search within 31 bits: ours beside faiss and threatexchange's index, in one run.

    python -m bench.peers_search --rows 1000000 --corpus uniform

The peers are not in our lock: install `faiss-cpu` and `threatexchange` into a virtual environment of their own, beside
jikimi. Times are CPU time of one thread, so that other work on the machine disturbs them little. Engines take turns in
blocks of queries, and the fastest of three passes counts for each query, so that all see the same conditions. Half of
the queries are 0 to 31 bits from an entry, half are anything. All answers are compared with those of the flat index.
"""

from __future__ import annotations

import argparse
import gc
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from jikimi.engine import kernel

Values = npt.NDArray[np.uint8]
Ask = Callable[[Values], int]
"""Search one query (1, 32) and say how many it found."""

RADIUS = 31
PASSES = 3
BLOCK = 20
_SIZES_OF_FAMILIES = {"families": 2.5, "crowds": 1.6}
"""Exponents of Zipf's law."""


def corpus(kind: str, rows: int) -> Values:
    """Generated values.

    `uniform`: independent bits, as those of unrelated pictures nearly are. `families`: near-duplicates of 0 to 40 bits,
    mostly few, at times thousands of them. `crowds`: families so large that a planted query has a thousand matches.
    `adversarial`: 200 of 256 bits shared by all.
    """
    rng = np.random.default_rng(rows)
    values: Values = rng.integers(0, 2**64, (rows, 4), dtype=np.uint64).view(np.uint8)
    if kind in _SIZES_OF_FAMILIES:
        sizes = np.minimum(rng.zipf(_SIZES_OF_FAMILIES[kind], rows), 10_000)
        values = values[np.repeat(np.arange(rows), sizes)[:rows]]
        flips = rng.integers(0, 41 if kind == "families" else 21, rows)
        for flip in range(int(flips.max())):
            where = np.flatnonzero(flips > flip)
            values[where, rng.integers(0, 32, len(where))] ^= np.uint8(1) << rng.integers(
                0, 8, len(where), dtype=np.uint8
            )
    if kind == "adversarial":
        values &= np.packbits(rng.permutation(256) >= 200)
    return values


def questions(values: Values, count: int) -> Values:
    rng = np.random.default_rng(1)
    asked: Values = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    asked[::2] = values[rng.integers(0, len(values), len(asked[::2]))]
    for number in range(0, count, 2):
        for bit in rng.permutation(256)[: number // 2 % (RADIUS + 1)]:
            asked[number, bit // 8] ^= 1 << (bit % 8)
    return asked


class Ours:
    def __init__(self, values: Values) -> None:
        began = time.process_time()
        made = kernel.arrange(values, 2)
        tables = kernel.tabulate(made.values, 2)
        self.build = time.process_time() - began
        self.banks = np.zeros(len(values), np.uint16)
        self.index = kernel.searchable(made.values, self.banks, tables)
        self.flat = kernel.searchable(made.values, self.banks, None)
        self.limits = np.array([RADIUS + 1], np.uint16)
        size = sum(column.nbytes for column in tables.values())
        self.bytes = made.values.nbytes + size + (4 + 2) * len(values)  # with an id and a bank for each row

    def ask(self, query: Values) -> int:
        return len(self.index.within(query, self.limits).row)

    def try_all(self, query: Values) -> int:
        return len(self.flat.within(query, self.limits).row)

    def batch(self, queries: Values, threads: int) -> int:
        return len(self.index.within(queries, self.limits, threads).row)


def faiss_flat(values: Values) -> Any:
    import faiss

    index = faiss.IndexBinaryFlat(256)
    index.add(values)
    return index


def faiss_multi_hash(values: Values) -> Any:
    import faiss

    index = faiss.IndexBinaryMultiHash(256, 16, 16)
    index.nflip = 1
    index.add(values)
    return index


def faiss_ask(index: Any) -> Ask:
    return lambda query: len(index.range_search(query, RADIUS + 1)[1])


def threatexchange(values: Values) -> Any:
    from threatexchange.signal_type.pdq.pdq_index import PDQIndex

    return PDQIndex.build([(value.tobytes().hex(), number) for number, value in enumerate(values)])


def threatexchange_ask(index: Any) -> Ask:
    return lambda query: len(index.query(query.tobytes().hex()))


def measure(engines: dict[str, Ask], queries: Values) -> dict[str, npt.NDArray[np.float64]]:
    """Microseconds of each engine and query."""
    found: dict[str, list[int]] = {name: [0] * len(queries) for name in engines}
    spent = {name: np.full((PASSES, len(queries)), np.inf) for name in engines}
    for pass_ in range(PASSES):
        for first in range(0, len(queries), BLOCK):
            for name, ask in engines.items():
                for number in range(first, min(first + BLOCK, len(queries))):
                    query = queries[number : number + 1]
                    began = time.thread_time_ns()
                    found[name][number] = ask(query)
                    spent[name][pass_, number] = (time.thread_time_ns() - began) / 1000
    for name in engines:
        if found[name] != found["ours"]:
            print(f"!! {name} found {sum(found[name])}, ours {sum(found['ours'])}")
    return {name: times.min(axis=0) for name, times in spent.items()}


def built(make: Callable[[Values], Any], values: Values) -> tuple[Any, float]:
    gc.collect()
    began = time.process_time()
    index = make(values)
    return index, time.process_time() - began


def run(kind: str, rows: int, count: int, peers: Sequence[str]) -> None:
    values = corpus(kind, rows)
    queries = questions(values, count)
    ours = Ours(values)
    print(f"\n{kind}, {rows:,} entries: ours {ours.bytes / rows:.1f} bytes per entry, built in {ours.build:.2f} s CPU")
    engines: dict[str, Ask] = {"ours": ours.ask, "own scan": ours.try_all}
    makers: dict[str, tuple[Callable[[Values], Any], Callable[[Any], Ask]]] = {
        "faiss flat": (faiss_flat, faiss_ask),
        "faiss multi-hash": (faiss_multi_hash, faiss_ask),
        "threatexchange": (threatexchange, threatexchange_ask),
    }
    for name in peers:
        if kind == "adversarial" and name != "faiss flat":
            continue  # a second and more for each query
        make, asking = makers[name]
        index, seconds = built(make, values)
        engines[name] = asking(index)
        print(f"   {name} built in {seconds:.1f} s CPU: {seconds / ours.build:.1f} x ours")
    matches = [ours.ask(queries[number : number + 1]) for number in range(len(queries))]
    print(f"   matches of a query: {np.mean(matches):.1f} on average, {np.median(matches[::2]):.0f} in the middle of the planted")
    times = measure(engines, queries)
    middle = {name: float(np.median(spent)) for name, spent in times.items()}
    print("   engine             median us     p99 us   ratio to ours")
    for name, spent in times.items():
        print(f"   {name:18}{middle[name]:10.1f}{np.percentile(spent, 99):11.1f}{middle[name] / middle['ours']:11.1f}")
    # In the adversarial corpus half of the queries match most rows: a few of them fill the memory.
    many = np.tile(questions(values, 2000), (5, 1)) if kind != "adversarial" else queries[:8]
    for threads in (1, 2):
        cpu, wall = time.process_time(), time.perf_counter()
        ours.batch(many, threads)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        each = cpu / len(many) * 1e6
        print(
            f"   batch of {len(many)}, {threads} thread(s): {each:.1f} us CPU per query, {len(many) / wall:.0f}/s wall"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--corpus", nargs="+", default=["uniform", "families", "crowds", "adversarial"])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--peers", nargs="*", default=["faiss flat", "faiss multi-hash", "threatexchange"])
    chosen = parser.parse_args()
    if any("faiss" in peer or "threat" in peer for peer in chosen.peers):
        import faiss

        faiss.omp_set_num_threads(1)
        print(", ".join(f"{name} {version(name)}" for name in ("faiss-cpu", "threatexchange")))
    print(f"{platform.machine()}, Python {platform.python_version()}, kernel {kernel.name()}")
    for rows in chosen.rows:
        for kind in chosen.corpus:
            run(kind, rows, chosen.queries, chosen.peers)


if __name__ == "__main__":
    main()
