"""The native fork server for plain JPEGs: where it is, what it is told, and the proof that it sees what Pillow sees.

It is a program of some hundred kilobytes of the kernel's distribution (`kernel/src/box`), so that a child costs next to
nothing, where one forked from Python costs as much as the picture. Its children decode what is plainly a baseline or
progressive JPEG, straight to the PDQ sample, under the same lock; whatever else they are shown they decline, and the
general fork server (`box`) judges it. The lock's lists are written once, in `lock`, and handed over at the start.
"""

from __future__ import annotations

import functools
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from jikimi.engine.decode import wire
from jikimi.engine.decode.lock import filter_code, landlock_rules, support
from jikimi.engine.decode.server import Server
from jikimi.engine.signals import pdq

SIDE = 190
"""Here the filters are two pixels wide and samples three apart: every pixel counts, and none is blurred away."""


def program() -> Path | None:
    """The native fork server; none if it was not built, is switched off, or cannot lock its children here."""
    if os.environ.get("JIKIMI_KERNEL_LEVEL") == "numpy" or not support().seccomp:
        return None
    try:
        import jikimi_kernel
    except ImportError:
        return None
    return jikimi_kernel.box()


def start(path: Path) -> Server:
    """Start it and tell it what it has to know."""
    rules = landlock_rules()
    return Server([os.fspath(path)], wire.SETUP.pack(wire.OUTPUT, len(rules), rules) + filter_code(wire.OUTPUT))


@dataclass(frozen=True, slots=True)
class Proof:
    """A JPEG of our own, and what Pillow makes of it."""

    jpeg: bytes
    width: int
    height: int
    sample: bytes


@functools.cache
def proofs() -> tuple[Proof, ...]:
    """Pictures with something in every coefficient: each chroma layout, progressive, grey, turned."""
    noise = Image.effect_noise((SIDE, SIDE + 1), 80)
    colour = Image.merge("RGB", (noise, noise.transpose(Image.Transpose.FLIP_LEFT_RIGHT), noise.point(_mixed)))
    turned = Image.Exif()
    turned[0x0112] = 6
    return (
        *(_proof(colour, subsampling=layout) for layout in ("4:4:4", "4:2:2", "4:2:0")),
        _proof(colour, progressive=True),
        _proof(noise),
        _proof(colour, exif=turned),
    )


def _mixed(value: float) -> float:
    return value * 7 % 256


def _proof(picture: Image.Image, **options: object) -> Proof:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, **options)
    with Image.open(file) as image:
        pixels = np.asarray(image)
    if "exif" in options:
        pixels = np.rot90(pixels, -1)
    luma = pdq.luma(np.ascontiguousarray(pixels)) if pixels.ndim == 3 else pixels.astype(np.float32)
    height, width = luma.shape
    return Proof(file.getvalue(), width, height, pdq.reduce(luma).astype(np.dtype("<f4")).tobytes())
