"""The platform is told what to do: each action once in effect, in the order of its case, until it has heard.

    1  a decision orders an action: its row, its audit event and, if it is its turn, its job are stored together
    2  a worker sends it, signed, outside of any transaction
    3  the answer is logged and the action moves on; in the same transaction the next action of the case gets its job
    4  without an answer, or with one that asks for patience, the job is put back; after the last try the action is dead
    5  the platform may say later, by a receipt, what became of an action
    6  a person may send an action again; what is taken back is an action too

At any moment exactly the first waiting action of a case has a job. A worker that dies between 2 and 3 leaves a job
whose lease runs out: the action is sent a second time with the same key, and the platform does nothing the second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jikimi.model.action import (
    UNDONE_BY,
    Action,
    ActionState,
    Answer,
    Delivery,
    Receipt,
    Target,
    Verb,
    after_answer,
    after_receipt,
    again,
    still_standing,
)
from jikimi.model.appeal import Appeal
from jikimi.model.case import Case
from jikimi.model.decision import Decision
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.ids import ActionId, AppealId, CaseId, JobId
from jikimi.model.job import ENFORCE, Job, is_last_try
from jikimi.model.message import message_of, ping
from jikimi.model.people import Key, Permission, Person, Scope, allow, require
from jikimi.ports import ActionRunner, Kit, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStory:
    """An action with every try to deliver it."""

    action: Action
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """How many actions are in which state, since when the oldest waits, and whether there is anybody to tell."""

    counts: Mapping[ActionState, int]
    oldest_waiting: datetime | None
    is_connected: bool


def targets_of(tx: Tx, case: Case) -> tuple[Target, ...]:
    """Everything that an action on this case is about."""
    return tx.scans.targets(case.id)


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
    """Step 1: order an action, in the caller's transaction."""
    action = _new(kit, tx, case, decision, verb, targets, reasons, undo_of=undo_of, appeal_id=appeal_id)
    _put_in_line(kit, tx, action, "action.ordered", decision)
    return action


def announce(kit: Kit, tx: Tx, *, case: Case, decision: Decision, appeal: Appeal) -> Action:
    """Step 1 for what asks for nothing: the platform is told how an appeal has ended."""
    reasons = [decision.choice.label.value]
    action = _new(kit, tx, case, decision, None, targets_of(tx, case), reasons, appeal_id=appeal.id)
    _put_in_line(kit, tx, action, "appeal.announced", decision)
    return action


def take_back(
    kit: Kit, tx: Tx, decision: Decision, *, appeal_id: AppealId | None = None, by: Decision | None = None
) -> tuple[Action, ...]:
    """Step 6: order the undo of everything that a decision has ordered, newest first; nothing is undone twice.

    `by` is the decision that wants it, where there is one; an action that was not delivered yet is undone as well,
    because nobody can know whether the platform has heard.
    """
    case = tx.cases.get(decision.case_id)
    standing = still_standing(tx.actions.of_case(decision.case_id), decision.id)
    if case is None:
        return ()
    return tuple(
        order(
            kit, tx, case=case, decision=by or decision, verb=UNDONE_BY[old.verb], targets=old.targets,
            reasons=("appeal" if appeal_id else "undone",), undo_of=old.id, appeal_id=appeal_id,
        )
        for old in standing
        if old.verb is not None
    )  # fmt: skip


def deliver(kit: Kit, job: Job) -> None:
    """Steps 2 to 4: tell the platform about the action named by the job's key; `Unavailable` asks for another try."""
    action_id = ActionId(job.key)
    with kit.store.read() as tx:
        action = tx.actions.get(action_id)
        if action is None or tx.actions.next_in_line(action.case_id) != action:
            return
        message = message_of(
            action,
            delivery=kit.ids("dlv"),
            decided_by=_pseudonym(tx, action),
            appeal=tx.appeals.get(action.appeal_id) if action.appeal_id else None,
        )
    answer = _platform(kit).perform(message)  # 2
    with kit.store.begin() as tx:
        action = _move_on(kit, tx, action_id, answer, is_last=is_last_try(job))  # 3
    if action.state is ActionState.WAITING:  # 4
        raise Unavailable("action_undelivered", "The platform did not take the action.", retry_after=answer.retry_after)


def receive(kit: Kit, key: Key, action_id: ActionId, receipt: Receipt) -> Action:
    """Step 5: the platform says what became of an action; saying the same twice changes nothing."""
    require(key, [Scope.REPORT])
    with kit.store.begin() as tx:
        old = _known(tx, action_id)
        new = after_receipt(old, receipt, kit.clock())
        if new != old:
            tx.actions.update(new)
            tx.jobs.drop(ENFORCE, new.id, kit.clock())
            _audit(kit, tx, new, f"action.{new.state}", key.name)
            _arrange(kit, tx, new.case_id)
    return new


def replay(kit: Kit, person: Person, action_id: ActionId) -> Action:
    """Step 6: send an action again, with the key it has always had."""
    allow(person, Permission.REPLAY)
    return send_again(kit, f"person:{person.id}", action_id)


def send_again(kit: Kit, actor: str, action_id: ActionId) -> Action:
    """Step 6 for whoever may by other means: `Refused` if something newer was told, `Unavailable` while it is sent."""
    with kit.store.begin() as tx:
        old = _known(tx, action_id)
        of_case = tx.actions.of_case(old.case_id)
        new = again(old, of_case)
        for one in of_case:
            if one.place >= new.place and not tx.jobs.drop(ENFORCE, one.id, kit.clock()):
                raise Unavailable("action_in_flight", "This case's actions are being sent just now; try in a minute.")
        tx.actions.update(new)
        _audit(kit, tx, new, "action.replayed", actor)
        _arrange(kit, tx, new.case_id)
    return new


def deliveries(
    kit: Kit, person: Person, *, limit: int = 50, before: ActionId | None = None, state: ActionState | None = None
) -> tuple[Action, ...]:
    """A page of actions for a person, newest first."""
    allow(person, Permission.DELIVERIES)
    with kit.store.read() as tx:
        return tx.actions.list(limit=limit, before=before, state=state)


def delivery(kit: Kit, person: Person, action_id: ActionId) -> ActionStory:
    """One action for a person, with its tries."""
    allow(person, Permission.DELIVERIES)
    return tell_action(kit, action_id)


def tell_action(kit: Kit, action_id: ActionId) -> ActionStory:
    """One action with its tries; `Refused` if there is none."""
    with kit.store.read() as tx:
        return ActionStory(action=_known(tx, action_id), deliveries=tx.actions.deliveries(action_id))


def outbox(kit: Kit) -> Outbox:
    """How enforcement stands, for the overview, the metrics and `jikimi doctor`."""
    with kit.store.read() as tx:
        counts, oldest = tx.actions.counts(), tx.actions.oldest_waiting()
    return Outbox(counts=counts, oldest_waiting=oldest, is_connected=kit.platform is not None)


def try_webhook(kit: Kit) -> Answer:
    """Send a message that asks for nothing, to see whether messages arrive."""
    return _platform(kit).perform(ping(kit.ids("dlv")))


def _new(
    kit: Kit,
    tx: Tx,
    case: Case,
    decision: Decision | None,
    verb: Verb | None,
    targets: Sequence[Target],
    reasons: Sequence[str],
    *,
    undo_of: ActionId | None = None,
    appeal_id: AppealId | None = None,
) -> Action:
    action_id = ActionId(kit.ids("act"))
    return Action(
        id=action_id,
        case_id=case.id,
        decision_id=decision.id if decision else None,
        place=tx.actions.last_place(case.id) + 1,
        verb=verb,
        targets=tuple(targets),
        reasons=tuple(reasons),
        key=action_id,
        state=ActionState.WAITING,
        created_at=kit.clock(),
        undo_of=undo_of,
        appeal_id=appeal_id,
    )


def _put_in_line(kit: Kit, tx: Tx, action: Action, audit_verb: str, decision: Decision | None) -> None:
    tx.actions.add(action)
    by = decision and (decision.undone_by or decision.second or decision.by)
    _audit(kit, tx, action, audit_verb, f"person:{by}" if by else "jikimi")
    _arrange(kit, tx, action.case_id)


def _arrange(kit: Kit, tx: Tx, case_id: CaseId) -> None:
    """Give the first waiting action of a case its job. All writers take turns, so that none is forgotten."""
    first = tx.actions.next_in_line(case_id)
    if first is not None:
        tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=ENFORCE, key=first.id, run_at=kit.clock()))


def _move_on(kit: Kit, tx: Tx, action_id: ActionId, answer: Answer, *, is_last: bool) -> Action:
    old, now = _known(tx, action_id), kit.clock()
    new = after_answer(old, answer, now, is_last=is_last)
    error = answer.error[:200]
    tx.actions.log(Delivery(action_id=new.id, at=now, status=answer.status, error=error, elapsed_ms=answer.elapsed_ms))
    tx.actions.update(new)
    if new.state is not old.state:
        _audit(kit, tx, new, f"action.{new.state}", "jikimi")
        _arrange(kit, tx, new.case_id)
    if new.state is ActionState.DEAD:
        kit.tally.note("action_dead")
        kit.log.error("action_dead", action=new.id, case=new.case_id, tries=new.tries)
    return new


def _platform(kit: Kit) -> ActionRunner:
    if kit.platform is None:
        raise Unavailable("webhook_missing", "No webhook is set, so actions wait; set `webhook_url` and start again.")
    return kit.platform


def _known(tx: Tx, action_id: ActionId) -> Action:
    action = tx.actions.get(action_id)
    if action is None:
        raise Refused("action_unknown", "There is no such action; `jikimi action list` shows the newest.")
    return action


def _pseudonym(tx: Tx, action: Action) -> str:
    decision = tx.decisions.get(action.decision_id) if action.decision_id else None
    by = decision and ((action.undo_of and decision.undone_by) or decision.by)
    person = tx.people.get(by) if by else None
    return person.pseudonym if person else ""


def _audit(kit: Kit, tx: Tx, action: Action, verb: str, actor: str) -> None:
    detail = {"action": action.id, "verb": action.verb.value if action.verb else "", "undo_of": action.undo_of or ""}
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=action.case_id, detail=detail)
