"""The lead looks at the whole.

1. ask whether this person may
2. count what waits, what is late, what nobody has touched
3. count the last days: opened, decided, how long it took
4. count uploads that could not be checked, by integration, and what the platform was not told
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from jikimi.model.match import Disposition
from jikimi.model.overview import DAYS, STUCK_AFTER, Intake, Overview, days_until, spread_of
from jikimi.model.people import Permission, Person, allow
from jikimi.ports import Kit, Tallied, Tx

_LISTED = 10
"""Cases named on the page; the queue has the rest."""
_WEIGHED = 20_000
"""Decisions that volumes and times are made of, the newest; enough for a month of a large platform."""


def overview(kit: Kit, person: Person) -> Overview:
    """Everything on the lead's page, as of now."""
    # 1. may they?
    allow(person, Permission.OVERVIEW)
    now = kit.clock()
    with kit.store.read() as tx:
        # 3. the last days
        settled = tx.census.settled(_began(now, DAYS), _WEIGHED)
        jobs = tx.jobs.counts()
        return Overview(
            # 2. what waits
            heaps=tx.census.heaps(now),
            due=tx.census.due(now, _LISTED),
            stuck=tx.census.stuck(now - STUCK_AFTER, _LISTED),
            days=days_until(now, _opened(tx, now), [one.decided_at for one in settled]),
            times=spread_of([one.decided_at - one.opened_at for one in settled]),
            # 4. unchecked, undelivered
            intake=_intake(tx.counters.all(), now),
            unchecked_now=tx.census.unchecked(),
            dead_actions=tx.census.dead_actions(),
            dead_jobs=jobs.get("dead", 0),
            waiting_jobs=jobs.get("waiting", 0),
        )


def _opened(tx: Tx, now: datetime) -> list[int]:
    begins = [_began(now, DAYS - place) for place in range(DAYS + 1)]
    return [tx.census.opened(since, until) for since, until in pairwise(begins)]


def _began(now: datetime, back: int) -> datetime:
    """When the day so many days ago began, where 1 is today and 0 tomorrow."""
    return datetime.combine(now.date() + timedelta(days=1 - back), time(), UTC)


def _intake(tallied: tuple[Tallied, ...], now: datetime) -> tuple[Intake, ...]:
    uploads: Counter[str] = Counter()
    unchecked: Counter[str] = Counter()
    for one in tallied:
        if one.day > now.date() - timedelta(days=7):
            uploads[one.source] += one.count
            unchecked[one.source] += one.count if one.disposition is Disposition.UNCHECKED else 0
    return tuple(
        Intake(source=source, uploads=uploads[source], unchecked=unchecked[source]) for source in sorted(uploads)
    )
