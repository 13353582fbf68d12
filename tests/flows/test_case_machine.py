"""Whatever several people do to a case, in whatever order, on pages however old: one decision, and nothing lost."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jikimi.config import Settings
from jikimi.engine.pattern import paint
from jikimi.flows.bank import add_entries, entries_of_file
from jikimi.flows.review import CaseView, confirm, decide, decline, extend, hand_over, look, note, skip, take, undo
from jikimi.model.action import Verb
from jikimi.model.appeal import Appeal, AppealState
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.case import CaseState, Move, holder, moved
from jikimi.model.decision import Choice, DecisionState, Label, is_harm
from jikimi.model.errors import Refused
from jikimi.model.ids import AppealId, CaseId
from jikimi.model.people import Role
from jikimi.ports import Kit
from tests.conftest import SetClock, open_world
from tests.flows.staff import hire
from tests.flows.story import OPERATOR, make_bank, upload
from tests.flows.test_review import stored

_NUMBERS = count(1000)
CHOICES = (
    Choice(label=Label.NCII, verb=Verb.REMOVE),
    Choice(label=Label.NCII, verb=Verb.RESTRICT),
    Choice(label=Label.NCII, verb=Verb.REMOVE, bank="ours"),
    Choice(label=Label.NO_VIOLATION, verb=Verb.RESTORE),
    Choice(label=Label.NO_VIOLATION, verb=None),
)
_EXPECTED = {
    "appeal_needs_other", "case_moved", "case_taken", "lease_expired", "note_missing", "permission_missing",
    "second_person_same", "undo_appealed", "undo_not_yours", "undo_too_late",
}  # fmt: skip
PEOPLE = st.integers(0, 3)
ACTS = (Verb.REMOVE, Verb.RESTRICT, Verb.SUSPEND)


@dataclass
class Page:
    """What somebody has on their screen; it may be old."""

    version: int = 1
    decisions: list[str] = field(default_factory=list)


class CaseMachine(RuleBasedStateMachine):
    """One case, four people, a clock, and what each of them has on their screen."""

    def __init__(self, kit: Kit, clock: SetClock) -> None:
        super().__init__()
        self.kit, self.clock = kit, clock
        self.notes: list[str] = []
        self.appeals = 0

    @initialize()
    def begin(self) -> None:
        """Another picture, another case, other people: the installation is the same, because making one is slow."""
        number = next(_NUMBERS)
        self.picture = paint(number)
        policy = BankPolicy(name="list", category=Category.NCII, on_match=OnMatch.BLOCK)
        add_entries(self.kit, OPERATOR, "list", entries_of_file(self.kit, io.BytesIO(self.picture), policy).entries[:1])
        case_id = upload(self.kit, self.picture, account=f"{number}/0", name="post/0").case_id
        assert case_id
        self.case_id: CaseId = case_id
        roles = {"Ann": Role.REVIEWER, "Ben": Role.REVIEWER, "Lea": Role.LEAD, "Leo": Role.LEAD}
        self.people = [hire(self.kit, role, name=f"{name} {number}") for name, role in roles.items()]
        self.number = number
        self.pages = [Page() for _ in self.people]

    # What happens

    @rule(who=PEOPLE)
    def open_page(self, who: int) -> None:
        view = self.view(who)
        self.pages[who] = Page(version=view.case.version, decisions=[one.id for one in view.decisions])

    @rule(who=PEOPLE)
    def take(self, who: int) -> None:
        self.attempt(lambda: take(self.kit, self.people[who], self.case_id))

    @rule(who=PEOPLE)
    def extend(self, who: int) -> None:
        self.attempt(lambda: extend(self.kit, self.people[who], self.case_id))

    @rule(who=PEOPLE)
    def skip(self, who: int) -> None:
        self.attempt(lambda: skip(self.kit, self.people[who], self.case_id))

    @rule(who=PEOPLE, to=st.none() | PEOPLE)
    def hand_over(self, who: int, to: int | None) -> None:
        other = None if to is None else self.people[to].id
        self.attempt(lambda: hand_over(self.kit, self.people[who], self.case_id, other))

    @rule(who=PEOPLE, choice=st.sampled_from(CHOICES), again=st.booleans())
    def decide(self, who: int, choice: Choice, again: bool) -> None:
        """Send the form, perhaps twice, from a page that may be old."""
        version = self.pages[who].version
        before = stored(self.kit, self.case_id)
        may = holder(before, self.kit.clock()) == self.people[who].id and before.version == version
        done = self.attempt(lambda: decide(self.kit, self.people[who], self.case_id, choice, version=version))
        assert not done or may
        if again:
            assert (
                not self.attempt(lambda: decide(self.kit, self.people[who], self.case_id, choice, version=version))
                or not done
            )

    @rule(who=PEOPLE, number=st.integers(0, 9))
    def confirm(self, who: int, number: int) -> None:
        for decision_id in self.pages[who].decisions[-1 - number % 3 :][:1]:
            self.attempt(lambda: confirm(self.kit, self.people[who], decision_id))  # type: ignore[arg-type]  # noqa: B023

    @rule(who=PEOPLE, text=st.sampled_from(["", "no"]))
    def decline(self, who: int, text: str) -> None:
        for decision_id in self.pages[who].decisions[-1:]:
            self.attempt(lambda: decline(self.kit, self.people[who], decision_id, text))  # type: ignore[arg-type]  # noqa: B023

    @rule(who=PEOPLE, number=st.integers(0, 2))
    def undo(self, who: int, number: int) -> None:
        for decision_id in self.pages[who].decisions[-1 - number :][:1]:
            if self.attempt(lambda: undo(self.kit, self.people[who], decision_id, f"undone {who}")):  # type: ignore[arg-type]  # noqa: B023
                self.notes.append(f"undone {who}")

    @rule(who=PEOPLE)
    def write(self, who: int) -> None:
        text = f"note {len(self.notes)}"
        note(self.kit, self.people[who], self.case_id, text)
        self.notes.append(text)

    @rule(account=st.integers(0, 5))
    def post_again(self, account: int) -> None:
        answer = upload(self.kit, self.picture, account=f"{self.number}/{account}", name=f"post/{account}")
        assert answer.case_id == self.case_id

    @precondition(lambda self: stored(self.kit, self.case_id).state is CaseState.DECIDED)
    @rule()
    def appeal(self) -> None:
        final = self.view(0).final
        assert final
        self.appeals += 1
        with self.kit.store.begin() as tx:
            case = tx.cases.get(self.case_id)
            assert case
            tx.cases.update(moved(case, Move.APPEAL, self.kit.clock()))
            tx.appeals.add(
                Appeal(
                    id=AppealId(self.kit.ids("appeal")), case_id=case.id, decision_id=final.id,
                    reference=f"appeal {self.appeals}", text="please", source="forum",
                    received_at=self.kit.clock(), state=AppealState.OPEN,
                )
            )  # fmt: skip

    @rule(minutes=st.sampled_from([0.1, 5, 11, 31]))
    def wait(self, minutes: float) -> None:
        self.clock.move(minutes=minutes)

    # What always holds

    @invariant()
    def everything_holds(self) -> None:
        """One look, four things that must be true of it."""
        view = self.view(0)
        self.one_decision_holds_exactly_when_the_case_is_decided(view)
        self.what_stands_is_what_was_decided(view)
        self.a_second_person_is_another_person(view)
        assert [one.text for one in view.notes] == self.notes

    def one_decision_holds_exactly_when_the_case_is_decided(self, view: CaseView) -> None:
        finals = [one for one in view.decisions if one.state is DecisionState.FINAL]
        proposed = [one for one in view.decisions if one.state is DecisionState.PROPOSED]
        is_appealed = any(one.state is AppealState.OPEN for one in view.appeals)
        assert len(finals) == (view.case.state is CaseState.DECIDED or is_appealed), view.decisions
        assert len(proposed) == (view.case.state is CaseState.PROPOSED)
        assert (view.case.state is CaseState.APPEALED) <= is_appealed
        if view.case.state is CaseState.DECIDED:
            assert view.case.assignee is None

    def what_stands_is_what_was_decided(self, view: CaseView) -> None:
        """Every upload was told what the final decision says, and everything else was taken back, once."""
        undone = {action.undo_of for action in view.actions}
        standing = [
            action
            for action in view.actions
            if action.undo_of is None and action.id not in undone and action.verb in ACTS
        ]
        harmful = Counter(target.content_id for action in standing for target in action.targets)
        final = view.final
        if final is None or not is_harm(final.choice.label):
            assert not harmful, (final, view.actions)
            return
        assert {action.verb for action in standing} == {final.choice.verb}
        assert "post/0" in harmful
        backward = [action.undo_of for action in view.actions if action.undo_of is not None]
        assert len(backward) == len(set(backward))

    def a_second_person_is_another_person(self, view: CaseView) -> None:
        for one in view.decisions:
            assert one.by != one.second
            has_acted = one.state in (DecisionState.FINAL, DecisionState.REPLACED, DecisionState.UNDONE)
            assert one.second is not None or not (has_acted and one.choice.bank)
        took_part: set[str] = set()
        for one in sorted(view.decisions, key=lambda one: one.second_at or one.at):
            if one.state in (DecisionState.FINAL, DecisionState.REPLACED):
                people = {who for who in (one.by, one.second) if who}
                assert one.appeal_id is None or not people & took_part
                took_part |= people

    def view(self, who: int) -> CaseView:
        return look(self.kit, self.people[who], self.case_id)

    def attempt(self, do: Callable[[], object]) -> bool:
        """Try something; it happens, or is refused with a reason that people can act on."""
        try:
            do()
        except Refused as refusal:
            if refusal.code not in _EXPECTED:
                raise
            return False
        return True


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("examples", "steps"), [pytest.param(4, 25, id="few"), pytest.param(40, 40, id="many", marks=pytest.mark.slow)]
)
def test_whatever_people_do_one_decision_holds_and_nothing_is_lost(tmp_path: Path, examples: int, steps: int) -> None:
    with open_world(Settings.load(data=tmp_path / "data", decode_workers=1)) as world:
        make_bank(world.kit, "list", category=Category.NCII)
        make_bank(world.kit, "ours", category=Category.NCII)
        run_state_machine_as_test(
            lambda: CaseMachine(world.kit, world.clock),  # type: ignore[arg-type]  # made like a class, and more
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
