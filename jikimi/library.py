"""The library: hash a file, compare two signals, search among known ones, without a service and without records.

Files are decoded in the same locked child process as everywhere else; it is started at the first call and kept.
"""

from __future__ import annotations

import atexit
import os
import sys
from array import array
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jikimi.app import open_reader
from jikimi.config import Settings
from jikimi.engine.index import Index
from jikimi.flows.scan import examine, unread
from jikimi.model.bank import DEFAULT_DISTANCE
from jikimi.model.errors import Refused
from jikimi.model.media import Reason
from jikimi.model.signal import EntryBatch, Signal, parse_typed_signal
from jikimi.ports import Reader

_BANK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHashes:
    """The signals of a file. `unchecked` says why it is not fully known; then those are the signals it gave."""

    signals: tuple[Signal, ...]
    width: int
    height: int
    frames: int
    unchecked: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A known signal that is near enough: its place in what was given to `open_index`, and the bits that differ."""

    place: int
    distance: int


class KnownSignals:
    """Known signals, searchable exactly."""

    def __init__(self, signals: Iterable[Signal | str], max_distance: int) -> None:
        self._index = Index()
        self._max_distance = max_distance
        places: dict[str, list[tuple[int, bytes]]] = {}
        for place, one in enumerate(signals):
            signal = _signal(one)
            places.setdefault(signal.type, []).append((place, signal.value))
        for type_, rows in places.items():
            ids, values = array("q", [place for place, _ in rows]), b"".join([value for _, value in rows])
            self._index.add(EntryBatch(type=type_, ids=ids, bank_ids=array("q", [_BANK] * len(ids)), values=values))

    def search(self, signal: Signal | str) -> list[Match]:
        """The known signals near this one, nearest first."""
        (hits,) = self._index.search([_signal(signal)], {_BANK: self._max_distance}, most=sys.maxsize)
        return [Match(place=hit.entry_id, distance=hit.distance) for hit in hits]


def hash_file(path: str | os.PathLike[str]) -> FileHashes:
    """Compute the signals of a file: SHA-256, SHA-1, MD5, and the PDQ of each picture in it. `OSError` as `open`."""
    with Path(path).open("rb") as file:
        try:
            seen = examine(_reader(), file)
        except OSError:
            seen = unread(0, Reason.UNREADABLE)
    return FileHashes(
        signals=seen.signals,
        width=seen.content.width,
        height=seen.content.height,
        frames=seen.frames,
        unchecked=seen.faults[0] if seen.faults else None,
    )


def compare(one: Signal | str, other: Signal | str) -> int:
    """The bits in which two signals of one type differ. For digests only 0 means anything."""
    first, second = _signal(one), _signal(other)
    if first.type != second.type:
        raise Refused("signal_types_differ", f"A {first.type} cannot be compared with a {second.type}.")
    return (int.from_bytes(first.value) ^ int.from_bytes(second.value)).bit_count()


def open_index(signals: Iterable[Signal | str], *, max_distance: int = DEFAULT_DISTANCE) -> KnownSignals:
    """Make known signals (or `TYPE:VALUE` texts) searchable, up to a distance in bits of 256 for perceptual ones."""
    return KnownSignals(signals, max_distance)


@cache
def _reader() -> Reader:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_reader(Settings.load()))


def _signal(one: Signal | str) -> Signal:
    return parse_typed_signal(one) if isinstance(one, str) else one
