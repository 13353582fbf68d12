"""An action: what the platform is told to do, told again until it says that it heard, and how it is undone.

Which action follows from a decision is decided in `decision`; sending it is `flows.enforce`. What holds here:

1  an action has one key for its whole life, so that being told twice is being told once
2  the actions of a case are told in their order: the next only when the one before is settled
3  what was said last about an action counts less than what was said for good: a receipt is not taken back by an answer
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from jikimi.model.errors import Refused
from jikimi.model.ids import ActionId, AppealId, CaseId, DecisionId

MAX_RECEIPT = 4096
"""Characters that are kept of what the platform answers."""


class Verb(StrEnum):
    """What the platform is asked to do to content, or to an account."""

    REMOVE = "remove"
    """Take the content away from everybody."""
    RESTRICT = "restrict"
    """Keep the content from the public, until somebody says more."""
    RESTORE = "restore"
    """Show the content, or open the account, again."""
    SUSPEND = "suspend"
    """Close the account that sent the content; the content is removed as well."""


UNDONE_BY = {Verb.REMOVE: Verb.RESTORE, Verb.RESTRICT: Verb.RESTORE, Verb.SUSPEND: Verb.RESTORE}
"""The verb that takes another back. A restoration is not undone: it is decided anew."""


class ActionState(StrEnum):
    """How far an action has come."""

    WAITING = "waiting"
    """In the outbox, or between two tries."""
    DELIVERED = "delivered"
    """The platform has answered that it has the message."""
    CONFIRMED = "confirmed"
    """The platform has said that it is done (a receipt)."""
    REJECTED = "rejected"
    """The platform has said that it will not or cannot."""
    DEAD = "dead"
    """Given up after the last try; a person can send it again."""


class ReceiptStatus(StrEnum):
    """What the platform says about an action that it has."""

    DONE = "done"
    REJECTED = "rejected"
    """It will not or cannot do it; the text says why."""


_BY_RECEIPT = {ReceiptStatus.DONE: ActionState.CONFIRMED, ReceiptStatus.REJECTED: ActionState.REJECTED}
_FINAL = frozenset(_BY_RECEIPT.values())
_REACHED = frozenset({ActionState.DELIVERED, ActionState.CONFIRMED})
_TRY_AGAIN = frozenset({408, 425, 429})
"""Answers of the 400s that are no refusal: too slow, too early, too often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an action is about, in the platform's own names."""

    content_id: str
    account_id: str
    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to be done. `key` is the idempotency key: the same for every try, so that two deliveries are one.

    `place` numbers the actions of one case from 1: the next is not sent before the one before was delivered or died.
    Without a verb nothing is to be done: the platform is told how an appeal has ended.
    """

    id: ActionId
    case_id: CaseId
    decision_id: DecisionId | None
    place: int
    verb: Verb | None
    targets: tuple[Target, ...]
    reasons: tuple[str, ...]
    key: str
    state: ActionState
    created_at: datetime
    tries: int = 0
    delivered_at: datetime | None = None
    receipt: str = ""
    received_at: datetime | None = None
    undo_of: ActionId | None = None
    appeal_id: AppealId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from one try. `status` is the HTTP status, 0 if there was no answer; then `error` says why."""

    status: int
    body: str = ""
    error: str = ""
    retry_after: int = 0
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try to deliver an action, for the delivery log. `status` is the HTTP status, 0 if there was no answer."""

    action_id: ActionId
    at: datetime
    status: int
    error: str
    elapsed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the platform says later about an action, on its own account."""

    status: ReceiptStatus
    text: str = ""


def after_answer(action: Action, answer: Answer, now: datetime, *, is_last: bool) -> Action:
    """The action after one try. What a receipt has settled meanwhile stays settled."""
    action = replace(action, tries=action.tries + 1)
    if action.state is not ActionState.WAITING:
        return action
    state = _state_after(answer, is_last=is_last)
    if state is ActionState.WAITING:
        return action
    told = replace(action, state=state, receipt=answer.body[:MAX_RECEIPT])
    has_heard = state is not ActionState.DEAD
    return replace(told, delivered_at=now if has_heard else None, received_at=now if state in _FINAL else None)


def after_receipt(action: Action, receipt: Receipt, now: datetime) -> Action:
    """The action after a receipt, which may come before the answer; the first receipt counts, `Refused` for another."""
    state = _BY_RECEIPT[receipt.status]
    if action.state in _FINAL:
        if action.state is not state:
            raise Refused("receipt_exists", f"This action is {action.state} already; a receipt is not taken back.")
        return action
    delivered_at = action.delivered_at or now
    return replace(action, state=state, receipt=receipt.text, received_at=now, delivered_at=delivered_at)


def again(action: Action, of_case: Iterable[Action]) -> Action:
    """The action as it waits anew; `Refused` if the platform has been told something newer about the same content."""
    ours = set(action.targets)
    newer = [one for one in of_case if one.place > action.place and one.state in _REACHED and one.verb is not None]
    if action.verb is not None and any(ours.intersection(one.targets) for one in newer):
        raise Refused(
            "action_outdated",
            "The platform has been told something newer about this content; sending the old again would undo that.",
        )
    return replace(action, state=ActionState.WAITING, delivered_at=None, received_at=None, receipt="")


def still_standing(actions: Iterable[Action], decision_id: DecisionId) -> tuple[Action, ...]:
    """What a decision has ordered and nothing has taken back yet, newest first: the order in which it is undone."""
    known = list(actions)
    undone = {one.undo_of for one in known}
    ours = [one for one in known if one.decision_id == decision_id and one.verb in UNDONE_BY and one.id not in undone]
    return tuple(sorted((one for one in ours if one.undo_of is None), key=lambda one: -one.place))


def _state_after(answer: Answer, *, is_last: bool) -> ActionState:
    if 200 <= answer.status < 300:
        said = _status_in(answer.body)
        return ActionState.DELIVERED if said is None else _BY_RECEIPT[said]
    if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
        return ActionState.REJECTED
    return ActionState.DEAD if is_last else ActionState.WAITING


def _status_in(untrusted_body: str) -> ReceiptStatus | None:
    """The receipt that an answer may hold at once: a JSON object with a `status` that we know."""
    try:
        said = json.loads(untrusted_body)
        return ReceiptStatus(said["status"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
