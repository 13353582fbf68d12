"""Every text of the pages exists in Korean, with the same places for values; every closed set has its words."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from jikimi.doors.desk.words import WORDS
from scripts.translate import missing, updated

_PLACE = re.compile(r"%\(\w+\)s|\{\w+\}")


def test_nothing_is_left_in_english() -> None:
    assert missing(updated("ko")) == [], "translate it in locale/ko, then run `python -m scripts.translate`"


def test_a_translation_has_the_places_of_its_original() -> None:
    for message in updated("ko"):
        original = message.id if isinstance(message.id, str) else message.id[-1]
        korean = message.string if isinstance(message.string, str) else (message.string or [""])[-1]
        if original:
            assert sorted(_PLACE.findall(original)) == sorted(_PLACE.findall(korean)), original


@pytest.mark.parametrize("values", WORDS, ids=lambda values: values.__name__)
def test_every_value_has_a_word(values: type[StrEnum]) -> None:
    assert set(WORDS[values]) == set(values)
