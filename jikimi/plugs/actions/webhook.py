"""Actions go out as signed webhooks: one POST for each try, over a connection of its own.

What bounds a try: time-outs for each step, one deadline over all (a receiver may send a byte now and then for ever), no
redirect is followed, and of the answer no more is read than is kept.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.client import HTTPException
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from jikimi.model.action import MAX_RECEIPT, Answer
from jikimi.model.errors import Refused
from jikimi.model.message import Message
from jikimi.plugs.web.client import seconds_of
from jikimi.plugs.web.wire import Deadline
from jikimi.webhook import DELIVERY, EVENT, IDEMPOTENCY_KEY, SIGNATURE, sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Tells the platform at one address. `keys` are read anew for every try, so that they can be replaced meanwhile."""

    url: str
    keys: Callable[[], Sequence[str]]
    seconds: float
    clock: Callable[[], datetime]
    trusted: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def perform(self, message: Message) -> Answer:
        """Send a message once."""
        body = message.body.encode("utf-8", "backslashreplace")
        now = self.clock()
        try:
            signature = sign(body, self.keys(), now.timestamp())
        except Refused as error:
            return Answer(status=0, error=error.message)
        except OSError as error:  # the first key cannot be written: the next try may find room
            return Answer(status=0, error=_told(error))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "jikimi",
            SIGNATURE: signature,
            DELIVERY: message.delivery,
            EVENT: message.event.value,
            IDEMPOTENCY_KEY: message.key,
        }
        began = time.monotonic()
        answer = self._post(body, headers, now)
        return replace(answer, elapsed_ms=int((time.monotonic() - began) * 1000))

    def _post(self, body: bytes, headers: dict[str, str], now: datetime) -> Answer:
        parts = urlsplit(self.url)
        connection = self._connection(parts.hostname or "", parts.port)
        deadline = Deadline(self.seconds)
        try:
            connection.connect()
            deadline.watch(connection.sock)
            connection.request("POST", _path(self.url), body=body, headers=headers, preload_content=False)
            response = connection.getresponse()
            text = response.read(MAX_RECEIPT, decode_content=False).decode("utf-8", "replace").replace("\x00", "\ufffd")
        # The standard library's own errors are for answers that are not HTTP at all.
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            return Answer(status=0, error="timeout" if deadline.is_over else _told(error))
        finally:
            deadline.stop()
            connection.close()
        if deadline.is_over:
            return Answer(status=0, error="timeout")
        where = response.headers.get("Location", "").replace("\x00", "")[:100]
        error_ = f"redirects to {where}" if 300 <= response.status < 400 else ""
        retry_after = seconds_of(response.headers.get("Retry-After", ""), now)
        return Answer(status=response.status, body=text, error=error_, retry_after=retry_after)

    def _connection(self, host: str, port: int | None) -> HTTPConnection:
        if urlsplit(self.url).scheme == "https":
            return HTTPSConnection(host, port, timeout=self.seconds, ssl_context=self.trusted)
        return HTTPConnection(host, port, timeout=self.seconds)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _told(error: Exception) -> str:
    """One short line about what went wrong on the way."""
    return f"{type(error).__name__}: {error}".replace("\n", " ").replace("\x00", "")[:200]
