"""A `Web` that watches what a connector asks, and goes wrong where it is told to.

What a connector hears of a hanging or failing host is always the same, whatever went wrong (see `ports.exchanges.Web`),
so it is said here at once and no check has to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import BinaryIO
from urllib.parse import urlsplit

from jikimi.model.errors import Unavailable
from jikimi.ports.exchanges import Got, Web

Bend = Callable[[Got], Got]


class Trouble:
    """Passes on to a `Web`. `fails_at`: from this request on there is no answer; `bends` what the others get."""

    def __init__(self, web: Web, *, fails_at: int = 0, bends: Bend | None = None, bends_at: int = 0) -> None:
        self._web = web
        self._fails_at, self._bends, self._bends_at = fails_at, bends, bends_at
        self.asked: list[tuple[str, str]] = []
        """What was asked: the method and the host."""
        self.bent = 0

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
        """Ask, and spoil the answer if that is wanted."""
        self.asked.append((method, urlsplit(url).netloc.lower()))
        if self._fails_at and len(self.asked) >= self._fails_at:
            raise Unavailable("web_unavailable", "The host gave no answer.")
        got = self._web.ask(method, url, headers=headers, query=query, body=body, again=again, most=most, into=into)
        if self._bends is None or len(self.asked) < self._bends_at or got.status != 200:
            return got
        return self._bent(got, into)

    def _bent(self, got: Got, into: BinaryIO | None) -> Got:
        assert self._bends is not None
        whole = got if into is None else replace(got, body=_taken_out(into))
        bent = self._bends(whole)
        self.bent += bent != whole
        if into is None or bent.status != 200:
            return bent
        into.write(bent.body)
        return replace(bent, body=b"")


def _taken_out(file: BinaryIO) -> bytes:
    file.seek(0)
    body = file.read()
    file.seek(0)
    file.truncate()
    return body
