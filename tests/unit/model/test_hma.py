"""HMA's names and rules: what is taken, what is refused, who answers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.hma import (
    CONTENT_TYPES,
    FOR_EVER,
    MOST_ID,
    OFF,
    ON,
    OUR_TYPES,
    OWN,
    BankContent,
    asleep_until,
    checked_disable_until,
    checked_metadata,
    checked_name,
    checked_note,
    compare,
    content_type_of,
    draw,
    hma_type,
    ratio_of,
    read_content_id,
    read_signal,
    takes_part,
    wanted_types,
    with_ratio,
)
from jikimi.model.signal import SIGNAL_KINDS

_NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
_POLICY = BankPolicy(name="B", category=Category.OTHER, on_match=OnMatch.HOLD)


def content(until: int) -> BankContent:
    return BankContent(id=1, bank_id=1, entry_ids=(1,), disable_until=until)


def at(**ahead: float) -> int:
    return int((_NOW + timedelta(**ahead)).timestamp())


@pytest.mark.parametrize(("until", "is_on"), [(ON, True), (OFF, False), (at(hours=-1), True), (at(hours=1), False)])
def test_when_a_content_is_on(until: int, is_on: bool) -> None:
    assert content(until).is_on(_NOW) is is_on


@pytest.mark.parametrize(
    ("untils", "expected"),
    [
        ([], None),
        ([ON], None),
        ([OFF, ON], None),
        ([OFF], FOR_EVER),
        ([OFF, at(hours=2), at(hours=1)], datetime.fromtimestamp(at(hours=1), UTC)),
    ],
)
def test_until_when_an_entry_sleeps(untils: list[int], expected: datetime | None) -> None:
    assert asleep_until([content(until) for until in untils]) == expected


@given(st.floats(0, 1))
def test_a_ratio_comes_back_as_it_was_set(ratio: float) -> None:
    changed = with_ratio(_POLICY, ratio)
    assert ratio_of(changed) == ratio
    assert changed.enabled is (ratio > 0)
    assert 0 < changed.ratio <= 1


def test_the_coin_is_python_s() -> None:
    assert draw("a seed") == random.Random("a seed").random()
    assert len({draw(None) for _ in range(20)}) > 1
    assert (takes_part(0.5, 0.5), takes_part(0.5, 0.51), takes_part(0.0, 0.0)) == (True, False, True)


@pytest.mark.parametrize("name", ["A", "_", "_A1", "COOP_ORG_1", "A" * 255])
def test_names(name: str) -> None:
    assert checked_name(name, "bank") == name


@pytest.mark.parametrize("name", ["", "a", "1A", "A-B", "A B", "A\n", "É", "A" * 256])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Refused, match="255"):
        checked_name(name, "bank")


def test_every_type_of_ours_has_a_name_and_back() -> None:
    assert {OUR_TYPES[hma_type(type_)] for type_ in SIGNAL_KINDS} == set(SIGNAL_KINDS)
    assert hma_type("md5") == "video_md5"


def test_types_that_a_content_can_have() -> None:
    photo, video = CONTENT_TYPES["photo"], CONTENT_TYPES["video"]
    assert wanted_types(photo, None) == ("pdq",)
    assert wanted_types(video, None) == ("video_md5",)
    assert wanted_types(photo, " sha256 , pdq,pdq") == ("sha256", "pdq")
    for mistake in ("", ",", "video_md5", "nonsense", "pdq,"[:-1] + ";"):
        with pytest.raises(Refused):
            wanted_types(photo, mistake)


def test_a_signal_is_written_as_hma_wants_it() -> None:
    assert read_signal("video_md5", "AB" * 16).text == "ab" * 16
    assert read_signal("pdq", "ab" * 32).type == "pdq"
    for name, value in (("pdq", "AB" * 32), ("pdq", "ab"), ("video_md5", ""), ("nonsense", "ab" * 32)):
        with pytest.raises(Refused):
            read_signal(name, value)


def test_two_signals_compared() -> None:
    assert compare("pdq", ["00" * 32, "00" * 31 + "7f"]) == (True, 7)
    assert compare("pdq", ["00" * 32, "ff" * 4 + "00" * 28]) == (False, 32)
    assert compare("video_md5", ["00" * 16] * 2) == (True, 0)
    assert compare("sha1", ["00" * 20, "ff" * 20]) == (False, 1)


@pytest.mark.parametrize(
    ("header", "name"), [("image/png", "photo"), ("IMAGE/x; q=1", "photo"), ("video/mp4", "video")]
)
def test_what_a_header_says(header: str, name: str) -> None:
    assert content_type_of(header).name == name


@pytest.mark.parametrize("header", ["", "text/html", "application/octet-stream", "images"])
def test_what_a_header_does_not_say(header: str) -> None:
    with pytest.raises(Refused):
        content_type_of(header)


@pytest.mark.parametrize("said", [{}, {"content_id": "a", "content_uri": None}, {"json": {"a": [1]}}])
def test_metadata(said: dict[str, Any]) -> None:
    assert checked_metadata({**said, "collab": {"NCMEC": ["1"]}}) == said


@pytest.mark.parametrize(
    "said",
    [[], "a", None, {"a": 1}, {"content_id": 1}, {"json": []}, {"json": {"a": "\ud800"}}, {"content_uri": "x" * 9000}],
)
def test_metadata_that_are_none(said: Any) -> None:
    with pytest.raises(Refused):
        checked_metadata(said)


def test_a_note_has_a_length() -> None:
    assert checked_note("한" * 255) == "한" * 255
    for mistake in ("n" * 256, "\x00", "\udfff", None, 5):
        with pytest.raises(Refused):
            checked_note(mistake)


def test_the_switch_reaches_five_years_ahead() -> None:
    for good in (0, 1, at(days=5 * 365 - 1)):
        assert checked_disable_until(good, _NOW) == good
    for mistake in (-1, at(days=5 * 365 + 2), "1", 1.0, True, None, 10**40):
        with pytest.raises(Refused):
            checked_disable_until(mistake, _NOW)


def test_numbers_of_contents() -> None:
    assert read_content_id("17") == 17
    assert OWN < read_content_id(str(OWN + 5)) < MOST_ID
    for mistake in ("", "-1", "1.0", "9" * 17, "٣", " 1"):
        assert read_content_id(mistake) == 0
