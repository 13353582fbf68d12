"""The PDQ fingerprint of a picture, equal bit for bit to the reference.

Decided here: who computes it: the native kernel where it is installed, else NumPy (`JIKIMI_KERNEL_LEVEL=numpy` asks for
it). Both give the same bits. What PDQ is, is written down in `pdq_numpy`.
"""

from __future__ import annotations

import os

import numpy as np

from jikimi.engine.signals import pdq_numpy
from jikimi.engine.signals.pdq_numpy import SIDE, Floats, Pixels, Sample, luma
from jikimi.model.signal import Variant

__all__ = ["SIDE", "Floats", "Pixels", "Sample", "dihedral", "fingerprint", "luma", "name", "reduce"]

try:
    if os.environ.get("JIKIMI_KERNEL_LEVEL") == "numpy":
        raise ImportError
    from jikimi_kernel import pdq as _native
except ImportError:
    _has_native = False
else:
    _has_native = True


def name() -> str:
    """Who computes."""
    return f"native ({_native.level()})" if _has_native else "numpy"


def reduce(luma: Floats) -> Sample:
    """Blur (rows, cols) float32 grey values and sample them down to (64, 64); see `pdq_numpy.reduce`.

    Takes over `luma` and may overwrite it.
    """
    if _has_native and max(luma.shape) <= _native.LONGEST_SIDE:
        return _native.reduce_luma(np.ascontiguousarray(luma))
    return pdq_numpy.reduce(luma)


def fingerprint(sample: Sample) -> tuple[bytes, int]:
    """The 32-byte hash (most significant bit first, so that `.hex()` is the usual text) and the quality, 0 to 100.

    `sample` is what `reduce` gave. A flat picture has quality 0 and a hash of rounding noise: evidence of nothing.
    """
    return _native.fingerprint(sample) if _has_native else pdq_numpy.fingerprint(sample)


def dihedral(sample: Sample) -> dict[Variant, bytes]:
    """The hashes of the picture turned and mirrored in all eight ways; see `pdq_numpy.dihedral`."""
    if _has_native:
        return dict(zip(Variant, _native.dihedral(sample), strict=True))
    return pdq_numpy.dihedral(sample)
