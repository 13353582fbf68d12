"""The platform is told what to do: what is ordered here is delivered by the worker."""

from __future__ import annotations

from collections.abc import Sequence

from jikimi.model.action import UNDONE_BY, Action, ActionState, Target, Verb
from jikimi.model.case import Case
from jikimi.model.decision import Decision
from jikimi.model.ids import ActionId, AppealId, JobId
from jikimi.model.job import Job
from jikimi.ports import Kit, Tx

ENFORCE = "enforce"
_UPLOADS = 1000


def order(
    kit: Kit,
    tx: Tx,
    *,
    case: Case,
    decision: Decision | None,
    verb: Verb,
    targets: Sequence[Target],
    reasons: Sequence[str],
    undo_of: ActionId | None = None,
    appeal_id: AppealId | None = None,
) -> Action:
    """Order an action, in the transaction of who decides it."""
    action = Action(
        id=ActionId(kit.ids("action")),
        case_id=case.id,
        decision_id=decision.id if decision else None,
        place=len(tx.actions.of_case(case.id)) + 1,
        verb=verb,
        targets=tuple(targets),
        reasons=tuple(reasons),
        key=kit.ids("key"),
        state=ActionState.WAITING,
        created_at=kit.clock(),
        undo_of=undo_of,
        appeal_id=appeal_id,
    )
    tx.actions.add(action)
    tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=ENFORCE, key=action.id, run_at=action.created_at))
    return action


def targets_of(tx: Tx, case: Case) -> tuple[Target, ...]:
    """What a case is about, in the platform's own names."""
    found = [
        Target(
            content_id=scan.upload.content_id,
            account_id=scan.upload.account_id,
            url=scan.upload.url,
            sha256=scan.content.sha256,
        )
        for scan in tx.scans.of_case(case.id, _UPLOADS)
    ]
    return tuple(dict.fromkeys(found))


def take_back(kit: Kit, tx: Tx, decision: Decision) -> tuple[Action, ...]:
    """Order the undo of everything that a decision ordered and that was not undone yet."""
    case = tx.cases.get(decision.case_id)
    assert case is not None
    done = tx.actions.of_case(case.id)
    undone = {action.undo_of for action in done}
    return tuple(
        order(
            kit, tx, case=case, decision=decision, verb=UNDONE_BY[action.verb], targets=action.targets,
            reasons=("undone",), undo_of=action.id,
        )
        for action in done
        if action.decision_id == decision.id and action.id not in undone and action.verb in UNDONE_BY
    )  # fmt: skip
