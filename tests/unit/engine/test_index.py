"""The index against a plain list of entries, and under threads that add, load and search at once."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jikimi.engine import kernel, snapshot
from jikimi.engine.index import Index, build_snapshot
from jikimi.model.errors import Broken, Refused
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch, Hit, Signal

Entry = tuple[str, int, int, bytes]
"""Type, id, bank id, value."""


def pdq_near(base: int, bits: int) -> bytes:
    """A value `bits` away from the base value of this number."""
    start = int.from_bytes(np.random.default_rng(base).bytes(32))
    return (start ^ ((1 << bits) - 1)).to_bytes(32)


def exact_value(type_: str, base: int) -> bytes:
    """Values of which some agree in their first 8 bytes."""
    return (base // 2).to_bytes(8) + base.to_bytes(SIGNAL_KINDS[type_].length - 8)


_ORDER, _STARTS = (
    ("pdq.chunk_order", "pdq.chunk_blocks") if "native" in kernel.name() else ("pdq.word_order", "pdq.word_starts")
)

types = st.sampled_from(sorted(SIGNAL_KINDS))
typed_values = types.flatmap(
    lambda type_: st.tuples(
        st.just(type_),
        st.builds(pdq_near, st.integers(0, 2), st.sampled_from([0, 1, 15, 16, 31, 32, 40, 64, 256]))
        if type_ == "pdq"
        else st.integers(0, 3).map(lambda base: exact_value(type_, base)),
    )
)
entries_ = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 4), typed_values), max_size=40).map(
    lambda drawn: [(type_, id_, bank, value) for id_, bank, (type_, value) in drawn]
)
radii_ = st.dictionaries(st.integers(1, 6), st.integers(-1, 300), max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(entries_, st.lists(typed_values, max_size=12), radii_, st.integers(0, 40), st.booleans())
def test_few_entries_are_searched_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[Entry],
    asked: list[tuple[str, bytes]],
    radii: dict[int, int],
    in_snapshot: int,
    is_saved: bool,
) -> None:
    signals = [Signal(type=type_, value=value) for type_, value in asked]
    path = tmp_path_factory.getbasetemp() / "few"
    index = Index()
    build_snapshot(path, batches(entries[:in_snapshot]), 5)
    index.load(path)
    for batch in batches(entries[in_snapshot:]):
        index.add(batch, sequence=9)
    expected = plain_search(entries, signals, radii)
    assert index.search(signals, radii) == expected
    assert index.pending == len(entries[in_snapshot:])
    if is_saved:
        index.save(path)
        index.load(path)
        assert index.search(signals, radii) == expected
        assert index.pending == 0
    assert sum(index.sizes().values()) == len(entries)


def test_an_empty_index() -> None:
    index = Index()
    assert index.sizes() == dict.fromkeys(SIGNAL_KINDS, 0)
    assert (index.sequence, index.pending) == (0, 0)
    assert index.search([], {1: 31}) == []
    assert index.search([Signal(type="pdq", value=bytes(32))], {1: 31}) == [[]]


def test_an_entry_is_visible_to_the_next_search() -> None:
    index = Index()
    for number in range(1, 30):
        value = pdq_near(number, 0)
        index.add(batch_of([("pdq", number, 1, value)]), sequence=number)
        assert index.search([Signal(type="pdq", value=value)], {1: 0}) == [[hit(number, 1, 0)]]
        assert index.sequence == number


def test_each_bank_has_its_own_reach() -> None:
    index = Index()
    index.add(batch_of([("pdq", bank, bank, pdq_near(1, 20)) for bank in (1, 2, 3, 4)]))
    asked = [Signal(type="pdq", value=pdq_near(1, 0))]
    assert index.search(asked, {1: 20, 2: 19, 3: 31}) == [[hit(1, 1, 20), hit(3, 3, 20)]]
    assert index.search(asked, {9: 31}) == [[]]
    assert index.search(asked, {}) == [[]]
    assert index.search(asked, {1: -1}) == [[]]


@pytest.mark.parametrize("type_", ["pdq", "md5"])
def test_entries_stay_with_their_bank_when_one_with_a_lower_number_gets_its_first(type_: str) -> None:
    index = Index()
    value = bytes(SIGNAL_KINDS[type_].length)
    for id_, bank_id in enumerate([7, 3, 9, 3, 5, 7, 1]):
        index.add(EntryBatch(type=type_, ids=array("q", [id_]), bank_ids=array("q", [bank_id]), values=value))
    (hits,) = index.search([Signal(type=type_, value=value)], dict.fromkeys(range(10), 0))
    assert [hit.bank_id for hit in hits] == [7, 3, 9, 3, 5, 7, 1]
    (hits,) = index.search([Signal(type=type_, value=value)], {7: 0})
    assert [hit.entry_id for hit in hits] == [0, 5]


def test_exact_types_ignore_the_reach() -> None:
    index = Index()
    index.add(batch_of([("md5", 7, 1, exact_value("md5", 2)), ("md5", 8, 2, exact_value("md5", 3))]))
    assert index.search([Signal(type="md5", value=exact_value("md5", 2))], {1: 0}) == [[hit(7, 1, 0)]]
    assert index.search([Signal(type="md5", value=exact_value("md5", 2))], {1: -1}) == [[hit(7, 1, 0)]]
    assert index.search([Signal(type="md5", value=exact_value("md5", 3))], {1: 31}) == [[]]


def test_one_entry_is_reported_once_at_its_best_and_copies_under_other_ids_all() -> None:
    index = Index()
    far, near = pdq_near(1, 9), pdq_near(1, 4)
    index.add(batch_of([("pdq", 5, 1, far), ("pdq", 5, 1, near), ("pdq", 3, 1, near), ("pdq", 9, 1, near)]))
    asked = [Signal(type="pdq", value=pdq_near(1, 0))]
    assert index.search(asked, {1: 31}) == [[hit(3, 1, 4), hit(5, 1, 4), hit(9, 1, 4)]]


def test_a_sequence_number_never_falls() -> None:
    index = Index()
    index.add(batch_of([("md5", 1, 1, bytes(16))]), sequence=7)
    index.add(batch_of([("md5", 2, 1, bytes(16))]), sequence=3)
    index.add(batch_of([("md5", 2, 1, bytes(16))]))
    assert index.sequence == 7
    index.add(EntryBatch(type="md5", ids=array("q"), bank_ids=array("q"), values=b""), sequence=8)
    assert (index.sequence, index.pending) == (8, 3)


@pytest.mark.parametrize(
    ("type_", "ids", "bank_ids", "values"),
    [
        ("pdq", array("q", [1]), array("q", [1]), bytes(31)),
        ("pdq", array("q", [1]), array("q"), bytes(32)),
        ("pdq", array("q", [1, 2]), array("q", [1, 2]), bytes(32)),
        ("pdq", array("i", [1]), array("q", [1]), bytes(32)),
        ("pdq", array("q", [1]), array("Q", [1]), bytes(32)),
        ("sha512", array("q", [1]), array("q", [1]), bytes(64)),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(
    type_: str, ids: array[int], bank_ids: array[int], values: bytes
) -> None:
    with pytest.raises(Refused):
        EntryBatch(type=type_, ids=ids, bank_ids=bank_ids, values=values)


@pytest.mark.parametrize("signal", [Signal(type="pdq", value=bytes(31)), Signal(type="crc32", value=bytes(4))])
def test_signals_that_cannot_be_are_refused(signal: Signal) -> None:
    with pytest.raises(Refused):
        Index().search([signal], {1: 31})


def test_the_caller_may_change_its_columns_after_adding() -> None:
    index = Index()
    for rows in (10, 10_000):
        ids = array("q", range(rows))
        banks = array("q", [1]) * rows
        values = bytearray(pdq_near(1, 0) * rows)
        index.add(EntryBatch(type="pdq", ids=ids, bank_ids=banks, values=bytes(values)))
        ids[:] = array("q", [99_999]) * rows
        banks.append(3)
    (found,) = index.search([Signal(type="pdq", value=pdq_near(1, 0))], {1: 0}, most=20_000)
    assert [one.entry_id for one in found] == list(range(10_000))


def test_batches_of_all_sizes_pile_up_in_few_segments(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    index, entries = Index(), list[Entry]()
    for rows in [1, 4000, 95, 1, 5000, 16_384, 3, 4096, 4097, 20_000, *[700] * 20]:
        fresh = [("pdq", len(entries) + i + 1, 1 + i % 3, rng.bytes(32)) for i in range(rows)]
        fresh += [("sha1", 1_000_000 + len(entries) + i, 1, rng.bytes(20)) for i in range(rows // 2)]
        entries += fresh
        for batch in batches(fresh):
            index.add(batch)
    chosen = [entries[place] for place in rng.integers(0, len(entries), 3000)]
    signals = [Signal(type=type_, value=value) for type_, _, _, value in chosen]
    expected = [[hit(id_, bank, 0)] for _, id_, bank, _ in chosen]
    radii = {1: 31, 2: 31, 3: 0}
    assert index.search(signals, radii) == expected
    index.save(tmp_path / "file")
    other = Index()
    other.load(tmp_path / "file")
    assert other.search(signals, radii) == expected
    assert other.sizes() == index.sizes()


def test_loading_takes_the_place_of_everything_and_adds_what_is_newer(tmp_path: Path) -> None:
    index = Index()
    old, kept, new = (("pdq", number, 1, pdq_near(number, 0)) for number in (1, 2, 3))
    index.add(batch_of([old]), sequence=20)
    build_snapshot(tmp_path / "file", [batch_of([kept])], 10)
    index.load(tmp_path / "file", newer=iter([(batch_of([new]), 12)]))
    asked = [Signal(type="pdq", value=value) for *_, value in (old, kept, new)]
    assert index.search(asked, {1: 0}) == [[], [hit(2, 1, 0)], [hit(3, 1, 0)]]
    assert (index.sequence, index.pending) == (12, 1)


def test_a_damaged_file_or_failing_changes_leave_the_index_as_it_was(tmp_path: Path) -> None:
    index = Index()
    index.add(batch_of([("md5", 1, 1, bytes(16))]), sequence=4)
    path = tmp_path / "file"
    index.save(path)

    def failing() -> Iterator[tuple[EntryBatch, int]]:
        yield batch_of([("md5", 2, 1, bytes(16))]), 5
        raise TimeoutError

    with pytest.raises(TimeoutError):
        index.load(path, newer=failing())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Broken):
        index.load(path)
    assert index.search([Signal(type="md5", value=bytes(16))], {1: 0}) == [[hit(1, 1, 0)]]
    assert (index.sequence, index.pending) == (4, 1)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (_ORDER, lambda column: column + 1),
        (_ORDER, lambda column: column[:, 1:]),
        (_ORDER, lambda column: column.astype(np.int64)),
        (_STARTS, lambda column: column[:, ::-1]),
        (_STARTS, lambda column: column[1:]),
        (_STARTS, lambda column: None),
        ("pdq.values", lambda column: column[:, :31]),
        ("pdq.ids", lambda column: column[:-1]),
        ("pdq.bank_of_row", lambda column: column[1:]),
        ("pdq.bank_ids", lambda column: column.astype(np.uint64)),
        ("pdq.bank_of_row", lambda column: column + 1),
        ("pdq.bank_of_row", lambda column: column.astype(np.uint8)),
        ("pdq.bank_ids", lambda column: np.array([1, 1])),
        ("pdq.values", lambda column: None),
        ("md5.keys", lambda column: column[::-1]),
        ("md5.keys", lambda column: None),
        ("md5.values", lambda column: column[::-1]),
        ("md5.ids", lambda column: column.reshape(-1, 1)),
    ],
)
def test_a_well_signed_file_with_wrong_columns_is_damage(tmp_path: Path, name: str, change: object) -> None:
    assert callable(change)
    path = tmp_path / "file"
    entries = [("pdq", number, 1, pdq_near(number, 0)) for number in range(5)]
    entries += [("md5", number, 1, number.to_bytes(16, "little")) for number in range(5)]
    build_snapshot(path, batches(entries), 1)
    columns = dict(snapshot.read(path).columns)
    changed = change(columns.pop(name))
    if changed is not None:
        columns[name] = changed
    snapshot.write(path, sequence=1, columns=columns)
    with pytest.raises(Broken) as caught:
        Index().load(path)
    assert caught.value.code == "snapshot_damaged"


def test_searches_are_right_while_others_add_save_and_load(tmp_path: Path) -> None:
    """Every entry added before a search begins is found, through seals and swaps, by every thread."""
    crowd = Crowd(tmp_path / "file")
    others = [
        threading.Thread(target=crowd.swap),
        *(threading.Thread(target=crowd.search, args=(n,)) for n in range(3)),
    ]
    for thread in others:
        thread.start()
    crowd.add()
    time.sleep(0.3)
    crowd.is_over.set()
    for thread in others:
        thread.join()
    assert crowd.swaps > 0
    assert not crowd.failures
    everything = crowd.index.search([Signal(type="pdq", value=value) for value in crowd.values], {1: 0})
    assert everything == [[hit(number, 1, 0)] for number in range(len(crowd.values))]


class Crowd:
    """Threads at one index. Entry i is change i + 1; it is committed first, then added, as with a database."""

    def __init__(self, path: Path) -> None:
        rng = np.random.default_rng(11)
        self.values = [rng.bytes(32) for _ in range(30_000)]
        self.path, self.index = path, Index()
        self.committed = self.added = 10_000
        self.swaps = 0
        self.failures = list[str]()
        self.is_over = threading.Event()
        build_snapshot(path, [self.changes(0, self.committed)], self.committed)
        self.index.load(path)

    def changes(self, after: int, last: int) -> EntryBatch:
        return batch_of([("pdq", number, 1, self.values[number]) for number in range(after, last)])

    def newer(self, than: int) -> Iterator[tuple[EntryBatch, int]]:
        committed = self.committed  # read once: a number must never promise rows that are not in the batch
        yield self.changes(than, committed), committed

    def add(self) -> None:
        while self.added < len(self.values):
            self.committed = min(self.added + 137, len(self.values))
            self.index.add(self.changes(self.added, self.committed), sequence=self.committed)
            self.added = self.committed
            time.sleep(0.001)

    def swap(self) -> None:
        while not self.is_over.is_set():
            self.index.save(self.path)
            self.index.load(self.path, newer=self.newer(snapshot.read(self.path).sequence))
            self.swaps += 1

    def search(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not self.is_over.is_set():
            chosen = rng.integers(0, self.added, 8).tolist()
            found = self.index.search([Signal(type="pdq", value=self.values[number]) for number in chosen], {1: 31})
            if found != [[hit(number, 1, 0)] for number in chosen]:
                self.failures.append(f"{chosen}: {found}")


def hit(entry_id: int, bank_id: int, distance: int) -> Hit:
    return Hit(entry_id=entry_id, bank_id=bank_id, distance=distance)


def batch_of(entries: Sequence[Entry], type_: str = "") -> EntryBatch:
    """A batch of entries of one type."""
    return EntryBatch(
        type=type_ or (entries[0][0] if entries else "pdq"),
        ids=array("q", [entry[1] for entry in entries]),
        bank_ids=array("q", [entry[2] for entry in entries]),
        values=b"".join(entry[3] for entry in entries),
    )


def batches(entries: Sequence[Entry]) -> list[EntryBatch]:
    """One batch per type, some of them empty."""
    return [batch_of([entry for entry in entries if entry[0] == type_], type_) for type_ in SIGNAL_KINDS]


def plain_search(entries: list[Entry], signals: list[Signal], radii: Mapping[int, int]) -> list[list[Hit]]:
    found = []
    for signal in signals:
        best: dict[int, Hit] = {}
        for type_, id_, bank, value in entries:
            if type_ != signal.type or bank not in radii:
                continue
            distance = (int.from_bytes(value) ^ int.from_bytes(signal.value)).bit_count()
            is_near = distance <= radii[bank] if type_ == "pdq" else distance == 0
            if is_near and (id_ not in best or distance < best[id_].distance):
                best[id_] = hit(id_, bank, distance)
        found.append(sorted(best.values(), key=lambda one: (one.distance, one.entry_id)))
    return found
