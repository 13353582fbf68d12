"""Cases, what was decided and reported, and what is known of a content, as callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jikimi.doors.shared.answers.actions import ActionAnswer, AppealAnswer, action_answer, appeal_answer
from jikimi.doors.shared.answers.scans import ScanAnswer, scan_answer
from jikimi.flows.account import CaseStory
from jikimi.flows.content import ContentStory
from jikimi.flows.report_in import HandedIn
from jikimi.model.action import Verb
from jikimi.model.audit import AuditEvent
from jikimi.model.bank import Category
from jikimi.model.case import Case, CaseState, Origin
from jikimi.model.decision import Decision, DecisionState, Label, Says, Tri
from jikimi.model.user_report import UserReport


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
    actions: list[ActionAnswer]
    appeals: list[AppealAnswer]
    user_reports: list[UserReportAnswer]
    events: list[EventAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentAnswer:
    """Everything known of one of your contents, newest first. `action`: the last one that was ordered for it."""

    content_id: str
    scans: list[ScanAnswer]
    cases: list[CaseAnswer]
    user_reports: list[UserReportAnswer]
    action: ActionAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedInAnswer:
    """What became of a report or a request: its case, and the check of the file if there was one."""

    report_id: str
    case: CaseAnswer
    scan: ScanAnswer | None


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
        actions=[action_answer(action) for action in story.actions],
        appeals=[appeal_answer(appeal) for appeal in story.appeals],
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
        action=action_answer(story.action) if story.action else None,
    )


def handed_in_answer(handed_in: HandedIn) -> HandedInAnswer:
    """Write what became of a report or a request."""
    return HandedInAnswer(
        report_id=handed_in.report.id,
        case=case_answer(handed_in.case),
        scan=scan_answer(handed_in.scan) if handed_in.scan else None,
    )


def _outside(value: str | int, pseudonyms: Mapping[str, str]) -> str | int:
    return pseudonyms.get(f"person:{value}", value) if isinstance(value, str) else value
