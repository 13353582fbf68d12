"""Evidence: bytes that are kept, sealed to a key that scanning nodes do not have.

Decided here: what is kept of an upload, how much of it each level of a look shows, and when it may be destroyed. How
it is sealed is `vault`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from jikimi.model.case import opens_case
from jikimi.model.errors import Refused
from jikimi.model.exposure import Level
from jikimi.model.ids import CaseId, EvidenceId
from jikimi.model.match import Verdict
from jikimi.model.media import MediaKind
from jikimi.model.scan import is_remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What sealing gave: where the sealed bytes lie, and the key to them, wrapped to one recipient.

    `recipient` names the evidence key (its fingerprint). `blob` is the name of the bytes in the store for blobs.
    """

    blob: str
    wrapped_key: bytes
    recipient: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceKey:
    """A public key that evidence is or was sealed to. The one made last is the present one."""

    fingerprint: str
    public: bytes
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceItem:
    """One content that is kept. There is at most one live item for a content (sha256).

    `held_by` are the cases with a legal hold on it. A destroyed item keeps its row, without `wrapped_key`.
    """

    id: EvidenceId
    sha256: str
    kind: MediaKind
    sealed: Sealed
    sealed_at: datetime
    held_by: tuple[str, ...] = ()
    destroyed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A picture made on the server for one look: 8-bit RGB or grey pixels already encoded for a browser."""

    media_type: str
    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is drawn for one level: the longer side in pixels, with or without colours, blurred or not."""

    side: int
    grey: bool
    blur: bool = False


LOOKS = {
    Level.BLURRED: Look(side=160, grey=True, blur=True),
    Level.GREY: Look(side=640, grey=True),
    Level.SPOT: Look(side=1280, grey=False),
    Level.FULL: Look(side=1280, grey=False),
}
"""Sizes are choices: 160 is a thumbnail, 640 shows what is going on, 1280 fills a page. No level is the original."""


def keeps_bytes(verdict: Verdict) -> bool:
    """Tell whether the bytes are evidence: people will have to look, or an authority may ask."""
    return opens_case(verdict) and is_remembered(verdict)


def look_at(level: Level) -> Look:
    """What a level shows; `Refused` for metadata, which needs no picture."""
    if level not in LOOKS:
        raise Refused("level_without_picture", f"At level {level} there is no picture; ask for {', '.join(LOOKS)}.")
    return LOOKS[level]


def held(item: EvidenceItem, case_id: CaseId) -> EvidenceItem:
    """The item under legal hold for a case."""
    return replace(item, held_by=tuple(dict.fromkeys((*item.held_by, case_id))))


def released(item: EvidenceItem, case_id: CaseId) -> EvidenceItem:
    """The item without that case's legal hold; those of other cases stay."""
    return replace(item, held_by=tuple(one for one in item.held_by if one != case_id))


def check_destruction(item: EvidenceItem) -> None:
    """Refuse to destroy what is under legal hold, or gone already."""
    if item.destroyed_at is not None:
        raise Refused("evidence_destroyed", f"Evidence {item.id} was destroyed on {item.destroyed_at:%Y-%m-%d}.")
    if item.held_by:
        raise Refused(
            "evidence_held",
            f"Evidence {item.id} is under legal hold for {', '.join(item.held_by)}: lift the hold there first.",
        )
