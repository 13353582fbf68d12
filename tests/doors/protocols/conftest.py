"""A service that programs written for HMA are pointed at: on a port of its own without a key, and below a prefix."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doors.conftest import Reply, Server, running, wait_until_ready

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Hma:
    """The service as such programs know it: an address, and how they ask."""

    address: str
    server: Server

    def ask(self, method: str, path: str, *, key: str = "", **options: Any) -> Reply:
        """Send one request; no key, unless one is named."""
        here = Server(
            data=self.server.data,
            address=self.address,
            keys=self.server.keys,
            log=self.server.log,
            pool=self.server.pool,
        )
        return here.ask(method, path, key=key, **options)

    def send(self, method: str, path: str, fields: Mapping[str, Any], **options: Any) -> Reply:
        """Send a multipart form."""
        return self.ask(method, path, fields=dict(fields), **options)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(data: Path, *, key: str = "none", prefix: str = "", **environment: str) -> Iterator[Hma]:
    """Run a service with HMA's API, on its own port, or below a prefix if one is given."""
    port = free_port()
    environment |= {"JIKIMI_HMA_PREFIX": prefix} if prefix else {"JIKIMI_HMA_PORT": str(port)}
    with running(data, demo=False, JIKIMI_HMA_KEY=key, JIKIMI_CANARY_SECONDS="1", **environment) as server:
        wait_until_ready(server)
        yield Hma(address=f"{server.address}{prefix}" if prefix else f"http://127.0.0.1:{port}", server=server)


@pytest.fixture(scope="session")
def hma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hma]:
    """One service for all tests: on a port of its own, no key asked for, uploads of one mebibyte, no way out."""
    data = tmp_path_factory.mktemp("hma") / "data"
    nowhere = f"http://127.0.0.1:{free_port()}"
    with serving(data, JIKIMI_MAX_UPLOAD_MIB="1", JIKIMI_OUTGOING_PROXY=nowhere) as hma:
        yield hma


@pytest.fixture
def bank(hma: Hma) -> Iterator[str]:
    """The name of an empty bank."""
    name = f"BANK_{uuid.uuid4().hex.upper()}"
    assert hma.ask("POST", "/c/banks", json_={"name": name}).status == 201
    yield name
    assert hma.ask("DELETE", f"/c/bank/{name}").body == {"message": "Done"}
