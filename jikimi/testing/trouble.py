"""A `Web` that watches what a connector asks, and goes wrong where it is told to.

What a connector hears of a hanging or failing host is always the same, whatever went wrong (see `ports.exchanges.Web`),
so it is said here at once and no check has to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    ) -> Got:
        """Ask, and spoil the answer if that is wanted."""
        self.asked.append((method, urlsplit(url).netloc.lower()))
        if self._fails_at and len(self.asked) >= self._fails_at:
            raise Unavailable("web_unavailable", "The host gave no answer.")
        got = self._web.ask(method, url, headers=headers, query=query, body=body, again=again, most=most)
        if self._bends is not None and len(self.asked) >= self._bends_at and got.status == 200:
            bent = self._bends(got)
            self.bent += bent != got
            got = bent
        return got
