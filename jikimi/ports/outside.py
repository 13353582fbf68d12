"""What the machine gives: bytes by name, files by address, counts, a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from jikimi.model.match import Disposition
from jikimi.ports.records import Tallied


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What this process has counted since it started."""

    uploads: Mapping[tuple[str, Disposition], int]
    reasons: Mapping[tuple[str, str], int]
    events: Mapping[str, int]


class Blobs(Protocol):
    """Bytes by name."""

    def put(self, name: str, file: BinaryIO) -> None: ...
    def get(self, name: str) -> BinaryIO | None: ...
    def delete(self, name: str) -> None: ...
    def list(self, prefix: str) -> Iterator[tuple[str, datetime]]: ...
    def tidy(self, before: datetime) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What an address gave: an anonymous file, and what its host calls it, which proves nothing."""

    file: BinaryIO
    content_type: str


class Fetch(Protocol):
    """Fetches a file by an address that a caller named."""

    def fetch(self, untrusted_url: str) -> Fetched:
        """Fetch it. `Refused`: `url_invalid`, `url_host_refused`, `url_too_large`, or `url_unreadable` for all that
        may go wrong on the way, without a word about what it was."""
        ...


class Tally(Protocol):
    """Counts of uploads; those of the last second may be lost in a crash."""

    def count(self, source: str, disposition: Disposition, reasons: Sequence[str], at: datetime) -> None: ...
    def note(self, event: str) -> None: ...
    def take(self) -> tuple[Tallied, ...]: ...
    def give_back(self, tallies: Iterable[Tallied]) -> None: ...
    def totals(self) -> Totals: ...


class Log(Protocol):
    """Events with keys; never content, contact data or hashes of restricted lists."""

    def info(self, event: str, **keys: object) -> object: ...
    def warning(self, event: str, **keys: object) -> object: ...
    def error(self, event: str, **keys: object) -> object: ...
