"""The chained record: appended to, read, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from jikimi.db.schema import audit, clocks
from jikimi.model.audit import GENESIS, AuditEvent, AuditHead, Detail, next_event
from jikimi.model.errors import Broken

_CLOCK = "audit"
_ROWS_A_FETCH = 5_000


class SqlAudit:
    """The audit chain in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, *, at: datetime, actor: str, verb: str, object_: str, detail: Detail) -> AuditEvent:
        """Add the next event. Writers take turns, so the head cannot move between reading and writing it."""
        new = next_event(self.head(), at=at, actor=actor, verb=verb, object_=object_, detail=detail)
        self._connection.execute(
            insert(audit).values(
                seq=new.seq, at=new.at, actor=new.actor, verb=new.verb, object=new.object, detail=dict(new.detail),
                prev=new.prev, digest=new.digest,
            )
        )  # fmt: skip
        self._connection.execute(
            update(clocks).where(clocks.c.name == _CLOCK).values(number=new.seq, digest=new.digest)
        )
        return new

    def head(self) -> AuditHead:
        """Where the chain ends, as was written with its last event."""
        row = self._connection.execute(select(clocks).where(clocks.c.name == _CLOCK)).one_or_none()
        return AuditHead() if row is None else AuditHead(seq=row.number, digest=row.digest)

    def digest(self, seq: int) -> str:
        """The digest of one event; of the beginning for number 0, and empty if there is no such event."""
        if seq == 0:
            return GENESIS
        return self._connection.execute(select(audit.c.digest).where(audit.c.seq == seq)).scalar_one_or_none() or ""

    def newest(self, object_: str, limit: int) -> tuple[AuditEvent, ...]:
        """The newest events about one object, in order."""
        found = select(audit).where(audit.c.object == object_).order_by(audit.c.seq.desc()).limit(limit)
        return tuple(reversed([_event(row) for row in self._connection.execute(found)]))

    def events(self, object_: str | None = None) -> Iterator[AuditEvent]:
        """All events in order, or those about one object; `Broken` if one was made unreadable."""
        query = select(audit).order_by(audit.c.seq)
        if object_ is not None:
            query = query.where(audit.c.object == object_)
        last = 0
        try:
            with self._connection.execute(query, execution_options={"yield_per": _ROWS_A_FETCH}) as rows:
                for row in rows:
                    yield _event(row)
                    last = row.seq
        except (ValueError, TypeError, RecursionError) as error:
            raise Broken("audit_unreadable", f"an event after event {last} was changed and cannot be read") from error


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        verb=row.verb,
        object=row.object,
        detail=row.detail,
        prev=row.prev,
        digest=row.digest,
    )
