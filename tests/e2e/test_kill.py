"""Promise 3, nothing acknowledged is lost: the service is killed at random moments under load, then its books are read.

What is lost may be the last seconds of a counter and what nobody was told about; nothing else.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import HTTPError

from jikimi.db.tx import SqlStore
from jikimi.engine.pattern import alter, paint
from jikimi.model.audit import verify
from jikimi.model.evidence import EvidenceItem
from jikimi.model.ids import CaseId, ScanId
from jikimi.model.match import Disposition
from jikimi.plugs.blobs.objects import ObjectBlobs
from jikimi.vault.keys import KeyFolder
from jikimi.vault.seal import Vault
from tests.e2e.node import Node, family, of_sessions

CLIENTS = 6
KNOWN = 4
"""Pictures in each bank."""
COUNTER_SECONDS = 2.5
"""Counters are written every second; the rest is for a machine that has other things to do."""
LINES = 120_000
GONE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer that a client has received in full."""

    at: float
    disposition: str
    scan_id: str
    sha256: str
    case_id: str | None
    matches: int


@dataclass(slots=True)
class Crowd:
    """Clients that send all kinds of files until the service is gone."""

    node: Node
    files: dict[str, list[bytes]]
    answers: list[Answered] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    def run_until_killed(self, seconds: float) -> float:
        """Let the clients loose, kill the server after some seconds; when that was."""
        self.gone.clear()
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.node.kill()
        killed_at = time.monotonic()
        self.gone.set()
        for thread in threads:
            thread.join()
        return killed_at

    def _send(self, number: int) -> None:
        chance = random.Random(f"{number} {len(self.answers)}")
        while not self.gone.is_set():
            expected = chance.choice(list(self.files))
            try:
                reply = self.node.scan(chance.choice(self.files[expected]), account_id=f"account-{chance.random()}")
            except HTTPError:
                continue  # nobody was told anything
            if reply.status != 200 or reply.body["verdict"] != expected:
                self.surprises.append(f"{expected}: {reply.status} {reply.body}")
                continue
            self.answers.append(_answered(reply.body))


def _answered(body: dict[str, Any]) -> Answered:
    return Answered(
        at=time.monotonic(),
        disposition=body["verdict"],
        scan_id=body["scan_id"],
        sha256=body["sha256"],
        case_id=body["case_id"],
        matches=len(body["matches"]),
    )


@pytest.fixture(scope="module")
def files() -> dict[str, list[bytes]]:
    """What clients send, by the answer it has to get."""
    return {
        "block": [alter(paint(seed)) for seed in range(KNOWN)],
        "hold": [alter(paint(100 + seed)) for seed in range(KNOWN)],
        "unchecked": [alter(paint(200))[:-9000], b"GIF89a" + bytes(50), b"words, no picture"],
        "clear": [paint(300), alter(paint(301))],
    }


@pytest.fixture
def node(tmp_path: Path, database_url: str) -> Iterator[Node]:
    """An installation with a bank that blocks, one that holds, and a key."""
    node = Node(tmp_path / "data", database_url=database_url)
    node.furnish(block=[paint(seed) for seed in range(KNOWN)], hold=[paint(100 + seed) for seed in range(KNOWN)])
    yield node
    if node.is_running():
        node.kill()


def test_two_kills_lose_nothing(node: Node, files: dict[str, list[bytes]]) -> None:
    kill_and_check(node, files, rounds=2, seconds=lambda chance: chance.uniform(0.5, 1.5))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_kills_lose_nothing(node: Node, files: dict[str, list[bytes]]) -> None:
    kill_and_check(node, files, rounds=10, seconds=lambda chance: chance.uniform(0.1, 6))


def test_a_service_that_is_asked_to_stop_loses_not_even_a_counter(node: Node, files: dict[str, list[bytes]]) -> None:
    node.start()
    sessions = family(node.pid)
    for _ in range(5):
        assert node.scan(files["clear"][0]).body["verdict"] == "clear"
    assert node.stop() == 0
    assert_gone(sessions)
    store = SqlStore(node.database)
    with store.read() as tx:
        assert [total.count for total in tx.counters.all() if total.source == "tester"] == [5]
    store.close()


def kill_and_check(
    node: Node, files: dict[str, list[bytes]], *, rounds: int, seconds: Callable[[random.Random], float]
) -> None:
    """Kill a server under load several times; after each time read the books before it can mend anything."""
    chance = random.Random()
    crowd = Crowd(node, files)
    counted = 0
    for _ in range(rounds):
        node.start()
        sessions = family(node.pid)
        before = len(crowd.answers)
        killed_at = crowd.run_until_killed(seconds(chance))
        assert not crowd.surprises
        assert_gone(sessions)
        new = crowd.answers[before:]
        counted += sum(answer.at < killed_at - COUNTER_SECONDS for answer in new)
        check_books(node, new, counted)
    assert {answer.disposition for answer in crowd.answers} == set(files)
    check_books(node, crowd.answers, counted)
    node.start()
    assert node.get("/readyz").body == {"ready": True, "problems": {}}
    assert node.stop() == 0
    node.run("audit", "verify")


def check_books(node: Node, answers: list[Answered], counted: int) -> None:
    """Everything that was answered is in the database, and the chain over it holds."""
    store = SqlStore(node.database)
    with store.read() as tx:
        assert verify(tx.audit.events(), tx.audit.head()).mistake == ""
        assert sum(total.count for total in tx.counters.all() if total.source == "tester") >= counted
        events = {(event.verb, event.object): event.detail for event in tx.audit.events()}
        joined = {(event.object, event.detail.get("scan")) for event in tx.audit.events()}
        for answer in answers:
            if answer.disposition == Disposition.CLEAR:
                continue
            scan = tx.scans.get(ScanId(answer.scan_id))
            assert scan is not None
            assert (scan.verdict.disposition, scan.content.sha256) == (answer.disposition, answer.sha256)
            assert len(scan.verdict.matches) == answer.matches
            assert events["scan", answer.scan_id]["disposition"] == answer.disposition
            assert scan.case_id == answer.case_id
            if answer.disposition != Disposition.UNCHECKED:
                case = tx.cases.get(CaseId(answer.case_id or ""))
                assert case is not None
                assert answer.sha256 in case.contents
                assert (answer.case_id, answer.scan_id) in joined
                assert tx.evidence.of_content(answer.sha256) is not None
        check_evidence(node, list(tx.evidence.all()))
    store.close()


def check_evidence(node: Node, items: list[EvidenceItem]) -> None:
    """No row is without its bytes, and they are whole: bytes are written before the row."""
    blobs = ObjectBlobs(f"file://{node.data}/blobs")
    vault = Vault(KeyFolder(node.data / "keys", secrets.token_bytes), secrets.token_bytes)
    for item in items:
        blob = blobs.get(item.sealed.blob)
        assert blob is not None
        with blob:
            vault.check(item, blob)


def assert_gone(family_before: set[int]) -> None:
    """No process of the server's family is left; decoders live in the session of their fork server."""
    end = time.monotonic() + GONE_SECONDS
    while left := of_sessions(family_before):
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.02)


def write_list(path: Path, lines: int = LINES) -> None:
    """A list of that many signals."""
    values = random.Random(1).randbytes(32 * lines)
    with path.open("w") as file:
        file.writelines(f"pdq:{values[at : at + 32].hex()}\n" for at in range(0, len(values), 32))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_import_that_is_killed_is_whole_as_far_as_it_goes(node: Node, tmp_path: Path) -> None:
    lists = tmp_path / "list.txt"
    write_list(lists)
    chance = random.Random()
    for _ in range(3):
        with node.spawn("bank", "import", "block", lists) as process:
            time.sleep(chance.uniform(0.5, 4))
            process.kill()
        store = SqlStore(node.database)
        with store.read() as tx:
            bank = tx.banks.get("block")
            assert bank is not None
            stored = sum(tx.banks.sizes()[bank.id].live.values()) - 2 * KNOWN
            assert sum(1 for _ in tx.entries.export(bank)) == stored + 2 * KNOWN
            assert stored % 50_000 == 0 or stored == LINES
        store.close()
    node.run("bank", "import", "block", lists)
    assert '"pdq": 120004' in node.run("bank", "show", "block", "--json")
    node.run("bank", "import", "block", lists)
    node.run("audit", "verify")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_snapshot_that_is_half_written_does_no_harm(node: Node, tmp_path: Path) -> None:
    lists = tmp_path / "list.txt"
    write_list(lists)
    last = lists.read_text().splitlines()[-1]
    process = node.spawn("bank", "import", "block", lists)
    with process:
        while process.poll() is None and not half_written(node):
            time.sleep(0.0005)
        process.kill()
    assert half_written(node), "the import was over before it could be killed"
    node.start()
    assert node.match(last.removeprefix("pdq:"))[0][0]["distance"] == 0
    assert "damaged" not in node.log.read_text()
    node.stop()
    more = tmp_path / "more.txt"
    more.write_text("\n".join(f"pdq:{random.Random(2).randbytes(32).hex()}" for _ in range(60_000)))
    node.run("bank", "import", "block", lists)
    node.run("bank", "import", "hold", more)
    assert not half_written(node), "what a killed process left behind is never tidied up"


def half_written(node: Node) -> list[Path]:
    """Files of the index folder that have not got their name yet."""
    return list((node.data / "index").glob(".*"))
