"""A service as an operator runs it: `jikimi up` in processes of its own, spoken to over HTTP and by commands only."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.bank import add_entries, create_bank, entries_of_file
from jikimi.flows.key import create_key
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.people import Scope

START_SECONDS = 60.0
_CANARY_SECONDS = "2"

Body = bytes | Iterable[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """The stable code of an error."""
        return str(self.body["code"])


class Node:
    """One server process on a data folder and a database. It may be killed and started again."""

    def __init__(self, data: Path, *, database_url: str = "", **environment: str) -> None:
        self.data = data
        self.key = ""
        self.address = ""
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("JIKIMI_")},
            "JIKIMI_DATA": str(data),
            "JIKIMI_DATABASE_URL": database_url,
            "JIKIMI_CANARY_SECONDS": _CANARY_SECONDS,
            "JIKIMI_FLOOD_LIMIT": "0",
            **environment,
        }
        self._process: subprocess.Popen[str] | None = None
        self._pool = urllib3.PoolManager(maxsize=128, retries=False, timeout=60)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def database(self) -> str:
        """The address of the database."""
        return self._environment["JIKIMI_DATABASE_URL"] or f"sqlite:///{self.data}/jikimi.db"

    @property
    def log(self) -> Path:
        """What the server wrote to stderr."""
        return self.data.parent / f"{self.data.name}.log"

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of a jikimi command."""
        return [sys.executable, "-m", "jikimi", *(str(argument) for argument in arguments)]

    def spawn(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command on this node's folder and database."""
        return subprocess.Popen(
            self.command(*arguments), env=self._environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *arguments: str | Path, expect: int = 0) -> str:
        """Run a command to its end and return what it wrote."""
        with self.spawn(*arguments) as process:
            output, errors = process.communicate(timeout=START_SECONDS * 2)
        assert process.returncode == expect, f"{arguments} ended with {process.returncode}: {errors}"
        return output

    def furnish(self, **banks: list[bytes]) -> None:
        """Make a bank out of pictures for each name, which also is what it does, and a key for everything."""
        with open_kit(Settings.load(data=self.data, database_url=self._environment["JIKIMI_DATABASE_URL"])) as kit:
            for name, pictures in banks.items():
                policy = BankPolicy(name=name, category=Category.OTHER, on_match=OnMatch(name))
                create_bank(kit, "tester", policy)
                for picture in pictures:
                    add_entries(kit, "tester", name, entries_of_file(kit, io.BytesIO(picture), policy).entries)
            self.key = create_key(kit, "tester", "tester", list(Scope))

    def launch(self) -> None:
        """Start the server, without waiting for it."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self.command("up", "--port", "0"), env=self._environment, text=True, stdout=subprocess.PIPE, stderr=log
            )

    def wait_ready(self) -> None:
        """Wait until `/readyz` says so."""
        assert self._process is not None
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        if not (found := re.search(r"http://\S+", first)):
            code = self._process.wait(START_SECONDS) if not first else None
            raise AssertionError(f"the service did not start: {first!r} {code} {self.log.read_text()}")
        self.address = found[0]
        end = time.monotonic() + START_SECONDS
        while self.get("/readyz").status != 200:
            assert time.monotonic() < end, f"never ready: {self.get('/readyz').body} {self.log.read_text()}"
            time.sleep(0.05)

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        self.launch()
        self.wait_ready()

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask the server to end; its exit code."""
        return self._end(signal.SIGTERM)

    def is_running(self) -> bool:
        """Tell whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def get(self, path: str) -> Reply:
        """Send `GET`."""
        return self._ask("GET", path, None, {})

    def send(self, method: str, path: str, fields: object = None) -> Reply:
        """Send JSON."""
        return self._ask(method, path, json.dumps(fields).encode(), {"Content-Type": "application/json"})

    def scan(self, content: Body, *, length: int | None = None, **query: str) -> Reply:
        """Send a file to be checked; one that comes in chunks may announce its length."""
        announced = {} if length is None else {"Content-Length": str(length)}
        headers = {"Content-Type": "application/octet-stream", **announced}
        return self._ask("POST", "/v1/scan", content, headers, query)

    def match(self, *values: str, type_: str = "pdq") -> list[list[dict[str, Any]]]:
        """Look signals up; the matches of each."""
        reply = self.send("POST", "/v1/match", {"signals": [{"type": type_, "value": value} for value in values]})
        assert reply.status == 200, reply.body
        return [result["matches"] for result in reply.body["results"]]

    def _ask(
        self,
        method: str,
        path: str,
        body: Body | None,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        target = self.address + path + ("?" + urlencode(query) if query else "")
        answer = self._pool.request(
            method, target, body=body, headers={"Authorization": f"Bearer {self.key}", **headers}, retries=False
        )
        is_json = "json" in answer.headers.get("content-type", "")
        return Reply(status=answer.status, body=answer.json() if is_json else answer.data.decode())

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(START_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._pool.clear()
        return code


@contextmanager
def running(*nodes: Node) -> Iterator[None]:
    """Start nodes at the same moment, and see to it that none outlives the block."""
    try:
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_ready()
        yield
    finally:
        for node in nodes:
            if node.is_running():
                node.kill()


def family(pid: int) -> set[int]:
    """A process with all its descendants."""
    children: dict[int, list[int]] = {}
    for other, fields in _processes():
        children.setdefault(int(fields[1]), []).append(other)
    found, todo = set(), [pid]
    while todo:
        found.add(one := todo.pop())
        todo += children.get(one, [])
    return found


def of_sessions(sessions: Iterable[int]) -> set[int]:
    """The processes that belong to sessions, zombies left out."""
    wanted = set(sessions)
    return {pid for pid, fields in _processes() if int(fields[3]) in wanted and fields[0] != "Z"}


def memory_of(pids: Iterable[int]) -> int:
    """Resident bytes of processes; what they share is counted for each of them."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Every process with its state, parent, group and session (proc(5), `stat`, from the third field on)."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                yield int(folder.name), (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
