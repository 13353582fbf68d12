"""What exchanges need: the outside over HTTP, connectors to programmes, sealed secrets, and what is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, ClassVar, Protocol

from jikimi.model.bank import Bank
from jikimi.model.exchange import Exchange, Feedback, NewExchange, Page, SourceRecord
from jikimi.model.form import Field
from jikimi.model.signal import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """An answer over HTTP with its whole body; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Web(Protocol):
    """HTTP to hosts that are allowed, with time-outs, a bound on size, retries of what may be asked again.

    `Unavailable` when there is no answer after all retries, or one of 408, 429 and 5xx; `Refused` for a host that is
    not allowed and for answers that are too large. Every other status is returned. Messages never hold a header, a
    query or a body.
    """

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        again: bool = True,
        most: int = 0,
        into: BinaryIO | None = None,
    ) -> Got:
        """Send a request. `again`: it may be repeated; `most`: bytes of an answer, 0 for the usual bound.

        `into`: an empty file that the body of a 200 is written to as it comes; then no body is held or returned.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opined:
    """Something to give back about one record of an exchange. `signal` is what matched, or what is new."""

    feedback: Feedback
    record: str
    """The record's key; empty for a new signal."""
    signal: Signal
    detail: Mapping[str, Any] = field(default_factory=dict)
    """The record's own detail, as the connector gave it."""
    labels: tuple[str, ...] = ()


class Connector(Protocol):
    """The way to one programme. Its class is a plug-in (entry-point group `jikimi.exchanges.v1`).

    Made from a `Config` (see `model.form`) and a `Web` that reaches the hosts of that `Config` only. Its package brings
    a simulator along (group `jikimi.simulators.v1`, the same name; see `testing.conformance.Simulator`), so that
    `jikimi plug check NAME` can try it without the outside.
    """

    Config: ClassVar[type]
    """Its settings, a frozen dataclass."""
    gives: ClassVar[frozenset[Feedback]]
    """What can be given back through it."""
    forgets: ClassVar[bool]
    """A withdrawn value is to be erased here, not only switched off."""

    def __init__(self, config: Any, web: Web, now: datetime) -> None: ...

    @staticmethod
    def hosts(config: Any) -> frozenset[str]:
        """The hosts that this `Config` speaks to (`name` or `name:port`)."""
        ...

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Pages of what has changed since a checkpoint; of the whole list for an empty one.

        Each page's checkpoint must be one that a later pull can start from without missing anything; the last one
        stands for everything seen. Not a single page means: nothing has changed. `CheckpointStaleError` when only a
        whole pull helps. `Unavailable` for what may work later, `Refused` for what a person has to change.
        """
        ...

    @property
    def is_whole(self) -> bool:
        """Every pull gives the whole list, so that what it does not name has been withdrawn."""
        ...

    def push(self, opined: Sequence[Opined]) -> None:
        """Give something back; done for all of them when it returns. At least once: the programme may get it twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of exchange as it is installed and enabled: its name, what it is for, its form."""

    name: str
    about: str
    fields: tuple[Field, ...]
    gives: frozenset[Feedback]
    forgets: bool


class Connectors(Protocol):
    """The kinds of exchange that are enabled here."""

    def all(self) -> tuple[Kind, ...]: ...

    def get(self, kind: str) -> Kind:
        """One of them; `Refused` (`exchange_kind_unknown`) names those there are."""
        ...

    def checked(self, kind: str, settings: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, str]]:
        """Settings as they were typed, in two: plain JSON values to be stored, and secrets to be sealed; `Refused`."""
        ...

    def connect(self, kind: str, settings: Mapping[str, object]) -> Connector:
        """Make the way to a programme from all its settings, secret ones too."""
        ...


class Safe(Protocol):
    """Seals small secrets for this installation, so that a copy of the database does not give them away."""

    def seal(self, text: str) -> bytes: ...
    def open(self, sealed: bytes) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a page has done: records that are new or changed, withdrawn, and entries that are new to the bank."""

    changed: int = 0
    withdrawn: int = 0
    added: int = 0
    erased: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A record that says an entry, with the exchange it comes from: where feedback about the entry has to go."""

    exchange_id: int
    record: str
    detail: Mapping[str, Any]


class Exchanges(Protocol):
    """Exchanges by name, their secrets, and how far each has been pulled."""

    def all(self) -> tuple[Exchange, ...]: ...
    def get(self, name: str) -> Exchange | None: ...
    def by_id(self, exchange_id: int) -> Exchange | None: ...
    def of_bank(self, bank: Bank) -> tuple[Exchange, ...]: ...
    def create(self, new: NewExchange, bank: Bank, at: datetime) -> Exchange: ...
    def change(
        self,
        exchange: Exchange,
        *,
        settings: Mapping[str, Any],
        enabled: bool,
        every: timedelta,
        shares: Collection[Feedback],
    ) -> None: ...
    def hurry(self, exchange: Exchange, at: datetime) -> None:
        """Let the next pull be due at a time."""
        ...

    def start_over(self, exchange: Exchange, at: datetime) -> None:
        """Let the next pull, due now, begin at the beginning."""
        ...

    def delete(self, exchange: Exchange) -> None: ...
    def secrets(self, scope: str) -> bytes | None: ...
    def keep_secrets(self, scope: str, sealed: bytes | None, at: datetime) -> None: ...
    def lease(self, exchange: Exchange, holder: str, now: datetime, until: datetime) -> Exchange | None:
        """Take an exchange's turn, or none if another holds it."""
        ...

    def keep_turn(self, exchange: Exchange, until: datetime) -> None:
        """Show a sign of life: the turn, if it is still ours, lasts until then."""
        ...

    def advance(
        self, exchange: Exchange, *, checkpoint: str, generation: int, unfinished: bool, lease_until: datetime
    ) -> Exchange:
        """Store how far a pull has come. `Unavailable` (`exchange_busy`) unless what is stored is what `exchange` says
        and its lease is ours."""
        ...

    def settle(self, exchange: Exchange, *, at: datetime, error: str, faults: int, next_at: datetime) -> None:
        """Store how a pull has ended, and give the turn back."""
        ...

    def due(self, now: datetime) -> tuple[Exchange, ...]: ...
    def counts(self) -> Mapping[int, int]:
        """Live records by exchange."""
        ...


class SourceRecords(Protocol):
    """What programmes say, by exchange and key; entries of the bank follow it in the same transaction."""

    @property
    def gone(self) -> tuple[Signal, ...]:
        """Signals erased in this transaction: whatever else holds one has to let it go before this ends."""
        ...

    def apply(
        self, exchange: Exchange, records: Sequence[SourceRecord], generation: int, at: datetime, *, forget: bool
    ) -> Applied: ...
    def vanishing(self, exchange: Exchange, generation: int) -> tuple[int, int]:
        """How many live records there are, and how many of them an earlier generation said last."""
        ...

    def withdraw_older(
        self, exchange: Exchange, generation: int, at: datetime, limit: int, *, forget: bool
    ) -> Applied: ...
    def release(self, exchange: Exchange, at: datetime, limit: int, *, keep: bool, forget: bool) -> int:
        """Part an exchange from its entries, some at a time: they stay as our own (`keep`), or go; how many records."""
        ...

    def solely(self, exchange: Exchange) -> int:
        """How many entries nobody says but this exchange: those that would go with it."""
        ...

    def of_entries(self, entry_ids: Collection[int]) -> Mapping[int, tuple[Holding, ...]]: ...
