"""What a decision says of an entry, what may leave, and by whose word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jikimi.model.bank import Category
from jikimi.model.decision import Choice, Decision, DecisionState, Label
from jikimi.model.errors import Refused
from jikimi.model.exchange import Exchange, Feedback
from jikimi.model.ids import CaseId, DecisionId, PersonId, ShareId
from jikimi.model.share import (
    Share,
    ShareState,
    again,
    approved,
    failed,
    is_kin,
    leaves_at,
    may_leave,
    refused,
    said_by,
    sent,
    withdrawn,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEEN, RIGHT, WRONG = Feedback.SEEN, Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE
DECISION = Decision(
    id=DecisionId("d"),
    case_id=CaseId("c"),
    by=PersonId("ann"),
    at=NOON,
    choice=Choice(label=Label.CSAM, verb=None),
    state=DecisionState.FINAL,
)
SHARE = Share(
    id=ShareId("s"),
    exchange_id=1,
    feedback=Feedback.NEW_SIGNAL,
    record="",
    entry_id=5,
    case_id=CaseId("c"),
    decision_id=DecisionId("d"),
    asked_by="person:ben",
    state=ShareState.PROPOSED,
    created_at=NOON,
)


@pytest.mark.parametrize(
    ("label", "category", "marked", "said"),
    [
        (Label.CSAM, Category.CSAM, (), (SEEN, RIGHT)),
        (Label.CSAM_SYNTHETIC, Category.CSAM, (), (SEEN, RIGHT)),
        (Label.NCII, Category.NCII_FORGERY, (), (SEEN, RIGHT)),
        (Label.NCII, Category.CSAM, (), (SEEN,)),
        (Label.OTHER, Category.TERRORISM, (), (SEEN,)),
        (Label.OTHER, Category.OTHER, (), (SEEN, RIGHT)),
        (Label.CSAM, Category.CSAM, (5,), (SEEN, WRONG)),
        (Label.CSAM, Category.CSAM, (6,), (SEEN, RIGHT)),
        (Label.NO_VIOLATION, Category.CSAM, (), (SEEN, WRONG)),
        (Label.NO_VIOLATION, Category.ALLOW, (), ()),
        (Label.CSAM, Category.CANARY, (), ()),
    ],
)
def test_what_a_decision_says_of_an_entry(
    label: Label, category: Category, marked: tuple[int, ...], said: tuple[Feedback, ...]
) -> None:
    assert said_by(Choice(label=label, verb=None, false_positives=marked), 5, category) == said


def test_no_violation_is_kin_to_nothing() -> None:
    assert not any(is_kin(Label.NO_VIOLATION, category) for category in Category)


def test_only_what_both_the_settings_and_the_kind_allow_leaves() -> None:
    exchange = Exchange(
        id=1, name="e", kind="k", bank_id=1, bank="b", settings={}, enabled=True, shares=frozenset({SEEN, RIGHT}),
        every=timedelta(hours=1), created_at=NOON,
    )  # fmt: skip
    assert may_leave(exchange, {RIGHT, WRONG}) == {RIGHT}
    assert may_leave(exchange, ()) == frozenset()
    assert may_leave(replace(exchange, enabled=False), {RIGHT}) == frozenset()


def test_what_leaves_waits_longer_than_undoing_may_take() -> None:
    window = timedelta(minutes=30)
    assert leaves_at(DECISION, window) > NOON + window
    confirmed_late = replace(DECISION, second_at=NOON + timedelta(hours=5))
    assert leaves_at(confirmed_late, window) > NOON + timedelta(hours=5) + window


@pytest.mark.parametrize("actor", ["person:ben", "person:ann"])
def test_neither_who_proposed_nor_who_decided_is_the_second_person(actor: str) -> None:
    with pytest.raises(Refused) as agreeing:
        approved(SHARE, actor, DECISION)
    with pytest.raises(Refused) as refusing:
        refused(SHARE, actor, DECISION, NOON)
    assert (agreeing.value.code, refusing.value.code) == ("second_person_same", "second_person_same")


def test_a_proposal_is_settled_once() -> None:
    agreed = approved(SHARE, "person:carl", DECISION)
    assert (agreed.state, agreed.approved_by) == (ShareState.WAITING, "person:carl")
    with pytest.raises(Refused):
        refused(agreed, "person:dora", DECISION, NOON)


def test_a_try_that_fails_keeps_it_waiting_until_the_last_one() -> None:
    waiting = approved(SHARE, "person:carl", DECISION)
    once = failed(waiting, "away", NOON, is_last=False)
    last = failed(once, "away", NOON, is_last=True)
    assert [(one.state, one.tries) for one in (once, last)] == [(ShareState.WAITING, 1), (ShareState.FAILED, 2)]
    assert again(last).state is ShareState.WAITING
    for other in (SHARE, waiting, sent(waiting, NOON)):
        with pytest.raises(Refused):
            again(other)


def test_what_has_left_is_not_withdrawn() -> None:
    given = sent(approved(SHARE, "person:carl", DECISION), NOON)
    assert withdrawn(given, "undone", NOON) == given
    assert withdrawn(SHARE, "undone", NOON).state is ShareState.WITHDRAWN
    refused_ = refused(SHARE, "person:carl", DECISION, NOON)
    assert withdrawn(refused_, "undone", NOON) == refused_
