"""Picture bytes to the brightness of upright pixels. Runs only inside the locked child.

Decided here, because each point left open is a silent miss elsewhere. For every frame, in this order:

1. *Kind*: the one decoder of the sniffed kind reads it; nothing is guessed from names. JPEG includes MPO, PNG includes
   APNG. A second MPO picture that is announced but not in the file is no frame (phones' previews are often cut off).
2. *Limits*: width times height is compared with `Limits` before any pixel of that frame is decoded.
3. *Colour*: palette, YCbCr, CMYK (Pillow's plain conversion, Adobe inversion undone) and CIE LAB become 8-bit RGB;
   colour profiles and gamma are ignored. 1-bit (0 or 255) and grey stay grey.
   A 16-bit sample v becomes v >> 8. 32-bit integers only if every value fits in 16 bits; floating point is refused.
4. *Alpha* is dropped and the colour under it kept, as existing hash lists do. A picture in which any pixel has
   alpha < 255 has a second view, flattened on white: luma = 255 + (luma - 255) * alpha / 255, not rounded.
5. *Luma* is `signals.pdq.luma` of the RGB, in float32; grey is its own luma.
6. *Upright*: the orientation of EXIF (or, when EXIF has none, of XMP `tiff:Orientation`; or of AVIF's rotation and
   mirror boxes), read after the pixels because PNG may carry it behind them. Unreadable or outside 1 to 8 counts as 1.
7. *Animation*: every frame as a viewer composes it, the pages of a TIFF as they come.

Truncated or damaged is an error, never a half-grey picture. Memory: Pillow's pixels (4 bytes each) and the luma
(4 bytes each) are the only things as large as the frame; colours are converted in tiles. Most JPEGs take a shorter way
to the same bits (`straight`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from jikimi.engine.decode.straight import jpeg_sample
from jikimi.engine.signals.pdq import Sample, reduce
from jikimi.engine.signals.pdq import luma as luma_of_rgb
from jikimi.model.media import Limits, MediaKind, Reason

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

TILE_PIXELS = 128 * 1024
"""Pixels converted at once: small enough for the processor's second-level cache, large enough to hide Python."""
MAX_METADATA_BYTES = 16 * 1024 * 1024
"""One compressed PNG text or profile. Pillow's 1 MB refuses real printer profiles; memory is bounded by the lock."""
ORIENTATION_TAG = 0x0112

_OPENERS: dict[MediaKind, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    MediaKind.JPEG: JpegImagePlugin.jpeg_factory,
    MediaKind.PNG: PngImagePlugin.PngImageFile,
    MediaKind.WEBP: WebPImagePlugin.WebPImageFile,
    MediaKind.GIF: GifImagePlugin.GifImageFile,
    MediaKind.AVIF: AvifImagePlugin.AvifImageFile,
    MediaKind.BMP: BmpImagePlugin.BmpImageFile,
    MediaKind.TIFF: TiffImagePlugin.TiffImageFile,
}

_TURNS: dict[int, Callable[[Floats], Floats]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: upright[:, ::-1].T,
    7: lambda upright: upright[::-1, ::-1].T,
    8: lambda upright: upright[::-1].T,
}
"""EXIF orientation: an upright array, seen so that [row, column] of the stored picture is the place it belongs to."""
_SIDEWAYS = 5
"""From this orientation on, rows and columns change places."""

PngImagePlugin.MAX_TEXT_CHUNK = MAX_METADATA_BYTES
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the lock forbids threads


class CannotDecode(Exception):  # noqa: N818 - read as "stop: cannot decode"
    """Why decoding stopped; what came before stays valid."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Frame:
    """One decoded frame. `is_transparent` is known once `sample` or `luma` was called."""

    def __init__(self, image: Image.Image, number: int, sample: Sample | None = None) -> None:
        self._image = image
        self._sample = sample
        self._orientation = orientation_of(image)
        self.number = number
        self.width, self.height = image.size if self._orientation < _SIDEWAYS else image.size[::-1]
        self.is_transparent = False

    def sample(self, *, flattened: bool = False) -> Sample:
        """Return the (64, 64) sample of `luma`."""
        return reduce(self.luma(flattened=flattened)) if self._sample is None else self._sample

    def luma(self, *, flattened: bool = False) -> Floats:
        """Return a fresh array (height, width) of brightness from 0 to 255, with alpha dropped or on white."""
        upright: Floats = np.empty((self.height, self.width), np.float32)
        stored = _TURNS[self._orientation](upright)
        for left, top, right, bottom in _tiles(*self._image.size):
            tile = _read_tile(self._image.crop((left, top, right, bottom)))
            if tile.alpha is not None:
                self.is_transparent = self.is_transparent or int(tile.alpha.min()) < 255
                if flattened:
                    _lay_on_white(tile.luma, tile.alpha)
            stored[top:bottom, left:right] = tile.luma
        return upright


def frames(untrusted_bytes: bytes, kind: MediaKind, limits: Limits) -> Iterator[Frame]:
    """Decode frame after frame; each is valid until the next is asked for. Ends early with `CannotDecode`."""
    Image.MAX_IMAGE_PIXELS = limits.max_pixels // 2  # Pillow's own check refuses from twice this number on
    image = _OPENERS[kind](io.BytesIO(untrusted_bytes))
    number = total = 0
    while True:
        pixels = image.width * image.height
        total += pixels
        if pixels > limits.max_pixels:
            raise CannotDecode(Reason.TOO_MANY_PIXELS)
        if number >= limits.max_frames or (number and total > limits.max_total_pixels):
            raise CannotDecode(Reason.TOO_MANY_FRAMES)
        sample = jpeg_sample(untrusted_bytes, image, orientation_of(image)) if kind is MediaKind.JPEG else None
        if sample is None:
            image.load()
        yield Frame(image, number, sample)
        number += 1
        if not _has_next(image, number):
            return


def picture(untrusted_bytes: bytes, kind: MediaKind, limits: Limits, number: int = 0) -> Image.Image:
    """One frame as it is stored, its pixels not read yet; `CannotDecode` where `frames` would not come so far."""
    Image.MAX_IMAGE_PIXELS = limits.max_pixels // 2
    image = _OPENERS[kind](io.BytesIO(untrusted_bytes))
    pixels = image.width * image.height
    if pixels > limits.max_pixels:
        raise CannotDecode(Reason.TOO_MANY_PIXELS)
    if number >= limits.max_frames or (number and pixels * (number + 1) > limits.max_total_pixels):
        raise CannotDecode(Reason.TOO_MANY_FRAMES)
    if number:
        image.seek(number)
        if image.width * image.height > limits.max_pixels:
            raise CannotDecode(Reason.TOO_MANY_PIXELS)
    return image


def reason_for(error: BaseException) -> Reason:
    """Say what an exception out of `frames` or `Frame.luma` means for the file."""
    if isinstance(error, CannotDecode):
        return error.reason
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return Reason.MEMORY
    if isinstance(error, Image.DecompressionBombError):
        return Reason.TOO_MANY_PIXELS
    return Reason.UNDECODABLE


def _has_next(image: ImageFile.ImageFile, number: int) -> bool:
    """Move to frame `number` without decoding it."""
    try:
        image.seek(number)
    except EOFError:
        # GIF and TIFF are chains that end where they end; counting them would mean to read them all.
        is_chain = isinstance(image, GifImagePlugin.GifImageFile | TiffImagePlugin.TiffImageFile)
        if not is_chain and number < getattr(image, "n_frames", 1):
            raise CannotDecode(Reason.UNDECODABLE) from None
        return False
    except (ValueError, SyntaxError):
        if isinstance(image, MpoImagePlugin.MpoImageFile):
            return False
        raise
    return True


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 where none can be read."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - viewers show pictures whose EXIF is damaged, so it must not hide them here
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    columns = min(width, TILE_PIXELS)
    rows = TILE_PIXELS // columns
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield left, top, min(left + columns, width), min(top + rows, height)


@dataclass(frozen=True, slots=True)
class _Tile:
    luma: Floats
    alpha: Bytes | None = None


def _read_tile(tile: Image.Image) -> _Tile:
    if tile.mode.startswith("I"):
        return _read_integers(tile)
    if tile.mode == "F":
        raise CannotDecode(Reason.UNSUPPORTED)
    if tile.mode == "La":
        tile = tile.convert("LA")
    if tile.has_transparency_data:
        pixels: Bytes = np.asarray(tile if tile.mode == "RGBA" else tile.convert("RGBA"))
        return _Tile(luma_of_rgb(pixels[..., :3]), pixels[..., 3])
    if tile.mode in ("1", "L"):
        return _Tile(np.asarray(tile.convert("L")).astype(np.float32))
    return _Tile(luma_of_rgb(np.asarray(tile if tile.mode == "RGB" else tile.convert("RGB"))))


def _read_integers(tile: Image.Image) -> _Tile:
    """Grey of 16 bits: modes `I;16` in any byte order, and `I` where older formats keep such values."""
    values = np.asarray(tile)
    if int(values.min()) < 0 or int(values.max()) > 0xFFFF:
        raise CannotDecode(Reason.UNSUPPORTED)
    key = tile.info.get("transparency")
    alpha = np.where(values == key, 0, 255).astype(np.uint8) if isinstance(key, int) else None
    return _Tile((values >> 8).astype(np.float32), alpha)


def _lay_on_white(luma: Floats, alpha: Bytes) -> None:
    luma -= 255
    luma *= alpha
    luma /= 255
    luma += 255
