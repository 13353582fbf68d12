"""Pictures for people: upright, small, of the right frame, in every variety; and never a child's word for it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from jikimi.engine.decode import wire
from jikimi.engine.decode.parent import Decoder
from jikimi.engine.decode.picture import Renderer
from jikimi.engine.decode.records import Nonsense, PictureRecords
from jikimi.engine.decode.upright import ORIENTATION_TAG
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.evidence import LOOKS, Look
from jikimi.model.exposure import Level
from jikimi.model.media import PICTURES, Drawing, Drawn, Limits, MediaKind, Reason, sniff
from tests.unit.engine import hostile
from tests.unit.engine.hostile import encode, texture

FULL, GREY, BLURRED = LOOKS[Level.FULL], LOOKS[Level.GREY], LOOKS[Level.BLURRED]
SMALL = Look(side=80, grey=False)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(), workers=1) as it:
        yield it


def in_memory(content: bytes) -> BinaryIO:
    file = open(os.memfd_create("test"), "w+b")
    file.write(content)
    file.flush()
    return file


def drawn(decoder: Decoder, content: bytes, drawing: Drawing) -> Drawn:
    with in_memory(content) as file:
        return decoder.draw(file, sniff(content[:64]), drawing)


def seen(decoder: Decoder, content: bytes, look: Look = FULL, **which: bool | int) -> npt.NDArray[np.float64]:
    """The pixels that a person would see."""
    with in_memory(content) as file:
        rendered = Renderer(decoder).render(file, sniff(content[:64]), look, **which)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(rendered.data))
    assert (rendered.media_type, image.format) == ("image/webp", "WEBP")
    assert image.size == (rendered.width, rendered.height)
    return np.asarray(image.convert("RGB")).astype(float)


def differ(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    return float(np.abs(one - other).mean())


PLAIN = np.asarray(texture()).astype(float)


@pytest.mark.parametrize("kind", sorted(PICTURES))
def test_every_kind_is_drawn(decoder: Decoder, kind: MediaKind) -> None:
    assert differ(seen(decoder, encode(texture(), kind)), PLAIN) < 12


@pytest.mark.parametrize(
    "content",
    [
        encode(texture().convert("CMYK"), "jpeg"),
        encode(texture().convert("LAB"), "tiff"),
        encode(texture().quantize(255), "png"),
        encode(texture().convert("L"), "png"),
        encode(texture().convert("L").convert("I;16"), "png"),
        encode(texture().convert("1"), "png"),
        encode(texture().convert("RGBA"), "png"),
        encode(texture(), "jpeg", progressive=True),
    ],
    ids=["cmyk", "lab", "palette", "grey", "grey 16", "bits", "alpha", "progressive"],
)
def test_every_variety_is_drawn(decoder: Decoder, content: bytes) -> None:
    assert seen(decoder, content).shape == (240, 320, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_shown_upright(decoder: Decoder, orientation: int) -> None:
    stored = {
        1: lambda it: it, 2: lambda it: it[:, ::-1], 3: lambda it: it[::-1, ::-1], 4: lambda it: it[::-1],
        5: lambda it: it.swapaxes(0, 1), 6: lambda it: it.swapaxes(0, 1)[::-1],
        7: lambda it: it.swapaxes(0, 1)[::-1, ::-1], 8: lambda it: it.swapaxes(0, 1)[:, ::-1],
    }[orientation](np.asarray(texture()))  # fmt: skip
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    content = encode(Image.fromarray(np.ascontiguousarray(stored)), "jpeg", exif=exif, quality=95)
    assert differ(seen(decoder, content), PLAIN) < 8


def test_a_look_has_its_size_and_its_colours(decoder: Decoder) -> None:
    large = encode(texture(3000, 2000), "jpeg")
    assert seen(decoder, large).shape == (853, 1280, 3)
    grey = seen(decoder, large, GREY)
    assert grey.shape == (427, 640, 3)
    assert np.ptp(grey, axis=2).max() <= 3
    blurred = seen(decoder, large, BLURRED)
    assert blurred.shape == (107, 160, 3)
    sharp = seen(decoder, large, Look(side=160, grey=True))
    assert np.abs(np.diff(blurred, axis=1)).mean() < np.abs(np.diff(sharp, axis=1)).mean() / 3
    assert seen(decoder, encode(texture(40, 30), "png")).shape == (30, 40, 3)  # never made larger


def test_the_frame_that_matched_is_shown(decoder: Decoder) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "lime", "blue")]
    content = encode(frames[0], "gif", save_all=True, append_images=frames[1:])
    for number in range(3):
        mean = seen(decoder, content, SMALL, frame=number).mean(axis=(0, 1))
        assert int(mean.argmax()) == number
    assert drawn(decoder, content, Drawing(side=80, frame=3)).fault is Reason.UNDECODABLE
    assert drawn(decoder, content, Drawing(side=80, frame=100)).fault is Reason.TOO_MANY_FRAMES


def test_what_lies_under_alpha_is_shown_as_it_was_matched(decoder: Decoder) -> None:
    hidden = texture().convert("RGBA")
    hidden.putalpha(0)
    content = encode(hidden, "png")
    assert differ(seen(decoder, content), PLAIN) < 12
    assert seen(decoder, content, flattened=True).min() > 250


def test_what_cannot_be_drawn_says_why(decoder: Decoder) -> None:
    for content, reason in (
        (encode(texture(), "png")[:2000], Reason.UNDECODABLE),
        (hostile.noise_behind_magic(MediaKind.JPEG, 1), Reason.UNDECODABLE),
        (hostile.png(30_000, 30_000), Reason.TOO_MANY_PIXELS),
        (b"%PDF", Reason.UNSUPPORTED),
        (b"", Reason.UNSUPPORTED),
    ):
        assert drawn(decoder, content, Drawing(side=80)).fault is reason
        with in_memory(content) as file, pytest.raises(Refused, match=reason) as refusal:
            Renderer(decoder).render(file, sniff(content[:64]), SMALL)
        assert refusal.value.code == "picture_undrawable"
    assert drawn(decoder, encode(texture(), "png"), Drawing(side=80)).fault is None


def test_what_may_work_later_says_so() -> None:
    class Busy:
        def draw(self, file: BinaryIO, kind: MediaKind, drawing: Drawing) -> Drawn:
            return Drawn(fault=Reason.BUSY)

    with pytest.raises(Unavailable):
        Renderer(Busy()).render(io.BytesIO(b""), MediaKind.PNG, SMALL)


def record(tag: bytes, payload: bytes) -> bytes:
    return wire.RECORD.pack(tag, len(payload)) + payload


def picture(width: int, height: int, channels: int, size: int) -> bytes:
    return record(wire.PICTURE_TAG, wire.PICTURE.pack(width, height, channels) + bytes(size))


END = record(wire.END_TAG, wire.END.pack(1))


@pytest.mark.parametrize(
    "untrusted_bytes",
    [
        picture(4, 4, 3, 47),
        picture(4, 4, 3, 49),
        picture(4, 4, 1, 16),
        picture(0, 4, 3, 0),
        picture(9, 1, 3, 27),
        picture(65535, 65535, 3, 0),
        record(wire.PICTURE_TAG, b"\0"),
        wire.RECORD.pack(wire.PICTURE_TAG, 2**31),
        picture(4, 4, 3, 48) + picture(4, 4, 3, 48),
        picture(4, 4, 3, 48) + END + END,
        record(wire.SIZE_TAG, wire.SIZE.pack(4, 4)),
        record(wire.SKETCH_TAG, bytes(13)),
        END,
        picture(4, 4, 3, 48) + record(wire.END_TAG, wire.END.pack(2)),
        picture(4, 4, 3, 48) + record(wire.END_TAG, wire.END.pack(0)),
    ],
)
def test_a_child_that_lies_is_not_believed(untrusted_bytes: bytes) -> None:
    with pytest.raises(Nonsense):
        PictureRecords(Limits(), Drawing(side=8)).feed(untrusted_bytes)


def test_an_honest_child_is(decoder: Decoder) -> None:
    records = PictureRecords(Limits(), Drawing(side=8))
    records.feed(picture(8, 6, 3, 144) + END)
    assert (records.has_ended, records.decoded(None).sketches[0].data) == (True, bytes(144))
    assert drawn(decoder, encode(texture(), "png"), Drawing(side=8)).pixels != bytes(144)
