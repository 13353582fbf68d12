"""Work that is done later, at least once, and when to try again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jikimi.model.ids import JobId

MAX_TRIES = 5
"""Tries of a re-check, and of every kind of job that has no patience of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a kind of job is tried: the pauses grow by `factor` up to `longest`, until the last of `tries`.

    `jitter` is the part of a pause that chance may take off, so that what failed together does not come back together.
    """

    first: timedelta
    factor: int
    longest: timedelta
    tries: int
    jitter: float = 0.0


ENFORCE = "enforce"
"""Kind of the jobs that tell the platform what to do."""

SHARE = "share"
"""Kind of the jobs that give back to an exchange."""

_USUAL = Patience(first=timedelta(seconds=15), factor=4, longest=timedelta(hours=1), tries=MAX_TRIES)
_BY_KIND = {
    # 5 s, 10 s, … up to an hour after the eleventh try, then hourly: three days in all.
    ENFORCE: Patience(first=timedelta(seconds=5), factor=2, longest=timedelta(hours=1), tries=84, jitter=0.1),
    # A minute, doubled up to six hours: four days in all.
    SHARE: Patience(first=timedelta(minutes=1), factor=2, longest=timedelta(hours=6), tries=24, jitter=0.1),
}
_MOST_GROWTH = 16
"""Exponents above this say nothing: every pause is the longest long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work. `key` makes it single: a second job with the same kind and key is not stored."""

    id: JobId
    kind: str
    key: str
    run_at: datetime
    tries: int = 0


def patience(kind: str) -> Patience:
    """How long a kind of job is tried."""
    return _BY_KIND.get(kind, _USUAL)


def is_last_try(job: Job) -> bool:
    """Tell whether this try is the last one."""
    return job.tries >= patience(job.kind).tries


def next_try(job: Job, now: datetime, chance: float = 0.0) -> datetime:
    """When to run a job that failed; `chance` (0 to 1) says how much of the jitter is taken off the pause."""
    ours = patience(job.kind)
    growth = int(ours.factor ** min(max(job.tries - 1, 0), _MOST_GROWTH))
    return now + min(ours.first * growth, ours.longest) * (1 - ours.jitter * chance)
