"""Two thousand varied JPEGs: distance 0 to `pdqhash` on upright RGB for every one that has quality 50 or more.

The pictures are those of `tests/data`, generated ones, and benign photographs that this machine happens to have; a
folder of your own is named in JIKIMI_TEST_PHOTOGRAPHS. Each file is a part of one of them in some size, quality, layout
of colours, orientation. Where `pdqhash` is not installed, the NumPy path stands in for it, which equals it.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance, ImageOps

from jikimi.engine.decode import upright, warm
from jikimi.engine.pattern import paint
from jikimi.engine.signals import pdq, pdq_numpy
from jikimi.model.media import Limits, MediaKind
from tests.conftest import PICTURES
from tests.unit.engine.hostile import encode

pytestmark = pytest.mark.slow

FILES = 3000
LEAST = 2000
"""Of quality 50 or more."""
FLOOR = 50
LONGEST = 3000
FOLDERS = ("/usr/share/backgrounds", "/usr/share/wallpapers", os.environ.get("JIKIMI_TEST_PHOTOGRAPHS", ""))

Pixels = npt.NDArray[np.uint8]


def reference() -> Callable[[Pixels], tuple[bytes, int]]:
    """What everybody else computes."""
    try:
        import pdqhash
    except ImportError:
        return lambda rgb: pdq_numpy.fingerprint(pdq_numpy.reduce(pdq_numpy.luma(rgb)))

    def compute(rgb: Pixels) -> tuple[bytes, int]:
        bits, quality = pdqhash.compute(rgb)
        return np.packbits(bits).tobytes(), int(quality)

    return compute


def originals() -> list[Image.Image]:
    """Benign pictures, at most `LONGEST` wide or high."""
    found = [*PICTURES.rglob("*.jpg"), *PICTURES.rglob("*.png")]
    for folder in filter(None, FOLDERS):
        found += [path for path in sorted(Path(folder).rglob("*")) if path.suffix in (".jpg", ".png", ".webp")]
    pictures = [Image.open(io.BytesIO(paint(seed))).convert("RGB") for seed in range(20)]
    for path in found:
        with Image.open(path) as image:
            image.draft("RGB", (LONGEST, LONGEST))
            picture = image.convert("RGB")
        picture.thumbnail((LONGEST, LONGEST))
        pictures.append(picture)
    return pictures


def varied(picture: Image.Image, chance: random.Random) -> bytes:
    """A part of the picture as some device or program might save it."""
    width, height = (max(round(side * chance.uniform(0.3, 1)), 1) for side in picture.size)
    left, top = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
    part = picture.crop((left, top, left + width, top + height))
    scale = chance.choice([chance.randint(64, 400), chance.randint(64, 1600)]) / max(part.size)
    part = part.resize((max(round(width * scale), 8), max(round(height * scale), 8)), Image.Resampling.BICUBIC)
    if chance.random() < 0.2:
        part = ImageEnhance.Color(part).enhance(chance.uniform(1.5, 4))
    if chance.random() < 0.1:
        part = part.convert("L")
    options = {} if part.mode == "L" else {"subsampling": chance.choice(("4:4:4", "4:2:2", "4:2:0"))}
    exif = Image.Exif()
    exif[upright.ORIENTATION_TAG] = chance.choice([1, 1, 1, 1, *range(2, 9)])
    return encode(part, "jpeg", quality=chance.randint(50, 98), progressive=chance.random() < 0.3, exif=exif, **options)


def corpus() -> Iterator[bytes]:
    chance = random.Random(1)
    pictures = originals()
    for number in range(FILES):
        yield varied(pictures[number % len(pictures)], chance)


def ours(content: bytes) -> tuple[bytes, int]:
    (frame,) = upright.frames(content, MediaKind.JPEG, Limits())
    return pdq.fingerprint(frame.sample())


def theirs(content: bytes, compute: Callable[[Pixels], tuple[bytes, int]]) -> tuple[bytes, int]:
    with Image.open(io.BytesIO(content)) as image:
        return compute(np.ascontiguousarray(ImageOps.exif_transpose(image).convert("RGB")))


@pytest.mark.timeout(1800)
def test_every_file_has_the_hash_that_everybody_gets() -> None:
    warm.run()
    compute = reference()
    counted = 0
    for content in corpus():
        expected = theirs(content, compute)
        if expected[1] >= FLOOR:
            assert ours(content) == expected
            counted += 1
    assert counted >= LEAST
