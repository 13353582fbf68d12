"""What somebody wants to see of the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jikimi.model.bank import Category
from jikimi.model.case import WAITING, CaseState, Origin
from jikimi.model.ids import PersonId

SKIPPED_FOR = timedelta(hours=24)
"""How long a case that somebody skipped stays away from them, unless somebody else takes it up before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a person asks for; without a state, all that waits for people."""

    kind: Category | None = None
    severity: int | None = None
    origin: Origin | None = None
    state: CaseState | None = None
    mine: bool = False

    @property
    def states(self) -> tuple[CaseState, ...]:
        """The states that are asked for."""
        return WAITING if self.state is None else (self.state,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """For whom the queue is read: kinds of harm they are never given, and since when what they skipped counts."""

    person_id: PersonId
    now: datetime
    hidden: frozenset[Category] = frozenset()

    @property
    def skipped_since(self) -> datetime:
        """From when on a skip still counts."""
        return self.now - SKIPPED_FOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a row of the queue says beside the case: its first match's bank and distance, how many uploads, contents."""

    bank: str = ""
    distance: int | None = None
    uploads: int = 0
    contents: int = 0
