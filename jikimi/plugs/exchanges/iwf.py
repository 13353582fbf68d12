"""Hash lists in the manner of the Internet Watch Foundation: CSV with a heading, or JSON, graded by people.

The programme does not publish its field list, so names are read leniently: case, spaces and hyphens do not matter, and
each thing may be called in several ways. What is not known here is left out, except that PhotoDNA is kept for those who
may compare it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, ClassVar

from jikimi.model.errors import Refused
from jikimi.model.exchange import MAX_KEY, Feedback, Json, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.signal import Signal, parse_signal
from jikimi.plugs.exchanges.answers import check_given
from jikimi.plugs.exchanges.json_stream import plain_name, read_objects
from jikimi.plugs.exchanges.list import lines_of
from jikimi.plugs.exchanges.times import read_time
from jikimi.plugs.exchanges.whole_list import Fault, Place, broken_off, digest_key, hosts_of, read_whole
from jikimi.ports.exchanges import Opined, Web

_SIGNALS = {
    "md5": "md5", "md5hash": "md5", "sha1": "sha1", "sha1hash": "sha1", "sha256": "sha256", "sha256hash": "sha256",
    "pdq": "pdq", "pdqhash": "pdq",
}  # fmt: skip
_IDS = ("id", "hashid", "imageid", "recordid", "reference")
_CATEGORIES = ("category", "iwfcategory", "ukcategory", "grade", "severity")
_TIMES = ("updated", "lastupdated", "modified", "lastmodified", "created", "dateadded", "date")
_PHOTODNA = ("photodna", "pdna", "photodnahash")
_FLAGS = {
    "selfgenerated": "self-generated",
    "aigenerated": "ai-generated",
    "ai": "ai-generated",
    "interpolbaseline": "interpol-baseline",
    "baseline": "interpol-baseline",
    **{
        name: f"legality:{country}"
        for country in ("uk", "us", "ca", "au", "nz")
        for name in (country, f"illegal{country}")
    },
}
_YES = {"true", "yes", "y", "1", "illegal"}
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class IwfConfig(Place):
    """Settings of one list."""

    categories: frozenset[str] = setting("Categories that match.", default=frozenset({"A", "B", "C"}))


class Iwf:
    """Graded lists as the IWF hands them out: CSV or JSON, from a file or an address."""

    Config: ClassVar[type] = IwfConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset()
    forgets: ClassVar[bool] = False
    is_whole = True

    def __init__(self, config: IwfConfig, web: Web, now: datetime) -> None:
        self._config, self._web = config, web

    @staticmethod
    def hosts(config: IwfConfig) -> frozenset[str]:
        """The host of the address, if it is one."""
        return hosts_of(config)

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give the whole list, unless it is the same as last time."""
        read = partial(records_of, categories=frozenset(one.upper() for one in self._config.categories))
        return read_whole(self._config, self._web, checkpoint, read)

    def push(self, opined: Sequence[Opined]) -> None:
        """Refuse: a list takes nothing back."""
        check_given(opined, self.gives)


def records_of(file: BinaryIO, *, categories: frozenset[str]) -> Iterator[SourceRecord | Fault]:
    """Read a list in either form; what is of another category is passed over."""
    is_json = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")
    file.seek(0)
    rows = read_objects(file, _SIGNALS) if is_json else _csv_rows(lines_of(file))
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            yield f"record {number}: not_readable"
            continue
        fields = {plain_name(name): value for name, value in row.items() if isinstance(name, str)}
        category = _category(fields)
        if not category or category in categories:
            yield _record(fields, number, category)


def _csv_rows(lines: Iterable[str]) -> Iterator[object]:
    """Rows by their heading; none in place of a row that is not CSV."""
    heading: list[str] | None = None
    for line in lines:
        cells = _cells(line.lstrip("\ufeff"))
        if heading is None:
            heading = cells
            if not {plain_name(name) for name in heading or ()} & {*_SIGNALS}:
                raise Refused("list_without_heading", "The first line names no column that we know, such as MD5.")
        elif cells and len(cells) < len(heading) and not line.endswith("\n"):
            raise broken_off()
        elif cells != []:
            yield dict(zip(heading, cells, strict=False)) if cells is not None else None


def _cells(line: str) -> list[str] | None:
    try:
        return [cell.strip() for cell in next(csv.reader(io.StringIO(line.replace("\x00", "")), strict=True), [])]
    except csv.Error:
        return None


def _record(fields: Mapping[str, Any], number: int, category: str) -> SourceRecord | Fault:
    try:
        signals = _signals(fields)
        if not signals:
            return f"record {number}: without_signal"
        return SourceRecord(
            key=_key(fields, signals),
            signals=signals,
            trust=Trust.CONFIRMED if category else Trust.UNCONFIRMED,
            labels=_labels(fields, category),
            listed_at=read_time(_first(fields, _TIMES)),
            detail=_detail(fields),
        )
    except Refused as error:
        return f"record {number}: {error.code}"


def _key(fields: Mapping[str, Any], signals: Sequence[Signal]) -> str:
    """The list's own key, unless that is a hash itself."""
    given = _first(fields, _IDS)
    is_own = 0 < len(given) <= MAX_KEY and not any(one.text in given.lower() for one in signals)
    return given if is_own else digest_key(signals[0].text)


def _signals(fields: Mapping[str, Any]) -> tuple[Signal, ...]:
    found = (parse_signal(type_, str(fields[name])) for name, type_ in _SIGNALS.items() if fields.get(name))
    return tuple(dict.fromkeys(found))


def _labels(fields: Mapping[str, Any], category: str) -> tuple[str, ...]:
    flags = (label for name, label in _FLAGS.items() if str(fields.get(name, "")).strip().lower() in _YES)
    return tuple(dict.fromkeys([*([f"category:{category}"] if category else ()), *flags]))


def _detail(fields: Mapping[str, Any]) -> dict[str, Json]:
    photodna = _first(fields, _PHOTODNA)
    return {"photodna": photodna} if photodna else {}


def _category(fields: Mapping[str, Any]) -> str:
    """`A` of `A`, `a` and `Category A`."""
    words = _first(fields, _CATEGORIES).upper().split()
    return words[-1][:20] if words else ""


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of several names that has a value, as text."""
    found = next((fields[name] for name in names if fields.get(name) not in (None, "")), "")
    return "" if isinstance(found, dict | list) else str(found).strip()[:_MOST_TEXT]
