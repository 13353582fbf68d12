"""What every store for bytes promises."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jikimi.model.errors import Unavailable
from jikimi.plugs.blobs.objects import ObjectBlobs
from jikimi.ports import Blobs


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """On disk, and in the memory store that stands in for a bucket behind the same library."""
    return ObjectBlobs(f"file://{tmp_path}/blobs" if request.param == "file" else "memory:///")


def read(blobs: Blobs, name: str) -> bytes | None:
    file = blobs.get(name)
    if file is None:
        return None
    with file:
        return file.read()


def test_what_is_put_is_got_and_deleted(blobs: Blobs) -> None:
    assert read(blobs, "recheck/scan_1") is None
    blobs.put("recheck/scan_1", io.BytesIO(b"bytes"))
    blobs.put("recheck/scan_2", io.BytesIO(b""))
    assert read(blobs, "recheck/scan_1") == b"bytes"
    assert read(blobs, "recheck/scan_2") == b""
    blobs.delete("recheck/scan_1")
    blobs.delete("recheck/scan_1")
    assert read(blobs, "recheck/scan_1") is None


def test_a_file_is_stored_from_where_it_stands_and_got_from_its_start(blobs: Blobs) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    blobs.put("x", file)
    assert read(blobs, "x") == b"456789"


def test_what_is_put_again_takes_the_place_of_the_first(blobs: Blobs) -> None:
    blobs.put("x", io.BytesIO(b"first and longer"))
    blobs.put("x", io.BytesIO(b"second"))
    assert read(blobs, "x") == b"second"


def test_large_bytes_arrive_whole(blobs: Blobs) -> None:
    large = bytes(range(256)) * 50_000
    blobs.put("large", io.BytesIO(large))
    assert read(blobs, "large") == large


def test_a_real_file_can_be_put(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(b"from disk")
    with open(tmp_path / "upload", "rb") as file:
        blobs.put("x", file)
    assert read(blobs, "x") == b"from disk"


def test_names_are_listed_by_prefix_with_their_times(blobs: Blobs) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    for name in ("recheck/a", "recheck/b", "recheckers/c", "other/d"):
        blobs.put(name, io.BytesIO(b"."))
    listed = dict(blobs.list("recheck"))
    assert set(listed) == {"recheck/a", "recheck/b"}
    assert all(before <= at <= datetime.now(UTC) + timedelta(seconds=2) for at in listed.values())
    assert dict(blobs.list("nothing")) == {}


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    ObjectBlobs(f"file://{tmp_path}/deep/blobs")
    assert stat.S_IMODE((tmp_path / "deep" / "blobs").stat().st_mode) == 0o700


def test_trouble_is_trouble_that_may_pass(tmp_path: Path) -> None:
    blobs = ObjectBlobs(f"file://{tmp_path}/blobs")
    (tmp_path / "blobs" / "taken").write_bytes(b"a file where a folder has to be")
    with pytest.raises(Unavailable) as trouble:
        blobs.put("taken/x", io.BytesIO(b"."))
    assert trouble.value.code == "blobs_unavailable"


_WRITES_FOR_EVER = """
import io, sys, time
from jikimi.plugs.blobs.objects import ObjectBlobs

class Endless(io.RawIOBase):
    def read(self, size=-1):
        print("reading", flush=True)
        time.sleep(0.05)
        return b"x" * 1_000_000

    def seek(self, offset, whence=0):
        return 10**12 if whence == 2 else offset

    def tell(self):
        return 0

ObjectBlobs("file://" + sys.argv[1]).put("evidence/half", Endless())
"""


def test_halves_that_a_crash_has_left_are_removed_once_they_are_old(tmp_path: Path) -> None:
    blobs = ObjectBlobs(f"file://{tmp_path}/blobs")
    blobs.put("evidence/whole", io.BytesIO(b"bytes"))
    writer = subprocess.Popen([sys.executable, "-c", _WRITES_FOR_EVER, f"{tmp_path}/blobs"], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    folder = tmp_path / "blobs" / "evidence"
    while not any("#" in file.name for file in folder.iterdir()):
        assert writer.stdout.readline(), "it writes until it is killed"
    writer.kill()
    writer.communicate()
    now = datetime.now(UTC)
    assert blobs.tidy(now - timedelta(hours=1)) == 0
    assert blobs.tidy(now + timedelta(seconds=1)) == 1
    assert [file.name for file in folder.iterdir()] == ["whole"]
