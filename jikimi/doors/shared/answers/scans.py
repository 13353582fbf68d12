"""What was found in an upload, as callers see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.model.bank import Category, OnMatch
from jikimi.model.exchange import Opinion, Trust
from jikimi.model.match import Disposition, Match
from jikimi.model.media import MediaKind
from jikimi.model.scan import Scan
from jikimi.model.signal import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingAnswer:
    """What was known of an entry when it matched: what its lists think of it, and when they changed it last."""

    opinion: Opinion
    trust: Trust
    labels: list[str]
    listed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchAnswer:
    """A bank entry that is near enough. `distance`: bits of 256, 0 for digests. `on_match`: what it does now."""

    bank: str
    category: Category
    on_match: OnMatch
    source: str
    entry_id: int
    signal_type: str
    distance: int
    variant: Variant
    frame: int
    flattened: bool
    standing: StandingAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageAnswer:
    """What was compared. `quality`: 0 to 100, the best picture of the file; null without a picture."""

    signals: list[str]
    frames: int
    quality: int | None
    index_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAnswer:
    """A signal of the upload: hexadecimal value, and a quality of 0 to 100 where the type has one."""

    type: str
    value: str
    quality: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanAnswer:
    """The answer about one upload. Digests are empty where the bytes were not read to their end."""

    scan_id: str
    verdict: Disposition
    reasons: list[str]
    signals: list[SignalAnswer]
    matches: list[MatchAnswer]
    coverage: CoverageAnswer
    case_id: str | None
    elapsed_ms: int
    content_id: str
    account_id: str
    url: str
    filename: str
    source: str
    received_at: datetime
    rechecked_at: datetime | None
    kind: MediaKind
    size: int
    sha256: str
    sha1: str
    md5: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalMatches:
    """The matches of one signal, nearest first."""

    type: str
    value: str
    matches: list[MatchAnswer]


def match_answer(match: Match) -> MatchAnswer:
    """Write a match."""
    return MatchAnswer(
        bank=match.bank,
        category=match.category,
        on_match=match.effect,
        source=match.source,
        entry_id=match.entry_id,
        signal_type=match.type,
        distance=match.distance,
        variant=match.variant,
        frame=match.frame,
        flattened=match.flattened,
        standing=StandingAnswer(
            opinion=match.standing.opinion,
            trust=match.standing.trust,
            labels=list(match.standing.labels),
            listed_at=match.standing.listed_at,
        ),
    )


def scan_answer(scan: Scan) -> ScanAnswer:
    """Write a scan."""
    verdict, content, upload = scan.verdict, scan.content, scan.upload
    return ScanAnswer(
        scan_id=scan.id,
        verdict=verdict.disposition,
        reasons=[str(reason) for reason in verdict.reasons],
        signals=[SignalAnswer(type=one.type, value=one.text, quality=one.quality) for one in scan.signals],
        matches=[match_answer(match) for match in verdict.matches],
        coverage=CoverageAnswer(
            signals=list(verdict.coverage.signals),
            frames=verdict.coverage.frames,
            quality=verdict.coverage.quality,
            index_version=verdict.coverage.index_version,
        ),
        case_id=scan.case_id,
        elapsed_ms=scan.elapsed_ms,
        content_id=upload.content_id,
        account_id=upload.account_id,
        url=upload.url,
        filename=upload.filename,
        source=upload.source,
        received_at=upload.received_at,
        rechecked_at=scan.rechecked_at,
        kind=content.kind,
        size=content.size,
        sha256=content.sha256,
        sha1=content.sha1,
        md5=content.md5,
        width=content.width,
        height=content.height,
    )
