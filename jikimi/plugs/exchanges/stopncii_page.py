"""One page of StopNCII: JSON in, records and the way on out. Pure.

People hand in hashes of their own pictures, and may take them back. `hashStatus` says so, and it counts at once,
whatever else a record says; a record also counts as taken back when all cases that it belongs to are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jikimi.model.errors import Refused
from jikimi.model.exchange import Json, Opinion, SourceRecord, Trust
from jikimi.model.signal import Signal, parse_signal

MATCHED = {"ImagePDQ": "pdq", "VideoMD5": "md5"}
"""What of StopNCII's types is matched here, as which of ours. The others are kept with their value."""
MAX_KEPT = 4_096
MAX_WORD = 200
MAX_WORDS = 50
_TAKEN_BACK = frozenset({"withdrawn", "deleted"})
_LIVE = frozenset({"received", "active", "unknown"})
_MEDIA = {"Image": ("media:image",), "Video": ("media:video",)}
MILLISECONDS = 100_000_000_000
"""As seconds, this number lies in the year 5138: larger ones are milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashesPage:
    """A page as it was read. `next_set` is where the next pull starts once there are no more pages.

    `is_torn`: it could not be read but for the way on.
    """

    records: tuple[SourceRecord, ...] = ()
    faults: tuple[str, ...] = ()
    has_more: bool = False
    token: str = ""
    next_set: int | None = None
    is_torn: bool = False


class _UnreadableError(Exception):
    """A record cannot be read; the message holds no value."""


def read_hashes(untrusted: bytes) -> HashesPage:
    """Read an answer to `GET /FetchHashes`; `ValueError` if it is not one."""
    page = _json(untrusted)
    raws, has_more, token = page.get("hashRecords"), page.get("hasMoreRecords"), page.get("nextPageToken")
    if not isinstance(raws, list) or not isinstance(has_more, bool):
        raise ValueError("it has no hashRecords or does not say whether there are more")
    token = token if has_more and isinstance(token, str) else ""
    if has_more and not token:
        raise ValueError("there is more, and it has no nextPageToken")
    records, faults = _records(raws)
    next_set = page.get("nextSetTimestamp")
    is_time = isinstance(next_set, int) and not isinstance(next_set, bool) and 0 <= next_set < 1_000 * MILLISECONDS
    return HashesPage(
        records=records,
        faults=faults,
        has_more=has_more,
        token=token,
        next_set=next_set if is_time else None,
    )


def read_way_on(untrusted: bytes) -> HashesPage | None:
    """What can be made of a page that is not JSON: the way on, or nothing."""
    token = re.search(rb'"nextPageToken"\s*:\s*"([!#-\[\]-~]{1,4096})"', untrusted)
    if token is None or not re.search(rb'"hasMoreRecords"\s*:\s*true', untrusted):
        return None
    return HashesPage(
        faults=("a record cannot be read, and breaks its page",), has_more=True, token=token[1].decode(), is_torn=True
    )


def key_of(type_: str, value: str) -> str:
    """Our key for a record, which has none of its own.

    It is made from the value, so that the same record is found again when it is withdrawn; and it is not the value,
    for keys stand in messages and stay where feedback was given, after the record and its hash have been erased.
    """
    return f"{type_}:{hashlib.sha256(f'{type_}:{value}'.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _json(untrusted: bytes) -> Mapping[str, Any]:
    try:
        page = json.loads(untrusted.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(page, dict):
        raise ValueError("it is not an object")
    return page


def _records(raws: list[Any]) -> tuple[tuple[SourceRecord, ...], tuple[str, ...]]:
    records: dict[str, SourceRecord] = {}
    faults: list[str] = []
    for number, raw in enumerate(raws, start=1):
        try:
            record = _record(raw)
            records[record.key] = record
        except _UnreadableError as error:
            faults.append(f"record {number} of its page: {error}")
    return tuple(records.values()), tuple(faults)


def _record(raw: Any) -> SourceRecord:
    if not isinstance(raw, dict):
        raise _UnreadableError("it is not an object")
    type_, value, status = _word(raw, "signalType"), _value(raw), _word(raw, "hashStatus").lower()
    value = value.lower() if type_ in MATCHED else value
    key, listed_at = key_of(type_, value), _time(raw.get("lastModtimestamp"))
    if status in _TAKEN_BACK or _is_given_up(raw.get("caseNumbers")):
        return SourceRecord(key=key, withdrawn=True, listed_at=listed_at)
    if status not in _LIVE:
        raise _UnreadableError(f"{key} has a status that is not known")
    said = [one["feedbackValue"] for one in _feedback(raw)]
    return SourceRecord(
        key=key,
        signals=_signals(type_, value, key),
        opinion=_opinion(said),
        trust=Trust.CONFIRMED if "Blocked" in said else Trust.UNCONFIRMED,
        labels=("list:stopncii", *_MEDIA.get(type_[:5], ())),
        listed_at=listed_at,
        detail=_detail(raw, type_, value),
    )


def _word(raw: Mapping[str, Any], name: str) -> str:
    word = raw.get(name)
    if not (isinstance(word, str) and 0 < len(word) <= 40 and word.isascii() and word.isprintable()):
        raise _UnreadableError(f"its {name} is missing, or no word")
    return word


def _value(raw: Mapping[str, Any]) -> str:
    value = raw.get("hashValue")
    if not (isinstance(value, str) and value.strip()):
        raise _UnreadableError("its hashValue is missing, or no text")
    return value.strip()


def _is_given_up(cases: Any) -> bool:
    """Whether it belongs to cases, and all of them are taken back. Without cases, it comes as a list."""
    if not isinstance(cases, dict) or not cases:
        return False
    return all(isinstance(status, str) and status.lower() in _TAKEN_BACK for status in cases.values())


def _signals(type_: str, value: str, key: str) -> tuple[Signal, ...]:
    if type_ not in MATCHED:
        return ()
    try:
        return (parse_signal(MATCHED[type_], value),)
    except Refused as error:  # its message shows the value
        raise _UnreadableError(f"{key} has a value that is no {type_}") from error


def _feedback(raw: Mapping[str, Any]) -> list[dict[str, str]]:
    """What members say of it, as far as it can be read."""
    said = raw.get("CSPFeedbacks")
    return [
        {"feedbackValue": one["feedbackValue"][:MAX_WORD], "source": str(one.get("source", ""))[:MAX_WORD]}
        for one in (said[:MAX_WORDS] if isinstance(said, list) else ())
        if isinstance(one, dict) and isinstance(one.get("feedbackValue"), str)
    ]


def _opinion(said: list[str]) -> Opinion:
    if "NotBlocked" not in said:
        return Opinion.POSITIVE
    return Opinion.DISPUTED if "Blocked" in said else Opinion.NEGATIVE


def _detail(raw: Mapping[str, Any], type_: str, value: str) -> dict[str, Json]:
    """Numbers of cases are people's and are not kept."""
    detail: dict[str, Json] = {"type": type_}
    if type_ not in MATCHED:
        detail["value"] = value[:MAX_KEPT]
    if feedback := _feedback(raw):
        detail["feedback"] = feedback
    return detail


def _time(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds / 1_000 if seconds > MILLISECONDS else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
