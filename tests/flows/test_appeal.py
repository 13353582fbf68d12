"""An appeal opens a decided case to somebody else; what they overturn is taken back, everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from jikimi.engine.pattern import paint
from jikimi.flows import review
from jikimi.flows.account import tell_case, verify_audit
from jikimi.flows.appeal import hand_in, open_appeal, settle, tell_appeal
from jikimi.flows.bank import add_entries
from jikimi.model.action import Verb
from jikimi.model.appeal import Appeal, AppealState
from jikimi.model.bank import NewEntry
from jikimi.model.case import Case, CaseState
from jikimi.model.decision import Choice, Decision, DecisionState, Label
from jikimi.model.errors import Refused
from jikimi.model.ids import AppealId, CaseId, DecisionId
from jikimi.model.people import Person, Role, Scope
from jikimi.model.signal import Signal
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.enforced import Connected, case_of, connected, decide, platform_key, states_of
from tests.flows.staff import hire
from tests.flows.story import OPERATOR, audit_of, make_bank, upload


def appeal_of(kit: Kit, case: Case, reference: str = "appeal 1") -> Appeal:
    return hand_in(kit, platform_key(), reference=reference, text="It is a bridge.", case_id=case.id)


def decide_again(kit: Kit, by: Person, appeal: Appeal, verb: Verb | None, label: Label) -> Appeal:
    """Somebody looks again and decides; what the review does besides is left out."""
    now = kit.clock()
    decision = Decision(
        id=DecisionId(kit.ids("dec")),
        case_id=appeal.case_id,
        by=by.id,
        at=now,
        choice=Choice(label=label, verb=verb, note="I looked again."),
        state=DecisionState.FINAL,
        appeal_id=appeal.id,
    )
    with kit.store.begin() as tx:
        first = tx.decisions.get(appeal.decision_id)
        assert first is not None
        tx.decisions.update(replace(first, state=DecisionState.REPLACED))
        tx.decisions.add(decision)
        return settle(kit, tx, appeal, decision)


def state_of(kit: Kit, case: Case) -> Case:
    return tell_case(kit, case.id).case


def test_an_appeal_opens_the_case_to_somebody_else(world: World) -> None:
    kit = world.kit
    anna = hire(kit, Role.LEAD)
    case = case_of(kit, 1)
    decide(kit, anna, case)
    with kit.store.begin() as tx:
        stored = tx.cases.get(case.id)
        assert stored is not None
        lease = world.clock.now + timedelta(minutes=5)
        tx.cases.update(replace(stored, assignee=anna.id, lease_until=lease, version=stored.version + 1))
    world.clock.move(minutes=1)

    appeal = appeal_of(kit, case)

    now = state_of(kit, case)
    assert (now.state, now.assignee, now.lease_until) == (CaseState.APPEALED, None, None)
    assert (appeal.state, appeal.source, appeal.received_at) == (AppealState.OPEN, "platform", world.clock.now)
    assert tell_appeal(kit, appeal.id) == appeal
    with kit.store.read() as tx:
        assert open_appeal(tx, case.id) == appeal
    assert audit_of(kit, case.id)[-1].verb == "case.appealed"


def test_a_content_is_enough_to_find_the_case(world: World) -> None:
    case = case_of(world.kit, 1, "post 1")
    decide(world.kit, hire(world.kit, Role.LEAD), case)
    appeal = hand_in(world.kit, platform_key(), reference="a", text="", content_id="post 1")
    assert appeal.case_id == case.id


def test_the_same_appeal_again_is_the_one_that_is_there(world: World) -> None:
    case, other = case_of(world.kit, 1), case_of(world.kit, 2)
    for one in (case, other):
        decide(world.kit, hire(world.kit, Role.LEAD, name=one.id), one)
    first = appeal_of(world.kit, case)
    assert appeal_of(world.kit, case) == first
    with pytest.raises(Refused) as refused:
        appeal_of(world.kit, other)
    assert refused.value.code == "appeal_exists"


@pytest.mark.parametrize("state", [CaseState.OPEN, CaseState.PROPOSED])
def test_what_is_not_decided_cannot_be_appealed_against(world: World, state: CaseState) -> None:
    case = case_of(world.kit, 1)
    with world.kit.store.begin() as tx:
        tx.cases.update(replace(case, state=state, version=case.version + 1))
    with pytest.raises(Refused) as refused:
        appeal_of(world.kit, case)
    assert refused.value.code == "appeal_too_early"


def test_a_case_is_appealed_once_at_a_time(world: World) -> None:
    case = case_of(world.kit, 1)
    decide(world.kit, hire(world.kit, Role.LEAD), case)
    appeal_of(world.kit, case)
    with pytest.raises(Refused) as refused:
        appeal_of(world.kit, case, "appeal 2")
    assert refused.value.code == "appeal_too_early"


def test_who_asks_about_nothing_is_told_so(world: World) -> None:
    for named in ({"case_id": CaseId("case_gone")}, {"content_id": "post gone"}, {}):
        with pytest.raises(Refused) as refused:
            hand_in(world.kit, platform_key(), reference="a", text="", **named)
        assert refused.value.code == "case_unknown"
    with pytest.raises(Refused) as refused:
        tell_appeal(world.kit, AppealId("apl_gone"))
    assert refused.value.code == "appeal_unknown"
    with pytest.raises(Refused) as refused:
        hand_in(world.kit, platform_key(Scope.SCAN), reference="a", text="", case_id=CaseId("case_gone"))
    assert refused.value.code == "scope_missing"


def test_whoever_decided_does_not_decide_the_appeal(world: World) -> None:
    anna = hire(world.kit, Role.LEAD)
    case = case_of(world.kit, 1)
    decide(world.kit, anna, case)
    appeal = appeal_of(world.kit, case)
    with pytest.raises(Refused) as refused:
        decide_again(world.kit, anna, appeal, Verb.RESTORE, Label.NO_VIOLATION)
    assert refused.value.code == "appeal_needs_other"
    assert tell_appeal(world.kit, appeal.id).state is AppealState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Overturned:
    """A case whose content was removed and went into a bank, and how the appeal against that has ended."""

    case: Case
    appeal: Appeal
    first: Decision


def overturned(here: Connected) -> Overturned:
    """Told with the real review: one person decides, another finds that it was wrong."""
    kit = replace(here.kit, review=replace(here.kit.review, two_person=frozenset()))
    make_bank(kit, "known", paint(1))
    make_bank(kit, "own", max_distance=0)
    add_entries(kit, OPERATOR, "own", [NewEntry(signal=Signal(type="sha256", value=bytes(32)), note="another")])
    anna, bora = hire(kit, Role.LEAD, name="anna"), hire(kit, Role.LEAD, name="bora")
    case_id = upload(kit, paint(1), name="post 1").case_id
    assert case_id is not None
    remove = Choice(label=Label.CSAM, verb=Verb.REMOVE, bank="own")
    first = review.decide(kit, anna, case_id, remove, version=review.take(kit, anna, case_id).version)
    here.work()
    appeal = hand_in(kit, platform_key(), reference="appeal 1", text="It is a bridge.", content_id="post 1")
    restore = Choice(label=Label.NO_VIOLATION, verb=Verb.RESTORE, note="I looked again.")
    review.decide(kit, bora, case_id, restore, version=review.take(kit, bora, case_id).version)
    here.work()
    return Overturned(case=tell_case(kit, case_id).case, appeal=tell_appeal(kit, appeal.id), first=first)


def test_an_overturned_decision_is_taken_back_everywhere(world: World) -> None:
    with connected(world) as here:
        told = overturned(here)
        assert (told.appeal.state, told.appeal.note) == (AppealState.OVERTURNED, "I looked again.")
        assert told.appeal.decided_at == world.clock.now
        assert told.case.state is CaseState.DECIDED
        assert here.platform.effects == [("remove", "post 1"), ("restore", "post 1"), ("appeal", "overturned")]
        removed, restored, outcome = (message.body for message in here.platform.received)
        assert restored["undo_of"] == removed["action_id"]
        assert restored["reasons"] == ["appeal"]
        assert [message.event for message in here.platform.received] == ["action", "action", "appeal"]
        assert outcome["action"] is None
        said = {"appeal_id": told.appeal.id, "reference": "appeal 1", "outcome": "overturned"}
        assert outcome["appeal"] == restored["appeal"] == said
        assert removed["decided_by"] == "anna-outside"
        assert outcome["decided_by"] == restored["decided_by"] == "bora-outside"
        assert states_of(here.kit, told.case) == ["confirmed"] * 3
        assert not verify_audit(here.kit).mistake


def test_what_the_decision_added_to_banks_matches_no_more(world: World) -> None:
    with connected(world) as here:
        told = overturned(here)
        assert told.first.added
        again = upload(here.kit, paint(1), name="post again").verdict
        assert {match.bank for match in again.matches} == {"known"}, "what others added stays"
        with here.kit.store.read() as tx:
            bank = tx.banks.get("own")
            assert bank is not None
            assert [entry.note for entry in tx.entries.export(bank)] == ["another"]


@pytest.mark.parametrize(
    ("verb", "label", "state", "told"),
    [
        (Verb.REMOVE, Label.CSAM, AppealState.UPHELD, []),
        (None, Label.CSAM, AppealState.UPHELD, []),
        (None, Label.OTHER, AppealState.UPHELD, []),
        (None, Label.NO_VIOLATION, AppealState.OVERTURNED, ["restore"]),
        (Verb.RESTORE, Label.OTHER, AppealState.OVERTURNED, ["restore"]),
        (Verb.RESTRICT, Label.OTHER, AppealState.OVERTURNED, ["restore"]),
    ],
)
def test_how_an_appeal_ends(world: World, verb: Verb | None, label: Label, state: AppealState, told: list[str]) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.REVIEWER), case)
        ended = decide_again(here.kit, hire(here.kit, Role.LEAD), appeal_of(here.kit, case), verb, label)
        assert ended.state is state
        here.work()
        assert here.platform.of_case(case.id) == ["remove", *told, "None"]
        assert here.platform.effects[-1] == ("appeal", state.value)
