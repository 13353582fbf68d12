"""All bank entries, searchable: the index proposes, the database disposes.

Decided here: how entries are held in memory, how new ones become visible at once, and how all of it is exchanged for a
newer snapshot under running searches. Not decided here: whether an entry still counts. The index never forgets an
entry before its next snapshot: the caller looks every hit up in the database and drops what was withdrawn or switched
off since. What a distance means is said in `model`; how values are compared, in `engine.kernel`.

Per signal type there is at most one segment mapped from the snapshot, some sealed segments in memory (with tables),
some raw ones (without), and the newest rows, which are few enough to be tried one by one. Rows are visible as soon as
they are added; a thread in the background makes sealed segments of the raw ones, so that no add waits for tables.
Segments never change. A search takes the current set of segments and needs no lock; a writer makes a new set and puts
it in place of the old one. A map is closed when the last search that uses it ends.
"""

from __future__ import annotations

import os
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
from jikimi.model.signal import MOST_HITS, SIGNAL_KINDS, EntryBatch, Hit, Signal, SignalKind

Column = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

_FRESH_ROWS = 4096
"""Newest rows tried one by one: about as dear as one sealed segment of any size (2 to 50 us per query; measured)."""

_MOST_BANKS = 1 << 16
"""Bank numbers are 16 bits wide."""

_QUERIES_PER_THREAD = 64
"""Queries that are worth a thread of their own: it takes as long to start as to answer one."""

_DTYPES = {"values": ("u1",), "ids": ("u4", "i8"), "bank_of_row": ("u2",), "bank_ids": ("i8",), "keys": ("u8",)}


class Index:
    """Entries of all signal types. Any number of threads may search while others add, save or load."""

    def __init__(self) -> None:
        self._writing = threading.Lock()
        self._following = threading.Lock()
        self._state = _State()
        self._sealer: threading.Thread | None = None

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
            self._seal_behind()

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

    def search(self, signals: Sequence[Signal], radii: Mapping[int, int], most: int = MOST_HITS) -> list[list[Hit]]:
        """The entries near each signal: one list per signal, nearest first, then by entry id, each entry once.

        Of one bank only the nearest `most` are given for a signal: a bank that has so many may have more.
        `radii` names the banks that are asked, with the largest distance (bits) that still is a hit; for exact types
        the number means nothing. A negative radius leaves the bank out, except for exact types.
        """
        shelves = self._state.shelves
        banks = _Banks.of(radii)
        hits: list[list[Hit]] = [[] for _ in signals]
        for type_, places in _by_type(signals).items():
            if type_ in shelves and banks.ids.size:
                queries = _values(SIGNAL_KINDS[type_], b"".join([signals[place].value for place in places]))
                for query, hit in _nearest_first(shelves[type_].segments, queries, banks, most):
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
            self._seal_behind()

    def _seal_behind(self) -> None:
        """Start the sealing thread if there is work and none is at it. The caller holds the writing lock."""
        if self._sealer is None and any(shelf.raw for shelf in self._state.shelves.values()):
            self._sealer = threading.Thread(target=self._seal_all, name="jikimi-index-sealer")
            self._sealer.start()

    def _seal_all(self) -> None:
        """Seal raw segments until there are none. What a load has taken away meanwhile is forgotten."""
        try:
            while work := self._next_to_seal():
                type_, shelf = work
                kept, parts = shelf.to_seal()
                sealed = _sealed(type_, _joined([part.rows for part in parts]))
                with self._writing:
                    self._state = self._state.with_sealed(type_, kept, parts, sealed)
        except BaseException:
            # Raw segments are searched as well. If memory was short, the next add tries again.
            with self._writing:
                self._sealer = None
            raise

    def _next_to_seal(self) -> tuple[str, _Shelf] | None:
        """A shelf with raw segments. If there is none the thread is over, as of this moment: adds start another."""
        with self._writing:
            for type_, shelf in self._state.shelves.items():
                if shelf.raw:
                    return type_, shelf
            self._sealer = None
            return None


def build_snapshot(path: Path, batches: Iterable[EntryBatch], sequence: int) -> None:
    """Write a snapshot straight from batches, in any order and mix of types; memory is about twice the data."""
    gathered: dict[str, _Gathered] = {}
    for batch in batches:
        if len(batch):
            gathered.setdefault(batch.type, _Gathered()).add(batch)
    segments = {}
    for type_ in list(gathered):
        segments[type_] = _sealed(type_, gathered.pop(type_).rows(SIGNAL_KINDS[type_]))
    _write(path, segments, sequence)


class _Gathered:
    """The columns of many batches of one type."""

    def __init__(self) -> None:
        self._values = bytearray()
        self._ids = array("q")
        self._bank_of_row = array("H")
        self._numbers: dict[int, int] = {}

    def add(self, batch: EntryBatch) -> None:
        """Append the rows of a batch."""
        own, bank_of_row = _numbered(_numbers(batch.bank_ids))
        numbers = [self._numbers.setdefault(bank_id, len(self._numbers)) for bank_id in own.tolist()]
        if len(self._numbers) > _MOST_BANKS:
            raise _too_many_banks()
        self._bank_of_row.frombytes(np.array(numbers, np.uint16)[bank_of_row].tobytes())
        self._values += batch.values
        self._ids.extend(batch.ids)

    def rows(self, kind: SignalKind) -> _Rows:
        """All of it; nothing can be added afterwards."""
        bank_of_row = np.frombuffer(self._bank_of_row, np.uint16)
        ids = _narrow(_numbers(self._ids))
        del self._ids
        bank_ids = np.fromiter(self._numbers, np.int64, len(self._numbers))
        return _Rows(values=_values(kind, self._values), ids=ids, bank_of_row=bank_of_row, bank_ids=bank_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Entries as columns: values (rows, length) uint8; ids (rows,) int64, or uint32 if they fit.

    The bank of row i is `bank_ids[bank_of_row[i]]`; no bank stands twice in `bank_ids`.
    """

    values: kernel.Values
    ids: Column
    bank_of_row: kernel.Banks
    bank_ids: Numbers

    @classmethod
    def of(cls, batch: EntryBatch) -> _Rows:
        """The rows of a batch; its columns stay the caller's, who may change them after `_joined` or `_sealed`."""
        bank_ids, bank_of_row = _numbered(_numbers(batch.bank_ids))
        values = _values(SIGNAL_KINDS[batch.type], batch.values)
        return cls(values=values, ids=_numbers(batch.ids), bank_of_row=bank_of_row, bank_ids=bank_ids)

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, rows: slice | Numbers | kernel.Places) -> _Rows:
        """Some of the rows: a view if `rows` is a slice."""
        return replace(self, values=self.values[rows], ids=self.ids[rows], bank_of_row=self.bank_of_row[rows])

    def renumbered(self, bank_ids: Numbers) -> kernel.Banks:
        """Where in other `bank_ids`, which contain all of these, the bank of each row stands."""
        order = np.argsort(bank_ids)
        there: kernel.Banks = order[np.searchsorted(bank_ids, self.bank_ids, sorter=order)].astype(np.uint16)
        renumbered: kernel.Banks = there[self.bank_of_row]
        return renumbered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Segment:
    """Rows that never change, with what speeds their search up: tables (perceptual) or sorted keys (exact)."""

    kind: SignalKind
    rows: _Rows
    tables: Mapping[str, Column] | None = None
    keys: npt.NDArray[np.uint64] | None = None
    searchable: kernel.Searchable | None = None

    @classmethod
    def of(cls, kind: SignalKind, rows: _Rows, tables: Mapping[str, Column] | None = None) -> _Segment:
        """A segment without keys. `ValueError` if the tables have not the shape for the rows."""
        searchable = kernel.searchable(rows.values, rows.bank_of_row, tables) if kind.perceptual else None
        return cls(kind=kind, rows=rows, tables=tables, searchable=searchable)

    @property
    def is_sealed(self) -> bool:
        """Whether it has tables or keys."""
        return self.tables is not None or self.keys is not None

    def __len__(self) -> int:
        return len(self.rows)

    def pairs(self, queries: kernel.Values, limits: kernel.Limits, most: int) -> kernel.Pairs:
        """Which queries are nearer to which rows than the limits of the rows' banks; of each bank, the nearest."""
        if self.searchable is not None:
            threads = min(_cores(), 1 + len(queries) // _QUERIES_PER_THREAD)
            return self.searchable.within(queries, limits, threads, most)
        pairs = kernel.equal(self.rows.values, self.keys, queries)
        asked = limits[self.rows.bank_of_row[pairs.row]] > 0
        return kernel.Pairs(pairs.query[asked], pairs.row[asked], pairs.distance[asked])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """All segments of one type. `room` is the buffer whose first rows are `fresh`; only the writer touches the rest."""

    base: _Segment | None = None
    sealed: tuple[_Segment, ...] = ()
    raw: tuple[_Segment, ...] = ()
    fresh: _Segment | None = None
    room: _Rows | None = None

    @property
    def segments(self) -> tuple[_Segment, ...]:
        """Everything to be searched."""
        return tuple(segment for segment in (self.base, *self.sealed, *self.raw, self.fresh) if segment is not None)

    def with_rows(self, kind: SignalKind, rows: _Rows) -> _Shelf:
        """The shelf with more rows: beside the fresh ones if they fit, else both become a raw segment."""
        held = len(self.fresh) if self.fresh else 0
        if held + len(rows) > _FRESH_ROWS:
            parts = [self.fresh.rows, rows] if self.fresh else [rows]
            return replace(self, raw=(*self.raw, _Segment.of(kind, _joined(parts))), fresh=None, room=None)
        room = self.room or _room(kind)
        bank_ids = _extended(room.bank_ids, rows.bank_ids)
        room = replace(room, bank_ids=bank_ids)
        target = room.part(slice(held, held + len(rows)))
        target.values[:], target.ids[:], target.bank_of_row[:] = rows.values, rows.ids, rows.renumbered(bank_ids)
        return replace(self, fresh=_Segment.of(kind, room.part(slice(held + len(rows)))), room=room)

    def to_seal(self) -> tuple[tuple[_Segment, ...], tuple[_Segment, ...]]:
        """The sealed segments to keep, and the sealed and raw ones to make one of.

        Sizes so at least halve from one segment to the next: few segments, and a row is rarely sealed again.
        """
        kept, parts = list(self.sealed), list(self.raw)
        while kept and len(kept[-1]) <= sum(map(len, parts)):
            parts.insert(0, kept.pop())
        return tuple(kept), tuple(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a search sees."""

    shelves: Mapping[str, _Shelf] = field(default_factory=dict)
    sequence: int = 0

    def with_batch(self, batch: EntryBatch, sequence: int) -> _State:
        """The state with the rows of a batch and at least this sequence number."""
        shelves = dict(self.shelves)
        if len(batch):
            shelf = shelves.get(batch.type, _Shelf())
            shelves[batch.type] = shelf.with_rows(SIGNAL_KINDS[batch.type], _Rows.of(batch))
        return _State(shelves=shelves, sequence=max(self.sequence, sequence))

    def with_sealed(self, type_: str, kept: tuple[_Segment, ...], parts: tuple[_Segment, ...], one: _Segment) -> _State:
        """The state with one segment in place of the parts, unless they are gone; raw ones that came later stay."""
        shelf = self.shelves.get(type_, _Shelf())
        held = (*shelf.sealed, *shelf.raw)
        if held[: len(kept) + len(parts)] != (*kept, *parts):
            return self
        shelf = replace(shelf, sealed=(*kept, one), raw=held[len(kept) + len(parts) :])
        return replace(self, shelves={**self.shelves, type_: shelf})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Banks:
    """The banks that are asked, by ascending id, and how far each reaches."""

    ids: Numbers
    reach: Numbers

    @classmethod
    def of(cls, radii: Mapping[int, int]) -> _Banks:
        """Read the caller's mapping; more than all bits is all bits, and less than none is none."""
        ids = sorted(radii)
        reach = [max(min(radii[id_], kernel.BITS), -1) for id_ in ids]
        return cls(ids=np.array(ids, np.int64), reach=np.array(reach, np.int64))

    def limits(self, bank_ids: Numbers, kind: SignalKind) -> kernel.Limits:
        """For each of these banks, the distance below which its rows are hits: 0 for a bank that is not asked."""
        at = np.minimum(np.searchsorted(self.ids, bank_ids), len(self.ids) - 1)
        reach = self.reach[at] + 1 if kind.perceptual else 1
        limits: kernel.Limits = np.where(self.ids[at] == bank_ids, reach, 0).astype(np.uint16)
        return limits


def _by_type(signals: Sequence[Signal]) -> dict[str, list[int]]:
    """Where the signals of each type stand. `Refused` if a type is unknown or a value has not its length."""
    places: dict[str, list[int]] = {}
    for place, signal in enumerate(signals):
        kind = SIGNAL_KINDS.get(signal.type)
        if kind is None or len(signal.value) != kind.length:
            raise Refused("signal_value_invalid", f"A signal of {len(signal.value)} bytes is not {signal.type[:40]!r}.")
        places.setdefault(signal.type, []).append(place)
    return places


def _nearest_first(
    segments: Sequence[_Segment], queries: kernel.Values, banks: _Banks, most: int
) -> Iterator[tuple[int, Hit]]:
    """(Number of the query, hit) for all segments; per query by distance and entry id, each entry once, at its best."""
    found = [_found(segment, queries, banks, most) for segment in segments]
    query, entry, bank, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((distance, entry, query))
    query, entry, bank, distance = query[order], entry[order], bank[order], distance[order]
    is_best = np.ones(len(query), np.bool_)
    is_best[1:] = (query[1:] != query[:-1]) | (entry[1:] != entry[:-1])
    best = np.flatnonzero(is_best)
    best = best[_ranks(query[best], bank[best], distance[best]) < most]
    best = best[np.lexsort((distance[best], query[best]))]
    columns = (column[best].tolist() for column in (query, entry, bank, distance))
    for number, entry_id, bank_id, bits in zip(*columns, strict=True):
        yield number, Hit(entry_id=entry_id, bank_id=bank_id, distance=bits)


def _ranks(query: Numbers, bank: Numbers, distance: Numbers) -> Numbers:
    """How many of the same query and bank are nearer, or as near and before it."""
    order = np.lexsort((distance, bank, query))
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (np.diff(query[order]) != 0) | (np.diff(bank[order]) != 0)
    begins = np.flatnonzero(is_first)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return ranks


def _found(
    segment: _Segment, queries: kernel.Values, banks: _Banks, most: int
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Columns query, entry id, bank id and distance of what one segment has within the banks' reach."""
    pairs = segment.pairs(queries, banks.limits(segment.rows.bank_ids, segment.kind), most)
    bank_ids = segment.rows.bank_ids[segment.rows.bank_of_row[pairs.row]]
    return pairs.query, segment.rows.ids[pairs.row].astype(np.int64, copy=False), bank_ids, pairs.distance


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _values(kind: SignalKind, values: bytes | bytearray) -> kernel.Values:
    return np.frombuffer(values, np.uint8).reshape(-1, kind.length)


def _numbers(numbers: array[int]) -> Numbers:
    return np.frombuffer(numbers, np.int64)


def _narrow(ids: Numbers) -> Column:
    """The same numbers in half the room, if they fit."""
    fits = not len(ids) or (int(ids.min()) >= 0 and int(ids.max()) < 1 << 32)
    return ids.astype(np.uint32) if fits else ids


def _numbered(bank_ids: Numbers) -> tuple[Numbers, kernel.Banks]:
    """The different banks, and for each row the number of its bank among them."""
    if len(bank_ids) and (bank_ids == bank_ids[0]).all():
        return bank_ids[:1].copy(), np.zeros(len(bank_ids), np.uint16)
    different = _united([bank_ids])
    return different, np.searchsorted(different, bank_ids).astype(np.uint16)


def _united(tables: Sequence[Numbers]) -> Numbers:
    """All banks of all tables, ascending."""
    united = _different(np.concatenate(tables))
    if len(united) > _MOST_BANKS:
        raise _too_many_banks()
    return united


def _extended(bank_ids: Numbers, more: Numbers) -> Numbers:
    """These banks, then those of `more` that are not among them: the numbers of rows that are there stay true."""
    known = set(bank_ids.tolist())
    new = [bank_id for bank_id in more.tolist() if bank_id not in known]
    if len(known) + len(new) > _MOST_BANKS:
        raise _too_many_banks()
    return np.concatenate([bank_ids, np.array(new, np.int64)])


def _different(numbers: Numbers) -> Numbers:
    """Each number once, ascending. NumPy's `unique` would import its masked arrays: half of a start."""
    ascending = np.sort(numbers)
    is_new = np.ones(len(ascending), np.bool_)
    is_new[1:] = ascending[1:] != ascending[:-1]
    different: Numbers = ascending[is_new]
    return different


def _too_many_banks() -> Refused:
    return Refused("too_many_banks", f"The index holds at most {_MOST_BANKS} banks; merge some of them.")


def _room(kind: SignalKind) -> _Rows:
    """A buffer for the newest rows."""
    return _Rows(
        values=np.empty((_FRESH_ROWS, kind.length), np.uint8),
        ids=np.empty(_FRESH_ROWS, np.int64),
        bank_of_row=np.empty(_FRESH_ROWS, np.uint16),
        bank_ids=np.empty(0, np.int64),
    )


def _joined(parts: Sequence[_Rows]) -> _Rows:
    bank_ids = _united([part.bank_ids for part in parts])
    return _Rows(
        values=np.concatenate([part.values for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        bank_of_row=np.concatenate([part.renumbered(bank_ids) for part in parts]),
        bank_ids=bank_ids,
    )


def _merged(type_: str, segments: Sequence[_Segment]) -> _Segment:
    if len(segments) == 1 and segments[0].is_sealed:
        return segments[0]
    return _sealed(type_, _joined([segment.rows for segment in segments]))


def _sealed(type_: str, rows: _Rows) -> _Segment:
    """A segment with its search aids, its rows in the order that these need."""
    kind = SIGNAL_KINDS[type_]
    if kind.perceptual:
        rows = _arranged(rows)  # What they were before goes, if the caller holds no more: the tables need the room.
        return _Segment.of(kind, rows, kernel.tabulate(rows.values, _cores()))
    keys = kernel.prefixes(rows.values)
    order = np.argsort(keys, kind="stable")
    return _Segment(kind=kind, rows=_narrowed(rows.part(order)), keys=keys[order])


def _arranged(rows: _Rows) -> _Rows:
    arranged = kernel.arrange(rows.values, _cores())
    places = slice(None) if arranged.places is None else arranged.places
    rows = replace(rows, values=arranged.values, ids=rows.ids[places], bank_of_row=rows.bank_of_row[places])
    return _narrowed(rows)


def _narrowed(rows: _Rows) -> _Rows:
    return replace(rows, ids=_narrow(rows.ids))


def _write(path: Path, segments: Mapping[str, _Segment], sequence: int) -> None:
    columns: dict[str, Column] = {}
    for type_, segment in segments.items():
        own: dict[str, Column] = {
            "values": segment.rows.values,
            "ids": segment.rows.ids,
            "bank_of_row": segment.rows.bank_of_row,
            "bank_ids": segment.rows.bank_ids,
            **(segment.tables or {}),
        }
        if segment.keys is not None:
            own["keys"] = segment.keys
        columns |= {f"{type_}.{name}": column for name, column in own.items()}
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
    own = {name.removeprefix(f"{kind.name}."): column for name, column in columns.items()}
    rows = _mapped_rows(kind, own)
    if not kind.perceptual:
        keys = _column(own, "keys", _DTYPES["keys"])
        if not np.array_equal(keys, kernel.prefixes(rows.values)) or (keys[1:] < keys[:-1]).any():
            raise _unsound(f"the keys of {kind.name} are not in order")
        return _Segment(kind=kind, rows=rows, keys=keys)
    if own.keys().isdisjoint(kernel.tables()):
        return _sealed(kind.name, rows)  # Written by another kernel. The next snapshot is this one's.
    tables = {name: _column(own, name, (dtype,)) for name, dtype in kernel.tables().items()}
    try:
        segment = _Segment.of(kind, rows, tables)
    except (ValueError, TypeError) as error:
        raise _unsound(f"the tables of {kind.name} do not fit") from error
    if segment.searchable is None or not segment.searchable.is_sound(_cores()):
        raise _unsound(f"the tables of {kind.name} point nowhere")
    return segment


def _mapped_rows(kind: SignalKind, own: Mapping[str, Column]) -> _Rows:
    values, ids, bank_of_row, bank_ids = (
        _column(own, name, _DTYPES[name]) for name in ("values", "ids", "bank_of_row", "bank_ids")
    )
    if values.shape != (len(ids), kind.length) or ids.ndim != 1 or bank_of_row.shape != ids.shape:
        raise _unsound(f"the rows of {kind.name} differ in number")
    if bank_ids.ndim != 1 or len(_different(bank_ids)) != len(bank_ids):
        raise _unsound(f"a bank of {kind.name} stands twice")
    if len(ids) and int(bank_of_row.max()) >= len(bank_ids):
        raise _unsound(f"a row of {kind.name} has no bank")
    return _Rows(values=values, ids=ids, bank_of_row=bank_of_row, bank_ids=bank_ids)


def _column(own: Mapping[str, Column], name: str, dtypes: tuple[str, ...]) -> Column:
    if name not in own:
        raise _unsound(f"{name} is missing")
    if own[name].dtype not in dtypes:
        raise _unsound(f"{name} has the wrong type")
    return own[name]


def _unsound(detail: str) -> Broken:
    return Broken("snapshot_damaged", "The index file is damaged; build it again from the database.", detail=detail)
