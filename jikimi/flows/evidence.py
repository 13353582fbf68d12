"""Evidence is sealed, kept, looked at, held, and destroyed.

1  the bytes of a held or blocked upload are sealed and stored, unless the same content is kept already
2  the row that names them commits with the scan; without it the bytes are an orphan, and are swept
3  a look is written into the audit chain first; then the bytes are opened in memory, decoded in the locked child, and
   drawn anew at the level that was asked for
4  a legal hold keeps an item from being destroyed, until the last case that holds it lets go
5  destroying forgets the key, then deletes the bytes: neither is of use without the other

Sealing that fails never changes a verdict to something milder and never loses it: the answer says `evidence_unsealed`,
it is counted and logged, and the next upload of the same content is sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import BinaryIO

from jikimi.model.audit import Detail
from jikimi.model.errors import Broken, JikimiError, Refused
from jikimi.model.evidence import (
    EvidenceItem,
    Rendered,
    Sealed,
    check_destruction,
    held,
    keeps_bytes,
    look_at,
    released,
)
from jikimi.model.exposure import Level
from jikimi.model.ids import CaseId, EvidenceId
from jikimi.model.match import without_evidence
from jikimi.model.people import Permission, Person, allow
from jikimi.model.scan import Content, Scan
from jikimi.ports import Kit, Tx

PREFIX = "evidence"
"""First part of the name of every blob with sealed evidence."""
_SWEEP_AFTER = timedelta(hours=1)
"""Bytes are written before the row that names them; younger ones may belong to a row that is still to come."""
_NAMES_A_QUERY = 500


def secure(kit: Kit, answer: Scan, file: BinaryIO, *, for_people: bool = False) -> tuple[Scan, Sealed | None]:
    """Step 1 for an answer that is to be stored: what was sealed, if anything; or the answer says that it was not.

    `for_people`: somebody has asked people to look, so the bytes are kept whatever the answer.
    """
    if not (keeps_bytes(answer.verdict) or (for_people and answer.content.sha256)):
        return answer, None
    try:
        return answer, seal_upload(kit, answer.content, file)
    except Exception as error:  # noqa: BLE001 - whatever it is, the verdict must not be lost with it; it is recorded
        code = error.code if isinstance(error, JikimiError) else type(error).__name__
        kit.tally.note("evidence_unsealed")
        kit.log.error("evidence_unsealed", scan=answer.id, code=code, fault=repr(error))
        return replace(answer, verdict=without_evidence(answer.verdict)), None


def seal_upload(kit: Kit, content: Content, file: BinaryIO) -> Sealed | None:
    """Step 1: seal and store; none if the same content is kept already. Call `keep` in the transaction that follows."""
    with kit.store.read() as tx:
        if tx.evidence.of_content(content.sha256) is not None:
            return None
    sealed, blob = kit.vault.seal(file, content.sha256)
    with blob:
        kit.blobs.put(sealed.blob, blob)
    return sealed


def keep(kit: Kit, tx: Tx, content: Content, sealed: Sealed) -> EvidenceItem:
    """Step 2: the row. If somebody else was quicker, theirs is returned and our bytes stay an orphan."""
    kept = tx.evidence.of_content(content.sha256)
    if kept is not None:
        return kept
    item = EvidenceItem(
        id=EvidenceId(kit.ids("ev")), sha256=content.sha256, kind=content.kind, sealed=sealed, sealed_at=kit.clock()
    )
    tx.evidence.add(item)
    _audit(kit, tx, "jikimi", "evidence.sealed", item, {"sha256": item.sha256, "recipient": sealed.recipient})
    return item


def render(
    kit: Kit,
    person: Person,
    item: EvidenceItem,
    *,
    level: Level,
    case_id: CaseId,
    reason: str,
    frame: int = 0,
    flattened: bool = False,
) -> Rendered:
    """Step 3: a picture for one look. Who looks, for which case and why is on record before a byte is opened.

    `frame` and `flattened` are those of the match, so that what was found is what is seen.
    """
    allow(person, Permission.REVEAL)
    look = look_at(level)
    with kit.store.begin() as tx:
        facts: Detail = {"case": case_id, "level": level.value, "reason": reason, "frame": frame}
        _audit(kit, tx, f"person:{person.id}", "evidence.opened", item, facts)
    with open_blob(kit, item) as blob, kit.vault.open(item, blob) as content:
        return kit.renderer.render(content, item.kind, look, frame=frame, flattened=flattened)


def open_blob(kit: Kit, item: EvidenceItem) -> BinaryIO:
    """The sealed bytes of a live item; `Broken` if they are not in this node's store."""
    if item.destroyed_at is not None:
        raise Refused("evidence_destroyed", f"Evidence {item.id} was destroyed on {item.destroyed_at:%Y-%m-%d}.")
    blob = kit.blobs.get(item.sealed.blob)
    if blob is None:
        raise Broken(
            "evidence_missing",
            f"The sealed bytes of evidence {item.id} are not in this node's store: look on the node that sealed them, "
            "or in a backup.",
        )
    return blob


def hold(
    kit: Kit, tx: Tx, sha256s: Iterable[str], case_id: CaseId, *, actor: str = "jikimi"
) -> tuple[EvidenceItem, ...]:
    """Step 4: put what is kept of these contents under legal hold for a case; the items, fewer if not all is kept."""
    items = tuple(held(item, case_id) for item in _kept(tx, sha256s))
    for item in items:
        tx.evidence.update(item)
        _audit(kit, tx, actor, "evidence.held", item, {"case": case_id})
    return items


def release(
    kit: Kit, tx: Tx, sha256s: Iterable[str], case_id: CaseId, *, actor: str = "jikimi", reason: str = ""
) -> tuple[EvidenceItem, ...]:
    """Step 4: lift a case's legal hold; the items that it held. Holds of other cases stay."""
    items = tuple(item for item in _kept(tx, sha256s) if case_id in item.held_by)
    for item in items:
        tx.evidence.update(released(item, case_id))
        _audit(kit, tx, actor, "evidence.released", item, {"case": case_id, "reason": reason})
    return items


def lift_hold(kit: Kit, actor: str, case_id: CaseId, reason: str) -> tuple[EvidenceItem, ...]:
    """Step 4 without a decision: the items that the case held; `Refused` if it held none."""
    with kit.store.begin() as tx:
        case = tx.cases.get(case_id)
        items = release(kit, tx, case.contents if case else (), case_id, actor=actor, reason=reason)
        if not items:
            raise Refused("hold_unknown", f"Case {case_id[:64]!r} holds no evidence.")
    return items


def destroy(kit: Kit, actor: str, item_id: EvidenceId, reason: str) -> EvidenceItem:
    """Step 5: make an item unrecoverable; `Refused` while it is held. Backups of key and bytes are not reached."""
    with kit.store.begin() as tx:
        item = tx.evidence.get(item_id)
        if item is None:
            raise Refused("evidence_unknown", f"There is no evidence {item_id[:64]!r}.")
        check_destruction(item)
        tx.evidence.destroyed(item.id, kit.clock())
        _audit(kit, tx, actor, "evidence.destroyed", item, {"sha256": item.sha256, "reason": reason})
    kit.store.scrub()
    kit.blobs.delete(item.sealed.blob)  # a crash before this leaves an orphan
    return item


def sweep_orphans(kit: Kit) -> int:
    """Delete sealed bytes that no live item names, and halves that a crash left, an hour after; how many there were."""
    before = kit.clock() - _SWEEP_AFTER
    old = (name for name, written_at in kit.blobs.list(PREFIX) if written_at < before)
    swept = kit.blobs.tidy(before)
    for names in _chunks(old):
        with kit.store.read() as tx:
            live = tx.evidence.live_blobs(names)
        for name in set(names) - live:
            kit.blobs.delete(name)
            swept += 1
    return swept


def _kept(tx: Tx, sha256s: Iterable[str]) -> list[EvidenceItem]:
    found = (tx.evidence.of_content(sha256) for sha256 in dict.fromkeys(sha256s))
    return [item for item in found if item is not None]


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, item: EvidenceItem, detail: Detail) -> None:
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=item.id, detail=detail)


def _chunks(names: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(names, _NAMES_A_QUERY)):
        yield chunk
