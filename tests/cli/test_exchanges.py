"""`jikimi exchange`: an exchange is added, pulled and removed; what is wrong with its settings is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

_BANK = ("--bank", "b", "--category", "other", "--on-match", "hold")


def added(jikimi: Command, file: Path) -> None:
    file.write_text("0cc175b9c0f1b6a831c399e269772661\n")
    jikimi("exchange", "add", "a", "--kind", "list", *_BANK, "--set", f"file={file}")


@pytest.mark.parametrize("minutes", ["nan", "inf", "1e300", "0", "1e9"])
def test_a_time_that_is_none_is_refused(jikimi: Command, tmp_path: Path, minutes: str) -> None:
    added(jikimi, tmp_path / "list")
    said = jikimi("exchange", "change", "a", "--every", minutes, code=2)
    assert "[exchange_every_invalid]" in said.err
    options = ("--kind", "list", *_BANK, "--set", "file=/nowhere")
    assert "[exchange_every_invalid]" in jikimi("exchange", "add", "b", *options, "--every", minutes, code=2).err


def test_an_exchange_lives_and_goes(jikimi: Command, tmp_path: Path) -> None:
    added(jikimi, tmp_path / "list")
    assert jikimi("exchange", "sync", "a", "--json").object["added"] == 1
    assert jikimi("exchange", "status", "--json").object["state"] == "ok"
    assert "[not_confirmed]" in jikimi("exchange", "remove", "a", code=2).err
    assert jikimi("exchange", "remove", "a", "--yes", "--json").object["entries"] == 1
    assert jikimi("exchange", "list", "--json").objects == []


def test_secrets_are_no_arguments(jikimi: Command, tmp_path: Path) -> None:
    added(jikimi, tmp_path / "list")
    assert "[secret_on_command_line]" in jikimi("exchange", "change", "a", "--secret", "token=x", code=2).err
    assert "[secret_missing]" in jikimi("exchange", "change", "a", "--secret", "token", code=2).err
