"""One check of one upload, as it is remembered.

An upload that is clear leaves a counter and, while look-back is on, its signals for some days (`model.look_back`). One
that is held, blocked or unchecked, or that a bank logs, leaves a `Scan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.model.bank import Category
from jikimi.model.ids import CaseId, ScanId
from jikimi.model.match import Disposition, Ground, Verdict, View
from jikimi.model.media import RETRYABLE, MediaKind, Reason
from jikimi.model.signal import Signal, Variant

MAX_REFERENCE = 1024
"""Characters of `content_id` and `account_id`; longer ones are refused at the door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What the caller says about a file: who sent it (`source`), their name for it, their name for the account."""

    source: str
    received_at: datetime
    content_id: str = ""
    account_id: str = ""
    url: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the bytes themselves say. Digests are hexadecimal, empty where the bytes were not read to their end."""

    kind: MediaKind
    size: int
    sha256: str = ""
    sha1: str = ""
    md5: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One picture as it was seen, with its signal in all eight positions."""

    view: View
    variants: tuple[tuple[Variant, Signal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What can be said of the bytes alone, before anything is looked up."""

    content: Content
    digests: tuple[Signal, ...]
    seen: tuple[Seen, ...]
    frames: int
    faults: tuple[Reason, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals that were compared, as the picture lies."""
        return (*self.digests, *(seen.view.signal for seen in self.seen))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A check that is remembered. `signals` are what was compared; `elapsed_ms` is how long the answer took.

    `rechecked_at` is when it was checked again: a second look at the same bytes, or, where the verdict says
    `found_later`, a look back at its signals when an entry came that knows it.
    """

    id: ScanId
    upload: Upload
    content: Content
    verdict: Verdict
    signals: tuple[Signal, ...] = ()
    elapsed_ms: int = 0
    case_id: CaseId | None = None
    rechecked_at: datetime | None = None

    @property
    def recognised_at(self) -> datetime | None:
        """When a later entry recognised it; none if the upload itself was answered this way."""
        return self.rechecked_at if Ground.FOUND_LATER in self.verdict.reasons else None


def is_canary(verdict: Verdict) -> bool:
    """Tell whether this is our own canary, which is nobody's upload."""
    return bool(verdict.matches) and all(match.category is Category.CANARY for match in verdict.matches)


def is_remembered(verdict: Verdict) -> bool:
    """A clear upload that no bank logs leaves no scan, and neither does the canary."""
    if is_canary(verdict):
        return False
    return verdict.disposition is not Disposition.CLEAR or bool(verdict.matches)


def needs_recheck(verdict: Verdict) -> bool:
    """Tell whether checking the same bytes again later may bring an answer."""
    return verdict.disposition is Disposition.UNCHECKED and any(Reason(r) in RETRYABLE for r in _faults(verdict))


def _faults(verdict: Verdict) -> list[str]:
    return [reason for reason in verdict.reasons if reason in set(Reason)]
