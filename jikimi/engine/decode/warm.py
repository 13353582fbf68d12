"""Use every decoder once on pictures of our own, so that nothing is imported or set up after the lock.

Python and the codecs load parts on first use, which in a locked child is an error that would look like a damaged file.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from jikimi.engine.decode import straight, upright
from jikimi.engine.decode.draw import Drawing, draw
from jikimi.model.media import Limits, MediaKind

SIDE = 96
_ORIENTED = 6


def run() -> None:
    """Encode and decode one small picture of each variety, a damaged one too."""
    _prove()
    picture = Image.linear_gradient("L").resize((SIDE, SIDE))
    colour = Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(180)))
    clear = colour.copy()
    clear.putalpha(picture)
    exif = Image.Exif()
    exif[upright.ORIENTATION_TAG] = _ORIENTED
    jpeg = _decode(colour, MediaKind.JPEG, exif=exif)
    _try(jpeg[: len(jpeg) // 2], MediaKind.JPEG)
    _decode(colour.convert("CMYK"), MediaKind.JPEG)
    _decode(colour, MediaKind.JPEG, format="MPO", save_all=True, append_images=[colour])
    _decode(clear, MediaKind.PNG, exif=exif, save_all=True, append_images=[colour.convert("RGBA")])
    _decode(picture.convert("I;16"), MediaKind.PNG)
    _decode(colour.quantize(16), MediaKind.PNG, transparency=1)
    _decode(clear, MediaKind.WEBP, exif=exif)
    _decode(colour.quantize(16), MediaKind.GIF, save_all=True, append_images=[picture])
    _decode(clear, MediaKind.AVIF, exif=exif, max_threads=1, speed=10)
    _decode(colour, MediaKind.BMP)
    _decode(colour, MediaKind.TIFF, compression="tiff_lzw", exif=exif)
    _decode(colour.convert("LAB"), MediaKind.TIFF)


def _prove() -> None:
    """Compare the two ways of reading JPEG on a picture with something in every coefficient."""
    noise = Image.effect_noise((SIDE + 5, SIDE + 3), 80)
    colour = Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180)))
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        straight.prove(_jpeg(colour, subsampling=subsampling))
    straight.prove(_jpeg(colour, progressive=True))
    straight.prove(_jpeg(noise))


def _jpeg(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=90, **options)
    return file.getvalue()


def _decode(picture: Image.Image, kind: MediaKind, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, **{"format": kind.upper(), **options})  # type: ignore[arg-type]  # Pillow: options are Any
    _try(file.getvalue(), kind)
    return file.getvalue()


def _try(ours: bytes, kind: MediaKind) -> None:
    try:
        for frame in upright.frames(ours, kind, Limits()):
            frame.sample(flattened=True)
        draw(ours, kind, Limits(), Drawing(side=SIDE // 8, flattened=True))
    except Exception as error:  # noqa: BLE001 - the damaged picture is meant to fail; the sound ones are tested
        upright.reason_for(error)
