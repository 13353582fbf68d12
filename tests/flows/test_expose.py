"""What people look at is counted by the server's clock and capped, whichever way it is asked for."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from PIL import Image

from jikimi.engine.pattern import paint
from jikimi.flows import me
from jikimi.flows.expose import allowance, close_looks, end_reveal, preview, revealed, start_reveal, totals
from jikimi.flows.review import look
from jikimi.flows.session import begin_session
from jikimi.model.bank import Category
from jikimi.model.case import Case
from jikimi.model.evidence import EvidenceItem, Sealed
from jikimi.model.exposure import ExposureRules, Level
from jikimi.model.ids import EvidenceId
from jikimi.model.media import MediaKind
from jikimi.model.people import Person, Role
from jikimi.model.signin import Proof, Signed, Visitor
from jikimi.ports import Kit
from tests.conftest import SetClock, World
from tests.flows.staff import hire
from tests.flows.story import audit_of, make_bank
from tests.flows.test_review import case_of, refusal

KNOWN, OTHER = paint(1), paint(5)


def signed_in(kit: Kit, person: Person) -> Signed:
    """Somebody at their own page."""
    with kit.store.begin() as tx:
        return begin_session(kit, tx, person, Proof.PASSKEY, Visitor(address="", place="tests"))


def keep(kit: Kit, sha256: str) -> None:
    """The bytes are kept: sealed with the upload, or said to be."""
    with kit.store.begin() as tx:
        if tx.evidence.of_content(sha256) is None:
            sealed = Sealed(blob="evidence/x", wrapped_key=b"k", recipient="r", size=1)
            tx.evidence.add(
                EvidenceItem(
                    id=EvidenceId(kit.ids("evidence")), sha256=sha256, kind=MediaKind.PNG, sealed=sealed,
                    sealed_at=kit.clock(),
                )
            )  # fmt: skip


@pytest.fixture
def desk(world: World) -> tuple[Kit, SetClock, Case, Person]:
    """A case with a picture, at nine in the morning."""
    world.clock.now = world.clock.now.replace(hour=9)
    make_bank(world.kit, "list", KNOWN, category=Category.NCII)
    case = case_of(world.kit)
    keep(world.kit, case.contents[0])
    return world.kit, world.clock, case, hire(world.kit, Role.REVIEWER)


Desk = tuple[Kit, SetClock, Case, Person]


def look_at(desk: Desk, seconds: float, level: Level = Level.FULL) -> None:
    """Hold the key for so long."""
    kit, clock, case, person = desk
    reveal = start_reveal(kit, person, case.id, case.contents[0], level, "is it the same?")
    revealed(kit, person, reveal.id)
    clock.move(seconds=seconds)
    end_reveal(kit, person, reveal.id)


def test_a_look_is_measured_from_picture_to_release(desk: Desk) -> None:
    kit, clock, case, person = desk
    reveal = start_reveal(kit, person, case.id, case.contents[0], Level.GREY, "is it the same?")
    clock.move(seconds=2)  # the picture takes its time
    assert revealed(kit, person, reveal.id).data
    clock.move(seconds=3.25)
    done = end_reveal(kit, person, reveal.id)
    assert (done.milliseconds, done.level, done.severity) == (3250, Level.GREY, 3)
    clock.move(seconds=5)
    assert end_reveal(kit, person, reveal.id) == done
    assert allowance(kit, person).used == timedelta(seconds=1.625)
    (event,) = [event for event in audit_of(kit, case.id) if event.verb == "exposure.ended"]
    assert (event.actor, event.detail["ms"], event.detail["reason"]) == (f"person:{person.id}", 3250, "is it the same?")


def test_the_frame_that_matched_is_the_one_that_is_seen(world: World) -> None:
    world.clock.now = world.clock.now.replace(hour=9)
    make_bank(world.kit, "list", KNOWN, category=Category.NCII)
    first, second = (Image.open(io.BytesIO(paint(seed))) for seed in (7, 1))
    animation = io.BytesIO()
    first.save(animation, "GIF", save_all=True, append_images=[second])
    case = case_of(world.kit, animation.getvalue())
    ann = hire(world.kit, Role.REVIEWER)
    preview(world.kit, ann, case.id, case.contents[0])
    reveal = start_reveal(world.kit, ann, case.id, case.contents[0], Level.FULL, "is it the same?")
    revealed(world.kit, ann, reveal.id)
    with world.kit.store.read() as tx:
        item = tx.evidence.of_content(case.contents[0])
    assert item
    opened = [event for event in audit_of(world.kit) if event.verb == "evidence.opened"]
    assert [event.detail["frame"] for event in opened] == [1, 1]


def test_a_picture_is_handed_out_once_and_only_while_the_key_is_held(desk: Desk) -> None:
    kit, clock, case, person = desk
    reveal = start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    revealed(kit, person, reveal.id)
    with refusal("reveal_over"):
        revealed(kit, person, reveal.id)
    second = start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    with refusal("reveal_unknown"):
        revealed(kit, hire(kit, Role.LEAD), second.id)
    end_reveal(kit, person, second.id)
    with refusal("reveal_over"):
        revealed(kit, person, second.id)
    third = start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    clock.move(seconds=61)
    with refusal("reveal_over"):
        revealed(kit, person, third.id)


def test_a_page_that_never_says_so_is_counted_as_the_longest_look(desk: Desk) -> None:
    kit, clock, case, person = desk
    reveal = start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    revealed(kit, person, reveal.id)
    clock.move(minutes=2)
    assert allowance(kit, person).used == timedelta(seconds=60)
    assert (close_looks(kit), close_looks(kit)) == (1, 0)
    assert end_reveal(kit, person, reveal.id).milliseconds == 60_000


def test_two_looks_at_once_are_one_after_the_other(desk: Desk) -> None:
    kit, clock, case, person = desk
    first = start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    revealed(kit, person, first.id)
    clock.move(seconds=4)
    start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    assert end_reveal(kit, person, first.id).milliseconds == 4000


def test_the_cap_of_a_day_holds_for_every_way_of_looking(desk: Desk) -> None:
    kit, clock, case, person = desk
    kit = replace(kit, exposure=ExposureRules(soft_cap=timedelta(seconds=50), hard_cap=timedelta(seconds=90)))
    desk = (kit, clock, case, person)
    waiting = start_reveal(kit, person, case.id, case.contents[0], Level.FULL, "x")
    look_at(desk, 55)
    assert allowance(kit, person).is_advised_to_stop
    look_at(desk, 40)
    assert allowance(kit, person).refusal == "exposure_cap"
    for ask in (
        lambda: start_reveal(kit, person, case.id, case.contents[0], Level.SPOT, "x"),
        lambda: preview(kit, person, case.id, case.contents[0]),
    ):
        with refusal("exposure_cap"):
            ask()
    with refusal("reveal_over"):
        revealed(kit, person, waiting.id)
    clock.move(hours=24)
    assert allowance(kit, person).refusal == ""


def test_a_break_is_due_after_an_hour_and_over_after_ten_minutes(desk: Desk) -> None:
    kit, clock, _, person = desk
    for _ in range(13):
        look_at(desk, 1)
        clock.move(minutes=4.9)
    due = allowance(kit, person)
    assert (due.refusal, due.break_until) == ("break_due", clock.now + timedelta(minutes=5.1))
    clock.move(minutes=5.1)
    assert allowance(kit, person).refusal == ""


def test_no_picture_is_shown_after_the_persons_own_hour(desk: Desk) -> None:
    kit, _, case, person = desk
    in_seoul = replace(person, time_zone="Asia/Seoul")
    assert (allowance(kit, person).refusal, allowance(kit, in_seoul).refusal) == ("", "after_hours")
    never = replace(kit, exposure=replace(kit.exposure, cut_off=None))
    assert allowance(never, in_seoul).refusal == ""
    early = replace(kit, exposure=replace(kit.exposure, cut_off=time(9, 0)))
    with refusal("after_hours"):
        preview(early, person, case.id, case.contents[0])


def test_what_somebody_opted_out_of_is_not_shown_to_them(desk: Desk) -> None:
    kit, _, case, person = desk
    person = replace(person, opt_outs=frozenset({Category.NCII}))
    with refusal("opted_out"):
        preview(kit, person, case.id, case.contents[0])
    with refusal("opted_out"):
        start_reveal(kit, person, case.id, case.contents[0], Level.GREY, "x")


def test_a_picture_of_another_kind_in_a_graver_case_is_not_shown_either(world: World) -> None:
    kit = world.kit
    make_bank(kit, "grave", KNOWN, category=Category.CSAM)
    make_bank(kit, "other", OTHER, category=Category.TERRORISM)
    case = case_of(kit, account="ann")
    assert case_of(kit, OTHER, account="ann").id == case.id
    sha256 = hashlib.sha256(OTHER).hexdigest()
    keep(kit, sha256)
    person = replace(hire(kit, Role.REVIEWER), opt_outs=frozenset({Category.TERRORISM}))
    with refusal("opted_out"):
        start_reveal(kit, person, case.id, sha256, Level.GREY, "is it the same?")
    with refusal("opted_out"):
        preview(kit, person, case.id, sha256)
    assert start_reveal(kit, person, case.id, case.contents[0], Level.GREY, "is it the same?").shown_at is None


@pytest.mark.parametrize("hours", [0.1, 7, 23])
def test_no_other_time_zone_begins_the_day_anew(desk: Desk, hours: float) -> None:
    kit, clock, _, person = desk
    look_at(desk, 1)
    clock.move(hours=hours)
    with refusal("time_zone_fixed"):
        me.choose(kit, signed_in(kit, person), "en", "America/Los_Angeles")
    assert me.choose(kit, signed_in(kit, person), "ko", "UTC").language == "ko"


def test_the_time_zone_changes_on_a_day_without_pictures_before_its_hour(desk: Desk) -> None:
    kit, clock, _, person = desk
    look_at(desk, 1)
    clock.move(hours=25)
    assert me.choose(kit, signed_in(kit, person), "en", "Asia/Seoul").time_zone == "Asia/Seoul"
    with refusal("time_zone_fixed"):  # in Seoul it is seven in the evening
        me.choose(kit, signed_in(kit, person), "en", "UTC")


def test_only_what_the_case_is_about_can_be_looked_at_and_with_a_reason(desk: Desk) -> None:
    kit, _, case, person = desk
    with refusal("evidence_unknown"):
        preview(kit, person, case.id, "0" * 64)
    for reason in ("", "  ", "x" * 201):
        with refusal("reason_missing"):
            start_reveal(kit, person, case.id, case.contents[0], Level.GREY, reason)
    for level in (Level.METADATA, Level.BLURRED):
        with refusal("level_invalid"):
            start_reveal(kit, person, case.id, case.contents[0], level, "x")


def test_a_preview_counts_a_little_and_opening_a_case_nothing(desk: Desk) -> None:
    kit, _, case, person = desk
    assert look(kit, person, case.id).contents[0].has_evidence
    assert allowance(kit, person).used == timedelta()
    preview(kit, person, case.id, case.contents[0])
    assert allowance(kit, person).used == timedelta(seconds=0.5)


def test_a_lead_sees_totals_by_name(desk: Desk) -> None:
    kit, clock, case, _ = desk
    zoe, ann, lead = (
        hire(kit, role, name=name) for role, name in ((Role.REVIEWER, "Zoe"), (Role.REVIEWER, "Ann"), (Role.LEAD, "L"))
    )
    look_at((kit, clock, case, zoe), 10)
    look_at((kit, clock, case, ann), 20, Level.GREY)
    look_at((kit, clock, case, ann), 5, Level.FULL)
    first, second = totals(kit, lead)
    assert (first.name, first.week, second.name) == ("Ann", timedelta(seconds=15), "Zoe")
    assert first.week_by_level == {Level.GREY: timedelta(seconds=20), Level.FULL: timedelta(seconds=5)}
    assert second.week_by_severity == {3: timedelta(seconds=10)}


def test_a_key_that_is_let_go_at_once_counts_as_two_seconds(desk: Desk) -> None:
    kit, _, _, person = desk
    for _ in range(10):
        look_at(desk, 0.01)
    assert allowance(kit, person).used == timedelta(seconds=20)


def test_a_day_begins_in_the_morning_not_at_midnight(desk: Desk) -> None:
    kit, clock, _, person = desk
    look_at(desk, 30)
    clock.now = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
    assert (allowance(kit, person).refusal, allowance(kit, person).used) == ("after_hours", timedelta(seconds=30))
    clock.now = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    assert (allowance(kit, person).refusal, allowance(kit, person).used) == ("", timedelta())


@pytest.mark.parametrize(("hour", "refusal"), [(17, "after_hours"), (18, ""), (2, ""), (3, "after_hours")])
def test_a_night_shift_has_its_own_hours(desk: Desk, hour: int, refusal: str) -> None:
    kit, clock, _, person = desk
    night = replace(kit, exposure=replace(kit.exposure, day_begins=time(18), cut_off=time(3)))
    clock.now = datetime(2026, 11, 23, hour, tzinfo=UTC)
    assert allowance(night, person).refusal == refusal
