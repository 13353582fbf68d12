"""Digests of exact bytes, against values published with the algorithms and against one-shot hashing."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from jikimi.engine.signals import exact


def test_published_values() -> None:
    sha256, sha1, md5 = exact.digests(io.BytesIO(b"abc"))
    assert (sha256.type, sha256.text) == (
        "sha256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    assert (sha1.type, sha1.text) == ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d")
    assert (md5.type, md5.text) == ("md5", "900150983cd24fb0d6963f7d28e17f72")
    assert sha256.quality is None


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 7])
def test_any_size_is_read_whole_from_the_start(tmp_path: Path, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    with open(path, "rb") as file:
        file.seek(size // 2)
        found = exact.digests(file)
    assert [signal.value for signal in found] == [
        hashlib.new(name, content[:size], usedforsecurity=False).digest() for name in ("sha256", "sha1", "md5")
    ]
