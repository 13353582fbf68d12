"""Entries as lists say them: they are made, come back, go, or are erased, and never against what a person has said.

An entry whose `by_hand` is empty stands for as long as some live record says it. One that a person added stays when the
lists have dropped it; one that a person withdrew stays withdrawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jikimi.db.columns import UtcTime
from jikimi.db.entries import ERASED, SqlEntries
from jikimi.db.many import insert_many, some_of, take_numbers
from jikimi.db.schema import clocks, entries, holdings, matches, scans, source_records
from jikimi.model.signal import Signal

_COLUMNS = ("id", "bank_id", "type", "value", "quality", "note", "added_at", "by_hand", "sequence")


Value = tuple[str, bytes]
"""Type and value of a signal."""


class _Known(NamedTuple):
    """What is asked about an entry that is there."""

    id: int
    comes_back: bool


class ListedEntries:
    """The entries of banks, as records come and go."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._entries = SqlEntries(connection)
        self.gone: list[Signal] = []
        """What was erased through this object."""

    def hold(
        self, bank_id: int, signals: Mapping[Value, Signal], at: datetime
    ) -> tuple[dict[Value, int], frozenset[int]]:
        """The number of the entry of each signal, and those of them that count only from now on.

        Entries that are missing are made; those that had gone with their records come back.
        """
        known = dict(self._known(bank_id, signals))
        ids = {value: entry.id for value, entry in known.items()}
        back = [entry.id for entry in known.values() if entry.comes_back]
        new = sorted(value for value in signals if value not in known)
        if new or back:
            number = self._entries.advance(len(new) + len(back)) - len(new) - len(back) + 1
            ids |= self._make(bank_id, [signals[value] for value in new], number, at)
            self._bring_back(back, number + len(new), at)
        return ids, frozenset([*back, *(ids[value] for value in new)])

    def let_go(self, entry_ids: Collection[int], at: datetime) -> None:
        """Withdraw those entries that no live record and no person says."""
        for gone in some_of(self.unsaid(entry_ids)):
            only_listed = (entries.c.id.in_(gone), entries.c.by_hand == "", entries.c.withdrawn_at.is_(None))
            changed = update(entries).where(*only_listed).values(withdrawn_at=at)
            rows = self._connection.execute(changed.returning(entries.c.id, entries.c.bank_id))
            self._entries.bury([(row.id, row.bank_id) for row in rows], at)

    def erase(self, entry_ids: Collection[int], at: datetime) -> int:
        """Delete those entries that no live record says and no person has added, with their values wherever they are
        remembered; how many. `gone` names them, for who has to forget them elsewhere (`flows.kept`).

        What a person withdrew goes as well: the value is not ours to keep, not even to keep it out.
        """
        self.overwrite()
        erased = 0
        for gone in some_of(self.unsaid(entry_ids)):
            wanted = select(entries.c.id, entries.c.bank_id, entries.c.type, entries.c.value)
            rows = self._connection.execute(wanted.where(entries.c.id.in_(gone), entries.c.by_hand != "added")).all()
            ids = [row.id for row in rows]
            self.gone += [Signal(type=row.type, value=bytes(row.value)) for row in rows]
            self._forget_in_scans({row.id: (row.type, bytes(row.value).hex()) for row in rows})
            self._connection.execute(delete(holdings).where(holdings.c.entry_id.in_(ids)))
            self._connection.execute(delete(entries).where(entries.c.id.in_(ids)))
            self._entries.bury([(row.id, row.bank_id) for row in rows], at)
            erased += len(rows)
        if erased:
            self._note_erasure()
        return erased

    def overwrite(self) -> None:
        """From now on, overwrite what is deleted: SQLite's usual `fast` leaves it on pages that have become free."""
        if self._connection.dialect.name == "sqlite":
            self._connection.exec_driver_sql("PRAGMA secure_delete=on").close()

    def adopt(self, entry_ids: Collection[int]) -> None:
        """Make entries a person's own; peers that may not read lists hear of them now."""
        for some in some_of(entry_ids):
            ours = update(entries).where(entries.c.id.in_(some), entries.c.by_hand == "").values(by_hand="added")
            self._entries.touch(list(self._connection.execute(ours.returning(entries.c.id)).scalars()))

    def tell_anew(self, entry_ids: Collection[int]) -> None:
        """Who says entries, or what is thought of them, has changed: a new change number for those that only lists say.

        Whoever follows the bank from elsewhere learns it from that.
        """
        for some in some_of(entry_ids):
            only_listed = (entries.c.id.in_(some), entries.c.by_hand == "", entries.c.withdrawn_at.is_(None))
            self._entries.touch(list(self._connection.execute(select(entries.c.id).where(*only_listed)).scalars()))

    def _known(self, bank_id: int, wanted: Iterable[Value]) -> Iterable[tuple[Value, _Known]]:
        by_type: dict[str, list[bytes]] = {}
        for type_, value in wanted:
            by_type.setdefault(type_, []).append(value)
        columns = (entries.c.id, entries.c.value, entries.c.by_hand, entries.c.withdrawn_at.is_not(None).label("gone"))
        for type_, values in by_type.items():
            for some in some_of(sorted(values)):
                same = (entries.c.bank_id == bank_id, entries.c.type == type_, entries.c.value.in_(some))
                for row in self._connection.execute(select(*columns).where(*same)):
                    known = _Known(id=row.id, comes_back=bool(row.gone) and row.by_hand == "")
                    yield (type_, bytes(row.value)), known

    def _make(self, bank_id: int, signals: list[Signal], number: int, at: datetime) -> dict[Value, int]:
        ids = take_numbers(self._connection, entries, len(signals))
        added_at = UtcTime().process_bind_param(at, self._connection.dialect)
        rows = [
            (id_, bank_id, signal.type, signal.value, signal.quality, "", added_at, "", number + place)
            for place, (id_, signal) in enumerate(zip(ids, signals, strict=True))
        ]
        insert_many(self._connection, entries, _COLUMNS, rows)
        return {(signal.type, signal.value): id_ for id_, signal in zip(ids, signals, strict=True)}

    def _bring_back(self, ids: list[int], number: int, at: datetime) -> None:
        if ids:
            changed = update(entries).where(entries.c.id == bindparam("id_"))
            changed = changed.values(withdrawn_at=None, added_at=at, sequence=bindparam("number"))
            rows = [{"id_": id_, "number": number + place} for place, id_ in enumerate(ids)]
            self._connection.execute(changed, rows)

    def unsaid(self, entry_ids: Collection[int]) -> list[int]:
        """Those of the entries that no live record says."""
        said: set[int] = set()
        for some in some_of(entry_ids):
            found = select(holdings.c.entry_id).join(source_records, source_records.c.id == holdings.c.record_id)
            found = found.where(holdings.c.entry_id.in_(some), source_records.c.withdrawn_at.is_(None))
            said.update(self._connection.execute(found).scalars())
        return [id_ for id_ in dict.fromkeys(entry_ids) if id_ not in said]

    def _forget_in_scans(self, gone: Mapping[int, tuple[str, str]]) -> None:
        """Take values out of what is remembered of uploads that matched their entries."""
        wanted = (
            select(matches.c.entry_id, scans.c.id, scans.c.signals, scans.c.md5, scans.c.sha1)
            .join(scans, scans.c.id == matches.c.scan_id)
            .where(matches.c.entry_id.in_(gone))
        )
        for row in self._connection.execute(wanted).all():
            kept = [one for one in row.signals if (one[0], one[1]) not in gone.values()]
            digests = {name: "" for name in ("md5", "sha1") if (name, getattr(row, name)) == gone[row.entry_id]}
            self._connection.execute(update(scans).where(scans.c.id == row.id).values(signals=kept, **digests))

    def _note_erasure(self) -> None:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        row = {"name": ERASED, "number": self._entries.sequence(), "digest": ""}
        noted = dialect.insert(clocks).values(row)
        noted = noted.on_conflict_do_update(index_elements=["name"], set_={"number": noted.excluded.number})
        self._connection.execute(noted)
