"""A folder of photographs, checked whole: `jikimi scan FOLDER` beside the peers' library path, in one run.

Photographs that come with open-source packages, cut out in other places each time, become a folder of JPEGs of two
megapixels. The peer's path is that of python-threatexchange: MD5, Pillow decodes, `pdqhash`
hashes, its index of a million entries is asked once. Ours is the whole command: start, opening of a bank of a million,
locked children, three digests, all eight positions looked up, output, end. Times are processor time of everything that
took part; the two take turns, and medians count.
"""

from __future__ import annotations

import hashlib
import io
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.million import MILLION, write_list
from bench.peers_pdq import encoded
from bench.photographs import photographs
from bench.place import Place, commands_seconds
from bench.table import Figure, milliseconds
from tests.e2e.node import Node

SIZE = (1600, 1250)
PICTURES = 600
ROUNDS = 3
_SHIFT = 16
"""Pixels between one cut and the next of the same photograph."""


def run(place: Place, quick: bool) -> list[Figure]:
    """Measure both on the same folder; nothing where no package has brought photographs."""
    if not photographs():
        return []
    entries, pictures = (MILLION // 10, PICTURES // 10) if quick else (MILLION, PICTURES)
    folder = place.folder / "photographs"
    paths = fill(folder, pictures)
    write_list(place.folder / "list.txt", entries)
    node = Node(place.folder / "data", database_url=place.database_url)
    node.furnish(block=[])
    node.run("bank", "import", "block", place.folder / "list.txt")
    index = peers_index(listed(place.folder / "list.txt"))
    spent: dict[str, list[float]] = {"ours": [], "start": [], "peer": []}
    for _ in range(ROUNDS):
        spent["peer"].append(_seconds_of(lambda: [peers_check(path.read_bytes(), index) for path in paths]))
        spent["ours"].append(_seconds_of(lambda: _ours(node, folder, pictures)))
        spent["start"].append(_seconds_of(lambda: node.run("scan", "--json", place.folder / "empty")))
    ours, start, peer = (statistics.median(spent[who]) / pictures for who in ("ours", "start", "peer"))
    size = sum(path.stat().st_size for path in paths) // pictures // 1000
    return [
        Figure(what="folder", value=f"{pictures} JPEGs of {SIZE[0]} x {SIZE[1]}, {size} kB each; bank of {entries}"),
        Figure(
            what="`jikimi scan FOLDER`: a picture, start included (CPU)",
            value=milliseconds(ours),
            peer="threatexchange",
            theirs=milliseconds(peer),
            ratio=peer / ours,
        ),
        Figure(
            what="… without the start",
            value=milliseconds(ours - start),
            peer="threatexchange",
            theirs=milliseconds(peer),
            ratio=peer / (ours - start),
        ),
    ]


def fill(folder: Path, count: int) -> list[Path]:
    """Make JPEGs of two megapixels, each with other bytes and other pixels."""
    folder.mkdir()
    (folder.parent / "empty").mkdir()
    originals, paths = photographs(), []
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        path.write_bytes(_cut(originals[number % len(originals)], number // len(originals)))
        paths.append(path)
    return paths


def _cut(photograph: Path, number: int) -> bytes:
    """The same photograph, a little further right each time."""
    with Image.open(io.BytesIO(encoded(photograph, (SIZE[0] + _SHIFT * number, SIZE[1])))) as image:
        left = _SHIFT * number
        file = io.BytesIO()
        image.crop((left, 0, left + SIZE[0], SIZE[1])).save(file, "JPEG", quality=88)
    return file.getvalue()


def listed(path: Path) -> list[str]:
    """The values of a list."""
    return [line.partition(":")[2] for line in path.read_text().split()]


def peers_index(values: Sequence[str]) -> Any:
    """The index that python-threatexchange builds for PDQ."""
    import faiss
    from threatexchange.signal_type.pdq.pdq_index import PDQIndex

    faiss.omp_set_num_threads(1)
    return PDQIndex.build((value, number) for number, value in enumerate(values))


def peers_check(content: bytes, index: Any) -> tuple[str, int]:
    """What the peer does with one picture: its MD5, and how many entries are near."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return md5, len(index.query(peers_hash(content)))


def peers_hash(content: bytes) -> str:
    """PDQ as python-threatexchange computes it."""
    import pdqhash

    with Image.open(io.BytesIO(content)) as image:
        pixels: npt.NDArray[np.uint8] = np.asarray(image.convert("RGB"))
    bits, _ = pdqhash.compute(pixels)
    return np.packbits(bits).tobytes().hex()


def _ours(node: Node, folder: Path, pictures: int) -> None:
    answers = [json.loads(line) for line in node.run("scan", "--json", folder).splitlines()]
    assert len(answers) == pictures
    assert {answer["verdict"] for answer in answers} == {"clear"}


def _seconds_of(work: Callable[[], object]) -> float:
    began = time.process_time() + commands_seconds()
    work()
    return time.process_time() + commands_seconds() - began
