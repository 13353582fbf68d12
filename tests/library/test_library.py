"""The library by itself: five names, no service, no records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import jikimi
from jikimi.engine.pattern import alter, paint
from jikimi.model.errors import Refused
from tests.conftest import PICTURES


def pdq_of(path: Path) -> jikimi.Signal:
    (signal,) = (one for one in jikimi.hash_file(path).signals if one.type == "pdq")
    return signal


def test_a_file_is_hashed() -> None:
    hashes = jikimi.hash_file(PICTURES / "misc" / "wee.jpg")
    assert (hashes.width, hashes.height, hashes.frames, hashes.unchecked) == (34, 42, 1, None)
    assert [one.type for one in hashes.signals] == ["sha256", "sha1", "md5", "pdq"]
    assert hashes.signals[-1].text == "6227401f601ff4ccafcc9fad4b0d95d371a2eb7265a3285234d228ca94deeb2d"


def test_what_cannot_be_checked_says_so(tmp_path: Path) -> None:
    file = tmp_path / "file.jpg"
    file.write_bytes(b"no picture")
    assert jikimi.hash_file(file).unchecked == "unsupported"
    with pytest.raises(FileNotFoundError):
        jikimi.hash_file(tmp_path / "nothing")


def test_signals_are_compared_and_searched() -> None:
    original, shrunk = (pdq_of(PICTURES / "bridge-mods" / name) for name in ("aaa-orig.jpg", "shrink-a-lot.jpg"))
    assert jikimi.compare(original, shrunk) == 16
    assert jikimi.compare(f"pdq:{original.text}", original) == 0
    with pytest.raises(Refused):
        jikimi.compare(original, "md5:" + "0" * 32)
    index = jikimi.open_index(["md5:" + "0" * 32, original])
    assert index.search(shrunk) == [jikimi.Match(place=1, distance=16)]
    assert jikimi.open_index([original], max_distance=15).search(shrunk) == []


def test_mirrored_pictures_are_other_signals(tmp_path: Path) -> None:
    file = tmp_path / "copy.jpg"
    file.write_bytes(alter(paint(3)))
    assert jikimi.hash_file(file).unchecked is None


def test_importing_loads_nothing_heavy() -> None:
    code = "import jikimi, sys; assert not {'numpy', 'sqlalchemy', 'fastapi'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
