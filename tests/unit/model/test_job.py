"""A job that failed is tried again, later each time, and at last given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jikimi.model.ids import JobId
from jikimi.model.job import MAX_TRIES, Job, is_last_try, next_try

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def job(tries: int) -> Job:
    return Job(id=JobId("job_1"), kind="recheck", key="scan_1", run_at=_NOON, tries=tries)


@pytest.mark.parametrize(("tries", "seconds"), [(0, 15), (1, 15), (2, 60), (3, 240), (4, 960)])
def test_the_pauses_grow(tries: int, seconds: int) -> None:
    assert next_try(job(tries), _NOON) == _NOON + timedelta(seconds=seconds)


def test_the_last_try_is_the_fifth() -> None:
    assert [is_last_try(job(tries)) for tries in range(1, MAX_TRIES + 1)] == [False, False, False, False, True]
