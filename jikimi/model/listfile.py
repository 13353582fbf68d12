"""Reading a list of signals: plain lines, CSV or NDJSON, told apart by the first line.

Plain: `pdq:VALUE`, `pdq VALUE`, or a bare value whose length says its type (64 digits need a type from the caller,
since they can be pdq or sha256). `#` begins a comment. CSV: columns `type` and `value`, or columns named after signal
types; `note` and `quality` are read. NDJSON: objects with the same names, such as `bank export` and `hash` write.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from jikimi.model.bank import MAX_TEXT, NewEntry
from jikimi.model.errors import Refused
from jikimi.model.signal import SIGNAL_KINDS, Signal, parse_signal

MAX_LINE = 20_000
"""Characters of a line; nothing that we read is near that long."""

_TYPE_NAMES = ("type", "signal_type", "algorithm")
_VALUE_NAMES = ("value", "signal", "hash", "signal_value", "hash_value")
_BY_LENGTH = {32: "md5", 40: "sha1"}
_VALUE = re.compile("[0-9a-f]{32,64}")
"""What a column is never called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodLine:
    """A line that gave an entry."""

    number: int
    entry: NewEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that could not be used, and why. `problem` may quote it; `code` never does."""

    number: int
    problem: str
    code: str


ListLine = GoodLine | BadLine
_Reader = Callable[[str, str], list[NewEntry]]


def read_list(untrusted_lines: Iterable[str], *, type_: str = "") -> Iterator[ListLine]:
    """Read a list line by line; `type_` is the type of bare values. A line may give several entries, or one mistake."""
    numbered = enumerate(untrusted_lines, start=1)
    for number, line in numbered:
        text = line.lstrip("\ufeff").strip()
        if not text or text.startswith("#"):
            continue
        rest = chain([(number, line.lstrip("\ufeff"))], numbered)
        if text.startswith("{"):
            yield from _read_each(rest, _json_signals, type_)
        elif "," in text:
            yield from _read_csv(rest, type_)
        else:
            yield from _read_each(rest, _plain_signals, type_)
        return


def _read_each(lines: Iterable[tuple[int, str]], read: _Reader, type_: str) -> Iterator[ListLine]:
    for number, line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            yield from _guarded(number, text, read, type_)


def _guarded(number: int, text: str, read: _Reader, type_: str) -> Sequence[ListLine]:
    try:
        if len(text) > MAX_LINE:
            raise Refused("line_too_long", f"The line has more than {MAX_LINE} characters.")
        return [GoodLine(number=number, entry=entry) for entry in read(text, type_)]
    except Refused as error:
        return [BadLine(number=number, problem=error.message, code=error.code)]


def _plain_signals(text: str, type_: str) -> list[NewEntry]:
    for separator in (":", None):
        parts = text.split(separator, 1)
        if len(parts) == 2:
            return [NewEntry(signal=parse_signal(parts[0], parts[1]))]
    return [NewEntry(signal=_bare(text, type_))]


def _bare(text: str, type_: str) -> Signal:
    name = type_ or _BY_LENGTH.get(len(text), "")
    if name:
        return parse_signal(name, text)
    if len(text) == 64:
        raise Refused(
            "signal_type_missing", "64 digits can be pdq or sha256; say which with --type, or write pdq:VALUE."
        )
    raise Refused("signal_form_invalid", f"{text[:40]!r} is no signal; write it as TYPE:VALUE.")


def _json_signals(text: str, type_: str) -> list[NewEntry]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("line_not_json", "The line is not a JSON object.") from error
    if not isinstance(fields, dict):
        raise Refused("line_not_json", "The line is not a JSON object.")
    nested = fields.get("signals")
    if isinstance(nested, list):
        some = [entry for one in nested if isinstance(one, dict) for entry in _field_signals(one, type_)]
        whole = [NewEntry(signal=parse_signal("sha256", str(fields["sha256"])))] if fields.get("sha256") else []
        if not some and not whole:
            raise Refused("line_without_signal", "The object holds no signal.")
        return whole + some
    return _field_signals(fields, type_)


def _read_csv(lines: Iterable[tuple[int, str]], type_: str) -> Iterator[ListLine]:
    header: list[str] | None = None
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
        except csv.Error:
            yield BadLine(number=number, problem="The line is not CSV.", code="line_not_csv")
            continue
        if header is None:
            names = [cell.lower() for cell in cells]
            if {*names} & {*_VALUE_NAMES, *SIGNAL_KINDS} and not any(map(_VALUE.fullmatch, names)):
                header = names
                continue
            header = ["type", "value", "note"]
            if cells[0].lower() not in SIGNAL_KINDS:
                header = ["value", "note"]
        fields = dict(zip(header, cells, strict=False))
        yield from _guarded(number, text, partial(_cell_signals, fields), type_)


def _cell_signals(fields: Mapping[str, object], _text: str, type_: str) -> list[NewEntry]:
    return _field_signals(fields, type_)


def _field_signals(fields: Mapping[str, object], type_: str) -> list[NewEntry]:
    note = str(fields.get("note") or "")[:MAX_TEXT]
    quality = _quality(fields.get("quality"))
    value = next((str(fields[name]) for name in _VALUE_NAMES if fields.get(name)), "")
    if value:
        named = next((str(fields[name]) for name in _TYPE_NAMES if fields.get(name)), type_)
        signals = [parse_signal(named, value) if named else _bare(value, "")]
    else:
        signals = [parse_signal(name, str(fields[name])) for name in SIGNAL_KINDS if fields.get(name)]
    if not signals:
        raise Refused("line_without_signal", "The line holds no signal.")
    return [
        NewEntry(signal=replace(one, quality=quality if SIGNAL_KINDS[one.type].perceptual else None), note=note)
        for one in signals
    ]


def _quality(untrusted: object) -> int | None:
    if untrusted is None or untrusted == "":
        return None
    try:
        quality = int(str(untrusted))
    except ValueError:
        quality = -1
    if not 0 <= quality <= 100:
        raise Refused("quality_invalid", f"A quality is a whole number from 0 to 100, not {str(untrusted)[:40]!r}.")
    return quality
