"""A job that failed is tried again, later each time, and at last given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.ids import JobId
from jikimi.model.job import ENFORCE, MAX_TRIES, Job, is_last_try, next_try

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def job(tries: int) -> Job:
    return Job(id=JobId("job_1"), kind="recheck", key="scan_1", run_at=_NOON, tries=tries)


@pytest.mark.parametrize(("tries", "seconds"), [(0, 15), (1, 15), (2, 60), (3, 240), (4, 960)])
def test_the_pauses_grow(tries: int, seconds: int) -> None:
    assert next_try(job(tries), _NOON) == _NOON + timedelta(seconds=seconds)


def test_the_last_try_is_the_fifth() -> None:
    assert [is_last_try(job(tries)) for tries in range(1, MAX_TRIES + 1)] == [False, False, False, False, True]


def test_the_platform_is_told_for_three_days_with_pauses_of_an_hour_at_most() -> None:
    at, enforcing = _NOON, replace(job(0), kind=ENFORCE)
    pauses = []
    while not is_last_try(enforcing):
        enforcing = replace(enforcing, tries=enforcing.tries + 1)
        pauses.append(next_try(enforcing, at) - at)
        at += pauses[-1]
    assert pauses[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1)
    assert timedelta(days=2, hours=18) < at - _NOON < timedelta(days=3, hours=6)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_chance_takes_off_a_tenth_at_most(tries: int, chance: float) -> None:
    enforcing = replace(job(tries), kind=ENFORCE)
    longest = next_try(enforcing, _NOON) - _NOON
    assert longest * 0.9 <= next_try(enforcing, _NOON, chance) - _NOON <= longest
