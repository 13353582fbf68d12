"""The list of Acme, a programme that does not exist, as a kind of exchange for jikimi.

    GET  /changes?after=N&limit=M    {"changes": [{"id", "md5", "state", "changed"}], "last": N}
    POST /seen/ID                    one of its hashes has matched

Acme numbers its changes, so that the number of the last one we saw is all that a checkpoint has to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.signal import parse_signal
from jikimi.ports.exchanges import Got, Opined, Web


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeConfig:
    """What an operator has to type. The forms of the desk and of the command line are made from it."""

    address: str = setting("Address of Acme's service.")
    token: str = setting("Token from Acme.", secret=True)
    page_size: int = setting("Changes a page.", default=500)


class Acme:
    """Pulls Acme's list, and says what was seen."""

    Config: ClassVar[type] = AcmeConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset({Feedback.SEEN})
    forgets: ClassVar[bool] = False
    is_whole = False

    def __init__(self, config: AcmeConfig, web: Web, now: datetime) -> None:
        self._config, self._web = config, web

    @staticmethod
    def hosts(config: AcmeConfig) -> frozenset[str]:
        """The only host that jikimi lets us speak to."""
        return frozenset({urlsplit(config.address).netloc.lower()})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give page after page, until there is an empty one."""
        if checkpoint and not checkpoint.isdecimal():
            raise CheckpointStaleError
        while True:
            query = {"after": checkpoint or "0", "limit": str(self._config.page_size)}
            page = page_of(self._ask("GET", "changes", query=query).body)
            if not page.records and not page.faults:
                return
            yield page
            checkpoint = page.checkpoint

    def push(self, opined: Sequence[Opined]) -> None:
        """Say of each record that it was seen."""
        if any(one.feedback not in self.gives for one in opined):
            raise Refused("feedback_not_taken", "Acme only takes what was seen.")
        for one in opined:
            self._ask("POST", f"seen/{quote(one.record, safe='')}")

    def _ask(self, method: str, path: str, **sent: Any) -> Got:
        headers = {"Authorization": f"Bearer {self._config.token}"}
        got = self._web.ask(method, f"{self._config.address.rstrip('/')}/{path}", headers=headers, **sent)
        if got.status in (401, 403):
            raise Refused("exchange_denied", f"Acme answers {got.status}: check the token.")
        if got.status != 200:
            raise Unavailable("exchange_answer", f"Acme answers {got.status}; it is asked again.")
        return got


def page_of(body: bytes) -> Page:
    """Convert an answer. This is a pure function, so that tests can give it recorded pages."""
    try:
        answer = json.loads(body)
        changes, last = answer["changes"], int(answer["last"])
        read = [_record(change) for change in changes]
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise Unavailable("exchange_page_broken", "A page of Acme cannot be read; it is asked again.") from error
    records = {one.key: one for one in read if isinstance(one, SourceRecord)}
    faults = tuple(one for one in read if isinstance(one, str))
    return Page(records=tuple(records.values()), checkpoint=str(last), faults=faults)


def _record(change: dict[str, Any]) -> SourceRecord | str:
    """A record, or why it cannot be read: by its key, never by its value."""
    key, changed = str(change["id"]), datetime.fromtimestamp(change["changed"], UTC)
    if change["state"] == "removed":
        return SourceRecord(key=key, withdrawn=True, listed_at=changed)
    try:
        signal = parse_signal("md5", str(change["md5"]))
    except Refused as error:
        return f"record {key}: {error.code}"
    return SourceRecord(key=key, signals=(signal,), trust=Trust.CONFIRMED, listed_at=changed)
