"""The folder in which the processes of one machine share snapshots of the index.

A file is named after the database it was made from, the last change in it, and the mark of that change: a database that
was restored from a backup may come to the same number another way. Files are written whole or not at all, by
one process at a time; older ones are deleted, which does not disturb processes that have them mapped.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jikimi.engine.index import Index, build_snapshot
from jikimi.model.errors import Broken
from jikimi.model.signal import EntryBatch
from jikimi.ports import Newer

_DUE_ROWS = 50_000
"""Rows in memory from which a new snapshot is worth its writing, if they are also a tenth of all rows."""
_SECONDS_BETWEEN = 30.0
"""Between two snapshots that nobody asked for. While a long list comes in, a tenth more is there every few seconds, and
each one is read from the database anew, which uploads have to wait beside."""
_SUFFIX = ".snapshot"
_DAMAGED = ".damaged"


class SnapshotFolder:
    """Snapshots of one database's index in one folder, for the index of one process."""

    def __init__(self, folder: Path, identity: str, index: Index) -> None:
        self._index = index
        self._folder = folder
        self._identity = identity
        self._loaded = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load_newest(self, mark: Callable[[int], str], newer: Newer) -> bool:
        """Map the newest snapshot that the database still agrees with, and add what is newer; false if there is none.

        `mark` says what the database has at a number. A snapshot that has something else is deleted. A damaged one is
        put aside, and `Broken` (`snapshot_damaged`) tells of it.
        """
        for number, file in self._files():
            if not file.stem.endswith(f"-{mark(number)}"):
                file.unlink(missing_ok=True)
                continue
            try:
                self._index.load(file, newer(number))
            except FileNotFoundError:
                continue
            except Broken:
                file.replace(file.with_suffix(_DAMAGED))
                raise
            self._loaded = number
            return True
        return False

    def drop_stale(self, mark: Callable[[int], str]) -> bool:
        """Delete snapshots that the database does not agree with any more; whether the one that is mapped is gone."""
        kept = set()
        for number, file in self._files():
            if file.stem.endswith(f"-{mark(number)}"):
                kept.add(number)
            else:
                file.unlink(missing_ok=True)
        return self._loaded > 0 and self._loaded not in kept

    def publish(self, batches: Iterable[EntryBatch], sequence: int, mark: str) -> None:
        """Write a snapshot, unless another process is at it, and delete those it replaces."""
        with self._alone() as is_alone:
            if not is_alone:
                return
            for unfinished in self._folder.glob(f".{self._identity}-*"):
                unfinished.unlink(missing_ok=True)  # its writer was killed: whoever writes holds the lock
            build_snapshot(self._folder / f"{self._identity}-{sequence}-{mark}{_SUFFIX}", batches, sequence)
            for number, file in self._files():
                if number < sequence:
                    file.unlink(missing_ok=True)

    def is_due(self) -> bool:
        """Tell whether so much is only in memory that a snapshot should be written, and none was written just now."""
        is_much = self._index.pending >= max(_DUE_ROWS, sum(self._index.sizes().values()) // 10)
        return is_much and not self.is_behind() and not self._has_fresh()

    def is_behind(self) -> bool:
        """Tell whether there is a newer snapshot that would spare this process much memory."""
        newest = next((number for number, _ in self._files()), 0)
        return newest > self._loaded and self._index.pending >= _DUE_ROWS

    def _has_fresh(self) -> bool:
        """Whether the newest snapshot is young. One that is gone meanwhile is not; nor is one from a clock ahead."""
        for _, file in self._files():
            with suppress(FileNotFoundError):
                return 0 <= time.time() - file.stat().st_mtime < _SECONDS_BETWEEN
        return False

    def has_before(self, sequence: int) -> bool:
        """Tell whether there is a snapshot of an earlier state, on the disk or in this process."""
        return self.is_loaded_before(sequence) or any(number < sequence for number, _ in self._files())

    def is_loaded_before(self, sequence: int) -> bool:
        """Tell whether this process has mapped a snapshot of an earlier state."""
        return 0 < self._loaded < sequence

    def drop_before(self, sequence: int) -> None:
        """Delete snapshots of earlier states, and damaged ones, of which nobody knows what they hold."""
        earlier = [file for number, file in self._files() if number < sequence]
        for file in (*earlier, *self._folder.glob(f"{self._identity}-*{_DAMAGED}")):
            file.unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, Path]]:
        """The snapshots of this database, newest first."""
        found = []
        for file in self._folder.glob(f"{self._identity}-*{_SUFFIX}"):
            number, _, _ = file.stem.removeprefix(f"{self._identity}-").partition("-")
            if number.isdecimal():
                found.append((int(number), file))
        return sorted(found, reverse=True)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
        finally:
            os.close(lock)
