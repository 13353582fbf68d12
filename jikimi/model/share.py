"""What is given back to exchanges, and when it may leave.

1  nothing leaves without a decision of a person, and nothing that the exchange's settings do not name
2  what a decision says about an entry leaves once the decision cannot be undone any more
3  a new signal leaves only when a second person has agreed; who decided the case cannot be that person
4  what has not left is withdrawn with the decision it rests on
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jikimi.model.bank import Category
from jikimi.model.decision import Choice, Decision, Label, final_since, is_harm
from jikimi.model.errors import Refused
from jikimi.model.exchange import Exchange, Feedback
from jikimi.model.ids import CaseId, DecisionId, ShareId
from jikimi.model.people import NO_HARM

_AFTER = timedelta(seconds=1)
"""Longer than the undo window, so that the two never meet."""
_KIN = (
    frozenset({Category.CSAM.value, Category.CSAM_SYNTHETIC.value}),
    frozenset({Category.NCII.value, Category.NCII_FORGERY.value}),
)
"""Labels and categories that speak of the same: whether something was made or taken is not what a list is about."""


class ShareState(StrEnum):
    """How far something that is given back has come."""

    PROPOSED = "proposed"
    """Waits for a second person."""
    WAITING = "waiting"
    """Leaves by itself, once the decision cannot be undone any more."""
    SENT = "sent"
    FAILED = "failed"
    """The programme did not take it; a person can try again."""
    REFUSED = "refused"
    """The second person did not agree."""
    WITHDRAWN = "withdrawn"
    """It was not to leave any more: the decision was undone, the settings changed, or the record has gone."""


STANDING = frozenset({ShareState.PROPOSED, ShareState.WAITING, ShareState.SENT, ShareState.FAILED})
_HERE = STANDING - {ShareState.SENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One thing that is given back to one exchange. `record` is the programme's key, empty for a new signal.

    `asked_by` and `approved_by` are actors as the record of what was done names them.
    """

    id: ShareId
    exchange_id: int
    feedback: Feedback
    record: str
    entry_id: int
    case_id: CaseId
    decision_id: DecisionId
    asked_by: str
    state: ShareState
    created_at: datetime
    approved_by: str | None = None
    tries: int = 0
    error: str = ""
    settled_at: datetime | None = None

    @property
    def what(self) -> tuple[int, Feedback, str, int]:
        """What is said to whom, whichever decision it rests on."""
        return (self.exchange_id, self.feedback, self.record, self.entry_id)


def said_by(choice: Choice, entry_id: int, category: Category) -> tuple[Feedback, ...]:
    """What a final decision says about an entry that matched.

    A list about one harm is told nothing by the finding of another, but that its entry was seen.
    """
    if category in NO_HARM:
        return ()
    if entry_id in choice.false_positives or not is_harm(choice.label):
        return (Feedback.SEEN, Feedback.FALSE_POSITIVE)
    return (Feedback.SEEN, Feedback.TRUE_POSITIVE) if is_kin(choice.label, category) else (Feedback.SEEN,)


def is_kin(label: Label, category: Category) -> bool:
    """Tell whether a label says the harm that a bank of this category is about."""
    return label.value == category.value or any({label.value, category.value} <= kin for kin in _KIN)


def may_leave(exchange: Exchange, gives: Collection[Feedback]) -> frozenset[Feedback]:
    """What may be given back to an exchange now: what its settings name and its kind can carry."""
    return exchange.shares & frozenset(gives) if exchange.enabled else frozenset()


def leaves_at(decision: Decision, window: timedelta) -> datetime:
    """From when on what rests on a decision may leave."""
    return final_since(decision) + window + _AFTER


def approved(share: Share, actor: str, decision: Decision) -> Share:
    """The share once a second person has agreed."""
    _check_second(share, actor, decision)
    return replace(share, state=ShareState.WAITING, approved_by=actor)


def refused(share: Share, actor: str, decision: Decision, at: datetime) -> Share:
    """The share once a second person has not agreed."""
    _check_second(share, actor, decision)
    return replace(share, state=ShareState.REFUSED, approved_by=actor, settled_at=at)


def sent(share: Share, at: datetime) -> Share:
    """The share once the programme has taken it."""
    return replace(share, state=ShareState.SENT, tries=share.tries + 1, error="", settled_at=at)


def failed(share: Share, error: str, at: datetime, *, is_last: bool) -> Share:
    """The share after a try that failed."""
    tried = replace(share, tries=share.tries + 1, error=error)
    return replace(tried, state=ShareState.FAILED, settled_at=at) if is_last else tried


def withdrawn(share: Share, why: str, at: datetime) -> Share:
    """The share once it is not to leave any more; what has left stays as it is."""
    if share.state not in _HERE:
        return share
    return replace(share, state=ShareState.WITHDRAWN, error=why, settled_at=at)


def again(share: Share) -> Share:
    """A share that failed, to be tried again."""
    if share.state is not ShareState.FAILED:
        raise Refused("share_not_failed", f"This is {share.state}; only what has failed is tried again.")
    return replace(share, state=ShareState.WAITING, settled_at=None)


def _check_second(share: Share, actor: str, decision: Decision) -> None:
    if share.state is not ShareState.PROPOSED:
        raise Refused("share_settled", f"This is {share.state} by now; look at the list again.")
    if actor in (share.asked_by, f"person:{decision.by}"):
        raise Refused(
            "second_person_same", "You proposed this, or decided its case; somebody else has to agree to giving it."
        )
