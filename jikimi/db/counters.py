"""Totals by day, source and disposition, and the place where counts wait until they are written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from threading import Lock

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from jikimi.db.schema import counters
from jikimi.model.match import Disposition
from jikimi.ports import Tallied, Totals


class SqlCounters:
    """Totals in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, tallies: Iterable[Tallied]) -> None:
        """Add to the totals, always in the same order so that two nodes cannot wait for each other."""
        dialect_insert = postgresql_insert if self._connection.dialect.name == "postgresql" else sqlite_insert
        for tally in sorted(tallies, key=lambda tally: (tally.day, tally.source, tally.disposition)):
            new = dialect_insert(counters).values(
                day=tally.day.isoformat(), source=tally.source, disposition=tally.disposition, uploads=tally.count
            )
            self._connection.execute(
                new.on_conflict_do_update(
                    index_elements=[counters.c.day, counters.c.source, counters.c.disposition],
                    set_={"uploads": counters.c.uploads + new.excluded.uploads},
                )
            )

    def all(self) -> tuple[Tallied, ...]:
        """All totals, oldest first."""
        rows = self._connection.execute(
            select(counters).order_by(counters.c.day, counters.c.source, counters.c.disposition)
        )
        return tuple(
            Tallied(
                day=date.fromisoformat(row.day),
                source=row.source,
                disposition=Disposition(row.disposition),
                count=row.uploads,
            )
            for row in rows
        )


class MemoryTally:
    """Counts of this process: kept since its start for metrics, and taken away once a second to be written down."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: Counter[tuple[date, str, Disposition]] = Counter()
        self._uploads: Counter[tuple[str, Disposition]] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._events: Counter[str] = Counter()

    def count(self, source: str, disposition: Disposition, reasons: Sequence[str], at: datetime) -> None:
        """Count one upload."""
        with self._lock:
            self._waiting[at.astimezone(UTC).date(), source, disposition] += 1
            self._uploads[source, disposition] += 1
            for reason in reasons:
                self._reasons[source, reason] += 1

    def note(self, event: str) -> None:
        """Count something that an operator should hear of."""
        with self._lock:
            self._events[event] += 1

    def take(self) -> tuple[Tallied, ...]:
        """Take what is waiting to be written down."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        return tuple(
            Tallied(day=day, source=source, disposition=disposition, count=count)
            for (day, source, disposition), count in waiting.items()
        )

    def give_back(self, tallies: Iterable[Tallied]) -> None:
        """Put back what could not be written."""
        with self._lock:
            for tally in tallies:
                self._waiting[tally.day, tally.source, tally.disposition] += tally.count

    def totals(self) -> Totals:
        """Everything counted since the process started."""
        with self._lock:
            return Totals(uploads=dict(self._uploads), reasons=dict(self._reasons), events=dict(self._events))
