"""What is decided is given back to the programmes whose records matched; nothing else leaves, and nothing too early."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from jikimi.engine.pattern import paint
from jikimi.flows.appeal import hand_in
from jikimi.flows.bank import withdraw_entry
from jikimi.flows.exchange import change_exchange, remove_exchange
from jikimi.flows.propose import propose, settle, settle_proposal
from jikimi.flows.review import confirm, decide, take, undo
from jikimi.flows.share import given, retry
from jikimi.model.action import Verb
from jikimi.model.bank import Category
from jikimi.model.decision import Choice, Label
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import Exchange, Feedback, SourceRecord
from jikimi.model.ids import CaseId
from jikimi.model.people import Person, Role
from jikimi.model.share import ShareState
from jikimi.ports import Kit
from tests.conftest import SetClock, World
from tests.flows.enforced import platform_key
from tests.flows.programme import (
    ALL,
    Programme,
    connected,
    decided,
    file_of,
    listed,
    shares_of,
    states,
    work,
)
from tests.flows.staff import hire
from tests.flows.story import audit_of, make_bank, upload

KNOWN, OTHER = paint(1), paint(2)
REMOVE = Choice(label=Label.NCII, verb=Verb.REMOVE, note="seen it")
HARMLESS = Choice(label=Label.NO_VIOLATION, verb=Verb.RESTORE)
RIGHT = [("seen", "r1"), ("true_positive", "r1")]
WRONG = [("false_positive", "r1"), ("seen", "r1")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An installation with an exchange whose list knows a picture, and two people."""

    kit: Kit
    clock: SetClock
    programme: Programme
    exchange: Exchange
    ann: Person
    ben: Person

    def case(self, picture: bytes = KNOWN) -> CaseId:
        case_id = upload(self.kit, picture, account="somebody", name="post").case_id
        assert case_id
        return case_id

    def later(self, minutes: float = 31) -> int:
        self.clock.move(minutes=minutes)
        return work(self.kit)


@pytest.fixture
def told(world: World, request: pytest.FixtureRequest) -> Told:
    kit, programme = connected(world.kit, request.node.name)
    exchange = listed(kit, request.node.name, ("r1", file_of(kit, KNOWN)))
    ann, ben = hire(kit, Role.LEAD, name="Ann"), hire(kit, Role.LEAD, name="Ben")
    return Told(kit=kit, clock=world.clock, programme=programme, exchange=exchange, ann=ann, ben=ben)


def refusal(code: str) -> pytest.RaisesExc[Refused]:
    return pytest.RaisesExc(Refused, check=lambda error: error.code == code)


def test_a_decision_is_told_once_it_cannot_be_undone(told: Told) -> None:
    case_id = told.case()
    decision = decided(told.kit, told.ann, case_id, REMOVE)
    assert told.later(minutes=29) == 0
    assert told.programme.taken == []
    assert states(told.kit, case_id) == ["waiting"]
    assert told.later(minutes=2) == 1
    assert told.programme.heard == RIGHT
    (signal,) = file_of(told.kit, KNOWN)
    assert [(one.signal, one.detail) for one in told.programme.taken] == [(signal, {"of": "r1"})] * 2
    assert {(one.state, one.decision_id, one.tries) for one in shares_of(told.kit, case_id)} == {
        (ShareState.SENT, decision.id, 1)
    }
    assert told.later() == 0
    assert told.programme.pushes == 1


def test_what_was_wrong_is_told_as_wrong(told: Told) -> None:
    decided(told.kit, told.ann, told.case(), HARMLESS)
    told.later()
    assert told.programme.heard == WRONG


def test_an_entry_that_was_marked_is_wrong_whatever_the_case_is(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    with kit.store.read() as tx:
        (number,) = tx.scans.entries_matched(case_id, 10)
    decided(kit, told.ann, case_id, replace(REMOVE, false_positives=(number,)))
    told.later()
    assert told.programme.heard == WRONG


def test_a_list_about_another_harm_hears_only_that_it_was_seen(told: Told) -> None:
    decided(told.kit, told.ann, told.case(), replace(REMOVE, label=Label.TERRORISM))
    told.later()
    assert told.programme.heard == [("seen", "r1")]


def test_an_undone_decision_was_never_told(told: Told) -> None:
    case_id = told.case()
    decision = decided(told.kit, told.ann, case_id, REMOVE)
    told.clock.move(minutes=30)
    undo(told.kit, told.ann, decision.id, "it is a bridge")
    told.later()
    assert (told.programme.pushes, states(told.kit, case_id)) == (0, ["withdrawn"])
    decided(told.kit, told.ann, case_id, HARMLESS)
    told.later()
    assert told.programme.heard == WRONG


def test_nothing_leaves_that_the_settings_do_not_name(told: Told) -> None:
    kit = told.kit
    change_exchange(kit, "cli:t", "programme", shares=frozenset({Feedback.SEEN}))
    decided(kit, told.ann, told.case(), REMOVE)
    change_exchange(kit, "cli:t", "programme", shares=frozenset())
    told.later()
    assert told.programme.pushes == 0, "what was allowed when it was decided is not allowed any more"


@pytest.mark.parametrize("shares", [frozenset[Feedback](), frozenset({Feedback.TRUE_POSITIVE})])
def test_the_settings_decide_what_is_stored_at_all(told: Told, shares: frozenset[Feedback]) -> None:
    change_exchange(told.kit, "cli:t", "programme", shares=shares)
    case_id = told.case()
    decided(told.kit, told.ann, case_id, REMOVE)
    assert {one.feedback for one in shares_of(told.kit, case_id)} == shares


def test_a_disabled_exchange_is_told_nothing(told: Told) -> None:
    case_id = told.case()
    change_exchange(told.kit, "cli:t", "programme", enabled=False)
    decided(told.kit, told.ann, case_id, REMOVE)
    assert shares_of(told.kit, case_id) == ()


def test_a_kind_that_is_gone_keeps_nobody_from_deciding(told: Told, world: World) -> None:
    case_id = told.case()
    decided(world.kit, told.ann, case_id, REMOVE)
    assert shares_of(told.kit, case_id) == ()


def test_a_proposed_decision_says_nothing_before_it_is_agreed_to(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    make_bank(kit, "ours", category=Category.NCII)
    decision = decided(kit, told.ann, case_id, replace(REMOVE, bank="ours"))
    told.later()
    assert shares_of(kit, case_id) == ()
    confirm(kit, told.ben, decision.id)
    assert told.later(minutes=29) == 0
    told.later(minutes=2)
    assert told.programme.heard == RIGHT


def test_a_record_that_the_programme_has_taken_back_is_not_told_of(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    decided(kit, told.ann, case_id, REMOVE)
    with kit.store.begin() as tx:
        gone = SourceRecord(key="r1", withdrawn=True)
        tx.source_records.apply(told.exchange, [gone], 1, kit.clock(), forget=True)
    told.later()
    assert (told.programme.pushes, states(kit, case_id)) == (0, ["withdrawn"])


def test_an_upheld_appeal_repeats_nothing(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    decided(kit, told.ann, case_id, REMOVE)
    told.later()
    hand_in(kit, platform_key(), reference="a1", text="No.", case_id=case_id)
    decided(kit, told.ben, case_id, REMOVE)
    told.later()
    assert (told.programme.pushes, told.programme.heard) == (1, RIGHT)


def test_an_overturned_decision_is_set_right(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    decided(kit, told.ann, case_id, REMOVE)
    told.later()
    hand_in(kit, platform_key(), reference="a1", text="No.", case_id=case_id)
    decided(kit, told.ben, case_id, HARMLESS)
    told.later()
    assert told.programme.heard == sorted([*RIGHT, ("false_positive", "r1")])


def test_an_overturned_decision_that_has_not_left_never_leaves(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    decided(kit, told.ann, case_id, REMOVE)
    hand_in(kit, platform_key(), reference="a1", text="No.", case_id=case_id)
    decided(kit, told.ben, case_id, HARMLESS)
    told.later()
    assert told.programme.heard == WRONG


def test_what_the_programme_does_not_take_now_it_gets_later(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    told.programme.faults += [Unavailable("web_unavailable", "away", retry_after=600)] * 2
    decided(kit, told.ann, case_id, REMOVE)
    told.later()
    assert {(one.state, one.tries, one.error) for one in shares_of(kit, case_id)} == {
        (ShareState.WAITING, 1, "web_unavailable")
    }
    told.later(minutes=9)
    assert told.programme.pushes == 1
    told.later(minutes=2)
    told.later(minutes=11)
    assert (told.programme.heard, states(kit, case_id)) == (RIGHT, ["sent"])


@pytest.mark.parametrize("fault", [Refused("programme_says_no", "no"), ValueError("theirs"), None])
def test_what_it_will_not_take_waits_for_a_person(told: Told, fault: JikimiError | None) -> None:
    kit, case_id = told.kit, told.case()
    never = Unavailable("web_unavailable", "away")
    told.programme.faults += [fault] if fault else [never] * 24
    decided(kit, told.ann, case_id, REMOVE)
    for _ in range(24):
        told.later(minutes=400)
    assert states(kit, case_id) == ["failed"]
    assert told.programme.pushes == (1 if fault else 24)
    for share in shares_of(kit, case_id):
        retry(kit, told.ben, share.id)
        with refusal("share_not_failed"):
            retry(kit, told.ben, share.id)
    work(kit)
    assert (told.programme.heard, states(kit, case_id)) == (RIGHT, ["sent"])


class _KilledError(BaseException):
    """The process ends at this very moment."""


def test_a_worker_that_dies_between_giving_and_storing_gives_again(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    decided(kit, told.ann, case_id, REMOVE)
    told.programme.dies_after.append(_KilledError())
    with pytest.raises(_KilledError):
        told.later()
    assert states(kit, case_id) == ["waiting"]
    assert told.later(minutes=4) == 0, "its lease still runs"
    assert told.later(minutes=2) == 1
    assert (told.programme.heard, states(kit, case_id)) == (sorted(RIGHT * 2), ["sent"])


def test_each_exchange_hears_of_its_own_records_only(told: Told, request: pytest.FixtureRequest) -> None:
    kit, place = told.kit, request.node.name
    listed(kit, place, ("s1", file_of(kit, KNOWN)), ("s2", file_of(kit, OTHER)), name="second")
    told.programme.faults.append(Refused("no", "no"))
    case_id = told.case()
    decided(kit, told.ann, case_id, REMOVE)
    told.later()
    assert told.programme.pushes == 2
    assert len({record for _, record in told.programme.heard}) == 1, "one exchange's refusal is not the other's"


def test_a_removed_exchange_takes_what_waits_with_it(told: Told) -> None:
    case_id = told.case()
    decided(told.kit, told.ann, case_id, REMOVE)
    remove_exchange(told.kit, "cli:t", "programme", keep=False)
    told.later()
    assert (told.programme.pushes, shares_of(told.kit, case_id)) == (0, ())


def own_case(told: Told) -> CaseId:
    """A case of a picture that our own bank knows and no list does, confirmed by Ann."""
    make_bank(told.kit, "ours", OTHER, category=Category.NCII)
    case_id = told.case(OTHER)
    decided(told.kit, told.ann, case_id, REMOVE)
    return case_id


def test_a_new_signal_needs_a_second_person(told: Told) -> None:
    kit, case_id = told.kit, own_case(told)
    shares = propose(kit, told.ann, case_id, "programme")
    assert {one.state for one in shares} == {ShareState.PROPOSED}
    told.later()
    assert told.programme.pushes == 0
    for share in shares:
        with refusal("second_person_same"):
            settle(kit, told.ann, share.id, agrees=True)
        with refusal("permission_missing"):
            settle(kit, hire(kit, Role.REVIEWER, name=f"R{share.id[-4:]}"), share.id, agrees=True)
        settle(kit, told.ben, share.id, agrees=True)
        with refusal("share_settled"):
            settle(kit, told.ben, share.id, agrees=False)
    work(kit)
    assert sorted(one.signal.type for one in told.programme.taken) == ["pdq", "sha256"]
    assert {(one.feedback, one.record, one.labels) for one in told.programme.taken} == {
        (Feedback.NEW_SIGNAL, "", ("ncii",))
    }


def test_who_decided_the_case_is_not_the_second_person(told: Told) -> None:
    share, *_ = propose(told.kit, told.ben, own_case(told), "programme")
    for agrees in (True, False):
        with refusal("second_person_same"):
            settle(told.kit, told.ann, share.id, agrees=agrees)
    assert settle_proposal(told.kit, "cli:carl", share.id, agrees=True).approved_by == "cli:carl"


def test_even_with_a_second_person_it_waits_until_nothing_can_be_undone(told: Told) -> None:
    kit, case_id = told.kit, own_case(told)
    for share in propose(kit, told.ann, case_id, "programme"):
        settle(kit, told.ben, share.id, agrees=True)
    assert told.later(minutes=29) == 0
    with kit.store.read() as tx:
        (decision,) = tx.decisions.of_case(case_id)
    undo(kit, told.ann, decision.id, "it is a bridge")
    told.later()
    assert (told.programme.pushes, states(kit, case_id)) == (0, ["withdrawn"])


def test_what_was_refused_does_not_leave_and_is_not_proposed_again(told: Told) -> None:
    kit, case_id = told.kit, own_case(told)
    for share in propose(kit, told.ann, case_id, "programme"):
        settle(kit, told.ben, share.id, agrees=False)
    told.later()
    assert (told.programme.pushes, states(kit, case_id)) == (0, ["refused"])
    with refusal("nothing_to_share"):
        propose(kit, told.ann, case_id, "programme")


def test_what_cannot_be_proposed(told: Told) -> None:
    kit, case_id = told.kit, told.case()
    with refusal("share_needs_decision"):
        propose(kit, told.ann, case_id, "programme")
    decided(kit, told.ann, case_id, REMOVE)
    with refusal("nothing_to_share"):  # the list says it itself
        propose(kit, told.ann, case_id, "programme")
    with refusal("exchange_unknown"):
        propose(kit, told.ann, case_id, "nobody")
    with refusal("permission_missing"):
        propose(kit, hire(kit, Role.REVIEWER), case_id, "programme")
    change_exchange(kit, "cli:t", "programme", shares=ALL - {Feedback.NEW_SIGNAL})
    with refusal("share_not_allowed"):
        propose(kit, told.ann, case_id, "programme")


def test_what_one_programme_told_us_is_not_passed_on_to_another(told: Told, request: pytest.FixtureRequest) -> None:
    listed(told.kit, request.node.name, name="second")
    case_id = told.case()
    decided(told.kit, told.ann, case_id, REMOVE)
    with refusal("nothing_to_share"):
        propose(told.kit, told.ann, case_id, "second")


def test_a_proposal_whose_entry_was_withdrawn_does_not_leave(told: Told) -> None:
    kit, case_id = told.kit, own_case(told)
    for share in propose(kit, told.ann, case_id, "programme"):
        settle(kit, told.ben, share.id, agrees=True)
    for signal in file_of(kit, OTHER):
        withdraw_entry(kit, "cli:t", "ours", signal)
    told.later()
    assert [one.signal.type for one in told.programme.taken] == ["pdq"]
    assert states(kit, case_id) == ["sent", "withdrawn"]


def test_a_list_about_another_harm_is_not_given_the_signal(told: Told, request: pytest.FixtureRequest) -> None:
    listed(told.kit, request.node.name, name="grave", category=Category.CSAM)
    with refusal("share_other_harm"):
        propose(told.kit, told.ann, own_case(told), "grave")


def test_every_step_is_written_down_and_no_value_is(told: Told) -> None:
    kit, case_id = told.kit, own_case(told)
    first, second = propose(kit, told.ann, case_id, "programme")
    settle(kit, told.ben, first.id, agrees=True)
    settle(kit, told.ben, second.id, agrees=False)
    told.later()
    events = [event for event in audit_of(kit, case_id) if event.verb.startswith("share.")]
    assert [(event.verb, event.actor) for event in events] == [
        ("share.proposed", f"person:{told.ann.id}"),
        ("share.approved", f"person:{told.ben.id}"),
        ("share.refused", f"person:{told.ben.id}"),
        ("share.sent", "jikimi"),
    ]
    page = given(kit, told.ben)
    assert page.who == {f"person:{told.ann.id}": "Ann", f"person:{told.ben.id}": "Ben"}
    said = f"{events} {page}"
    assert not [one for one in told.programme.taken if one.signal.text in said]
    with refusal("permission_missing"):
        given(kit, hire(kit, Role.REVIEWER))


def test_two_people_for_the_whole_of_it(told: Told) -> None:
    """With a bank that needs two, and the new signal of what they have added."""
    kit, case_id = told.kit, told.case()
    make_bank(kit, "ours", category=Category.NCII)
    case = take(kit, told.ann, case_id)
    decision = decide(kit, told.ann, case_id, replace(REMOVE, bank="ours"), version=case.version)
    confirm(kit, told.ben, decision.id)
    (share,) = propose(kit, told.ann, case_id, "programme")  # how it looks; its digest the list has already
    settle(kit, told.ben, share.id, agrees=True)
    told.later()
    assert ("new_signal", "") in told.programme.heard
