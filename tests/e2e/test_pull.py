"""Real processes pull a list: killed at any moment, two at once, started by the service, in any time zone."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jikimi.db.tx import SqlStore
from jikimi.model.exchange import LEASE
from jikimi.testing.stopncii import StopNcii
from tests.contract.test_lists import values_in
from tests.e2e.node import Node, running
from tests.e2e.programme import install, pdq

ROOT = Path(__file__).parents[2]


@pytest.fixture
def node(tmp_path: Path, database_url: str) -> Iterator[Node]:
    """An installation in which the kind `numbers` is enabled."""
    node = make_node(tmp_path, database_url)
    yield node
    if node.is_running():
        node.kill()


def make_node(tmp_path: Path, database_url: str = "", **environment: str) -> Node:
    path = os.pathsep.join((str(install(tmp_path / "packages")), str(ROOT)))
    return Node(
        tmp_path / "data", database_url=database_url, PYTHONPATH=path, JIKIMI_PLUGS='["numbers"]', **environment
    )


def add(node: Node, **settings: object) -> None:
    sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    node.run(
        "exchange", "add", "feed", "--kind", "numbers", "--bank", "fed", "--category", "other", "--on-match", "block",
        *sets,
    )  # fmt: skip


def held(node: Node) -> list[bytes]:
    """The values in the bank, each as often as it is there."""
    store = SqlStore(node.database)
    with store.read() as tx:
        bank = tx.banks.get("fed")
        assert bank is not None
        values = values_in(tx, bank.id)
    store.close()
    return values


def free_turn(node: Node) -> None:
    """Let the time pass after which a turn without a sign of life is free."""
    store = SqlStore(node.database)
    with store.begin() as tx:
        (exchange,) = tx.exchanges.all()
        tx.exchanges.keep_turn(exchange, datetime.now(UTC) - timedelta(seconds=1))
    store.close()


def test_a_pull_that_is_killed_loses_nothing_and_doubles_nothing(node: Node) -> None:
    add(node, last=20_000, pause=0.05)
    chance = random.Random()
    stored = 0
    for _ in range(3):
        with node.spawn("exchange", "sync", "feed") as process:
            wait_for_more(node, process, stored)
            time.sleep(chance.uniform(0, 0.3))
            process.kill()
        values = held(node)
        assert len(values) == len(set(values))
        stored = len(values)
        with node.spawn("exchange", "sync", "feed") as other:
            other.communicate(timeout=60)
        assert other.returncode in (0, 75), "its turn is still taken, unless it was done"
        free_turn(node)
    node.run("exchange", "sync", "feed")
    assert sorted(held(node)) == sorted(pdq(number).value for number in range(1, 20_001))
    node.run("audit", "verify")


def test_of_two_processes_one_pulls_and_the_other_is_told_to_come_later(node: Node) -> None:
    add(node, last=10_000, pause=0.2)
    first, second = (node.spawn("exchange", "sync", "feed", "--json") for _ in range(2))
    said = [process.communicate(timeout=120) for process in (first, second)]
    codes = sorted(process.returncode for process in (first, second))
    assert codes == [0, 75], said
    assert any("exchange_busy" in errors for _, errors in said)
    assert len(held(node)) == 10_000


def test_a_pull_that_is_asked_to_stop_gives_its_turn_back(node: Node) -> None:
    add(node, last=15_000, pause=0.3)
    with node.spawn("exchange", "sync", "feed") as process:
        wait_for(lambda: bool(held(node)))
        process.terminate()
        assert process.wait(60) == 75
    shown = json.loads(node.run("exchange", "show", "feed", "--json"))
    assert (shown["state"], shown["failures"]) == ("waiting", 0)
    node.run("exchange", "change", "feed", "--set", "pause=0", "--set", "last=15000")
    node.run("exchange", "sync", "feed")
    assert len(held(node)) == 15_000


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/Los_Angeles"])
def test_the_service_pulls_what_is_due_in_any_time_zone(tmp_path: Path, zone: str) -> None:
    node = make_node(tmp_path, TZ=zone)
    node.furnish(hold=[])
    add(node, last=300)
    node.start()
    try:
        text = pdq(300).value.hex()
        wait_for(lambda: bool(node.match(text)[0]))
        wait_for(lambda: node.get("/v1/exchanges").body[0]["state"] == "ok")
        (exchange,) = node.get("/v1/exchanges").body
        assert exchange["records"] == 300
        since = datetime.now(UTC) - datetime.fromisoformat(exchange["last_success_at"])
        assert timedelta(0) <= since < LEASE
        assert 'jikimi_exchange_failures{exchange="feed"} 0.0' in node.get("/metrics").body
        node.run("exchange", "change", "feed", "--set", "gone=300", "--set", "last=300")
        wait_for(lambda: not node.match(text)[0])
    finally:
        node.stop()


def test_a_list_that_cannot_be_pulled_is_told_of(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    node.furnish(hold=[])
    add(node, last=300, page=0)
    node.start()
    try:
        wait_for(lambda: "jikimi_exchange_failed_total 1.0" in node.get("/metrics").body)
        assert node.get("/v1/exchanges").body[0]["state"] == "failing"
        assert "exchange_connector_failed" in node.log.read_text()
        node.run("exchange", "status", expect=1)
        assert "failing" in node.run("doctor", expect=1)
    finally:
        node.stop()


def test_a_secret_is_read_and_never_an_argument_and_nothing_writes_it_out(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    secret = tmp_path / "token"
    secret.write_text("kept-from-everybody\n")
    add(node, last=2000)
    node.run("exchange", "change", "feed", "--secret", "token=kept-from-everybody", expect=2)
    node.run("exchange", "change", "feed", "--secret", "token", expect=2)
    node.run("exchange", "change", "feed", "--secret", f"token=@{secret}")
    said = [
        node.run("exchange", "show", "feed", "--json"),
        node.run("exchange", "list"),
        node.run("exchange", "sync", "feed", "--json"),
    ]
    assert json.loads(said[0])["secrets"] == ["token"]
    assert "kept-from-everybody" not in "".join(said)
    assert b"kept-from-everybody" not in (node.data / "jikimi.db").read_bytes()
    node.run("exchange", "remove", "feed", expect=2)
    removed = json.loads(node.run("exchange", "remove", "feed", "--yes", "--json"))
    assert removed == {"exchange": "feed", "records": 2000, "entries": 2000, "kept": False}
    assert held(node) == []


def test_what_a_killed_pull_has_erased_leaves_the_files_with_the_next_one(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    node.furnish(hold=[])
    with StopNcii() as server, running(node):  # SQLite keeps its log while a service is there
        first, second = server.fill(2)
        add_stopncii(node, server, page_size=5000)
        wait_for(lambda: node.get("/v1/exchanges").body[0]["state"] == "ok")
        assert files_with(node, first)
        now = int(time.time())
        server.withdraw(first, at=now)
        for _ in range(5000):  # a page that is worth a transaction, of what we never had; and one that never comes
            server.put(at=now + 1, status="Withdrawn")
        server.hangs(only=lambda asked: "nextPageToken" in asked.target)
        with node.spawn("exchange", "sync", "feed") as process:
            wait_for(lambda: bytes.fromhex(first) not in held(node))
            process.kill()
        server.is_well()
        free_turn(node)
        assert " 0 new or changed, 0 withdrawn" in node.run("exchange", "sync", "feed")
        assert files_with(node, first) == []
        assert held(node) == [bytes.fromhex(second)]


def add_stopncii(node: Node, server: StopNcii, **settings: object) -> None:
    parts = [f"--set={name}={value}" for name, value in {"address": server.url, **settings}.items()]
    for key in ("subscription", "fetch"):
        file = node.data.parent / key
        file.write_text(key)
        parts += ["--secret", f"{key}_key=@{file}"]
    node.run(
        "exchange", "add", "feed", "--kind", "stopncii", "--bank", "fed", "--category", "other", "--on-match", "hold",
        *parts,
    )  # fmt: skip


def files_with(node: Node, value: str) -> list[str]:
    """The files of the data folder that hold a value, as bytes or as text."""
    forms = (bytes.fromhex(value), value.encode(), value.upper().encode())
    files = [file for file in node.data.rglob("*") if file.is_file()]
    return [file.name for file in files if any(form in file.read_bytes() for form in forms)]


def wait_for_more(node: Node, process: subprocess.Popen[str], stored: int) -> None:
    wait_for(lambda: process.poll() is not None or len(held(node)) > stored)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
