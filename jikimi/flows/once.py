"""A call that is made twice under one Idempotency-Key happens once, and is answered twice the same.

    1  calls under the same key take turns in this process
    2  an answer that was given is given again, if the same was asked
    3  otherwise the call is made, and its answer is kept for a day

Two nodes that get the same call in the same moment may both make it; the answer of the first is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from threading import Lock

from jikimi.model.errors import Refused
from jikimi.ports import Kit, Reply

KEPT = timedelta(days=1)
MAX_KEY = 255
_turns = [Lock() for _ in range(64)]
"""Calls with different keys seldom meet at the same lock; if they do, one waits a little."""


def once(kit: Kit, source: str, key: str, asked: str, make: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Make a call, or give the answer it got before; `Refused` if the key was used for something else."""
    if len(key) > MAX_KEY:
        raise Refused("idempotency_key_invalid", f"An Idempotency-Key is at most {MAX_KEY} characters.")
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    with _turns[int(name[:8], 16) % len(_turns)]:  # 1
        with kit.store.read() as tx:
            old = tx.replies.get(source, name)
        if old is not None:  # 2
            if old.asked != asked:
                raise Refused("idempotency_key_used", "This Idempotency-Key was used for another call; take a new one.")
            return old.answer
        answer = make()  # 3
        with kit.store.begin_beside() as tx:
            tx.replies.add(source, name, Reply(asked=asked, answer=answer), kit.clock())
    return answer


def forget(kit: Kit) -> int:
    """Forget answers that are older than a day; how many there were."""
    with kit.store.begin_beside() as tx:
        return tx.replies.purge(kit.clock() - KEPT)
