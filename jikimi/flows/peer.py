"""Banks are shared with a peer: another service that reads them, and says what it thinks of their entries.

1  an operator grants a bank: what our people added, or with lists as well; the peer gets a key, once
2  the peer asks for what has changed after a checkpoint, and gets it in the order of the changes, withdrawals among it
3  what is not (or not any more) for its eyes has gone for it; what came to us from a peer is told to no other
4  every answer is signed, so that nobody on the way can add to a list
5  the peer says what it saw, and whether a person there found it right; what it calls wrong is disputed from then on
   for all peers. Here nothing changes by that: our own people added it, and our own people have to look
6  an operator revokes the peer, and what only it disputed is disputed no more

An entry that sleeps has gone for peers; that it is awake again is a change like every other (`wake`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jikimi.flows.bank import named
from jikimi.flows.key import new_key
from jikimi.model.bank import BankEntry
from jikimi.model.errors import Refused
from jikimi.model.exchange import Feedback, Opinion
from jikimi.model.peer import (
    MARK_DIGITS,
    TAKEN,
    Change,
    Checkpoint,
    Grant,
    Said,
    SharedPage,
    Signature,
    check_shareable,
    read_checkpoint,
    signed_text,
    stale,
)
from jikimi.model.people import Key, Scope
from jikimi.ports import Kit, Tx

_WOKEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBank:
    """A bank that a peer may read, with how much of it."""

    grant: Grant
    size: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinioned:
    """What a peer says of one entry."""

    entry_id: int
    feedback: Feedback
    at: datetime


def allow_peer(kit: Kit, actor: str, name: str, banks: Sequence[str], *, with_lists: bool) -> str:
    """Step 1: the secret of the peer's key, or nothing if it has one already."""
    if not banks:
        raise Refused("bank_missing", "Say which banks the peer may read: --bank NAME, as often as you like.")
    with kit.store.begin() as tx:
        key = tx.keys.get(name)
        is_peer = key is not None and key.revoked_at is None and Scope.PEER in key.scopes
        secret = "" if is_peer else new_key(kit, tx, actor, name, [Scope.PEER])
        for bank in dict.fromkeys(banks):
            found = named(tx, bank)
            check_shareable(found)
            tx.peers.grant(
                Grant(peer=name, bank=found, with_lists=with_lists, granted_by=actor, granted_at=kit.clock())
            )
            _audit(kit, tx, actor, "peer.allowed", name, bank=bank, with_lists=with_lists)
    return secret


def revoke_peer(kit: Kit, actor: str, name: str) -> None:
    """Step 6: no call of the peer succeeds from now on."""
    with kit.store.begin() as tx:
        if not tx.peers.grants(name):
            raise Refused("peer_unknown", f"There is no peer {name[:64]!r}; `jikimi peer list` shows those there are.")
        tx.entries.touch(sorted(tx.peers.disputed_by(name)))
        tx.peers.withdraw(name)
        tx.keys.revoke(name, kit.clock())
        _audit(kit, tx, actor, "peer.revoked", name)


def list_peers(kit: Kit) -> tuple[Grant, ...]:
    """Who may read what."""
    with kit.store.read() as tx:
        return tx.peers.grants()


def shared_with(kit: Kit, key: Key) -> tuple[SharedBank, ...]:
    """What a peer may read."""
    with kit.store.read() as tx:
        grants = tx.peers.grants(key.name)
        return tuple(SharedBank(grant=grant, size=dict(tx.peers.size(grant, kit.clock()))) for grant in grants)


def read_page(kit: Kit, key: Key, bank: str, untrusted_after: str, limit: int) -> SharedPage:
    """Steps 2 and 3, in one reading: writers take turns, so nothing below the last change number is still to come."""
    origin = kit.store.identity()
    with kit.store.read() as tx:
        grant = _granted(tx, key, bank)
        after = read_checkpoint(untrusted_after, grant.bank, with_lists=grant.with_lists)
        end = tx.entries.sequence()
        if after.sequence > end or tx.audit.digest(after.event)[:MARK_DIGITS] != after.mark:
            raise stale()
        changes = tx.peers.changes(grant, after.sequence, limit + 1)
        has_more, changes = len(changes) > limit, changes[:limit]
        reached = changes[-1].sequence if has_more else end
        entries = _shown(kit, tx, changes)
        shown = {entry.id for entry in entries}
        return SharedPage(
            origin=origin,
            bank=bank,
            after=untrusted_after,
            checkpoint=_checkpoint(tx, grant, reached),
            entries=entries,
            gone=tuple(dict.fromkeys(change.entry_id for change in changes if change.entry_id not in shown)),
            has_more=has_more,
        )


def sign_answer(kit: Kit, method: str, target: str, body: bytes) -> str:
    """Step 4: the header of an answer."""
    at = int(kit.clock().timestamp())
    value = kit.peer_key.sign(signed_text(method, target, at, body))
    return str(Signature(at=at, key=kit.peer_key.public, value=value))


def take_feedback(kit: Kit, key: Key, bank: str, opinions: Sequence[Opinioned]) -> int:
    """Step 5: how many opinions were about entries that the peer may read; others are passed over in silence."""
    if any(one.feedback not in TAKEN for one in opinions):
        raise Refused("feedback_untaken", f"A peer says {', '.join(TAKEN)}; a new signal belongs in a bank of its own.")
    with kit.store.begin() as tx:
        grant = _granted(tx, key, bank)
        known = tx.peers.readable(grant, [one.entry_id for one in opinions])
        said = [
            Said(peer=key.name, entry_id=one.entry_id, feedback=one.feedback, at=min(one.at, kit.clock()))
            for one in opinions
            if one.entry_id in known
        ]
        before = _disputed(tx, known)
        tx.peers.say(said)
        wrong = [one.entry_id for one in said if one.feedback is Feedback.FALSE_POSITIVE]
        tx.entries.touch(sorted(before ^ _disputed(tx, known)))
        _audit(kit, tx, key.name, "peer.said", key.name, bank=bank, taken=len(said), false_positive=len(wrong))
    if wrong:
        kit.log.warning("peer_disputes", peer=key.name, bank=bank, entries=len(wrong))
    return len(said)


def what_peers_say(kit: Kit, limit: int) -> tuple[Said, ...]:
    """What peers think of our entries, newest first."""
    with kit.store.read() as tx:
        return tx.peers.all_said(limit)


def wake(kit: Kit) -> None:
    """Entries whose sleep is over become a change that peers hear of."""
    with kit.store.read() as tx:
        if not tx.entries.woken(kit.clock(), 1):
            return
    with kit.store.begin() as tx:
        tx.entries.wake(tx.entries.woken(kit.clock(), _WOKEN_AT_ONCE))


def _granted(tx: Tx, key: Key, bank: str) -> Grant:
    """What a peer may read; a bank that it may not read and one that is not there are the same to it."""
    grant = tx.peers.get(key.name, bank)
    if grant is None:
        raise Refused("bank_unknown", f"There is no bank {bank[:80]!r} for this key; `/v1/peer/banks` lists what is.")
    return grant


def _checkpoint(tx: Tx, grant: Grant, reached: int) -> Checkpoint:
    head = tx.audit.head()
    return Checkpoint(
        bank_id=grant.bank.id,
        with_lists=grant.with_lists,
        sequence=reached,
        event=head.seq,
        mark=head.digest[:MARK_DIGITS],
    )


def _shown(kit: Kit, tx: Tx, changes: Sequence[Change]) -> tuple[BankEntry, ...]:
    """Step 3: the entries themselves, in the order of their changes, as far as they count now."""
    ids = [change.entry_id for change in changes if not change.gone]
    live = tx.entries.live(ids, kit.clock())
    disputed = _disputed(tx, ids)
    found = [live[entry_id] for entry_id in ids if entry_id in live]
    believed = [entry for entry in found if entry.standing.opinion is not Opinion.NEGATIVE]
    return tuple(_with_doubt(entry) if entry.id in disputed else entry for entry in believed)


def _with_doubt(entry: BankEntry) -> BankEntry:
    return replace(entry, standing=replace(entry.standing, opinion=Opinion.DISPUTED))


def _disputed(tx: Tx, entry_ids: Collection[int]) -> set[int]:
    return {one.entry_id for one in tx.peers.said(entry_ids) if one.feedback is Feedback.FALSE_POSITIVE}


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, name: str, **detail: str | int | bool) -> None:
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=f"peer:{name}", detail=detail)
