"""What matching needs: a decoder, signals, an index, and the files it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from jikimi.model.media import Decoded, Limits, MediaKind, Sketch
from jikimi.model.signal import MOST_HITS, EntryBatch, Hit, Signal, Variant

Newer = Callable[[int], Iterable[tuple[EntryBatch, int]]]
"""Changes after a number, each with the number up to which everything has been handed over by then."""


class Decoder(Protocol):
    """Hostile bytes in, sketches and faults out; never an exception because of the bytes."""

    @property
    def crashes(self) -> int: ...
    @property
    def restarts(self) -> int: ...
    def decode(self, file: BinaryIO, kind: MediaKind) -> Decoded: ...


class Signals(Protocol):
    """From bytes and sketches to signals."""

    def digests(self, file: BinaryIO) -> tuple[Signal, ...]: ...
    def fingerprint(self, sketch: Sketch) -> Signal: ...
    def variants(self, sketch: Sketch) -> tuple[tuple[Variant, Signal], ...]: ...


class Index(Protocol):
    """Candidates among all bank entries. It proposes; whether an entry still counts is asked of the database."""

    @property
    def sequence(self) -> int: ...
    def catch_up(self, newer: Newer) -> None: ...
    def start_over(self, newer: Newer) -> None: ...
    def search(self, signals: Sequence[Signal], radii: Mapping[int, int], most: int = MOST_HITS) -> list[list[Hit]]: ...
    def sizes(self) -> Mapping[str, int]: ...


class Snapshots(Protocol):
    """The index as a file, shared by the processes of one machine."""

    def load_newest(self, mark: Callable[[int], str], newer: Newer) -> bool: ...
    def publish(self, batches: Iterable[EntryBatch], sequence: int, mark: str) -> None: ...
    def is_due(self) -> bool: ...
    def is_behind(self) -> bool: ...
    def has_before(self, sequence: int) -> bool: ...
    def is_loaded_before(self, sequence: int) -> bool: ...
    def drop_before(self, sequence: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What is needed to look at a file, and nothing more."""

    decoder: Decoder
    signals: Signals
    limits: Limits
