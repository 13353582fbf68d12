"""Somebody who was affected asks, through the platform, that another person looks again.

1  the appeal comes in; the same one again is the one that is there
2  its case opens again, for anybody who had no part in the decision
3  once the second decision is final, the appeal is upheld or overturned
4  if overturned, what the first decision ordered is taken back
5  and what it added to banks is withdrawn; marks of false positives stay
6  the platform is told how the appeal has ended
"""

from __future__ import annotations

from jikimi.flows.enforce import announce, take_back
from jikimi.model.appeal import Appeal, AppealState, appealed, settled
from jikimi.model.case import Case, CaseState
from jikimi.model.decision import Decision, latest_final
from jikimi.model.errors import Broken, Refused
from jikimi.model.ids import AppealId, CaseId
from jikimi.model.people import Key, Scope, require
from jikimi.ports import Kit, Tx


def hand_in(
    kit: Kit, key: Key, *, reference: str, text: str, case_id: CaseId | None = None, content_id: str = ""
) -> Appeal:
    """Steps 1 and 2, for a case or for the newest decided case of a content."""
    require(key, [Scope.REPORT])
    with kit.store.begin() as tx:
        case = _case_of(tx, case_id, content_id)
        old = tx.appeals.by_reference(key.name, reference)  # 1
        if old is not None:
            return _same(old, case, text)
        appeal = _new(kit, tx, key, case, reference, text)
        tx.cases.update(appealed(case, appeal.received_at, kit.review.targets))  # 2
        tx.appeals.add(appeal)
        tx.audit.append(
            at=appeal.received_at, actor=key.name, verb="case.appealed", object_=case.id,
            detail={"appeal": appeal.id, "reference": reference},
        )  # fmt: skip
    return appeal


def settle(kit: Kit, tx: Tx, appeal: Appeal, decision: Decision) -> Appeal:
    """Steps 3 to 5, in the transaction that makes the second decision final.

    The undo is ordered here. What else the second decision orders comes after it, so call this first.
    """
    first, case = tx.decisions.get(appeal.decision_id), tx.cases.get(appeal.case_id)
    if first is None or case is None:
        raise Broken("appeal_adrift", f"Appeal {appeal.id} has lost its case or its decision.")
    now = kit.clock()
    ended = settled(appeal, first, decision, now)  # 3
    tx.appeals.update(ended)
    actor = f"person:{decision.by}"
    tx.audit.append(at=now, actor=actor, verb=f"appeal.{ended.state}", object_=case.id, detail={"appeal": ended.id})
    if ended.state is AppealState.OVERTURNED:
        take_back(kit, tx, first, appeal_id=ended.id, by=decision)  # 4
    announce(kit, tx, case=case, decision=decision, appeal=ended)  # 5
    return ended


def open_appeal(tx: Tx, case_id: CaseId) -> Appeal | None:
    """The appeal of a case that waits for a decision, if there is one."""
    return next((one for one in tx.appeals.of_case(case_id) if one.state is AppealState.OPEN), None)


def tell_appeal(kit: Kit, appeal_id: AppealId) -> Appeal:
    """One appeal; `Refused` if there is none."""
    with kit.store.read() as tx:
        appeal = tx.appeals.get(appeal_id)
    if appeal is None:
        raise Refused("appeal_unknown", "There is no such appeal; `POST /v1/appeals` says what yours is called.")
    return appeal


def _case_of(tx: Tx, case_id: CaseId | None, content_id: str) -> Case:
    ids = (case_id,) if case_id else tx.scans.cases_of(content_id) if content_id else ()
    found = [case for case in map(tx.cases.get, ids) if case is not None]
    decided = [case for case in found if case.state in (CaseState.DECIDED, CaseState.APPEALED)]
    case = next(iter(decided or found), None)
    if case is None:
        raise Refused("case_unknown", "There is no such case; name it by `case_id` or by the `content_id` it is about.")
    return case


def _same(old: Appeal, case: Case, text: str) -> Appeal:
    """The appeal that is there, if it is this one."""
    if old.case_id != case.id or old.text != text:
        raise Refused("appeal_exists", "There is another appeal with this reference already; take a new one.")
    return old


def _new(kit: Kit, tx: Tx, key: Key, case: Case, reference: str, text: str) -> Appeal:
    appealed(case, kit.clock(), kit.review.targets)
    decision = latest_final(tx.decisions.of_case(case.id))
    if decision is None:
        raise Refused("appeal_too_early", f"Case {case.id} has no decision that could be appealed against.")
    return Appeal(
        id=AppealId(kit.ids("apl")),
        case_id=case.id,
        decision_id=decision.id,
        reference=reference,
        text=text,
        source=key.name,
        received_at=kit.clock(),
        state=AppealState.OPEN,
    )
