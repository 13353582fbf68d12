"""The sentences that enforcement is told in: a case is decided, an action is ordered, a worker has its turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from jikimi.flows.enforce import deliver, order, targets_of
from jikimi.model.action import Action, Verb
from jikimi.model.bank import Category
from jikimi.model.case import Case, CaseState, Origin, new_case
from jikimi.model.decision import Choice, Decision, DecisionState, Label
from jikimi.model.ids import ActionId, CaseId, DecisionId, ScanId
from jikimi.model.job import ENFORCE
from jikimi.model.match import Coverage, Disposition, Verdict
from jikimi.model.media import MediaKind
from jikimi.model.people import Key, Person, Scope
from jikimi.model.scan import Content, Scan, Upload
from jikimi.plugs.actions.webhook import Webhook
from jikimi.ports import Kit
from jikimi.testing.platform import Platform
from jikimi.worker import run_due_jobs
from tests.conftest import World

SECRET = "a secret that two sides know"
WHENEVER = datetime(2026, 1, 1, tzinfo=UTC)
_BLOCKED = Verdict(
    disposition=Disposition.BLOCK,
    reasons=(),
    matches=(),
    coverage=Coverage(signals=(), frames=1, quality=None, index_version=0),
)


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
    """A case of one content that was uploaded under these names. What was decided counts here, not what was seen."""
    now = kit.clock()
    sha256 = f"{seed:064x}"
    case = new_case(
        CaseId(kit.ids("case")),
        kind=Category.CSAM,
        origin=Origin.MATCH,
        at=now,
        targets=kit.review.targets,
        contents=(sha256,),
        accounts=(f"account {seed}",),
    )
    with kit.store.begin() as tx:
        tx.cases.add(case)
        for name in names or (f"post {seed}",):
            upload = Upload(source="forum", received_at=now, content_id=name, account_id=f"account {seed}")
            content = Content(kind=MediaKind.PNG, size=1, sha256=sha256)
            scan_id = ScanId(kit.ids("scan"))
            tx.scans.add(Scan(id=scan_id, upload=upload, content=content, verdict=_BLOCKED, case_id=case.id))
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
