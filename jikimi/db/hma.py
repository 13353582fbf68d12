"""Contents, as Hasher-Matcher-Actioner (HMA) has them, and the entries that each brings.

A content that stands for an entry by itself has the entry's number with a minus for its row, so that the numbers of all
others stay without gaps; callers see it as `OWN` plus the entry's number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from jikimi.db.entries import SqlEntries
from jikimi.db.many import some_of
from jikimi.db.schema import bank_content_entries as links
from jikimi.db.schema import bank_contents as contents
from jikimi.db.schema import entries, exchanges, holdings, source_records
from jikimi.model.bank import Bank, BankEntry
from jikimi.model.hma import ON, OWN, BankContent, NewContent, asleep_until, has_own
from jikimi.model.signal import Signal


class SqlContents:
    """Contents in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, bank: Bank, new: NewContent, entry_ids: Sequence[int], at: datetime) -> BankContent:
        """Store a content."""
        values = {
            "bank_id": bank.id,
            "note": new.note,
            "metadata": None if new.metadata is None else dict(new.metadata),
            "disable_until": ON,
            "created_at": at,
        }
        number = self._connection.execute(insert(contents).values(values).returning(contents.c.id)).scalar_one()
        self._link(number, entry_ids)
        return BankContent(id=number, bank_id=bank.id, entry_ids=tuple(entry_ids), note=new.note, metadata=new.metadata)

    def get(self, content_id: int) -> BankContent | None:
        """One content that is stored."""
        row = self._connection.execute(select(contents).where(contents.c.id == _row_id(content_id))).one_or_none()
        if row is None:
            return None
        linked = select(links.c.entry_id).where(links.c.content_id == row.id).order_by(links.c.entry_id)
        return _content(row, tuple(self._connection.execute(linked).scalars()))

    def own(self, entry: BankEntry, at: datetime) -> BankContent:
        """The content that stands for an entry by itself; made if there is none yet."""
        stored = self.get(OWN + entry.id)
        if stored is not None:
            return stored
        values = {"bank_id": entry.bank_id, "note": entry.note, "disable_until": ON, "created_at": at}
        self._connection.execute(insert(contents).values(id=-entry.id, **values))
        self._link(-entry.id, [entry.id])
        return BankContent(id=OWN + entry.id, bank_id=entry.bank_id, entry_ids=(entry.id,), note=entry.note)

    def change(self, content: BankContent) -> None:
        """Store its note and its switch."""
        values = {"note": content.note, "disable_until": content.disable_until}
        self._connection.execute(update(contents).where(contents.c.id == _row_id(content.id)).values(values))
        self._rouse(content.entry_ids)

    def remove(self, content: BankContent) -> tuple[int, ...]:
        """Delete it; returns the entries that nothing brings any more."""
        number = _row_id(content.id)
        self._connection.execute(delete(links).where(links.c.content_id == number))
        self._connection.execute(delete(contents).where(contents.c.id == number))
        self._rouse(content.entry_ids)
        left = self.of_entries(content.entry_ids)
        return tuple(entry_id for entry_id in content.entry_ids if entry_id not in left)

    def of_entries(self, entry_ids: Collection[int]) -> Mapping[int, tuple[BankContent, ...]]:
        """The contents that bring these entries, oldest first. Of each content, only the entries asked for."""
        found: dict[int, list[BankContent]] = {}
        for some in some_of(entry_ids):
            wanted = (
                select(contents, links.c.entry_id)
                .join(links, links.c.content_id == contents.c.id)
                .where(links.c.entry_id.in_(some))
                .order_by(contents.c.id)
            )
            for row in self._connection.execute(wanted):
                found.setdefault(row.entry_id, []).append(_content(row, (row.entry_id,)))
        return {entry_id: tuple(some) for entry_id, some in found.items()}

    def sources(self, entry_ids: Collection[int]) -> Mapping[str, tuple[str, ...]]:
        """Exchanges whose live records say one of these entries, and the keys of those records."""
        found: dict[str, list[str]] = {}
        for some in some_of(entry_ids):
            said = (
                select(exchanges.c.name, source_records.c.key)
                .join(source_records, source_records.c.exchange_id == exchanges.c.id)
                .join(holdings, holdings.c.record_id == source_records.c.id)
                .where(holdings.c.entry_id.in_(some), source_records.c.withdrawn_at.is_(None))
                .order_by(source_records.c.id)
            )
            for name, key in self._connection.execute(said):
                found.setdefault(name, []).append(key)
        return {name: tuple(dict.fromkeys(keys)) for name, keys in found.items()}

    def added_by_hand(self, entry_ids: Collection[int]) -> tuple[int, ...]:
        """Those that a person of ours added, and nobody withdrew."""
        found: list[int] = []
        for some in some_of(entry_ids):
            wanted = select(entries.c.id).where(
                entries.c.id.in_(some), entries.c.by_hand == "added", entries.c.withdrawn_at.is_(None)
            )
            found += self._connection.execute(wanted).scalars()
        return tuple(found)

    def leave_to_list(self, entry: BankEntry, at: datetime) -> None:
        """Forget that a person of ours added an entry.

        For peers that may not read what lists say, it has gone; to the others it is shown anew.
        """
        self._connection.execute(update(entries).where(entries.c.id == entry.id).values(by_hand=""))
        followed = SqlEntries(self._connection)
        followed.bury([(entry.id, entry.bank_id)], at)
        followed.touch([entry.id])

    def newest(self, type_: str, up_to: int) -> datetime | None:
        """When the newest entry of a type was added, as of a change number."""
        wanted = (entries.c.type == type_, entries.c.sequence <= up_to, entries.c.withdrawn_at.is_(None))
        last = select(entries.c.added_at).where(*wanted).order_by(entries.c.sequence.desc()).limit(1)
        at: datetime | None = self._connection.execute(last).scalar_one_or_none()
        return at

    def claim(self, bank: Bank, signals: Sequence[Signal], at: datetime) -> None:
        """Give entries that contents bring one of their own as well, switched on: our people say them too."""
        some = select(contents.c.id).where(contents.c.bank_id == bank.id).limit(1)
        if self._connection.execute(some).first() is None:
            return
        kept = SqlEntries(self._connection)
        there = {entry.id: entry for entry in (kept.find(bank, signal) for signal in signals) if entry}
        for entry_id in self.of_entries(there):
            self.change(replace(self.own(there[entry_id], at), disable_until=ON))

    def rouse(self, entry_ids: Collection[int]) -> None:
        """Let entries sleep or wake, now that lists say something else of them."""
        self._rouse(list(self.of_entries(entry_ids)))

    def _link(self, number: int, entry_ids: Sequence[int]) -> None:
        rows = [{"content_id": number, "entry_id": entry_id} for entry_id in entry_ids]
        self._connection.execute(insert(links), rows)
        self._rouse(entry_ids)

    def _rouse(self, entry_ids: Collection[int]) -> None:
        """Let entries sleep or wake as their contents say; whoever follows the bank from elsewhere hears of it.

        What a list says is awake, unless somebody has switched off the entry itself.
        """
        brought = self.of_entries(entry_ids)
        changed: list[int] = []
        for entry_id in entry_ids:
            until = asleep_until(brought.get(entry_id, ()))
            if until is not None and not has_own(brought[entry_id]) and self.sources([entry_id]):
                until = None
            other = update(entries).where(entries.c.id == entry_id, entries.c.asleep_until.is_distinct_from(until))
            changed += self._connection.execute(other.values(asleep_until=until).returning(entries.c.id)).scalars()
        SqlEntries(self._connection).touch(changed)


def _row_id(content_id: int) -> int:
    return OWN - content_id if content_id > OWN else content_id


def _content(row: Row[Any], entry_ids: tuple[int, ...]) -> BankContent:
    return BankContent(
        id=OWN - row.id if row.id < 0 else row.id,
        bank_id=row.bank_id,
        entry_ids=entry_ids,
        note=row.note,
        metadata=row.metadata,
        disable_until=row.disable_until,
    )
