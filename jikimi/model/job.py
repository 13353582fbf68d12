"""Work that is done later, at least once, and when to try again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jikimi.model.ids import JobId

MAX_TRIES = 5
_FIRST_WAIT = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work. `key` makes it single: a second job with the same kind and key is not stored."""

    id: JobId
    kind: str
    key: str
    run_at: datetime
    tries: int = 0


def is_last_try(job: Job) -> bool:
    """Tell whether this try is the last one."""
    return job.tries >= MAX_TRIES


def next_try(job: Job, now: datetime) -> datetime:
    """When to run a job that failed: 15 s, 1 min, 4 min, 16 min later."""
    return now + _FIRST_WAIT * int(4 ** max(job.tries - 1, 0))
