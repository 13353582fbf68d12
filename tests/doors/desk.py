"""The desk for tests: an installation with banks and people, served from a thread, and somebody who is signed in."""

from __future__ import annotations

import atexit
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.doors.desk.app import build_desk
from jikimi.flows.session import begin_session
from jikimi.model.people import Person
from jikimi.model.signin import Proof, Visitor
from jikimi.ports import Kit, Log
from scripts.desk_world import Staff, fill_banks, hire_all, staff_of

MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class RunningClock:
    """A clock that runs, from a morning on, and can be moved ahead."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return MORNING + self._ahead + timedelta(seconds=time.monotonic() - self._began)

    def move(self, **step: float) -> None:
        self._ahead += timedelta(**step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A running desk with the people who work at it."""

    kit: Kit
    clock: RunningClock
    staff: Staff
    address: str


def plain_log() -> Log:
    """A log that pytest shows when a test fails."""
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    )
    return log


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Everything that was sent in one answer."""

    path: str
    body: bytes


def _kept(app: ASGIApp, sent: list[Sent]) -> ASGIApp:
    """The same application, with every byte that it sends kept."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def keep(message: Message) -> None:
            body.extend(message.get("body", b""))
            await send(message)

        await app(scope, receive, keep)
        sent.append(Sent(path=scope["path"], body=bytes(body)))

    return answer


@contextmanager
def serving(kit: Kit, sent: list[Sent] | None = None) -> Iterator[str]:
    """Serve the desk from a thread; its address. What it sends is added to `sent`."""
    desk = build_desk(kit)
    app = desk if sent is None else _kept(desk, sent)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # whoever comes before the server is up waits for it
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://localhost:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def open_desk(data: Path, database_url: str = "", *, sent: list[Sent] | None = None, **changes: Any) -> Iterator[Desk]:
    """An installation with banks and people, and its desk; `changes` replace parts of its kit."""
    if not database_url:
        shutil.copytree(_prepared(), data)
    with _open(data, database_url, **changes) as (kit, clock):
        staff = staff_of(kit) or _prepare(kit)
        with serving(kit, sent) as address:
            yield Desk(kit=kit, clock=clock, staff=staff, address=address)


@contextmanager
def _open(data: Path, database_url: str, **changes: Any) -> Iterator[tuple[Kit, RunningClock]]:
    settings = Settings.load(data=data, database_url=database_url or None, decode_workers=1)
    with open_kit(settings, plain_log()) as kit:
        clock = RunningClock()
        yield replace(kit, clock=clock, **changes), clock


def _prepare(kit: Kit) -> Staff:
    fill_banks(kit, 1)
    return hire_all(kit)


@cache
def _prepared() -> Path:
    """An installation that is made once for all tests of a process and copied for each."""
    folder = Path(tempfile.mkdtemp(prefix="jikimi-desk-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with _open(folder / "data", "") as (kit, _):
        _prepare(kit)
    return folder / "data"


def session_for(kit: Kit, person: Person) -> str:
    """Sign somebody in, without a browser; the secret of their cookie."""
    with kit.store.begin() as tx:
        return begin_session(kit, tx, person, Proof.PASSKEY, Visitor(address="", place="tests", secret="")).secret
