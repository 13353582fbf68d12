"""A plain way to a simulator, which remembers where it has been."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import urllib3

from jikimi.model.errors import Unavailable
from jikimi.ports.exchanges import Got


class PlainWeb:
    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(retries=False, timeout=5.0)

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
        whole = url + ("?" + urlencode(query) if query else "")
        for _ in range(3 if again else 1):
            try:
                answer = self._pool.request(
                    method, whole, headers=dict(headers or {}), body=body or None, redirect=False
                )
            except urllib3.exceptions.HTTPError:
                continue
            if answer.status not in (408, 429) and answer.status < 500:
                return Got(status=answer.status, headers={}, body=answer.data)
        raise Unavailable("outgoing_failed", "There is no answer.")
