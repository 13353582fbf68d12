"""Files that are built to hurt: each gets its reason in time, and the next good picture still decodes."""

from __future__ import annotations

import struct
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jikimi.engine.decode import upright, warm, wire
from jikimi.engine.decode.parent import Decoder
from jikimi.engine.decode.records import Nonsense, Records
from jikimi.engine.signals import pdq
from jikimi.model.media import Decoded, Limits, MediaKind, Reason, sniff
from tests.unit.engine import hostile
from tests.unit.engine.hostile import encode, texture

GOOD = hostile.good_files()
GIGABYTE = 1024**3
SECONDS = 5.0


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(), workers=2) as it:
        yield it
        assert it.restarts == 0
        assert it.crashes == 0
        assert it.largest_child_bytes < GIGABYTE


def decode(decoder: Decoder, content: bytes, kind: MediaKind | None = None) -> Decoded:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        began = time.monotonic()
        decoded = decoder.decode(file, sniff(content[:64]) if kind is None else kind)
        assert time.monotonic() - began < SECONDS
        return decoded


def is_sound(decoded: Decoded) -> bool:
    return decoded.faults == () and decoded.frames > 0


HOSTILE = {
    "png bomb": (hostile.png_bomb(), Reason.TOO_MANY_PIXELS),
    "png of promises": (hostile.png_of_promises(), Reason.TOO_MANY_PIXELS),
    "png without pixels": (hostile.png(100, 100), Reason.UNDECODABLE),
    "png of no size": (hostile.png(0, 0), Reason.UNDECODABLE),
    "png text bomb": (hostile.png_text_bomb(1, 200 << 20), Reason.UNDECODABLE),
    "png of many texts": (hostile.png_text_bomb(100, 10 << 20), Reason.UNDECODABLE),
    "webp larger than its limit": (
        b"RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x00\xff\x3f\x00" + bytes(10),
        Reason.TOO_MANY_PIXELS,
    ),
    "bmp larger than its limit": (
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 70, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        Reason.TOO_MANY_PIXELS,
    ),
    "gif larger than its limit": (hostile.gif(65_535, 65_535, 1), Reason.TOO_MANY_PIXELS),
    "endless gif": (hostile.gif(1, 1, 30_000), Reason.TOO_MANY_FRAMES),
    "apng of many frames": (hostile.animation(MediaKind.PNG, 300), Reason.TOO_MANY_FRAMES),
    "webp of many frames": (hostile.animation(MediaKind.WEBP, 300), Reason.TOO_MANY_FRAMES),
    "tiff of many pages": (hostile.animation(MediaKind.TIFF, 300), Reason.TOO_MANY_FRAMES),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_bomb_has_its_reason(decoder: Decoder, name: str) -> None:
    content, reason = HOSTILE[name]
    decoded = decode(decoder, content)
    assert decoded.faults == (reason,)
    assert decoded.frames == (100 if reason is Reason.TOO_MANY_FRAMES else 0)
    assert is_sound(decode(decoder, GOOD[MediaKind.PNG]))


def test_a_large_screen_uses_up_the_pixels_of_all_frames() -> None:
    with Decoder(Limits(max_total_pixels=7_500_000), workers=1) as decoder:
        decoded = decode(decoder, hostile.gif(1000, 1000, 1000))
        assert (decoded.frames, decoded.faults) == (7, (Reason.TOO_MANY_FRAMES,))


def test_a_later_frame_that_is_too_large_keeps_the_first() -> None:
    content = encode(texture(50, 50), "tiff", save_all=True, append_images=[texture(200, 200)])
    with Decoder(Limits(max_pixels=10_000), workers=1) as decoder:
        decoded = decode(decoder, content)
        assert (decoded.frames, decoded.faults) == (1, (Reason.TOO_MANY_PIXELS,))


def test_a_frame_limit_that_is_just_reached_is_no_fault() -> None:
    for kind in (MediaKind.GIF, MediaKind.PNG, MediaKind.WEBP, MediaKind.TIFF):
        with Decoder(Limits(max_frames=5), workers=1) as decoder:
            assert decode(decoder, hostile.animation(kind, 5)).faults == ()
            assert decode(decoder, hostile.animation(kind, 6)).faults == (Reason.TOO_MANY_FRAMES,)


@pytest.mark.parametrize("kind", GOOD)
def test_truncated_anywhere(decoder: Decoder, kind: MediaKind) -> None:
    """Only the last few bytes (a trailer, a checksum, padding) may be missing without a fault."""
    content = GOOD[kind]
    for size in sorted({len(content) * part // 12 for part in range(1, 12)} | {1, 5, 13, 33, len(content) - 40}):
        assert decode(decoder, content[:size], kind).faults == (Reason.UNDECODABLE,), size
    tail = decode(decoder, content[:-1], kind)
    assert tail.faults in ((), (Reason.UNDECODABLE,))


@pytest.mark.parametrize("kind", [MediaKind.PNG, MediaKind.WEBP, MediaKind.AVIF])
def test_an_animation_that_is_cut_short_is_a_fault(decoder: Decoder, kind: MediaKind) -> None:
    content = hostile.animation(kind, 6, 60, 40)
    for part in range(2, 12):
        decoded = decode(decoder, content[: len(content) * part // 12], kind)
        assert decoded.faults == (Reason.UNDECODABLE,)
        assert decoded.frames < 6


@pytest.mark.parametrize("kind", hostile.MAGICS)
@pytest.mark.parametrize("seed", range(4))
def test_noise_behind_each_magic(decoder: Decoder, kind: MediaKind, seed: int) -> None:
    decoded = decode(decoder, hostile.noise_behind_magic(kind, seed), kind)
    assert decoded.faults in ((Reason.UNDECODABLE,), (Reason.TOO_MANY_PIXELS,))


@pytest.mark.parametrize("kind", GOOD)
def test_the_wrong_kind(decoder: Decoder, kind: MediaKind) -> None:
    for other, content in GOOD.items():
        if other is not kind:
            assert decode(decoder, content, kind).faults == (Reason.UNDECODABLE,)
    assert decode(decoder, b"hello, world\n" * 100, kind).faults == (Reason.UNDECODABLE,)
    assert decode(decoder, b"", kind).faults == (Reason.EMPTY,)


def test_absurd_tiffs(decoder: Decoder) -> None:
    for content in hostile.absurd_tiffs():
        decoded = decode(decoder, content)
        assert is_sound(decoded) != bool(decoded.faults)
    assert is_sound(decode(decoder, GOOD[MediaKind.TIFF]))


def test_a_ring_of_pages_ends(decoder: Decoder) -> None:
    assert decode(decoder, hostile.tiff_ring()).frames == 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
def test_mutations_never_hurt_the_parent(
    decoder: Decoder, kind: MediaKind, changes: list[tuple[float, int]], cut: float | None
) -> None:
    content = bytearray(GOOD[kind])
    for place, value in changes:
        content[int(place * len(content))] = value
    decoded = decode(decoder, bytes(content[: None if cut is None else int(cut * len(content))]), kind)
    assert is_sound(decoded) or decoded.faults
    assert not set(decoded.faults) & {Reason.DECODER_FAILED, Reason.BUSY}


def record(tag: bytes, payload: bytes) -> bytes:
    return wire.RECORD.pack(tag, len(payload)) + payload


def sketch(frame: int = 0, flattened: bool = False, type_: bytes = b"pdq", data: bytes = bytes(4 * 4096)) -> bytes:
    return record(wire.SKETCH_TAG, wire.SKETCH.pack(frame, flattened, type_) + data)


def end(frames: int, faults: bytes = b"") -> bytes:
    return record(wire.END_TAG, wire.END.pack(frames) + faults)


SIZE = record(wire.SIZE_TAG, wire.SIZE.pack(8, 8))
NAN = struct.pack("<f", float("nan")) * 4096
BRIGHT = struct.pack("<f", 1e9) * 4096

NONSENSE = {
    "unknown tag": record(b"X", b""),
    "endless record": wire.RECORD.pack(b"S", 2**32 - 1),
    "no size first": sketch(),
    "size twice": SIZE + SIZE,
    "size of nothing": record(b"H", wire.SIZE.pack(0, 8)),
    "size over the limit": record(b"H", wire.SIZE.pack(2**31, 2**31)),
    "size cut short": record(b"H", b"1234"),
    "sketch cut short": SIZE + sketch(data=b"1234"),
    "unknown type": SIZE + sketch(type_=b"tlsh"),
    "frame out of order": SIZE + sketch(frame=1),
    "frame twice": SIZE + sketch() + sketch(),
    "flattened first": SIZE + sketch(flattened=True),
    "frame over the limit": SIZE + b"".join(sketch(frame=number) for number in range(101)),
    "not a number": SIZE + sketch(data=NAN),
    "brighter than white": SIZE + sketch(data=BRIGHT),
    "end without anything": end(0),
    "end that counts wrong": SIZE + sketch() + end(7),
    "end that hides a frame": SIZE + sketch() + end(0),
    "end with unknown words": end(0, b"all is well"),
    "end with a reason that is ours": end(0, b"busy"),
    "end too long": end(0, b"memory," * 100),
    "end cut short": record(b"E", b"12"),
    "more after the end": SIZE + sketch() + end(1) + SIZE,
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_in_records_is_noticed(name: str) -> None:
    with pytest.raises(Nonsense):
        Records(Limits()).feed(NONSENSE[name])


def test_records_may_come_in_any_pieces() -> None:
    records = Records(Limits())
    content = SIZE + sketch() + sketch(flattened=True) + sketch(frame=1) + end(1, b"undecodable")
    for at in range(0, len(content), 7):
        records.feed(content[at : at + 7])
    decoded = records.decoded(None)
    assert (decoded.frames, len(decoded.sketches), decoded.faults) == (1, 3, (Reason.UNDECODABLE,))


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([SIZE, sketch(), end(1)])), max_size=6))
def test_any_bytes_from_a_child_are_survived(chunks: list[bytes]) -> None:
    records = Records(Limits())
    try:
        for each in chunks:
            records.feed(each)
    except Nonsense:
        return
    assert not records.has_ended or records.decoded(None).frames >= 0


def test_nothing_is_imported_after_the_warm_up() -> None:
    """What Python imports under the lock fails there, and would look like a damaged picture."""
    warm.run()
    before = set(sys.modules)
    contents = [*GOOD.values(), *(content for content, _ in HOSTILE.values()), *hostile.absurd_tiffs()]
    contents += [content[: len(content) // 2] for content in contents]
    for content in contents:
        try:
            for frame in upright.frames(content, sniff(content[:64]), Limits(max_frames=3)):
                pdq.reduce(frame.luma())
        except Exception as error:  # noqa: BLE001 - hostile files raise; only the imports matter here
            upright.reason_for(error)
    assert {name for name in sys.modules if name.startswith(("PIL", "numpy", "encodings"))} <= before
