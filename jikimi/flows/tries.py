"""Tries to sign in are counted, and after some failures the next one has to wait.

A try counts as failed before it is looked at, and is taken back if it was good: a hundred at once are a hundred.
"""

from __future__ import annotations

from datetime import timedelta

from jikimi.model.errors import Refused
from jikimi.model.people import folded
from jikimi.model.signin import (
    FORGET_TRIES,
    FREE_BY_ADDRESS,
    FREE_BY_NAME,
    address_key,
    after_failure,
    after_success,
    name_key,
    wait_of,
)
from jikimi.ports import Kit, Tx


def count_try(kit: Kit, *, address: str = "", name: str = "") -> None:
    """Count a try under a name and an address; `Refused` if either has to wait."""
    now = kit.clock()
    limits = _limits(address, name)
    with kit.store.begin() as tx:
        tx.tries.purge(now - FORGET_TRIES)
        wait = max((wait_of(tx.tries.get(key), free, now) for key, free in limits.items()), default=timedelta(0))
        if wait:
            seconds = int(wait.total_seconds()) + 1
            raise Refused(
                "too_many_tries", f"There were too many failed tries; wait {seconds} seconds, then try again."
            )
        for key in limits:
            tx.tries.put(key, after_failure(tx.tries.get(key), now))


def take_back(tx: Tx, *, address: str = "", name: str = "") -> None:
    """A try was good: the name starts afresh, the address has one failure less."""
    if name:
        tx.tries.clear(name_key(folded(name)))
    if address:
        key = address_key(address)
        left = after_success(tx.tries.get(key))
        if left is None:
            tx.tries.clear(key)
        else:
            tx.tries.put(key, left)


def _limits(address: str, name: str) -> dict[str, int]:
    limits = {}
    if address:
        limits[address_key(address)] = FREE_BY_ADDRESS
    if name:
        limits[name_key(folded(name))] = FREE_BY_NAME
    return limits
