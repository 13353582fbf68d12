"""Every step can be accounted for: the audit chain is walked, totals are written down, one case is told whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jikimi.model.action import Action
from jikimi.model.appeal import Appeal
from jikimi.model.audit import AuditEvent, AuditHead, ChainReport, verify
from jikimi.model.case import Case
from jikimi.model.decision import Decision
from jikimi.model.errors import Broken, Refused
from jikimi.model.ids import CaseId, PersonId
from jikimi.model.scan import Scan
from jikimi.model.user_report import UserReport
from jikimi.ports import Kit, Tx

_SCANS_OF_A_CASE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStory:
    """A case with its newest scans and reports and everything that happened to it.

    `pseudonyms` are what people of ours are called outside, by the record's name for them.
    """

    case: Case
    scans: tuple[Scan, ...]
    events: tuple[AuditEvent, ...]
    decisions: tuple[Decision, ...]
    actions: tuple[Action, ...]
    appeals: tuple[Appeal, ...]
    user_reports: tuple[UserReport, ...]
    pseudonyms: Mapping[str, str]


def verify_audit(kit: Kit) -> ChainReport:
    """Walk the whole chain and report the first mistake."""
    with kit.store.read() as tx:
        head = tx.audit.head()
        try:
            return verify(tx.audit.events(), head)
        except Broken as error:
            return ChainReport(events=0, head=AuditHead(), mistake=error.message)


def tell_case(kit: Kit, case_id: CaseId) -> CaseStory:
    """One case; `Refused` if there is none."""
    with kit.store.read() as tx:
        case = tx.cases.get(case_id)
        if case is None:
            raise Refused(
                "case_unknown", f"There is no case {str(case_id)[:40]!r}; `jikimi case list` shows the newest."
            )
        events, decisions = tuple(tx.audit.events(case_id)), tx.decisions.of_case(case_id)
        return CaseStory(
            case=case,
            scans=tx.scans.of_case(case_id, _SCANS_OF_A_CASE),
            events=events,
            decisions=decisions,
            actions=tx.actions.of_case(case_id),
            appeals=tx.appeals.of_case(case_id),
            user_reports=tx.user_reports.of_case(case_id, _SCANS_OF_A_CASE),
            pseudonyms=_pseudonyms(tx, events, decisions),
        )


def write_totals(kit: Kit) -> None:
    """Write down what was counted since the last time; if that fails, it is written next time."""
    taken = kit.tally.take()
    if not taken:
        return
    try:
        with kit.store.begin_beside() as tx:
            tx.counters.add(taken)
    except Exception:
        kit.tally.give_back(taken)
        raise


def _pseudonyms(tx: Tx, events: Sequence[AuditEvent], decisions: Sequence[Decision]) -> dict[str, str]:
    deciders = {who for one in decisions for who in (one.by, one.second, one.undone_by) if who}
    actors = {f"person:{who}" for who in deciders} | {one.actor for one in events if one.actor.startswith("person:")}
    people = {actor: tx.people.get(PersonId(actor.removeprefix("person:"))) for actor in actors}
    return {actor: person.pseudonym for actor, person in people.items() if person is not None}
