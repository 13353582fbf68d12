"""Project VIC and CAID: files of the Video Image Classification Standard, JSON in the form of OData 1.2, 1.3 or 2.0.

Media lie under `value`, or under `value[].Media` of a file of cases. What a category number means differs between
countries, and some mean that a file is harmless: only the categories that the settings name are matched. Free text may
name people, so of series, victims and offenders only is kept whether there is one, and of tags only those that the
settings name. Paths, comments and camera data are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, ClassVar

from jikimi.model.errors import Refused
from jikimi.model.exchange import MAX_LABEL, Feedback, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.signal import Signal, parse_signal
from jikimi.plugs.exchanges.answers import check_given
from jikimi.plugs.exchanges.json_stream import plain_name, read_objects
from jikimi.plugs.exchanges.times import read_time
from jikimi.plugs.exchanges.whole_list import Fault, Place, digest_key, hosts_of, read_whole
from jikimi.ports.exchanges import Opined, Web

_KEYS = frozenset({"mediaid", "md5", "sha1"})
_ALTERNATIVE = {"sha256": "sha256", "pdq": "pdq", "md5": "md5", "sha1": "sha1"}
_FLAGS = {
    "Series": "series",
    "VictimIdentified": "victim-identified",
    "OffenderIdentified": "offender-identified",
    "IsDistributed": "distributed",
    "IsPrecategorized": "precategorized",
    "IsSuspected": "suspected",
}
_NO = {"", "false", "no", "0", "none", "null", "n"}
_MOST_HASHES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VicsConfig(Place):
    """Settings of one file."""

    categories: frozenset[int] = setting(
        "Category numbers that match; what they mean differs by country, so ask who gave you the file.",
        default=frozenset({1}),
    )
    tags: frozenset[str] = setting(
        "Tags to keep as labels; others may name people and are left out.", default=frozenset()
    )


class Vics:
    """Project VIC and CAID: media files in JSON, from a file or an address."""

    Config: ClassVar[type] = VicsConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset()
    forgets: ClassVar[bool] = False
    is_whole = True

    def __init__(self, config: VicsConfig, web: Web, now: datetime) -> None:
        self._config, self._web = config, web

    @staticmethod
    def hosts(config: VicsConfig) -> frozenset[str]:
        """The host of the address, if it is one."""
        return hosts_of(config)

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give the whole file, unless it is the same as last time."""
        read = partial(records_of, categories=self._config.categories, tags=self._config.tags)
        return read_whole(self._config, self._web, checkpoint, read)

    def push(self, opined: Sequence[Opined]) -> None:
        """Refuse: a file takes nothing back."""
        check_given(opined, self.gives)


def records_of(file: BinaryIO, *, categories: frozenset[int], tags: frozenset[str]) -> Iterator[SourceRecord | Fault]:
    """Read media one by one; those of other categories are passed over."""
    for number, medium in enumerate(read_objects(file, _KEYS), start=1):
        if not isinstance(medium, dict):
            yield f"medium {number}: not_an_object"
        elif _number(medium.get("Category")) in categories:
            yield _record(medium, number, tags)


def _record(medium: Mapping[str, Any], number: int, tags: frozenset[str]) -> SourceRecord | Fault:
    media_id = _number(medium.get("MediaID"))
    try:
        signals = _signals(medium)
    except Refused as error:
        return f"medium {number if media_id is None else media_id}: {error.code}"
    if not signals:
        return f"medium {number if media_id is None else media_id}: without_signal"
    return SourceRecord(
        key=digest_key(signals[0].text),
        signals=signals,
        trust=Trust.UNCONFIRMED if _is_set(medium.get("IsSuspected")) else Trust.CONFIRMED,
        labels=_labels(medium, tags),
        listed_at=read_time(medium.get("DateUpdated")),
        detail={"media_id": media_id, "bytes": _number(medium.get("MediaSize"))},
    )


def _signals(medium: Mapping[str, Any]) -> tuple[Signal, ...]:
    found = [parse_signal(name.lower(), str(medium[name])) for name in ("MD5", "SHA1") if medium.get(name)]
    others = medium.get("AlternativeHashes")
    for one in others[:_MOST_HASHES] if isinstance(others, list) else ():
        type_ = _ALTERNATIVE.get(plain_name(str(one.get("HashName")))) if isinstance(one, dict) else None
        if type_ and one.get("HashValue"):
            found.append(parse_signal(type_, str(one["HashValue"])))
    return tuple(dict.fromkeys(found))


def _labels(medium: Mapping[str, Any], tags: frozenset[str]) -> tuple[str, ...]:
    flags = tuple(label for name, label in _FLAGS.items() if _is_set(medium.get(name)))
    return (f"category:{_number(medium.get('Category'))}", *flags, *_tags(medium.get("Tags"), tags))


def _tags(untrusted: object, wanted: frozenset[str]) -> tuple[str, ...]:
    parts = untrusted if isinstance(untrusted, list) else str(untrusted or "").replace(";", ",").split(",")
    named = {str(part).strip() for part in parts} if wanted else set()
    return tuple(f"tag:{one}"[:MAX_LABEL] for one in sorted(named & wanted))


def _is_set(value: object) -> bool:
    return value is not None and str(value).strip().lower() not in _NO


def _number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
