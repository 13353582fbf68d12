"""The audit chain: whatever is changed, removed, inserted or cut off is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import assume, given
from hypothesis import strategies as st

from jikimi.model.audit import GENESIS, AuditEvent, AuditHead, ChainReport, Detail, next_event, verify

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_WORDS = st.text(alphabet=st.characters(), max_size=8)
_DETAILS = st.dictionaries(_WORDS, st.one_of(_WORDS, st.integers(), st.booleans(), st.lists(_WORDS, max_size=2)))


@st.composite
def a_chain(draw: st.DrawFn, *, at_least: int = 1) -> list[AuditEvent]:
    events: list[AuditEvent] = []
    for number in range(draw(st.integers(at_least, 6))):
        events.append(
            next_event(
                head_of(events),
                at=_NOON + timedelta(microseconds=number),
                actor=draw(_WORDS),
                verb=draw(_WORDS),
                object_=draw(_WORDS),
                detail=draw(_DETAILS),
            )
        )
    return events


def head_of(events: list[AuditEvent]) -> AuditHead:
    return AuditHead(seq=events[-1].seq, digest=events[-1].digest) if events else AuditHead()


@given(a_chain(at_least=0))
def test_an_untouched_chain_holds(events: list[AuditEvent]) -> None:
    head = head_of(events)
    assert verify(events, head) == ChainReport(events=len(events), head=head)


def test_an_empty_chain_begins_at_the_genesis() -> None:
    assert verify([], AuditHead()) == ChainReport(events=0, head=AuditHead(seq=0, digest=GENESIS))


@given(a_chain(), st.data())
def test_any_changed_field_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(events) - 1))
    old = events[place]
    changes: dict[str, st.SearchStrategy[object]] = {
        "seq": st.integers(0, 9),
        "at": st.integers(1, 10**9).map(lambda step: old.at + timedelta(microseconds=step)),
        "actor": _WORDS,
        "verb": _WORDS,
        "object": _WORDS,
        "detail": _DETAILS,
        "prev": st.sampled_from([GENESIS, "f" * 64]),
        "digest": st.sampled_from([GENESIS, "f" * 64]),
    }
    field = data.draw(st.sampled_from(sorted(changes)))
    new = replace(old, **{field: data.draw(changes[field])})  # type: ignore[arg-type]
    assume(new != old)
    # 1 and True are the same to Python and different in the digest, so equality says too little here only.
    assert verify([*events[:place], new, *events[place + 1 :]], head_of(events)).mistake


@given(a_chain(), st.data())
def test_a_removed_event_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(events) - 1))
    report = verify([*events[:place], *events[place + 1 :]], head_of(events))
    assert report.mistake
    assert report.events == place


@given(a_chain(), st.data(), _DETAILS)
def test_an_inserted_event_is_found(events: list[AuditEvent], data: st.DataObject, detail: Detail) -> None:
    place = data.draw(st.integers(0, len(events)))
    forged = next_event(head_of(events[:place]), at=_NOON, actor="x", verb="y", object_="z", detail=detail)
    report = verify([*events[:place], forged, *events[place:]], head_of(events))
    assert report.mistake


@given(a_chain(at_least=2), st.data())
def test_an_event_forged_with_all_that_follow_is_found_by_the_stored_head(
    events: list[AuditEvent], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(events) - 1))
    forged = events[:place]
    for event in events[place:]:
        actor = event.actor + "!" if event is events[place] else event.actor
        forged.append(
            next_event(
                head_of(forged), at=event.at, actor=actor, verb=event.verb, object_=event.object, detail=event.detail
            )
        )
    assert verify(forged, head_of(events)).mistake


@given(a_chain(), st.data())
def test_a_cut_off_end_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(events) - 1))
    report = verify(events[:kept], head_of(events))
    assert report.head.seq == kept
    assert "the end is missing" in report.mistake


@given(a_chain(at_least=2), st.data())
def test_events_that_change_places_are_found(events: list[AuditEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(events) - 2))
    swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
    assert verify(swapped, head_of(events)).mistake


def test_a_mistake_names_the_event() -> None:
    first = next_event(AuditHead(), at=_NOON, actor="a", verb="b", object_="c", detail={})
    second = next_event(head_of([first]), at=_NOON, actor="a", verb="b", object_="c", detail={})
    head = head_of([first, second])
    assert verify([first, replace(second, actor="x")], head).mistake == "event 2 was changed"
    assert verify([second], head).mistake == "event 1 is missing"
    assert verify([first, first, second], head).mistake == "event 1 is there twice"
    assert verify([first, replace(second, prev=GENESIS)], head).mistake.startswith("event 2 does not follow event 1")


def test_the_same_moment_in_another_zone_is_the_same_event() -> None:
    elsewhere = _NOON.astimezone(timezone(timedelta(hours=9)))
    here, there = (
        next_event(AuditHead(), at=at, actor="a", verb="b", object_="c", detail={}) for at in (_NOON, elsewhere)
    )
    assert here.digest == there.digest
