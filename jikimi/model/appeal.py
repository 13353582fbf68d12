"""An appeal: the platform, for somebody who was affected, asks another person to look again.

A case is appealed once it is decided. Somebody else than those who decided it looks again; what they find upholds the
decision or overturns it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from jikimi.model.case import Case, CaseState, Move, Targets, moved
from jikimi.model.decision import Decision, as_it_is, is_upheld
from jikimi.model.errors import Refused
from jikimi.model.ids import AppealId, CaseId, DecisionId, PersonId

MAX_APPEAL = 10_000
"""Characters of an appeal's text."""


class AppealState(StrEnum):
    """Where an appeal stands."""

    OPEN = "open"
    UPHELD = "upheld"
    """The first decision stands."""
    OVERTURNED = "overturned"
    """The first decision was wrong; what it did is taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """What was said against a decision, and what a second look found. `reference` is the platform's own name for it."""

    id: AppealId
    case_id: CaseId
    decision_id: DecisionId
    reference: str
    text: str
    source: str
    received_at: datetime
    state: AppealState
    decided_by: PersonId | None = None
    decided_at: datetime | None = None
    note: str = ""


def appealed(case: Case, now: datetime, targets: Targets) -> Case:
    """The case, open to another person; `Refused` if there is nothing decided to appeal against."""
    if case.state is not CaseState.DECIDED:
        raise Refused("appeal_too_early", f"Case {case.id} is {case.state}; an appeal needs a case that is decided.")
    return replace(moved(case, Move.APPEAL, now), target_at=targets.after(now, case.severity))


def settled(appeal: Appeal, first: Decision, second: Decision, now: datetime) -> Appeal:
    """The appeal after a second look; `Refused` to whoever has made or confirmed the first decision."""
    if {second.by, second.second} & ({first.by, first.second} - {None}):
        raise Refused("appeal_needs_other", "You took part in what is appealed against; somebody else has to look.")
    stands = is_upheld(first.choice, as_it_is(second.choice, first))
    state = AppealState.UPHELD if stands else AppealState.OVERTURNED
    return replace(appeal, state=state, decided_by=second.by, decided_at=now, note=second.choice.note)
