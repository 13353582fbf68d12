"""The examples of the tutorial, run against a real service: what they do with each answer, and with none at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.appeal import hand_in
from jikimi.flows.enforce import take_back
from jikimi.model.people import Role
from tests.conftest import bridge, picture
from tests.flows.enforced import case_of, decide, platform_key, states_of
from tests.flows.staff import hire

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
JIKIMI = [sys.executable, "-m", "jikimi"]
ASK = """
import sys
from ask_jikimi import ask_jikimi
with open(sys.argv[1], "rb") as file:
    print(ask_jikimi(file, content_id="picture 1&2", account_id="ü").value)
"""
NOBODY_THERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running jikimi with one bank that blocks and one that holds, and a key for it."""

    url: str
    key: str

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(EXAMPLES), "JIKIMI_URL": self.url, "JIKIMI_KEY": self.key}


def jikimi(data: Path, *words: str) -> str:
    done = subprocess.run([*JIKIMI, *words, "--data", str(data)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def printing_address(command: list[str], environment: dict[str, str] | None = None) -> Iterator[str]:
    """A server that prints its address on its first line."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        try:
            assert address is not None
            yield address[0]
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("examples")
    for bank, name in (("block", "aaa-orig.jpg"), ("hold", "wee.jpg")):
        (folder / name).write_bytes(bridge(name))
        jikimi(folder / "data", "bank", "create", bank, "--category", "other", "--on-match", bank)
        jikimi(folder / "data", "bank", "add", bank, str(folder / name))
    key = jikimi(folder / "data", "key", "create", "site", "--scope", "scan").strip()
    with printing_address([*JIKIMI, "up", "--port", "0", "--data", str(folder / "data")]) as url:
        wait_for(url)
        yield Site(url=url, key=key)


def wait_for(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if urllib3.request("GET", f"{url}/healthz", timeout=1, retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"{url} gives no answer")


FILES = {
    "publish": picture().read(),
    "refuse": bridge("shrink-a-lot.jpg"),
    "set aside": bridge("wee.jpg"),
    "ask for another file": bridge("aaa-orig.jpg")[:5000],
}
STATUS = {"publish": 201, "set aside": 202, "refuse": 403, "ask for another file": 422}


def ask(environment: dict[str, str], folder: Path, content: bytes) -> str:
    file = folder / "upload"
    file.write_bytes(content)
    command = [sys.executable, "-c", ASK, str(file)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("decision", FILES)
def test_each_answer_becomes_its_decision(site: Site, tmp_path: Path, decision: str) -> None:
    assert ask(site.environment(), tmp_path, FILES[decision]) == decision


@pytest.mark.parametrize(
    "change", [{"JIKIMI_URL": NOBODY_THERE}, {"JIKIMI_KEY": "wrong"}, {"JIKIMI_URL": "http://[::1"}]
)
def test_without_an_answer_nothing_is_published(site: Site, tmp_path: Path, change: dict[str, str]) -> None:
    assert ask(site.environment() | change, tmp_path, FILES["publish"]) == "try later"


def test_the_form_keeps_what_is_clear_byte_for_byte(site: Site, tmp_path: Path) -> None:
    environment = site.environment() | {"TMPDIR": str(tmp_path)}
    with printing_address([sys.executable, str(EXAMPLES / "upload_form.py"), "0"], environment) as url:
        for decision, content in FILES.items():
            answer = urllib3.request("POST", url, fields={"file": ("p.jpg", content)}, timeout=60, retries=False)
            assert answer.status == STATUS[decision]
        empty = urllib3.request("POST", url, fields={"file": ("p.jpg", b"")}, timeout=60, retries=False)
        assert empty.status == 422
        assert b"<form" in urllib3.request("GET", url, timeout=60).data
    kept = {file.parent.name.partition("-")[0]: file.read_bytes() for file in tmp_path.glob("*/*")}
    assert kept == {"published": FILES["publish"], "aside": FILES["set aside"]}


def test_the_receiver_does_each_thing_once(tmp_path: Path) -> None:
    """A real service tells the example what to do; a message that nobody has signed has no effect."""
    data, database = tmp_path / "data", tmp_path / "receiver.db"
    keys = jikimi(data, "webhook", "keys")
    environment = {**os.environ, "JIKIMI_WEBHOOK_KEYS": keys, "RECEIVER_DATABASE": str(database)}
    with receiver(tmp_path / "printed", environment) as (url, done):
        with (
            printing_address(
                [*JIKIMI, "up", "--port", "0", "--data", str(data)], {**os.environ, "JIKIMI_WEBHOOK_URL": url}
            ),
            open_kit(Settings.load(data=data)) as kit,
        ):
            case = case_of(kit, 1, "post 7", "post 8")
            decision = decide(kit, hire(kit, Role.LEAD), case)
            with kit.store.begin() as tx:
                take_back(kit, tx, decision)
            until = time.monotonic() + 60
            while states_of(kit, case) != ["confirmed", "confirmed"]:
                assert time.monotonic() < until
                time.sleep(0.1)
            assert hand_in(kit, platform_key(), reference="a", text="", case_id=case.id).case_id == case.id
        expected = ["take down post 7", "take down post 8", "show again post 7", "show again post 8"]
        assert [line.partition(" because ")[0] for line in done()] == expected

        body, header = b'{"event": "action", "action": "remove", "targets": []}', {"Idempotency-Key": "k"}
        unsigned = urllib3.request("POST", url, body=body, headers=header, retries=False)
        assert unsigned.status == 401
        assert [line.partition(" because ")[0] for line in done()] == expected


@contextmanager
def receiver(printed: Path, environment: dict[str, str]) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """The example with its address, and what it has said that it does."""
    command = [sys.executable, str(EXAMPLES / "receiver_flask.py"), "0"]
    with printed.open("w") as out, subprocess.Popen(command, stdout=out, env=environment) as server:
        until = time.monotonic() + 60
        while not printed.read_text().endswith("\n"):
            assert time.monotonic() < until
            time.sleep(0.05)
        address, *_ = printed.read_text().splitlines()
        try:
            yield address, lambda: printed.read_text().splitlines()[1:]
        finally:
            server.terminate()
