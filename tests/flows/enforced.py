"""The sentences that enforcement is told in: a case is decided, an action is ordered, a worker has its turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from jikimi.engine.pattern import paint
from jikimi.flows.enforce import deliver, order, targets_of
from jikimi.model.action import Action, Verb
from jikimi.model.case import Case, CaseState
from jikimi.model.decision import Choice, Decision, DecisionState, Label
from jikimi.model.ids import ActionId, CaseId, DecisionId
from jikimi.model.job import ENFORCE
from jikimi.model.people import Key, Person, Scope
from jikimi.plugs.actions.webhook import Webhook
from jikimi.ports import Kit
from jikimi.testing.platform import Platform
from jikimi.worker import run_due_jobs
from tests.conftest import World
from tests.flows.story import make_bank, upload

SECRET = "a secret that two sides know"
WHENEVER = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """An installation that is connected to a platform, with a clock that can be set."""

    world: World
    kit: Kit
    platform: Platform

    def work(self) -> int:
        """A worker has its turn."""
        return run_due_jobs(self.kit, {ENFORCE: deliver})

    def work_for(self, *, minutes: float, turns: int = 12) -> None:
        """Time passes, and a worker has so many turns in it."""
        for _ in range(turns):
            self.work()
            self.world.clock.move(minutes=minutes / turns)


@contextmanager
def connected(world: World, seconds: float = 5.0) -> Iterator[Connected]:
    """Connect an installation to a platform."""
    clock = world.clock
    with Platform([SECRET], clock=lambda: clock().timestamp()) as platform:
        webhook = Webhook(url=platform.url, keys=lambda: [SECRET], seconds=seconds, clock=clock)
        yield Connected(world=world, kit=replace(world.kit, platform=webhook), platform=platform)


def platform_key(*scopes: Scope) -> Key:
    """The key that the platform calls with."""
    return Key(name="platform", scopes=frozenset(scopes or (Scope.REPORT,)), created_at=WHENEVER)


def case_of(kit: Kit, seed: int, *names: str) -> Case:
    """A case with a known picture that was uploaded under these names."""
    bank = f"known-{seed}"
    make_bank(kit, bank, paint(seed))
    scans = [upload(kit, paint(seed), name=name, account=f"account {seed}") for name in names or (f"post {seed}",)]
    with kit.store.read() as tx:
        case = tx.cases.get(CaseId(scans[0].case_id or ""))
    assert case is not None
    return case


def decide(
    kit: Kit, by: Person, case: Case, verb: Verb | None = Verb.REMOVE, label: Label = Label.CSAM, bank: str = ""
) -> Decision:
    """Somebody decides a case, for good; what follows is ordered."""
    now = kit.clock()
    decision = Decision(
        id=DecisionId(kit.ids("dec")),
        case_id=case.id,
        by=by.id,
        at=now,
        choice=Choice(label=label, verb=verb, bank=bank),
        state=DecisionState.FINAL,
    )
    with kit.store.begin() as tx:
        stored = tx.cases.get(case.id)
        assert stored is not None
        tx.decisions.add(decision)
        tx.cases.update(replace(stored, state=CaseState.DECIDED, version=stored.version + 1))
        if verb is not None:
            order(kit, tx, case=stored, decision=decision, verb=verb, targets=targets_of(tx, case), reasons=[label])
    return decision


def actions_of(kit: Kit, case: Case) -> tuple[Action, ...]:
    """The actions of a case, in their order."""
    with kit.store.read() as tx:
        return tx.actions.of_case(case.id)


def states_of(kit: Kit, case: Case) -> list[str]:
    """How far the actions of a case have come."""
    return [action.state.value for action in actions_of(kit, case)]


def jobs_of(kit: Kit) -> dict[str, int]:
    """Jobs by state."""
    with kit.store.read() as tx:
        return dict(tx.jobs.counts())


def only_action(kit: Kit, case: Case) -> ActionId:
    """The one action of a case."""
    (action,) = actions_of(kit, case)
    return action.id
