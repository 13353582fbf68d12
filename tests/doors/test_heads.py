"""Requests that do not end: whatever comes beside a body is bounded, in size and in time, on every port."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import uvicorn

from jikimi.app import listen
from jikimi.doors.shared.heads import MOST_BYTES, BoundedProtocol
from tests.doors.conftest import Server

_START = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
_CHUNKED = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_MOST = 16 * 1024 * 1024
"""Sent at most: buffers on the way hold some of it."""


def send(server: Server, begin: bytes, piece: bytes, most: int = _MOST) -> tuple[int, bytes]:
    """Send a beginning, then pieces until the other side has had enough; how much went, and what it said."""
    at = urlsplit(server.address)
    sent, said = 0, b""
    with socket.create_connection((at.hostname, at.port), timeout=20) as wire:
        with suppress(OSError):
            wire.sendall(begin)
            while sent < most:
                wire.sendall(piece)
                sent += len(piece)
        with suppress(OSError):
            said = wire.recv(4096)
    return sent, said


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (_START, b"".join(b"X-%d: %s\r\n" % (number, b"y" * 100) for number in range(100))),
        (_START + b"X: ", b"y" * 10_000),
        (b"GET /", b"y" * 10_000),
        (_CHUNKED + b"1;", b"y" * 10_000),
        (_CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 1000),
        (_CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"y" * 10_000),
    ],
    ids=["headers", "header", "address", "chunk", "trailers", "trailer"],
)
def test_what_is_beside_a_body_has_an_end(server: Server, begin: bytes, piece: bytes) -> None:
    sent, _ = send(server, begin, piece)
    assert sent < _MOST
    assert server.ask("GET", "/healthz", key="").status == 200


def test_who_says_too_much_is_told_so(server: Server) -> None:
    _, said = send(server, _START + b"X: ", b"y" * 1000, most=400_000)
    assert said.startswith(b"HTTP/1.1 431 ") or not said  # the answer is lost where bytes were still on their way


def test_what_is_long_but_meant_is_answered(server: Server) -> None:
    """Cookies and keys of a whole company; and a body in a thousand pieces is no long head."""
    assert server.ask("GET", "/healthz", key="", headers={"X-Much": "y" * (MOST_BYTES // 2)}).status == 200
    pieces = (b"x" for _ in range(20_000))
    assert server.ask("POST", "/v1/scan", key="scan", body=pieces).status == 200


class _Hasty(BoundedProtocol):
    seconds = 0.5


Receive = Callable[[], Awaitable[object]]
Send = Callable[[object], Awaitable[None]]


async def _slow(scope: object, receive: Receive, send: Send) -> None:
    """An application that thinks for longer than a head may take."""
    await asyncio.sleep(1.2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def hasty() -> Iterator[tuple[str, int]]:
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(_slow, http=_Hasty, log_config=None, lifespan="off"))
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield listening.getsockname()
        server.should_exit = True
        thread.join()


def test_who_asks_for_nothing_is_not_waited_for(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=10) as silent, socket.create_connection(hasty, timeout=10) as slow:
        slow.sendall(_START)
        assert slow.recv(1) == b""
        assert silent.recv(1) == b""


def test_an_answer_may_take_longer_than_its_question(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=10) as wire:
        wire.sendall(_START + b"\r\n" + _START)  # a second one has begun
        assert wire.recv(4096).endswith(b"ok")
        assert wire.recv(1) == b""
