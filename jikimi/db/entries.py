"""Entries of banks, and the change number that lets every process follow them.

The number comes from one row, `clocks.entries`, taken in the same transaction as the change; writers take turns, so
whoever has read up to a number has missed nothing below it.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, or_, select, update

from jikimi.db.columns import UtcTime
from jikimi.db.many import some_of
from jikimi.db.schema import clocks, entries, holdings, source_records, tombstones
from jikimi.model.bank import Bank, BankEntry, NewEntry
from jikimi.model.exchange import Opinion, Standing, Trust, standing_of, vouched
from jikimi.model.signal import EntryBatch, Signal
from jikimi.ports import Added

_CLOCK = "entries"
ERASED = "erased"
"""Clock: the change number of the last entry whose value had to go. No snapshot from before it may stay."""
_ADDED = "added"
_ROWS_A_FETCH = 20_000
_MARK_DIGITS = 12

_NewRow = tuple[str, bytes, int | None, str, int]
"""Type, value, quality, note, change number."""
_STORE = """
    INSERT INTO entries (bank_id, added_at, type, value, quality, note, sequence)
    {rows}
    ON CONFLICT (bank_id, type, value) """
_BRING_BACK = """DO UPDATE
    SET withdrawn_at = NULL, by_hand = 'added', added_at = excluded.added_at, sequence = excluded.sequence
    WHERE entries.withdrawn_at IS NOT NULL OR entries.by_hand <> 'added'"""
_LEAVE = """DO UPDATE
    SET withdrawn_at = NULL, by_hand = 'added', added_at = excluded.added_at, sequence = excluded.sequence
    WHERE entries.by_hand = ''"""
_STORE_ROWS = _STORE.format(rows="VALUES (?, ?, ?, ?, ?, ?, ?)")
_STORE_JSON = _STORE.format(
    rows="""SELECT %s, %s, type, decode(value, 'hex'), quality, note, sequence
    FROM json_to_recordset(%s::json) AS new (type text, value text, quality integer, note text, sequence bigint)"""
)


class SqlEntries:
    """Entries in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, bank: Bank, entries_: Sequence[NewEntry], at: datetime, *, bring_back: bool) -> Added:
        """Store entries as a person's own; one that is there stays as it is.

        One that a person has withdrawn comes back only if that is asked.
        """
        single = {(entry.signal.type, entry.signal.value): entry for entry in entries_}
        if not single:
            return Added(added=0, present=0)
        first = self.advance(len(single)) - len(single) + 1
        numbered = enumerate(single.values(), start=first)
        rows = [(e.signal.type, e.signal.value, e.signal.quality, e.note, number) for number, e in numbered]
        rows.sort(key=itemgetter(1))  # in the order of the table's own index: half the pages written, half the time
        conflict = _BRING_BACK if bring_back else _LEAVE
        added = self._store(bank.id, UtcTime().process_bind_param(at, self._connection.dialect), rows, conflict)
        return Added(added=added, present=len(entries_) - added)

    def withdraw(self, bank: Bank, signal: Signal, at: datetime) -> BankEntry | None:
        """Withdraw an entry that still counts, for good: no list brings it back. Nothing if there is none."""
        changed = (
            update(entries)
            .where(
                entries.c.bank_id == bank.id,
                entries.c.type == signal.type,
                entries.c.value == signal.value,
                entries.c.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=at, by_hand="withdrawn")
            .returning(entries)
        )
        row = self._connection.execute(changed).one_or_none()
        if row is None:
            return None
        self.bury([(row.id, bank.id)], at)
        return _entry(row)

    def bury(self, gone: Sequence[tuple[int, int]], at: datetime) -> None:
        """Write down that entries (number, bank) have gone, for those who follow a bank from elsewhere."""
        if gone:
            first = self.advance(len(gone)) - len(gone) + 1
            rows = [
                {"entry_id": entry_id, "bank_id": bank_id, "sequence": number, "at": at}
                for number, (entry_id, bank_id) in enumerate(gone, start=first)
            ]
            ids = [entry_id for entry_id, _ in gone]
            for some in some_of(ids):
                self._connection.execute(delete(tombstones).where(tombstones.c.entry_id.in_(some)))
            self._connection.execute(insert(tombstones), rows)

    def touch(self, ids: Sequence[int]) -> None:
        """Give entries new change numbers: what is known about them has changed, and whoever follows has to hear it."""
        if ids:
            first = self.advance(len(ids)) - len(ids) + 1
            numbered = update(entries).where(entries.c.id == bindparam("one")).values(sequence=bindparam("number"))
            rows = [{"one": entry_id, "number": number} for number, entry_id in enumerate(ids, start=first)]
            self._connection.execute(numbered, rows)

    def woken(self, now: datetime, limit: int) -> tuple[int, ...]:
        """Entries whose sleep is over, and that nobody has been told of yet."""
        over = entries.c.asleep_until <= now
        return tuple(self._connection.execute(select(entries.c.id).where(over).limit(limit)).scalars())

    def wake(self, ids: Sequence[int]) -> None:
        """Write down that entries are awake: a change like every other."""
        for some in some_of(ids):
            self._connection.execute(update(entries).where(entries.c.id.in_(some)).values(asleep_until=None))
        self.touch(ids)

    def get(self, entry_id: int) -> BankEntry | None:
        """One entry, withdrawn ones too."""
        row = self._connection.execute(select(entries).where(entries.c.id == entry_id)).one_or_none()
        return None if row is None else _entry(row)

    def find(self, bank: Bank, signal: Signal) -> BankEntry | None:
        """The entry of a bank with this signal, withdrawn ones too."""
        same = (entries.c.bank_id == bank.id, entries.c.type == signal.type, entries.c.value == signal.value)
        row = self._connection.execute(select(entries).where(*same)).one_or_none()
        return None if row is None else _entry(row)

    def live(self, ids: Collection[int], now: datetime) -> Mapping[int, BankEntry]:
        """Those of these entries that count now, each with what its sources say of it."""
        found: dict[int, BankEntry] = {}
        awake = or_(entries.c.asleep_until.is_(None), entries.c.asleep_until <= now)
        for some in some_of(ids):
            standings = self._standings(some)
            rows = self._connection.execute(
                select(entries).where(entries.c.id.in_(some), entries.c.withdrawn_at.is_(None), awake)
            )
            for row in rows:
                standing = standing_of(standings.get(row.id, ()))
                found[row.id] = replace(_entry(row), standing=vouched(standing) if row.by_hand == _ADDED else standing)
        return found

    def export(self, bank: Bank, *, after: int = 0, limit: int | None = None) -> Iterator[BankEntry]:
        """A bank's entries that count and that people have added, in order of their numbers, from after one of them.

        What only lists say is not written out for anybody: we have it under agreement.
        """
        wanted = (
            select(entries)
            .where(*_live_in(bank), entries.c.by_hand == _ADDED, entries.c.id > after)
            .order_by(entries.c.id)
            .limit(limit)
        )
        with self._connection.execute(wanted, execution_options={"yield_per": _ROWS_A_FETCH}) as found:
            yield from map(_entry, found)

    def only_listed(self, bank: Bank) -> int:
        """How many of a bank's entries that count are said by lists only."""
        counted = select(func.count()).select_from(entries).where(*_live_in(bank), entries.c.by_hand == "")
        return self._connection.execute(counted).scalar_one()

    def advance(self, count: int) -> int:
        """Move the change number on, and with it take the turn of all writers."""
        moved = update(clocks).where(clocks.c.name == _CLOCK).values(number=clocks.c.number + count)
        return int(self._connection.execute(moved.returning(clocks.c.number)).scalar_one())

    def sequence(self) -> int:
        """The number of the last change."""
        return int(self._connection.execute(select(clocks.c.number).where(clocks.c.name == _CLOCK)).scalar_one())

    def erased(self) -> int:
        """The number of the last change by which a value had to go everywhere; 0 if none ever had to."""
        found = self._connection.execute(select(clocks.c.number).where(clocks.c.name == ERASED))
        return int(found.scalar_one_or_none() or 0)

    def mark(self, sequence: int) -> str:
        """What tells the entries up to a change number from those that another history has up to the same number.

        It is taken from the last of them: a database that was restored from a backup and has grown again gives
        another mark. So does one from which that entry was deleted, which costs a snapshot and nothing else.
        """
        last = (
            select(entries.c.id, entries.c.added_at)
            .where(entries.c.sequence <= sequence)
            .order_by(entries.c.sequence.desc())
            .limit(1)
        )
        row = self._connection.execute(last).one_or_none()
        named = "" if row is None else f"{row.id} {row.added_at.isoformat()}"
        return hashlib.sha256(named.encode()).hexdigest()[:_MARK_DIGITS]

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
        wanted = (
            select(entries.c.id, entries.c.bank_id, entries.c.type, entries.c.value)
            .where(entries.c.withdrawn_at.is_(None))
            .order_by(entries.c.id)
        )
        with self._connection.execute(wanted, execution_options={"yield_per": rows}) as found:
            for partition in found.partitions():
                yield from _batches(partition)

    def _standings(self, ids: Sequence[int]) -> Mapping[int, list[Standing]]:
        """What live records say of entries."""
        said = (
            select(
                holdings.c.entry_id,
                source_records.c.opinion,
                source_records.c.trust,
                source_records.c.labels,
                source_records.c.listed_at,
            )
            .join(source_records, source_records.c.id == holdings.c.record_id)
            .where(holdings.c.entry_id.in_(ids), source_records.c.withdrawn_at.is_(None))
        )
        found: dict[int, list[Standing]] = {}
        for row in self._connection.execute(said):
            standing = Standing(
                opinion=Opinion(row.opinion),
                trust=Trust(row.trust),
                labels=tuple(row.labels),
                listed_at=row.listed_at,
            )
            found.setdefault(row.entry_id, []).append(standing)
        return found

    def _store(self, bank_id: int, at: Any, rows: Sequence[_NewRow], conflict: str) -> int:
        """Give the rows to the driver as they are: a million of them would spend most of their time on the way."""
        if self._connection.dialect.name == "postgresql":
            texts = [{"type": t, "value": v.hex(), "quality": q, "note": n, "sequence": s} for t, v, q, n, s in rows]
            return self._connection.exec_driver_sql(_STORE_JSON + conflict, (bank_id, at, json.dumps(texts))).rowcount
        with_all = [(bank_id, at, *row) for row in rows]
        keep_count = {"preserve_rowcount": True}
        return self._connection.exec_driver_sql(_STORE_ROWS + conflict, with_all, execution_options=keep_count).rowcount


def _live_in(bank: Bank) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return entries.c.bank_id == bank.id, entries.c.withdrawn_at.is_(None)


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
        by_type.setdefault(row[2], []).append(row)
    for type_, some in by_type.items():
        ids, bank_ids, _, values, *_ = zip(*some, strict=True)
        yield EntryBatch(type=type_, ids=array("q", ids), bank_ids=array("q", bank_ids), values=b"".join(values))
