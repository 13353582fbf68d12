"""The native PDQ against NumPy's, bit for bit, on every instruction level of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jikimi.engine.signals import pdq_numpy
from tests.unit.engine.test_pdq import picture

native = pytest.importorskip("jikimi_kernel.pdq")

KINDS = ("noise", "faint", "flat", "stripes", "rings")
SIDES = (4, 5, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 257, 500, 1029)


@pytest.fixture(params=native.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = native.level()
    native.use_level(request.param)
    yield request.param
    native.use_level(before)


def check(rgb: npt.NDArray[np.uint8]) -> None:
    grey = pdq_numpy.luma(rgb)
    expected = pdq_numpy.reduce(grey.copy())
    with_fourth = np.concatenate([rgb, rgb[..., :1]], axis=2)
    for sample in (native.reduce(rgb), native.reduce(with_fourth), native.reduce_luma(grey)):
        assert np.array_equal(sample.view(np.uint32), expected.view(np.uint32))
    assert native.fingerprint(expected) == pdq_numpy.fingerprint(expected)
    assert native.dihedral(expected) == list(pdq_numpy.dihedral(expected).values())


@pytest.mark.parametrize("rows", SIDES)
def test_all_layouts_equal_numpy(level: str, rows: int) -> None:
    for number, cols in enumerate(SIDES):
        check(picture(KINDS[number % len(KINDS)], rows, cols, rows))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    rows=st.integers(1, 700),
    cols=st.integers(1, 700),
    seed=st.integers(0, 255),
    name=st.sampled_from(native.levels()),
)
def test_any_size_equals_numpy(kind: str, rows: int, cols: int, seed: int, name: str) -> None:
    before = native.level()
    native.use_level(name)
    try:
        check(picture(kind, rows, cols, seed))
    finally:
        native.use_level(before)


@pytest.mark.parametrize(("rows", "cols"), [(5, 65536), (65536, 5), (3000, 4000)])
def test_long_sides_equal_numpy(level: str, rows: int, cols: int) -> None:
    check(picture("noise", rows, cols, 7))


def test_grey_is_its_own_luma(level: str) -> None:
    grey = picture("rings", 300, 200, 9)[..., :1]
    expected = pdq_numpy.reduce(grey[..., 0].astype(np.float32))
    assert np.array_equal(native.reduce(grey), expected)


def test_luma_of_all_colours(level: str) -> None:
    # A picture of the sample's size is left as it is, so that its sample is its luma.
    colours = np.arange(0, 1 << 24, 61)
    colours = colours[: len(colours) // 4096 * 4096]
    rgb = np.stack([colours & 255, colours >> 8 & 255, colours >> 16], axis=1).astype(np.uint8)
    for part in rgb.reshape(-1, 64, 64, 3):
        assert np.array_equal(native.reduce(part), pdq_numpy.luma(part))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="too long"):
        native.reduce_luma(np.zeros((1, 65537), np.float32))
    with pytest.raises(ValueError, match="bytes"):
        native.reduce(np.zeros((9, 9, 2), np.uint8))
    with pytest.raises(TypeError):
        native.fingerprint(np.zeros((64, 63), np.float32))
    with pytest.raises(ValueError, match="level"):
        native.use_level("none such")
