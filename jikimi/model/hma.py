"""What Hasher-Matcher-Actioner (HMA) calls things, and its rules where they differ from ours.

HMA keeps *contents* in a bank: one content has one or several signals, a note, and a switch. An entry of ours holds one
signal once, however many contents bring it. An entry that came by another way, from an exchange or by the command line,
is shown as a content of its own, whose number is `OWN` plus the entry's.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jikimi.model.bank import DEFAULT_DISTANCE, BankPolicy, Category, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.signal import SIGNAL_KINDS, Signal, parse_signal
from jikimi.model.text import UNSTORABLE

OWN = 1_000_000_000_000
"""From here on numbers of contents stand for entries: far above any content, far below 2^53, where JSON's end."""
MOST_ID = 2**53
MAX_NOTE = 255
MAX_METADATA = 8 * 1024
"""Characters of metadata, written as JSON."""
OFF, ON = 0, 1
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when an entry sleeps that is switched off."""
_LONGEST_OFF = timedelta(days=5 * 365)
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,254}")
_ID = re.compile(r"[0-9]{1,16}")
_METADATA_TEXTS = ("content_id", "content_uri")

OUR_TYPES = {"pdq": "pdq", "video_md5": "md5", "md5": "md5", "sha1": "sha1", "sha256": "sha256"}
"""HMA's names of signal types, then those that only we have, and what each is here."""
DIGESTS = ("md5", "sha1", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """A kind of content as HMA has it: the types it is hashed by unless others are asked for, and all it can have."""

    name: str
    usual: tuple[str, ...]
    types: tuple[str, ...]


CONTENT_TYPES = {
    one.name: one
    for one in (
        ContentType(name="photo", usual=("pdq",), types=("pdq", *DIGESTS)),
        ContentType(name="video", usual=("video_md5",), types=("video_md5", *DIGESTS)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HmaRules:
    """What an operator chooses for programs written for HMA. `needs_key`: they have to show one."""

    needs_key: bool
    category: Category
    """What a bank holds that such a program makes, and what a match in it does."""
    on_match: OnMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContent:
    """A content on its way into a bank."""

    signals: tuple[Signal, ...]
    note: str = ""
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankContent:
    """A content of a bank. `disable_until`: 1 on, 0 off, else the unix time from which it is on again."""

    id: int
    bank_id: int
    entry_ids: tuple[int, ...]
    note: str = ""
    metadata: Mapping[str, Any] | None = None
    disable_until: int = ON

    def is_on(self, now: datetime) -> bool:
        """Tell whether it takes part in look-ups."""
        return self.disable_until != OFF and self.disable_until <= now.timestamp()


def asleep_until(contents: Collection[BankContent]) -> datetime | None:
    """Until when an entry sleeps that these contents bring: one that is on keeps it awake."""
    untils = [content.disable_until for content in contents]
    if not untils or ON in untils:
        return None
    dates = [until for until in untils if until != OFF]
    return datetime.fromtimestamp(min(dates), UTC) if dates else FOR_EVER


def has_own(contents: Collection[BankContent]) -> bool:
    """Tell whether one of them stands for an entry by itself."""
    return any(content.id > OWN for content in contents)


def ratio_of(policy: BankPolicy) -> float:
    """The part of look-ups that a bank answers; 0 is how HMA says that it is disabled."""
    return policy.ratio if policy.enabled else 0.0


def with_ratio(policy: BankPolicy, ratio: float) -> BankPolicy:
    """The policy that answers this part of look-ups; once it is enabled again, a disabled bank answers all."""
    return replace(policy, enabled=ratio > 0, ratio=ratio or 1.0)


def draw(seed: str | None) -> float:
    """HMA's coin: one number for each look-up of one signal; the same seed gives the same number."""
    return random.Random(seed).random()


def takes_part(ratio: float, drawn: float) -> bool:
    """Tell whether a bank answers: HMA asks banks in a part of all look-ups only."""
    return ratio >= drawn


def checked_name(untrusted_name: str, what: str) -> str:
    """Return a new name if HMA would take it."""
    if not _NAME.fullmatch(untrusted_name):
        raise Refused(f"{what}_name_invalid", f"A {what}'s name is 1 to 255 of A-Z, 0-9 and '_', no digit first.")
    return untrusted_name


def hma_type(type_: str) -> str:
    """What a type of ours is called by HMA."""
    return next(name for name, ours in OUR_TYPES.items() if ours == type_)


def read_content_id(untrusted_text: str) -> int:
    """Read a content's number; what is none is the number of no content."""
    return int(untrusted_text) if _ID.fullmatch(untrusted_text) else 0


def our_type(untrusted_name: str) -> str:
    """What a type of HMA's is called here."""
    if untrusted_name not in OUR_TYPES:
        raise Refused("signal_type_unknown", f"There is no signal type {untrusted_name[:40]!r}.")
    return OUR_TYPES[untrusted_name]


def read_signal(untrusted_name: str, untrusted_value: str) -> Signal:
    """Read a signal; as HMA has it, PDQ is written in lower case."""
    type_ = our_type(untrusted_name)
    if SIGNAL_KINDS[type_].perceptual and untrusted_value != untrusted_value.lower():
        raise Refused("signal_value_invalid", f"Write {untrusted_name} in lower-case hexadecimal digits.")
    return parse_signal(type_, untrusted_value)


def wanted_types(content: ContentType, untrusted_types: str | None) -> tuple[str, ...]:
    """The types that a list with commas asks for, or the usual ones if there is no list."""
    if untrusted_types is None:
        return content.usual
    names = [name.strip() for name in untrusted_types.split(",") if name.strip()]
    if not names:
        raise Refused("types_missing", "`types` names no signal type; leave it out for the usual ones.")
    for name in names:
        our_type(name)
        if name not in content.types:
            raise Refused("signal_type_unfit", f"{name} is no signal type of {content.name}.")
    return tuple(dict.fromkeys(names))


def content_type(untrusted_name: str) -> ContentType:
    """A kind of content by its name."""
    if untrusted_name not in CONTENT_TYPES:
        raise Refused("content_type_unknown", f"There is no content type {untrusted_name[:40]!r}; use photo or video.")
    return CONTENT_TYPES[untrusted_name]


def content_type_of(untrusted_header: str) -> ContentType:
    """The kind of content that a `Content-Type` speaks of."""
    by_family = {"image": "photo", "video": "video"}
    name = by_family.get(untrusted_header.split("/")[0].strip().lower())
    if name is None:
        raise Refused("content_type_unknown", "What is at that address is called neither image nor video.")
    return CONTENT_TYPES[name]


def checked_note(untrusted_note: object) -> str:
    """Return a note as it will be stored."""
    if not isinstance(untrusted_note, str) or len(untrusted_note) > MAX_NOTE or UNSTORABLE.search(untrusted_note):
        raise Refused("note_invalid", f"note is text of at most {MAX_NOTE} characters, none of them 0.")
    return untrusted_note


def checked_metadata(untrusted: object) -> dict[str, Any]:
    """Return metadata as they will be stored. What a caller says of exchanges (`collab`) is not taken from it."""
    if not isinstance(untrusted, dict):
        raise Refused("metadata_invalid", "metadata is a JSON object.")
    said = {key: value for key, value in untrusted.items() if key != "collab"}
    if set(said) - {*_METADATA_TEXTS, "json"}:
        raise Refused("metadata_invalid", "metadata holds content_id, content_uri and json, and no other key.")
    if not all(isinstance(said.get(key), str | None) for key in _METADATA_TEXTS):
        raise Refused("metadata_invalid", "content_id and content_uri are text.")
    if not isinstance(said.get("json"), dict | None):
        raise Refused("metadata_invalid", "metadata's json is an object.")
    text = json.dumps(said, ensure_ascii=False)
    if len(text) > MAX_METADATA or UNSTORABLE.search(text):
        raise Refused("metadata_invalid", f"metadata is Unicode text of at most {MAX_METADATA} characters.")
    return said


def checked_disable_until(untrusted: object, now: datetime) -> int:
    """Return a content's switch: 0, 1, or a unix time at most five years ahead."""
    latest = int((now + _LONGEST_OFF).timestamp())
    if not isinstance(untrusted, int) or isinstance(untrusted, bool) or not 0 <= untrusted <= latest:
        raise Refused(
            "disable_until_invalid", "disable_until_ts is 0 (off), 1 (on), or a unix time at most five years ahead."
        )
    return untrusted


def compare(name: str, untrusted_values: Sequence[str]) -> tuple[bool, int]:
    """Tell whether two signals of a type match, and at which distance; digests that differ are 1 apart."""
    one, other = (read_signal(name, value) for value in untrusted_values)
    if not SIGNAL_KINDS[one.type].perceptual:
        return one.value == other.value, int(one.value != other.value)
    distance = (int.from_bytes(one.value) ^ int.from_bytes(other.value)).bit_count()
    return distance <= DEFAULT_DISTANCE, distance
