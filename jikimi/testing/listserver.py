"""A programme that shares a list, as a real HTTP server of this machine: the ground on which simulators stand.

    class Stars(ListServer):
        def answer(self, asked: Asked) -> Reply:
            return Reply.json({"stars": ["Vega"], "page": asked.query.get("page", "1")})

    with Stars(needs={"Authorization": "Bearer one"}) as stars:
        …                                        # jikimi pulls from stars.url
        stars.fails(429, times=2, Retry_After="1")
        stars.cuts(only=lambda asked: "page=2" in asked.target)

Whatever is asked is remembered in `asked`, credentials and all, so that a test can say what nobody may have got to see.
Switches queue up: each counts for `times` requests that it is meant for, in the order in which they were set.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jikimi.testing.listening import Listening

ALWAYS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it arrived. `target` is path and query as they were sent; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """What the query says; of a name that comes twice, the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def holds(self, secret: str) -> bool:
        """Whether a text is anywhere in it."""
        everything = [self.target, *self.headers.values(), self.body.decode("latin-1")]
        return any(secret in text for text in everything)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200) -> Reply:
        """An answer in JSON."""
        return cls(status=status, body=json.dumps(value, separators=(",", ":")).encode())

    @classmethod
    def xml(cls, text: str, status: int = 200) -> Reply:
        """An answer in XML."""
        return cls(status=status, body=text.encode(), type="application/xml")


class _Way(Enum):
    """How an answer goes wrong."""

    INSTEAD = "another answer is given"
    HANG = "no answer is given"
    DRIP = "the body comes byte by byte"
    WAIT = "the answer comes late"
    CUT = "the connection ends in the middle of the body"
    GARBLE = "the body is complete, and broken"
    DROP = "what is asked is done, and the connection closed without an answer"


@dataclass(slots=True, kw_only=True)
class _Switch:
    way: _Way
    times: int
    only: Callable[[Asked], bool]
    seconds: float = 0.0
    reply: Reply = field(default_factory=Reply)


def _any(_: Asked) -> bool:
    return True


class ListServer(Listening):
    """The server. `needs` are headers that every request has to carry; without one it is 401, with a wrong one 403."""

    def __init__(self, needs: Mapping[str, str] | None = None, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.asked: list[Asked] = []
        self.needs = dict(needs or {})
        self._switches: list[_Switch] = []
        self._lock = Lock()

    def answer(self, asked: Asked) -> Reply:
        """What the programme answers; a simulator says it here."""
        return Reply.json({"message": f"there is nothing at {asked.path}"}, status=404)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{self.host}"

    def fails(
        self, status: int, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any, body: str = "", **headers: str
    ) -> None:
        """Answer with a status, and do nothing of what is asked: `fails(429, times=2, Retry_After="1")`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = Reply(status=status, body=body.encode(), headers=named)
        self._switch_on(_Switch(way=_Way.INSTEAD, times=times, only=only, reply=reply))

    def hangs(self, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any) -> None:
        """Take requests, and never answer."""
        self._switch_on(_Switch(way=_Way.HANG, times=times, only=only))

    def drips(self, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any, seconds: float = 0.05) -> None:
        """Send the body byte by byte, with so many seconds between."""
        self._switch_on(_Switch(way=_Way.DRIP, times=times, only=only, seconds=seconds))

    def waits(self, seconds: float, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any) -> None:
        """Answer rightly, and late."""
        self._switch_on(_Switch(way=_Way.WAIT, times=times, only=only, seconds=seconds))

    def cuts(self, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any) -> None:
        """Announce the whole body, send half of it, and close."""
        self._switch_on(_Switch(way=_Way.CUT, times=times, only=only))

    def garbles(self, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any) -> None:
        """Answer 200 with a body that is whole and cannot be read: half of what it should be, and then rubbish."""
        self._switch_on(_Switch(way=_Way.GARBLE, times=times, only=only))

    def loses_answers(self, *, times: int = ALWAYS, only: Callable[[Asked], bool] = _any) -> None:
        """Do what is asked, and close the connection instead of answering."""
        self._switch_on(_Switch(way=_Way.DROP, times=times, only=only))

    def is_well(self) -> None:
        """Forget all switches."""
        with self._lock:
            self._switches.clear()
        self._awake.set()
        self._awake = Event()

    def saw(self, secret: str) -> list[Asked]:
        """The requests that held a text anywhere."""
        return [asked for asked in self.asked if asked.holds(secret)]

    def _switch_on(self, switch: _Switch) -> None:
        with self._lock:
            self._switches.append(switch)

    def take(self, asked: Asked) -> _Switch | None:
        """Remember a request, and say how its answer goes wrong."""
        with self._lock:
            self.asked.append(asked)
            for switch in self._switches:
                if switch.times > 0 and switch.only(asked):
                    switch.times -= 1
                    return switch
        return None

    def denial(self, asked: Asked) -> Reply | None:
        """The answer to who does not carry what is needed."""
        for name, value in self.needs.items():
            sent = asked.headers.get(name.lower())
            if sent != value:
                return Reply.json({"message": "denied"}, status=401 if sent is None else 403)
        return None


def run(server: ListServer) -> None:
    """Serve until interrupted, for people who want to look at it: says where, and prints every request."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with server:
        print(server.url, flush=True)
        shown = 0
        while not stop.is_set():
            try:
                time.sleep(0.2)
            except KeyboardInterrupt:
                return
            for asked in server.asked[shown:]:
                print(asked.method, asked.target, flush=True)
            shown = len(server.asked)


class _Handler(BaseHTTPRequestHandler):
    owner: ListServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request, rightly or not."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(method=self.command, target=self.path, headers=headers, body=body)
        switch = self.owner.take(asked)
        if switch is None:
            self._send(self._reply(asked))
        else:
            self._send_wrongly(asked, switch)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - the names are those of the standard library

    def _reply(self, asked: Asked) -> Reply:
        return self.owner.denial(asked) or self.owner.answer(asked)

    def _send_wrongly(self, asked: Asked, switch: _Switch) -> None:
        way = switch.way
        if way in (_Way.CUT, _Way.DRIP, _Way.HANG, _Way.DROP):
            self.close_connection = True
        if way is _Way.HANG:
            self.owner.wait()
            return
        if way is _Way.WAIT:
            self.owner.wait(switch.seconds)
        reply = switch.reply if way is _Way.INSTEAD else self._reply(asked)
        if way is _Way.DRIP:
            self._drip(reply, switch.seconds)
        elif way is _Way.CUT:
            self.wfile.write(_head(reply) + reply.body[: len(reply.body) // 2])
        elif way is _Way.GARBLE:
            self._send(Reply(status=200, body=reply.body[: len(reply.body) // 2] + b'<}"\xff', type=reply.type))
        elif way is not _Way.DROP:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.wfile.write(_head(reply) + reply.body)

    def _drip(self, reply: Reply, seconds: float) -> None:
        self.wfile.write(_head(reply))
        for at in range(len(reply.body)):
            self.wfile.write(reply.body[at : at + 1])
            time.sleep(seconds)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _head(reply: Reply) -> bytes:
    length = () if reply.status == 204 else (f"Content-Length: {len(reply.body)}",)
    named = (f"{name}: {value}" for name, value in reply.headers.items())
    lines = [f"HTTP/1.1 {reply.status} Answer", f"Content-Type: {reply.type}", *length, *named]
    return "\r\n".join([*lines, "", ""]).encode()
