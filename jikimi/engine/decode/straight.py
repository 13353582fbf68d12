"""JPEG straight to the PDQ sample, by the native kernel where it is installed. Decodes only inside the locked child.

Decided here: which pictures may go this way. The header has been read by Pillow, limits were checked, and the size must
be the one that Pillow saw. What is not plain baseline or progressive 8-bit grey or YCbCr, and anything that libjpeg
only warns of, is declined: then `upright` decodes it, so that every odd file has one judge. Not decided here: how a
sample is computed; both ways give the same bits.
"""

from __future__ import annotations

import io
import os

import numpy as np
from PIL import Image, JpegImagePlugin

from jikimi.engine.signals.pdq import Sample, luma, reduce

try:
    if os.environ.get("JIKIMI_KERNEL_LEVEL") == "numpy":
        raise ImportError
    from jikimi_kernel import pdq as _native
except ImportError:
    _has_native = False
else:
    _has_native = bool(_native.jpeg_version())


def name() -> str:
    """What reads JPEG, as far as is known without a child."""
    return f"JPEG straight by {_native.jpeg_version()}" if _has_native else "JPEG by Pillow"


def jpeg_sample(untrusted_bytes: bytes, image: Image.Image, orientation: int) -> Sample | None:
    """Return the sample of the upright picture, or None: then the general way has to be taken."""
    # A subclass (MPO) may hold several pictures.
    if not _has_native or type(image) is not JpegImagePlugin.JpegImageFile:
        return None
    if max(image.size) > _native.LONGEST_SIDE:
        return None
    return _native.jpeg_sample(untrusted_bytes, *image.size, orientation)


def prove(our_jpeg: bytes) -> None:
    """Give this way up for good if it sees another picture in `our_jpeg` than Pillow with its own libjpeg does."""
    global _has_native  # set once, before any file is decoded
    if not _has_native:
        return
    with Image.open(io.BytesIO(our_jpeg)) as image:
        expected = np.asarray(image.convert("RGB"))
        pixels = _native.jpeg_pixels(our_jpeg, *image.size)
        sample = _native.jpeg_sample(our_jpeg, *image.size)
    _has_native = (
        pixels is not None
        and sample is not None
        and np.array_equal(pixels, expected)
        and np.array_equal(sample, reduce(luma(expected)))
    )
