"""A benign known picture goes through everything once a minute.

1  a bank of category `canary` holds the signals of a picture made for this installation alone
2  a copy that was saved anew goes through the service's own front door, as any upload does
3  the answer has to be `block`; if it is not, the service says that it is not ready, and counts it
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jikimi.flows.bank import add_entries, create_bank, entries_of_file
from jikimi.model.bank import Bank, BankPolicy, Category, OnMatch
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.match import Disposition
from jikimi.model.people import KEY_BYTES, Key, Scope, digest_of, secret_from
from jikimi.ports import Kit

BANK = "canary"
_SEED_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The picture to send, and the key to send it with."""

    picture: bytes
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """How the last round went: when, and what was wrong (empty if nothing was)."""

    at: datetime
    problem: str = ""


def prepare(kit: Kit, paint: Callable[[int], bytes], resave: Callable[[bytes], bytes], where: str) -> Canary:
    """Step 1: make sure that the bank and a key for the process at `where` are there."""
    bank = _bank(kit)
    picture = paint(int(bank.policy.note))
    offered = entries_of_file(kit, io.BytesIO(picture), bank.policy)
    if offered.faults:
        raise Unavailable("canary_unreadable", f"The canary's own picture cannot be read: {offered.faults[0].value}.")
    add_entries(kit, "jikimi", BANK, offered.entries)
    return Canary(picture=resave(picture), key=_key(kit, where))


def send(kit: Kit, canary: Canary, ask: Callable[[bytes, str], str]) -> Sighting:
    """Steps 2 and 3: `ask` sends the picture to the service with a key and returns the disposition."""
    problem = ""
    try:
        answer = ask(canary.picture, canary.key)
        if answer != Disposition.BLOCK:
            problem = f"the canary came back {answer}, not block"
    except JikimiError as error:
        problem = f"the canary did not come back: {error.message}"
    if problem:
        kit.tally.note("canary_missed")
        kit.log.error("canary_missed", problem=problem)
    return Sighting(at=kit.clock(), problem=problem)


def is_fresh(sighting: Sighting | None, now: datetime, every: timedelta) -> bool:
    """Tell whether the last round went well and is not older than three rounds."""
    return sighting is not None and not sighting.problem and now - sighting.at < 3 * every + timedelta(seconds=10)


def _bank(kit: Kit) -> Bank:
    with kit.store.read() as tx:
        bank = tx.banks.get(BANK)
    if bank is not None:
        return bank
    seed = int.from_bytes(kit.entropy(_SEED_BYTES), "big")
    policy = BankPolicy(name=BANK, category=Category.CANARY, on_match=OnMatch.BLOCK, source="jikimi", note=str(seed))
    try:
        return create_bank(kit, "jikimi", policy)
    except Refused:
        # Another process that starts at the same moment was quicker.
        return _bank(kit)


def _key(kit: Kit, where: str) -> str:
    secret = secret_from(kit.entropy(KEY_BYTES))
    key = Key(name=f"canary:{where}", scopes=frozenset({Scope.SCAN}), created_at=kit.clock())
    with kit.store.begin() as tx:
        tx.keys.replace(key, digest_of(secret))
    return secret
