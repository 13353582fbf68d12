"""What programmes say, by exchange and key, and the entries that follow from it.

A page of a thousand records costs a handful of statements. Everything is read first, what has to change is worked out
from it, and then written: whoever calls has the writers' turn, so that nothing moves in between.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from jikimi.db.columns import UtcTime, json_text
from jikimi.db.hma import SqlContents
from jikimi.db.listed import ListedEntries, Value
from jikimi.db.many import insert_many, some_of, take_numbers, update_many
from jikimi.db.schema import entries, holdings, source_records
from jikimi.model.exchange import Exchange, Opinion, SourceRecord, Trust
from jikimi.model.signal import Signal
from jikimi.ports.exchanges import Applied, Holding

_SAID = ("opinion", "trust", "labels", "detail", "listed_at")
_NEW = ("id", "exchange_id", "key", "generation", *_SAID, "changed_at", "withdrawn_at")
_CHANGED = (*_SAID, "generation", "changed_at", "withdrawn_at", "id")
_UTC = UtcTime()
_ON = source_records.c.withdrawn_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A record as it is stored; `said` are its columns `_SAID`."""

    id: int
    generation: int
    said: tuple[Any, ...]
    is_live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What became of live records: their numbers by key, which are new, how many are new or differ.

    `restated` are those that were withdrawn, or had another opinion or trust, until now.
    """

    ids: Mapping[str, int]
    new: frozenset[str]
    restated: Sequence[int]
    changed: int


class SqlSourceRecords:
    """Records of programmes in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._entries = ListedEntries(connection)
        self._contents = SqlContents(connection)

    @property
    def gone(self) -> tuple[Signal, ...]:
        """What was erased in this transaction."""
        return tuple(self._entries.gone)

    def apply(
        self, exchange: Exchange, records: Sequence[SourceRecord], generation: int, at: datetime, *, forget: bool
    ) -> Applied:
        """Take over what a page says. Of several records with one key the last counts; the order does not matter else.

        `forget`: what is withdrawn is deleted with its entry's value, unless something else says the entry.
        """
        if forget:
            self._entries.overwrite()
        single = {record.key: record for record in records}
        known = self._known(exchange, single)
        live = [record for record in single.values() if not record.withdrawn]
        signals = {(one.type, one.value): one for record in live for one in record.signals}
        entry_ids, fresh = self._entries.hold(exchange.bank_id, signals, at)
        stored = self._store(exchange, live, known, generation, at)
        gained, dropped = self._hold(live, stored, entry_ids)
        gone = [known[key].id for key, record in single.items() if record.withdrawn and key in known]
        loose = [*dropped, *self._withdraw(gone, generation, at, forget=forget)]
        erased = self._part(loose, at, forget=forget)
        self._entries.tell_anew({*gained, *self._entries_of(stored.restated)} - fresh)
        self._contents.rouse({*gained} - fresh)
        return Applied(
            changed=stored.changed,
            withdrawn=sum(record.withdrawn and key in known and known[key].is_live for key, record in single.items()),
            added=len(fresh),
            erased=erased,
        )

    def vanishing(self, exchange: Exchange, generation: int) -> tuple[int, int]:
        """How many live records there are, and how many of them an earlier generation said last."""
        counted = select(func.count()).where(source_records.c.exchange_id == exchange.id, _ON)
        older = counted.where(source_records.c.generation < generation)
        return tuple(int(self._connection.execute(one).scalar_one()) for one in (counted, older))  # type: ignore[return-value]

    def withdraw_older(self, exchange: Exchange, generation: int, at: datetime, limit: int, *, forget: bool) -> Applied:
        """Withdraw live records that an earlier generation said last, some at a time."""
        older = (source_records.c.exchange_id == exchange.id, source_records.c.generation < generation, _ON)
        ids = self._connection.execute(select(source_records.c.id).where(*older).limit(limit)).scalars().all()
        loose = self._withdraw(ids, generation, at, forget=forget)
        return Applied(withdrawn=len(ids), erased=self._part(loose, at, forget=forget))

    def release(self, exchange: Exchange, at: datetime, limit: int, *, keep: bool, forget: bool) -> int:
        """Part an exchange from its entries, some at a time: they stay as our own (`keep`), or go; how many records.

        Only what is positive and confirmed can become our own: for our own entries nobody asks what a list thinks.
        """
        own = source_records.c.exchange_id == exchange.id
        rows = self._connection.execute(
            select(source_records.c.id, source_records.c.opinion, source_records.c.trust, _ON.label("on"))
            .where(own)
            .order_by(source_records.c.id)
            .limit(limit)
        ).all()
        sure = (Opinion.POSITIVE, Trust.CONFIRMED)
        sound = [row.id for row in rows if row.on and (row.opinion, row.trust) == sure]
        kept = self._entries_of(sound) if keep else []
        loose = self._delete([row.id for row in rows])
        if keep:
            self._entries.adopt(self._entries.unsaid(kept))
        self._part(loose, at, forget=forget)
        return len(rows)

    def of_entries(self, entry_ids: Collection[int]) -> Mapping[int, tuple[Holding, ...]]:
        """The live records that say each of these entries."""
        wanted = select(
            holdings.c.entry_id, source_records.c.exchange_id, source_records.c.key, source_records.c.detail
        ).join(source_records, source_records.c.id == holdings.c.record_id)
        found: dict[int, tuple[Holding, ...]] = {}
        for some in some_of(entry_ids):
            for row in self._connection.execute(wanted.where(holdings.c.entry_id.in_(some), _ON)):
                holding = Holding(exchange_id=row.exchange_id, record=row.key, detail=row.detail)
                found[row.entry_id] = (*found.get(row.entry_id, ()), holding)
        return found

    def solely(self, exchange: Exchange) -> int:
        """How many live entries nobody says but this exchange: those that would go with it."""
        others = source_records.alias("others")
        said = select(others.c.id).join(theirs := holdings.alias("theirs"), theirs.c.record_id == others.c.id)
        said = said.where(theirs.c.entry_id == holdings.c.entry_id, others.c.exchange_id != exchange.id)
        said = said.where(others.c.withdrawn_at.is_(None)).correlate(holdings)
        counted = (
            select(func.count(holdings.c.entry_id.distinct()))
            .join(source_records, source_records.c.id == holdings.c.record_id)
            .join(entries, entries.c.id == holdings.c.entry_id)
            .where(source_records.c.exchange_id == exchange.id, _ON)
            .where(entries.c.by_hand == "", entries.c.withdrawn_at.is_(None), ~said.exists())
        )
        return int(self._connection.execute(counted).scalar_one())

    def _known(self, exchange: Exchange, keys: Iterable[str]) -> dict[str, _Known]:
        columns = (source_records.c[name] for name in ("id", "key", "generation", *_SAID, "withdrawn_at"))
        wanted = select(*columns).where(source_records.c.exchange_id == exchange.id)
        found = {}
        for some in some_of(sorted(keys)):
            for row in self._connection.execute(wanted.where(source_records.c.key.in_(some))):
                said = (row.opinion, row.trust, row.labels, row.detail, row.listed_at)
                found[row.key] = _Known(
                    id=row.id, generation=row.generation, said=said, is_live=row.withdrawn_at is None
                )
        return found

    def _store(
        self,
        exchange: Exchange,
        live: Sequence[SourceRecord],
        known: Mapping[str, _Known],
        generation: int,
        at: datetime,
    ) -> _Stored:
        """Write what records say, as far as it is new; of those that say the same, only the generation."""
        new = [record for record in live if record.key not in known]
        differ = [record for record in live if record.key in known and _differs(known[record.key], record)]
        numbers = dict(
            zip([one.key for one in new], take_numbers(self._connection, source_records, len(new)), strict=True)
        )
        ids = {record.key: known[record.key].id if record.key in known else numbers[record.key] for record in live}
        changed_at = self._time(at)
        insert_many(
            self._connection,
            source_records,
            _NEW,
            [(ids[r.key], exchange.id, r.key, generation, *self._said(r), changed_at, None) for r in new],
        )
        update_many(
            self._connection,
            source_records,
            _CHANGED,
            [(*self._said(r), generation, changed_at, None, ids[r.key]) for r in differ],
        )
        theirs = {record.key for record in differ}
        same = [
            ids[key] for key, one in known.items() if key in ids and key not in theirs and one.generation != generation
        ]
        for some in some_of(same):
            seen = update(source_records).where(source_records.c.id.in_(some)).values(generation=generation)
            self._connection.execute(seen)
        restated = [ids[record.key] for record in differ if _is_restated(known[record.key], record)]
        return _Stored(ids=ids, new=frozenset(numbers), restated=restated, changed=len(new) + len(differ))

    def _hold(
        self, live: Sequence[SourceRecord], stored: _Stored, entry_ids: Mapping[Value, int]
    ) -> tuple[list[int], list[int]]:
        """Let each record hold the entries of its signals and no others; the entries that it gained, and let go."""
        wanted = {(stored.ids[r.key], entry_ids[one.type, one.value]) for r in live for one in r.signals}
        present: set[tuple[int, int]] = set()
        for some in some_of([id_ for key, id_ in stored.ids.items() if key not in stored.new]):
            held = select(holdings.c.record_id, holdings.c.entry_id).where(holdings.c.record_id.in_(some))
            present.update((row.record_id, row.entry_id) for row in self._connection.execute(held))
        insert_many(self._connection, holdings, ("record_id", "entry_id"), sorted(wanted - present))
        dropped = present - wanted
        for record_id, entry_id in dropped:
            gone = (holdings.c.record_id == record_id, holdings.c.entry_id == entry_id)
            self._connection.execute(delete(holdings).where(*gone))
        return [entry_id for _, entry_id in wanted - present], [entry_id for _, entry_id in dropped]

    def _withdraw(self, ids: Sequence[int], generation: int, at: datetime, *, forget: bool) -> list[int]:
        """Withdraw records, or delete them; the entries that they said.

        A withdrawn one still tells which entries it said. It is numbered with the generation that found it gone, so
        that later ones need not look at it again.
        """
        if forget:
            return self._delete(ids)
        for some in some_of(ids):
            live = update(source_records).where(source_records.c.id.in_(some), _ON)
            self._connection.execute(live.values(withdrawn_at=at, changed_at=at, generation=generation))
        return self._entries_of(ids)

    def _delete(self, ids: Sequence[int]) -> list[int]:
        self._entries.overwrite()  # a record's detail may hold values that are no entries
        said = self._entries_of(ids)
        for some in some_of(ids):
            self._connection.execute(delete(holdings).where(holdings.c.record_id.in_(some)))
            self._connection.execute(delete(source_records).where(source_records.c.id.in_(some)))
        return said

    def _entries_of(self, ids: Sequence[int]) -> list[int]:
        found: dict[int, None] = {}
        for some in some_of(ids):
            said = select(holdings.c.entry_id).where(holdings.c.record_id.in_(some))
            found |= dict.fromkeys(self._connection.execute(said).scalars())
        return list(found)

    def _part(self, entry_ids: Collection[int], at: datetime, *, forget: bool) -> int:
        """Let entries go that a record said until now; how many were erased. Of those that stay, less is said."""
        erased = self._entries.erase(entry_ids, at) if forget else 0
        if not forget:
            self._entries.let_go(entry_ids, at)
        self._entries.tell_anew(entry_ids)
        self._contents.rouse(entry_ids)
        return erased

    def _said(self, record: SourceRecord) -> tuple[Any, ...]:
        """The columns `_SAID`, as they are stored."""
        labels, detail = json_text(list(record.labels)), json_text(dict(record.detail))
        return (record.opinion.value, record.trust.value, labels, detail, self._time(record.listed_at))

    def _time(self, at: datetime | None) -> Any:
        return _UTC.process_bind_param(at, self._connection.dialect)


def _differs(known: _Known, record: SourceRecord) -> bool:
    said = (record.opinion, record.trust, list(record.labels), _plain(record.detail), record.listed_at)
    return not known.is_live or known.said != said


def _is_restated(known: _Known, record: SourceRecord) -> bool:
    return not known.is_live or known.said[:2] != (record.opinion, record.trust)


def _plain(detail: Mapping[str, Any]) -> Any:
    """What is read back after it was stored: lists for tuples."""
    return json.loads(json_text(dict(detail))) if detail else {}
