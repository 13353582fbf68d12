"""A lead looks at the whole: what waits, what is late, what is stuck, and what the last days were like."""

from __future__ import annotations

import pytest

from jikimi.flows.account import write_totals
from jikimi.flows.overview import overview
from jikimi.flows.review import decide, take
from jikimi.model.action import Verb
from jikimi.model.case import CaseState
from jikimi.model.decision import Choice, Label
from jikimi.model.errors import Refused
from jikimi.model.people import Role
from scripts.desk_world import at, fill_banks, known_picture, upload
from tests.conftest import World
from tests.flows.staff import hire


def test_what_waits_is_late_and_stuck_in_time(world: World) -> None:
    kit, lead = world.kit, hire(world.kit, Role.LEAD)
    fill_banks(kit, 1)
    case_id = upload(at(kit, world.clock.now), known_picture(0, 0), account="user-1")
    now = overview(kit, lead)
    assert (now.waiting, now.late, now.due, now.stuck) == (1, 0, (), ())
    world.clock.move(hours=30)
    later = overview(kit, lead)
    assert (later.waiting, later.late) == (1, 1)
    assert [case.id for case in later.due] == [case.id for case in later.stuck] == [case_id]
    assert [day.opened for day in later.days[-3:]] == [0, 1, 0]


def test_a_decision_is_counted_with_its_time(world: World) -> None:
    kit, lead = world.kit, hire(world.kit, Role.LEAD)
    fill_banks(kit, 1)
    case_id = upload(at(kit, world.clock.now), known_picture(3, 0))
    world.clock.move(minutes=90)
    case = take(kit, lead, case_id)
    decide(at(kit, world.clock.now), lead, case_id, Choice(label=Label.OTHER, verb=Verb.REMOVE), version=case.version)
    found = overview(kit, lead)
    assert found.times.counts == (0, 0, 1, 0, 0, 0, 0)
    assert found.days[-1].decided == 1
    assert all(heap.state is not CaseState.DECIDED for heap in found.heaps)


def test_uploads_that_could_not_be_checked_are_counted_by_integration(world: World) -> None:
    kit, lead = world.kit, hire(world.kit, Role.LEAD)
    fill_banks(kit, 1)
    upload(kit, known_picture(3, 0))
    write_totals(kit)
    assert [(one.source, one.uploads, one.unchecked) for one in overview(kit, lead).intake] == [("forum", 1, 0)]


def test_only_who_may_see_the_whole_does(world: World) -> None:
    with pytest.raises(Refused, match="overview"):
        overview(world.kit, hire(world.kit, Role.REVIEWER))
