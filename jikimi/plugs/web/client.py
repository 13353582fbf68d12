"""Asks programmes over HTTP, at hosts that are allowed and nowhere else.

1  the address is parsed once; its host has to be one of ours: https, or http to this machine
2  a request goes out over a connection of its own, through the proxy if there is one
3  redirects are followed by hand: three at most, to hosts of ours, never from https to http; to another host go no
   headers of the caller's, and no body
4  what may be repeated is, after growing pauses or when the host says so; for two minutes of waiting at most

Messages name the host and the status: an address, a header or a body may hold a credential.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import BinaryIO
from urllib.parse import urlencode, urljoin
from urllib.request import getproxies_environment

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from jikimi.model.errors import Refused, Unavailable
from jikimi.plugs.web.proxy import LOOPBACK, proxy_for
from jikimi.plugs.web.wire import Head, NoAnswerError, Request, TooLargeError, direct, send, through
from jikimi.ports.exchanges import Got

MOST_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 3
RETRIES = 4
LONGEST_WAIT = 120.0
"""Seconds that one call may wait between its tries; a longer wish of the host is handed on."""
ANSWER_SECONDS = 300.0
"""For one answer from its first byte to its last: 64 MiB at 2 Mbit/s."""
_FIRST_PAUSE = 1.0
_LONGEST_RETRY_AFTER = 24 * 3600
"""Others may ask for patience, but not put us off for ever."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_SAFE_HEADERS = frozenset({"accept", "accept-encoding", "user-agent"})


class _FailedError(Exception):
    """A try without an answer that is of use."""

    def __init__(self, message: str, *, may_pass: bool, retry_after: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.may_pass = may_pass
        self.retry_after = retry_after


class WebClient:
    """HTTP to `hosts` (`name` or `name:port`); a `Web`."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        trust: ssl.SSLContext,
        clock: Callable[[], datetime],
        proxy: str = "",
        environment: Callable[[], Mapping[str, str]] = getproxies_environment,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._trust = trust
        self._clock = clock
        self._proxy = proxy
        self._environment = environment
        self._sleep = sleep
        self._chance = chance
        self._seconds = seconds

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        again: bool = True,
        most: int = 0,
        into: BinaryIO | None = None,
    ) -> Got:
        """Send a request, and send it again while that may help; see `ports.exchanges.Web`."""
        target = self._allowed(_with_query(url, query or {}))
        request = Request(method=method.upper(), url=target, headers=_headers(target, headers or {}), body=body)
        waited = 0.0
        for tries in range(1, RETRIES + 2):
            try:
                return self._followed(request, most or MOST_BYTES, into)
            except _FailedError as failed:
                pause = max(failed.retry_after, _FIRST_PAUSE * 2 ** (tries - 1) * (0.75 + self._chance() / 2))
                if not (again and failed.may_pass) or tries > RETRIES or waited + pause > LONGEST_WAIT:
                    raise Unavailable("web_unavailable", failed.message, retry_after=int(pause)) from None
            self._sleep(pause)
            waited += pause
        raise AssertionError("the last try returns or raises")

    def _followed(self, request: Request, most: int, into: BinaryIO | None) -> Got:
        """One try: the answer, or that of where it redirects to."""
        for _ in range(MAX_REDIRECTS + 1):
            head, body = self._sent(request, most, into)
            where = head.headers.get("location", "")
            if head.status not in REDIRECTS or not where:
                return Got(status=head.status, headers=head.headers, body=body)
            request = self._redirected(request, head.status, where)
        raise Refused("web_redirected", f"{request.url.host} redirects too often; check the address in the settings.")

    def _sent(self, request: Request, most: int, into: BinaryIO | None) -> tuple[Head, bytes]:
        sink = BytesIO() if into is None else _emptied(into)
        wanted = _is_read if into is None else _is_there
        seconds = self._seconds * max(1, most / MOST_BYTES)
        host = request.url.host
        proxy = proxy_for(request.url, self._proxy, self._environment())
        connection = through(proxy, request.url, self._trust) if proxy else direct(request.url, self._trust)
        try:
            head = send(connection, request, sink, wanted=wanted, most=most, seconds=seconds)
        except NoAnswerError as error:
            raise _FailedError(f"{host} gave no answer: {error.why}.", may_pass=error.may_pass) from None
        except TooLargeError:
            raise Refused(
                "web_too_large", f"{host} answered with more than {most} bytes; ask it for less at once."
            ) from None
        if head.status in _AGAIN or head.status >= 500:
            after = seconds_of(head.headers.get("retry-after", ""), self._clock())
            raise _FailedError(f"{host} answered {head.status}.", may_pass=head.status in _AGAIN, retry_after=after)
        return head, sink.getvalue() if into is None and isinstance(sink, BytesIO) else b""

    def _allowed(self, url: str) -> Url:
        """Parse an address and hold it against the hosts that are ours."""
        parsed = parsed_address(url)
        if parsed is None:
            raise Refused("web_address_invalid", "An address of the exchange cannot be read; check its settings.")
        usual = 443 if parsed.scheme == "https" else 80
        names = {f"{parsed.host}:{parsed.port or usual}"}
        if (parsed.port or usual) == usual:
            names |= {parsed.host or "", (parsed.host or "").strip("[]")}
        if not names & self._hosts or not (parsed.scheme == "https" or parsed.host in LOOPBACK):
            raise Refused(
                "web_host_refused",
                "An exchange speaks to its own hosts only: over https, or over http with this machine. "
                "Check the addresses in its settings.",
            )
        return parsed

    def _redirected(self, request: Request, status: int, untrusted_where: str) -> Request:
        old = request.url
        try:
            url = self._allowed(urljoin(old.url, untrusted_where))
        except (Refused, ValueError):
            raise _refused_redirect(old) from None
        is_same = (url.scheme, url.host, url.port) == (old.scheme, old.host, old.port)
        # What is not a plain question must not turn into one on the way, nor take its body elsewhere.
        may_follow = request.method in ("GET", "HEAD") or (status in (307, 308) and is_same)
        if not may_follow or (old.scheme, url.scheme) == ("https", "http"):
            raise _refused_redirect(old)
        kept = {name: value for name, value in request.headers.items() if is_same or name.lower() in _SAFE_HEADERS}
        return replace(request, url=url, headers=kept, body=request.body if is_same else b"")


def parsed_address(untrusted_url: str) -> Url | None:
    """An http or https address with a host, a port in digits, and nobody's name in it; none if it is not one."""
    if "\\" in untrusted_url or " " in untrusted_url or not untrusted_url.isprintable():
        return None  # others read such an address differently
    try:
        parsed = parse_url(untrusted_url)
    except (LocationParseError, ValueError):
        return None
    is_one = parsed.scheme in ("http", "https") and parsed.host and not parsed.auth and parsed.port != 0
    return parsed if is_one else None


def seconds_of(untrusted_header: str, now: datetime) -> int:
    """`Retry-After`, as seconds or as a date; 0 if there is none that can be read."""
    header = untrusted_header.strip()
    if header.isascii() and header.isdigit():
        return min(int(header[:9]), _LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(header)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return 0
    return int(min(max(wait.total_seconds(), 0), _LONGEST_RETRY_AFTER))


def _is_read(status: int) -> bool:
    """Pages that say sorry are not worth their bytes."""
    return not (status in REDIRECTS or status in _AGAIN or status >= 500)


def _is_there(status: int) -> bool:
    """Into a file goes what was asked for, and nothing that is said instead."""
    return status == 200


def _emptied(file: BinaryIO) -> BinaryIO:
    """A file without what a try before this one has left in it."""
    file.seek(0)
    file.truncate()
    return file


def _with_query(url: str, query: Mapping[str, str]) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _headers(url: Url, given: Mapping[str, str]) -> HTTPHeaderDict:
    """All headers; a credential that was pasted with a line's end is a mistake that a person has to hear of."""
    headers = HTTPHeaderDict({"User-Agent": "jikimi", "Accept-Encoding": "gzip"})
    for name, value in given.items():
        if not (value.isascii() and (value.isprintable() or not value)):
            raise Refused(
                "web_header_invalid",
                f"The header {name} for {url.host} has characters that cannot be sent; check the exchange's secrets.",
            )
        headers[name] = value
    return headers


def _refused_redirect(old: Url) -> Refused:
    return Refused(
        "web_redirected", f"{old.host} redirects to where it must not; check the address in the exchange's settings."
    )
