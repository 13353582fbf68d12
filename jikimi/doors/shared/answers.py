"""The objects that callers see, the same over HTTP and on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.flows.account import CaseStory
from jikimi.flows.bank import BankView
from jikimi.flows.enforce import ActionStory
from jikimi.model.action import Action, ActionState, Target, Verb
from jikimi.model.appeal import Appeal, AppealState
from jikimi.model.audit import AuditEvent
from jikimi.model.bank import BankEntry, Category, OnMatch
from jikimi.model.case import Case, CaseState
from jikimi.model.match import Disposition, Match
from jikimi.model.media import MediaKind
from jikimi.model.scan import Scan
from jikimi.model.signal import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchAnswer:
    """A bank entry that is near enough. `distance`: bits of 256, 0 for digests. `on_match`: what the bank does now."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """A bank. `entries`: live ones by signal type. `flooded_at`: since when it only holds, having matched too often."""

    name: str
    category: Category
    on_match: OnMatch
    max_distance: int
    quality_floor: int
    source: str
    note: str
    enabled: bool
    created_at: datetime
    flooded_at: datetime | None
    entries: dict[str, int]
    withdrawn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAnswer:
    """One entry of a bank."""

    id: int
    type: str
    value: str
    quality: int | None
    note: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAnswer:
    """A case without its history. `severity`: 5 is gravest. `contents`: sha256 of what it is about."""

    case_id: str
    kind: Category
    severity: int
    state: CaseState
    opened_at: datetime
    updated_at: datetime
    contents: list[str]
    accounts: list[str]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAnswer:
    """One thing that happened, as the audit chain has it."""

    seq: int
    at: datetime
    actor: str
    verb: str
    detail: dict[str, str | int | bool | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStoryAnswer:
    """A case with its newest scans and its history."""

    case: CaseAnswer
    scans: list[ScanAnswer]
    events: list[EventAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionAnswer:
    """Something that the platform is told to do. Without an `action` it is told how an appeal has ended.

    `place`: order within the case. `receipt`: what the platform answered, up to 4096 characters.
    """

    action_id: str
    case_id: str
    decision_id: str | None
    place: int
    action: Verb | None
    targets: list[Target]
    reasons: list[str]
    idempotency_key: str
    state: ActionState
    created_at: datetime
    tries: int
    delivered_at: datetime | None
    receipt: str
    received_at: datetime | None
    undo_of: str | None
    appeal_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAnswer:
    """One try to deliver an action. `status`: the HTTP status of the answer, 0 if there was none; then `error`."""

    at: datetime
    status: int
    error: str
    elapsed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStoryAnswer:
    """An action with every try to deliver it, oldest first."""

    action: ActionAnswer
    deliveries: list[DeliveryAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealAnswer:
    """An appeal. `state`: `open` until another person has decided, then `upheld` or `overturned`."""

    appeal_id: str
    case_id: str
    decision_id: str
    reference: str
    state: AppealState
    received_at: datetime
    decided_at: datetime | None


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


def bank_answer(view: BankView) -> BankAnswer:
    """Write a bank."""
    policy = view.bank.policy
    return BankAnswer(
        name=policy.name,
        category=policy.category,
        on_match=policy.on_match,
        max_distance=policy.max_distance,
        quality_floor=policy.quality_floor,
        source=policy.source,
        note=policy.note,
        enabled=policy.enabled,
        created_at=view.bank.created_at,
        flooded_at=view.bank.flooded_at,
        entries=view.size.live,
        withdrawn=view.size.withdrawn,
    )


def entry_answer(entry: BankEntry) -> EntryAnswer:
    """Write an entry."""
    signal = entry.signal
    return EntryAnswer(
        id=entry.id,
        type=signal.type,
        value=signal.text,
        quality=signal.quality,
        note=entry.note,
        added_at=entry.added_at,
    )


def case_answer(case: Case) -> CaseAnswer:
    """Write a case."""
    return CaseAnswer(
        case_id=case.id,
        kind=case.kind,
        severity=case.severity,
        state=case.state,
        opened_at=case.opened_at,
        updated_at=case.updated_at,
        contents=list(case.contents),
        accounts=list(case.accounts),
        version=case.version,
    )


def action_answer(action: Action) -> ActionAnswer:
    """Write an action."""
    return ActionAnswer(
        action_id=action.id,
        case_id=action.case_id,
        decision_id=action.decision_id,
        place=action.place,
        action=action.verb,
        targets=list(action.targets),
        reasons=list(action.reasons),
        idempotency_key=action.key,
        state=action.state,
        created_at=action.created_at,
        tries=action.tries,
        delivered_at=action.delivered_at,
        receipt=action.receipt,
        received_at=action.received_at,
        undo_of=action.undo_of,
        appeal_id=action.appeal_id,
    )


def action_story_answer(story: ActionStory) -> ActionStoryAnswer:
    """Write an action with its tries."""
    return ActionStoryAnswer(
        action=action_answer(story.action),
        deliveries=[
            DeliveryAnswer(at=one.at, status=one.status, error=one.error, elapsed_ms=one.elapsed_ms)
            for one in story.deliveries
        ],
    )


def appeal_answer(appeal: Appeal) -> AppealAnswer:
    """Write an appeal. Who decided it is not said."""
    return AppealAnswer(
        appeal_id=appeal.id,
        case_id=appeal.case_id,
        decision_id=appeal.decision_id,
        reference=appeal.reference,
        state=appeal.state,
        received_at=appeal.received_at,
        decided_at=appeal.decided_at,
    )


def event_answer(event: AuditEvent) -> EventAnswer:
    """Write an audit event."""
    detail = {
        name: value if isinstance(value, str | int) else [str(one) for one in value]
        for name, value in event.detail.items()
    }
    return EventAnswer(seq=event.seq, at=event.at, actor=event.actor, verb=event.verb, detail=detail)


def story_answer(story: CaseStory) -> CaseStoryAnswer:
    """Write a case with its history."""
    return CaseStoryAnswer(
        case=case_answer(story.case),
        scans=[scan_answer(scan) for scan in story.scans],
        events=[event_answer(event) for event in story.events],
    )
