"""Every story that a person can start asks for a permission first: each flow, with each role."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import pytest

from jikimi.flows import expose, review
from jikimi.flows.review import Filter
from jikimi.model.decision import Choice, Label
from jikimi.model.errors import Refused
from jikimi.model.exposure import Level
from jikimi.model.ids import CaseId, DecisionId, RevealId
from jikimi.model.people import PERMISSIONS, Permission, Person, Role
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.staff import hire

_NO_CASE, _NO_DECISION, _NO_LOOK = CaseId("case_none"), DecisionId("decision_none"), RevealId("reveal_none")
_CHOICE = Choice(label=Label.NO_VIOLATION, verb=None)

Story = Callable[[Kit, Person], object]
STORIES: dict[str, tuple[Permission, Story]] = {
    "queue": (Permission.QUEUE, lambda kit, person: review.queue(kit, person, Filter())),
    "look": (Permission.QUEUE, lambda kit, person: review.look(kit, person, _NO_CASE)),
    "note": (Permission.QUEUE, lambda kit, person: review.note(kit, person, _NO_CASE, "x")),
    "allowance": (Permission.QUEUE, expose.allowance),
    "take": (Permission.REVIEW, lambda kit, person: review.take(kit, person, _NO_CASE)),
    "take_next": (Permission.REVIEW, lambda kit, person: review.take_next(kit, person, Filter())),
    "extend": (Permission.REVIEW, lambda kit, person: review.extend(kit, person, _NO_CASE)),
    "skip": (Permission.REVIEW, lambda kit, person: review.skip(kit, person, _NO_CASE)),
    "hand_over": (Permission.REVIEW, lambda kit, person: review.hand_over(kit, person, _NO_CASE, None)),
    "decide": (Permission.REVIEW, lambda kit, person: review.decide(kit, person, _NO_CASE, _CHOICE, version=1)),
    "decide_same": (
        Permission.REVIEW, lambda kit, person: review.decide_same(kit, person, [_NO_CASE], _CHOICE, version=1),
    ),
    "undo": (Permission.REVIEW, lambda kit, person: review.undo(kit, person, _NO_DECISION, "")),
    "confirm": (Permission.CONFIRM, lambda kit, person: review.confirm(kit, person, _NO_DECISION)),
    "decline": (Permission.CONFIRM, lambda kit, person: review.decline(kit, person, _NO_DECISION, "x")),
    "other_matches": (Permission.BANKS, lambda kit, person: review.other_matches(kit, person, 1)),
    "preview": (Permission.REVEAL, lambda kit, person: expose.preview(kit, person, _NO_CASE, "00")),
    "start_reveal": (
        Permission.REVEAL, lambda kit, person: expose.start_reveal(kit, person, _NO_CASE, "00", Level.GREY, "x"),
    ),
    "revealed": (Permission.REVEAL, lambda kit, person: expose.revealed(kit, person, _NO_LOOK)),
    "end_reveal": (Permission.REVEAL, lambda kit, person: expose.end_reveal(kit, person, _NO_LOOK)),
    "totals": (Permission.OVERVIEW, expose.totals),
}  # fmt: skip


def stories_in(module: ModuleType, names: list[str]) -> set[str]:
    """The functions of a module that a person starts."""
    found = {name: getattr(module, name) for name in names}
    return {
        name
        for name, one in found.items()
        if inspect.isfunction(one) and list(inspect.signature(one).parameters)[:2] == ["kit", "person"]
    }


def test_no_story_is_forgotten_here() -> None:
    own = [name for name, one in vars(expose).items() if getattr(one, "__module__", "") == expose.__name__]
    public = [name for name in own if not name.startswith("_")]
    assert set(STORIES) == stories_in(review, review.__all__) | stories_in(expose, public)


@pytest.mark.parametrize("role", Role)
def test_a_role_starts_the_stories_it_may(world: World, role: Role) -> None:
    person = hire(world.kit, role)
    for name, (permission, story) in STORIES.items():
        code = ""
        try:
            story(world.kit, person)
        except Refused as refusal:
            code = refusal.code
        is_allowed = permission in PERMISSIONS[role]
        assert (code == "permission_missing") is not is_allowed, (role, name, code)
