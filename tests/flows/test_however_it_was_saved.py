"""A bank that holds one photograph finds it in every form in which people send it on.

`aaa-orig.jpg` is the bridge of ThreatExchange's regression set. The expected hashes are those of the reference
implementation without its optional shrinking, on upright RGB.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from PIL import Image

from jikimi.config import Settings
from jikimi.flows.bank import add_entries, entries_of_file
from jikimi.flows.scan import examine
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.match import Disposition
from jikimi.model.signal import Variant
from jikimi.ports import Kit
from tests.conftest import PICTURES, bridge, open_world
from tests.flows.story import OPERATOR, make_bank, upload

_MODS = sorted(path.name for path in (PICTURES / "bridge-mods").iterdir())
_DIHEDRAL = sorted(path.name for path in (PICTURES / "dihedral").iterdir())
_ORIENTATION = 0x0112
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera stores a picture that it marks with this EXIF orientation: the mark's own turn undoes it."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """An installation whose only bank holds the original alone, without its digest: nearness has to do it."""
    settings = Settings.load(data=tmp_path_factory.mktemp("bridge") / "data", decode_workers=1)
    with open_world(settings) as world:
        make_bank(world.kit, "bridge")
        policy = BankPolicy(name="bridge", category=Category.CSAM, on_match=OnMatch.BLOCK)
        offered = entries_of_file(world.kit, io.BytesIO(bridge("aaa-orig.jpg")), policy).entries
        add_entries(world.kit, OPERATOR, "bridge", [entry for entry in offered if entry.signal.type == "pdq"])
        yield world.kit


def distance_of(kit: Kit, picture: bytes) -> int:
    answer = upload(kit, picture)
    assert answer.verdict.disposition is Disposition.BLOCK, answer.verdict.reasons
    return min(match.distance for match in answer.verdict.matches)


@pytest.mark.parametrize("name", _MODS)
def test_every_alteration_of_the_picture_is_found(kit: Kit, name: str) -> None:
    assert distance_of(kit, bridge(name)) <= 31


@pytest.mark.parametrize("name", _DIHEDRAL)
def test_every_turned_and_mirrored_copy_is_found(kit: Kit, name: str) -> None:
    answer = upload(kit, bridge(name))
    assert answer.verdict.disposition is Disposition.BLOCK
    (match,) = answer.verdict.matches
    assert (match.variant is Variant.AS_IS) == (name == "bridge-1-original.jpg")


def original() -> Image.Image:
    return Image.open(io.BytesIO(bridge("aaa-orig.jpg"))).convert("RGB")


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def sixteen_bit_png() -> bytes:
    """Grey with 16 bits a sample, as scanners write it."""
    grey = np.asarray(original().convert("L")).astype(np.uint16) * 257
    return saved(Image.fromarray(grey), "PNG")


def with_orientation(orientation: int) -> bytes:
    image = original()
    stored = image.transpose(_TURNED[orientation]) if orientation in _TURNED else image
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return saved(stored, "JPEG", quality=90, exif=exif)


_SAVED: dict[str, Callable[[], bytes]] = {
    "GIF": lambda: saved(original().quantize(256), "GIF"),
    "palette PNG": lambda: saved(original().quantize(64), "PNG"),
    "CMYK JPEG": lambda: saved(original().convert("CMYK"), "JPEG", quality=90),
    "16-bit PNG": sixteen_bit_png,
    "grey JPEG": lambda: saved(original().convert("L"), "JPEG", quality=80),
    "PNG with alpha": lambda: saved(original().convert("RGBA"), "PNG", compress_level=1),
    "WebP": lambda: saved(original(), "WEBP", quality=60, method=0),
    "lossless WebP": lambda: saved(original().resize((800, 502)), "WEBP", lossless=True, method=0),
    "AVIF": lambda: saved(original().resize((800, 502)), "AVIF", quality=60, speed=10),
    "BMP": lambda: saved(original(), "BMP"),
    "TIFF": lambda: saved(original(), "TIFF", compression="tiff_lzw"),
    "progressive JPEG": lambda: saved(original(), "JPEG", quality=50, progressive=True),
    **{f"EXIF orientation {number}": partial(with_orientation, number) for number in range(1, 9)},
}


@pytest.mark.parametrize("form", _SAVED)
def test_however_the_picture_was_saved_it_is_found(kit: Kit, form: str) -> None:
    assert distance_of(kit, _SAVED[form]()) <= 20


@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_orientation_is_undone_and_not_guessed(kit: Kit, orientation: int) -> None:
    """It is found as it is: the picture was set upright before it was compared."""
    (match,) = upload(kit, with_orientation(orientation)).verdict.matches
    assert match.variant is Variant.AS_IS


@pytest.mark.parametrize(
    ("name", "value", "quality"),
    [
        ("aaa-orig.jpg", "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22", 100),
        ("shrink-a-lot.jpg", "d0f8f1ccc0f4a84d0a370a3a228f67f0b36e2ed5b6623e1d33e6339c4e9c9b22", 100),
        ("square-128x128.jpg", "d8f8f1eec0f4a84f0e37022a078f63f0b36e2ed596621e1d33e6239c4e9c9b22", 100),
        ("square-256x256.jpg", "d8f8f0cec4f4a84f0637022a078f67f0b36e2ee5b6621e1d33e6239c4e9c9b22", 100),
        ("square-512x512.jpg", "d8f8f0cec0f4a84f0637022a278f67f0b36e2ed596621e1d33e6339c4e9c9b22", 100),
        ("wee.jpg", "6227401f601ff4ccafcc9fad4b0d95d371a2eb7265a3285234d228ca94deeb2d", 100),
        ("small.jpg", "0007001f003f003f007f00ff00ff00ff01ff01ff01ff03ff03ff03ff03ff03ff", 0),
    ],
)
def test_the_signals_are_those_of_the_reference(kit: Kit, name: str, value: str, quality: int) -> None:
    (seen,) = examine(kit.reader, io.BytesIO(bridge(name))).seen
    assert (seen.view.signal.text, seen.view.signal.quality) == (value, quality)


def test_the_eight_positions_are_those_of_the_reference(kit: Kit) -> None:
    (seen,) = examine(kit.reader, io.BytesIO(bridge("aaa-orig.jpg"))).seen
    assert [signal.text for _, signal in seen.variants] == [
        "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22",
        "30a10efd71c83f429013d48d0ffffc52e34e0e17ada952a9d29685211ea9e5af",
        "adad5a64b5a102e55b62a08856dacd5ae63b847fc337b4b766b319361bc93188",
        "a5f0b457a49995e8c1065c275aaa54d8b61ba49df8fcfc0383c32f8b0bfc4f05",
        "f8f80f31e0f457b00637f5d5028f980fb36ed12a9622e1e233e64c634e9c64dd",
        "0dad2599b1a1bd1a5362576752da32a5e63b7380c2374b4866b346c91bc9ce77",
        "f0a5e102f1ccc0bd945308720fff038de34ef1e8ada9a956d2967ade5ea91a50",
        "a5f04ba8a4996a17c906a3d85aaaa927b61b5b42f8fc03fc87c3d0740bfcb0fa",
    ]


def test_another_picture_is_not_found(kit: Kit) -> None:
    assert upload(kit, bridge("wee.jpg")).verdict.disposition is Disposition.CLEAR
