"""The evidence key of an installation is made, followed by every node, rotated, written down, and brought back.

1  the first start makes a key: the private part stays on that node, the public part is recorded in the database
2  every node seals to the key that was recorded last; it keeps it as a file and compares once a minute
3  a rotation makes another key, records it, and wraps the key of every item anew; sealed bytes are not touched
4  the private key is written down on a recovery sheet, and comes back from it; both are audited
5  everything that is kept can be opened for a check, without being shown to anybody
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jikimi.flows.evidence import open_blob
from jikimi.model.errors import Broken, Refused
from jikimi.model.evidence import EvidenceItem, EvidenceKey
from jikimi.ports import Kit, Tx

_ITEMS_A_STEP = 100
"""Items wrapped anew in one transaction: some 50 ms in which nobody else writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """One evidence key: is it sealed to now, can this node open with it, how much depends on it, is it on paper."""

    fingerprint: str
    is_present: bool
    is_here: bool
    items: int
    was_written_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """How many items were wrapped to the present key, and how many could not be."""

    done: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """An item that cannot be opened, and why."""

    item: EvidenceItem
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a check of everything that is kept has found. `locked`: the private key is not on this node."""

    sound: int
    locked: int
    damaged: tuple[Damage, ...]


def settle_key(kit: Kit) -> str:
    """Steps 1 and 2: make sure that there is a key and that this node seals to it; its fingerprint."""
    with kit.store.read() as tx:
        keys = tx.evidence.known_keys()
    if not keys:
        public = kit.vault.keys.present() or kit.vault.keys.make()
        with kit.store.begin() as tx:
            keys = tx.evidence.known_keys() or (_record(kit, tx, public),)  # another node may have been quicker
    kit.vault.keys.adopt(keys[-1].public)
    return keys[-1].fingerprint


def key_states(kit: Kit) -> tuple[KeyState, ...]:
    """All keys, the present one last."""
    held = kit.vault.keys.held()
    with kit.store.read() as tx:
        keys, items = tx.evidence.known_keys(), tx.evidence.counts()
        return tuple(
            KeyState(
                fingerprint=key.fingerprint,
                is_present=key is keys[-1],
                is_here=key.fingerprint in held,
                items=items.get(key.fingerprint, 0),
                was_written_down=_was_written_down(tx, key.fingerprint),
            )
            for key in keys
        )


def rotate(kit: Kit, actor: str) -> Rewrapped:
    """Step 3: from now on evidence is sealed to another key, and what is kept is wrapped to it."""
    old = settle_key(kit)
    public = kit.vault.keys.make()
    with kit.store.begin() as tx:
        new = _record(kit, tx, public)
        tx.audit.append(
            at=kit.clock(), actor=actor, verb="evidence_key.rotated", object_=f"evidence_key:{new.fingerprint}",
            detail={"before": old},
        )  # fmt: skip
    settle_key(kit)
    return rewrap(kit)


def rewrap(kit: Kit) -> Rewrapped:
    """Step 3 again, for what a crash or a node that had not followed yet has left at an older key."""
    present, held = settle_key(kit), kit.vault.keys.held()
    with kit.store.read() as tx:
        counts = {key: count for key, count in tx.evidence.counts().items() if key != present}
    left = sum(count for key, count in counts.items() if key not in held)
    steps = [_rewrap_all(kit, key) for key in counts if key in held]
    return Rewrapped(done=sum(one.done for one in steps), left=left + sum(one.left for one in steps))


def write_down(kit: Kit, actor: str, fingerprint: str = "") -> str:
    """Step 4: the recovery sheet of a key, of the present one unless another is named. It is in no log."""
    wanted = fingerprint or settle_key(kit)
    sheet = kit.vault.keys.sheet(wanted)
    with kit.store.begin() as tx:
        tx.audit.append(
            at=kit.clock(), actor=actor, verb="evidence_key.written_down", object_=f"evidence_key:{wanted}", detail={}
        )
    return sheet


def restore(kit: Kit, actor: str, untrusted_sheet: str) -> str:
    """Step 4: bring a private key to this node; `Refused` if evidence was never sealed to it. Its fingerprint."""
    fingerprint = kit.vault.keys.fingerprint_of(kit.vault.keys.read(untrusted_sheet))
    with kit.store.read() as tx:
        is_ours = fingerprint in {key.fingerprint for key in tx.evidence.known_keys()}
    if not is_ours:
        raise Refused(
            "evidence_key_unknown",
            f"This sheet is of evidence key {fingerprint}, which was never used here; take another.",
        )
    kit.vault.keys.restore(untrusted_sheet)
    with kit.store.begin() as tx:
        tx.audit.append(
            at=kit.clock(), actor=actor, verb="evidence_key.restored", object_=f"evidence_key:{fingerprint}", detail={}
        )
    return fingerprint


def inspect(kit: Kit, actor: str) -> Inspection:
    """Step 5: open everything that this node has the keys to, byte by byte, and forget it again."""
    held, sound, locked, damaged = kit.vault.keys.held(), 0, 0, []
    with kit.store.read() as tx:
        counts = tx.evidence.counts()
    for recipient, count in counts.items():
        if recipient not in held:
            locked += count
            continue
        for item in _items(kit, recipient):
            code = _fault_of(kit, item)
            sound += not code
            damaged += [Damage(item=item, code=code)] if code else []
    with kit.store.begin() as tx:
        tx.audit.append(
            at=kit.clock(), actor=actor, verb="evidence.inspected", object_="evidence",
            detail={"sound": sound, "locked": locked, "damaged": len(damaged)},
        )  # fmt: skip
    return Inspection(sound=sound, locked=locked, damaged=tuple(damaged))


def _record(kit: Kit, tx: Tx, public: bytes) -> EvidenceKey:
    key = EvidenceKey(fingerprint=kit.vault.keys.fingerprint_of(public), public=public, made_at=kit.clock())
    tx.evidence.add_key(key)
    return key


def _rewrap_all(kit: Kit, recipient: str) -> Rewrapped:
    done = left = 0
    after = None
    while True:
        with kit.store.begin() as tx:
            items = tx.evidence.sealed_to(recipient, _ITEMS_A_STEP, after)
            for item in items:
                try:
                    tx.evidence.update(kit.vault.rewrap(item))
                    done += 1
                except Broken as error:
                    kit.log.error("evidence_not_rewrapped", item=item.id, code=error.code)
                    left += 1
        if not items:
            return Rewrapped(done=done, left=left)
        after = items[-1].id


def _items(kit: Kit, recipient: str) -> Iterator[EvidenceItem]:
    after = None
    while True:
        with kit.store.read() as tx:
            items = tx.evidence.sealed_to(recipient, _ITEMS_A_STEP, after)
        if not items:
            return
        yield from items
        after = items[-1].id


def _fault_of(kit: Kit, item: EvidenceItem) -> str:
    try:
        with open_blob(kit, item) as blob:
            kit.vault.check(item, blob)
    except Broken as error:
        return error.code
    return ""


def _was_written_down(tx: Tx, fingerprint: str) -> bool:
    return any(event.verb == "evidence_key.written_down" for event in tx.audit.events(f"evidence_key:{fingerprint}"))
