"""Whom the door for programs written for HMA may be opened to."""

from __future__ import annotations

from pathlib import Path

import pytest

from jikimi.config import Settings
from jikimi.model.bank import Category, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.hma import HmaRules


def test_the_door_is_shut_and_asks_for_keys_unless_told(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path)
    assert (settings.hma_port, settings.hma_prefix) == (0, "")
    assert settings.hma == HmaRules(needs_key=True, category=Category.OTHER, on_match=OnMatch.HOLD)


@pytest.mark.parametrize("place", [{"hma_port": 9876}, {"hma_prefix": "/hma"}])
@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::"])  # noqa: S104 - is refused
def test_without_keys_strangers_stay_out_unless_it_is_said(
    tmp_path: Path, place: dict[str, int | str], host: str
) -> None:
    with pytest.raises(Refused, match="hma_key none lets everybody"):
        Settings.load(data=tmp_path, host=host, hma_key="none", **place)
    assert Settings.load(data=tmp_path, host=host, **place).hma.needs_key
    assert not Settings.load(data=tmp_path, host=host, hma_key="none", hma_open=True, **place).hma.needs_key
    assert not Settings.load(data=tmp_path, host="127.0.0.1", hma_key="none", **place).hma.needs_key


def test_without_a_place_nothing_is_open(tmp_path: Path) -> None:
    assert Settings.load(data=tmp_path, host="0.0.0.0", hma_key="none").hma_port == 0  # noqa: S104 - nothing is served


@pytest.mark.parametrize(
    "prefix", ["hma", "/hma/", "/", "/desk", "/desk/hma", "/v1", "/v1/x", "/a b", "//hma", "/../x"]
)
def test_places_that_are_none(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(Refused, match="hma_prefix"):
        Settings.load(data=tmp_path, hma_prefix=prefix)


def test_two_doors_do_not_share_a_port(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="two ports"):
        Settings.load(data=tmp_path, port=8600, hma_port=8600)


@pytest.mark.parametrize("category", ["allow", "canary"])
def test_what_such_programs_bank_is_harm(tmp_path: Path, category: str) -> None:
    with pytest.raises(Refused, match="hma_category"):
        Settings.load(data=tmp_path, hma_category=category)
