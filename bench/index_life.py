"""An index as the product has it: built, opened in another process, added to and withdrawn from while it is asked."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.corpora import corpus
from bench.opened import BANK, BATCH
from bench.place import Place
from bench.table import Figure, microseconds, milliseconds, percentile
from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.engine.index import Index, build_snapshot
from jikimi.flows.bank import add_entries, create_bank, withdraw_entry
from jikimi.flows.scan import look_up_signals
from jikimi.model.bank import BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.signal import EntryBatch, Signal
from jikimi.ports import Kit

_ROWS, _QUICK_ROWS = 10_000_000, 1_000_000
_HUNDRED_MILLION = 100_000_000
_FIRST_ID = 1_000_000_000
"""Of entries that are in the index only: the database drops them from every answer."""
_OPENINGS = 5
_CHANGES = 50


def run(place: Place, quick: bool) -> list[Figure]:
    """Everything at ten million entries."""
    rows = _QUICK_ROWS if quick else _ROWS
    path = place.folder / "index.snapshot"
    return [*_built(path, rows), *_opened(path, rows), *_visible(place, path, rows), *_beside_unpickling(place, quick)]


def run_hundred_million(place: Place, quick: bool) -> list[Figure]:
    """A hundred million entries, 12 GiB: minutes."""
    rows = _HUNDRED_MILLION // 50 if quick else _HUNDRED_MILLION
    path = place.folder / "index.snapshot"
    figures = [*_built(path, rows)]
    told = _tell(path, "--flat")
    held = f"faiss flat (from {told['flat_held'] / 1e6:.0f} M)"
    figures += _told(rows, [told])
    for peer, theirs in ((held, told["flat"]), ("own scan", told["scan"])):
        figures.append(
            Figure(
                what=f"{rows / 1e6:g} M uniform, through the index: one query",
                value=microseconds(told["beside"]),
                peer=peer,
                theirs=microseconds(theirs),
                ratio=theirs / told["beside"],
            )
        )
    return figures


def build(argv: list[str]) -> None:
    """`python -m bench.index_life SNAPSHOT ROWS`: build a snapshot, in a process whose memory is this alone."""
    build_snapshot(Path(argv[0]), _batches(int(argv[1])), 0)


def _batches(rows: int) -> Iterator[EntryBatch]:
    rng = np.random.default_rng(rows)
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        ids = array("q", range(_FIRST_ID + first, _FIRST_ID + first + count))
        yield EntryBatch(type="pdq", ids=ids, bank_ids=array("q", [BANK]) * count, values=rng.bytes(32 * count))


def _built(path: Path, rows: int) -> Iterator[Figure]:
    name = f"{rows / 1e6:g} M entries"
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-m", "bench.index_life", str(path), str(rows)]) as process:
        used = _usage_at_end(process)
    assert process.returncode == 0
    took = f"{time.monotonic() - began:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of processor time)"
    yield Figure(what=f"{name}: a snapshot built and on disk", value=took)
    yield Figure(what=f"{name}: … peak memory of that", value=f"{used.ru_maxrss / 1024**2:.2f} GiB")
    yield Figure(what=f"{name}: … size of the file", value=f"{path.stat().st_size / rows:.1f} bytes an entry")


def _usage_at_end(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used


def _opened(path: Path, rows: int) -> list[Figure]:
    return _told(rows, [_tell(path) for _ in range(_OPENINGS)])


def _tell(path: Path, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.opened", str(path), *arguments]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


def _told(rows: int, told: list[dict[str, float]]) -> list[Figure]:
    """The middle one of all openings; for the first answer, the best as well."""
    name = f"{rows / 1e6:g} M entries"
    middle = {key: statistics.median(one[key] for one in told) for key in told[0]}
    best = min(one["first"] for one in told)
    cpu = f"{milliseconds(middle['first_cpu'])} of processor time"
    return [
        Figure(
            what=f"{name}: from opening the file to the first answer",
            value=f"{milliseconds(middle['first'])} (best {milliseconds(best)}; {cpu})",
        ),
        Figure(what=f"{name}: memory, all told", value=f"{middle['bytes']:.1f} bytes an entry"),
        Figure(what=f"{name}: … peak of the process", value=f"{middle['peak'] / 1024**3:.2f} GiB"),
        Figure(
            what=f"{name}: `Index.search` of one signal, p50, p99",
            value=f"{microseconds(middle['p50'])}, {microseconds(middle['p99'])}",
        ),
    ]


def _visible(place: Place, path: Path, rows: int) -> Iterator[Figure]:
    """Add to and withdraw from a bank in the database, with an index of this size, while somebody keeps asking."""
    index = Index()
    index.load(path)
    with open_kit(Settings.load(data=place.folder / "data", database_url=place.database_url)) as kit:
        kit = replace(kit, index=index)
        create_bank(kit, "bench", BankPolicy(name="bench", category=Category.OTHER, on_match=OnMatch.BLOCK))
        signals = [Signal(type="pdq", value=value.tobytes(), quality=100) for value in corpus("uniform", _CHANGES)]
        with _asking(kit):
            added = [_until(kit, one, _add, is_there=True) for one in signals]
            gone = [_until(kit, one, _withdraw, is_there=False) for one in signals]
    name = f"{rows / 1e6:g} M entries, while others ask"
    yield Figure(what=f"{name}: an entry added until it is found, p50, p99", value=_spread(added))
    yield Figure(what=f"{name}: one withdrawn until it is not found, p50, p99", value=_spread(gone))


def _add(kit: Kit, signal: Signal) -> None:
    add_entries(kit, "bench", "bench", [NewEntry(signal=signal)])


def _withdraw(kit: Kit, signal: Signal) -> None:
    withdraw_entry(kit, "bench", "bench", signal)


def _until(kit: Kit, signal: Signal, change: Callable[[Kit, Signal], None], *, is_there: bool) -> tuple[float, float]:
    """Seconds, and those of them that this thread had a processor, until the first answer that is as it should be."""
    began, spent = time.monotonic(), time.thread_time()
    change(kit, signal)
    while bool(look_up_signals(kit, [signal])[0]) is not is_there:
        pass
    return time.monotonic() - began, time.thread_time() - spent


@contextmanager
def _asking(kit: Kit) -> Iterator[None]:
    """Somebody asks for anything, again and again, until the block ends."""
    over = threading.Event()
    rng = np.random.default_rng(3)

    def ask() -> None:
        while not over.is_set():
            look_up_signals(kit, [Signal(type="pdq", value=rng.bytes(32), quality=100)])

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield
    finally:
        over.set()
        asker.join()


def _spread(took: list[tuple[float, float]]) -> str:
    waited, spent = (statistics.median(column) for column in zip(*took, strict=True))
    longest = percentile([one for one, _ in took], 0.99)
    return f"{milliseconds(waited)}, {milliseconds(longest)} ({milliseconds(spent)} of processor time)"


def _beside_unpickling(place: Place, quick: bool) -> Iterator[Figure]:
    """From the file to the first answer: ours beside the index of threatexchange, at a tenth of the rows."""
    from threatexchange.signal_type.pdq.pdq_index import PDQIndex

    rows = (_QUICK_ROWS if quick else _ROWS) // 10
    values = corpus("uniform", rows)
    path, theirs_path = place.folder / "tenth.snapshot", place.folder / "tenth.theirs"
    batch = EntryBatch(
        type="pdq", ids=array("q", range(rows)), bank_ids=array("q", [BANK]) * rows, values=values.tobytes()
    )
    build_snapshot(path, [batch], 0)
    with theirs_path.open("wb") as file:
        PDQIndex.build([(value.tobytes().hex(), number) for number, value in enumerate(values)]).serialize(file)
    began = time.process_time()
    with theirs_path.open("rb") as file:
        PDQIndex.deserialize(file).query(values[0].tobytes().hex())
    theirs = time.process_time() - began
    mine = _tell(path)["first_cpu"]
    yield Figure(
        what=f"{rows / 1e6:g} M uniform: from the file to the first answer, processor time",
        value=milliseconds(mine),
        peer="threatexchange",
        theirs=f"{theirs:.1f} s",
        ratio=theirs / mine,
    )


if __name__ == "__main__":
    build(sys.argv[1:])
