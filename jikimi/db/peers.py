"""Peers: what each may read, what has changed of it, and what they say about entries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
)

from jikimi.db.banks import SqlBanks
from jikimi.db.many import some_of
from jikimi.db.schema import banks, entries, exchanges, holdings, keys, peer_feedback, peers, source_records, tombstones
from jikimi.model.exchange import Feedback
from jikimi.model.peer import Change, Grant, Said

_KIND = "peer"
"""Exchanges of this kind fill banks from peers. What came from one peer is not told to another."""
_ADDED = "added"
_OPPOSITE = {
    Feedback.TRUE_POSITIVE: Feedback.FALSE_POSITIVE,
    Feedback.FALSE_POSITIVE: Feedback.TRUE_POSITIVE,
}


class SqlPeers:
    """Peers in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def grant(self, grant: Grant) -> None:
        """Let a peer read a bank; what was granted before is replaced."""
        same = (peers.c.key_name == grant.peer, peers.c.bank_id == grant.bank.id)
        self._connection.execute(delete(peers).where(*same))
        values = {
            "key_name": grant.peer,
            "bank_id": grant.bank.id,
            "with_lists": int(grant.with_lists),
            "allowed_by": grant.granted_by,
            "allowed_at": grant.granted_at,
        }
        self._connection.execute(insert(peers).values(values))

    def withdraw(self, peer: str) -> None:
        """Let a peer read nothing any more."""
        self._connection.execute(delete(peers).where(peers.c.key_name == peer))

    def grants(self, peer: str | None = None) -> tuple[Grant, ...]:
        """What all peers may read, or one; banks that were deleted are left out."""
        known = {bank.id: bank for bank in SqlBanks(self._connection).all()}
        wanted = select(peers).order_by(peers.c.key_name, peers.c.bank_id)
        if peer is not None:
            wanted = wanted.where(peers.c.key_name == peer)
        return tuple(
            Grant(
                peer=row.key_name,
                bank=known[row.bank_id],
                with_lists=bool(row.with_lists),
                granted_by=row.allowed_by,
                granted_at=row.allowed_at,
            )
            for row in self._connection.execute(wanted)
            if row.bank_id in known
        )

    def get(self, peer: str, bank: str) -> Grant | None:
        """What a peer may read of a bank; nothing is the same answer for a bank that is not there."""
        return next((grant for grant in self.grants(peer) if grant.bank.policy.name == bank), None)

    def changes(self, grant: Grant, after: int, limit: int) -> tuple[Change, ...]:
        """What has changed, withdrawals among it; a single reading sees all of one moment."""
        queries = (_entries(grant, after), _gone(grant, after))
        changed = (map(_change, self._connection.execute(query.limit(limit))) for query in queries)
        return tuple(islice(merge(*changed, key=lambda change: change.sequence), limit))

    def size(self, grant: Grant, now: datetime) -> Mapping[str, int]:
        """Entries that a peer may read and that count now, by type."""
        awake = or_(entries.c.asleep_until.is_(None), entries.c.asleep_until <= now)
        counted = (
            select(entries.c.type, func.count())
            .where(entries.c.bank_id == grant.bank.id, entries.c.withdrawn_at.is_(None), awake, _may_read(grant))
            .group_by(entries.c.type)
        )
        return {type_: number for type_, number in self._connection.execute(counted)}

    def readable(self, grant: Grant, entry_ids: Collection[int]) -> frozenset[int]:
        """Those of these entries that a peer may read."""
        found: set[int] = set()
        for part in some_of(entry_ids):
            some = entries.c.id.in_(part)
            of_bank = entries.c.bank_id == grant.bank.id
            found.update(
                self._connection.execute(select(entries.c.id).where(some, of_bank, _may_read(grant))).scalars()
            )
        return frozenset(found)

    def say(self, said: Sequence[Said]) -> None:
        """Store feedback; what the same peer said otherwise before has been taken back by it."""
        last = {(one.entry_id, one.feedback is Feedback.SEEN): one for one in said}
        if not last:
            return
        rows = [
            {
                "key_name": one.peer,
                "entry_id": one.entry_id,
                "feedback": one.feedback.value,
                "at": one.at,
                "other": _OPPOSITE.get(one.feedback, one.feedback).value,
            }
            for one in last.values()
        ]
        replaced = delete(peer_feedback).where(
            peer_feedback.c.key_name == bindparam("key_name"),
            peer_feedback.c.entry_id == bindparam("entry_id"),
            peer_feedback.c.feedback.in_([bindparam("feedback"), bindparam("other")]),
        )
        self._connection.execute(replaced, rows)
        self._connection.execute(
            insert(peer_feedback), [{k: v for k, v in row.items() if k != "other"} for row in rows]
        )

    def disputed_by(self, peer: str) -> frozenset[int]:
        """Entries that a peer has called wrong."""
        wrong = (peer_feedback.c.key_name == peer, peer_feedback.c.feedback == Feedback.FALSE_POSITIVE.value)
        return frozenset(self._connection.execute(select(peer_feedback.c.entry_id).where(*wrong)).scalars())

    def said(self, entry_ids: Collection[int]) -> tuple[Said, ...]:
        """What peers that were not revoked say of entries."""
        found: list[Said] = []
        for part in some_of(entry_ids):
            some = peer_feedback.c.entry_id.in_(part)
            found += map(_said, self._connection.execute(_what_is_said().where(some)))
        return tuple(found)

    def all_said(self, limit: int) -> tuple[Said, ...]:
        """What they say, newest first."""
        newest = _what_is_said().order_by(peer_feedback.c.at.desc(), peer_feedback.c.entry_id).limit(limit)
        return tuple(_said(row) for row in self._connection.execute(newest))


def _may_read(grant: Grant) -> ColumnElement[bool]:
    """What people of ours have added; with lists, also what an exchange says that is no peer itself."""
    by_people = entries.c.by_hand == _ADDED
    if not grant.with_lists:
        return by_people
    by_list = exists().where(
        holdings.c.entry_id == entries.c.id,
        source_records.c.id == holdings.c.record_id,
        source_records.c.withdrawn_at.is_(None),
        exchanges.c.id == source_records.c.exchange_id,
        exchanges.c.kind != _KIND,
    )
    return or_(by_people, by_list)


def _entries(grant: Grant, after: int) -> Select[Any]:
    """Live entries after a change number. One that was only on a list is reported as gone once no list says it."""
    may_read = _may_read(grant)
    # The index on `sequence` is the one to walk; `+ 0` keeps the planner from sorting the whole bank instead.
    wanted = (
        select(entries.c.id, entries.c.sequence, may_read.label("may_read"))
        .where(entries.c.bank_id + 0 == grant.bank.id, entries.c.sequence > after, entries.c.withdrawn_at.is_(None))
        .order_by(entries.c.sequence)
    )
    return wanted if grant.with_lists else wanted.where(may_read)


def _gone(grant: Grant, after: int) -> Select[Any]:
    return (
        select(tombstones.c.entry_id.label("id"), tombstones.c.sequence, false().label("may_read"))
        .where(tombstones.c.bank_id == grant.bank.id, tombstones.c.sequence > after)
        .order_by(tombstones.c.sequence)
    )


def _change(row: Row[Any]) -> Change:
    return Change(sequence=row.sequence, entry_id=row.id, gone=not row.may_read)


def _what_is_said() -> Select[Any]:
    return (
        select(peer_feedback, banks.c.name)
        .join(keys, and_(keys.c.name == peer_feedback.c.key_name, keys.c.revoked_at.is_(None)))
        .join(entries, entries.c.id == peer_feedback.c.entry_id)
        .join(banks, banks.c.id == entries.c.bank_id)
    )


def _said(row: Row[Any]) -> Said:
    return Said(peer=row.key_name, entry_id=row.entry_id, feedback=Feedback(row.feedback), at=row.at, bank=row.name)
