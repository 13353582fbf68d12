"""The service as callers meet it: `jikimi up` in a process of its own, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.flows.key import create_key, revoke_key
from jikimi.model.people import Scope

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, its headers, its body read as JSON where it is."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The stable code of an error, which always has the same shape."""
        assert set(self.body) >= {"type", "title", "status", "detail", "code"}, self.body
        assert "\n" not in self.body["detail"]
        return str(self.body["code"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running service. `keys` holds a secret for each scope, one for all, and one that was revoked."""

    data: Path
    address: str
    keys: Mapping[str, str]
    log: Path
    pool: urllib3.PoolManager

    def ask(self, method: str, path: str, *, key: str = "all", json_: object = None, **options: Any) -> Reply:
        """Send one request; `key` names one of `keys`, and is empty for none."""
        headers = {**options.pop("headers", {})}
        if key:
            headers["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        if json_ is not None:
            headers["Content-Type"] = "application/json"
            options["body"] = json.dumps(json_).encode()
        answer = self.pool.request(method, self.address + path, headers=headers, redirect=False, **options)
        is_json = "json" in answer.headers.get("content-type", "")
        body = answer.json() if is_json else answer.data.decode()
        return Reply(status=answer.status, headers=answer.headers, body=body)


@contextmanager
def running(data: Path, *, demo: bool = False, **environment: str) -> Iterator[Server]:
    """Run a service until the end of the block; it has to end well, and without a fault in its log."""
    with open_kit(Settings.load(data=data)) as kit:
        keys = {scope.value: create_key(kit, "tests", scope.value, [scope]) for scope in Scope}
        keys["all"] = create_key(kit, "tests", "all", list(Scope))
        keys["revoked"] = create_key(kit, "tests", "revoked", list(Scope))
        revoke_key(kit, "tests", "revoked")
    log = data / "log"
    own = {name: value for name, value in os.environ.items() if not name.startswith("JIKIMI_")}
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "jikimi", "up", "--port", "0", "--data", str(data), *(["--demo"] if demo else [])],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**own, "JIKIMI_LOG_FORMAT": "json", "JIKIMI_DECODE_WORKERS": "1", **environment},
        )
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, log.read_text()
        with urllib3.PoolManager(retries=False, timeout=60, maxsize=16) as pool:
            yield Server(data=data, address=found.group(), keys=keys, log=log, pool=pool)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM), log.read_text()
    told = log.read_text()
    assert "request_fault" not in told, told
    assert "Traceback" not in told, told


def wait_until_ready(server: Server, ready: bool = True) -> Reply:
    """Ask `/readyz` until it says so."""
    until = time.monotonic() + START_SECONDS
    while True:
        reply = server.ask("GET", "/readyz", key="")
        if (reply.status == 200) is ready:
            return reply
        assert time.monotonic() < until, reply.body
        time.sleep(0.1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for all tests of the doors; it takes uploads of one mebibyte."""
    data = tmp_path_factory.mktemp("server") / "data"
    with running(data, JIKIMI_MAX_UPLOAD_MIB="1", JIKIMI_CANARY_SECONDS="1", JIKIMI_FLOOD_LIMIT="0") as server:
        wait_until_ready(server)
        yield server
