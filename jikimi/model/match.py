"""From matches and faults to a verdict: what is answered about an upload, and why.

Pure decision. Finding candidates is `engine.index`; storing the outcome is `flows.scan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jikimi.model.bank import Bank, BankEntry, Category, OnMatch
from jikimi.model.exchange import Standing
from jikimi.model.media import Reason
from jikimi.model.signal import SIGNAL_KINDS, Signal, Variant

_OWN = Standing()
LISTED_MATCHES = 100
"""Matches kept with a verdict, strongest first; a common picture can have thousands. All of them were weighed."""


class Disposition(StrEnum):
    """The answer. `unchecked` is never `clear`: the caller chooses what to do with it, and it is counted."""

    CLEAR = "clear"
    HOLD = "hold"
    BLOCK = "block"
    UNCHECKED = "unchecked"


class Ground(StrEnum):
    """Why a verdict is what it is, next to the `Reason`s for what could not be checked."""

    MATCH = "match"
    """A bank that holds or blocks knows this content."""
    LOGGED = "logged"
    """A bank that only logs knows this content."""
    ALLOWED = "allowed"
    """An allow bank knows this content at least as exactly as the banks it speaks against."""
    BANK_FLOODED = "bank_flooded"
    """A blocking bank only holds at present, because one of its entries matched suspiciously often."""
    EVIDENCE_UNSEALED = "evidence_unsealed"
    """The verdict stands, but the bytes could not be sealed: keep your own copy. The next same upload is sealed."""
    FOUND_LATER = "found_later"
    """The upload was answered before; an entry that came later knows its signals. Its bytes are not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One entry that is near enough. `distance` is 0 for digests, else bits of 256 that differ.

    `standing` is what was known of the entry when it matched.
    """

    entry_id: int
    bank_id: int
    bank: str
    category: Category
    effect: OnMatch
    flooded: bool
    source: str
    type: str
    distance: int
    variant: Variant
    frame: int
    flattened: bool
    standing: Standing = _OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was really compared: signal types, pictures in the file, the best quality among them, the change number."""

    signals: tuple[str, ...]
    frames: int
    quality: int | None
    index_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer with everything it rests on. `reasons` are values of `Ground` and `Reason`, strongest first."""

    disposition: Disposition
    reasons: tuple[str, ...]
    matches: tuple[Match, ...]
    coverage: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One picture of a file as it was compared: which frame, whether flattened on white, with its signal."""

    signal: Signal
    flattened: bool = False


def match_of(view: View, variant: Variant, distance: int, entry: BankEntry, bank: Bank) -> Match | None:
    """Return the match, or none where the bank's own distance or quality floor says that this is no evidence."""
    quality = view.signal.quality
    effect = bank.effect_of(entry.standing)
    if effect is None:
        return None
    if SIGNAL_KINDS[entry.signal.type].perceptual:
        if distance > bank.policy.max_distance:
            return None
        if quality is not None and quality < bank.policy.quality_floor:
            return None
    return Match(
        entry_id=entry.id,
        bank_id=bank.id,
        bank=bank.policy.name,
        category=bank.policy.category,
        effect=effect,
        flooded=bank.flooded_at is not None,
        source=bank.policy.source,
        type=entry.signal.type,
        distance=distance,
        variant=variant,
        frame=view.signal.frame,
        flattened=view.flattened,
        standing=entry.standing,
    )


def is_featureless(views: Sequence[View], floor: int) -> bool:
    """Tell whether there are perceptual views and none of them has enough structure to be compared."""
    qualities = [view.signal.quality for view in views if view.signal.quality is not None]
    return bool(qualities) and max(qualities) < floor


def decide(matches: Sequence[Match], faults: Sequence[Reason], coverage: Coverage) -> Verdict:
    """Weigh matches and faults: block before hold before unchecked before clear.

    Matches of allow banks strike out what they know at least as exactly, in the same view; they never strike out a
    fault, so a file that could not be checked stays unchecked.
    """
    standing = _standing(matches)
    effects = {match.effect for match in standing}
    if OnMatch.BLOCK in effects:
        disposition = Disposition.BLOCK
    elif OnMatch.HOLD in effects:
        disposition = Disposition.HOLD
    elif faults:
        disposition = Disposition.UNCHECKED
    else:
        disposition = Disposition.CLEAR
    grounds: list[str] = []
    if effects & {OnMatch.BLOCK, OnMatch.HOLD}:
        grounds.append(Ground.MATCH)
    if any(match.flooded and match.effect is OnMatch.HOLD for match in standing):
        grounds.append(Ground.BANK_FLOODED)
    if OnMatch.LOG in effects:
        grounds.append(Ground.LOGGED)
    if len(standing) < sum(match.category is not Category.ALLOW for match in matches):
        grounds.append(Ground.ALLOWED)
    return Verdict(
        disposition=disposition,
        reasons=(*grounds, *dict.fromkeys(faults)),
        matches=_listed(matches, standing),
        coverage=coverage,
    )


_REMARKS = (Ground.EVIDENCE_UNSEALED, Ground.FOUND_LATER)
"""Grounds that say something about the bytes; weighing the matches again leaves them as they are."""


def acting(matches: Sequence[Match]) -> tuple[Match, ...]:
    """The matches that count, nearest first: none that an allow bank strikes out, and none with a canary."""
    counting = [match for match in _standing(matches) if match.category is not Category.CANARY]
    return tuple(sorted(counting, key=lambda match: (_closeness(match), match.entry_id)))


def without_evidence(verdict: Verdict) -> Verdict:
    """The same verdict, and it says that the bytes could not be sealed."""
    return replace(verdict, reasons=tuple(dict.fromkeys((*verdict.reasons, Ground.EVIDENCE_UNSEALED))))


def found_later(verdict: Verdict) -> Verdict:
    """The same verdict, and it says that it came after the upload had been answered."""
    return replace(verdict, reasons=tuple(dict.fromkeys((*verdict.reasons, Ground.FOUND_LATER))))


def weighed_again(verdict: Verdict, matches: Sequence[Match]) -> Verdict:
    """The verdict for matches that have changed since; its faults and what it says of the bytes stay."""
    anew = decide(matches, [Reason(one) for one in verdict.reasons if one in set(Reason)], verdict.coverage)
    return replace(anew, reasons=(*anew.reasons, *(one for one in _REMARKS if one in verdict.reasons)))


def strongest_by_bank(matches: Sequence[Match]) -> tuple[Match, ...]:
    """Of each bank that blocks on its own authority, the match that speaks loudest and stands."""
    blocking = [m for m in _standing(matches) if m.effect is OnMatch.BLOCK and m.category is not Category.CANARY]
    first: dict[int, Match] = {}
    for match in sorted(blocking, key=_strength):
        first.setdefault(match.bank_id, match)
    return tuple(first.values())


def after_flood(match: Match) -> Match:
    """The same match once its bank has been found flooded."""
    return replace(match, flooded=True, effect=OnMatch.HOLD if match.effect is OnMatch.BLOCK else match.effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodRule:
    """When an entry matches suspiciously often: more than `limit` uploads within `window`. A limit of 0 is never."""

    limit: int = 200
    window: timedelta = timedelta(minutes=10)

    def since(self, now: datetime, bank: Bank) -> datetime:
        """From when on matches in a bank count."""
        begin = now - self.window
        return max(begin, bank.resumed_at) if bank.resumed_at else begin

    def is_broken(self, uploads: int) -> bool:
        """Tell whether this many uploads within the window are too many."""
        return 0 < self.limit < uploads


def _standing(matches: Sequence[Match]) -> list[Match]:
    """The matches that act: those that no allow bank knows at least as exactly in the same view."""
    allowing = [match for match in matches if match.category is Category.ALLOW]
    acting = [match for match in matches if match.category is not Category.ALLOW]
    return [match for match in acting if not any(_strikes_out(allow, match) for allow in allowing)]


def _strikes_out(allow: Match, match: Match) -> bool:
    return _covers(allow, match) and _closeness(allow) <= _closeness(match)


def _covers(allow: Match, other: Match) -> bool:
    """A digest speaks of the whole file; a perceptual signal of the one view it was taken from."""
    if not SIGNAL_KINDS[allow.type].perceptual:
        return True
    return (allow.frame, allow.flattened) == (other.frame, other.flattened)


def _listed(matches: Sequence[Match], standing: Sequence[Match]) -> tuple[Match, ...]:
    """The strongest matches, those that stand first, and those that allow: enough to be weighed again."""
    acts = {id(match) for match in standing}
    in_order = sorted(matches, key=lambda match: (id(match) not in acts, _strength(match)))
    allowing = [match for match in in_order if match.category is Category.ALLOW][:LISTED_MATCHES]
    acting = [match for match in in_order if match.category is not Category.ALLOW][:LISTED_MATCHES]
    return (*acting, *allowing)


def _closeness(match: Match) -> int:
    return match.distance if SIGNAL_KINDS[match.type].perceptual else -1


def _strength(match: Match) -> tuple[int, int, int]:
    return (list(OnMatch).index(match.effect), _closeness(match), match.entry_id)
