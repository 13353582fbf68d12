"""What was decided once holds for the next upload of the same content, and no longer than it should."""

from __future__ import annotations

import pytest

from jikimi.engine.pattern import paint
from jikimi.flows.bank import withdraw_number
from jikimi.flows.review import confirm, decide, look, take, undo
from jikimi.model.action import Verb
from jikimi.model.bank import Category
from jikimi.model.case import CaseState
from jikimi.model.decision import Choice, Label
from jikimi.model.match import Disposition
from jikimi.model.people import Role
from tests.conftest import World
from tests.flows.staff import hire
from tests.flows.story import OPERATOR, audit_of, make_bank, upload
from tests.flows.test_review import HARMLESS, REMOVE, actions_of, case_of, decided, stored

KNOWN = paint(1)


def test_a_reupload_of_decided_harm_joins_its_case_and_is_acted_on_by_itself(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit, name="post/1", account="ann")
    ann = hire(kit, Role.REVIEWER)
    decided(kit, ann, case)

    again = upload(kit, KNOWN, name="post/2", account="ben")
    assert (again.case_id, again.verdict.disposition) == (case.id, Disposition.BLOCK)
    first, second = actions_of(kit, case)
    assert (second.verb, [target.content_id for target in second.targets]) == (Verb.REMOVE, ["post/2"])
    assert second.reasons == ("ncii", "reupload")
    assert second.decision_id == first.decision_id
    assert [event.verb for event in audit_of(kit, case.id)].count("case.repeated") == 1
    assert kit.tally.totals().events["action_repeated"] == 1
    view = look(kit, ann, case.id)
    assert (view.case.state, view.case.accounts, view.uploads) == (CaseState.DECIDED, ("ann", "ben"), 2)

    (decision,) = view.decisions
    undo(kit, ann, decision.id, "")
    assert sorted(one.targets[0].content_id for one in actions_of(kit, case) if one.verb is Verb.RESTORE) == [
        "post/1", "post/2",
    ]  # fmt: skip


def test_nobody_is_suspended_without_a_person(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit, name="post/1", account="ann")
    decided(kit, hire(kit, Role.REVIEWER), case, Choice(label=Label.NCII, verb=Verb.SUSPEND))
    upload(kit, KNOWN, name="post/2", account="ben")
    assert [action.verb for action in actions_of(kit, case)] == [Verb.SUSPEND, Verb.REMOVE]


def test_what_violates_nothing_opens_no_new_case_for_the_same_entries(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit, name="post/1")
    decided(kit, hire(kit, Role.REVIEWER), case, HARMLESS)
    again = upload(kit, KNOWN, name="post/2")
    # The banks still say what they said; people have said that it may be shown.
    assert (again.case_id, again.verdict.disposition) == (case.id, Disposition.BLOCK)
    assert [(one.verb, one.targets[0].content_id) for one in actions_of(kit, case)] == [
        (Verb.RESTORE, "post/1"), (Verb.RESTORE, "post/2"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Category.OTHER, Category.NCII])
def test_another_entry_opens_a_new_case_for_what_violated_nothing(world: World, kind: Category) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    decided(kit, hire(kit, Role.REVIEWER), case, HARMLESS)
    make_bank(kit, "newer", KNOWN, category=kind)
    assert upload(kit, KNOWN).case_id != case.id


def test_a_graver_kind_opens_a_new_case_whatever_was_decided(world: World) -> None:
    kit = world.kit
    make_bank(kit, "mild", KNOWN, category=Category.OTHER)
    case = case_of(kit)
    decided(kit, hire(kit, Role.REVIEWER), case, Choice(label=Label.OTHER, verb=None))
    assert upload(kit, KNOWN).case_id == case.id
    make_bank(kit, "grave", KNOWN, category=Category.CSAM)
    newer = upload(kit, KNOWN)
    assert newer.case_id not in (None, case.id)
    assert upload(kit, KNOWN).case_id == newer.case_id


def test_a_proposal_is_not_changed_under_the_hands_of_who_has_to_agree(world: World) -> None:
    kit = world.kit
    other = paint(2)
    make_bank(kit, "list", KNOWN, other, category=Category.NCII)
    case = case_of(kit, account="ann")
    ann, lead = hire(kit, Role.REVIEWER), hire(kit, Role.LEAD)
    take(kit, ann, case.id)
    proposed = decide(kit, ann, case.id, Choice(label=Label.NCII, verb=Verb.REMOVE, irreversible=True), version=1)
    assert upload(kit, KNOWN, account="ben", name="post/2").case_id == case.id
    assert upload(kit, other, account="ann").case_id != case.id
    confirm(kit, lead, proposed.id)
    (action,) = actions_of(kit, case)
    assert "post/2" in [target.content_id for target in action.targets]


def test_an_entry_that_was_withdrawn_says_nothing_any_more(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    first = upload(kit, KNOWN)
    assert first.case_id
    decided(kit, hire(kit, Role.REVIEWER), stored(kit, first.case_id), REMOVE)
    for match in first.verdict.matches:
        withdraw_number(kit, OPERATOR, "list", match.entry_id)
    assert upload(kit, KNOWN).case_id is None
