"""Entries of banks, and the change number that lets every process follow them.

The number comes from one row, `clocks.entries`, taken in the same transaction as the change; writers take turns, so
whoever has read up to a number has missed nothing below it.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from jikimi.db.schema import clocks, entries
from jikimi.model.bank import Bank, BankEntry, NewEntry
from jikimi.model.signal import EntryBatch, Signal
from jikimi.ports import Added

_CLOCK = "entries"
_IDS_A_QUERY = 500
_ROWS_A_FETCH = 20_000


class SqlEntries:
    """Entries in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, bank: Bank, entries_: Sequence[NewEntry], at: datetime) -> Added:
        """Store entries; one that was withdrawn comes back, one that is there stays as it is."""
        single = {(entry.signal.type, entry.signal.value): entry for entry in entries_}
        if not single:
            return Added(added=0, present=0)
        first = self._advance(len(single)) - len(single) + 1
        rows = [
            {
                "bank_id": bank.id,
                "type": entry.signal.type,
                "value": entry.signal.value,
                "quality": entry.signal.quality,
                "note": entry.note,
                "added_at": at,
                "sequence": first + place,
            }
            for place, entry in enumerate(single.values())
        ]
        ids = tuple(self._connection.execute(self._upsert(), rows).scalars())
        return Added(added=len(ids), present=len(entries_) - len(ids), ids=ids)

    def withdraw(self, bank: Bank, signal: Signal, at: datetime) -> BankEntry | None:
        """Withdraw an entry that still counts; nothing if there is none."""
        changed = (
            update(entries)
            .where(
                entries.c.bank_id == bank.id,
                entries.c.type == signal.type,
                entries.c.value == signal.value,
                entries.c.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=at)
            .returning(entries)
        )
        row = self._connection.execute(changed).one_or_none()
        return None if row is None else _entry(row)

    def live(self, ids: Collection[int]) -> Mapping[int, BankEntry]:
        """Those of these entries that still count."""
        found: dict[int, BankEntry] = {}
        wanted = list(ids)
        for start in range(0, len(wanted), _IDS_A_QUERY):
            some = wanted[start : start + _IDS_A_QUERY]
            rows = self._connection.execute(
                select(entries).where(entries.c.id.in_(some), entries.c.withdrawn_at.is_(None))
            )
            found.update((row.id, _entry(row)) for row in rows)
        return found

    def export(self, bank: Bank, *, after: int = 0, limit: int | None = None) -> Iterator[BankEntry]:
        """A bank's entries that still count, in order of their numbers, from after one of them."""
        rows = self._connection.execution_options(yield_per=_ROWS_A_FETCH).execute(
            select(entries)
            .where(entries.c.bank_id == bank.id, entries.c.withdrawn_at.is_(None), entries.c.id > after)
            .order_by(entries.c.id)
            .limit(limit)
        )
        return (_entry(row) for row in rows)

    def sequence(self) -> int:
        """The number of the last change."""
        return int(self._connection.execute(select(clocks.c.number).where(clocks.c.name == _CLOCK)).scalar_one())

    def changes(self, after: int, limit: int) -> tuple[tuple[EntryBatch, ...], int]:
        """Entries added after a change number, at most `limit`, and the number reached."""
        reached = self.sequence()
        if reached == after:
            return (), reached
        rows = self._connection.execute(
            select(entries.c.id, entries.c.bank_id, entries.c.type, entries.c.value, entries.c.sequence)
            .where(entries.c.sequence > after, entries.c.withdrawn_at.is_(None))
            .order_by(entries.c.sequence)
            .limit(limit)
        ).all()
        if len(rows) == limit:
            reached = rows[-1].sequence
        return tuple(_batches(rows)), reached

    def batches(self, rows: int) -> Iterator[EntryBatch]:
        """All entries that still count, in batches of about `rows`."""
        result = self._connection.execution_options(yield_per=rows).execute(
            select(entries.c.id, entries.c.bank_id, entries.c.type, entries.c.value)
            .where(entries.c.withdrawn_at.is_(None))
            .order_by(entries.c.id)
        )
        for partition in result.partitions():
            yield from _batches(partition)

    def _advance(self, count: int) -> int:
        """Move the change number on, and with it take the turn of all writers."""
        moved = update(clocks).where(clocks.c.name == _CLOCK).values(number=clocks.c.number + count)
        return int(self._connection.execute(moved.returning(clocks.c.number)).scalar_one())

    def _upsert(self) -> Any:
        dialect_insert = postgresql_insert if self._connection.dialect.name == "postgresql" else sqlite_insert
        new = dialect_insert(entries)
        return new.on_conflict_do_update(
            index_elements=[entries.c.bank_id, entries.c.type, entries.c.value],
            set_={"withdrawn_at": None, "added_at": new.excluded.added_at, "sequence": new.excluded.sequence},
            where=entries.c.withdrawn_at.is_not(None),
        ).returning(entries.c.id)


def _entry(row: Row[Any]) -> BankEntry:
    return BankEntry(
        id=row.id,
        bank_id=row.bank_id,
        signal=Signal(type=row.type, value=row.value, quality=row.quality),
        note=row.note,
        added_at=row.added_at,
        withdrawn_at=row.withdrawn_at,
    )


def _batches(rows: Sequence[Any]) -> Iterator[EntryBatch]:
    by_type: dict[str, list[Any]] = {}
    for row in rows:
        by_type.setdefault(row.type, []).append(row)
    for type_, some in by_type.items():
        yield EntryBatch(
            type=type_,
            ids=array("q", [row.id for row in some]),
            bank_ids=array("q", [row.bank_id for row in some]),
            values=b"".join([row.value for row in some]),
        )
