"""Looking back through kill -9 and on two nodes: every upload that an entry knows is found, and found once."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jikimi.app import open_reader
from jikimi.config import Settings
from jikimi.db.tx import SqlStore
from jikimi.engine.pattern import alter, paint
from jikimi.flows.scan import examine
from tests.conftest import postgresql
from tests.e2e.node import Node, running

UPLOADS = 80
KNOWN = 10
"""Different pictures among them that will be known; as many will not."""
ROUNDS = 5
WRITTEN_SECONDS = 2.5
"""What is kept is written every second; the rest is for a machine that has other things to do."""
WAIT_SECONDS = 120.0


@pytest.fixture(scope="module")
def values() -> list[str]:
    """The pdq of each picture."""
    with open_reader(Settings.load(decode_workers=1)) as reader:
        seen = [examine(reader, io.BytesIO(paint(seed))).seen for seed in range(KNOWN)]
    return [one.view.signal.text for (one,) in seen]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_moment_it_finds_each_upload_once(
    tmp_path: Path, database_url: str, values: Sequence[str]
) -> None:
    node = Node(tmp_path / "data", database_url=database_url)
    node.furnish(block=[])
    chance = random.Random()
    copies = [alter(paint(seed)) for seed in range(2 * KNOWN)]
    with running(node):
        wait(lambda: has_begun(node))
        for number in range(UPLOADS):
            reply = node.scan(copies[number % len(copies)], content_id=f"post/{number}")
            assert reply.body["verdict"] == "clear"
        time.sleep(WRITTEN_SECONDS)
        for round_ in range(ROUNDS):
            enter(node, values[round_ * 2 : round_ * 2 + 2])
            time.sleep(chance.uniform(0, 2))
            node.kill()
            node.start()
        wanted = {f"post/{number}" for number in range(UPLOADS) if number % len(copies) < KNOWN}
        wait(lambda: set(found(node)) == wanted)
        time.sleep(WRITTEN_SECONDS)
        assert Counter(found(node)) == dict.fromkeys(wanted, 1)
        node.run("audit", "verify")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite, one folder", "postgresql, two folders"])
def test_two_nodes_find_what_either_was_sent_once(tmp_path: Path, kind: str, values: Sequence[str]) -> None:
    if kind.startswith("sqlite"):
        find_on_two(Node(tmp_path / "data"), Node(tmp_path / "data"), values)
        return
    with postgresql() as url:
        find_on_two(Node(tmp_path / "one", database_url=url), Node(tmp_path / "two", database_url=url), values)


def find_on_two(one: Node, other: Node, values: Sequence[str]) -> None:
    """Entries come while uploads do: each upload is known to them at once or found later, whoever got which."""
    with running(one, other):
        one.furnish(block=[])
        other.key = one.key
        wait(lambda: has_begun(one))
        for number, value in enumerate([*values, *values]):
            copy = alter(paint(number % KNOWN))
            (one, other)[number % 2].scan(copy, content_id=f"before/{number}")
            (other, one)[number % 2].scan(copy, content_id=f"then/{number}")
            if number < KNOWN:
                enter((one, other)[number // 2 % 2], [value])
            (one, other)[number % 2].scan(copy, content_id=f"after/{number}")
        wanted = {f"{when}/{number}" for when in ("before", "then", "after") for number in range(2 * KNOWN)}
        wait(lambda: set(found(one)) == wanted)
        time.sleep(WRITTEN_SECONDS)
        assert Counter(found(other)) == dict.fromkeys(wanted, 1)
        assert "task_failed" not in one.log.read_text() + other.log.read_text()


def enter(node: Node, values: Sequence[str]) -> None:
    """Entries come to the bank."""
    signals = [{"type": "pdq", "value": value} for value in values]
    assert node.send("POST", "/v1/banks/block/entries", {"signals": signals}).status == 200


def found(node: Node) -> list[str]:
    """What of the uploads was stopped, at once or later."""
    store = SqlStore(node.database)
    try:
        with store.read() as tx:
            return [scan.upload.content_id for scan in tx.scans.list(unchecked=False, limit=1000)]
    finally:
        store.close()


def has_begun(node: Node) -> bool:
    """Whether looking back has begun: what comes from now on is looked back."""
    store = SqlStore(node.database)
    try:
        with store.read() as tx:
            return tx.kept.looked() is not None
    finally:
        store.close()


def wait(until: Callable[[], bool]) -> None:
    """Wait for something that takes its time."""
    end = time.monotonic() + WAIT_SECONDS
    while not until():
        assert time.monotonic() < end
        time.sleep(0.2)
