"""What is kept of an upload comes back as it was, and is numbered in the order in which it was written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.db.kept import MemoryKept, packed, unpacked
from jikimi.db.tx import SqlStore
from jikimi.model.look_back import KeptUpload, Looked, shelf_of, shelves, upload_at
from jikimi.model.match import View
from jikimi.model.media import MediaKind, Reason
from jikimi.model.scan import Content, Examination, Seen, Upload
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch, Signal, Variant

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def seen(values: list[bytes], quality: int | None, frame: int, *, flattened: bool) -> Seen:
    variants = tuple(
        (variant, Signal(type="pdq", value=value, frame=frame, variant=variant))
        for variant, value in zip(Variant, values, strict=True)
    )
    view = View(signal=Signal(type="pdq", value=values[0], quality=quality, frame=frame), flattened=flattened)
    return Seen(view=view, variants=variants)


pictures = st.builds(
    seen,
    st.lists(st.binary(min_size=32, max_size=32), min_size=8, max_size=8),
    st.none() | st.integers(0, 100),
    st.integers(0, 9999),
    flattened=st.booleans(),
)
digests = st.tuples(
    *(
        st.binary(min_size=SIGNAL_KINDS[type_].length, max_size=SIGNAL_KINDS[type_].length)
        for type_ in ("sha256", "sha1", "md5")
    )
)


def examined(values: tuple[bytes, bytes, bytes], seen: list[Seen], frames: int, faults: list[Reason]) -> Examination:
    signals = tuple(
        Signal(type=type_, value=value) for type_, value in zip(("sha256", "sha1", "md5"), values, strict=True)
    )
    by_type = {signal.type: signal.text for signal in signals}
    return Examination(
        content=Content(kind=MediaKind.GIF, size=1 << 40, width=640, height=480, **by_type),
        digests=signals,
        seen=tuple(seen),
        frames=frames,
        faults=tuple(faults),
    )


examinations = st.builds(
    examined,
    digests,
    st.lists(pictures, max_size=4),
    st.integers(0, 10_000),
    st.lists(st.sampled_from(Reason), max_size=2),
)


@given(examinations, st.integers(0, 1 << 60))
def test_what_was_packed_is_unpacked_as_it_was(examination: Examination, version: int) -> None:
    bare = replace(examination.content, sha256="", sha1="", md5="")
    assert unpacked(packed(examination, version), bare, examination.faults) == (examination, version)


@given(st.datetimes(timezones=st.just(UTC)), st.none() | st.integers(0, 100), st.integers(0, 100))
def test_a_search_asks_for_the_qualities_that_count(at: datetime, quality: int | None, floor: int) -> None:
    assert (shelf_of(at, quality) in set(shelves(at, at, floor))) == (quality is None or quality >= floor)


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(database_url or f"sqlite:///{tmp_path}/records.db")
    store.migrate()
    yield store
    store.close()


def kept(number: int, *, version: int = 0, at: datetime = NOON) -> KeptUpload:
    values = [bytes([number, place]) * 16 for place in range(8)]
    picture = seen(values, 80, 0, flattened=False)
    digest = bytes([number])
    return KeptUpload(
        upload=Upload(source="forum", received_at=at, content_id=f"post/{number}", account_id="ä", url="https://x/"),
        examination=examined((digest * 32, digest * 20, digest * 16), [picture], 1, []),
        version=version,
    )


def test_uploads_come_back_and_are_followed_by_number(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.kept.add([kept(1), kept(2)])
        tx.kept.add([])
    with store.begin() as tx:
        tx.kept.add([kept(3)])
    with store.read() as tx:
        assert tx.kept.some([3, 1, 9]) == (replace(kept(1), id=1), replace(kept(3), id=3))
        assert (tx.kept.sequence(), tx.kept.size()) == (3, 3)
        first, reached = tx.kept.changes(0, 2)
        rest, end = tx.kept.changes(reached, 2)
        assert (reached, end) == (2, 3)
        assert uploads_of(first) == {1, 2}
        assert uploads_of(rest) == {3}
        assert tx.kept.changes(3, 2) == ((), 3)
        assert sum(len(batch) for batch in tx.kept.batches(2)) == 3 * (3 + 8)


def uploads_of(batches: tuple[EntryBatch, ...]) -> set[int]:
    return {upload_at(place) for batch in batches for place in batch.ids}


def test_late_are_those_that_were_compared_with_less(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.kept.add([kept(number, version=version) for number, version in enumerate([5, 3, 5, 4, 1], start=1)])
    with store.read() as tx:
        assert tx.kept.late(0, 5, 10) == ((2, 4, 5), 5)
        assert tx.kept.late(2, 5, 2) == ((4,), 4)
        assert tx.kept.late(5, 5, 2) == ((), 5)


def test_a_number_is_never_given_twice_and_marks_tell_histories_apart(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.kept.add([kept(1), kept(2, at=NOON + timedelta(days=1))])
    with store.begin() as tx:
        before = tx.kept.mark(2)
        assert tx.kept.mark(2) == before != ""
        assert tx.kept.erase([1, 2], [Signal(type="md5", value=b"\x07" * 16)]) == 0
        assert tx.kept.mark(2) == before
        assert tx.kept.erase([1, 2], [Signal(type="md5", value=b"\x01" * 16)]) == 1
        erased = tx.kept.mark(2)
        assert erased != before
        assert tx.kept.purge(NOON + timedelta(hours=1), 10) == 1
        assert tx.kept.mark(2) not in (before, erased, "")
        assert tx.kept.purge(None, 10) == 1
        assert (tx.kept.mark(2), tx.kept.size(), tx.kept.oldest()) == ("", 0, None)
        tx.kept.add([kept(3)])
        assert tx.kept.sequence() == 3


def test_how_far_it_has_come_is_stored_and_forgotten(store: SqlStore) -> None:
    with store.begin() as tx:
        assert tx.kept.looked() is None
        tx.kept.look(Looked(entries=7, uploads=3))
        tx.kept.look(Looked(entries=9, uploads=4))
    with store.begin() as tx:
        assert tx.kept.looked() == Looked(entries=9, uploads=4)
        tx.kept.stop()
        assert tx.kept.looked() is None


def test_what_waits_is_bounded_and_comes_back_in_order() -> None:
    waiting = MemoryKept()
    many = replace(kept(1).examination, seen=kept(1).examination.seen * 10_000)
    taken = 0
    while waiting.add(replace(kept(1), examination=many)):
        taken += 1
        assert taken < 100
    first = waiting.take()
    assert (len(first), waiting.take()) == (taken, ())
    assert waiting.add(kept(2))
    waiting.give_back(first[:1])
    assert [one.upload.content_id for one in waiting.take()] == ["post/1", "post/2"]
