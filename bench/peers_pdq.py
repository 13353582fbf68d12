"""From picture bytes to PDQ: ours beside the peers' path, in one process, alternating, in processor time.

Photographs that come with open-source packages are encoded anew at three sizes (JPEG, quality 88, 4:2:0). The peer's
path is threatexchange's: Pillow decodes all of it, `pdqhash` hashes the RGB. Ours is the header read by Pillow and the
native decoding, as in the locked child; without the native kernel, the general way.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from bench.photographs import photographs
from bench.place import Place
from bench.table import Figure
from jikimi.engine.decode import upright, warm
from jikimi.engine.signals import pdq
from jikimi.model.media import Limits, MediaKind

_SIZES = {"0.3 MP": (640, 480), "2 MP": (1600, 1250), "12 MP": (4000, 3000)}
_SECONDS, _QUICK_SECONDS = 10.0, 2.0
"""Per size."""


def run(place: Place, quick: bool) -> list[Figure]:
    """Every size; nothing where there are no photographs."""
    paths = photographs()[:: 3 if quick else 1]
    if not paths:
        return [Figure(what="skipped", value="no package with photographs is installed")]
    warm.run()
    figures = [Figure(what="PDQ", value=f"{pdq.name()}, {len(paths)} photographs")]
    for name, size in _SIZES.items():
        contents = [encoded(path, size) for path in paths]
        figures += _at(name, contents, _QUICK_SECONDS if quick else _SECONDS)
    return figures


def _at(name: str, contents: list[bytes], seconds: float) -> Iterator[Figure]:
    equal = sum(_theirs(content) == _ours(content) for content in contents)
    yield Figure(what=f"{name}: equal hash and quality", value=f"{equal} of {len(contents)}")
    times: dict[str, list[float]] = {"peer": [], "ours": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for content in contents:
            times["peer"].append(_seconds_of(_theirs, content))
            times["ours"].append(_seconds_of(_ours, content))
    theirs, own = (statistics.median(times[who]) * 1e3 for who in ("peer", "ours"))
    size = statistics.mean(len(content) for content in contents) / 1000
    yield Figure(
        what=f"PDQ of a JPEG of {name} ({size:.0f} kB)",
        value=f"{own:.2f} ms",
        peer="threatexchange",
        theirs=f"{theirs:.1f} ms",
        ratio=theirs / own,
    )


def _theirs(content: bytes) -> tuple[bytes, int]:
    from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

    digits, quality = pdq_from_bytes(content)
    return bytes.fromhex(digits), quality


def _ours(content: bytes) -> tuple[bytes, int]:
    """What the locked child and its parent do."""
    (frame,) = upright.frames(content, MediaKind.JPEG, Limits())
    return pdq.fingerprint(frame.sample())


def encoded(path: Path, size: tuple[int, int]) -> bytes:
    """The photograph at this size; the middle of it, if it has another shape."""
    with Image.open(path) as image:
        scale = max(size[0] / image.width, size[1] / image.height)
        whole = image.convert("RGB").resize((round(image.width * scale) + 1, round(image.height * scale) + 1))
    left, top = (whole.width - size[0]) // 2, (whole.height - size[1]) // 2
    file = io.BytesIO()
    whole.crop((left, top, left + size[0], top + size[1])).save(file, "JPEG", quality=88)
    return file.getvalue()


def _seconds_of(hash_: Callable[[bytes], tuple[bytes, int]], content: bytes) -> float:
    start = time.process_time()
    hash_(content)
    return time.process_time() - start
