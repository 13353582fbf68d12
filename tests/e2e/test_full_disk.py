"""A full disk: what cannot be written down is not answered, what was answered is there, and room heals it.

Needs a small file system of its own, so it runs for root on Linux only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jikimi.db.tx import SqlStore
from jikimi.engine.pattern import alter, paint
from jikimi.model.audit import verify
from jikimi.model.ids import ScanId
from tests.e2e.node import Node, Reply, running

ROOM = "24m"
COPY = alter(paint(1))
DAMAGED = COPY[:-9000]
HEAL_SECONDS = 15.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount the small file system that is to be filled")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(params=["records on it", "records and uploads on it"])
def node(request: pytest.FixtureRequest, disk: Path) -> Iterator[Node]:
    """A service with its data folder on the small disk, and in one case its temporary files, too."""
    spool = disk / "tmp"
    spool.mkdir()
    environment = {"TMPDIR": str(spool)} if "uploads" in request.param else {}
    node = Node(disk / "data", **environment)
    node.furnish(block=[paint(1)])
    with running(node):
        yield node


def test_a_full_disk_answers_nothing_it_cannot_keep(node: Node, disk: Path) -> None:
    answered = [node.scan(COPY), node.scan(DAMAGED)]
    assert [reply.body["verdict"] for reply in answered] == ["block", "unchecked"]

    refused = until_full(node, disk, answered)
    for reply in refused:
        assert (reply.status, reply.code) == (503, reply.code)
    assert node.get("/healthz").status == 200

    (disk / "filler").unlink()
    end = time.monotonic() + HEAL_SECONDS
    while (reply := node.scan(COPY)).status != 200 or node.get("/readyz").status != 200:
        assert time.monotonic() < end, f"not healed: {reply.body}"
        time.sleep(0.1)
    assert reply.body["verdict"] == "block"
    answered.append(reply)

    node.stop()
    store = SqlStore(node.database)
    with store.read() as tx:
        assert verify(tx.audit.events(), tx.audit.head()).mistake == ""
        for one in answered:
            scan = tx.scans.get(ScanId(one.body["scan_id"]))
            assert scan is not None
            assert scan.verdict.disposition == one.body["verdict"]
    store.close()


def until_full(node: Node, disk: Path, answered: list[Reply]) -> list[Reply]:
    """Fill the disk, and send files until what was set aside of it is used up as well; the replies that were errors."""
    refused: list[Reply] = []
    with (disk / "filler").open("wb", buffering=0) as filler:
        while len(refused) < 20:
            take_all(disk, filler.fileno())
            for reply in (node.scan(COPY), node.scan(DAMAGED)):
                (answered if reply.status == 200 else refused).append(reply)
                assert reply.status != 200 or reply.body["verdict"] in ("block", "unchecked")
    return refused


def take_all(disk: Path, filler: int) -> None:
    """Write until there is no room left."""
    while room := shutil.disk_usage(disk).free:
        try:
            os.write(filler, bytes(min(room, 1 << 20)))
        except OSError:
            return
