"""What reviewers are exposed to: counted at the server, and capped.

Filters are not shown to protect (Lewitzka et al. 2026, doi 10.1007/s00426-026-02241-5: no effect of blur or greyscale
on anxiety, affect or intrusions). What is known to matter is how much and how often (Spence et al. 2024), so exposure
is metered. The defaults follow what the Internet Watch Foundation does: at most five hours a day, a break every hour,
no work in the late afternoon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from jikimi.model.ids import CaseId, PersonId, RevealId


class Level(StrEnum):
    """How much of a picture was shown, from least to most."""

    METADATA = "metadata"
    BLURRED = "blurred"
    """Small, grey and blurred, made by the server; shown on request, never because a page was opened."""
    GREY = "grey"
    """Grey, at reading size, while a key or button is held."""
    SPOT = "spot"
    """In colour, through a small round window that the reviewer moves, while a key or button is held."""
    FULL = "full"
    """In colour, whole, while a key or button is held."""


WEIGHTS = {Level.METADATA: 0.0, Level.BLURRED: 0.1, Level.GREY: 0.5, Level.SPOT: 0.5, Level.FULL: 1.0}
"""What a second at each level counts. Operators' choice, not science: nobody has measured such weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRules:
    """What the operator chooses. Times of day are the person's own (their time zone)."""

    soft_cap: timedelta = timedelta(hours=4)
    """Weighted time a day from which the person is advised to stop."""
    hard_cap: timedelta = timedelta(hours=5)
    """Weighted time a day after which no picture is shown any more (IWF: five hours)."""
    work: timedelta = timedelta(hours=1)
    """Time with reviewing after which a break is due (IWF: a break each hour)."""
    rest: timedelta = timedelta(minutes=10)
    """How long a break lasts."""
    cut_off: time | None = time(16, 0)
    """From when on no picture is shown (IWF: 16:00); none: no such hour."""
    longest_reveal: timedelta = timedelta(seconds=60)
    """A reveal that was not ended by then counts as this long, and shows nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One look at one picture. `milliseconds` is what the server measured, from the first byte sent to the release.

    `ended_at` is none while the key is held. `severity` is the case's, 1 to 5.
    """

    id: RevealId
    person_id: PersonId
    case_id: CaseId
    sha256: str
    level: Level
    severity: int
    reason: str
    started_at: datetime
    ended_at: datetime | None = None
    milliseconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a person has used today and what is left. `refusal` is the code of why nothing may be shown, or empty."""

    used: timedelta
    soft_cap: timedelta
    hard_cap: timedelta
    break_until: datetime | None
    refusal: str = ""

    @property
    def is_advised_to_stop(self) -> bool:
        """Whether the soft cap is passed."""
        return self.used >= self.soft_cap
