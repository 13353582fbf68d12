"""JPEG by the native way: the pixels of Pillow, the bits of the general way, or nothing."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from jikimi.engine.decode import straight, upright
from jikimi.engine.signals import pdq_numpy
from jikimi.model.media import Limits, MediaKind
from tests.unit.engine.hostile import encode, texture

native = pytest.importorskip("jikimi_kernel.pdq")
if not native.jpeg_version():
    pytest.skip("built without libjpeg", allow_module_level=True)

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def pictures(count: int, longest: int) -> Iterator[bytes]:
    """JPEGs of many sizes, qualities, layouts; photograph-like, or noise that fills every coefficient."""
    chance = random.Random(count)
    for number in range(count):
        width, height = (chance.choice([chance.randint(1, 40), chance.randint(1, longest)]) for _ in "wh")
        image = texture(width, height, number)
        if number % 3 == 0:
            image = Image.effect_noise((width, height), 90).convert("RGB")
        if number % 5 == 0:
            image = image.convert("L")
        options = {} if image.mode == "L" else {"subsampling": chance.choice(SUBSAMPLINGS)}
        quality = chance.choice([1, 20, 50, 75, 90, 95, 100])
        yield encode(
            image, "jpeg", quality=quality, progressive=number % 4 == 1, restart_marker_rows=number % 7 == 1, **options
        )


@pytest.fixture(params=native.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = native.level()
    native.use_level(request.param)
    yield request.param
    native.use_level(before)


def assert_sample_is_right(content: bytes) -> None:
    with opened(content) as image:
        expected = pdq_numpy.reduce(pdq_numpy.luma(np.asarray(image.convert("RGB"))))
        assert np.array_equal(native.jpeg_sample(content, *image.size), expected)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_pixels_are_those_of_pillow() -> None:
    for content in pictures(150, 600):
        image = opened(content)
        assert np.array_equal(native.jpeg_pixels(content, *image.size), np.asarray(image.convert("RGB")))


def test_samples_are_those_of_pillows_pixels(level: str) -> None:
    for content in pictures(150, 600):
        assert_sample_is_right(content)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_samples_at_every_width_and_height(level: str, subsampling: str) -> None:
    # The last columns and rows of colours are repeated behind the edge, and there are fewer of them than of pixels.
    noise = Image.effect_noise((40, 40), 90)
    colour = Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180)))
    for width in range(1, 41):
        for height in (width, 41 - width):
            part = colour.crop((0, 0, width, height))
            assert_sample_is_right(encode(part, "jpeg", quality=95, subsampling=subsampling))


@pytest.mark.slow
def test_samples_of_many_more(level: str) -> None:
    for content in pictures(700, 2000):
        assert_sample_is_right(content)


@pytest.mark.slow
def test_pixels_are_those_of_pillow_in_many_more() -> None:
    for content in pictures(2000, 2000):
        image = opened(content)
        assert np.array_equal(native.jpeg_pixels(content, *image.size), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_turned_pictures_have_the_sample_of_the_general_way(orientation: int, mode: str) -> None:
    exif = Image.Exif()
    exif[upright.ORIENTATION_TAG] = orientation
    content = encode(texture(211, 147).convert(mode), "jpeg", exif=exif)
    (frame,) = upright.frames(content, MediaKind.JPEG, Limits())
    assert native.jpeg_sample(content, 211, 147, orientation if 1 <= orientation <= 8 else 1) is not None
    assert np.array_equal(frame.sample(), pdq_numpy.reduce(frame.luma()))


def test_turned_pictures_on_a_file_that_does_not_say_so_differ() -> None:
    content = encode(texture(200, 200), "jpeg")
    samples = [native.jpeg_sample(content, 200, 200, orientation).tobytes() for orientation in range(1, 9)]
    assert len(set(samples)) == 8


def declined(content: bytes, size: tuple[int, int] = (64, 48)) -> bool:
    return native.jpeg_sample(content, *size) is None and native.jpeg_pixels(content, *size) is None


def test_what_is_unusual_is_declined() -> None:
    image = texture(64, 48)
    assert declined(encode(image.convert("CMYK"), "jpeg"))
    assert declined(encode(image, "jpeg", keep_rgb=True))
    assert declined(b"")
    assert declined(b"\xff\xd8\xff")
    assert declined(encode(image, "png"))


def test_another_size_than_the_header_read_before_is_declined() -> None:
    content = encode(texture(64, 48), "jpeg")
    assert not declined(content)
    for size in ((48, 64), (64, 47), (65, 48), (0, 0)):
        assert declined(content, size)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_cut_anywhere_is_declined(progressive: bool) -> None:
    content = encode(texture(64, 48), "jpeg", progressive=progressive)
    for end in range(len(content)):
        assert declined(content[:end])


def test_a_progressive_file_without_its_last_scans_is_declined() -> None:
    """No warning comes of it, but libjpeg smooths what is missing, each version in its own way."""
    content = encode(texture(64, 48), "jpeg", progressive=True)
    scans = [at for at in range(len(content) - 1) if content[at : at + 2] == b"\xff\xda"]
    for start in scans[1:]:
        # From the marker before the scan's tables on; a table left over does no harm.
        assert declined(content[:start] + b"\xff\xd9")


def test_a_damaged_file_gets_the_answer_of_the_general_way() -> None:
    chance = random.Random(5)
    content = encode(texture(96, 80), "jpeg")
    for _ in range(400):
        mutated = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            with opened(bytes(mutated)) as image:
                size = image.size
                pixels = np.asarray(image.convert("RGB")) if size[0] * size[1] < 1 << 20 else None
        except Exception:  # noqa: BLE001, S112 - whatever Pillow cannot read
            continue
        if pixels is not None:
            sample = native.jpeg_sample(bytes(mutated), *size)
            seen = native.jpeg_pixels(bytes(mutated), *size)
            assert (sample is None) == (seen is None)
            assert seen is None or np.array_equal(seen, pixels)


def test_what_pillow_refuses_is_declined() -> None:
    """Else a file would be checked or not depending on whether the kernel is installed."""
    chance = random.Random(6)
    content = encode(texture(96, 80), "jpeg", progressive=True)
    for _ in range(400):
        mutated = bytearray(content)
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            image = opened(bytes(mutated))
            size = image.size
        except Exception:  # noqa: BLE001, S112 - the header already is unreadable
            continue
        if size[0] * size[1] > 1 << 20:
            continue
        try:
            image.load()
        except Exception:  # noqa: BLE001 - whatever Pillow cannot read
            assert native.jpeg_sample(bytes(mutated), *size) is None


def test_several_pictures_in_one_file_go_the_general_way() -> None:
    content = encode(texture(64, 48), "MPO", save_all=True, append_images=[texture(64, 48, 2)])
    first, second = upright.frames(content, MediaKind.JPEG, Limits())
    assert straight.jpeg_sample(content, opened(content), 1) is None
    assert (first.number, second.number) == (0, 1)


@pytest.fixture
def usual_limit() -> Iterator[None]:
    """`frames` sets Pillow's own limit; other tests come after."""
    before = Image.MAX_IMAGE_PIXELS
    yield
    Image.MAX_IMAGE_PIXELS = before


@pytest.mark.usefixtures("usual_limit")
def test_limits_come_first() -> None:
    content = encode(texture(64, 48), "jpeg")
    with pytest.raises(upright.CannotDecode):
        list(upright.frames(content, MediaKind.JPEG, Limits(max_pixels=64 * 48 - 1)))


GIVING_UP = """
import sys
from jikimi.engine.decode import straight
from jikimi.model.media import MediaKind
from tests.unit.engine.hostile import encode, texture
from tests.unit.engine.test_straight import opened
content = encode(texture(64, 48), "jpeg")
straight.prove(content)
assert straight.jpeg_sample(content, opened(content), 1) is not None
straight.prove(encode(texture(64, 48).convert("CMYK"), "jpeg"))
assert straight.jpeg_sample(content, opened(content), 1) is None
"""


def test_a_kernel_that_sees_other_pixels_is_given_up() -> None:
    # In a process of its own, because it is given up for good.
    subprocess.run([sys.executable, "-c", GIVING_UP], check=True, timeout=60)
