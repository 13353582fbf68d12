"""Meta's ThreatExchange: one privacy group of it, over the Graph API.

    GET  /<group>/threat_updates     what has changed since a time, in the order of its changes; tombstones for 90 days
    POST /<descriptor>               a reaction of ours
    POST /threat_descriptors         a signal of ours, for the group only

An update is about one *indicator* and holds the *descriptors* of all members who speak of it. The API wants the token
in the query, and gives it back in the address of the next page: of that address only the query is used, without the
token, and no answer of the API is ever quoted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Page
from jikimi.model.form import setting
from jikimi.plugs.exchanges.answers import check_given, unreadable
from jikimi.plugs.exchanges.threatexchange_page import FIELDS, id_of, page_of
from jikimi.ports.exchanges import Got, Opined, Web

_WHO = "ThreatExchange"
STALE = timedelta(days=85)
"""Tombstones are kept for 90 days; who was away for longer has missed some."""
_REFRESH = timedelta(days=1)
"""A checkpoint says when we were here last, so it is renewed now and then though nothing has changed."""
_TYPE_OF_NEW = {"pdq": "HASH_PDQ", "md5": "HASH_MD5", "sha1": "HASH_SHA1", "sha256": "HASH_SHA256"}
_REACTIONS = {
    Feedback.SEEN: "SAW_THIS_TOO",
    Feedback.TRUE_POSITIVE: "HELPFUL",
    Feedback.FALSE_POSITIVE: "DISAGREE_WITH_TAGS",
}
_MAY_WORK_LATER = {1, 2, 4, 17, 32, 341, 368, 613}
"""Codes of the Graph API: trouble of its own, and too many calls."""
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatExchangeConfig:
    """Settings of one privacy group."""

    privacy_group: int = setting("Number of the privacy group.")
    api_token: str = setting("Token of your app: its number, a bar, its secret.", secret=True)
    address: str = setting("Address of the Graph API.", default="https://graph.facebook.com/v21.0")
    page_size: int = setting("Updates a page, 1 to 1000; fewer if the API says that it is too much.", default=500)
    share_level: str = setting(
        "How far your new signals may be passed on: RED, AMBER, GREEN or WHITE.", default="AMBER"
    )
    tags: frozenset[str] = setting("Tags of your new signals.", default=frozenset())

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError("address: write https://name/version, without a query")
        if not 1 <= self.page_size <= 1000:
            raise ValueError("page_size: is 1 to 1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    """Up to which change we have come, and when we were here last; both in seconds since 1970."""

    updated: int = 0
    pulled: int = 0

    @classmethod
    def read(cls, text: str) -> _Checkpoint:
        try:
            updated, pulled = text.split(",")
            return cls(updated=int(updated), pulled=int(pulled))
        except ValueError as error:
            raise CheckpointStaleError from error

    def __str__(self) -> str:
        return f"{self.updated},{self.pulled}"


class ThreatExchange:
    """Meta ThreatExchange: one privacy group."""

    Config: ClassVar[type] = ThreatExchangeConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset(Feedback)
    forgets: ClassVar[bool] = False
    is_whole = False

    def __init__(self, config: ThreatExchangeConfig, web: Web, now: datetime) -> None:
        self._config, self._web, self._now = config, web, now

    @staticmethod
    def hosts(config: ThreatExchangeConfig) -> frozenset[str]:
        """The host of the Graph API."""
        return frozenset({urlsplit(config.address).netloc.lower()})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give the changes since a checkpoint, in their order, so that every page is one to go on from."""
        now = int(self._now.timestamp())
        since = _Checkpoint.read(checkpoint) if checkpoint else _Checkpoint(pulled=now)
        if now - since.pulled > STALE.total_seconds():
            raise CheckpointStaleError
        highest, is_news = since.updated, False
        for updates in self._answers(since):
            page, latest = page_of(updates)
            # One time that lies in the future must not hide what changes until then.
            highest = max(highest, min(latest, now))
            is_news |= highest > since.updated
            if page.records or page.faults:
                yield Page(records=page.records, faults=page.faults, checkpoint=f"{highest},{now}")
        if not is_news and now - since.pulled > _REFRESH.total_seconds():
            yield Page(records=(), checkpoint=f"{highest},{now}")

    def push(self, opined: Sequence[Opined]) -> None:
        """React to all descriptors of a record, or add a descriptor of our own."""
        check_given(opined, self.gives)
        for one in opined:
            if one.feedback is Feedback.NEW_SIGNAL:
                self._post("threat_descriptors", self._descriptor(one))
            else:
                for descriptor in _descriptors_to_react(one):
                    self._post(descriptor, {"reactions": _REACTIONS[one.feedback]})

    def _answers(self, since: _Checkpoint) -> Iterator[Sequence[object]]:
        # What changed in the same second as the last one we saw is asked for again: it may not have been all of it.
        start = {"start_time": str(since.updated)} if since.updated else {}
        query: dict[str, str] | None = {"fields": FIELDS, "limit": str(self._config.page_size), **start}
        path = f"{self._config.privacy_group}/threat_updates/"
        while query is not None:
            answer = _object(self._ask("GET", path, query=query))
            updates = answer.get("data")
            if not isinstance(updates, list):
                raise unreadable(_WHO, "it holds no updates")
            yield updates
            query = self._next(answer, path, query)

    def _next(self, answer: Mapping[str, Any], path: str, asked: Mapping[str, str]) -> dict[str, str] | None:
        """The query of the next page. Its address is the server's word: it may not lead us anywhere else."""
        paging = answer.get("paging")
        address = paging.get("next") if isinstance(paging, dict) else None
        if not address:
            return None
        try:
            parts, own = urlsplit(str(address)), urlsplit(self._config.address)
            query = {name: value for name, value in parse_qsl(parts.query) if name != "access_token"}
        except ValueError as error:
            raise unreadable(_WHO, "it names a next page that is none") from error
        is_ours = parts.netloc.lower() == own.netloc.lower() and parts.path.strip("/").endswith(path.strip("/"))
        if not is_ours or query == asked:
            raise unreadable(_WHO, "it names a next page that is none")
        return query

    def _descriptor(self, one: Opined) -> dict[str, str]:
        group = str(self._config.privacy_group)
        return {
            "indicator": one.signal.text,
            "type": _TYPE_OF_NEW[one.signal.type],
            "description": "Confirmed by a person.",
            "share_level": self._config.share_level,
            "status": "MALICIOUS",
            "privacy_type": "HAS_PRIVACY_GROUP",
            "privacy_members": group,
            "tags": ",".join(sorted(self._config.tags)),
        }

    def _post(self, path: str, form: Mapping[str, str]) -> None:
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        self._ask("POST", path, body=body, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, *, query: Mapping[str, str] | None = None, **sent: Any) -> Got:
        address = f"{self._config.address.rstrip('/')}/{path}"
        query = {**(query or {}), "access_token": self._config.api_token}
        got = self._web.ask(method, address, query=query, again=method == "GET", most=_MOST_BYTES, **sent)
        if got.status != 200:
            raise _refusal(got)
        return got


def _descriptors_to_react(one: Opined) -> tuple[str, ...]:
    said = one.detail.get("descriptors")
    ids = tuple(filter(None, map(id_of, said))) if isinstance(said, list | tuple) else ()
    if not ids:
        raise Refused(
            "exchange_record_unknown", f"{_WHO} can be told nothing about record {one.record}: it is not held."
        )
    return ids


def _object(got: Got) -> Mapping[str, Any]:
    try:
        answer = json.loads(got.body)
    except (ValueError, RecursionError) as error:
        raise unreadable(_WHO, "it is not JSON") from error
    if not isinstance(answer, dict):
        raise unreadable(_WHO, "it is no object")
    return answer


def _refusal(got: Got) -> Refused | Unavailable:
    """What the API says no with, by its number: its words may quote the token."""
    try:
        code = int(json.loads(got.body)["error"]["code"])
    except (ValueError, KeyError, TypeError, RecursionError):
        code = 0
    if code in _MAY_WORK_LATER or got.status >= 500:
        return Unavailable("exchange_answer", f"{_WHO} answers {got.status}, code {code}; it is asked again.")
    return Refused(
        "exchange_denied",
        f"{_WHO} answers {got.status}, code {code}: check the token, and whether your app is in the group.",
    )
