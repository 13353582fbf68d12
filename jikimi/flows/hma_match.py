"""Programs written for Hasher-Matcher-Actioner (HMA) have files hashed, and files and signals looked up.

1  a file becomes signals by our own pipeline: upright, in true colours, every frame, every position
2  signals are looked up as in any scan: the index proposes, the database confirms, allow banks strike out
3  HMA's coin says which banks answer; the contents of each entry say whether it is on
4  what could not be compared is an error, unless something matched: an empty answer has to mean "compared, and unknown"

Nothing is stored, and no case is opened: for that there is `POST /v1/scan`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from jikimi.flows.scan import digested, examine, look_up_examined, look_up_signals
from jikimi.model.bank import DEFAULT_QUALITY_FLOOR, Bank
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.hma import (
    DIGESTS,
    FOR_EVER,
    OUR_TYPES,
    OWN,
    BankContent,
    ContentType,
    content_type,
    content_type_of,
    draw,
    has_own,
    ratio_of,
    takes_part,
    wanted_types,
)
from jikimi.model.match import Match, acting, is_featureless
from jikimi.model.media import RETRYABLE, Reason
from jikimi.model.scan import Examination
from jikimi.model.signal import Signal
from jikimi.ports import Kit

_PICTURE = "pdq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How somebody asks: of which banks (all, if none are named), with which seed, or past the coin."""

    banks: frozenset[str] = frozenset()
    seed: str | None = None
    bypass: bool = False

    def drawn(self) -> float:
        """The coin for the look-up of one signal."""
        return 0.0 if self.bypass else draw(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A content that is near enough."""

    bank: str
    content_id: int
    distance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """What the index holds of a signal type, and what the database does; times are unix times, -1 for none."""

    in_index: int
    in_database: int
    built_to: int
    newest: int
    is_behind: bool


def fetch_file(kit: Kit, untrusted_url: str, untrusted_type: str | None) -> tuple[BinaryIO, ContentType]:
    """Fetch the file at an address, and say what it is; only hosts that the settings name are asked."""
    if kit.fetch is None:
        raise Refused("url_hashing_off", "Hashing is disabled, missing role: hma_url_hosts names no host to ask.")
    said = None if untrusted_type is None else content_type(untrusted_type)
    fetched = kit.fetch.fetch(untrusted_url)
    try:
        return fetched.file, said or content_type_of(fetched.content_type)
    except Refused:
        fetched.file.close()
        raise


def hash_file(kit: Kit, file: BinaryIO, content: ContentType, types: str | None) -> dict[str, tuple[Signal, ...]]:
    """Step 1: the signals of a file by HMA's names; those of pictures with enough structure, and none if none has."""
    wanted = wanted_types(content, types)
    examination = _examined(kit, file, wanted)
    if _PICTURE in wanted and not examination.seen:
        raise _not_compared(examination.faults)
    views = [seen.view.signal for seen in examination.seen]
    good = tuple(signal for signal in views if (signal.quality or 0) >= DEFAULT_QUALITY_FLOOR)
    digests = {signal.type: (signal,) for signal in examination.digests}
    return {name: good if name == _PICTURE else digests[OUR_TYPES[name]] for name in wanted}


def look_up_file(
    kit: Kit, file: BinaryIO, content: ContentType, types: str | None, asking: Asking
) -> dict[str, tuple[Known, ...]]:
    """Look up a file. Where no types are asked for, entries with one of its digests are told under the usual type.

    Lists name pictures by MD5 and SHA-1, and the same bytes are the same picture.
    """
    wanted = wanted_types(content, types)
    examination = _examined(kit, file, wanted)
    matches = acting(look_up_examined(kit, examination, all_banks=asking.bypass))
    digests = DIGESTS if types is None else ()
    found = {
        name: _known(kit, _of(matches, OUR_TYPES[name], *digests), asking.banks, asking.drawn()) for name in wanted
    }
    if _PICTURE in wanted and not any(found.values()):
        _check_compared(kit, examination)  # 4
    return found


def look_up_signal(kit: Kit, signal: Signal, asking: Asking) -> tuple[Known, ...]:
    """Look up one signal."""
    (matches,) = look_up_signals(kit, [signal], all_banks=asking.bypass)
    return _known(kit, acting(matches), asking.banks, asking.drawn())


def look_up_raw(kit: Kit, signal: Signal, banks: frozenset[str]) -> tuple[Known, ...]:
    """Look up one signal whatever is switched off: contents, banks, ratios."""
    (matches,) = look_up_signals(kit, [signal], all_banks=True, at=FOR_EVER)
    return _known(kit, acting(matches), banks, None)


def index_state(kit: Kit) -> Mapping[str, IndexState]:
    """What the index holds, by our signal types."""
    sizes, sequence = kit.index.sizes(), kit.index.sequence
    with kit.store.read() as tx:
        stored, newest = tx.entries.sequence(), {type_: tx.contents.newest(type_, 2**62) for type_ in sizes}
        built = {type_: tx.contents.newest(type_, sequence) for type_ in sizes}
        live = [size.live for size in tx.banks.sizes().values()]
    return {
        type_: IndexState(
            in_index=sizes[type_],
            in_database=sum(one.get(type_, 0) for one in live),
            built_to=_unix(built[type_]),
            newest=_unix(newest[type_]),
            is_behind=sequence < stored,
        )
        for type_ in sizes
    }


def _examined(kit: Kit, file: BinaryIO, wanted: Sequence[str]) -> Examination:
    """Look into a file as far as the types that are wanted need it."""
    if file.seek(0, os.SEEK_END) == 0:
        raise Refused(Reason.EMPTY, "The file is empty.")
    if _PICTURE in wanted:
        return examine(kit.reader, file)
    return digested(kit.reader, file)


def _of(matches: Sequence[Match], *types: str) -> list[Match]:
    return [match for match in matches if match.type in types]


def _known(kit: Kit, matches: Sequence[Match], banks: frozenset[str], drawn: float | None) -> tuple[Known, ...]:
    """Step 3: the contents behind matches, nearest first, each once; without a coin, those that are off too."""
    if not matches:
        return ()
    with kit.store.read() as tx:
        by_id = {bank.id: bank for bank in tx.banks.all()}
        brought = tx.contents.of_entries({match.entry_id for match in matches})
    nearest: dict[int, Known] = {}
    for match in matches:
        bank = by_id.get(match.bank_id)
        if bank is None or not _answers(bank, banks, drawn):
            continue
        for number in _numbers(kit, match, brought.get(match.entry_id, ()), all_=drawn is None):
            known = Known(bank=bank.policy.name, content_id=number, distance=match.distance)
            nearest.setdefault(number, known)
    return tuple(nearest.values())


def _answers(bank: Bank, banks: frozenset[str], drawn: float | None) -> bool:
    if banks and bank.policy.name not in banks:
        return False
    return drawn is None or takes_part(ratio_of(bank.policy), drawn)


def _numbers(kit: Kit, match: Match, contents: Sequence[BankContent], *, all_: bool) -> list[int]:
    if not contents:
        return [OWN + match.entry_id]
    now = kit.clock()
    on = [content.id for content in contents if all_ or content.is_on(now)]
    # It matched, so that it is awake: a list says it, whatever is off.
    return on or ([] if has_own(contents) else [OWN + match.entry_id])


def _check_compared(kit: Kit, examination: Examination) -> None:
    """Step 4: an animation of which some frames are missing has not been compared either."""
    if examination.faults:
        raise _not_compared(examination.faults)
    floors = [bank.policy.quality_floor for bank in kit.store.recent_banks() if bank.policy.enabled]
    if is_featureless([seen.view for seen in examination.seen], max(floors, default=DEFAULT_QUALITY_FLOOR)):
        raise _not_compared([Reason.QUALITY_LOW])


def _not_compared(faults: Sequence[Reason]) -> Refused | Unavailable:
    fault = next(iter(faults), Reason.UNDECODABLE)
    if fault in RETRYABLE:
        return Unavailable("file_unchecked", f"This file could not be hashed just now ({fault}); send it again.")
    return Refused("file_unhashable", f"This file cannot be compared ({fault}), so nothing is known about it.")


def _unix(at: datetime | None) -> int:
    return -1 if at is None else int(at.timestamp())
