"""What comes before a body, and after it: bounded in size and in time, whoever sends it.

The server that we use reads a request's line and headers for as long as they come. An upload is bounded where it is
received (`body`).
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 64 * 1024
"""Of a request without its body, give or take what one reading of the socket brings."""
SECONDS = 30.0
"""In which a request's line and headers have to be there."""
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\nconnection: close\r\n\r\n"
    b"Address and headers: too long."
)


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests cannot begin or end for ever."""

    seconds = SECONDS
    _beside = 0
    """Bytes since the last that belonged to a body, or ended a request."""
    _goes_on = False
    _in_head = True
    _unanswered = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected, and has to ask for something."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._lift_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as there is an end to it."""
        if self._in_head and self._deadline is None:
            self._set_deadline()
        self._goes_on = False
        super().data_received(data)
        self._beside = 0 if self._goes_on else self._beside + len(data)
        if self._beside > MOST_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        self._unanswered += 1
        self._lift_deadline()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._goes_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has ended; the next one may follow."""
        self._goes_on = self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """One of our answers is out."""
        self._unanswered -= 1
        super().on_response_complete()

    def _refuse(self) -> None:
        if self._in_head and not self._unanswered:
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(self.seconds, self._end)

    def _lift_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if self._unanswered:
            self._set_deadline()  # the answer to the request before is still on its way
        else:
            self.transport.close()
