"""Identifiers sort by the time they were made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.ids import ENTROPY_BYTES, new_id

_MOMENTS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
_CHANCE = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)


@given(_MOMENTS, _MOMENTS, _CHANCE, _CHANCE)
def test_what_is_made_later_sorts_later(first: datetime, second: datetime, one: bytes, two: bytes) -> None:
    if abs(second - first) < timedelta(milliseconds=1):
        return
    earlier, later = sorted([(first, one), (second, two)])
    assert new_id("scan", *earlier) < new_id("scan", *later)


@given(_MOMENTS, _CHANCE, _CHANCE)
def test_in_one_moment_chance_tells_them_apart(at: datetime, one: bytes, two: bytes) -> None:
    assert (new_id("scan", at, one) == new_id("scan", at, two)) is (one == two)


@given(_MOMENTS, _CHANCE)
def test_they_can_be_read_out_over_a_telephone(at: datetime, chance: bytes) -> None:
    assert re.fullmatch(r"case_[0-9abcdefghjkmnpqrstvwxyz]{26}", new_id("case", at, chance))
