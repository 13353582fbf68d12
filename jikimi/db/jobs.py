"""Work for later, in the same database as the facts, so that both commit together.

A worker claims the oldest job that is due by taking a lease. When a worker dies, its lease runs out and another one
claims the job.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, true, update

from jikimi.db.schema import jobs
from jikimi.model.ids import JobId
from jikimi.model.job import Job

_WAITING, _DEAD = "waiting", "dead"


class SqlJobs:
    """Jobs in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job) -> None:
        """Store a job; one with the same kind and key is there at most once."""
        if self.exists(job.kind, job.key):
            return
        values = {"id": job.id, "kind": job.kind, "key": job.key, "run_at": job.run_at, "tries": job.tries}
        self._connection.execute(insert(jobs).values({**values, "state": _WAITING, "error": ""}))

    def claim(self, now: datetime, lease_until: datetime, kinds: Collection[str] | None = None) -> Job | None:
        """Take the oldest job of these kinds that is due and free; without kinds, of any.

        SQLite has one writer at a time and ignores the row lock.
        """
        due = (
            select(jobs.c.id)
            .where(jobs.c.state == _WAITING, jobs.c.run_at <= now)
            .where(or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now))
            .where(true() if kinds is None else jobs.c.kind.in_(kinds))
            .order_by(jobs.c.run_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        claimed = (
            update(jobs).where(jobs.c.id == due).values(lease_until=lease_until, tries=jobs.c.tries + 1).returning(jobs)
        )
        row = self._connection.execute(claimed).one_or_none()
        return None if row is None else _job(row)

    def finish(self, job: Job) -> None:
        """Forget a job that is done."""
        self._connection.execute(delete(jobs).where(jobs.c.id == job.id))

    def retry(self, job: Job, at: datetime, error: str) -> None:
        """Put a job back until a later time."""
        values = {"run_at": at, "lease_until": None, "error": error}
        self._connection.execute(update(jobs).where(jobs.c.id == job.id).values(values))

    def bury(self, job: Job, error: str) -> None:
        """Keep a job that has failed for good, for people to look at."""
        self._connection.execute(update(jobs).where(jobs.c.id == job.id).values(state=_DEAD, error=error))

    def exists(self, kind: str, key: str) -> bool:
        """Tell whether there is such a job, waiting or dead."""
        found = select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.key == key)
        return self._connection.execute(found).first() is not None

    def drop(self, kind: str, key: str, now: datetime) -> bool:
        """Forget a job, waiting or dead, unless somebody works on it now; whether there is none any more."""
        free = or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now, jobs.c.state == _DEAD)
        self._connection.execute(delete(jobs).where(jobs.c.kind == kind, jobs.c.key == key, free))
        return not self.exists(kind, key)

    def counts(self) -> Mapping[str, int]:
        """How many jobs there are by state."""
        counted = select(jobs.c.state, func.count().label("jobs")).group_by(jobs.c.state)
        return {row.state: row.jobs for row in self._connection.execute(counted)}


def _job(row: Row[Any]) -> Job:
    return Job(id=JobId(row.id), kind=row.kind, key=row.key, run_at=row.run_at, tries=row.tries)
