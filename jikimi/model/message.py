"""A message to the platform: what stands in the body of a webhook, the same for every try."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from jikimi.model.action import Action
from jikimi.model.appeal import Appeal


class Event(StrEnum):
    """What a message is about."""

    ACTION = "action"
    """Something has to be done."""
    APPEAL = "appeal"
    """An appeal has been decided; what follows from that comes as actions of its own."""
    PING = "ping"
    """Nothing: somebody tries whether messages arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent. `delivery` is new for every try, `key` is the same."""

    event: Event
    delivery: str
    key: str
    body: str


def message_of(action: Action, *, delivery: str, decided_by: str, appeal: Appeal | None) -> Message:
    """Write an action. `decided_by` is a pseudonym: the platform does not learn who its moderators are."""
    event = Event.APPEAL if action.verb is None else Event.ACTION
    body = {
        "event": event,
        "action": action.verb,
        "action_id": action.id,
        "case_id": action.case_id,
        "decision_id": action.decision_id,
        "targets": [asdict(target) for target in action.targets],
        "reasons": action.reasons,
        "idempotency_key": action.key,
        "created_at": action.created_at.isoformat(),
        "decided_by": decided_by or None,
        "undo_of": action.undo_of,
        "appeal": appeal and {"appeal_id": appeal.id, "reference": appeal.reference, "outcome": appeal.state},
    }
    return Message(event=event, delivery=delivery, key=action.key, body=json.dumps(body, ensure_ascii=False))


def ping(delivery: str) -> Message:
    """A message that asks for nothing."""
    body = json.dumps({"event": Event.PING, "idempotency_key": delivery})
    return Message(event=Event.PING, delivery=delivery, key=delivery, body=body)
