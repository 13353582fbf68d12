"""What we need from outside: a Protocol for each thing a flow talks to, and `Kit`, the frozen box that holds them.

No behaviour lives here. The real things are built in `app`; every one of them can be replaced by another that keeps the
same promises. A repository belongs to the transaction it was taken from and is of no use after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO, Protocol

from jikimi.model.audit import AuditEvent, AuditHead, Detail
from jikimi.model.bank import Bank, BankEntry, BankPolicy, BankSize, NewEntry
from jikimi.model.case import Case
from jikimi.model.ids import CaseId, ScanId
from jikimi.model.job import Job
from jikimi.model.match import Disposition, FloodRule
from jikimi.model.media import Decoded, Limits, MediaKind, Sketch
from jikimi.model.people import Key
from jikimi.model.scan import Scan
from jikimi.model.signal import MOST_HITS, EntryBatch, Hit, Signal, Variant

Newer = Callable[[int], Iterable[tuple[EntryBatch, int]]]
"""Changes after a number, each with the number up to which everything has been handed over by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """How many new entries were stored, and how many were there already."""

    added: int
    present: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """How many uploads from one source ended one way on one day (UTC)."""

    day: date
    source: str
    disposition: Disposition
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What this process has counted since it started."""

    uploads: Mapping[tuple[str, Disposition], int]
    reasons: Mapping[tuple[str, str], int]
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that was given: a digest of what was asked, and the answer as the caller saw it."""

    asked: str
    answer: dict[str, object]


class Banks(Protocol):
    """Banks by name; a deleted bank is not seen any more."""

    def all(self) -> tuple[Bank, ...]: ...
    def get(self, name: str) -> Bank | None: ...
    def create(self, policy: BankPolicy, at: datetime) -> Bank: ...
    def update(self, bank: Bank) -> None: ...
    def delete(self, bank: Bank, at: datetime) -> int: ...
    def sizes(self) -> Mapping[int, BankSize]: ...


class Entries(Protocol):
    """Entries of banks, and the number that grows with every change to them."""

    def add(self, bank: Bank, entries: Sequence[NewEntry], at: datetime, *, bring_back: bool) -> Added: ...
    def withdraw(self, bank: Bank, signal: Signal, at: datetime) -> BankEntry | None: ...
    def live(self, ids: Collection[int]) -> Mapping[int, BankEntry]: ...
    def export(self, bank: Bank, *, after: int = 0, limit: int | None = None) -> Iterator[BankEntry]: ...
    def sequence(self) -> int: ...
    def mark(self, sequence: int) -> str: ...
    def changes(self, after: int, limit: int) -> tuple[tuple[EntryBatch, ...], int]: ...
    def batches(self, rows: int) -> Iterator[EntryBatch]: ...


class Scans(Protocol):
    """Remembered scans with their matches."""

    def add(self, scan: Scan) -> None: ...
    def settle(self, scan: Scan) -> None: ...
    def get(self, scan_id: ScanId) -> Scan | None: ...
    def list(self, *, unchecked: bool, limit: int, before: ScanId | None = None) -> tuple[Scan, ...]: ...
    def of_case(self, case_id: CaseId, limit: int) -> tuple[Scan, ...]: ...
    def count_matches(self, entry_id: int, since: datetime) -> int: ...


class Cases(Protocol):
    """Cases and what links uploads to them."""

    def open_for(self, *, contents: Sequence[str], accounts: Sequence[str]) -> Case | None: ...
    def add(self, case: Case) -> None: ...
    def update(self, case: Case) -> None: ...
    def get(self, case_id: CaseId) -> Case | None: ...
    def list(self, *, limit: int, before: CaseId | None = None) -> tuple[Case, ...]: ...


class Audit(Protocol):
    """The chained record of what was done."""

    def append(self, *, at: datetime, actor: str, verb: str, object_: str, detail: Detail) -> AuditEvent: ...
    def head(self) -> AuditHead: ...
    def events(self, object_: str | None = None) -> Iterator[AuditEvent]: ...


class Jobs(Protocol):
    """Work for later, claimed under a lease."""

    def add(self, job: Job) -> None: ...
    def claim(self, now: datetime, lease_until: datetime) -> Job | None: ...
    def finish(self, job: Job) -> None: ...
    def retry(self, job: Job, at: datetime, error: str) -> None: ...
    def bury(self, job: Job, error: str) -> None: ...
    def exists(self, kind: str, key: str) -> bool: ...
    def counts(self) -> Mapping[str, int]: ...


class Keys(Protocol):
    """Keys of programs, looked up by the digest of their secret."""

    def create(self, key: Key, digest: str) -> None: ...
    def replace(self, key: Key, digest: str) -> None: ...
    def by_digest(self, digest: str) -> Key | None: ...
    def get(self, name: str) -> Key | None: ...
    def all(self) -> tuple[Key, ...]: ...
    def revoke(self, name: str, at: datetime) -> None: ...


class Replies(Protocol):
    """Answers given under a caller's Idempotency-Key, by the caller's name and the digest of that key."""

    def get(self, source: str, key: str) -> Reply | None: ...
    def add(self, source: str, key: str, reply: Reply, at: datetime) -> None: ...
    def purge(self, before: datetime) -> int: ...


class Counters(Protocol):
    """Totals by day, source and disposition."""

    def add(self, tallies: Iterable[Tallied]) -> None: ...
    def all(self) -> tuple[Tallied, ...]: ...


class Tx(Protocol):
    """One transaction's view of everything that is stored."""

    @property
    def banks(self) -> Banks: ...
    @property
    def entries(self) -> Entries: ...
    @property
    def scans(self) -> Scans: ...
    @property
    def cases(self) -> Cases: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def replies(self) -> Replies: ...
    @property
    def counters(self) -> Counters: ...


class Store(Protocol):
    """The database. What a `begin` block did is on disk when the block has ended, or nothing of it is."""

    def begin(self) -> AbstractContextManager[Tx]:
        """Open the writing transaction; there is one at a time, on all nodes together."""

    def identity(self) -> str:
        """A random name given to this database when it was made."""

    def begin_beside(self) -> AbstractContextManager[Tx]:
        """Open a writing transaction that touches jobs or counters only and need not wait for the others."""

    def read(self) -> AbstractContextManager[Tx]:
        """Open a reading transaction."""

    def recent_banks(self) -> tuple[Bank, ...]:
        """All banks, a quarter of a second old at most, and never older than what this process itself has changed."""


class Blobs(Protocol):
    """Bytes by name."""

    def put(self, name: str, file: BinaryIO) -> None: ...
    def get(self, name: str) -> BinaryIO | None: ...
    def delete(self, name: str) -> None: ...
    def list(self, prefix: str) -> Iterator[tuple[str, datetime]]: ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What is needed to look at a file, and nothing more."""

    decoder: Decoder
    signals: Signals
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Everything a flow may reach for."""

    reader: Reader
    store: Store
    blobs: Blobs
    index: Index
    snapshots: Snapshots
    tally: Tally
    flood: FloodRule
    clock: Callable[[], datetime]
    ids: Callable[[str], str]
    entropy: Callable[[int], bytes]
    log: Log
