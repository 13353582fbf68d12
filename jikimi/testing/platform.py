"""A platform that receives webhooks: it can be down, answer anything, hang, drip, answer twice; it remembers all.

    with Platform(secrets=["…"]) as platform:
        …                                 # jikimi sends to platform.url
        platform.answers(500)
        assert platform.effects == [("remove", "post 7")]

What it does with a message is what a receiver should do: check the signature, apply each idempotency key once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

from jikimi.testing.listening import Listening
from jikimi.webhook import DELIVERY, EVENT, IDEMPOTENCY_KEY, SIGNATURE, SignatureError, verify

_DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it arrived. `fault` is what was wrong with its signature."""

    event: str
    delivery: str
    key: str
    body: Any
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Manner:
    """How the next messages are answered."""

    status: int = 200
    body: str = '{"status": "done"}'
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    drips: bool = False
    twice: bool = False
    deaf: bool = False


class Platform(Listening):
    """A platform on a free port of this machine. `clock` is what the age of a signature is measured by."""

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.secrets = list(secrets)
        self.received: list[Received] = []
        self.effects: list[tuple[str, str]] = []
        """What was done, once for each key: the action with the content, or the event with the appeal's outcome."""
        self._clock = clock
        self._manner: Callable[[Received], _Manner] = lambda _: _Manner()
        self._keys: set[str] = set()
        self._lock = Lock()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}/hooks?from=jikimi"

    def answers(self, status: int = 200, body: str = '{"status": "done"}', **headers: str) -> None:
        """Answer like this; what is not answered with 2xx has no effect."""
        self._all(_Manner(status=status, body=body, headers=headers))

    def hangs(self, only: Callable[[Received], bool] = lambda _: True) -> None:
        """Take those messages, do nothing, and never answer."""
        self._manner = lambda one: _Manner(hangs=True) if only(one) else _Manner()

    def hangs_after_doing(self) -> None:
        """Do what is asked, and never say so."""
        self._all(_Manner(hangs=True, deaf=True))

    def drips(self) -> None:
        """Send the head of an answer one byte after the other, without end."""
        self._all(_Manner(drips=True))

    def answers_twice(self) -> None:
        """Send the answer twice on one connection."""
        self._all(_Manner(twice=True))

    def loses_answers(self) -> None:
        """Do what is asked, and break the connection instead of answering."""
        self._all(_Manner(deaf=True))

    def of_case(self, case_id: str) -> list[str]:
        """What was asked about a case, message by message."""
        return [str(one.body["action"]) for one in self.received if one.body.get("case_id") == case_id]

    def _all(self, manner: _Manner) -> None:
        self._manner = lambda _: manner

    def take(self, received: Received) -> _Manner:
        """Remember a message, and apply it if it is to be applied."""
        with self._lock:
            self.received.append(received)
            manner = self._manner(received)
            is_done = manner.status < 300 and (manner.deaf or not manner.hangs)
            if is_done and not received.fault and received.key not in self._keys:
                self._keys.add(received.key)
                self.effects += _effects(received)
        return manner

    def check(self, body: bytes, header: str) -> str:
        """What is wrong with a signature; nothing if it is right."""
        try:
            verify(body, header, self.secrets, now=self._clock())
        except SignatureError as error:
            return str(error)
        return ""


def _effects(received: Received) -> list[tuple[str, str]]:
    body = received.body
    if received.event == "appeal":
        return [("appeal", body["appeal"]["outcome"])]
    return [(body.get("action", received.event), target["content_id"]) for target in body.get("targets", ())]


class _Handler(BaseHTTPRequestHandler):
    owner: Platform

    def do_POST(self) -> None:
        """Receive one message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.owner.check(body, self.headers.get(SIGNATURE, ""))
        named = {name: self.headers.get(header, "") for name, header in _HEADERS.items()}
        manner = self.owner.take(Received(**named, body=json.loads(body), fault=fault))
        if manner.hangs:
            self.owner.wait()
        elif manner.drips:
            self._drip()
        elif not manner.deaf:
            answer = _written(401 if fault else manner.status, manner)
            self.wfile.write(answer * (2 if manner.twice else 1))
        self.close_connection = True

    def _drip(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                self.wfile.write(b"a")
                time.sleep(_DRIP_SECONDS)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


_HEADERS = {"event": EVENT, "delivery": DELIVERY, "key": IDEMPOTENCY_KEY}


def _written(status: int, manner: _Manner) -> bytes:
    body = manner.body.encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **manner.headers}
    lines = [f"HTTP/1.1 {status} Answer", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
