"""What is secret stays where it is: no credential, no value of a list and no contact is in a log, a metric, an error or
an export, whatever goes well or wrong meanwhile.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jikimi.testing.listserver import ListServer
from jikimi.testing.ncmec import Ncmec
from jikimi.testing.stopncii import StopNcii
from tests.e2e.node import Node, running

_DAY = 24 * 3600
_WAIT_SECONDS = 60.0
_PASSWORD = "password-that-stands-nowhere-else"
_SUBSCRIPTION = "subscription-that-stands-nowhere-else"
_KEYS = {
    "FetchHashes": "fetch-key-of-1",
    "SubmitFeedback": "feedback-key-of-1",
    "SubmitHashes": "submit-key-of-1",
}
_LIST = {"environment": "https://exttest.cybertip.org/hashsharing", "user": "service", "since": "2026-01-01"}
_CONTACT = "somebody@programme.example"
_RECORDS = 300


class Heard:
    """Everything that left the service on one of the ways that others can read."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def __call__(self, said: object) -> Any:
        self._said.append(said if isinstance(said, str) else json.dumps(said))
        return said

    def holds(self, secret: str) -> list[str]:
        """Where a secret was said, in either case."""
        return [said[:300] for said in self._said if secret.lower() in said.lower()]


@pytest.fixture
def ncmec() -> Iterator[Ncmec]:
    with Ncmec(user="service", password=_PASSWORD) as server:
        server.members = {42: f"Example Member {_CONTACT}"}
        yield server


@pytest.fixture
def stopncii() -> Iterator[StopNcii]:
    with StopNcii(subscription=_SUBSCRIPTION, keys=_KEYS) as server:
        yield server


@pytest.mark.timeout(300)
def test_no_secret_is_told_whatever_happens(tmp_path: Path, ncmec: Ncmec, stopncii: StopNcii) -> None:
    heard, now = Heard(), int(time.time())
    listed = ncmec.fill(_RECORDS, first=now - _DAY, last=now - 60)
    values = [value for entry in listed for value in entry.fingerprints.values()]
    hashes = stopncii.fill(_RECORDS)
    node = Node(tmp_path / "data", JIKIMI_LOG_FORMAT="json")
    node.furnish(hold=[])
    passwords = {"password": _PASSWORD}
    keys = {
        "subscription_key": _SUBSCRIPTION, "fetch_key": _KEYS["FetchHashes"],
        "feedback_key": _KEYS["SubmitFeedback"], "submit_key": _KEYS["SubmitHashes"],
    }  # fmt: skip
    with running(node):
        add(node, heard, "ncmec", {**_LIST, "address": ncmec.url}, passwords)
        add(node, heard, "stopncii", {"address": stopncii.url}, keys)
        wait_for(lambda: records(node, heard) == {"ncmec": _RECORDS, "stopncii": _RECORDS})
        wait_for(lambda: all(node.match(hashes[0], values[2])))
        for place, goes_wrong in enumerate(MISHAPS):
            name, server = (("ncmec", ncmec), ("stopncii", stopncii))[place % 2]
            goes_wrong(server)
            heard(told_by(node, "exchange", "sync", name, "--json"))
            server.is_well()
        for path in PATHS:
            heard(node.get(path).body)
        for command in COMMANDS:
            heard(told_by(node, *command))
        heard(node.send("POST", "/v1/banks/ncmec/entries", {"signals": [{"type": "pdq", "value": "no"}]}).body)
        heard(node.send("DELETE", f"/v1/banks/hold/entries/pdq/{hashes[0]}").body)
        heard(node.send("DELETE", f"/v1/banks/hold/entries/md5/{values[0]}").body)
    heard(node.log.read_text())
    heard("\n".join(audited(node.data)))
    secrets = [*passwords.values(), *keys.values(), _CONTACT, *values, *hashes]
    assert {secret: where for secret in secrets if (where := heard.holds(secret))} == {}
    assert heard.holds("exchange_denied"), "the log was read, and speaks of what went wrong"


def test_no_credential_lies_readable_on_disk(tmp_path: Path, ncmec: Ncmec) -> None:
    node = Node(tmp_path / "data")
    node.furnish()
    add(node, Heard(), "ncmec", {**_LIST, "address": ncmec.url}, {"password": _PASSWORD})
    node.run("exchange", "sync", "ncmec")
    files = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert [file for file in files if _PASSWORD.encode() in file.read_bytes()] == []
    assert ncmec.saw("service") or ncmec.asked, "it was sent to where it belongs"


MISHAPS: tuple[Callable[[ListServer], None], ...] = (
    lambda server: server.fails(401, body=f"who are you, {_CONTACT}?"),
    lambda server: server.fails(403, body=f"not with {_SUBSCRIPTION}"),
    lambda server: server.fails(400, body=f"not {_PASSWORD}"),
    lambda server: server.fails(503, Retry_After="600"),
    lambda server: server.garbles(),
    lambda server: server.cuts(times=1),
)
PATHS = (
    "/metrics", "/readyz", "/openapi.json", "/v1/banks", "/v1/exchanges", "/v1/cases", "/v1/scans", "/nowhere",
    "/v1/banks/ncmec/entries", "/v1/banks/stopncii/entries", "/v1/banks/nowhere/entries",
)  # fmt: skip
COMMANDS = (
    ("bank", "export", "ncmec"), ("bank", "export", "stopncii"), ("exchange", "show", "ncmec", "--json"),
    ("exchange", "status"), ("exchange", "kinds", "--json"), ("doctor", "--json"),
)  # fmt: skip


def add(node: Node, heard: Heard, name: str, settings: dict[str, str], secrets: dict[str, str]) -> None:
    """Add an exchange as an operator does, its secrets from files."""
    arguments = ["--kind", name, "--bank", name, "--category", "other", "--on-match", "hold"]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value}"]
    for key, value in secrets.items():
        file = node.data.parent / f"{name}-{key}"
        file.write_text(value)
        arguments += ["--secret", f"{key}=@{file}"]
    heard(node.run("exchange", "add", name, *arguments))


def told_by(node: Node, *arguments: str) -> str:
    """What a command writes, whatever becomes of it."""
    with node.spawn(*arguments) as process:
        return "".join(process.communicate(timeout=3 * _WAIT_SECONDS))


def records(node: Node, heard: Heard) -> dict[str, int]:
    """How many records each exchange has."""
    body = heard(node.get("/v1/exchanges").body)
    return {str(one["name"]): int(one["records"]) for one in body}


def audited(data: Path) -> list[str]:
    """What the chained record holds."""
    with closing(sqlite3.connect(data / "jikimi.db")) as connection:
        return [str(row) for row in connection.execute("SELECT actor, verb, object, detail FROM audit")]


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + _WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.2)
