"""Reading pages of ThreatExchange: updates of one indicator each, with the descriptors of all who speak of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from jikimi.model.errors import Refused
from jikimi.model.exchange import MAX_KEY, MAX_LABEL, MAX_LABELS, Json, Opinion, Page, SourceRecord, Trust
from jikimi.model.signal import Signal, parse_signal
from jikimi.plugs.exchanges.times import read_time

FIELDS = "id,indicator,type,last_updated,should_delete,descriptors{id,owner{id},status,tags,reactions}"
"""What has to be asked for."""
_TYPES = {
    "HASH_PDQ": "pdq",
    "HASH_MD5": "md5",
    "HASH_VIDEO_MD5": "md5",
    "HASH_SHA1": "sha1",
    "HASH_SHA256": "sha256",
    "HASH_VIDEO_SHA256": "sha256",
}
_DISAGREEING = {"DISAGREE_WITH_TAGS", "NON_MALICIOUS"}
_MOST_DESCRIPTORS = 50
_MOST_TEXT = 400


def page_of(updates: Sequence[object]) -> tuple[Page, int]:
    """Convert the updates of a page; with it, the time of the latest of them."""
    records: dict[str, SourceRecord] = {}
    faults: list[str] = []
    latest = 0
    for number, update in enumerate(updates, start=1):
        record = _record(update) if isinstance(update, dict) else None
        if record is None:
            faults.append(f"update {number}: not_readable")
        elif isinstance(record, str):
            faults.append(record)
        else:
            records[record.key] = record
        latest = max(latest, _seconds(record.listed_at if isinstance(record, SourceRecord) else _changed(update)))
    return Page(records=tuple(records.values()), checkpoint="", faults=tuple(faults)), latest


def _record(update: Mapping[str, Any]) -> SourceRecord | str | None:
    key = id_of(update.get("id"))
    if not key:
        return None
    listed_at = read_time(update.get("last_updated"))
    # An update without descriptors is a tombstone too, and one whose descriptors nobody owns says nothing.
    descriptors = () if update.get("should_delete") else _owned(update.get("descriptors"))
    if not descriptors:
        return SourceRecord(key=key, withdrawn=True, listed_at=listed_at)
    kind, indicator = str(update.get("type", ""))[:_MOST_TEXT], str(update.get("indicator", ""))
    try:
        signals = _signals(kind, indicator)
    except Refused as error:
        return f"update {key}: {error.code}"
    opinion, trust = _judged(descriptors)
    return SourceRecord(
        key=key,
        signals=signals,
        opinion=opinion,
        trust=trust,
        labels=_labels(descriptors),
        listed_at=listed_at,
        detail=_detail(kind, "" if signals else indicator, descriptors),
    )


def _signals(kind: str, indicator: str) -> tuple[Signal, ...]:
    return (parse_signal(_TYPES[kind], indicator),) if kind in _TYPES else ()


def _owned(untrusted: object) -> tuple[Mapping[str, Any], ...]:
    data = untrusted.get("data") if isinstance(untrusted, dict) else None
    some = data[:_MOST_DESCRIPTORS] if isinstance(data, list) else []
    return tuple(one for one in some if isinstance(one, dict) and id_of(one.get("id")) and _owner(one))


def _owner(descriptor: Mapping[str, Any]) -> str:
    owner = descriptor.get("owner")
    return id_of(owner.get("id")) if isinstance(owner, dict) else ""


def id_of(untrusted: object) -> str:
    """A number of the API as text; nothing for anything else, since it goes into addresses."""
    text = str(untrusted) if isinstance(untrusted, str | int) and not isinstance(untrusted, bool) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= MAX_KEY else ""


def _judged(descriptors: Sequence[Mapping[str, Any]]) -> tuple[Opinion, Trust]:
    statuses = {str(one.get("status")) for one in descriptors}
    reactions = {name for one in descriptors if one.get("reactions") for name in _reactions(one)}
    is_bad, is_good = "MALICIOUS" in statuses or "HELPFUL" in reactions, "NON_MALICIOUS" in statuses
    trust = Trust.CONFIRMED if "HELPFUL" in reactions else Trust.UNCONFIRMED
    if is_good and not is_bad:
        return Opinion.NEGATIVE, trust
    return (Opinion.DISPUTED if is_good or reactions & _DISAGREEING else Opinion.POSITIVE), trust


def _reactions(descriptor: Mapping[str, Any]) -> Iterator[str]:
    """Names of reactions that somebody has had: `[{key, value: "member,member"}]`."""
    reactions = descriptor.get("reactions")
    for one in reactions if isinstance(reactions, list) else ():
        if isinstance(one, dict) and one.get("value"):
            yield str(one.get("key"))


def _labels(descriptors: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    tags = [tag for one in descriptors for tag in _tags(one.get("tags"))]
    owners = [f"owner:{_owner(one)}" for one in descriptors]
    return tuple(dict.fromkeys(one[:MAX_LABEL] for one in [*owners[: MAX_LABELS // 2], *tags]))[:MAX_LABELS]


def _tags(untrusted: object) -> Iterator[str]:
    """Tags come as a list of texts, or as `{data: [{text}]}`."""
    some = untrusted.get("data") if isinstance(untrusted, dict) else untrusted
    for one in some if isinstance(some, list) else ():
        text = one.get("text") if isinstance(one, dict) else one
        if isinstance(text, str) and text:
            yield text


def _detail(kind: str, text: str, descriptors: Sequence[Mapping[str, Any]]) -> dict[str, Json]:
    said: list[Json] = [str(one["id"]) for one in descriptors]
    return {"type": kind, "descriptors": said, **({"text": text[:_MOST_TEXT]} if text else {})}


def _changed(update: object) -> datetime | None:
    return read_time(update.get("last_updated")) if isinstance(update, dict) else None


def _seconds(at: datetime | None) -> int:
    return int(at.timestamp()) if at else 0
