"""Nothing that was ordered is lost by kill -9, between sending and storing or at any other moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.enforce import deliver, take_back
from jikimi.model.job import ENFORCE
from jikimi.model.people import Role
from jikimi.ports import Kit
from jikimi.testing.platform import Platform
from jikimi.worker import run_due_jobs
from tests.flows.enforced import SECRET, case_of, decide, states_of
from tests.flows.staff import hire

WORKER = """
import sys
from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.enforce import deliver
from jikimi.model.job import ENFORCE
from jikimi.worker import run_due_jobs
with open_kit(Settings.load()) as kit:
    print("works", flush=True)
    while True:
        run_due_jobs(kit, {ENFORCE: deliver})
"""
LEASE = timedelta(minutes=6)


class Killed:
    """A worker in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        environment = {
            **os.environ,
            "JIKIMI_DATA": str(settings.data),
            "JIKIMI_DATABASE_URL": settings.database_url,
            "JIKIMI_WEBHOOK_URL": settings.webhook_url,
            "JIKIMI_WEBHOOK_KEYS": settings.webhook_keys,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "works\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@contextmanager
def connected(tmp_path: Path, database_url: str) -> Iterator[tuple[Settings, Kit, Platform]]:
    with Platform([SECRET]) as platform:
        settings = Settings.load(
            data=tmp_path / "data",
            database_url=database_url or None,
            webhook_url=platform.url,
            webhook_keys=SECRET,
            webhook_timeout_seconds=20,
        )
        with open_kit(settings) as kit:
            yield settings, kit, platform


def work_later(kit: Kit, after: timedelta) -> None:
    """Another worker has a turn, once the leases of the dead one have run out."""
    now = datetime.now(UTC) + after
    run_due_jobs(replace(kit, clock=lambda: now), {ENFORCE: deliver})


def test_a_worker_killed_between_sending_and_storing_loses_nothing(tmp_path: Path, database_url: str) -> None:
    with connected(tmp_path, database_url) as (settings, kit, platform):
        case = case_of(kit, 1)
        decision = decide(kit, hire(kit, Role.LEAD), case)
        with kit.store.begin() as tx:
            take_back(kit, tx, decision)
        platform.hangs_after_doing()
        worker = Killed(settings)
        until = time.monotonic() + 30
        while not platform.received:
            assert time.monotonic() < until
            time.sleep(0.01)
        worker.kill()
        assert states_of(kit, case) == ["waiting", "waiting"]
        platform.answers()
        work_later(kit, timedelta(0))
        assert len(platform.received) == 1, "the dead worker's lease is still running"
        work_later(kit, LEASE)
        assert states_of(kit, case) == ["confirmed", "confirmed"]
        assert platform.of_case(case.id) == ["remove", "remove", "restore"]
        assert len({message.key for message in platform.received}) == 2
        assert platform.effects == [("remove", "post 1"), ("restore", "post 1")]


def kill_at_random(tmp_path: Path, database_url: str, *, cases: int, kills: int) -> None:
    chance = random.Random()
    with connected(tmp_path, database_url) as (settings, kit, platform):
        lead = hire(kit, Role.LEAD)
        told = [case_of(kit, seed) for seed in range(1, cases + 1)]
        for case in told:
            decision = decide(kit, lead, case)
            with kit.store.begin() as tx:
                take_back(kit, tx, decision)
        for _ in range(kills):
            worker = Killed(settings)
            time.sleep(chance.uniform(0.0, 0.3))
            worker.kill()
            expire_leases(kit)
        for step in range(1, 5):
            work_later(kit, LEASE * step)
        assert [states_of(kit, case) for case in told] == [["confirmed", "confirmed"]] * cases
        for number, case in enumerate(told, start=1):
            order = platform.of_case(case.id)
            assert sorted(order) == order, "remove before restore"
            mine = [verb for verb, post in platform.effects if post == f"post {number}"]
            assert mine == ["remove", "restore"]


def expire_leases(kit: Kit) -> None:
    """Time passes: what the dead worker had claimed is free again."""
    with kit.store.begin() as tx:
        later = datetime.now(UTC) + LEASE
        claimed = list(iter(lambda: tx.jobs.claim(later, later + LEASE), None))
        for job in claimed:
            tx.jobs.retry(job, datetime.now(UTC), "lease ran out")


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    kill_at_random(tmp_path, "", cases=5, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_kills_lose_nothing(tmp_path: Path, database_url: str) -> None:
    kill_at_random(tmp_path, database_url, cases=60, kills=15)
