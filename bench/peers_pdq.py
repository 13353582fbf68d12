"""From picture bytes to PDQ: ours beside the peers' path, in one process, alternating, in processor time.

    python -m bench.peers_pdq PHOTOGRAPH...

The photographs are benign ones that you have; each is encoded anew at three sizes (JPEG, quality 88, 4:2:0). The peer's
path is what HMA and python-threatexchange do: Pillow decodes all of it, `pdqhash` hashes the RGB. Ours is the header
read by Pillow and the native decoding, as in the locked child; without the native kernel, the general way.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pdqhash
from PIL import Image

from jikimi.engine.decode import upright, warm
from jikimi.engine.signals import pdq
from jikimi.model.media import Limits, MediaKind

SIZES = {"0.3 MP": (640, 480), "2 MP": (1600, 1250), "12 MP": (4000, 3000)}
SECONDS = 6.0
"""Per size."""


def peer(content: bytes) -> tuple[bytes, int]:
    """What the peers do."""
    with Image.open(io.BytesIO(content)) as image:
        bits, quality = pdqhash.compute(np.asarray(image.convert("RGB")))
    return np.packbits(bits).tobytes(), quality


def ours(content: bytes) -> tuple[bytes, int]:
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


def seconds_of(hash_: Callable[[bytes], tuple[bytes, int]], content: bytes) -> float:
    start = time.process_time()
    hash_(content)
    return time.process_time() - start


def main() -> None:
    """Print one row for each size."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    if not paths:
        sys.exit(str(__doc__))
    warm.run()
    print(f"PDQ {pdq.name()}, processors {os.cpu_count()}, photographs {len(paths)}")
    print("| size | file | peer ms | ours ms | ratio | equal |\n|---|---|---|---|---|---|")
    for name, size in SIZES.items():
        contents = [encoded(path, size) for path in paths]
        equal = sum(peer(content) == ours(content) for content in contents)
        times: dict[str, list[float]] = {"peer": [], "ours": []}
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for content in contents:
                times["peer"].append(seconds_of(peer, content))
                times["ours"].append(seconds_of(ours, content))
        theirs, own = (statistics.median(times[who]) * 1e3 for who in ("peer", "ours"))
        size_kb = statistics.mean(len(content) for content in contents) / 1000
        share = f"{equal}/{len(contents)}"
        print(f"| {name} | {size_kb:.0f} kB | {theirs:.1f} | {own:.2f} | **{theirs / own:.1f}** | {share} |")


if __name__ == "__main__":
    main()
