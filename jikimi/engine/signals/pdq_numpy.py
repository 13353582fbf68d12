"""The PDQ fingerprint of a picture, in NumPy, equal bit for bit to the reference.

Decided here: how pixels become luma, a 64 x 64 sample, a 256-bit hash and a quality. Not decided here: how a file
becomes upright RGB (`engine.decode`), which quality is enough and which distance is a match (`model`).

Sources: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019) and the reference
code (facebook/ThreatExchange, pdq/cpp). Its two forms round luma differently: the C++ tool adds three float32 products,
while its Python package, `pdqhash`, adds in float64 and rounds once. This file follows the second, as hash lists made
with HMA do; the difference shows only in pictures of next to no contrast. No picture is shrunk beforehand.

Equal bits need the reference's order of float32 additions. Hence no cumulative sum in float64 and no matrix product by
BLAS: every sum below grows one element at a time, over many lines at once.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from jikimi.model.signal import Variant

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.intp]

Sample = Floats
"""(64, 64) float32, as `reduce` gives it."""

SIDE = 64
"""Rows and columns of the sample that stands for the picture."""

_SMALLEST_SIDE = 5
"""A picture with a shorter side has the all-zero hash and quality 0 (MIN_HASHABLE_DIM of the reference)."""

_BAND = 16
"""Frequencies kept per axis, hence 16 x 16 = 256 bits."""

_WIDE = 4096
"""Lines filtered side by side: enough to hide the cost of a NumPy call, few enough for a row to stay in L1 cache."""

_NARROW = 160
"""With fewer lines than this, one slow sequential sum per line beats two quick calls per step (measured)."""

_BLOCK = 1 << 17
"""Samples held in one work buffer: 512 KiB of float32, so that two of them fit the L2 cache."""


def luma(rgb: Pixels) -> Floats:
    """Grey values 0..255 of (rows, cols, 3) uint8 pixels, as (rows, cols) float32.

    Every product and sum of the whole-number weights is exact in float32, so that the one division rounds as the
    reference does in float64 (equal for all 2^24 colours), on any processor and however the compiler fuses operations.
    """
    rows, cols, _ = rgb.shape
    grey = np.empty((rows, cols), np.float32)
    height = max(_BLOCK // max(cols, 1), 1)
    for first in range(0, rows, height):
        pixels, part = rgb[first : first + height], grey[first : first + height]
        np.multiply(pixels[..., 0], np.float32(299), out=part)
        part += pixels[..., 1] * np.float32(587)
        part += pixels[..., 2] * np.float32(114)
        part /= np.float32(1000)
    return grey


def reduce(luma: Floats) -> Sample:
    """Blur (rows, cols) float32 grey values and sample them down to (64, 64) float32, C-contiguous.

    Takes over `luma` and overwrites it; the extra memory is a few MiB whatever the size. A side under 5 gives zeros.
    The blur is a box along rows, along columns, along rows, along columns; a line that is not sampled in the end is
    filtered in the first two passes, only summed up in the third and left out of the fourth.
    """
    rows, cols = luma.shape
    if min(rows, cols) < _SMALLEST_SIDE:
        return np.zeros((SIDE, SIDE), np.float32)
    if (rows, cols) == (SIDE, SIDE):
        return np.ascontiguousarray(luma)
    kept_rows, kept_cols = _sampled(rows), _sampled(cols)
    distinct, places = np.unique(kept_cols, return_inverse=True)
    _box(luma.T, luma.T, None)
    _box(luma, luma, None)
    _box(luma.T, luma.T[: len(distinct)], distinct)
    sample = np.empty((SIDE, len(distinct)), np.float32)
    _box(luma[:, : len(distinct)], sample, kept_rows)
    return sample.take(places, axis=1)


def fingerprint(sample: Sample) -> tuple[bytes, int]:
    """The 32-byte hash (most significant bit first, so that `.hex()` is the usual text) and the quality, 0 to 100.

    `sample` is what `reduce` gave. A flat picture has quality 0 and a hash of rounding noise: evidence of nothing.
    """
    return _bits(_frequencies(sample)), _quality(sample)


def dihedral(sample: Sample) -> dict[Variant, bytes]:
    """The hashes of the picture turned and mirrored in all eight ways, from one transform, in the reference's order.

    They come near the hashes of really turned pictures and seldom equal them, since the 64 x 64 sample is not taken
    symmetrically: compare all eight, never a "smallest" one. (For pictures of exactly 64 x 64 the reference samples
    once more here, which changes the noise in flat ones; this does not, so that `AS_IS` is always the fingerprint.)
    """
    upright = _frequencies(sample)
    turned = upright.T
    by_row, by_col = _SIGNS[:, None], _SIGNS[None, :]
    blocks = {
        Variant.AS_IS: upright,
        Variant.ROTATE_90: turned * by_row,
        Variant.ROTATE_180: upright * (by_row * by_col),
        Variant.ROTATE_270: turned * by_col,
        Variant.FLIP_X: upright * by_row,
        Variant.FLIP_Y: upright * by_col,
        Variant.FLIP_PLUS_1: turned,
        Variant.FLIP_MINUS_1: turned * (by_row * by_col),
    }
    return {variant: _bits(block) for variant, block in blocks.items()}


def _sampled(length: int) -> Positions:
    """The 64 positions of a line that stand for it: floor((i + 0.5) * length / 64)."""
    positions: Positions = (2 * np.arange(SIDE) + 1) * length // (2 * SIDE)
    return positions


def _box(source: Floats, target: Floats, kept: Positions | None) -> None:
    """Average `source` (steps, lines) along its first axis and put the positions `kept` (all, if None) into `target`.

    The window is a 128th of the axis, rounded up; it is cut off at the ends and divided by what is really inside.
    `kept` ascends. `target` may begin where `source` does: the i-th kept position is never before i.
    """
    lines = source.shape[1]
    for first in range(0, lines, _WIDE):
        strip = slice(first, min(first + _WIDE, lines))
        _box_strip(source[:, strip], target[:, strip], kept)


def _box_strip(source: Floats, target: Floats, kept: Positions | None) -> None:
    """`_box` for at most `_WIDE` lines: a window of work moves along the axis, so that little is ever copied.

    A position is written `lag` steps after it was read, never before. Beyond the ends zeros are added and subtracted,
    which leaves a float32 sum as it is.
    """
    length, lines = source.shape
    window = (length + 2 * SIDE - 1) // (2 * SIDE)
    lag = (window + 2) // 2 - 1
    chunk = min(max(_BLOCK // lines, window), length + lag)
    read = np.zeros((window + chunk, lines), np.float32)
    sums = np.zeros((1 + chunk, lines), np.float32)
    for start in range(0, length + lag, chunk):
        size = min(chunk, length + lag - start)
        fresh = source[start : start + size]
        read[window : window + len(fresh)] = fresh
        read[window + len(fresh) : window + size] = 0
        _slide(sums[: 1 + size], read[window : window + size], read[:size])
        sums_end = sums[size].copy()
        at, into = _due(kept, max(start - lag, 0), start - lag + size)
        inside = np.minimum(at + lag + 1, length) - np.maximum(at + lag + 1 - window, 0)
        means = sums[_span(at + (1 + lag - start))]
        means /= inside.astype(np.float32)[:, None]
        target[into] = means
        sums[0] = sums_end
        read[:window] = read[size : size + window]


def _due(kept: Positions | None, first: int, end: int) -> tuple[Positions, slice]:
    """The kept positions from `first` up to `end`, and where they go."""
    if kept is None:
        return np.arange(first, end), slice(first, max(first, end))
    lo, hi = np.searchsorted(kept, (first, end))
    return kept[lo:hi], slice(int(lo), int(hi))


def _span(at: Positions) -> slice | Positions:
    """The same positions as a slice if they are without gaps: it spares a copy."""
    if len(at) and at[-1] - at[0] + 1 == len(at):
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def _slide(sums: Floats, entering: Floats, leaving: Floats) -> None:
    """Move every line's window one step at a time: add what enters, then subtract what leaves, in float32."""
    if sums.shape[1] > _NARROW:
        for before, add, subtract, after in zip(sums[:-1], entering, leaving, sums[1:], strict=True):
            np.add(before, add, after)
            np.subtract(after, subtract, after)
        return
    steps = np.empty((sums.shape[1], 2 * len(entering) + 1), np.float32)
    steps[:, 0] = sums[0]
    steps[:, 1::2] = entering.T
    np.negative(leaving.T, out=steps[:, 2::2])
    np.add.accumulate(steps, axis=1, out=steps)
    sums[1:] = steps[:, 2::2].T


def _cosines() -> Floats:
    """Rows 1 to 16 of the 64-point DCT-II: (16, 64) float32. The factor is rounded first, as in the reference."""
    scale = float(np.float32(math.sqrt(2 / SIDE)))
    step = math.pi / 2 / SIDE
    rows = [[scale * math.cos(step * (i + 1) * (2 * j + 1)) for j in range(SIDE)] for i in range(_BAND)]
    return np.array(rows, np.float32)


_COSINES = _cosines()
_SIGNS = np.where(np.arange(_BAND) % 2 == 1, np.float32(1), np.float32(-1))


def _frequencies(sample: Sample) -> Floats:
    """The 16 x 16 lowest frequencies without the constant one: cosines . sample . cosines^T."""
    half = _sum_in_order(_COSINES.T[:, :, None] * sample[:, None, :])
    return _sum_in_order(half.T[:, :, None] * _COSINES.T[:, None, :])


def _sum_in_order(terms: Floats) -> Floats:
    """Sum over the first axis from front to back: `np.sum` and BLAS may pair terms, which rounds differently."""
    total: Floats = terms[0]
    for term in terms[1:]:
        total += term
    return total


def _bits(frequencies: Floats) -> bytes:
    """One bit per frequency: is it above the 128th smallest of the 256? Frequency 0 is the last bit."""
    values = frequencies.reshape(_BAND * _BAND)
    middle = len(values) // 2 - 1
    return np.packbits((values > np.partition(values, middle)[middle])[::-1]).tobytes()


def _quality(sample: Sample) -> int:
    """How much happens between neighbours: their differences in whole hundredths of white, summed, scaled to 0..100."""
    total = 0
    for axis in (0, 1):
        hundredths = np.diff(sample, axis=axis) * np.float32(100) / np.float32(255)
        total += int(np.abs(hundredths.astype(np.int32)).sum())
    return min(total // 90, 100)
