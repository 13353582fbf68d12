"""What a lead sees: times in their classes, days that are counted from today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.overview import STEPS, days_until, spread_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_time_is_counted_in_the_class_it_belongs_to() -> None:
    spread = spread_of([timedelta(minutes=1), timedelta(minutes=15), timedelta(days=30)])
    assert spread.counts == (1, 1, 0, 0, 0, 0, 1)
    assert spread.middle == timedelta(minutes=15)


def test_nothing_decided_has_no_middle() -> None:
    assert spread_of([]).middle is None


@given(st.lists(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400))))
def test_every_time_is_counted_once(times: list[timedelta]) -> None:
    counts = spread_of(times).counts
    assert (len(counts), sum(counts)) == (len(STEPS) + 1, len(times))


def test_days_end_with_today() -> None:
    days = days_until(NOW, [4, 5, 6], [NOW, NOW - timedelta(days=2), NOW - timedelta(days=9)])
    assert [(day.day.day, day.opened, day.decided) for day in days] == [(20, 4, 1), (21, 5, 0), (22, 6, 1)]
