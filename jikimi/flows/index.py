"""The indexes of this process follow the database: that of bank entries, and that of kept signals.

1  the newest snapshot on this machine is mapped, if it is sound and of this database
2  changes after it are read and added, until there are none
3  when much has changed since the snapshot, a new one is written from the database
4  a process that holds much in memory maps the newest snapshot instead
5  when a value had to be erased, no snapshot that holds it stays, on no node; nor does one that the database does not
   agree with any more, and what was mapped from it is let go
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jikimi.model.errors import Broken
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch
from jikimi.ports import Followed, Index, Kit, Snapshots, Tx

_CHANGES_A_READ = 2_000
_ROWS_A_BATCH = 2_000
_NOTHING = EntryBatch(type=next(iter(SIGNAL_KINDS)), ids=array("q"), bank_ids=array("q"), values=b"")


class _DatabaseWentBackError(Exception):
    """The database's last change has a lower number than ours: it was restored from a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """An index, the folder of its snapshots, and the rows it follows."""

    name: str
    index: Index
    snapshots: Snapshots
    rows: Callable[[Tx], Followed]


def entries_in(kit: Kit) -> Following:
    """The index of bank entries: what uploads are compared with."""
    return Following(name="entries", index=kit.index, snapshots=kit.snapshots, rows=lambda tx: tx.entries)


def uploads_in(kit: Kit) -> Following:
    """The index of kept signals: what new entries are compared with."""
    return Following(name="uploads", index=kit.recent, snapshots=kit.recent_snapshots, rows=lambda tx: tx.kept)


def open_index(kit: Kit, one: Following | None = None) -> None:
    """Steps 1 and 2, when a process starts. A damaged snapshot is logged and written anew."""
    one = one or entries_in(kit)
    try:
        _load_newest(kit, one)
    except Broken as error:
        kit.log.error("index_snapshot_damaged", index=one.name, code=error.code, detail=error.detail or error.message)
        kit.tally.note("index_snapshot_damaged")
        publish(kit, one)
        _load_newest(kit, one)
    follow(kit, one)


def follow(kit: Kit, one: Following | None = None) -> None:
    """Step 2: when this returns, everything is found that was committed before it was called.

    A database that has gone back, because it was restored from a backup, is read from its beginning.
    """
    one = one or entries_in(kit)
    try:
        one.index.catch_up(lambda after: _newer(kit, one, after))
    except _DatabaseWentBackError:
        kit.log.warning("index_starts_over", index=one.name, why="the database has gone back to an earlier state")
        one.index.start_over(lambda after: _newer(kit, one, after))


def publish(kit: Kit, one: Following | None = None) -> None:
    """Step 3: write a snapshot of what the database holds now."""
    one = one or entries_in(kit)
    with kit.store.read() as tx:
        rows = one.rows(tx)
        sequence = rows.sequence()
        one.snapshots.publish(rows.batches(_ROWS_A_BATCH), sequence, rows.mark(sequence))
    kit.log.info("index_published", index=one.name, sequence=sequence)


def renew(kit: Kit, one: Following | None = None) -> None:
    """Steps 3 to 5, from time to time."""
    if one is None:
        drop_erased(kit)
    one = one or entries_in(kit)
    if one.snapshots.is_due():
        publish(kit, one)
    if one.snapshots.is_behind():
        _load_newest(kit, one)


def drop_stale(kit: Kit, one: Following) -> None:
    """Step 5: nothing that was deleted from these rows for good stays in a file, or mapped from one."""
    with kit.store.read() as tx:
        is_gone = one.snapshots.drop_stale(one.rows(tx).mark)
    if is_gone and not _load_newest(kit, one):
        publish(kit, one)
        _load_newest(kit, one)


def drop_erased(kit: Kit) -> None:
    """Step 5: write a snapshot of the entries without what was erased, delete older ones, let go of what is mapped."""
    with kit.store.read() as tx:
        erased = tx.entries.erased()
    if not kit.snapshots.has_before(erased):
        return
    publish(kit)
    kit.snapshots.drop_before(erased)
    if kit.snapshots.is_loaded_before(erased):
        _load_newest(kit, entries_in(kit))


def _load_newest(kit: Kit, one: Following) -> bool:
    with kit.store.read() as tx:
        return one.snapshots.load_newest(one.rows(tx).mark, lambda after: _newer(kit, one, after))


def _newer(kit: Kit, one: Following, after: int) -> Iterator[tuple[EntryBatch, int]]:
    """Changes after a number. The number moves on only when everything below it has been handed over."""
    while True:
        with kit.store.read() as tx:
            batches, reached = one.rows(tx).changes(after, _CHANGES_A_READ)
        if reached < after:
            raise _DatabaseWentBackError
        if reached == after:
            return
        yield from ((batch, after) for batch in batches)
        yield _NOTHING, reached
        after = reached
