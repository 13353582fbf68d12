"""An appeal: the platform, for somebody who was affected, asks another person to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jikimi.model.ids import AppealId, CaseId, DecisionId, PersonId


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
