"""Exchanges: their settings, their sealed secrets, and how far each has been pulled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from jikimi.db.schema import banks, exchange_secrets, exchanges, shares, source_records
from jikimi.model.bank import Bank
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import LEASE, Exchange, Feedback, NewExchange, scope_of

_SKEW = LEASE
"""Nodes' clocks may be so far apart; a time that lies further ahead is that of a clock that was wrong."""


class SqlExchanges:
    """Exchanges in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> tuple[Exchange, ...]:
        """All exchanges, disabled ones too, by name."""
        return self._found(_wanted().order_by(exchanges.c.name))

    def get(self, name: str) -> Exchange | None:
        """One exchange."""
        return next(iter(self._found(_wanted().where(exchanges.c.name == name))), None)

    def by_id(self, exchange_id: int) -> Exchange | None:
        """One exchange, by its number."""
        return next(iter(self._found(_wanted().where(exchanges.c.id == exchange_id))), None)

    def of_bank(self, bank: Bank) -> tuple[Exchange, ...]:
        """The exchanges that fill a bank, by name."""
        return self._found(_wanted().where(exchanges.c.bank_id == bank.id).order_by(exchanges.c.name))

    def create(self, new: NewExchange, bank: Bank, at: datetime) -> Exchange:
        """Store a new exchange, due at once; `Refused` if the name is taken."""
        values = {
            "name": new.name,
            "kind": new.kind,
            "bank_id": bank.id,
            **_choices(new.settings, enabled=True, every=new.every, shares=new.shares),
            "created_at": at,
            "checkpoint": "",
            "generation": 0,
            "unfinished": 0,
            "last_error": "",
            "failures": 0,
            "faults": 0,
            "next_at": at,
            "lease": "",
        }
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(exchanges).values(values))
        except IntegrityError as error:
            raise Refused(
                "exchange_exists", f"There is an exchange {new.name} already; choose another name."
            ) from error
        made = self.get(new.name)
        assert made is not None
        return made

    def change(
        self,
        exchange: Exchange,
        *,
        settings: Mapping[str, Any],
        enabled: bool,
        every: timedelta,
        shares: Collection[Feedback],
    ) -> None:
        """Store what a person has chosen."""
        chosen = _choices(settings, enabled=enabled, every=every, shares=shares)
        self._connection.execute(update(exchanges).where(exchanges.c.id == exchange.id).values(chosen))

    def hurry(self, exchange: Exchange, at: datetime) -> None:
        """Let the next pull be due at a time."""
        self._connection.execute(update(exchanges).where(exchanges.c.id == exchange.id).values(next_at=at))

    def start_over(self, exchange: Exchange, at: datetime) -> None:
        """Let the next pull, due now, begin at the beginning: its list is another one, or was taken apart.

        A pull at work is told by the generation; one that has stored nothing yet could not tell by the checkpoint.
        """
        again = {"checkpoint": "", "generation": exchanges.c.generation + 1, "next_at": at}
        self._connection.execute(update(exchanges).where(exchanges.c.id == exchange.id).values(again))

    def delete(self, exchange: Exchange) -> None:
        """Delete an exchange that holds no records any more, with its secrets and what was to be given back."""
        self.keep_secrets(scope_of(exchange), None, exchange.created_at)
        self._connection.execute(delete(shares).where(shares.c.exchange_id == exchange.id))
        self._connection.execute(delete(exchanges).where(exchanges.c.id == exchange.id))

    def secrets(self, scope: str) -> bytes | None:
        """The sealed secrets of a scope."""
        found = select(exchange_secrets.c.sealed).where(exchange_secrets.c.scope == scope)
        return self._connection.execute(found).scalar_one_or_none()

    def keep_secrets(self, scope: str, sealed: bytes | None, at: datetime) -> None:
        """Keep sealed secrets in place of those there were; none deletes them."""
        self._connection.execute(delete(exchange_secrets).where(exchange_secrets.c.scope == scope))
        if sealed is not None:
            row = {"scope": scope, "sealed": sealed, "changed_at": at}
            self._connection.execute(insert(exchange_secrets).values(row))

    def lease(self, exchange: Exchange, holder: str, now: datetime, until: datetime) -> Exchange | None:
        """Take an exchange's turn, or none if another holds it."""
        taken = (
            update(exchanges)
            .where(exchanges.c.id == exchange.id, _is_free(now))
            .values(lease=holder, lease_until=until, last_try_at=now)
        )
        return self.by_id(exchange.id) if self._connection.execute(taken).rowcount == 1 else None

    def keep_turn(self, exchange: Exchange, until: datetime) -> None:
        """Show a sign of life: the turn, if it is still ours, lasts until then."""
        ours = (exchanges.c.id == exchange.id, exchanges.c.lease == exchange.lease)
        self._connection.execute(update(exchanges).where(*ours).values(lease_until=until))

    def advance(
        self, exchange: Exchange, *, checkpoint: str, generation: int, unfinished: bool, lease_until: datetime
    ) -> Exchange:
        """Store how far a pull has come; `Unavailable` unless what is stored is what `exchange` says, and ours."""
        ours = (
            exchanges.c.id == exchange.id,
            exchanges.c.lease == exchange.lease,
            exchanges.c.checkpoint == exchange.checkpoint,
            exchanges.c.generation == exchange.generation,
            exchanges.c.unfinished == int(exchange.unfinished),
        )
        reached = {
            "checkpoint": checkpoint,
            "generation": generation,
            "unfinished": int(unfinished),
            "lease_until": lease_until,
        }
        if self._connection.execute(update(exchanges).where(*ours).values(reached)).rowcount != 1:
            raise Unavailable("exchange_busy", f"{exchange.name} is being pulled or was changed elsewhere; see later.")
        stored = self.by_id(exchange.id)
        assert stored is not None
        return stored

    def settle(self, exchange: Exchange, *, at: datetime, error: str, faults: int, next_at: datetime) -> None:
        """Store how a pull has ended, and give the turn back; nothing if it is not ours any more."""
        ended: dict[str, Any] = {"last_error": error, "faults": faults, "next_at": next_at, "lease": ""}
        ended |= {"failures": exchanges.c.failures + 1} if error else {"failures": 0, "last_success_at": at}
        ours = (exchanges.c.id == exchange.id, exchanges.c.lease == exchange.lease)
        self._connection.execute(update(exchanges).where(*ours).values({**ended, "lease_until": None}))

    def due(self, now: datetime) -> tuple[Exchange, ...]:
        """Enabled exchanges whose time has come and that nobody pulls, the longest waiting first."""
        clock_was_ahead = exchanges.c.last_try_at > now + _SKEW
        waiting = or_(exchanges.c.next_at.is_(None), exchanges.c.next_at <= now, clock_was_ahead)
        due = _wanted().where(exchanges.c.enabled == 1, waiting, _is_free(now))
        return self._found(due.order_by(exchanges.c.next_at, exchanges.c.id))

    def counts(self) -> Mapping[int, int]:
        """Live records by exchange."""
        counted = select(source_records.c.exchange_id, func.count().label("live"))
        counted = counted.where(source_records.c.withdrawn_at.is_(None)).group_by(source_records.c.exchange_id)
        return {row.exchange_id: row.live for row in self._connection.execute(counted)}

    def _found(self, wanted: Select[Any]) -> tuple[Exchange, ...]:
        return tuple(_exchange(row) for row in self._connection.execute(wanted))


def _wanted() -> Select[Any]:
    return select(exchanges, banks.c.name.label("bank")).join(banks, banks.c.id == exchanges.c.bank_id)


def _is_free(now: datetime) -> ColumnElement[bool]:
    until = exchanges.c.lease_until
    return or_(exchanges.c.lease == "", until.is_(None), until <= now, until > now + LEASE + _SKEW)


def _choices(
    settings: Mapping[str, Any], *, enabled: bool, every: timedelta, shares: Collection[Feedback]
) -> dict[str, Any]:
    return {
        "settings": dict(settings),
        "enabled": int(enabled),
        "every_seconds": int(every.total_seconds()),
        "shares": sorted(shares),
    }


def _exchange(row: Row[Any]) -> Exchange:
    return Exchange(
        id=row.id,
        name=row.name,
        kind=row.kind,
        bank_id=row.bank_id,
        bank=row.bank,
        settings=row.settings,
        enabled=bool(row.enabled),
        shares=frozenset(Feedback(one) for one in row.shares),
        every=timedelta(seconds=row.every_seconds),
        created_at=row.created_at,
        checkpoint=row.checkpoint,
        generation=row.generation,
        unfinished=bool(row.unfinished),
        last_try_at=row.last_try_at,
        last_success_at=row.last_success_at,
        last_error=row.last_error,
        failures=row.failures,
        faults=row.faults,
        next_at=row.next_at,
        lease=row.lease,
        lease_until=row.lease_until,
    )
