"""One request over one connection, and what bounds it: time for each step, one deadline over all, bytes of the answer.

Nothing that went over the wire gets into an error: what libraries say in theirs may hold an address with a credential.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import Url, make_headers

from jikimi.model.errors import Refused

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
_PIECE = 64 * 1024
_READABLE = ("", "identity", "gzip", "x-gzip")

# It would write the whole address of an answer with a broken header to stderr.
logging.getLogger("urllib3.connection").disabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, and where to. `url` is parsed once: what is checked is what is connected to."""

    method: str
    url: Url
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """An answer without its body; header names are lower case."""

    status: int
    headers: Mapping[str, str]


class NoAnswerError(Exception):
    """There was no whole answer; `why` is one of our own phrases. `may_pass`: another try may find one."""

    def __init__(self, why: str, *, may_pass: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.may_pass = may_pass


class TooLargeError(Exception):
    """The answer has more bytes than are wanted, as they came or unpacked."""


def trusted(ca_file: Path | None = None) -> ssl.SSLContext:
    """Whose certificates are believed: the system's authorities, and those in a file. Names are always checked."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Refused(
                "settings_invalid", f"outgoing_ca_file: {ca_file} holds no certificates in PEM form that can be read."
            ) from error
    return context


def direct(url: Url, trust: ssl.SSLContext, *, address: str = "", seconds: float = CONNECT_SECONDS) -> HTTPConnection:
    """A connection to the host of `url`, at `address` if one is given: then no name is resolved any more."""
    host = url.host or ""
    if url.scheme == "https":
        return HTTPSConnection(
            address or host, url.port or 443, timeout=seconds, ssl_context=trust, server_hostname=host.strip("[]")
        )
    return HTTPConnection(address or host, url.port or 80, timeout=seconds)


def through(proxy: Url, url: Url, trust: ssl.SSLContext) -> HTTPConnection:
    """A tunnel to the host of `url`: the proxy sees its name, and nothing of what is said."""
    config = ProxyConfig(
        ssl_context=trust, use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None
    )
    port = proxy.port or (443 if proxy.scheme == "https" else 80)
    connection = HTTPSConnection(
        proxy.host or "", port, timeout=CONNECT_SECONDS, ssl_context=trust, proxy=proxy, proxy_config=config
    )
    headers = make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else None
    connection.set_tunnel(url.host or "", url.port or 443, headers, scheme=proxy.scheme or "http")
    return connection


def send(
    connection: HTTPConnection,
    request: Request,
    sink: BinaryIO,
    *,
    wanted: Callable[[int], bool],
    most: int,
    seconds: float,
) -> Head:
    """Send a request and pour the body of its answer into `sink` if its status is `wanted`; closes the connection."""
    deadline = Deadline(seconds)
    try:
        head = _exchange(connection, request, sink, wanted, most, deadline)
    # The standard library's own errors are for answers that are not HTTP at all.
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
        raise (_late() if deadline.is_over else _no_answer(error)) from None
    finally:
        deadline.stop()
        connection.close()
    if deadline.is_over:  # what has been cut off may look like an answer that has ended
        raise _late()
    return head


def _exchange(
    connection: HTTPConnection,
    request: Request,
    sink: BinaryIO,
    wanted: Callable[[int], bool],
    most: int,
    deadline: Deadline,
) -> Head:
    connection.connect()
    deadline.watch(connection.sock)
    connection.timeout = READ_SECONDS
    connection.sock.settimeout(READ_SECONDS)
    connection.request(
        request.method,
        request.url.request_uri,
        body=request.body or None,
        headers=request.headers,
        preload_content=False,
    )
    response = connection.getresponse()
    try:
        if wanted(response.status):
            _pour(response, sink, most)
    finally:
        response.close()  # a connection that is not kept has handed its socket over to the answer
    return Head(status=response.status, headers={name.lower(): value for name, value in response.headers.items()})


def _pour(response: urllib3.HTTPResponse, sink: BinaryIO, most: int) -> None:
    """Unpacked a little at a time: what is small on the wire may be very large."""
    if response.headers.get("Content-Encoding", "").strip().lower() not in _READABLE:
        raise NoAnswerError("it is packed in a way that was not asked for", may_pass=False)
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > most:
        raise TooLargeError
    got = 0
    for piece in response.stream(_PIECE, decode_content=True):
        got += len(piece)
        if got > most:
            raise TooLargeError
        sink.write(piece)


class Deadline:
    """Ends what takes too long, whatever the other side is at: with a byte now and then no time-out is ever met."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, sock: socket.socket) -> None:
        """From now on it is this socket that would be cut. Connecting has bounds of its own."""
        with self._lock:
            self._sock = sock
            if self.is_over:
                raise TimeoutError

    def stop(self) -> None:
        """All is done."""
        self._timer.cancel()

    def _end(self) -> None:
        with self._lock, suppress(OSError):
            self.is_over = True
            if self._sock is not None:
                # The plain socket's own method: that of TLS would change what the sending thread is using.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def _late() -> NoAnswerError:
    return NoAnswerError("it took too long")


def _no_answer(error: Exception) -> NoAnswerError:
    reasons = [error, error.__cause__, *error.args]
    if any(isinstance(reason, ssl.SSLCertVerificationError) for reason in reasons):
        return NoAnswerError("its certificate is not trusted", may_pass=False)
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return NoAnswerError("its name is not known; check the address in the settings")
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # to urllib3 that is a kind of time-out
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError) and not is_refused:
        return _late()
    return NoAnswerError("there is no connection, or it broke off")
