"""Evidence keys: made from a seed, wrapped to, kept in files, written on paper."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Broken, Refused
from jikimi.vault.keys import KeyFolder
from jikimi.vault.pair import WRAPPED_BYTES, PrivateKey, PublicKey
from jikimi.vault.sheet import read_sheet, write_sheet

CONTENT, OTHER = "11" * 32, "22" * 32
KEY = bytes(range(32))


def folder(path: Path, passphrase: Path | None = None) -> KeyFolder:
    return KeyFolder(path / "keys", secrets.token_bytes, passphrase)


def fingerprint(keys: KeyFolder) -> str:
    return keys.fingerprint_of(keys.make())


def test_a_seed_gives_the_key_that_the_specification_says() -> None:
    """First vector of draft-connolly-cfrg-xwing-kem, appendix C."""
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    public = PrivateKey(seed).public.data
    assert public[:32].hex() == "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5"
    assert len(public) == 1216


def test_a_wrapped_key_opens_for_one_key_and_one_content() -> None:
    ours, theirs = PrivateKey(bytes(32)), PrivateKey(b"x" * 32)
    wrapped = ours.public.wrap(KEY, CONTENT)
    assert len(wrapped) == WRAPPED_BYTES
    assert wrapped != ours.public.wrap(KEY, CONTENT)
    assert ours.unwrap(wrapped, CONTENT) == KEY
    changed = [bytes([wrapped[at] ^ 1]).join((wrapped[:at], wrapped[at + 1 :])) for at in (0, 1087, 1088, 1119, 1167)]
    for key, given_, content in [
        (theirs, wrapped, CONTENT),
        (ours, wrapped, OTHER),
        (ours, b"", CONTENT),
        (ours, wrapped[:-1], CONTENT),
        *((ours, one, CONTENT) for one in changed),
    ]:
        with pytest.raises(Broken) as refusal:
            key.unwrap(given_, content)
        assert refusal.value.code == "evidence_damaged"


def test_a_private_key_does_not_show_itself() -> None:
    key = PrivateKey(b"0123456789abcdef" * 2)
    assert "0123456789abcdef" not in repr(key) + str(key)


def test_keys_are_files_for_their_owner_alone(tmp_path: Path) -> None:
    keys = folder(tmp_path)
    assert (keys.present(), keys.held()) == (b"", ())
    public = keys.make()
    assert keys.present() == b""
    keys.adopt(public)
    assert keys.present() == public
    name = keys.fingerprint_of(public)
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == [f"evidence-{name}.key", "evidence.pub"]
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / f"evidence-{name}.key").stat().st_mode) == 0o600
    assert folder(tmp_path).private(name).public.data == public
    assert folder(tmp_path).held() == (name,)


def test_a_key_that_is_taken_away_is_gone_at_once(tmp_path: Path) -> None:
    keys = folder(tmp_path)
    name = fingerprint(keys)
    assert keys.private(name).public.fingerprint == name
    (tmp_path / "keys" / f"evidence-{name}.key").unlink()
    with pytest.raises(Refused) as refusal:
        keys.private(name)
    assert refusal.value.code == "vault_locked"
    assert "jikimi vault restore" in refusal.value.message


def test_a_passphrase_locks_the_private_key(tmp_path: Path) -> None:
    phrase = tmp_path / "phrase"
    phrase.write_text("a long one\n")
    keys = folder(tmp_path, phrase)
    seed_text = write_sheet(keys.private(name := fingerprint(keys)).seed, name)
    stored = (tmp_path / "keys" / f"evidence-{name}.key").read_text()
    assert stored.startswith("jikimi-evidence-1-locked ")
    assert keys.private(name).seed.hex() not in stored
    assert folder(tmp_path, phrase).sheet(name) == seed_text
    with pytest.raises(Refused, match="is locked"):
        folder(tmp_path).private(name)
    phrase.write_text("another")
    with pytest.raises(Refused) as refusal:
        folder(tmp_path, phrase).private(name)
    assert refusal.value.code == "passphrase_wrong"
    phrase.write_text("")
    with pytest.raises(Refused, match="is empty"):
        folder(tmp_path, phrase).private(name)
    with pytest.raises(Refused, match="cannot be read"):
        folder(tmp_path, tmp_path / "none").private(name)


@pytest.mark.parametrize("text", ["", "nonsense", "jikimi-evidence-1-private", "jikimi-evidence-1-private !!",
                                  "jikimi-evidence-1-locked AAAA AAAA", "jikimi-evidence-1-public AAAA"])  # fmt: skip
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    keys = folder(tmp_path)
    name = fingerprint(keys)
    (tmp_path / "keys" / f"evidence-{name}.key").write_text(text)
    with pytest.raises(Broken) as refusal:
        folder(tmp_path).private(name)
    assert refusal.value.code == "evidence_key_damaged"
    (tmp_path / "keys" / "evidence.pub").write_text(text)
    with pytest.raises(Broken):
        keys.present()


def test_a_file_under_another_name_is_told(tmp_path: Path) -> None:
    keys = folder(tmp_path)
    first, second = fingerprint(keys), fingerprint(keys)
    (tmp_path / "keys" / f"evidence-{first}.key").replace(tmp_path / "keys" / f"evidence-{second}.key")
    with pytest.raises(Broken):
        keys.private(second)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file where a folder has to be")
    with pytest.raises(Refused) as refusal:
        folder(tmp_path).make()
    assert refusal.value.code == "keys_unwritable"


@given(st.binary(min_size=32, max_size=32))
def test_a_sheet_gives_back_its_seed(seed: bytes) -> None:
    sheet = write_sheet(seed, "0" * 20)
    assert read_sheet(sheet) == seed
    rows = [line.strip().lower().replace("0", "o").replace("1", "l") for line in sheet.splitlines()[2:6]]
    typed = "\n".join(f"{number} {row[2:]}" for number, row in enumerate(rows, 1))
    assert read_sheet(typed) == seed


@given(st.binary(min_size=32, max_size=32), st.integers(0, 63), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_mistyped_digit_is_named_by_its_row(seed: bytes, at: int, digit: str) -> None:
    lines = write_sheet(seed, "0" * 20).splitlines()
    row = lines[2 + at // 16]
    places = [place for place, sign in enumerate(row) if place > row.index(":") and sign != " "]
    place = places[at % 16]
    typed = row[:place] + digit + row[place + 1 :]
    lines[2 + at // 16] = typed
    if typed == row:
        assert read_sheet("\n".join(lines)) == seed
        return
    try:
        assert read_sheet("\n".join(lines)) != seed  # one in 32,768 mistypings passes; the fingerprint stops it
    except Refused as refusal:
        assert (refusal.code, str(1 + at // 16) in refusal.message) == ("sheet_mistyped", True)


def test_rows_that_changed_places_are_refused() -> None:
    rows = write_sheet(bytes(range(32)), "0" * 20).splitlines()[2:6]
    crossed = [rows[0].replace("1:", "2:"), rows[1].replace("2:", "1:"), *rows[2:]]
    with pytest.raises(Refused, match="Row 1"):
        read_sheet("\n".join(crossed))
    with pytest.raises(Refused, match="Row 2, 4") as refusal:
        read_sheet("\n".join((rows[0], rows[2])))
    assert refusal.value.code == "sheet_incomplete"


def test_a_public_key_of_another_size_is_refused() -> None:
    with pytest.raises(Broken):
        PublicKey(data=b"short")
