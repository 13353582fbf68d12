"""Values to search among, and what to ask them: generated ones, and those of photographs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.photographs import photographs
from jikimi.engine.signals import pdq

Values = npt.NDArray[np.uint8]

RADIUS = 31
KINDS = ("uniform", "families", "photographs", "crowds", "adversarial")

_ZIPF = {"families": 2.5, "photographs": 2.0, "crowds": 1.6}
"""Exponents of Zipf's law for the sizes of families: the lower, the larger."""
_LARGEST_FAMILY = 10_000
_MOST_FLIPS = {"families": 40, "photographs": 40, "crowds": 20}
_SHARED_BITS = 200
_LEAST_QUALITY = 50
_MOST_CUTTINGS = 5000


def corpus(kind: str, rows: int) -> Values:
    """Values (rows, 32).

    `uniform`: independent bits, as those of unrelated pictures nearly are. `families`: most have a few near-duplicates,
    some thousands, of 0 to 40 other bits. `photographs`: the same with larger families, grown from cuttings of real
    ones. `crowds`: families so large and dense that a planted query has thousands of matches. `adversarial`: 200 of 256
    bits are the same in all, which no list of pictures is by chance.
    """
    rng = np.random.default_rng(rows)
    if kind == "photographs":
        values = _cuttings(rng, min(rows // 800 + 1, _MOST_CUTTINGS))
    else:
        values = rng.integers(0, 2**64, (rows, 4), dtype=np.uint64).view(np.uint8)
    if kind in _ZIPF and len(values):
        values = _grown(values, rows, kind, rng)
    if kind == "adversarial":
        values &= np.packbits(rng.permutation(256) >= _SHARED_BITS)
    return values


def questions(values: Values, count: int) -> Values:
    """Queries: every other one is 0 to 31 bits from an entry, the others are anything."""
    rng = np.random.default_rng(1)
    asked: Values = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    asked[::2] = values[rng.integers(0, len(values), len(asked[::2]))]
    for number in range(0, count, 2):
        for bit in rng.permutation(256)[: number // 2 % (RADIUS + 1)]:
            asked[number, bit // 8] ^= 1 << (bit % 8)
    return asked


def _grown(seeds: Values, rows: int, kind: str, rng: np.random.Generator) -> Values:
    """Families of near-duplicates; few seeds get larger ones, and what these leave is values of independent bits."""
    sizes = np.minimum(rng.zipf(_ZIPF[kind], len(seeds)), _LARGEST_FAMILY)
    sizes = np.minimum(-(-sizes * rows // sizes.sum()), _LARGEST_FAMILY) if sizes.sum() < rows else sizes
    values = seeds[np.repeat(np.arange(len(seeds)), sizes)[:rows]]
    flips = rng.integers(0, _MOST_FLIPS[kind] + 1, len(values))
    for flip in range(int(flips.max())):
        where = np.flatnonzero(flips > flip)
        values[where, rng.integers(0, 32, len(where))] ^= np.uint8(1) << rng.integers(0, 8, len(where), dtype=np.uint8)
    rest = rng.integers(0, 2**64, (rows - len(values), 4), dtype=np.uint64).view(np.uint8)
    return np.concatenate([values, rest])


def _cuttings(rng: np.random.Generator, count: int) -> Values:
    """The hashes of so many pieces of the photographs in all eight positions; none if there are no photographs."""
    sources = [np.asarray(Image.open(path).convert("RGB")) for path in photographs()]
    hashes: list[bytes] = []
    while len(hashes) < 8 * count and sources:
        source = sources[rng.integers(len(sources))]
        height, width = (int(side * rng.uniform(0.25, 1)) for side in source.shape[:2])
        top = int(rng.integers(source.shape[0] - height + 1))
        left = int(rng.integers(source.shape[1] - width + 1))
        piece = source[top : top + height, left : left + width]
        sample = pdq.reduce(pdq.luma(np.ascontiguousarray(piece)))
        if pdq.fingerprint(sample)[1] >= _LEAST_QUALITY:
            hashes += pdq.dihedral(sample).values()
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32).copy()
