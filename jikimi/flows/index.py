"""The index of this process follows the database.

1  the newest snapshot on this machine is mapped, if it is sound and of this database
2  changes after it are read and added, until there are none
3  when much has changed since the snapshot, a new one is written from the database
4  a process that holds much in memory maps the newest snapshot instead
5  when a value had to be erased, no snapshot that holds it stays, on no node
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from jikimi.model.errors import Broken
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch
from jikimi.ports import Kit

_CHANGES_A_READ = 20_000
_ROWS_A_BATCH = 50_000
_NOTHING = EntryBatch(type=next(iter(SIGNAL_KINDS)), ids=array("q"), bank_ids=array("q"), values=b"")


class _DatabaseWentBackError(Exception):
    """The database's last change has a lower number than ours: it was restored from a backup."""


def open_index(kit: Kit) -> None:
    """Steps 1 and 2, when a process starts. A damaged snapshot is logged and written anew."""
    try:
        _load_newest(kit)
    except Broken as error:
        kit.log.error("index_snapshot_damaged", code=error.code, detail=error.detail or error.message)
        kit.tally.note("index_snapshot_damaged")
        publish(kit)
        _load_newest(kit)
    follow(kit)


def follow(kit: Kit) -> None:
    """Step 2: when this returns, everything is found that was committed before it was called.

    A database that has gone back, because it was restored from a backup, is read from its beginning.
    """
    try:
        kit.index.catch_up(lambda after: _newer(kit, after))
    except _DatabaseWentBackError:
        kit.log.warning("index_starts_over", why="the database has gone back to an earlier state")
        kit.index.start_over(lambda after: _newer(kit, after))


def publish(kit: Kit) -> None:
    """Step 3: write a snapshot of what the database holds now."""
    with kit.store.read() as tx:
        sequence = tx.entries.sequence()
        kit.snapshots.publish(tx.entries.batches(_ROWS_A_BATCH), sequence, tx.entries.mark(sequence))
    kit.log.info("index_published", sequence=sequence)


def renew(kit: Kit) -> None:
    """Steps 3 to 5, from time to time."""
    drop_erased(kit)
    if kit.snapshots.is_due():
        publish(kit)
    if kit.snapshots.is_behind():
        _load_newest(kit)


def drop_erased(kit: Kit) -> None:
    """Step 5: write a snapshot without what was erased, delete older ones, and let go of one that is mapped."""
    with kit.store.read() as tx:
        erased = tx.entries.erased()
    if not kit.snapshots.has_before(erased):
        return
    publish(kit)
    kit.snapshots.drop_before(erased)
    if kit.snapshots.is_loaded_before(erased):
        _load_newest(kit)


def _load_newest(kit: Kit) -> None:
    with kit.store.read() as tx:
        kit.snapshots.load_newest(tx.entries.mark, lambda after: _newer(kit, after))


def _newer(kit: Kit, after: int) -> Iterator[tuple[EntryBatch, int]]:
    """Changes after a number. The number moves on only when everything below it has been handed over."""
    while True:
        with kit.store.read() as tx:
            batches, reached = tx.entries.changes(after, _CHANGES_A_READ)
        if reached < after:
            raise _DatabaseWentBackError
        if reached == after:
            return
        yield from ((batch, after) for batch in batches)
        yield _NOTHING, reached
        after = reached
