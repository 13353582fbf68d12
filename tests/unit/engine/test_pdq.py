"""PDQ against pinned results of the reference and against a plain, slow form of its blur."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jikimi.engine.signals import pdq
from jikimi.model.signal import Variant

_TESTS = Path(__file__).parents[2]
_VECTORS: dict[str, Any] = json.loads((_TESTS / "vectors" / "pdq_reference.json").read_text())
_PICTURES = _TESTS / "data" / "threatexchange"

Floats = npt.NDArray[np.float32]


def picture(kind: str, rows: int, cols: int, seed: int) -> npt.NDArray[np.uint8]:
    """An RGB picture from whole-number arithmetic alone, the same on every machine."""
    y, x, channel = np.ogrid[:rows, :cols, :3]
    place = ((y * cols + x) * 3 + channel + seed).astype(np.uint64)
    noise = (place * 6364136223846793005 + 1442695040888963407) >> 33
    noise = (noise ^ (noise >> 15)) * 0x2C1B3C6D >> 20
    if kind == "noise":
        value = noise
    elif kind == "faint":
        value = 100 + seed % 100 + noise % 2
    elif kind == "flat":
        value = noise * 0 + seed
    elif kind == "stripes":
        value = (x * (seed + channel) + y * (3 + channel)) // 4 + noise % 8
    else:
        radius = (x - cols // 3) ** 2 + (y - rows // 2) ** 2
        value = radius * (seed + 2 * channel) * 64 // (rows * cols) + noise % 4
    return (value % 256).astype(np.uint8)


@pytest.mark.parametrize("vector", _VECTORS["generated"], ids=lambda v: f"{v['kind']}-{v['rows']}x{v['cols']}")
def test_generated_pictures_give_the_bits_of_the_reference(vector: dict[str, Any]) -> None:
    rgb = picture(vector["kind"], vector["rows"], vector["cols"], vector["seed"])
    sample = pdq.reduce(pdq.luma(rgb))
    value, quality = pdq.fingerprint(sample)
    assert (value.hex(), quality) == (vector["hash"], vector["quality"])
    assert [hash_.hex() for hash_ in pdq.dihedral(sample).values()] == vector["dihedral"]


@pytest.mark.parametrize("name", _VECTORS["files"])
def test_photographs_give_the_bits_of_the_reference(name: str) -> None:
    with Image.open(_PICTURES / name) as image:
        sample = pdq.reduce(pdq.luma(np.asarray(image.convert("RGB"))))
    expected = _VECTORS["files"][name]
    value, quality = pdq.fingerprint(sample)
    assert (value.hex(), quality) == (expected["hash"], expected["quality"])
    assert [hash_.hex() for hash_ in pdq.dihedral(sample).values()] == expected["dihedral"]


def test_dihedral_names_the_turned_pictures() -> None:
    rgb = picture("noise", 9, 12, 5).repeat(26, axis=0).repeat(24, axis=1)
    turned = {
        Variant.AS_IS: rgb,
        Variant.ROTATE_90: np.rot90(rgb),
        Variant.ROTATE_180: np.rot90(rgb, 2),
        Variant.ROTATE_270: np.rot90(rgb, 3),
        Variant.FLIP_X: rgb[::-1],
        Variant.FLIP_Y: rgb[:, ::-1],
        Variant.FLIP_PLUS_1: rgb.transpose(1, 0, 2),
        Variant.FLIP_MINUS_1: np.rot90(rgb, 2).transpose(1, 0, 2),
    }
    named = pdq.dihedral(pdq.reduce(pdq.luma(rgb)))
    assert list(named) == list(Variant)
    for variant, value in named.items():
        really_turned, _ = pdq.fingerprint(pdq.reduce(pdq.luma(turned[variant])))
        assert distance(value, really_turned) < 48, variant  # unrelated pictures: about 128


def test_luma_is_the_weighted_mean_rounded_once() -> None:
    shades = np.arange(256, dtype=np.uint8)
    rgb = np.zeros((256, 256, 3), np.uint8)
    for red in range(0, 256, 5):
        rgb[..., 0], rgb[..., 1], rgb[..., 2] = red, shades[:, None], shades
        expected = (rgb[..., 0] * 0.299 + rgb[..., 1] * 0.587 + rgb[..., 2] * 0.114).astype(np.float32)
        assert np.array_equal(pdq.luma(rgb), expected)


def test_luma_of_grey_is_grey() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert np.array_equal(pdq.luma(grey), grey[..., 0])


@pytest.mark.parametrize(("rows", "cols"), [(0, 9), (1, 1), (4, 4), (4, 900), (900, 4)])
def test_a_side_below_five_gives_zeros(rows: int, cols: int) -> None:
    sample = pdq.reduce(np.full((rows, cols), 200, np.float32))
    assert not sample.any()
    assert pdq.fingerprint(sample) == (bytes(32), 0)
    assert set(pdq.dihedral(sample).values()) == {bytes(32)}


def test_a_picture_of_the_sample_size_is_its_own_sample() -> None:
    grey = pdq.luma(picture("noise", 64, 64, 1))
    assert np.array_equal(pdq.reduce(grey.copy()), grey)


@settings(deadline=None, derandomize=True)
@given(rows=st.integers(5, 40), cols=st.integers(5, 40), seed=st.integers(0, 2**32))
def test_small_pictures_are_reduced_as_by_the_plain_form(rows: int, cols: int, seed: int) -> None:
    check_against_plain_form(pdq.luma(picture("noise", rows, cols, seed)))


@pytest.mark.parametrize(
    ("rows", "cols"),
    [(5, 3000), (3000, 5), (129, 128), (128, 129), (63, 65), (64, 63), (257, 161), (161, 257), (5, 4200), (17, 1029)],
)
def test_every_layout_is_reduced_as_by_the_plain_form(rows: int, cols: int) -> None:
    check_against_plain_form(pdq.luma(picture("noise", rows, cols, rows)))


def test_any_memory_layout_is_accepted() -> None:
    grey = pdq.luma(picture("rings", 90, 70, 3))
    expected = pdq.reduce(grey.copy())
    assert expected.flags.c_contiguous
    assert np.array_equal(pdq.reduce(np.asfortranarray(grey)), expected)
    wide = np.zeros((90, 140), np.float32)
    wide[:, ::2] = grey
    assert np.array_equal(pdq.reduce(wide[:, ::2]), expected)


@pytest.mark.parametrize(("rows", "cols"), [(2000, 3000), (5, 1_200_000), (1_200_000, 5), (90_000, 66), (66, 90_000)])
def test_reduce_needs_little_memory_of_its_own(rows: int, cols: int) -> None:
    grey = np.full((rows, cols), 7, np.float32)
    tracemalloc.start()
    sample = pdq.reduce(grey)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.allclose(sample, 7)
    assert peak < 8 << 20


def test_flat_and_noisy_pictures_have_extreme_quality() -> None:
    assert pdq.fingerprint(pdq.reduce(pdq.luma(picture("flat", 200, 100, 90))))[1] == 0
    assert pdq.fingerprint(pdq.reduce(pdq.luma(picture("noise", 70, 70, 1))))[1] == 100


def distance(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


def check_against_plain_form(grey: Floats) -> None:
    rows, cols = grey.shape
    blurred = [list(row) for row in grey]
    for _ in range(2):
        blurred = [list(box(row)) for row in blurred]
        blurred = transposed([list(box(column)) for column in transposed(blurred)])
    if (rows, cols) == (64, 64):
        blurred = [list(row) for row in grey]
    at_rows = [int((i + 0.5) * rows / 64) for i in range(64)]
    at_cols = [int((i + 0.5) * cols / 64) for i in range(64)]
    expected = np.array([[blurred[row][col] for col in at_cols] for row in at_rows], np.float32)
    sample = pdq.reduce(grey)
    assert sample.shape == (64, 64)
    assert sample.dtype == np.float32
    assert sample.flags.c_contiguous
    assert np.array_equal(sample.view(np.uint32), expected.view(np.uint32))


def transposed(lines: list[list[np.float32]]) -> list[list[np.float32]]:
    return [list(line) for line in zip(*lines, strict=True)]


def box(line: list[np.float32]) -> Iterator[np.float32]:
    """The four phases of the reference, one number at a time."""
    window = (len(line) + 127) // 128
    half = (window + 2) // 2
    total, inside = np.float32(0), 0
    for value in line[: half - 1]:
        total, inside = total + value, inside + 1
    for value in line[half - 1 : window]:
        total, inside = total + value, inside + 1
        yield total / np.float32(inside)
    for entering, leaving in zip(line[window:], line, strict=False):
        total = total + entering - leaving
        yield total / np.float32(inside)
    for leaving in line[len(line) - window : len(line) - window + half - 1]:
        total, inside = total - leaving, inside - 1
        yield total / np.float32(inside)
