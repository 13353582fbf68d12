"""Benign pictures made from a number: for the canary, the demonstration and the tests.

A picture is a landscape of soft waves with some discs in it, rich enough for every perceptual signal. Two different
numbers give two pictures that no signal confuses.
"""

from __future__ import annotations

import io
import random

import numpy as np
import numpy.typing as npt
from PIL import Image

WIDTH, HEIGHT = 640, 480
_WAVES = 10
_DISCS = 60
_JPEG_QUALITY = 80


def paint(seed: int) -> bytes:
    """Paint the picture of a number, as PNG."""
    chance = random.Random(seed)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] / float(HEIGHT)
    canvas = np.stack([_waves(chance, rows, columns) for _ in range(3)], axis=-1)
    for _ in range(_DISCS):
        inside = (rows - chance.random()) ** 2 + (columns - 1.33 * chance.random()) ** 2 < (
            0.05 + 0.12 * chance.random()
        ) ** 2
        canvas[inside] = [255 * chance.random() for _ in range(3)]
    out = io.BytesIO()
    Image.fromarray(canvas.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def alter(picture: bytes) -> bytes:
    """What people do to pictures: mirror it, make it smaller, save it as JPEG."""
    with Image.open(io.BytesIO(picture), formats=("PNG",)) as image:
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        smaller = mirrored.resize((WIDTH * 3 // 4, HEIGHT * 3 // 4), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    smaller.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


def _waves(
    chance: random.Random, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Waves of the lengths that perceptual signals look at: up to eight across the picture."""
    total = np.full(rows.shape, 128.0)
    for _ in range(_WAVES):
        across, down, phase = chance.uniform(-8, 8), chance.uniform(-8, 8), chance.uniform(0, 6.28)
        total += chance.uniform(15, 40) * np.cos(6.28 * (across * columns + down * rows) / 1.33 + phase)
    return total
