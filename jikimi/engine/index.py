"""All bank entries, searchable: the index proposes, the database disposes.

Decided here: how entries are held in memory, how new ones become visible at once, and how all of it is exchanged for a
newer snapshot under running searches. Not decided here: whether an entry still counts. The index never forgets an
entry before its next snapshot: the caller looks every hit up in the database and drops what was withdrawn or switched
off since. What a distance means is said in `model`; how values are compared, in `engine.kernel`.

Per signal type there is at most one segment mapped from the snapshot, some sealed segments in memory, and the newest
rows, which are few enough to be tried one by one. Segments never change. A search takes the current set of segments and
needs no lock; a writer makes a new set and puts it in place of the old one. A map is closed when the last search that
uses it ends.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jikimi.engine import kernel, snapshot
from jikimi.model.errors import Broken, Refused
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch, Hit, Signal, SignalKind

Column = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

_FRESH_ROWS = 4096
"""Newest rows tried one by one: about as dear as one sealed segment of any size (0.05 ms per query; measured)."""

_DTYPES = {"values": "u1", "ids": "i8", "bank_ids": "i8", "order": "u4", "starts": "u4", "keys": "u8"}


class Index:
    """Entries of all signal types. Any number of threads may search while others add, save or load."""

    def __init__(self) -> None:
        self._writing = threading.Lock()
        self._following = threading.Lock()
        self._state = _State()

    @property
    def sequence(self) -> int:
        """The highest change number that was added or loaded; 0 at first."""
        return self._state.sequence

    @property
    def pending(self) -> int:
        """Rows that are in memory only, not in the snapshot."""
        shelves = self._state.shelves.values()
        return sum(len(segment) for shelf in shelves for segment in shelf.segments if segment is not shelf.base)

    def sizes(self) -> Mapping[str, int]:
        """Rows held, by signal type (every type is named)."""
        shelves = self._state.shelves
        return {type_: sum(map(len, shelves[type_].segments)) if type_ in shelves else 0 for type_ in SIGNAL_KINDS}

    def add(self, batch: EntryBatch, *, sequence: int = 0) -> None:
        """Make entries visible to every search that begins after this call.

        `sequence` is the number of the last change in the batch; a lower number than the present one changes nothing.
        """
        with self._writing:
            self._state = self._state.with_batch(batch, sequence)

    def catch_up(self, newer: Callable[[int], Iterable[tuple[EntryBatch, int]]]) -> None:
        """Add everything that `newer` yields after the present number; two callers at once do it one after the other.

        Each batch comes with the number up to which everything has been yielded by then.
        """
        with self._following:
            for batch, sequence in newer(self.sequence):
                self.add(batch, sequence=sequence)

    def start_over(self, newer: Callable[[int], Iterable[tuple[EntryBatch, int]]]) -> None:
        """Forget everything for what `newer` yields from the beginning; searches see the old until all of it is there.

        For a database that was put back to an earlier state.
        """
        with self._following:
            state = _State()
            for batch, sequence in newer(0):
                state = state.with_batch(batch, sequence)
            with self._writing:
                self._state = state

    def search(self, signals: Sequence[Signal], radii: Mapping[int, int]) -> list[list[Hit]]:
        """The entries near each signal: one list per signal, nearest first, then by entry id, each entry once.

        `radii` names the banks that are asked, with the largest distance (bits) that still is a hit; for exact types
        the number means nothing. A negative radius leaves the bank out, except for exact types.
        """
        shelves = self._state.shelves
        banks = _Banks.of(radii)
        hits: list[list[Hit]] = [[] for _ in signals]
        for type_, places in _by_type(signals).items():
            if type_ in shelves and banks.ids.size:
                queries = _values(SIGNAL_KINDS[type_], b"".join([signals[place].value for place in places]))
                for query, hit in _nearest_first(shelves[type_].segments, queries, banks):
                    hits[places[query]].append(hit)
        return hits

    def save(self, path: Path) -> None:
        """Write all entries as a snapshot. Searches and adds go on; needs about as much memory again. See `load`."""
        state = self._state
        merged = {type_: _merged(type_, shelf.segments) for type_, shelf in state.shelves.items()}
        _write(path, merged, state.sequence)

    def load(self, path: Path, newer: Iterable[tuple[EntryBatch, int]] = ()) -> None:
        """Take the snapshot at `path` instead of everything held, in one step for searches.

        `newer` are the changes after the snapshot, with their numbers. It is read while adds wait: given a generator
        that asks the database (and calls no method of this index), no entry that was committed before it was added is
        missing from any search, not even for a moment. Without it, what the snapshot lacks is not found until the
        caller adds it.
        `Broken` (`snapshot_damaged`) or `OSError` if the file cannot be used; then the index is as it was.
        """
        state = _state_of(snapshot.read(path))
        with self._writing:
            for batch, sequence in newer:
                state = state.with_batch(batch, sequence)
            self._state = state


def build_snapshot(path: Path, batches: Iterable[EntryBatch], sequence: int) -> None:
    """Write a snapshot straight from batches, in any order and mix of types; memory is about twice the data."""
    ids: dict[str, tuple[array[int], array[int]]] = {}
    values: dict[str, bytearray] = {}
    for batch in batches:
        if not len(batch):
            continue
        own_ids, own_banks = ids.setdefault(batch.type, (array("q"), array("q")))
        own_ids.extend(batch.ids)
        own_banks.extend(batch.bank_ids)
        values.setdefault(batch.type, bytearray()).extend(batch.values)
    segments = {}
    for type_, (own_ids, own_banks) in ids.items():
        rows = _Rows(
            values=_values(SIGNAL_KINDS[type_], values.pop(type_)), ids=_numbers(own_ids), bank_ids=_numbers(own_banks)
        )
        segments[type_] = _sealed(type_, rows)
    _write(path, segments, sequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Entries as columns: values (rows, length) uint8; ids and bank ids (rows,) int64."""

    values: kernel.Values
    ids: Numbers
    bank_ids: Numbers

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, rows: slice | Numbers) -> _Rows:
        """Some of the rows: a view if `rows` is a slice."""
        return _Rows(values=self.values[rows], ids=self.ids[rows], bank_ids=self.bank_ids[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """Rows that never change, with what speeds their search up: tables (perceptual) or sorted keys (exact)."""

    kind: SignalKind
    rows: _Rows
    tables: kernel.Tables | None = None
    keys: npt.NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def pairs(self, queries: kernel.Values, radius: int) -> kernel.Pairs:
        """Which queries are near which rows."""
        if self.kind.perceptual:
            return kernel.within(self.rows.values, self.tables, queries, radius)
        return kernel.equal(self.rows.values, self.keys, queries)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """All segments of one type. `room` is the buffer whose first rows are `fresh`; only the writer touches the rest."""

    base: _Segment | None = None
    sealed: tuple[_Segment, ...] = ()
    fresh: _Segment | None = None
    room: _Rows | None = None

    @property
    def segments(self) -> tuple[_Segment, ...]:
        """Everything to be searched."""
        return tuple(segment for segment in (self.base, *self.sealed, self.fresh) if segment is not None)

    def with_rows(self, kind: SignalKind, rows: _Rows) -> _Shelf:
        """The shelf with more rows: beside the fresh ones if they fit, else all of them sealed."""
        held = len(self.fresh) if self.fresh else 0
        if held + len(rows) > _FRESH_ROWS:
            return self._with_sealed(kind, rows)
        room = self.room or _room(kind)
        target = room.part(slice(held, held + len(rows)))
        target.values[:], target.ids[:], target.bank_ids[:] = rows.values, rows.ids, rows.bank_ids
        return replace(self, fresh=_Segment(kind=kind, rows=room.part(slice(held + len(rows)))), room=room)

    def _with_sealed(self, kind: SignalKind, rows: _Rows) -> _Shelf:
        """Seal fresh and new rows, together with the last segments that are no larger.

        Sizes so at least halve from one segment to the next: few segments, and a row is rarely sealed again.
        """
        parts = [self.fresh.rows, rows] if self.fresh else [rows]
        older = list(self.sealed)
        while older and len(older[-1]) <= sum(map(len, parts)):
            parts.insert(0, older.pop().rows)
        return _Shelf(base=self.base, sealed=(*older, _sealed(kind.name, _joined(parts))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a search sees."""

    shelves: Mapping[str, _Shelf] = field(default_factory=dict)
    sequence: int = 0

    def with_batch(self, batch: EntryBatch, sequence: int) -> _State:
        """The state with the rows of a batch and at least this sequence number."""
        shelves = dict(self.shelves)
        if len(batch):
            kind = SIGNAL_KINDS[batch.type]
            rows = _Rows(values=_values(kind, batch.values), ids=_numbers(batch.ids), bank_ids=_numbers(batch.bank_ids))
            shelves[batch.type] = shelves.get(batch.type, _Shelf()).with_rows(kind, rows)
        return _State(shelves=shelves, sequence=max(self.sequence, sequence))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Banks:
    """The banks that are asked, by ascending id, and how far each reaches."""

    ids: Numbers
    reach: Numbers

    @classmethod
    def of(cls, radii: Mapping[int, int]) -> _Banks:
        """Read the caller's mapping; more than all bits is all bits."""
        ids = sorted(radii)
        reach = [min(radii[id_], kernel.BITS) for id_ in ids]
        return cls(ids=np.array(ids, np.int64), reach=np.array(reach, np.int64))

    def within_reach(self, bank_ids: Numbers, distance: Numbers, kind: SignalKind) -> npt.NDArray[np.bool_]:
        """Which rows belong to an asked bank and are near enough for it."""
        at = np.minimum(np.searchsorted(self.ids, bank_ids), len(self.ids) - 1)
        asked: npt.NDArray[np.bool_] = self.ids[at] == bank_ids
        return asked & (distance <= self.reach[at]) if kind.perceptual else asked


def _by_type(signals: Sequence[Signal]) -> dict[str, list[int]]:
    """Where the signals of each type stand. `Refused` if a type is unknown or a value has not its length."""
    places: dict[str, list[int]] = {}
    for place, signal in enumerate(signals):
        kind = SIGNAL_KINDS.get(signal.type)
        if kind is None or len(signal.value) != kind.length:
            raise Refused("signal_value_invalid", f"A signal of {len(signal.value)} bytes is not {signal.type[:40]!r}.")
        places.setdefault(signal.type, []).append(place)
    return places


def _nearest_first(segments: Sequence[_Segment], queries: kernel.Values, banks: _Banks) -> Iterator[tuple[int, Hit]]:
    """(Number of the query, hit) for all segments; per query by distance and entry id, each entry once, at its best."""
    found = [_found(segment, queries, banks) for segment in segments]
    query, entry, bank, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((distance, entry, query))
    query, entry, bank, distance = query[order], entry[order], bank[order], distance[order]
    is_best = np.ones(len(query), np.bool_)
    is_best[1:] = (query[1:] != query[:-1]) | (entry[1:] != entry[:-1])
    best = np.flatnonzero(is_best)
    best = best[np.lexsort((distance[best], query[best]))]
    columns = (column[best].tolist() for column in (query, entry, bank, distance))
    for number, entry_id, bank_id, bits in zip(*columns, strict=True):
        yield number, Hit(entry_id=entry_id, bank_id=bank_id, distance=bits)


def _found(segment: _Segment, queries: kernel.Values, banks: _Banks) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Columns query, entry id, bank id and distance of what one segment has within the banks' reach."""
    farthest = int(banks.reach.max())
    if segment.kind.perceptual and farthest < 0:
        queries = queries[:0]
    pairs = segment.pairs(queries, max(farthest, 0))
    bank_ids = segment.rows.bank_ids[pairs.row]
    good = banks.within_reach(bank_ids, pairs.distance, segment.kind)
    return pairs.query[good], segment.rows.ids[pairs.row[good]], bank_ids[good], pairs.distance[good]


def _values(kind: SignalKind, values: bytes | bytearray) -> kernel.Values:
    return np.frombuffer(values, np.uint8).reshape(-1, kind.length)


def _numbers(numbers: array[int]) -> Numbers:
    return np.frombuffer(numbers, np.int64)


def _room(kind: SignalKind) -> _Rows:
    """A buffer for the newest rows."""
    return _Rows(
        values=np.empty((_FRESH_ROWS, kind.length), np.uint8),
        ids=np.empty(_FRESH_ROWS, np.int64),
        bank_ids=np.empty(_FRESH_ROWS, np.int64),
    )


def _joined(parts: Sequence[_Rows]) -> _Rows:
    return _Rows(
        values=np.concatenate([part.values for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        bank_ids=np.concatenate([part.bank_ids for part in parts]),
    )


def _merged(type_: str, segments: Sequence[_Segment]) -> _Segment:
    if len(segments) == 1 and (segments[0].tables is not None or segments[0].keys is not None):
        return segments[0]
    return _sealed(type_, _joined([segment.rows for segment in segments]))


def _sealed(type_: str, rows: _Rows) -> _Segment:
    """A segment with its search aids; the rows of an exact type are put in order, those of a perceptual one not."""
    kind = SIGNAL_KINDS[type_]
    if kind.perceptual:
        return _Segment(kind=kind, rows=rows, tables=kernel.build(rows.values))
    keys = kernel.prefixes(rows.values)
    order = np.argsort(keys, kind="stable")
    return _Segment(kind=kind, rows=rows.part(order), keys=keys[order])


def _write(path: Path, segments: Mapping[str, _Segment], sequence: int) -> None:
    columns: dict[str, Column] = {}
    for type_, segment in segments.items():
        rows: dict[str, Column] = {
            "values": segment.rows.values,
            "ids": segment.rows.ids,
            "bank_ids": segment.rows.bank_ids,
        }
        columns |= {f"{type_}.{name}": column for name, column in rows.items()}
        if segment.tables is not None:
            columns |= {f"{type_}.order": segment.tables.order, f"{type_}.starts": segment.tables.starts}
        if segment.keys is not None:
            columns[f"{type_}.keys"] = segment.keys
    snapshot.write(path, sequence=sequence, columns=columns)


def _state_of(read: snapshot.Snapshot) -> _State:
    """The segments in a snapshot; columns of types unknown here are left alone."""
    shelves = {}
    for kind in SIGNAL_KINDS.values():
        if f"{kind.name}.ids" in read.columns:
            shelves[kind.name] = _Shelf(base=_segment_of(kind, read.columns))
    return _State(shelves=shelves, sequence=read.sequence)


def _segment_of(kind: SignalKind, columns: Mapping[str, Column]) -> _Segment:
    """A mapped segment, if its columns fit together: a checksum says nothing about who wrote the file."""
    try:
        own = {name: columns[f"{kind.name}.{name}"] for name in ("values", "ids", "bank_ids", *_aids(kind))}
    except KeyError as error:
        raise _unsound(f"{error} is missing") from error
    rows = _Rows(values=own["values"], ids=own["ids"], bank_ids=own["bank_ids"])
    if rows.values.shape != (len(rows), kind.length) or rows.ids.ndim != 1 or rows.bank_ids.shape != rows.ids.shape:
        raise _unsound(f"the rows of {kind.name} differ in number")
    if any(column.dtype != _DTYPES[name] for name, column in own.items()):
        raise _unsound(f"a column of {kind.name} has the wrong type")
    if kind.perceptual:
        tables = kernel.Tables(order=own["order"], starts=own["starts"])
        if not kernel.is_sound(tables, len(rows)):
            raise _unsound(f"the tables of {kind.name} point nowhere")
        return _Segment(kind=kind, rows=rows, tables=tables)
    if not np.array_equal(own["keys"], kernel.prefixes(rows.values)) or (own["keys"][1:] < own["keys"][:-1]).any():
        raise _unsound(f"the keys of {kind.name} are not in order")
    return _Segment(kind=kind, rows=rows, keys=own["keys"])


def _aids(kind: SignalKind) -> tuple[str, ...]:
    """The columns that speed up the search of this kind."""
    return ("order", "starts") if kind.perceptual else ("keys",)


def _unsound(detail: str) -> Broken:
    return Broken("snapshot_damaged", "The index file is damaged; build it again from the database.", detail=detail)
