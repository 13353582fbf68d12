"""StopNCII: pulls hashes that people have handed in and taken back, and gives back what was done with them.

1  a set of records is asked for, from where the last one ended, page by page. The way from page to page lives for a
   short time only: the checkpoint stays where it was until the set has been read to its end
2  a page that is not JSON is asked for again in smaller pieces, down to a single record
3  if that record breaks its page alone, what comes after it is taken all the same: somebody may be withdrawing. The
   pull fails then, to be seen, and its checkpoint stays
4  at the end of the set is where the next one starts
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from jikimi.model.errors import Refused
from jikimi.model.exchange import CheckpointStaleError, Feedback, Page
from jikimi.model.form import setting
from jikimi.plugs.exchanges.answers import body_of, check_given, unreadable
from jikimi.plugs.exchanges.stopncii_page import MATCHED, MILLISECONDS, HashesPage, key_of, read_hashes, read_way_on
from jikimi.ports.exchanges import Got, Opined, Web

FIRST = 10
"""The programme's own beginning of time."""
STALE = timedelta(days=30)
"""After so long without a pull we may have missed that something was withdrawn."""
MOST_AT_ONCE = 100
_WHO = "StopNCII"
_SAID = {Feedback.TRUE_POSITIVE: "Blocked", Feedback.FALSE_POSITIVE: "NotBlocked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNciiConfig:
    """Where the programme is, and the keys that it has given us: one of each of its end points."""

    subscription_key: str = setting("Subscription key (Ocp-Apim-Subscription-Key).", secret=True)
    fetch_key: str = setting("Key to fetch hashes with.", secret=True)
    feedback_key: str = setting("Key to give feedback with; without it none is given.", default="", secret=True)
    submit_key: str = setting("Key to hand in new hashes with; without it none are.", default="", secret=True)
    page_size: int = setting("Records of a page.", default=800)
    address: str = setting("Address of the programme.", default="https://api.stopncii.org/v1")

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= 10_000:
            raise ValueError("page_size: is 1 to 10000")
        if urlsplit(self.address).scheme not in ("http", "https"):
            raise ValueError("address: begins with https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """Where a set starts, and when we have read one to its end; `of` tells that it is the same programme's."""

    of: str
    start: int
    got: int

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


class _TokenEndedError(Exception):
    """The way to the next page is not known any more."""


class StopNcii:
    """StopNCII.org: hashes that people made of their own pictures."""

    Config: ClassVar[type] = StopNciiConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset({*_SAID, Feedback.NEW_SIGNAL})
    forgets: ClassVar[bool] = True
    is_whole = False

    def __init__(self, config: StopNciiConfig, web: Web, now: datetime) -> None:
        self._config = config
        self._web = web
        self._now = int(now.timestamp())

    @staticmethod
    def hosts(config: StopNciiConfig) -> frozenset[str]:
        """The programme's host."""
        return frozenset({urlsplit(config.address).netloc})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Pages of a set; if the way on ends in the middle of it, the set is read from its start, once."""
        at = self._start(checkpoint)
        try:
            yield from self._set(at)
        except _TokenEndedError:
            try:
                yield from self._set(at)
            except _TokenEndedError as error:
                raise unreadable(_WHO, "the way to it has ended at once, twice") from error

    def push(self, opined: Sequence[Opined]) -> None:
        """Say what was done with records, and hand in new ones; whatever is not known is named afterwards."""
        check_given(opined, self.gives)
        known = [one for one in opined if one.feedback in _SAID and _is_of(one)]
        new = [one for one in opined if one.feedback is Feedback.NEW_SIGNAL and one.signal.type == "pdq"]
        for some in _parts(known):
            said = [{"hashValue": one.signal.text, "feedbackValue": _SAID[one.feedback], "tags": []} for one in some]
            self._post("SubmitFeedback", self._config.feedback_key, "hashFeedbacks", said)
        for some in _parts(new):
            self._post("SubmitHashes", self._config.submit_key, "hashRecords", [self._submission(one) for one in some])
        if len(known) + len(new) < len(opined):
            left = [one.record or one.signal.type for one in opined if one not in known and one not in new]
            raise Refused("exchange_record_unknown", f"{_WHO} can be told nothing about {', '.join(left[:10])}.")

    def _start(self, checkpoint: str) -> _At:
        of = hashlib.sha256(self._config.address.encode()).hexdigest()[:16]
        if not checkpoint:
            return _At(of=of, start=FIRST, got=self._now)
        at = _read(checkpoint)
        if at.of != of or self._now - at.got > STALE.total_seconds():
            raise CheckpointStaleError("another address, or too long without a pull")
        return at

    def _set(self, at: _At) -> Iterator[Page]:
        # 1
        token, size, known, is_torn = "", self._config.page_size, {""}, False
        while True:
            page, size = self._page(at.start, token, size)
            is_torn = is_torn or page.is_torn
            if page.token in known and page.has_more:
                raise unreadable(_WHO, "it leads back to itself")
            # 4
            if not page.has_more and not is_torn:
                at = replace(at, start=self._next_set(at, page), got=self._now)
            yield Page(records=page.records, checkpoint=at.text, faults=page.faults)
            if not page.has_more:
                break
            token = page.token
            known.add(token)
        if is_torn:
            raise unreadable(_WHO, "a single record of it is not JSON")

    def _next_set(self, at: _At, page: HashesPage) -> int:
        """Where the next set starts: not in the future, or whoever takes a hash back until then would not be heard."""
        if page.next_set is None:
            return at.start
        return min(page.next_set, self._now * 1_000 if page.next_set > MILLISECONDS else self._now)

    def _page(self, start: int, token: str, size: int) -> tuple[HashesPage, int]:
        """A page, and how many records to ask for next."""
        while True:
            body = self._fetch(start, token, size)
            try:
                return read_hashes(body), min(size * 2, self._config.page_size)
            except ValueError as error:
                # 2
                if size > 1:
                    size //= 2
                    continue
                # 3
                way_on = read_way_on(body)
                if way_on is None:
                    raise unreadable(_WHO, str(error)) from error
                return way_on, 1

    def _fetch(self, start: int, token: str, size: int) -> bytes:
        query = {"startTimestamp": str(start), "pageSize": str(size)} | ({"nextPageToken": token} if token else {})
        got = self._ask("GET", "FetchHashes", self._config.fetch_key, query=query)
        if token and got.status in (400, 404, 410):
            raise _TokenEndedError
        return body_of(got, _WHO)

    def _submission(self, one: Opined) -> dict[str, Any]:
        feedback = {"feedbackValue": "Blocked", "tags": list(one.labels), "source": ""}
        return {
            "lastModtimestamp": self._now,
            "signalType": "ImagePDQ",
            "hashValue": one.signal.text,
            "CSPFeedbacks": [feedback],
        }

    def _post(self, path: str, key: str, name: str, values: list[dict[str, Any]]) -> None:
        if not key:
            raise Refused("exchange_key_missing", f"Give this exchange {_WHO}'s key for {path}, or stop sharing this.")
        body = json.dumps({"count": len(values), name: values}).encode()
        body_of(self._ask("POST", path, key, body=body), _WHO)

    def _ask(self, method: str, path: str, key: str, *, query: dict[str, str] | None = None, body: bytes = b"") -> Got:
        headers = {"x-functions-key": key, "Ocp-Apim-Subscription-Key": self._config.subscription_key}
        if body:
            headers["Content-Type"] = "application/json"
        return self._web.ask(
            method, f"{self._config.address.rstrip('/')}/{path}", headers=headers, query=query, body=body
        )


def _is_of(one: Opined) -> bool:
    """Whether a signal is the very one that a record has: what matched may be near it, and is not theirs to see."""
    return any(MATCHED[type_] == one.signal.type and key_of(type_, one.signal.text) == one.record for type_ in MATCHED)


def _parts(opined: Sequence[Opined]) -> Iterator[Sequence[Opined]]:
    for first in range(0, len(opined), MOST_AT_ONCE):
        yield opined[first : first + MOST_AT_ONCE]


def _read(checkpoint: str) -> _At:
    """Read what `_At.text` wrote. One that cannot be read is as good as none."""
    try:
        at = _At(**json.loads(checkpoint))
    except (ValueError, TypeError) as error:
        raise CheckpointStaleError("a checkpoint that cannot be read") from error
    if type(at.of) is not str or type(at.start) is not int or type(at.got) is not int:
        raise CheckpointStaleError("a checkpoint that cannot be read")
    return at
