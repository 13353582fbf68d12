"""The platform is told each action once in effect and in order, whatever it answers and whenever it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from jikimi.flows.account import verify_audit
from jikimi.flows.enforce import deliver, deliveries, delivery, order, outbox, receive, replay, take_back, try_webhook
from jikimi.model.action import Action, ActionState, Answer, Receipt, ReceiptStatus, Verb
from jikimi.model.decision import Decision
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.ids import ActionId, CaseId
from jikimi.model.job import ENFORCE, Job
from jikimi.model.message import Message
from jikimi.model.people import Role, Scope
from jikimi.ports import ActionRunner, Kit
from jikimi.worker import run_due_jobs
from tests.conftest import World
from tests.flows.enforced import (
    Connected,
    actions_of,
    case_of,
    connected,
    decide,
    jobs_of,
    only_action,
    platform_key,
    states_of,
)
from tests.flows.staff import hire
from tests.flows.story import audit_of

DONE = Receipt(status=ReceiptStatus.DONE, text="gone")
CANNOT = Receipt(status=ReceiptStatus.REJECTED, text="there is no such post")


def tries_of(here: Connected, action_id: ActionId) -> list[tuple[int, str]]:
    with here.kit.store.read() as tx:
        return [(one.status, one.error) for one in tx.actions.deliveries(action_id)]


def test_an_action_arrives_signed_with_all_that_the_platform_needs(world: World) -> None:
    with connected(world) as here:
        anna = hire(here.kit, Role.LEAD, name="anna")
        case = case_of(here.kit, 1, "post 1", "post 2")
        decision = decide(here.kit, anna, case)

        assert here.work() == 1

        (message,) = here.platform.received
        (action,) = actions_of(here.kit, case)
        assert message.fault == ""
        assert (message.event, message.key, message.body["idempotency_key"]) == ("action", action.key, action.key)
        assert message.body["action"] == "remove"
        assert message.body["case_id"] == case.id
        assert message.body["decision_id"] == decision.id
        assert message.body["decided_by"] == "anna-outside"
        assert message.body["reasons"] == ["csam"]
        assert message.body["created_at"] == action.created_at.isoformat()
        assert (message.body["undo_of"], message.body["appeal"]) == (None, None)
        assert [target["content_id"] for target in message.body["targets"]] == ["post 1", "post 2"]
        assert {target["account_id"] for target in message.body["targets"]} == {"account 1"}
        assert {target["sha256"] for target in message.body["targets"]} == set(case.contents)
        assert (action.state, action.tries, action.receipt) == (ActionState.CONFIRMED, 1, '{"status": "done"}')
        assert action.received_at == action.delivered_at == world.clock.now
        assert tries_of(here, action.id) == [(200, "")]
        assert jobs_of(here.kit) == {}
        told = [(event.actor, event.verb) for event in audit_of(here.kit, case.id)][-2:]
        assert told == [(f"person:{anna.id}", "action.ordered"), ("jikimi", "action.confirmed")]
        assert not verify_audit(here.kit).mistake


def test_an_hour_without_the_platform_loses_nothing_and_doubles_nothing(world: World) -> None:
    with connected(world) as here:
        anna = hire(here.kit, Role.LEAD)
        cases = [case_of(here.kit, seed) for seed in range(1, 4)]
        here.platform.go_down()
        for case in cases:
            take_all_back(here, decide(here.kit, anna, case))
        here.work_for(minutes=60, turns=20)
        assert here.platform.received == []
        assert [states_of(here.kit, case) for case in cases] == [["waiting", "waiting"]] * 3
        assert jobs_of(here.kit) == {"waiting": 3}, "of each case only the first is tried"

        here.platform.come_up()
        here.work_for(minutes=60, turns=4)

        assert [states_of(here.kit, case) for case in cases] == [["confirmed", "confirmed"]] * 3
        assert [here.platform.of_case(case.id) for case in cases] == [["remove", "restore"]] * 3
        assert sorted(here.platform.effects) == sorted(
            (verb, f"post {seed}") for seed in (1, 2, 3) for verb in ("remove", "restore")
        )
        assert jobs_of(here.kit) == {}
        tries = tries_of(here, actions_of(here.kit, cases[0])[0].id)
        assert {error.partition(":")[0] for status, error in tries if status == 0} == {"NewConnectionError"}
        assert 6 < len(tries) < 16, "pauses grow"


def take_all_back(here: Connected, decision: Decision) -> tuple[Action, ...]:
    with here.kit.store.begin() as tx:
        return take_back(here.kit, tx, decision)


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429, 302])
def test_what_may_pass_is_tried_again(world: World, status: int) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        here.platform.answers(status, "later", Location="http://127.0.0.1:9/elsewhere")
        here.work_for(minutes=3, turns=9)
        assert states_of(here.kit, case) == ["waiting"]
        assert {one for one, _ in tries_of(here, only_action(here.kit, case))} == {status}
        assert len({message.key for message in here.platform.received}) == 1
        assert len({message.delivery for message in here.platform.received}) == len(here.platform.received) > 3
        here.platform.answers()
        here.work_for(minutes=10, turns=1)
        here.work()
        assert states_of(here.kit, case) == ["confirmed"]
        assert here.platform.effects == [("remove", "post 1")]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_a_no_is_a_no_and_stays_visible(world: World, status: int) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decision = decide(here.kit, hire(here.kit, Role.LEAD), case)
        here.platform.answers(status, "no such post")
        here.work_for(minutes=30, turns=2)
        (action,) = actions_of(here.kit, case)
        assert (action.state, action.tries, action.receipt) == (ActionState.REJECTED, 1, "no such post")
        assert jobs_of(here.kit) == {}
        here.platform.answers()
        take_all_back(here, decision)
        here.work()
        assert states_of(here.kit, case) == ["rejected", "confirmed"], (
            "the undo of what was refused is sent all the same"
        )


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("", "delivered"),
        ("thank you", "delivered"),
        ("[1]", "delivered"),
        ('{"status": "queued"}', "delivered"),
        ("[" * 100_000, "delivered"),
        ("\x00\ud7ff", "delivered"),
        ('{"status": "done"}', "confirmed"),
        ('{"status": "rejected", "why": "gone"}', "rejected"),
    ],
)
def test_what_the_platform_says_is_kept_as_receipt(world: World, body: str, state: str) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        here.platform.answers(202, body)
        here.work()
        (action,) = actions_of(here.kit, case)
        assert (action.state.value, action.receipt) == (state, body[:4096].replace("\x00", "\ufffd"))


def test_after_three_days_an_action_is_dead_and_the_next_has_its_turn(world: World) -> None:
    with connected(world) as here:
        lead = hire(here.kit, Role.LEAD)
        case = case_of(here.kit, 1)
        decision = decide(here.kit, lead, case)
        here.platform.answers(500)
        began = world.clock.now
        while states_of(here.kit, case) == ["waiting"]:
            here.work()
            world.clock.move(hours=1)
        assert timedelta(days=2, hours=12) < world.clock.now - began < timedelta(days=4)
        assert jobs_of(here.kit) == {}
        assert here.kit.tally.totals().events["action_dead"] == 1
        here.platform.answers()
        take_all_back(here, decision)
        here.work()
        assert states_of(here.kit, case) == ["dead", "confirmed"]
        with pytest.raises(Refused, match="newer"):
            replay(here.kit, lead, actions_of(here.kit, case)[0].id)


def test_a_dead_action_is_sent_again_by_a_person(world: World) -> None:
    with connected(world) as here:
        lead = hire(here.kit, Role.LEAD)
        case = case_of(here.kit, 1)
        decide(here.kit, lead, case)
        here.platform.answers(410)
        here.work()
        here.platform.answers()
        replay(here.kit, lead, only_action(here.kit, case))
        here.work()
        (action,) = actions_of(here.kit, case)
        assert (action.state, action.tries) == (ActionState.CONFIRMED, 2)
        assert [message.key for message in here.platform.received] == [action.key] * 2
        replay(here.kit, lead, action.id)
        here.work()
        assert here.platform.effects == [("remove", "post 1")], "told three times, done once"
        assert "action.replayed" in [event.verb for event in audit_of(here.kit, case.id)]


def test_what_is_replayed_goes_before_what_waits(world: World) -> None:
    with connected(world) as here:
        lead = hire(here.kit, Role.LEAD)
        case = case_of(here.kit, 1)
        decision = decide(here.kit, lead, case)
        here.platform.answers(403)
        here.work()
        take_all_back(here, decision)
        replay(here.kit, lead, actions_of(here.kit, case)[0].id)
        assert jobs_of(here.kit) == {"waiting": 1}
        here.platform.answers()
        here.work()
        assert here.platform.of_case(case.id) == ["remove", "remove", "restore"]


def test_nothing_is_replayed_while_it_is_sent(world: World) -> None:
    with connected(world) as here:
        lead = hire(here.kit, Role.LEAD)
        case = case_of(here.kit, 1)
        decide(here.kit, lead, case)
        now = world.clock.now
        with here.kit.store.begin_beside() as tx:
            assert tx.jobs.claim(now, now + timedelta(minutes=5), [ENFORCE])
        with pytest.raises(Unavailable, match="just now"):
            replay(here.kit, lead, only_action(here.kit, case))


def test_an_action_whose_job_failed_by_our_fault_is_sent_again_by_a_person(world: World) -> None:
    with connected(world) as here:
        lead = hire(here.kit, Role.LEAD)
        case = case_of(here.kit, 1)
        decide(here.kit, lead, case)

        def broken(_kit: Kit, _job: Job) -> None:
            raise ValueError("ours")

        run_due_jobs(here.kit, {ENFORCE: broken})
        assert (jobs_of(here.kit), states_of(here.kit, case)) == ({"dead": 1}, ["waiting"])
        replay(here.kit, lead, only_action(here.kit, case))
        here.work()
        assert (jobs_of(here.kit), states_of(here.kit, case)) == ({}, ["confirmed"])


def test_a_receiver_that_does_it_and_loses_the_answer_is_told_again_and_does_nothing(world: World) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        here.platform.loses_answers()
        here.work()
        assert states_of(here.kit, case) == ["waiting"]
        here.platform.answers()
        here.work_for(minutes=1, turns=2)
        assert states_of(here.kit, case) == ["confirmed"]
        assert here.platform.of_case(case.id) == ["remove", "remove"]
        assert here.platform.effects == [("remove", "post 1")]


def test_a_receiver_that_answers_twice_is_heard_once(world: World) -> None:
    with connected(world) as here:
        cases = [case_of(here.kit, seed) for seed in (1, 2)]
        for case in cases:
            decide(here.kit, hire(here.kit, Role.LEAD, name=case.id), case)
        here.platform.answers_twice()
        here.work()
        assert [states_of(here.kit, case) for case in cases] == [["confirmed"]] * 2
        for _ in range(2):
            receive(here.kit, platform_key(), only_action(here.kit, cases[0]), DONE)
        assert len(here.platform.received) == 2


@pytest.mark.parametrize("manner", ["hangs", "drips"])
def test_a_receiver_that_never_comes_to_an_end_is_left(world: World, manner: str) -> None:
    with connected(world, seconds=0.5) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        getattr(here.platform, manner)()
        began = time.monotonic()
        here.work()
        assert time.monotonic() - began < 5
        assert tries_of(here, only_action(here.kit, case))[0][0] == 0
        assert states_of(here.kit, case) == ["waiting"]


def test_a_hanging_case_holds_up_no_other(world: World) -> None:
    with connected(world, seconds=30) as here:
        slow, quick = (case_of(here.kit, seed) for seed in (1, 2))
        for case in (slow, quick):
            decide(here.kit, hire(here.kit, Role.LEAD, name=case.id), case)
        here.platform.hangs(lambda message: message.body["case_id"] == slow.id)
        threads = [threading.Thread(target=here.work, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while states_of(here.kit, quick) != ["confirmed"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert states_of(here.kit, slow) == ["waiting"]
    for thread in threads:
        thread.join(10)


def test_the_platform_says_when_to_come_back(world: World) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        here.platform.answers(503, "", Retry_After="600")
        here.work_for(minutes=10, turns=4)
        assert len(here.platform.received) == 1
        here.work_for(minutes=1, turns=2)
        assert len(here.platform.received) == 2


class Dies:
    """A worker that is killed after it has sent, before it can store the answer."""

    def __init__(self, real: ActionRunner) -> None:
        self.real = real

    def perform(self, message: Message) -> Answer:
        self.real.perform(message)
        raise KeyboardInterrupt


def test_a_worker_that_dies_after_sending_leaves_its_job_to_another(world: World) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        assert here.kit.platform is not None
        dying = replace(here.kit, platform=Dies(here.kit.platform))
        with pytest.raises(KeyboardInterrupt):
            run_due_jobs(dying, {ENFORCE: deliver})
        assert (states_of(here.kit, case), here.work()) == (["waiting"], 0)
        world.clock.move(minutes=6)
        assert here.work() == 1
        assert states_of(here.kit, case) == ["confirmed"]
        assert here.platform.of_case(case.id) == ["remove", "remove"]
        assert here.platform.effects == [("remove", "post 1")]


def test_without_a_webhook_actions_wait_visibly_until_there_is_one(world: World) -> None:
    case = case_of(world.kit, 1)
    decide(world.kit, hire(world.kit, Role.LEAD), case)
    ordered_at = world.clock.now
    world.clock.move(days=30)
    standing = outbox(world.kit)
    assert (standing.counts, standing.oldest_waiting) == ({ActionState.WAITING: 1}, ordered_at)
    assert not standing.is_connected
    with pytest.raises(Unavailable, match="webhook_url"):
        try_webhook(world.kit)
    with connected(world) as here:
        assert here.work() == 1
        assert outbox(here.kit).is_connected
        assert here.platform.effects == [("remove", "post 1")]


def test_a_job_of_another_kind_is_left_to_its_own_worker(world: World) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        assert run_due_jobs(here.kit, {"recheck": deliver}) == 0
        assert jobs_of(here.kit) == {"waiting": 1}


@pytest.mark.parametrize("before_answer", [True, False])
@pytest.mark.parametrize(("receipt", "state"), [(DONE, "confirmed"), (CANNOT, "rejected")])
def test_a_receipt_counts_before_and_after_the_answer(
    world: World, receipt: Receipt, state: str, before_answer: bool
) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decision = decide(here.kit, hire(here.kit, Role.LEAD), case)
        take_all_back(here, decision)
        here.platform.answers(200, "")
        if not before_answer:
            assert here.work() == 2
        receive(here.kit, platform_key(), actions_of(here.kit, case)[0].id, receipt)
        here.work()
        first, second = actions_of(here.kit, case)
        assert (first.state.value, first.receipt, second.state.value) == (state, receipt.text, "delivered")
        assert receive(here.kit, platform_key(), first.id, receipt) == first
        other = CANNOT if receipt is DONE else DONE
        with pytest.raises(Refused, match="already"):
            receive(here.kit, platform_key(), first.id, other)


def test_an_answer_does_not_take_back_a_receipt(world: World) -> None:
    """The receipt comes while the platform still makes us wait for the answer."""
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decide(here.kit, hire(here.kit, Role.LEAD), case)
        assert here.kit.platform is not None
        overtaken = replace(here.kit, platform=Overtaken(here, only_action(here.kit, case)))
        run_due_jobs(overtaken, {ENFORCE: deliver})
        (action,) = actions_of(here.kit, case)
        assert (action.state, action.receipt, action.tries) == (ActionState.CONFIRMED, "gone", 1)
        assert jobs_of(here.kit) == {}


class Overtaken:
    """The receipt of an action arrives before the answer to it, which is a fault."""

    def __init__(self, here: Connected, action_id: ActionId) -> None:
        self.here = here
        self.action_id = action_id

    def perform(self, message: Message) -> Answer:
        receive(self.here.kit, platform_key(), self.action_id, DONE)
        return Answer(status=500)


def test_the_undo_of_a_decision_takes_back_everything_once_newest_first(world: World) -> None:
    with connected(world) as here:
        case = case_of(here.kit, 1)
        decision = decide(here.kit, hire(here.kit, Role.LEAD), case, Verb.RESTRICT)
        with here.kit.store.begin() as tx:
            targets = actions_of(here.kit, case)[0].targets
            order(here.kit, tx, case=case, decision=decision, verb=Verb.SUSPEND, targets=targets, reasons=["again"])
        undone = take_all_back(here, decision)
        assert [action.undo_of for action in undone] == [one.id for one in reversed(actions_of(here.kit, case)[:2])]
        assert take_all_back(here, decision) == ()
        here.work()
        assert here.platform.of_case(case.id) == ["restrict", "suspend", "restore", "restore"]
        assert here.platform.received[-1].body["undo_of"] == actions_of(here.kit, case)[0].id


@pytest.mark.parametrize(
    ("role", "sees", "sends"),
    [
        (Role.LEAD, True, True),
        (Role.ADMINISTRATOR, True, True),
        (Role.AUDITOR, True, False),
        (Role.REVIEWER, False, False),
        (Role.LEGAL, False, False),
    ],
)
def test_who_may_see_and_send_again(world: World, role: Role, sees: bool, sends: bool) -> None:
    case = case_of(world.kit, 1)
    decide(world.kit, hire(world.kit, Role.LEAD, name="decider"), case)
    person, action_id = hire(world.kit, role), only_action(world.kit, case)
    calls: list[tuple[bool, Callable[[], object]]] = [
        (sees, lambda: deliveries(world.kit, person)),
        (sees, lambda: delivery(world.kit, person, action_id)),
        (sends, lambda: replay(world.kit, person, action_id)),
    ]
    for is_allowed, call in calls:
        if is_allowed:
            call()
            continue
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.code == "permission_missing"


def test_pages_of_actions(world: World) -> None:
    lead = hire(world.kit, Role.LEAD)
    cases = [case_of(world.kit, seed) for seed in range(1, 4)]
    for case in cases:
        world.clock.move(seconds=1)
        decide(world.kit, lead, case)
    newest = deliveries(world.kit, lead)
    assert deliveries(world.kit, lead, limit=2) == newest[:2]
    assert deliveries(world.kit, lead, before=newest[1].id) == newest[2:]
    assert deliveries(world.kit, lead, state=ActionState.DEAD) == ()


def test_a_receipt_needs_the_right_key_and_an_action(world: World) -> None:
    case = case_of(world.kit, 1)
    decide(world.kit, hire(world.kit, Role.LEAD), case)
    with pytest.raises(Refused) as refused:
        receive(world.kit, platform_key(Scope.SCAN), only_action(world.kit, case), DONE)
    assert refused.value.code == "scope_missing"
    with pytest.raises(Refused, match="no such action"):
        receive(world.kit, platform_key(), ActionId("act_gone"), DONE)


@pytest.mark.parametrize("settled", [0, 1, 3])
def test_the_first_that_is_not_settled_is_next(world: World, settled: int) -> None:
    kit = world.kit
    case = case_of(kit, 1)
    decision = decide(kit, hire(kit, Role.REVIEWER), case)
    with kit.store.begin() as tx:
        for _ in range(2):
            order(kit, tx, case=case, decision=decision, verb=Verb.RESTORE, targets=(), reasons=())
        actions = tx.actions.of_case(case.id)
        for action in actions[:settled]:
            tx.actions.update(replace(action, state=ActionState.DELIVERED))
        assert tx.actions.next_in_line(case.id) == next(iter(actions[settled:]), None)
        assert tx.actions.newest_of_case(case.id, 2) == tx.actions.of_case(case.id)[1:]
        assert (tx.actions.last_place(case.id), tx.actions.last_place(CaseId("case_none"))) == (3, 0)


def test_the_thousandth_action_of_a_case_is_ordered_as_quickly_as_the_first(world: World) -> None:
    kit = world.kit
    case = case_of(kit, 1)
    decision = decide(kit, hire(kit, Role.REVIEWER), case)

    def seconds(many: int) -> float:
        began = time.perf_counter()
        for _ in range(many):
            order(kit, tx, case=case, decision=decision, verb=Verb.REMOVE, targets=(), reasons=())
        return time.perf_counter() - began

    with kit.store.begin() as tx:
        first = seconds(50)
        seconds(900)
        assert seconds(50) < 4 * first
