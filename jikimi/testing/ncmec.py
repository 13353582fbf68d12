"""NCMEC's hash sharing, version 2, as far as it is known from outside; with made-up entries only.

    with Ncmec(user="we", password="…") as ncmec:
        ncmec.fill(100_000)
        ncmec.put(42, "image1", md5="…", at=…)
        ncmec.delete(42, "image1", at=…)

To look at it: `python -m jikimi.testing.ncmec --entries 5000`.

The entries of a range come in no order of time. The addresses of its next pages belong to what the range held when its
first page was given; after `lasts` they lead on in what it holds then, and so pass over entries.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, quoteattr

from jikimi.testing.listserver import Asked, ListServer, Reply, run

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
PAGE = 1000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_FEEDBACK = re.compile(r"/v2/entries/(\d+)/([^/]+)/([A-Z0-9_]+)/feedback")
_FIRST = int(datetime(2019, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry; `at` is in seconds, `votes` is XML as it stands below `feedback`."""

    member: int
    id: str
    at: int
    kind: str = "image"
    classification: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    votes: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A piece of feedback as it arrived; `body` is its XML."""

    member: int
    id: str
    type: str
    body: str


class Ncmec(ListServer):
    """One list. `clock` gives seconds; `page` is how many entries come at once."""

    def __init__(
        self,
        *,
        user: str = "user",
        password: str = "password",  # noqa: S107 - of a list that does not exist
        clock: Callable[[], float] = time.time,
        lasts: float = 12 * 3600,
        page: int = PAGE,
        port: int = 0,
    ) -> None:
        credentials = b64encode(f"{user}:{password}".encode()).decode()
        super().__init__({"Authorization": f"Basic {credentials}"}, port=port)
        self.members = {42: "Example Member", 43: "Another & Co"}
        self.reasons = {
            "Not what the list is for": "00000000-0000-4000-8000-000000000001",
            "Bad hash": "00000000-0000-4000-8000-000000000002",
        }
        self.given: list[Given] = []
        self._user = user
        self._clock = clock
        self._lasts = lasts
        self.page_size = page
        self._entries: dict[tuple[int, str], Entry] = {}
        self._ordered: list[Entry] = []
        self._ranges: dict[tuple[int, int], tuple[float, list[Entry]]] = {}

    def put(
        self,
        member: int,
        id_: str,
        *,
        at: int,
        kind: str = "image",
        classification: str = "",
        votes: str = "",
        **fingerprints: str,
    ) -> None:
        """Add an entry, or change it."""
        entry = Entry(
            member=member,
            id=id_,
            at=at,
            kind=kind,
            classification=classification,
            votes=votes,
            fingerprints=fingerprints,
        )
        self._set([entry])

    def delete(self, member: int, id_: str, *, at: int) -> None:
        """Leave a tombstone where an entry was."""
        self._set([Entry(member=member, id=id_, at=at, kind=self._entries[member, id_].kind, deleted=True)])

    def fill(
        self, count: int, *, first: int = _FIRST, last: int = 0, seed: int = 1, kind: str = "image"
    ) -> list[Entry]:
        """Add made-up entries, spread evenly over a time."""
        chance = random.Random(seed)
        last = last or int(self._clock()) - 3600
        entries = [
            Entry(
                member=42,
                id=f"{kind}{seed}x{number}",
                at=first + (last - first) * number // max(count, 1),
                kind=kind,
                classification="A1",
                fingerprints={
                    "md5": chance.randbytes(16).hex(),
                    "sha1": chance.randbytes(20).hex(),
                    "pdq": chance.randbytes(32).hex(),
                },
            )
            for number in range(count)
        ]
        self._set(entries)
        return entries

    def _set(self, entries: list[Entry]) -> None:
        self._entries |= {(entry.member, entry.id): entry for entry in entries}
        self._ordered = sorted(self._entries.values(), key=lambda entry: entry.at)

    def answer(self, asked: Asked) -> Reply:
        """Answer as the list does; whatever stands before `/v2/` is a matter of which list it is."""
        path = asked.path[max(asked.path.find("/v2/"), 0) :]
        if asked.method == "PUT" and (match := _FEEDBACK.fullmatch(path)):
            return self._take(match, asked)
        if match := re.fullmatch(r"/v2/feedback/([A-Z0-9_]+)/reasons", path):
            return self._reasons(match[1])
        plain = {"/v2/status": self._status, "/v2/members": self._members}.get(path)
        if plain is not None:
            return plain()
        if path != "/v2/entries":
            return Reply(status=404)
        return replace(self._range(asked.query), headers={"Date": formatdate(self._clock(), usegmt=True)})

    def _status(self) -> Reply:
        text = f"<ipAddress>127.0.0.1</ipAddress><username>{escape(self._user)}</username>"
        return _xml("status", f'{text}<member id="1">We</member>')

    def _members(self) -> Reply:
        return _xml("members", "".join(map(self._member, self.members)))

    def _reasons(self, type_: str) -> Reply:
        named = (
            f'<reason guid="{guid}" name={quoteattr(name)} type="{type_}"/>' for name, guid in self.reasons.items()
        )
        return _xml("availableFeedbackReasons", "".join(named))

    def _take(self, match: re.Match[str], asked: Asked) -> Reply:
        member, id_, type_ = int(match[1]), unquote(match[2]), match[3]
        if (member, id_) not in self._entries:
            return Reply(status=404)
        self.given.append(Given(member=member, id=id_, type=type_, body=asked.body.decode()))
        return Reply(status=200)

    def _range(self, query: Mapping[str, str]) -> Reply:
        if not (_TIME.fullmatch(query.get("from", "")) and _TIME.fullmatch(query.get("to", ""))):
            return Reply(status=400)
        start = int(query.get("start", "1"))
        entries = self._held(query["from"], query["to"], is_first=start == 1)
        page = entries[start - 1 : start - 1 + self.page_size]
        text = "".join(
            f"<{plural}{self._about(page, kind)}</{plural}>"
            for kind, plural in (("image", "images"), ("video", "videos"))
        )
        if start - 1 + self.page_size < len(entries):
            times = f"from={quote(query['from'], safe='')}&to={quote(query['to'], safe='')}"
            next_ = f"/v2/entries?{times}&start={start + self.page_size}&size={self.page_size}&max={len(entries)}"
            text += f"<paging><next>{escape(next_)}</next></paging>"
        return _xml("queryResult", text)

    def _held(self, from_: str, to: str, *, is_first: bool) -> list[Entry]:
        """What a range holds: both its ends belong to it."""
        span = (_second(from_), _second(to))
        given_at, entries = self._ranges.get(span, (0.0, []))
        if not is_first and self._clock() - given_at <= self._lasts:
            return entries
        at = lambda entry: entry.at  # noqa: E731
        entries = self._ordered[
            bisect_left(self._ordered, span[0], key=at) : bisect_right(self._ordered, span[1], key=at)
        ]
        random.Random(len(entries)).shuffle(entries)
        self._ranges[span] = (self._clock(), entries)
        return entries

    def _about(self, page: list[Entry], kind: str) -> str:
        entries = [entry for entry in page if entry.kind == kind]
        newest = max((entry.at for entry in entries), default=_FIRST)
        return f' count="{len(entries)}" maxTimestamp="{_written(newest)}">' + "".join(map(self._entry, entries))

    def _entry(self, entry: Entry) -> str:
        about = f"{self._member(entry.member)}<timestamp>{_written(entry.at)}</timestamp><id>{escape(entry.id)}</id>"
        if entry.deleted:
            tag = f"deleted{entry.kind.title()}"
            return f"<{tag}>{about}</{tag}>"
        marks = "".join(f"<{name}>{value}</{name}>" for name, value in entry.fingerprints.items())
        class_ = f"<classification>{entry.classification}</classification>" if entry.classification else ""
        votes = f"<feedback>{entry.votes}</feedback>" if entry.votes else ""
        return f"<{entry.kind}>{about}{class_}<fingerprints>{marks}</fingerprints>{votes}</{entry.kind}>"

    def _member(self, id_: int) -> str:
        return f'<member id="{id_}">{escape(self.members.get(id_, "A member"))}</member>'


def affirmed(type_: str, member: int = 43) -> str:
    """A member's yes about one type of fingerprint."""
    return (
        f'<affirmativeFeedback type="{type_}"><members><member id="{member}">M</member></members></affirmativeFeedback>'
    )


def denied(type_: str, member: int = 43) -> str:
    """A member's no about one type of fingerprint."""
    reason = f'<reason guid="00000000-0000-4000-8000-000000000002" name="Bad hash" type="{type_}"/>'
    members = f'<members><member id="{member}">M</member></members>'
    return f'<negativeFeedback type="{type_}"><reasons>{reason}{members}</reasons></negativeFeedback>'


def _xml(root: str, text: str) -> Reply:
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    return Reply.xml(f'{head}<{root} xmlns="{NAMESPACE}">{text}</{root}>')


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _written(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    """Serve a list of made-up entries until interrupted; user and password are `user` and `password`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--port", type=int, default=0)
    choice = parser.parse_args()
    ncmec = Ncmec(port=choice.port)
    ncmec.fill(choice.entries)
    run(ncmec)


if __name__ == "__main__":
    main()
