"""One picture of a file, upright and made small, with its colours: what people look at. Runs only in the locked child.

Decided here: alpha is dropped as `upright` drops it for the signal, or laid on white, as the match was found; a picture
is never made larger. Not decided here: how much of it anybody may see (`model.evidence`), and how it is written anew
(`picture`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, JpegImagePlugin

from jikimi.engine.decode import upright
from jikimi.model.media import Limits, MediaKind, Reason

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation: how the stored picture is turned upright."""
_SPARE = 2
"""Averaging whole pixels down to this many times the size is fast; the rest is done with a better filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What to draw: the longer side in pixels, which frame, with or without colours, alpha dropped or on white."""

    side: int
    frame: int = 0
    grey: bool = False
    flattened: bool = False


def draw(untrusted_bytes: bytes, kind: MediaKind, limits: Limits, drawing: Drawing) -> Image.Image:
    """Return the picture in mode L or RGB."""
    stored = upright.picture(untrusted_bytes, kind, limits, drawing.frame)
    orientation = upright.orientation_of(stored)
    if isinstance(stored, JpegImagePlugin.JpegImageFile):
        stored.draft(None, (drawing.side, drawing.side))  # the codec itself leaves out what is not needed
    stored.load()
    plain = _lay_on_white(_plain(stored)) if drawing.flattened else _plain(stored)
    small = _make_small(plain, drawing.side)
    turned = small.transpose(_TURNS[orientation]) if orientation in _TURNS else small
    return turned.convert("L" if drawing.grey else "RGB")


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be averaged: L, RGB or RGBA."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if int(values.min()) < 0 or int(values.max()) > 0xFFFF:
            raise upright.CannotDecode(Reason.UNSUPPORTED)
        return Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise upright.CannotDecode(Reason.UNSUPPORTED)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image if image.mode == "RGB" else image.convert("RGB")


def _make_small(image: Image.Image, side: int) -> Image.Image:
    # Averaging in mode RGBA would weigh colours by their alpha, and so show nothing of what lies under none.
    opaque = image.convert("RGB") if image.mode == "RGBA" else image
    factor = max(opaque.size) // (side * _SPARE)
    small = opaque.reduce(factor) if factor > 1 else opaque.copy()
    small.thumbnail((side, side))
    return small


def _lay_on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white
