"""Benign photographs that come with open-source packages which happen to be installed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

_IN_PACKAGES = {
    "skimage": (
        "data/astronaut.png",
        "data/brick.png",
        "data/camera.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/coins.png",
        "data/grass.png",
        "data/gravel.png",
        "data/hubble_deep_field.jpg",
        "data/moon.png",
        "data/motorcycle_left.png",
        "data/motorcycle_right.png",
        "data/rocket.jpg",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
_FOLDERS = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
_MOST = 50


@cache
def photographs() -> tuple[Path, ...]:
    """The files there are, in the same order each time; none if no such package is installed."""
    found = []
    for package, names in _IN_PACKAGES.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            found += [Path(spec.origin).parent / name for name in names]
    for folder in _FOLDERS:
        found += sorted(folder.rglob("*.jpg"))[:_MOST]
    return tuple(path for path in found if path.is_file())
