"""Evidence: bytes that are kept, sealed to a key that scanning nodes do not have.

Decided here: what is kept of an upload, what a sealed object is called, and when it may be destroyed. How it is sealed
is `vault`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.model.ids import EvidenceId
from jikimi.model.media import MediaKind


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
