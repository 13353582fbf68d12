"""What a lead has to see of the whole: what waits and is late, what is stuck, how much and how fast.

Numbers of the work, never of single people: nobody is ranked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from jikimi.model.case import Case, CaseState

STUCK_AFTER = timedelta(hours=24)
"""A case that waits and that nobody has touched for so long is stuck."""
DAYS = 30
"""How far back volumes and times go."""
STEPS = (
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=72),
)
"""Upper bounds of the classes that times until a decision are counted in; what is longer is the last class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """How many cases of one state and severity wait, and how many of them are past the operator's own target."""

    state: CaseState
    severity: int
    cases: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day (UTC): cases opened and cases decided."""

    day: date
    opened: int
    decided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Uploads of one integration in the last days, and how many of them could not be checked."""

    source: str
    uploads: int
    unchecked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Times from opening to decision: how many fell in each class of `STEPS` and beyond, and the middle one."""

    counts: tuple[int, ...]
    middle: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything on the lead's page."""

    heaps: tuple[Heap, ...]
    due: tuple[Case, ...]
    stuck: tuple[Case, ...]
    days: tuple[Day, ...]
    times: Spread
    intake: tuple[Intake, ...]
    unchecked_now: int
    dead_actions: int
    dead_jobs: int
    waiting_jobs: int

    @property
    def waiting(self) -> int:
        """Cases that wait for people."""
        return sum(heap.cases for heap in self.heaps)

    @property
    def late(self) -> int:
        """Cases past the operator's own target."""
        return sum(heap.late for heap in self.heaps)

    @property
    def awaiting_second(self) -> int:
        """Decisions that wait for a second person."""
        return sum(heap.cases for heap in self.heaps if heap.state is CaseState.PROPOSED)


def spread_of(times: Sequence[timedelta]) -> Spread:
    """Count times in their classes."""
    counts = [0] * (len(STEPS) + 1)
    for time in times:
        counts[sum(time >= step for step in STEPS)] += 1
    return Spread(
        counts=tuple(counts),
        middle=timedelta(seconds=median(time.total_seconds() for time in times)) if times else None,
    )


def days_until(now: datetime, opened: Sequence[int], decided: Sequence[datetime]) -> tuple[Day, ...]:
    """The last days with today: `opened` has one number for each, oldest first."""
    today = now.date()
    by_day = [today - timedelta(days=back) for back in reversed(range(len(opened)))]
    dates = [at.date() for at in decided]
    return tuple(
        Day(day=day, opened=count, decided=dates.count(day)) for day, count in zip(by_day, opened, strict=True)
    )
