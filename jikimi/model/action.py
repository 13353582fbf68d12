"""An action: what the platform is told to do, told again until it says that it heard, and how it is undone.

Which action follows from a decision is decided in `decision`; sending it is `flows.enforce`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jikimi.model.ids import ActionId, AppealId, CaseId, DecisionId


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
    """

    id: ActionId
    case_id: CaseId
    decision_id: DecisionId | None
    place: int
    verb: Verb
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
class Delivery:
    """One try to deliver an action, for the delivery log. `status` is the HTTP status, 0 if there was no answer."""

    action_id: ActionId
    at: datetime
    status: int
    error: str
    elapsed_ms: int
