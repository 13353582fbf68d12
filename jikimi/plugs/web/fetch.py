"""Fetches a picture by an address that a caller named, without becoming the caller's way into our network.

1  the address is http or https, with a port in digits and nobody's name in it; its host is allow-listed, or below one
   that is
2  the name is resolved once; if any of its addresses is not public, none is connected to
3  the connection goes to exactly such an address; the certificate has to be the name's
4  a redirect, three at most, goes through 1 to 3 again, and never from https to http
5  the answer is bounded in size, and all of this in time

Whatever goes wrong in 2, 3 or 5 is told in one and the same way: nobody learns here what listens where. No proxy is
used, since it would resolve the name once more.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from typing import BinaryIO
from urllib.parse import urljoin

from urllib3.util import Url

from jikimi.model.errors import Refused
from jikimi.plugs.web.addresses import addresses_of, is_public
from jikimi.plugs.web.client import MAX_REDIRECTS, REDIRECTS, parsed_address
from jikimi.plugs.web.wire import Head, NoAnswerError, Request, TooLargeError, direct, send
from jikimi.ports.outside import Fetched

SECONDS = 10.0
_MOST_ADDRESSES = 4
_HEADERS = {"User-Agent": "jikimi", "Accept": "image/*", "Accept-Encoding": "identity"}


class Fetcher:
    """A `Fetch` from `hosts` and all below them. `resolve` and `is_allowed_address` are there to be tested with."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        most: int,
        trust: ssl.SSLContext,
        seconds: float = SECONDS,
        resolve: Callable[[str, int], tuple[str, ...]] = addresses_of,
        is_allowed_address: Callable[[str], bool] = is_public,
    ) -> None:
        self._hosts = tuple(hosts)
        self._most = most
        self._trust = trust
        self._seconds = seconds
        self._resolve = resolve
        self._is_allowed_address = is_allowed_address

    def fetch(self, untrusted_url: str) -> Fetched:
        """Fetch the file at an address; its reader closes it."""
        file: BinaryIO = TemporaryFile()
        try:
            head = self._followed(untrusted_url, file, time.monotonic() + self._seconds)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return Fetched(file=file, content_type=head.headers.get("content-type", ""))

    def _followed(self, untrusted_url: str, file: BinaryIO, until: float) -> Head:
        url = self._allowed(untrusted_url)
        for _ in range(MAX_REDIRECTS + 1):
            head = self._got(url, file, until)
            if head.status not in REDIRECTS:
                break
            old, url = url, self._allowed(_joined(url, head.headers.get("location", "")))  # 4
            if (old.scheme, url.scheme) == ("https", "http"):
                raise _host_refused()
        if head.status != 200:
            raise _unreadable()
        return head

    def _allowed(self, untrusted_url: str) -> Url:
        """1. What it is, before anything is asked of anybody."""
        url = parsed_address(untrusted_url)
        if url is None:
            raise Refused("url_invalid", "The address has to be http:// or https:// with the name of a host.")
        host = url.host or ""
        if not any(host == name or host.endswith(f".{name}") for name in self._hosts):
            raise _host_refused()
        return url

    def _got(self, url: Url, file: BinaryIO, until: float) -> Head:
        """3 and 5. The first address that answers; the next one if nothing does."""
        request = Request(method="GET", url=url, headers={**_HEADERS, "Host": _host(url)})
        for address in self._addresses(url, until):
            file.seek(0)
            file.truncate()
            left = until - time.monotonic()
            if left <= 0:
                break
            connection = direct(url, self._trust, address=address, seconds=left)
            try:
                return send(connection, request, file, wanted=_is_good, most=self._most, seconds=left)
            except TooLargeError:
                raise Refused(
                    "url_too_large", f"The file has more than {self._most} bytes; send a smaller one."
                ) from None
            except NoAnswerError:
                continue
        raise _unreadable()

    def _addresses(self, url: Url, until: float) -> tuple[str, ...]:
        """2. All that the name stands for just now, if all of it is public."""
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = _within(until - time.monotonic(), lambda: self._resolve((url.host or "").strip("[]"), port))
        if not all(self._is_allowed_address(address) for address in addresses):
            raise _host_refused()
        return addresses[:_MOST_ADDRESSES]


def _within(seconds: float, resolve: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """The system's resolver knows no deadline of ours: it is left behind when it takes too long."""
    found: SimpleQueue[tuple[str, ...]] = SimpleQueue()
    threading.Thread(target=lambda: found.put(resolve()), daemon=True).start()
    try:
        return found.get(timeout=max(seconds, 0))
    except Empty:
        return ()


def _is_good(status: int) -> bool:
    return status == 200


def _host(url: Url) -> str:
    return f"{url.host}:{url.port}" if url.port else url.host or ""


def _joined(url: Url, untrusted_where: str) -> str:
    try:
        return urljoin(url.url, untrusted_where)
    except ValueError:
        return ""


def _host_refused() -> Refused:
    return Refused("url_host_refused", "Nothing is fetched from that host; hma_url_hosts names those that are allowed.")


def _unreadable() -> Refused:
    return Refused("url_unreadable", "No file could be fetched from that address; send the file itself.")
