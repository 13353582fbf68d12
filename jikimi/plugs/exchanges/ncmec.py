"""NCMEC's hash sharing, version 2: pulls a list in ranges of time, and gives back feedback.

1  a range of time is asked for, from where everything has been seen up to five seconds ago, by our clock and by theirs
2  if it announces very many entries, a part of it is asked for instead: down to one second, which may hold any number
3  its pages are followed to the end. They are in no order of time: until then nothing is concluded from them
4  then everything up to the end of the range has been seen; after a small range a larger one is asked for

Between two pages the checkpoint is the range, the address of the next page and when that was got. After twelve hours
such an address passes over entries, so the range starts again.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import ClassVar
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

from jikimi.model.errors import Refused
from jikimi.model.exchange import CheckpointStaleError, Feedback, Page
from jikimi.plugs.exchanges.answers import body_of, check_given, unreadable
from jikimi.plugs.exchanges.ncmec_lists import NcmecConfig
from jikimi.plugs.exchanges.ncmec_page import EntriesPage, read_entries, read_reasons
from jikimi.ports.exchanges import Got, Opined, Web

SHRINK = 4
GROW = 2
SETTLING = 5
"""Seconds before now that are not asked for yet: entries may still be on their way."""
ADDRESS_LASTS = timedelta(hours=12)
LONGEST_RANGE = 100 * 365 * 86_400
NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
_WHO = "NCMEC"


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """How far one has come: all up to `drained` has been seen; `next` leads on within the range that ends at `to`.

    `of` tells whether a checkpoint is of the same list, with the same choice of entries. Times are in seconds.
    """

    of: str
    drained: int
    span: int = LONGEST_RANGE
    to: int = 0
    next: str = ""
    got: int = 0

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


class _AddressEndedError(Exception):
    """The address of a next page is not known any more."""


class Ncmec:
    """NCMEC hash sharing: one of its lists."""

    Config: ClassVar[type] = NcmecConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset({Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE})
    forgets: ClassVar[bool] = False
    is_whole = False
    most_in_range: ClassVar[int] = 100_000
    """Entries that are drained in one go, a hundred pages: little is asked for again when a pull is cut short."""
    few_in_range: ClassVar[int] = 25_000

    def __init__(self, config: NcmecConfig, web: Web, now: datetime) -> None:
        self._config = config
        self._web = web
        self._now = int(now.timestamp())
        self._end = self._now - SETTLING
        credentials = b64encode(f"{config.user}:{config.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Accept": "application/xml"}

    @staticmethod
    def hosts(config: NcmecConfig) -> frozenset[str]:
        """The list's host."""
        return frozenset({urlsplit(config.base).netloc})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Pages of what has changed; an empty page still says how far one has come."""
        at = self._start(checkpoint)
        restarted = -1
        while at.drained < self._end:
            try:
                at = yield from self._drained(at)
            except _AddressEndedError as error:
                if restarted == at.drained:
                    raise unreadable(_WHO, "its address has ended at once, twice") from error
                restarted = at.drained
                at = replace(at, to=0, next="", got=0)

    def push(self, opined: Sequence[Opined]) -> None:
        """Confirm or deny entries. All are tried; who is unknown there is named afterwards."""
        check_given(opined, self.gives)
        unknown = [one.record for one in opined if not self._give(one)]
        if unknown:
            raise Refused(
                "exchange_record_unknown", f"{_WHO} does not know {', '.join(unknown[:10])}: nothing can be said of it."
            )

    def _start(self, checkpoint: str) -> _At:
        config = self._config
        chosen = json.dumps([config.base, config.since, sorted(config.only_members)])
        of = hashlib.sha256(chosen.encode()).hexdigest()[:16]
        at = _read(checkpoint) if checkpoint else _At(of=of, drained=config.first)
        if at.of != of:
            raise CheckpointStaleError("another list or another choice of entries than now")
        if at.next and self._now - at.got > ADDRESS_LASTS.total_seconds():
            return replace(at, to=0, next="", got=0)
        return at

    def _drained(self, at: _At) -> Generator[Page, None, _At]:
        """Drain one range, or find that it has to be smaller; give back how far one has come."""
        to = at.to if at.next else min(at.drained + at.span, self._end)
        # 1
        page = self._entries(at.drained, to, at.next)
        to = max(at.drained, min(to, self._end))
        # 2
        if not at.next and page.left + len(page.records) > self.most_in_range and to - at.drained > 1:
            return replace(at, span=max(1, (to - at.drained) // SHRINK))
        # 3
        seen, known = len(page.records), {at.next}
        while page.next:
            if page.next in known:
                raise unreadable(_WHO, "it leads back to itself")
            known.add(page.next)
            on = replace(at, to=to, next=page.next, got=self._now)
            yield Page(records=page.records, checkpoint=on.text, faults=page.faults)
            page = self._entries(at.drained, to, page.next)
            seen += len(page.records)
        # 4
        span = min(at.span * GROW, LONGEST_RANGE) if seen < self.few_in_range else at.span
        end = _At(of=at.of, drained=to, span=span)
        yield Page(records=page.records, checkpoint=end.text, faults=page.faults)
        return end

    def _entries(self, from_: int, to: int, next_: str) -> EntriesPage:
        """One page; one that cannot be read is asked for once more."""
        for is_last in (False, True):
            body = self._ask_entries(from_, to, next_)
            try:
                page = read_entries(body, self._config.listing)
                _check_address(page.next)
            except ValueError as error:
                if is_last:
                    raise unreadable(_WHO, str(error)) from error
            else:
                return page
        raise AssertionError("the last try has returned or raised")

    def _ask_entries(self, from_: int, to: int, next_: str) -> bytes:
        if not next_:
            got = self._ask("GET", "/v2/entries", query={"from": _time(from_), "to": _time(to)})
            self._end = min(self._end, _time_of(got, self._now) - SETTLING)
            return body_of(got, _WHO)
        got = self._ask("GET", next_)
        if got.status in (400, 404, 410):
            raise _AddressEndedError
        return body_of(got, _WHO)

    def _give(self, one: Opined) -> bool:
        """Whether the entry is known there."""
        member, _, entry = one.record.partition("-")
        type_ = one.signal.type.upper()
        if not entry:
            return False
        said = "<affirmative/>" if one.feedback is Feedback.TRUE_POSITIVE else self._denial(type_)
        got = self._ask(
            "PUT",
            f"/v2/entries/{quote(member, safe='')}/{quote(entry, safe='')}/{type_}/feedback",
            body=f'<feedbackSubmission xmlns="{NAMESPACE}">{said}</feedbackSubmission>'.encode(),
        )
        if got.status == 404:
            return False
        body_of(got, _WHO)
        return True

    def _denial(self, type_: str) -> str:
        """A no has to name a reason, out of those that the programme offers for a type."""
        try:
            reasons = read_reasons(body_of(self._ask("GET", f"/v2/feedback/{type_}/reasons"), _WHO))
        except ValueError as error:
            raise unreadable(_WHO, str(error)) from error
        guid = reasons.get(self._config.negative_reason)
        if guid is None:
            raise Refused(
                "exchange_reason_unknown",
                f"Set negative_reason of this exchange to one of {_WHO}'s reasons: {', '.join(sorted(reasons)[:20])}.",
            )
        return f"<negative><reasonIds><guid>{escape(guid)}</guid></reasonIds></negative>"

    def _ask(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes = b"") -> Got:
        headers = self._headers | ({"Content-Type": "application/xml"} if body else {})
        return self._web.ask(method, self._config.base + path, headers=headers, query=query, body=body)


def _read(checkpoint: str) -> _At:
    """Read what `_At.text` wrote. One that cannot be read is as good as none."""
    try:
        at = _At(**json.loads(checkpoint))
    except (ValueError, TypeError) as error:
        raise CheckpointStaleError("a checkpoint that cannot be read") from error
    if any(type(getattr(at, one.name)) is not (str if one.type == "str" else int) for one in fields(at)):
        raise CheckpointStaleError("a checkpoint that cannot be read")
    return at


def _check_address(next_: str) -> None:
    """Our credentials go where the list is, and nowhere else."""
    if next_ and (not next_.startswith("/v2/") or not next_.isascii() or not next_.isprintable()):
        raise ValueError("it leads elsewhere")


def _time_of(got: Got, now: int) -> int:
    """The programme's clock. Where ours is ahead of it, what we take for past is yet to come."""
    try:
        date = parsedate_to_datetime(got.headers.get("date", ""))
    except (ValueError, OverflowError):
        return now
    return min(now, int(date.replace(tzinfo=date.tzinfo or UTC).timestamp()))


def _time(second: int) -> str:
    """UTC, wherever this machine stands."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
