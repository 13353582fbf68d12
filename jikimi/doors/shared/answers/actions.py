"""What the platform is told, and its appeals, as callers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.flows.enforce import ActionStory
from jikimi.model.action import Action, ActionState, Target, Verb
from jikimi.model.appeal import Appeal, AppealState


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
