"""What happens by itself while a service runs: tasks at intervals, and jobs as they fall due.

Each task has a thread of its own, so that a slow one delays nothing else. A task that fails is logged, counted and run
again at its next turn; a job that fails follows the family of its error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jikimi.model.errors import JikimiError, Unavailable
from jikimi.model.job import Job, is_last_try, next_try
from jikimi.ports import Kit

_LEASE = timedelta(minutes=5)
_STOP_SECONDS = 10.0
_AFTER_FAILURE_SECONDS = 1.0
"""What failed is not tried again sooner: while a database is away, the log should say so once a second at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to do every so many seconds, counted from the end of the last time."""

    name: str
    every: float
    run: Callable[[], object]


class Worker:
    """The threads of a running service."""

    def __init__(self, kit: Kit, tasks: Sequence[Task]) -> None:
        self._kit = kit
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(task,), name=f"jikimi-{task.name}", daemon=True)
            for task in tasks
        ]

    def start(self) -> None:
        """Start all tasks."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every task finish what it is at, and end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def _repeat(self, task: Task) -> None:
        while not self._stopping.is_set():
            pause = task.every
            try:
                task.run()
            except Exception as error:  # noqa: BLE001 - a task must outlive whatever happens in it
                self._kit.tally.note("task_failed")
                detail = error.detail if isinstance(error, JikimiError) else ""
                self._kit.log.error("task_failed", task=task.name, fault=repr(error), detail=detail)
                pause = max(pause, _AFTER_FAILURE_SECONDS)
            self._stopping.wait(pause)


def run_due_jobs(kit: Kit, kinds: Mapping[str, Callable[[Kit, Job], None]]) -> int:
    """Run jobs of these kinds until none is due; how many were run."""
    ran = 0
    while True:
        now = kit.clock()
        with kit.store.begin_beside() as tx:
            job = tx.jobs.claim(now, now + _LEASE, kinds)
        if job is None:
            return ran
        _run(kit, job, kinds[job.kind])
        ran += 1


def _run(kit: Kit, job: Job, flow: Callable[[Kit, Job], None]) -> None:
    try:
        flow(kit, job)
    except Unavailable as error:
        with kit.store.begin_beside() as tx:
            if is_last_try(job):
                tx.jobs.bury(job, error.code)
            else:
                tx.jobs.retry(job, _later(kit, job, error), error.code)
    except Exception as error:  # noqa: BLE001 - kept as a dead job, for people to look at
        code = error.code if isinstance(error, JikimiError) else type(error).__name__
        kit.log.error("job_failed", kind=job.kind, job=job.id, code=code, fault=repr(error))
        with kit.store.begin_beside() as tx:
            tx.jobs.bury(job, code)
    else:
        with kit.store.begin_beside() as tx:
            tx.jobs.finish(job)


def _later(kit: Kit, job: Job, error: Unavailable) -> datetime:
    """When to try again: after the pause that is usual for this kind, or when we were told to come back."""
    now, chance = kit.clock(), kit.entropy(1)[0] / 255
    return max(next_try(job, now, chance), now + timedelta(seconds=error.retry_after))
