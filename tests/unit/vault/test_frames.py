"""The format of a sealed object: what is opened is what was sealed, to the bit, or nothing."""

from __future__ import annotations

import hashlib
import io
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Broken
from jikimi.vault.frames import FRAME_BYTES, MAGIC, TAG_BYTES, open_frames, seal_frames

KEY = bytes(range(32))
FRAME = FRAME_BYTES + TAG_BYTES


def sealed(content: bytes, *, key: bytes = KEY, sha256: str = "") -> bytes:
    return b"".join(seal_frames(key, sha256 or hashlib.sha256(content).hexdigest(), io.BytesIO(content)))


def opened(blob: bytes, content: bytes, *, key: bytes = KEY) -> bytes:
    return b"".join(open_frames(key, hashlib.sha256(content).hexdigest(), io.BytesIO(blob)))


@pytest.mark.parametrize(
    "size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES, 3 * FRAME_BYTES + 7]
)
def test_what_is_sealed_is_opened(size: int) -> None:
    content = (b"benign bytes " * (size // 13 + 1))[:size]
    blob = sealed(content)
    frames = max(1, -(-size // FRAME_BYTES))
    assert len(blob) == len(MAGIC) + size + frames * TAG_BYTES
    assert opened(blob, content) == content
    assert content[:13] not in blob or not content


THREE = bytes(itertools.islice(itertools.cycle(range(251)), 2 * FRAME_BYTES + 1000))
BLOB = sealed(THREE)


def damages() -> dict[str, bytes]:
    head, body = BLOB[: len(MAGIC)], BLOB[len(MAGIC) :]
    first, second, last = body[:FRAME], body[FRAME : 2 * FRAME], body[2 * FRAME :]
    return {
        "nothing": b"",
        "header only": head,
        "another version": b"jikimi\x00\x02" + body,
        "cut within a frame": BLOB[:-1],
        "cut between frames": head + first + second,
        "one frame only": head + first,
        "frames swapped": head + second + first + last,
        "frame twice": head + first + first + second + last,
        "frame left out": head + second + last,
        "last frame first": head + last + first + second,
        "something behind": BLOB + b"\0",
        "an empty frame behind": BLOB + bytes(TAG_BYTES),
    }


@pytest.mark.parametrize("name", damages())
def test_what_was_cut_swapped_or_lengthened_is_refused(name: str) -> None:
    with pytest.raises(Broken) as refusal:
        opened(damages()[name], THREE)
    assert refusal.value.code == "evidence_damaged"


@given(st.integers(0, 8 * 400 - 1))
def test_any_bit_that_flips_is_refused(bit: int) -> None:
    content = b"some benign bytes" * 20
    blob = bytearray(sealed(content))
    blob[bit // 8 % len(blob)] ^= 1 << bit % 8
    with pytest.raises(Broken):
        opened(bytes(blob), content)


def test_another_key_or_another_content_opens_nothing() -> None:
    with pytest.raises(Broken):
        opened(BLOB, THREE, key=bytes(32))
    with pytest.raises(Broken):
        opened(BLOB, b"another content")


def test_content_that_is_not_what_it_was_called_is_refused() -> None:
    """The digest is checked at the end, and not only bound: a mistake of ours at sealing shows as well."""
    other = hashlib.sha256(b"other").hexdigest()
    blob = sealed(b"content", sha256=other)
    with pytest.raises(Broken):
        b"".join(open_frames(KEY, other, io.BytesIO(blob)))


def test_nothing_is_handed_out_that_was_not_proven() -> None:
    """A frame that was changed never comes out, and what came before it was whole."""
    blob = bytearray(BLOB)
    blob[len(MAGIC) + FRAME + 5] ^= 1
    pieces = open_frames(KEY, hashlib.sha256(THREE).hexdigest(), io.BytesIO(bytes(blob)))
    assert next(pieces) == THREE[:FRAME_BYTES]
    with pytest.raises(Broken):
        next(pieces)


def test_memory_does_not_grow_with_the_content() -> None:
    class Endless(io.RawIOBase):
        left = 48

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return bytes(size) if self.left > 0 else b""

    tracemalloc.start()
    try:
        for _ in seal_frames(KEY, "00" * 32, Endless()):  # type: ignore[arg-type]
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * FRAME_BYTES
