"""Promise 1 through the front door: files that are built to hurt end `unchecked` with their reason, soon and cheaply.

After each of them the next good request is answered as if nothing had been.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jikimi.engine.pattern import alter, paint
from jikimi.model.media import MediaKind
from tests.e2e.node import Body, Node, Reply, family, memory_of, running
from tests.unit.engine import hostile

SECONDS = 5.0
GIGABYTE = 1024**3
CHUNK = bytes(1 << 20)
KNOWN = paint(1)
COPY = alter(KNOWN)


def zeros(size: int) -> Iterator[bytes]:
    """That many zero bytes, in chunks."""
    yield from (CHUNK for _ in range(size // len(CHUNK)))


def endless_gif() -> Iterator[bytes]:
    """Frames without an end; a gigabyte of them is where a client gets tired."""
    head = hostile.gif(64, 64, 1)[:-1]
    frames = hostile.gif(64, 64, 40_000)[len(head) : -1]
    yield head
    yield from (frames for _ in range(GIGABYTE // len(frames)))


FILES: dict[str, tuple[bytes, str]] = {
    "png bomb": (hostile.png_bomb(), "too_many_pixels"),
    "png of promises": (hostile.png_of_promises(), "too_many_pixels"),
    "png without pixels": (hostile.png(100, 100), "undecodable"),
    "png of no size": (hostile.png(0, 0), "undecodable"),
    "png text bomb": (hostile.png_text_bomb(1, 200 << 20), "undecodable"),
    "png of many texts": (hostile.png_text_bomb(100, 10 << 20), "undecodable"),
    "bmp of promises": (
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 70, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "too_many_pixels",
    ),
    "gif of a large screen": (hostile.gif(65_535, 65_535, 1), "too_many_pixels"),
    "gif of many frames": (hostile.gif(1, 1, 30_000), "too_many_frames"),
    **{
        f"{kind} of many frames": (hostile.animation(kind, 150), "too_many_frames")
        for kind in (MediaKind.PNG, MediaKind.WEBP, MediaKind.TIFF)
    },
    **{f"{kind} of noise": (hostile.noise_behind_magic(kind, 1), "") for kind in hostile.MAGICS},
    **{f"{kind} cut short": (good[: len(good) // 2], "undecodable") for kind, good in hostile.good_files().items()},
    **{f"absurd tiff {number}": (content, "") for number, content in enumerate(hostile.absurd_tiffs())},
    "text": (b"words, no picture\n", "unsupported"),
    "program": (b"\x7fELF" + bytes(200), "unsupported"),
}
"""What is sent, and the reason it has to get; without one: any that says that it is no picture."""

NO_PICTURE = {"undecodable", "unsupported", "too_many_pixels", "too_many_frames", "memory", "timeout"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A service that knows one picture."""
    node = Node(tmp_path_factory.mktemp("hostile") / "data", JIKIMI_DECODE_WORKERS="2")
    node.furnish(block=[KNOWN])
    with running(node):
        yield node


@contextmanager
def bounded(node: Node, seconds: float = SECONDS) -> Iterator[None]:
    """What happens here takes less than five seconds, and the service never more than a gigabyte."""
    over = threading.Event()
    peaks = [0]

    def watch() -> None:
        while not over.wait(0.02):
            peaks.append(memory_of(family(node.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    try:
        yield
        took = time.monotonic() - began
    finally:
        over.set()
        watcher.join()
    assert took < seconds
    assert max(peaks) < GIGABYTE


def send(node: Node, content: Body) -> Reply:
    """Send something hostile within bounds, and then something good."""
    with bounded(node):
        reply = node.scan(content)
    assert node.scan(COPY).body["verdict"] == "block"
    return reply


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_has_its_reason(node: Node, name: str) -> None:
    content, reason = FILES[name]
    reply = send(node, content)
    assert (reply.status, reply.body["verdict"]) == (200, "unchecked")
    assert len(reply.body["sha256"]) == 64
    reasons = set(reply.body["reasons"]) - {"quality_low"}  # what was decoded of it may be one colour
    assert reasons == {reason} if reason else reasons <= NO_PICTURE
    stored = node.get(f"/v1/scans/{reply.body['scan_id']}")
    assert stored.body["reasons"] == reply.body["reasons"]


def test_a_tiff_that_leads_in_circles_ends(node: Node) -> None:
    reply = send(node, hostile.tiff_ring())
    assert reply.status == 200
    assert reply.body["verdict"] in ("clear", "unchecked")


@pytest.mark.parametrize("source", [zeros(GIGABYTE), endless_gif()], ids=["a gigabyte of zeros", "endless gif"])
def test_a_stream_without_end_is_too_large(node: Node, source: Iterator[bytes]) -> None:
    reply = send(node, source)
    assert (reply.status, reply.body["verdict"], reply.body["reasons"]) == (413, "unchecked", ["too_large"])


def test_an_announced_gigabyte_is_too_large(node: Node) -> None:
    with bounded(node):
        reply = node.scan(zeros(GIGABYTE), length=GIGABYTE)
    assert (reply.body["verdict"], reply.body["reasons"], reply.body["size"]) == (
        "unchecked",
        ["too_large"],
        GIGABYTE,
    )


def test_nothing_at_all_is_unchecked(node: Node) -> None:
    assert send(node, b"").body["reasons"] == ["empty"]


def test_many_bombs_at_once_are_no_more_than_one(node: Node) -> None:
    replies: list[Reply] = []
    bombs = [hostile.png_bomb(), hostile.gif(1, 1, 30_000), hostile.png_text_bomb(1, 200 << 20)] * 4
    threads = [threading.Thread(target=lambda bomb=bomb: replies.append(node.scan(bomb))) for bomb in bombs]
    with bounded(node, len(bombs) / 2 * SECONDS):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [reply.body["verdict"] for reply in replies] == ["unchecked"] * len(bombs)
    assert node.scan(COPY).body["verdict"] == "block"


def test_names_with_line_breaks_stay_one_line(node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "up\nloads"
    folder.mkdir()
    names = [b"a\nb.jpg", b"\r\x1b[2J.jpg", b"\xff\xfe.jpg", "사진\u202e.jpg".encode()]
    for name in names:
        Path(bytes(folder).decode() + "/" + name.decode("utf-8", "surrogateescape")).write_bytes(COPY)
    lines = node.run("scan", "--json", folder, expect=1).splitlines()
    assert [json.loads(line)["verdict"] for line in lines] == ["block"] * len(names)
    lines = node.run("scan", folder, expect=1).splitlines()
    assert len(lines) == len(names) + 1
    assert all(line.isprintable() for line in lines)
    assert len(node.run("hash", "--json", folder).splitlines()) == len(names)
