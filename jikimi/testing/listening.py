"""What every simulator is: an HTTP server on a port of this machine that goes down and comes up at the same address."""

from __future__ import annotations

from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self


class Listening(ABC):
    """The server. Whatever hangs in `wait` goes on when it is told to, or at the end."""

    def __init__(self, *, port: int = 0) -> None:
        self._port = port
        self._awake = Event()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.come_up()
        return self

    def __exit__(self, *_: object) -> None:
        self._awake.set()
        self.go_down()

    @property
    def host(self) -> str:
        """Where it listens, as a name and a port."""
        return f"127.0.0.1:{self._port}"

    def go_down(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def come_up(self) -> None:
        """Listen, at the same address as ever."""
        own = type("Handler", (self._handler(),), {"owner": self})
        self._server = _Server(("127.0.0.1", self._port), own)
        self._port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @abstractmethod
    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers requests; it finds the simulator as its `owner`."""

    def wait(self, seconds: float | None = None) -> None:
        """Hang for a time, or until the end."""
        self._awake.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever broke off knows why."""
