"""What an answer, a receipt and a replay make of an action; what comes next; what an undo takes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.action import (
    Action,
    ActionState,
    Answer,
    Receipt,
    ReceiptStatus,
    Target,
    Verb,
    after_answer,
    after_receipt,
    again,
    still_standing,
)
from jikimi.model.errors import Refused
from jikimi.model.ids import ActionId, CaseId, DecisionId

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_POST = Target(content_id="post 1", account_id="a", url="", sha256="00")
_FINAL = {ActionState.CONFIRMED, ActionState.REJECTED}


def action(place: int = 1, state: ActionState = ActionState.WAITING, verb: Verb | None = Verb.REMOVE) -> Action:
    return Action(
        id=ActionId(f"act_{place}"),
        case_id=CaseId("case_1"),
        decision_id=DecisionId("dec_1"),
        place=place,
        verb=verb,
        targets=(_POST,),
        reasons=(),
        key=f"act_{place}",
        state=state,
        created_at=_NOON,
    )


@given(st.sampled_from(ActionState), st.integers(0, 999), st.text(), st.booleans())
def test_an_answer_counts_the_try_and_changes_only_what_waits(
    state: ActionState, status: int, body: str, is_last: bool
) -> None:
    before = action(state=state)
    after = after_answer(before, Answer(status=status, body=body), _NOON, is_last=is_last)
    assert after.tries == before.tries + 1
    assert after.key == before.key
    if state is not ActionState.WAITING:
        assert replace(after, tries=0) == before
    elif after.state is ActionState.WAITING:
        assert not is_last


@given(st.sampled_from(ActionState), st.sampled_from(ReceiptStatus), st.sampled_from(ReceiptStatus))
def test_the_first_receipt_counts(state: ActionState, first: ReceiptStatus, second: ReceiptStatus) -> None:
    if state in _FINAL:
        return
    settled = after_receipt(action(state=state), Receipt(status=first), _NOON)
    assert settled.state in _FINAL
    if first is second:
        assert after_receipt(settled, Receipt(status=second, text="again"), _NOON) == settled
        return
    with pytest.raises(Refused):
        after_receipt(settled, Receipt(status=second), _NOON)


@pytest.mark.parametrize(
    ("later", "is_allowed"),
    [
        (action(2, ActionState.WAITING), True),
        (action(2, ActionState.REJECTED), True),
        (action(2, ActionState.DEAD), True),
        (action(2, ActionState.DELIVERED), False),
        (action(2, ActionState.CONFIRMED, Verb.RESTORE), False),
        (action(2, ActionState.CONFIRMED, None), True),
        (replace(action(2, ActionState.CONFIRMED), targets=(replace(_POST, content_id="post 2"),)), True),
    ],
)
def test_an_old_action_does_not_come_after_a_newer_one(later: Action, is_allowed: bool) -> None:
    old = action(1, ActionState.DEAD)
    if is_allowed:
        assert again(old, [old, later]).state is ActionState.WAITING
        return
    with pytest.raises(Refused) as refused:
        again(old, [old, later])
    assert refused.value.code == "action_outdated"


def test_what_stands_is_undone_newest_first_and_an_undo_is_not_undone() -> None:
    first, second = action(1), action(2, verb=Verb.SUSPEND)
    undo = replace(action(3, verb=Verb.RESTORE), undo_of=first.id)
    elsewhere = replace(action(4), decision_id=DecisionId("dec_2"))
    told = action(5, verb=None)
    assert still_standing([first, second, elsewhere, told], DecisionId("dec_1")) == (second, first)
    assert still_standing([first, second, undo, elsewhere], DecisionId("dec_1")) == (second,)
