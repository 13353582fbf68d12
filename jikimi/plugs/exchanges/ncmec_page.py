"""One page of NCMEC's hash sharing, version 2: XML in, records and the address of the next page out. Pure.

What a page says is not trusted. It is read as UTF-8 and must not declare a document type, and without one there are no
entities to expand and nothing outside to fetch. Entries are turned into records as they come by, so that no tree of a
large page is kept. An entry that cannot be read is a fault, with its key and the reason, never a value.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, ParseError, iterparse

from jikimi.model.errors import Refused
from jikimi.model.exchange import Opinion, SourceRecord, Trust
from jikimi.model.signal import SIGNAL_KINDS, Signal, parse_signal

MAX_ID = 100
"""Characters of an entry's id."""
MAX_KEPT = 4_096
"""Characters of a fingerprint that is kept without being matched; the large ones are given as addresses anyway."""
_KINDS = {"image": "image", "video": "video", "deletedImage": "image", "deletedVideo": "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is true of all entries of a list: its labels, whether people have vetted it, whose entries are wanted."""

    labels: tuple[str, ...] = ()
    is_vetted: bool = False
    only_members: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesPage:
    """A page as it was read. `left` is how many entries come after it, as far as the address of the next one says."""

    records: tuple[SourceRecord, ...]
    faults: tuple[str, ...]
    next: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Votes:
    """Types of fingerprint that members have confirmed, and those that members have denied."""

    yes: frozenset[str] = frozenset()
    no: frozenset[str] = frozenset()


_NONE = _Votes()


class _UnreadableError(Exception):
    """An entry cannot be read; the message holds no value."""


def read_entries(untrusted: bytes, listing: Listing) -> EntriesPage:
    """Read an answer to `GET /v2/entries`; `ValueError` if it is not one."""
    records: dict[str, SourceRecord] = {}
    faults: list[str] = []
    next_ = ""
    number = 0
    for name, element in _elements(untrusted, "queryResult"):
        if name in _KINDS:
            number += 1
            try:
                record = _record(name, element, listing, faults)
                if record is not None:
                    records[record.key] = record
            except _UnreadableError as error:
                faults.append(f"entry {number} of its page: {error}")
            element.clear()
        elif name == "next":
            # It has been seen escaped once, as XML is; escaped twice, it would do no harm either.
            next_ = _text(element).replace("&amp;", "&")
    return EntriesPage(records=tuple(records.values()), faults=tuple(faults), next=next_, left=_left(next_))


def read_reasons(untrusted: bytes) -> Mapping[str, str]:
    """Read an answer to `GET /v2/feedback/TYPE/reasons`: guids by name; `ValueError` if it cannot be read."""
    reasons = (element for name, element in _elements(untrusted) if name == "reason")
    return {element.get("name", ""): element.get("guid", "") for element in reasons if element.get("guid")}


def _elements(untrusted: bytes, root: str = "") -> Iterator[tuple[str, Element]]:
    """Every element when it is complete, with its name without the namespace."""
    text = untrusted.decode("utf-8-sig")
    # Text is parsed as text, whatever encoding it claims: so this is the one spelling that a document type can have.
    if "<!DOCTYPE" in text:
        raise ValueError("it declares a document type")
    name = ""
    try:
        for _, element in iterparse(io.StringIO(text)):  # noqa: S314 - without a document type there is nothing to fear
            name = _local(element.tag)
            yield name, element
    except ParseError as error:
        raise ValueError(f"it is not XML from line {error.position[0]} on") from error
    # A page of another kind, such as an apology in XHTML, must not pass for a range without entries.
    if root and name != root:
        raise ValueError(f"it is not a {root}")


@lru_cache(1_024)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _text(element: Element | None) -> str:
    return ((element.text or "") if element is not None else "").strip()


def _left(next_: str) -> int:
    """What `start` and `max` of an address say is still to come."""
    query = parse_qs(urlsplit(next_).query) if next_ else {}
    try:
        return max(1, int(query["max"][-1][:12]) - int(query["start"][-1][:12]) + 1)
    except (KeyError, ValueError):
        return 1 if next_ else 0


def _record(name: str, element: Element, listing: Listing, faults: list[str]) -> SourceRecord | None:
    """The record of an entry, or none if it is not wanted or says nothing that can be read."""
    parts = {_local(part.tag): part for part in element}
    member = _member(parts.get("member"))
    if listing.only_members and member not in listing.only_members:
        return None
    # The programme itself addresses an entry by these two, whether picture or video: they do not collide.
    key = f"{member}-{_id(parts.get('id'))}"
    listed_at = _time(_text(parts.get("timestamp")))
    if name.startswith("deleted"):
        return SourceRecord(key=key, withdrawn=True, listed_at=listed_at)
    signals, kept, bad = _fingerprints(parts.get("fingerprints"))
    faults += [f"{key}: its {kind} cannot be read" for kind in bad]
    if bad and not signals:
        return None
    votes = _votes(parts["feedback"]) if "feedback" in parts else _NONE
    classification = _text(parts.get("classification"))
    media = (f"media:{_KINDS[name]}", f"member:{member} {_text(parts['member'])}".rstrip())
    return SourceRecord(
        key=key,
        signals=signals,
        opinion=_opinion(votes),
        trust=_trust(listing.is_vetted or bool(classification), signals, votes),
        labels=listing.labels + media + ((f"classification:{classification}",) if classification else ()),
        listed_at=listed_at,
        detail=_detail(kept, votes),
    )


def _member(element: Element | None) -> int:
    id_ = element.get("id", "") if element is not None else ""
    if not (id_.isascii() and id_.isdigit() and len(id_) <= 18):
        raise _UnreadableError("its member has no number")
    return int(id_)


def _id(element: Element | None) -> str:
    id_ = _text(element)
    if not (0 < len(id_) <= MAX_ID and id_.isprintable()):
        raise _UnreadableError("it has no id, or an id that cannot be used")
    return id_


def _time(text: str) -> datetime | None:
    """A time as aware UTC; what names no zone is UTC, wherever this machine stands."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fingerprints(element: Element | None) -> tuple[tuple[Signal, ...], dict[str, str], list[str]]:
    """What is matched, what is only kept, and the kinds that cannot be read."""
    signals: list[Signal] = []
    kept: dict[str, str] = {}
    bad: list[str] = []
    for part in element if element is not None else ():
        kind = _local(part.tag).lower()
        text = _text(part)
        if kind not in SIGNAL_KINDS:
            kept[kind[:MAX_ID]] = (text or part.get("href", ""))[:MAX_KEPT]
            continue
        try:
            signals.append(parse_signal(kind, text))
        except Refused:  # its message shows the value
            bad.append(kind)
    return tuple(signals), kept, bad


def _votes(element: Element) -> _Votes:
    """Who has said something is named below it; without members, nobody has."""
    types: dict[str, set[str]] = {"affirmativeFeedback": set(), "negativeFeedback": set()}
    for part in element:
        said = types.get(_local(part.tag))
        if said is not None and any(_local(one.tag) == "member" for one in part.iter()):
            said.add(part.get("type", "").upper()[:MAX_ID])
    return _Votes(yes=frozenset(types["affirmativeFeedback"]), no=frozenset(types["negativeFeedback"]))


def _opinion(votes: _Votes) -> Opinion:
    """Members speak of one fingerprint each, and all are of one picture: where two differ, a person has to look."""
    if not votes.no:
        return Opinion.POSITIVE
    return Opinion.DISPUTED if votes.yes else Opinion.NEGATIVE


def _trust(is_vetted: bool, signals: tuple[Signal, ...], votes: _Votes) -> Trust:
    """Whether somebody has looked: those who vet the list, whoever classified the entry, or a member who confirmed it.

    NCMEC has three analysts look at each entry of the non-profit lists. What industry hands in has been seen by the
    one who did it, unless it carries a class or another's confirmation of every fingerprint that we match.
    """
    has_said_yes = bool(signals) and votes.yes.issuperset(signal.type.upper() for signal in signals)
    return Trust.CONFIRMED if is_vetted or has_said_yes else Trust.UNCONFIRMED


def _detail(kept: dict[str, str], votes: _Votes) -> dict[str, str | list[str] | dict[str, str]]:
    detail: dict[str, str | list[str] | dict[str, str]] = {}
    if kept:
        detail["fingerprints"] = kept
    if votes.yes:
        detail["affirmed"] = sorted(votes.yes)
    if votes.no:
        detail["denied"] = sorted(votes.no)
    return detail
