"""Small secrets: sealed with a file's key, opened with it only, and with older keys of it."""

from __future__ import annotations

import secrets
import stat
import threading
from pathlib import Path

import pytest

from jikimi.cli.diagnosis import examine_installation
from jikimi.config import Settings
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.vault.safe import KeySafe

TEXT = '{"password": "열쇠 xyzzy"}'


def safe(file: Path) -> KeySafe:
    return KeySafe(file, secrets.token_bytes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secrets.key"


def test_what_was_sealed_is_opened(file: Path) -> None:
    sealed = safe(file).seal(TEXT)
    assert safe(file).open(sealed) == TEXT
    assert b"xyzzy" not in sealed
    assert safe(file).seal(TEXT) != sealed
    assert safe(file).open(safe(file).seal("")) == ""


def test_the_key_is_made_at_the_first_use_for_its_owner_only(file: Path) -> None:
    assert safe(file).is_private
    assert not file.exists()
    safe(file).seal("x")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_who_comes_second_keeps_the_first_key(file: Path) -> None:
    sealed: list[bytes] = []
    threads = [threading.Thread(target=lambda: sealed.append(safe(file).seal(TEXT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [safe(file).open(one) for one in sealed] == [TEXT] * 8


def test_another_installation_s_secret_is_told_apart(file: Path, tmp_path: Path) -> None:
    sealed = safe(file).seal(TEXT)
    for other in (safe(tmp_path / "other.key"), safe(tmp_path / "missing.key")):
        if "other" in other.file.name:
            other.seal("x")
        with pytest.raises(Refused, match="another key") as raised:
            other.open(sealed)
        assert raised.value.code == "secret_unreadable"


def test_after_a_rotation_old_secrets_open_and_new_ones_have_the_new_key(file: Path) -> None:
    old = safe(file).seal(TEXT)
    file.write_text(f"{secrets.token_hex(32)}\n{file.read_text()}")
    new = safe(file).seal(TEXT)
    assert (safe(file).open(old), safe(file).open(new)) == (TEXT, TEXT)
    assert new[:9] != old[:9]


@pytest.mark.parametrize("at", [0, 3, 10, 25, -1])
def test_what_was_changed_is_not_opened(file: Path, at: int) -> None:
    sealed = bytearray(safe(file).seal(TEXT))
    sealed[at] ^= 1
    for damaged in (bytes(sealed), bytes(sealed[:12]), b""):
        with pytest.raises(Refused, match="another key"):
            safe(file).open(damaged)


@pytest.mark.parametrize("text", ["", "no hex\n", "abcd\n"])
def test_a_file_without_a_key_is_named(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(Refused, match="should hold"):
        safe(file).seal(TEXT)


def test_where_no_key_can_be_kept_nothing_is_sealed(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as raised:
        safe(tmp_path / "missing" / "secrets.key").seal(TEXT)
    assert isinstance(raised.value, JikimiError)


def test_doctor_sees_a_key_that_others_can_read(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path / "data", decode_workers=1)
    assert not [one for one in examine_installation(settings) if one.check == "secrets key"]
    safe(settings.secrets_key).seal("x")
    assert [one.ok for one in examine_installation(settings) if one.check == "secrets key"] == [True]
    settings.secrets_key.chmod(0o640)
    (finding,) = [one for one in examine_installation(settings) if one.check == "secrets key"]
    assert (finding.ok, "chmod 600" in finding.finding) == (False, True)
