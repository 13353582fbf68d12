"""A bank: a named collection of known signals with the policy for a match, and its entries.

What a match leads to is decided in `match`; where the values are kept and searched is no concern of this file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from jikimi.model.errors import Refused
from jikimi.model.exchange import Opinion, Standing, Trust
from jikimi.model.signal import SIGNAL_KINDS, Signal
from jikimi.model.text import UNSTORABLE

DEFAULT_DISTANCE = 31
"""Bits of 256 that may differ (PDQ README: 31 or less is a match)."""
MAX_DISTANCE = 64
DEFAULT_QUALITY_FLOOR = 50
"""Quality from which a PDQ is evidence (PDQ README: discard 49 and below)."""
MAX_TEXT = 2000
"""Characters of a note or a source."""

_OWN = Standing()
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


class Category(StrEnum):
    """What a bank holds. `allow` and `canary` are jikimi's own; the others are kinds of harm."""

    CSAM = "csam"
    CSAM_SYNTHETIC = "csam_synthetic"
    NCII = "ncii"
    NCII_FORGERY = "ncii_forgery"
    TERRORISM = "terrorism"
    OTHER = "other"
    ALLOW = "allow"
    CANARY = "canary"


class OnMatch(StrEnum):
    """What a match in a bank does to the upload."""

    BLOCK = "block"
    HOLD = "hold"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPolicy:
    """What a bank's owner chooses. `max_distance` in bits of 256, `quality_floor` 0 to 100."""

    name: str
    category: Category
    on_match: OnMatch
    max_distance: int = DEFAULT_DISTANCE
    quality_floor: int = DEFAULT_QUALITY_FLOOR
    source: str = ""
    note: str = ""
    enabled: bool = True
    on_disputed: OnMatch = OnMatch.HOLD
    """The most that an entry does whose sources do not agree."""
    on_unconfirmed: OnMatch = OnMatch.HOLD
    """The most that an entry does that nobody has confirmed."""
    ratio: float = 1.0
    """The part of all look-ups by programs written for HMA that ask this bank; nothing else looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """A bank as it stands. `flooded_at` is set when one entry matched suspiciously often; a person clears it.

    `resumed_at` is when that was done last: what matched before then has been looked at.
    """

    id: int
    policy: BankPolicy
    created_at: datetime
    flooded_at: datetime | None = None
    resumed_at: datetime | None = None

    @property
    def effect(self) -> OnMatch:
        """What a match does now: a flooded bank holds instead of blocking everybody."""
        if self.flooded_at is not None and self.policy.on_match is OnMatch.BLOCK:
            return OnMatch.HOLD
        return self.policy.on_match

    def effect_of(self, standing: Standing) -> OnMatch | None:
        """What a match of an entry does now; none where its sources agree that it does not belong here."""
        if standing.opinion is Opinion.NEGATIVE:
            return None
        bounds = [self.effect]
        if standing.opinion is Opinion.DISPUTED:
            bounds.append(self.policy.on_disputed)
        if standing.trust is Trust.UNCONFIRMED:
            bounds.append(self.policy.on_unconfirmed)
        return max(bounds, key=list(OnMatch).index)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """A signal on its way into a bank."""

    signal: Signal
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """A known signal. `withdrawn_at` is a fact with a date: the entry stays, and no longer matches."""

    id: int
    bank_id: int
    signal: Signal
    note: str
    added_at: datetime
    withdrawn_at: datetime | None = None
    standing: Standing = _OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class BankSize:
    """How much a bank holds: live entries by signal type, and how many were withdrawn."""

    live: dict[str, int]
    withdrawn: int


def is_bank_name(untrusted_name: str) -> bool:
    """Tell whether a bank could be called so."""
    return _NAME.fullmatch(untrusted_name) is not None


def checked_policy(policy: BankPolicy) -> BankPolicy:
    """Return the policy as it will be stored, or say in one line what is wrong with it."""
    if not is_bank_name(policy.name):
        raise Refused(
            "bank_name_invalid",
            f"A bank's name is 1 to 255 letters, digits, '_', '-' or '.', the last two not at its beginning; "
            f"{policy.name[:40]!r} is not.",
        )
    if not 0 <= policy.max_distance <= MAX_DISTANCE:
        raise Refused("bank_distance_invalid", f"max_distance is 0 to {MAX_DISTANCE}, not {policy.max_distance}.")
    if not 0 <= policy.quality_floor <= 100:
        raise Refused("bank_quality_invalid", f"quality_floor is 0 to 100, not {policy.quality_floor}.")
    if not 0 < policy.ratio <= 1:
        raise Refused("bank_ratio_invalid", "ratio is above 0 and at most 1; a bank that is not asked is disabled.")
    if OnMatch.BLOCK in (policy.on_disputed, policy.on_unconfirmed):
        raise Refused(
            "bank_effect_invalid", "on_disputed and on_unconfirmed are hold or log: what is in doubt never blocks."
        )
    _check_text(policy.source)
    _check_text(policy.note)
    # Whatever an allow bank is told to do, it only lowers verdicts.
    return replace(policy, on_match=OnMatch.LOG) if policy.category is Category.ALLOW else policy


def check_entry(policy: BankPolicy, entry: NewEntry) -> None:
    """Refuse what would be no evidence in this bank, or would lower verdicts it must not lower."""
    _check_text(entry.note)
    signal = entry.signal
    kind = SIGNAL_KINDS[signal.type]
    if kind.perceptual and signal.quality is not None and signal.quality < policy.quality_floor:
        raise Refused(
            "quality_low",
            f"This picture has too little structure for {signal.type}: quality {signal.quality}, and bank "
            f"{policy.name} asks for {policy.quality_floor}. Add its sha256 instead.",
        )
    # Two files with the same MD5 or SHA-1 can be made at will, one of them harmless: such a digest may raise an alarm,
    # it must not silence one.
    if policy.category is Category.ALLOW and signal.type in ("md5", "sha1"):
        raise Refused("allow_needs_sha256", f"An allow bank takes sha256 or pdq, because {signal.type} can be forged.")


def _check_text(untrusted_text: str) -> None:
    if len(untrusted_text) > MAX_TEXT:
        raise Refused("bank_text_too_long", f"source and note are at most {MAX_TEXT} characters each.")
    if UNSTORABLE.search(untrusted_text):
        raise Refused("bank_text_invalid", "source and note are Unicode text without the character 0.")
