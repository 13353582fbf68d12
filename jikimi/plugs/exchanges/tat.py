"""Tech Against Terrorism: the hash list of its Terrorist Content Analytics Platform.

    POST /token-auth/tcap/                  user and password for a token
    GET  /api/hash-list/v2/all?after=…      records in the order of their changes; each page names the last one in it

A checkpoint of the programme is `time,number` of the last record of a page, and any page can be gone on from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from jikimi.model.errors import Refused
from jikimi.model.exchange import MAX_KEY, MAX_LABEL, CheckpointStaleError, Feedback, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.signal import parse_signal
from jikimi.plugs.exchanges.answers import body_of, check_given, unreadable
from jikimi.plugs.exchanges.times import read_time
from jikimi.ports.exchanges import Opined, Web

_WHO = "Tech Against Terrorism"
_ALGORITHMS = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "pdq": "pdq"}
_LIST, _TOKEN = "api/hash-list/v2/all", "token-auth/tcap/"
_CHECKPOINT = re.compile(r"[0-9.]{1,20},[0-9]{1,20}")
_MOST_BYTES = 64 << 20
_MOST_TOKEN = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class TatConfig:
    """Settings of the list."""

    username: str = setting("User name from the programme.")
    password: str = setting("Password of that user.", secret=True)
    address: str = setting("Address of the platform.", default="https://app.terrorismanalytics.org")

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError("address: write https://name, without a query")


class TechAgainstTerrorism:
    """Tech Against Terrorism: its list of hashes."""

    Config: ClassVar[type] = TatConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset()
    forgets: ClassVar[bool] = False
    is_whole = False

    def __init__(self, config: TatConfig, web: Web, now: datetime) -> None:
        self._config, self._web = config, web

    @staticmethod
    def hosts(config: TatConfig) -> frozenset[str]:
        """The host of the platform."""
        return frozenset({urlsplit(config.address).netloc.lower()})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give what has changed after a checkpoint, page by page."""
        if checkpoint and not _CHECKPOINT.fullmatch(checkpoint):
            raise CheckpointStaleError
        token, after, has_more = self._token(), checkpoint, True
        while has_more:
            query = {"order": "asc", "after": after} if after else {"order": "asc"}
            answer = _object(self._ask("GET", _LIST, query=query, headers={"Authorization": f"Bearer {token}"}))
            page = page_of(answer, after)
            has_more = bool(answer.get("next")) and page.checkpoint != after
            if answer.get("next") and not has_more:
                raise unreadable(_WHO, "it leads back to itself")
            if page.records or page.faults:
                yield page
            after = page.checkpoint

    def push(self, opined: Sequence[Opined]) -> None:
        """Refuse: the list takes nothing back."""
        check_given(opined, self.gives)

    def _token(self) -> str:
        form = {"username": self._config.username, "password": self._config.password, "resend": "False"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = _object(self._ask("POST", _TOKEN, body=urlencode(form).encode(), headers=headers))
        token = answer.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > _MOST_TOKEN:
            raise unreadable(_WHO, "it holds no token")
        return token

    def _ask(self, method: str, path: str, **sent: Any) -> bytes:
        got = self._web.ask(method, f"{self._config.address.rstrip('/')}/{path}", most=_MOST_BYTES, **sent)
        # A wrong password is answered with 400 there.
        return body_of(replace(got, status=403) if got.status == 400 else got, _WHO)


def page_of(answer: Mapping[str, Any], after: str) -> Page:
    """Convert an answer to what was asked for after a checkpoint."""
    results, checkpoint = answer.get("results"), answer.get("checkpoint") or after
    if not isinstance(results, list) or (results and not _CHECKPOINT.fullmatch(str(checkpoint))):
        raise unreadable(_WHO, "it holds no records or no checkpoint")
    read = [_record(one, number) for number, one in enumerate(results, start=1)]
    records = {one.key: one for one in read if isinstance(one, SourceRecord)}
    faults = tuple(one for one in read if isinstance(one, str))
    return Page(records=tuple(records.values()), checkpoint=str(checkpoint), faults=faults)


def _record(untrusted: object, number: int) -> SourceRecord | str:
    key = str(untrusted["id"]) if isinstance(untrusted, dict) and isinstance(untrusted.get("id"), int | str) else ""
    if not isinstance(untrusted, dict) or not 0 < len(key) <= MAX_KEY:
        return f"record {number}: not_readable"
    listed_at = read_time(untrusted.get("updated_on"))
    if untrusted.get("deleted"):
        return SourceRecord(key=key, withdrawn=True, listed_at=listed_at)
    algorithm = str(untrusted.get("algorithm", "")).lower()
    try:
        type_ = _ALGORITHMS.get(algorithm)
        signals = (parse_signal(type_, str(untrusted.get("hash_digest"))),) if type_ else ()
    except Refused as error:
        return f"record {key}: {error.code}"
    labels = (f"{name}:{untrusted[name]}"[:MAX_LABEL] for name in ("ideology", "file_type") if untrusted.get(name))
    return SourceRecord(
        key=key,
        signals=signals,
        trust=Trust.CONFIRMED,
        labels=tuple(labels),
        listed_at=listed_at,
        detail={"algorithm": algorithm[:MAX_LABEL]},
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable(_WHO, "it is not JSON") from error
    if not isinstance(answer, dict):
        raise unreadable(_WHO, "it is no object")
    return answer
