"""An appeal opens a decided case to somebody else; what they overturn is taken back, everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jikimi.engine.pattern import paint
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
from jikimi.model.match import Disposition
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
            hand_in(world.kit, platform_key(), reference="a", text="", **named)  # type: ignore[arg-type]
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
    assert refused.value.code == "appeal_own_decision"
    assert tell_appeal(world.kit, appeal.id).state is AppealState.OPEN


def overturned(here: Connected) -> tuple[Case, Appeal]:
    """A case whose content was removed and added to a bank, and an appeal that was right."""
    kit = here.kit
    case = case_of(kit, 1)
    make_bank(kit, "own", max_distance=0)
    digest = next(signal for signal in tell_case(kit, case.id).scans[0].signals if signal.type == "sha256")
    for note, signal in ((f"case {case.id}", digest), ("case other", Signal(type="sha256", value=bytes(32)))):
        add_entries(kit, OPERATOR, "own", [NewEntry(signal=signal, note=note)])
    decide(kit, hire(kit, Role.REVIEWER, name="anna"), case, bank="own")
    here.work()
    appeal = appeal_of(kit, case)
    ended = decide_again(kit, hire(kit, Role.LEAD, name="bora"), appeal, Verb.RESTORE, Label.NO_VIOLATION)
    return case, ended


def test_an_overturned_decision_is_taken_back_everywhere(world: World) -> None:
    with connected(world) as here:
        case, appeal = overturned(here)
        assert (appeal.state, appeal.decided_at, appeal.note) == (
            AppealState.OVERTURNED, world.clock.now, "I looked again.",
        )  # fmt: skip
        here.work()
        assert here.platform.effects == [("remove", "post 1"), ("restore", "post 1"), ("appeal", "overturned")]
        restored, told = here.platform.received[-2:]
        assert restored.body["undo_of"] == here.platform.received[0].body["action_id"]
        assert (told.event, told.body["action"]) == ("appeal", None)
        outcome = {"appeal_id": appeal.id, "reference": "appeal 1", "outcome": "overturned"}
        assert told.body["appeal"] == restored.body["appeal"] == outcome
        assert told.body["decided_by"] == restored.body["decided_by"] == "bora-outside"
        assert states_of(here.kit, case) == ["confirmed"] * 3
        assert not verify_audit(here.kit).mistake


def test_what_the_decision_added_to_banks_matches_no_more(world: World) -> None:
    with connected(world) as here:
        overturned(here)
        found = upload(here.kit, paint(1), name="post again").verdict
        assert {match.bank for match in found.matches} == {"known-1"}, "what others added stays"
        withdrawn = [event for event in audit_of(here.kit, "bank:own") if event.verb == "bank.withdrawn"]
        assert len(withdrawn) == 1
        with here.kit.store.read() as tx:
            bank = tx.banks.get("own")
            assert bank is not None
            assert [entry.note for entry in tx.entries.export(bank)] == ["case other"]


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


def test_a_known_picture_stays_known_when_an_appeal_is_overturned(world: World) -> None:
    """The bank that matched is not what was decided: a false positive is marked by whoever decides."""
    with connected(world) as here:
        overturned(here)
        assert upload(here.kit, paint(1)).verdict.disposition is Disposition.BLOCK
