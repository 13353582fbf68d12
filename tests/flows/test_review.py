"""A case is found, taken, decided, agreed to, and undone; what follows from it happens once, and is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jikimi.engine.pattern import paint
from jikimi.flows.evidence import lift_hold
from jikimi.flows.review import (
    Filter,
    confirm,
    decide,
    decide_same,
    decline,
    extend,
    hand_over,
    look,
    note,
    other_matches,
    queue,
    skip,
    take,
    take_next,
    undo,
)
from jikimi.model.action import Action, Verb
from jikimi.model.bank import Category, OnMatch
from jikimi.model.case import Case, CaseState
from jikimi.model.decision import Choice, DecisionState, Fact, Facts, Label, Says, Tri
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId
from jikimi.model.match import Disposition
from jikimi.model.people import Person, Role
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.staff import hire
from tests.flows.story import audit_of, make_bank, upload

KNOWN, OTHER = paint(1), paint(2)
REMOVE = Choice(label=Label.NCII, verb=Verb.REMOVE, note="seen it")
HARMLESS = Choice(label=Label.NO_VIOLATION, verb=Verb.RESTORE)


def case_of(kit: Kit, picture: bytes = KNOWN, **said: str) -> Case:
    """An upload leads to a case."""
    case_id = upload(kit, picture, **said).case_id
    assert case_id
    return stored(kit, case_id)


def stored(kit: Kit, case_id: CaseId) -> Case:
    with kit.store.read() as tx:
        case = tx.cases.get(case_id)
    assert case
    return case


def actions_of(kit: Kit, case: Case) -> tuple[Action, ...]:
    with kit.store.read() as tx:
        return tx.actions.of_case(case.id)


def decided(kit: Kit, person: Person, case: Case, choice: Choice = REMOVE) -> Case:
    """A person takes a case and decides it."""
    take(kit, person, case.id)
    decide(kit, person, case.id, choice, version=stored(kit, case.id).version)
    return stored(kit, case.id)


def refusal(code: str) -> pytest.RaisesExc[Refused]:
    return pytest.RaisesExc(Refused, check=lambda error: error.code == code)


def test_one_person_decides_and_the_platform_is_told_once(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit, account="ann", name="post/1")
    reviewer = hire(kit, Role.REVIEWER)

    (row,) = queue(kit, reviewer, Filter()).rows
    assert (row.case.id, row.bank, row.distance, row.uploads, row.assignee_name) == (case.id, "list", 0, 1, "")
    assert take_next(kit, reviewer, Filter()) is not None
    facts = Facts(real_person=Fact(value=Tri.YES, says=Says.REVIEWER), ai_generated=Fact(value=Tri.NO))
    decision = decide(kit, reviewer, case.id, replace(REMOVE, facts=facts), version=case.version)

    assert (decision.state, decision.choice.facts, decision.seen) == (DecisionState.FINAL, facts, ())
    (action,) = actions_of(kit, case)
    assert (action.verb, [target.content_id for target in action.targets]) == (Verb.REMOVE, ["post/1"])
    view = look(kit, reviewer, case.id)
    assert (view.case.state, view.case.assignee, view.final) == (CaseState.DECIDED, None, decision)
    assert [(event.who, event.verb) for event in view.timeline if not event.verb.startswith("action")] == [
        ("forum", "case.opened"), ("reviewer", "case.taken"), ("reviewer", "decision.made"),
    ]  # fmt: skip
    assert queue(kit, reviewer, Filter()).rows == ()


def test_only_who_holds_the_case_decides_it_and_only_as_it_is(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, OTHER, category=Category.NCII)
    case = case_of(kit, account="ann")
    ann, ben = hire(kit, Role.REVIEWER, name="Ann"), hire(kit, Role.REVIEWER, name="Ben")
    with refusal("lease_expired"):
        decide(kit, ann, case.id, REMOVE, version=case.version)
    take(kit, ann, case.id)
    with pytest.raises(Refused, match="Ann works on this case") as taken:
        take(kit, ben, case.id)
    assert taken.value.code == "case_taken"
    with refusal("lease_expired"):
        decide(kit, ben, case.id, REMOVE, version=case.version)

    make_bank(kit, "graver", KNOWN, category=Category.CSAM)
    upload(kit, KNOWN, account="ann")  # the case is of a graver kind than Ann has seen
    with refusal("case_moved"):
        decide(kit, ann, case.id, REMOVE, version=case.version)
    upload(kit, KNOWN, account="ann")  # one more of what she has seen
    world.clock.move(minutes=9)
    extend(kit, ann, case.id)
    world.clock.move(minutes=9)
    now = stored(kit, case.id)
    decide(kit, ann, case.id, REMOVE, version=now.version)
    with refusal("case_moved"):  # the button was pressed twice
        decide(kit, ann, case.id, REMOVE, version=now.version)
    assert len(actions_of(kit, case)) == 1


def test_a_lease_ends_and_the_next_person_takes_over(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, ben = hire(kit, Role.REVIEWER, name="Ann"), hire(kit, Role.REVIEWER, name="Ben")
    take(kit, ann, case.id)
    world.clock.move(minutes=10)
    take(kit, ben, case.id)
    for late in (lambda: decide(kit, ann, case.id, REMOVE, version=1), lambda: extend(kit, ann, case.id)):
        with refusal("lease_expired"):
            late()
    decide(kit, ben, case.id, REMOVE, version=1)


def test_skipped_cases_stay_away_for_a_day_or_until_somebody_takes_them_up(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, ben = hire(kit, Role.REVIEWER, name="Ann"), hire(kit, Role.REVIEWER, name="Ben")

    def seen_by(person: Person) -> bool:
        return bool(queue(kit, person, Filter()).rows)

    take(kit, ann, case.id)
    skip(kit, ann, case.id)
    assert (seen_by(ann), seen_by(ben)) == (False, True)
    world.clock.move(hours=24)
    assert seen_by(ann)
    skip(kit, ann, case.id)
    take(kit, ben, case.id)
    hand_over(kit, ben, case.id, None)
    assert seen_by(ann)
    take(kit, ann, case.id)
    assert hand_over(kit, ann, case.id, ben.id).assignee == ben.id
    with refusal("lease_expired"):
        hand_over(kit, ann, case.id, None)


def test_what_somebody_opted_out_of_is_never_theirs(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, ben = hire(kit, Role.REVIEWER, name="Ann"), hire(kit, Role.REVIEWER, name="Ben")
    with kit.store.begin() as tx:
        ann = replace(ann, opt_outs=frozenset({Category.NCII}))
        tx.people.update(ann)
    assert queue(kit, ann, Filter()).rows == ()
    assert take_next(kit, ann, Filter()) is None
    with refusal("opted_out"):
        take(kit, ann, case.id)
    take(kit, ben, case.id)
    with refusal("person_cannot_take"):
        hand_over(kit, ben, case.id, ann.id)


def test_a_bank_addition_waits_for_a_second_person_and_then_protects(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII, on_match=OnMatch.HOLD)
    make_bank(kit, "ours", category=Category.NCII)
    case = case_of(kit, account="ann")
    ann, lead = hire(kit, Role.REVIEWER, Role.LEAD, name="Ann"), hire(kit, Role.LEAD)
    take(kit, ann, case.id)
    decision = decide(kit, ann, case.id, replace(REMOVE, bank="ours"), version=1)
    assert (decision.state, actions_of(kit, case)) == (DecisionState.PROPOSED, ())
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD
    with refusal("second_person_same"):
        confirm(kit, ann, decision.id)

    decision = confirm(kit, lead, decision.id, note="agreed")
    assert (decision.state, len(decision.added), len(actions_of(kit, case))) == (DecisionState.FINAL, 2, 1)
    answer = upload(kit, KNOWN)
    assert answer.verdict.disposition is Disposition.BLOCK
    with refusal("case_moved"):
        confirm(kit, lead, decision.id)
    undo(kit, ann, decision.id, "the wrong bank")
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD
    assert stored(kit, case.id).state is CaseState.OPEN
    assert [one.text for one in look(kit, lead, case.id).notes] == ["the wrong bank"]


def test_who_cannot_agree_does_not_keep_a_decision_from_those_who_can(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, ben, lead = hire(kit, Role.LEAD, name="ann"), hire(kit, Role.REVIEWER), hire(kit, Role.LEAD)
    take(kit, ann, case.id)
    decision = decide(kit, ann, case.id, replace(REMOVE, bank="list"), version=case.version)
    with refusal("second_person_same"):
        take(kit, ann, case.id)
    with refusal("permission_missing"):
        take(kit, ben, case.id)
    take(kit, lead, case.id)
    with refusal("person_cannot_take"):
        hand_over(kit, lead, case.id, ann.id)
    assert confirm(kit, lead, decision.id).state is DecisionState.FINAL


def test_undoing_leaves_in_a_bank_what_was_there_before(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, lead = hire(kit, Role.REVIEWER), hire(kit, Role.LEAD)
    take(kit, ann, case.id)
    proposed = decide(kit, ann, case.id, replace(REMOVE, bank="list"), version=1)
    decision = confirm(kit, lead, proposed.id)
    assert decision.added == ()
    undo(kit, lead, decision.id, "")
    assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK


def test_a_declined_decision_does_nothing_and_the_case_is_open_again(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, lead = hire(kit, Role.REVIEWER), hire(kit, Role.LEAD)
    take(kit, ann, case.id)
    decision = decide(kit, ann, case.id, replace(REMOVE, irreversible=True), version=1)
    with refusal("note_missing"):
        decline(kit, lead, decision.id, " ")
    decline(kit, lead, decision.id, "not that")
    with refusal("case_moved"):
        confirm(kit, lead, decision.id)
    view = look(kit, ann, case.id)
    assert (view.case.state, view.actions, view.decisions[0].second_note) == (CaseState.OPEN, (), "not that")
    decided(kit, ann, case)


def test_a_false_positive_is_withdrawn_and_shows_what_else_it_matched(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, OTHER, category=Category.NCII)
    case, elsewhere = case_of(kit), upload(kit, OTHER)
    lead = hire(kit, Role.LEAD)
    entries = [match.entry_id for match in look(kit, lead, case.id).scans[0].verdict.matches]
    others = other_matches(kit, lead, entries[0])
    assert [scan.case_id for scan in others.of_entry] == [case.id]
    assert elsewhere.id in [scan.id for scan in others.of_bank]

    take(kit, lead, case.id)
    with refusal("entry_unknown"):
        decide(kit, lead, case.id, replace(HARMLESS, false_positives=(999,)), version=1)
    decision = decide(kit, lead, case.id, replace(HARMLESS, false_positives=tuple(entries)), version=1)
    assert decision.withdrawn == tuple(entries)
    assert upload(kit, KNOWN).verdict.disposition is Disposition.CLEAR
    assert [event.verb for event in audit_of(kit, "bank:list")].count("bank.withdrawn") == len(entries)
    undo(kit, lead, decision.id, "it was right")
    assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK


def test_what_was_done_is_undone_once_and_only_for_a_while(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit, name="post/1")
    ann, ben, lead = hire(kit, Role.REVIEWER), hire(kit, Role.REVIEWER, name="Ben"), hire(kit, Role.LEAD)
    case = decided(kit, ann, case)
    (decision,) = look(kit, ann, case.id).decisions
    with refusal("undo_not_yours"):
        undo(kit, ben, decision.id, "")
    undo(kit, lead, decision.id, "")
    with refusal("case_moved"):
        undo(kit, ann, decision.id, "")
    first, second = actions_of(kit, case)
    assert (first.verb, second.verb, second.undo_of) == (Verb.REMOVE, Verb.RESTORE, first.id)

    case = decided(kit, ann, case)
    latest = look(kit, ann, case.id).final
    assert latest
    world.clock.move(minutes=31)
    with refusal("undo_too_late"):
        undo(kit, ann, latest.id, "")


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        (replace(HARMLESS, label=Label.NCII), "choice_invalid"),
        (replace(REMOVE, label=Label.NO_VIOLATION), "choice_invalid"),
        (replace(REMOVE, verb=Verb.RESTRICT, irreversible=True), "choice_invalid"),
        (replace(REMOVE, note="x" * 4001), "note_too_long"),
        (replace(REMOVE, bank="none such"), "bank_unknown"),
    ],
)
def test_choices_that_make_no_sense_are_refused(world: World, choice: Choice, code: str) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    lead = hire(kit, Role.LEAD)
    take(kit, lead, case.id)
    with refusal(code):
        decide(kit, lead, case.id, choice, version=1)
    assert look(kit, lead, case.id).decisions == ()


def test_a_hold_needs_somebody_who_may_hold(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, lead, legal = hire(kit, Role.REVIEWER), hire(kit, Role.LEAD), hire(kit, Role.LEGAL)
    take(kit, ann, case.id)
    decision = decide(kit, ann, case.id, replace(REMOVE, legal_hold=True), version=1)
    with refusal("permission_missing"):
        confirm(kit, lead, decision.id)
    assert confirm(kit, legal, decision.id).state is DecisionState.FINAL


def test_what_took_two_people_is_not_taken_back_by_who_proposed_it(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, legal, lead = hire(kit, Role.REVIEWER), hire(kit, Role.LEGAL), hire(kit, Role.LEAD)
    take(kit, ann, case.id)
    decision = decide(kit, ann, case.id, replace(REMOVE, legal_hold=True), version=1)
    confirm(kit, legal, decision.id)
    with refusal("undo_not_yours"):
        undo(kit, ann, decision.id, "")
    undo(kit, lead, decision.id, "")
    with kit.store.read() as tx:
        item = tx.evidence.of_content(case.contents[0])
    assert item
    assert item.held_by == (case.id,), "a lead may not lift a hold"
    lift_hold(kit, "cli:tester", case.id, "the order was withdrawn")
    with kit.store.read() as tx:
        item = tx.evidence.of_content(case.contents[0])
    assert item
    assert item.held_by == ()
    with refusal("hold_unknown"):
        lift_hold(kit, "cli:tester", case.id, "again")


def test_what_an_account_sends_meanwhile_does_not_move_a_case_in_hand(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, OTHER, category=Category.NCII)
    case = case_of(kit, KNOWN, account="me")
    ann = hire(kit, Role.REVIEWER)
    take(kit, ann, case.id)
    meanwhile = case_of(kit, OTHER, account="me")
    assert meanwhile.id != case.id
    decide(kit, ann, case.id, REMOVE, version=1)
    assert stored(kit, case.id).state is CaseState.DECIDED


def test_nothing_is_said_to_be_held_where_nothing_is_kept(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    with kit.store.begin() as tx:
        item = tx.evidence.of_content(case.contents[0])
        assert item
        tx.evidence.destroyed(item.id, kit.clock())
    ann, legal = hire(kit, Role.REVIEWER), hire(kit, Role.LEGAL)
    take(kit, ann, case.id)
    decision = decide(kit, ann, case.id, replace(REMOVE, legal_hold=True), version=1)
    with refusal("nothing_to_hold"):
        confirm(kit, legal, decision.id)
    assert stored(kit, case.id).state is CaseState.PROPOSED
    assert actions_of(kit, case) == ()


def test_cases_about_the_very_same_contents_are_decided_together(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, OTHER, category=Category.OTHER)
    first, other = case_of(kit, KNOWN), case_of(kit, OTHER)
    ann = hire(kit, Role.REVIEWER)
    first = decided(kit, ann, first, HARMLESS)
    make_bank(kit, "grave", KNOWN, category=Category.CSAM)
    second = case_of(kit, KNOWN)
    assert second.id != first.id
    with refusal("lease_expired"):
        decide_same(kit, ann, [second.id], REMOVE, version=second.version)
    take(kit, ann, second.id)
    with refusal("contents_differ"):
        decide_same(kit, ann, [second.id, other.id], REMOVE, version=second.version)
    with refusal("case_moved"):
        decide_same(kit, ann, [second.id], REMOVE, version=second.version - 1)
    (decision,) = decide_same(kit, ann, [second.id], REMOVE, version=second.version)
    assert (decision.state, decision.case_id) == (DecisionState.FINAL, second.id)
    assert second.id in [one.id for one in look(kit, ann, first.id).same_content]


def test_a_note_stays_whoever_works_on_the_case(world: World) -> None:
    kit = world.kit
    make_bank(kit, "list", KNOWN, category=Category.NCII)
    case = case_of(kit)
    ann, auditor = hire(kit, Role.REVIEWER), hire(kit, Role.AUDITOR)
    take(kit, ann, case.id)
    note(kit, auditor, case.id, "한국어 note")
    decide(kit, ann, case.id, REMOVE, version=1)
    with refusal("note_missing"):
        note(kit, ann, case.id, "\n ")
    assert [(one.text, one.by) for one in look(kit, ann, case.id).notes] == [("한국어 note", auditor.id)]
