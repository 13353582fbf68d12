"""Benign pictures of the two sizes that benches use, with the fine grain of photographs, as JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from jikimi.engine.pattern import paint

SMALL = (512, 384)
LARGE = (1632, 1224)
"""Two megapixels: what a telephone sends after its own shrinking."""
_GRAIN = 5.0


def photograph(seed: int, size: tuple[int, int]) -> bytes:
    """A picture by its number; the same number in both sizes is the same picture."""
    with Image.open(io.BytesIO(paint(seed))) as painted:
        smooth = np.asarray(painted.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(seed).normal(0, _GRAIN, smooth.shape)
    out = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=85)
    return out.getvalue()
