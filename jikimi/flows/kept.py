"""Signals of answered uploads are kept for some days, and forgotten in time.

1  while an upload is answered its signals wait in memory (`flows.scan`)
2  once a second they are written down; what `kill -9` takes is the last second of them
3  what is older than the operator wants is deleted, a slice at a time, and files of the index follow once a day; so is
   what lies as far ahead, from a clock that was wrong: it would stay for as long as the clock was
4  where look-back is switched off, everything that was kept goes at the next turn
5  a signal that a person has withdrawn from a programme is taken out of everything that is kept
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from jikimi.flows.index import drop_stale, follow, renew, uploads_in
from jikimi.model.errors import Refused
from jikimi.model.look_back import KeptUpload, Standing, shelves, upload_at
from jikimi.model.signal import MOST_HITS, Hit, Signal, Variant
from jikimi.ports import Kit, Tx

_ROWS_A_SLICE = 2000
_MORE = 16


def write_kept(kit: Kit) -> None:
    """Step 2: write down what has come since the last time; if that fails, it is written next time."""
    taken = kit.kept.take()
    if taken and not _write(kit, taken):
        for place, one in enumerate(taken):
            if not _write(kit, [one], *taken[place + 1 :]):
                kit.tally.note("signals_not_kept")


def _write(kit: Kit, some: Sequence[KeptUpload], *rest: KeptUpload) -> bool:
    """Write some down; false if a name among them cannot be stored. What fails otherwise waits, with the rest."""
    try:
        with kit.store.begin() as tx:
            tx.kept.add(some)
    except Refused:
        return False
    except Exception:
        kit.kept.give_back([*some, *rest])
        raise
    return True


def expire(kit: Kit) -> int:
    """Steps 3 and 4: forget what is too old; how many uploads were forgotten."""
    before = kit.clock() - kit.look_back if kit.look_back else None
    forgotten = 0
    while gone := _forget_slice(kit, before):
        forgotten += gone
    if before is None:
        with kit.store.begin() as tx:
            tx.kept.stop()
    renew_recent(kit)
    return forgotten


def renew_recent(kit: Kit) -> None:
    """Step 3 for the files of this machine, and for what this process has mapped."""
    drop_stale(kit, uploads_in(kit))
    if kit.look_back:
        renew(kit, uploads_in(kit))


def prepare_to_forget(kit: Kit) -> None:
    """Read what is kept before the transactions in which some of it is forgotten: reading holds up no writer."""
    with kit.store.read() as tx:
        is_any = bool(tx.kept.size())
    if is_any:
        follow(kit, uploads_in(kit))


def forget_signals(kit: Kit, tx: Tx, signals: Sequence[Signal]) -> int:
    """Step 5, in the caller's transaction: how many uploads held one of these signals.

    Call `prepare_to_forget(kit)` before the transaction; after it `renew_recent(kit)`, and `kit.store.scrub()` as for
    whatever else was erased. Every other node drops its own files within a minute.
    """
    if not signals or not tx.kept.size():
        return 0
    read = kit.recent.sequence  # what comes after it is read here, whether the index gets it meanwhile or not
    return tx.kept.erase(_holding(kit, tx, signals) | _unread(tx, read), signals)


def near(
    kit: Kit, signals: Sequence[Signal], radii: Mapping[int, int], bound: int | None = None
) -> tuple[list[list[Hit]], int]:
    """Kept pictures near each signal, and for how many signals there were more than the bound (none: no bound)."""
    hits: list[list[Hit]] = [[] for _ in signals]
    asked, most = list(range(len(signals))), MOST_HITS
    while asked:
        found = kit.recent.search([signals[place] for place in asked], radii, most)
        for place, one in zip(asked, found, strict=True):
            hits[place] = one
        asked = [place for place in asked if _may_hide_more(hits[place], most)]
        if bound is not None and most >= bound:
            break
        most *= _MORE
    return hits, len(asked)


def standing(kit: Kit) -> Standing:
    """How look-back stands, for the metrics."""
    with kit.store.read() as tx:
        looked, entries = tx.kept.looked(), tx.entries.sequence()
        return Standing(kept=tx.kept.size(), behind=entries - looked.entries if looked else 0)


def _forget_slice(kit: Kit, before: datetime | None) -> int:
    with kit.store.begin() as tx:
        gone = tx.kept.purge(before, _ROWS_A_SLICE)
        if not gone and before is not None:
            gone = tx.kept.purge_after(kit.clock() + kit.look_back, _ROWS_A_SLICE)
        return gone


def _holding(kit: Kit, tx: Tx, signals: Sequence[Signal]) -> set[int]:
    """Uploads that the index knows with exactly one of these values."""
    oldest = tx.kept.oldest() or kit.clock()
    hits, _ = near(kit, signals, dict.fromkeys(shelves(oldest, kit.clock(), 0), 0))
    return {upload_at(hit.entry_id) for found in hits for hit in found}


def _unread(tx: Tx, after: int) -> set[int]:
    """Uploads that the index does not have yet."""
    found: set[int] = set()
    while True:
        batches, reached = tx.kept.changes(after, _ROWS_A_SLICE)
        found.update(upload_at(place) for batch in batches for place in batch.ids)
        if reached <= after:
            return found
        after = reached


def _may_hide_more(hits: Sequence[Hit], most: int) -> bool:
    """Tell whether the bound may have cut something off: a picture is counted in each of its positions there."""
    least = most // len(Variant)
    return len(hits) >= least and max(Counter(hit.bank_id for hit in hits).values()) >= least
