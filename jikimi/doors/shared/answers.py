"""The objects that callers see, the same over HTTP and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jikimi.flows.account import CaseStory
from jikimi.flows.bank import BankView
from jikimi.flows.content import ContentStory
from jikimi.flows.enforce import ActionStory
from jikimi.flows.report_in import HandedIn
from jikimi.model.action import Action, ActionState, Target, Verb
from jikimi.model.appeal import Appeal, AppealState
from jikimi.model.audit import AuditEvent
from jikimi.model.bank import BankEntry, Category, OnMatch
from jikimi.model.case import Case, CaseState, Origin
from jikimi.model.decision import Decision, DecisionState, Label, Says, Tri
from jikimi.model.match import Disposition, Match
from jikimi.model.media import MediaKind
from jikimi.model.scan import Scan
from jikimi.model.signal import Variant
from jikimi.model.user_report import UserReport


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
    origin: Origin
    target_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAnswer:
    """One thing that happened, as the audit chain has it."""

    seq: int
    at: datetime
    actor: str
    verb: str
    detail: dict[str, str | int | bool | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactAnswer:
    """One fact, as independent of the others as it is in law, with who says so."""

    value: Tri
    says: Says


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionAnswer:
    """A decision. People have pseudonyms here; what they wrote stays inside. `seen`: what was really looked at."""

    decision_id: str
    state: DecisionState
    label: Label
    verb: Verb | None
    real_person: FactAnswer
    real_child: FactAnswer
    ai_generated: FactAnswer
    legal_hold: bool
    irreversible: bool
    decided_by: str
    decided_at: datetime
    second: str
    second_at: datetime | None
    undone_at: datetime | None
    appeal_id: str | None
    seen: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseActionAnswer:
    """What you were told to do, and how far that has come."""

    action_id: str
    decision_id: str | None
    verb: Verb | None
    state: ActionState
    content_ids: list[str]
    reasons: list[str]
    created_at: datetime
    delivered_at: datetime | None
    undo_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAppealAnswer:
    """An appeal against a decision of the case."""

    appeal_id: str
    decision_id: str
    reference: str
    state: AppealState
    received_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserReportAnswer:
    """What somebody said about a content; without a reporter, the platform itself."""

    report_id: str
    case_id: str
    content_id: str
    account_id: str
    url: str
    sha256: str
    reporter: str
    reason: str
    text: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStoryAnswer:
    """A case with its newest scans and reports, what was decided and ordered, and its history."""

    case: CaseAnswer
    scans: list[ScanAnswer]
    decisions: list[DecisionAnswer]
    actions: list[CaseActionAnswer]
    appeals: list[CaseAppealAnswer]
    user_reports: list[UserReportAnswer]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentAnswer:
    """Everything known of one of your contents, newest first. `action`: the last one that was ordered for it."""

    content_id: str
    scans: list[ScanAnswer]
    cases: list[CaseAnswer]
    user_reports: list[UserReportAnswer]
    action: CaseActionAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedInAnswer:
    """What became of a report or a request: its case, and the check of the file if there was one."""

    report_id: str
    case: CaseAnswer
    scan: ScanAnswer | None


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
        origin=case.origin,
        target_at=case.target_at,
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


def event_answer(event: AuditEvent, pseudonyms: Mapping[str, str]) -> EventAnswer:
    """Write an audit event; whoever of us did it has a pseudonym outside, also where the detail names them."""
    detail = {
        name: _outside(value, pseudonyms) if isinstance(value, str | int) else [str(one) for one in value]
        for name, value in event.detail.items()
    }
    actor = pseudonyms.get(event.actor, event.actor)
    return EventAnswer(seq=event.seq, at=event.at, actor=actor, verb=event.verb, detail=detail)


def decision_answer(decision: Decision, pseudonyms: Mapping[str, str]) -> DecisionAnswer:
    """Write a decision, without what people wrote."""
    choice, facts = decision.choice, decision.choice.facts
    return DecisionAnswer(
        decision_id=decision.id,
        state=decision.state,
        label=choice.label,
        verb=choice.verb,
        real_person=FactAnswer(value=facts.real_person.value, says=facts.real_person.says),
        real_child=FactAnswer(value=facts.real_child.value, says=facts.real_child.says),
        ai_generated=FactAnswer(value=facts.ai_generated.value, says=facts.ai_generated.says),
        legal_hold=choice.legal_hold,
        irreversible=choice.irreversible,
        decided_by=pseudonyms.get(f"person:{decision.by}", ""),
        decided_at=decision.at,
        second=pseudonyms.get(f"person:{decision.second}", ""),
        second_at=decision.second_at,
        undone_at=decision.undone_at,
        appeal_id=decision.appeal_id,
        seen=list(decision.seen),
    )


def case_action_answer(action: Action) -> CaseActionAnswer:
    """Write an action as a case tells it."""
    return CaseActionAnswer(
        action_id=action.id,
        decision_id=action.decision_id,
        verb=action.verb,
        state=action.state,
        content_ids=[target.content_id for target in action.targets if target.content_id],
        reasons=list(action.reasons),
        created_at=action.created_at,
        delivered_at=action.delivered_at,
        undo_of=action.undo_of,
    )


def user_report_answer(report: UserReport) -> UserReportAnswer:
    """Write a report."""
    said = report.said
    return UserReportAnswer(
        report_id=report.id,
        case_id=report.case_id,
        content_id=said.content_id,
        account_id=said.account_id,
        url=said.url,
        sha256=report.sha256,
        reporter=said.reporter,
        reason=said.reason,
        text=said.text,
        received_at=report.received_at,
    )


def story_answer(story: CaseStory) -> CaseStoryAnswer:
    """Write a case with its history."""
    return CaseStoryAnswer(
        case=case_answer(story.case),
        scans=[scan_answer(scan) for scan in story.scans],
        decisions=[decision_answer(decision, story.pseudonyms) for decision in story.decisions],
        actions=[case_action_answer(action) for action in story.actions],
        appeals=[_appeal_answer(appeal) for appeal in story.appeals],
        user_reports=[user_report_answer(report) for report in story.user_reports],
        events=[event_answer(event, story.pseudonyms) for event in story.events],
    )


def content_answer(story: ContentStory) -> ContentAnswer:
    """Write what is known of a content."""
    return ContentAnswer(
        content_id=story.content_id,
        scans=[scan_answer(scan) for scan in story.scans],
        cases=[case_answer(case) for case in story.cases],
        user_reports=[user_report_answer(report) for report in story.user_reports],
        action=case_action_answer(story.action) if story.action else None,
    )


def handed_in_answer(handed_in: HandedIn) -> HandedInAnswer:
    """Write what became of a report or a request."""
    return HandedInAnswer(
        report_id=handed_in.report.id,
        case=case_answer(handed_in.case),
        scan=scan_answer(handed_in.scan) if handed_in.scan else None,
    )


def _appeal_answer(appeal: Appeal) -> CaseAppealAnswer:
    return CaseAppealAnswer(
        appeal_id=appeal.id,
        decision_id=appeal.decision_id,
        reference=appeal.reference,
        state=appeal.state,
        received_at=appeal.received_at,
        decided_at=appeal.decided_at,
    )


def _outside(value: str | int, pseudonyms: Mapping[str, str]) -> str | int:
    return pseudonyms.get(f"person:{value}", value) if isinstance(value, str) else value
