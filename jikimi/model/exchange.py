"""An exchange: a programme whose list fills one of our banks, and what we are told about each signal on it.

A *record* is what the programme keeps under a key of its own; it says one or several signals, an opinion and labels.
An entry of the bank stands for as long as some record says it, or a person of ours has added it. Talking to programmes
is the work of connectors (`plugs.exchanges`); pulling and applying their lists is `flows.sync`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.signal import Signal
from jikimi.model.text import UNSTORABLE

MAX_KEY = 200
"""Characters of a programme's own key for a record."""
MAX_LABELS = 50
MAX_LABEL = 200
MAX_TEXT = 2000
"""Characters of one text in a record's detail."""
MAX_MEMBERS = 500
"""Members of one list or object in it."""
MAX_DEPTH = 6
"""Lists and objects within each other in it."""
LEASE = timedelta(minutes=2)
"""How long a pull that gives no sign of life keeps others from pulling."""
MOST_VANISHING = 0.5
"""Part of a list that may be gone at once; when more is, a person has to say that this is right. An empty file must
not empty a bank."""
_FEW = 100
"""A list of fewer records may shrink as it likes."""
_LONGEST_PAUSE = timedelta(hours=6)
_SMALL = MAX_MEMBERS
"""A detail of so few characters is within all bounds but that of depth."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


class Opinion(StrEnum):
    """What those who share a list think of a signal on it."""

    POSITIVE = "positive"
    """It is what the list is for."""
    DISPUTED = "disputed"
    """Some say so and some deny it: a match is held at most."""
    NEGATIVE = "negative"
    """It is not: it does not match."""


class Trust(StrEnum):
    """Whether somebody has looked."""

    CONFIRMED = "confirmed"
    """A person of the programme or of a member has confirmed it."""
    UNCONFIRMED = "unconfirmed"
    """So far only whoever handed it in says so: a match is held at most."""


class Feedback(StrEnum):
    """What can be given back to a programme. Nothing is, unless the exchange's settings name it."""

    SEEN = "seen"
    """An upload matched this record, and a person has decided the case."""
    TRUE_POSITIVE = "true_positive"
    """A person has decided that the record is right."""
    FALSE_POSITIVE = "false_positive"
    """A person has decided that the record is wrong."""
    NEW_SIGNAL = "new_signal"
    """A signal that the programme does not have; a second person has to agree each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known about an entry when it matches. What a person of ours added is positive and confirmed."""

    opinion: Opinion = Opinion.POSITIVE
    trust: Trust = Trust.CONFIRMED
    labels: tuple[str, ...] = ()
    listed_at: datetime | None = None
    """When the programme changed a record of it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One record as a connector read it. Without signals and with `withdrawn`, it is a tombstone.

    `detail` keeps what is neither matched nor a label: other fingerprints, members, feedback. `listed_at` is the
    programme's own time of its last change.
    """

    key: str
    signals: tuple[Signal, ...] = ()
    withdrawn: bool = False
    opinion: Opinion = Opinion.POSITIVE
    trust: Trust = Trust.UNCONFIRMED
    labels: tuple[str, ...] = ()
    listed_at: datetime | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= MAX_KEY or UNSTORABLE.search(self.key):
            raise Refused("record_key_invalid", f"A record's key has 1 to {MAX_KEY} characters of Unicode text.")
        if self.labels:
            object.__setattr__(self, "labels", clean_labels(self.labels))
        if self.detail:
            object.__setattr__(self, "detail", clean_detail(self.detail))


def clean_text(untrusted_text: str, most: int = MAX_TEXT) -> str:
    """A text from outside as it can be stored and shown: not too long, without the character 0 or half characters."""
    text = untrusted_text[:most]
    # What is printable has none of these; that is told faster, and holds for nearly all texts.
    return text if text.isprintable() else UNSTORABLE.sub("\ufffd", text)


def clean_labels(untrusted_labels: Iterable[str]) -> tuple[str, ...]:
    """Labels from outside, each once, as many as are kept."""
    cleaned = dict.fromkeys(clean_text(label.strip(), MAX_LABEL) for label in untrusted_labels)
    return tuple(label for label in cleaned if label)[:MAX_LABELS]


def clean_detail(untrusted_detail: Mapping[str, Json]) -> dict[str, Json]:
    """The detail of a record from outside, within its bounds; what is beyond them is left out."""
    if _is_plain(untrusted_detail):
        return dict(untrusted_detail)
    cleaned = _clean(untrusted_detail, MAX_DEPTH)
    return cleaned if isinstance(cleaned, dict) else {}


def _is_plain(detail: Mapping[str, Json]) -> bool:
    """Tell at a glance whether a detail needs no cleaning. Most do not, and there are millions."""
    try:
        text = json.dumps(detail, ensure_ascii=False)
    except TypeError:
        return False
    is_small = len(text) <= _SMALL and text.count("{") + text.count("[") <= MAX_DEPTH
    return is_small and "\\u0000" not in text and not UNSTORABLE.search(text)


def _clean(value: Json, depth: int) -> Json:
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        some = islice(value.items(), MAX_MEMBERS)
        return {clean_text(str(name), MAX_LABEL): _clean(one, depth - 1) for name, one in some}
    return [_clean(one, depth - 1) for one in islice(value, MAX_MEMBERS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list, and how far one has come with it.

    `checkpoint` is the connector's own text; it is stored together with the records. `faults` name records that could
    not be read, by key and reason, never by value: they are passed over, counted and shown.
    """

    records: tuple[SourceRecord, ...]
    checkpoint: str
    faults: tuple[str, ...] = ()


class CheckpointStaleError(Exception):
    """The programme does not know our checkpoint any more: the list has to be pulled from its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExchange:
    """An exchange about to be added. `settings` are those of its kind, without secrets."""

    name: str
    kind: str
    bank: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    every: timedelta = timedelta(minutes=15)
    shares: frozenset[Feedback] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An exchange as it stands.

    `generation` numbers whole pulls; while `unfinished` is set, the present one has not come to its end, and nothing
    may be concluded from what it has not said yet. `failures` are those since the last success.
    """

    id: int
    name: str
    kind: str
    bank_id: int
    bank: str
    settings: Mapping[str, Json]
    enabled: bool
    shares: frozenset[Feedback]
    every: timedelta
    created_at: datetime
    checkpoint: str = ""
    generation: int = 0
    unfinished: bool = False
    last_try_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str = ""
    failures: int = 0
    faults: int = 0
    """Records of the last pull that could not be read."""
    next_at: datetime | None = None
    lease: str = ""
    lease_until: datetime | None = None


def scope_of(exchange: Exchange) -> str:
    """Where the secrets of one exchange are kept."""
    return f"exchange:{exchange.id}"


def checked_exchange(new: NewExchange) -> NewExchange:
    """Return it as it will be stored, or say in one line what is wrong with it."""
    if not _NAME.fullmatch(new.name):
        raise Refused(
            "exchange_name_invalid",
            f"An exchange's name is 1 to 255 letters, digits, '_', '-' or '.', not {new.name[:40]!r}.",
        )
    if not timedelta(minutes=1) <= new.every <= timedelta(days=7):
        raise Refused("exchange_every_invalid", "An exchange is pulled every 1 minute to every 7 days.")
    return new


def standing_of(records: Collection[Standing]) -> Standing:
    """What all records of one entry say together; without any, it is our own.

    Who says yes and who says no make it disputed. One confirmed record is enough.
    """
    if not records:
        return Standing()
    opinions = {record.opinion for record in records}
    return Standing(
        opinion=opinions.pop() if len(opinions) == 1 else Opinion.DISPUTED,
        trust=Trust.CONFIRMED if any(record.trust is Trust.CONFIRMED for record in records) else Trust.UNCONFIRMED,
        labels=tuple(dict.fromkeys(label for record in records for label in record.labels))[:MAX_LABELS],
        listed_at=max((record.listed_at for record in records if record.listed_at), default=None),
    )


def vouched(standing: Standing) -> Standing:
    """The standing of an entry that a person of ours has added as well: their word counts, the labels stay."""
    return replace(standing, opinion=Opinion.POSITIVE, trust=Trust.CONFIRMED)


def check_vanishing(held: int, vanishing: int) -> None:
    """Refuse to withdraw most of a list at once: it is more often a mistake than the truth."""
    if held > _FEW and vanishing > held * MOST_VANISHING:
        raise Refused(
            "exchange_vanishing",
            f"{vanishing} of {held} records are not on the list any more. If that is right, "
            "run `jikimi exchange sync NAME --accept-withdrawals`; until then they stay.",
        )


def is_overdue(exchange: Exchange, now: datetime) -> bool:
    """Tell whether a list is older than it should be: no success for three turns, and an hour at least."""
    if not exchange.enabled:
        return False
    since = exchange.last_success_at or exchange.created_at
    return now - since > max(3 * exchange.every, timedelta(hours=1))


class Health(StrEnum):
    """How an exchange is, in one word."""

    OK = "ok"
    WAITING = "waiting"
    """It has not been pulled yet."""
    PULLING = "pulling"
    FAILING = "failing"
    """The last pull went wrong; the list is not too old yet."""
    OVERDUE = "overdue"
    """The list is older than it should be."""
    DISABLED = "disabled"


NEED_ATTENTION = frozenset({Health.FAILING, Health.OVERDUE})


def health_of(exchange: Exchange, now: datetime) -> Health:
    """Say how an exchange is; what is worst comes first."""
    if not exchange.enabled:
        return Health.DISABLED
    if is_overdue(exchange, now):
        return Health.OVERDUE
    if exchange.lease and exchange.lease_until and exchange.lease_until > now:
        return Health.PULLING
    if exchange.failures:
        return Health.FAILING
    return Health.OK if exchange.last_success_at else Health.WAITING


def pause_after(failures: int, every: timedelta, chance: float) -> timedelta:
    """How long to wait after so many failures in a row: doubling from a minute; `chance` in [0, 1] spreads nodes."""
    doubled: timedelta = timedelta(minutes=1) * (1 << min(failures - 1, 10))
    return min(doubled, max(every, _LONGEST_PAUSE)) * (0.75 + chance / 2)


def lease_lost() -> Unavailable:
    """Somebody else pulls this exchange now; whoever gets this has to stop, and nothing is lost."""
    return Unavailable("exchange_busy", "This exchange is being pulled already; wait until that has ended.")
