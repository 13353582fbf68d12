"""A programme that takes what it is given, over a real plug-in of our own, and the stories' sentences about it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import EntryPoint

from jikimi.flows.bank import entries_of_file
from jikimi.flows.exchange import add_exchange
from jikimi.flows.index import follow
from jikimi.flows.parcel import send
from jikimi.flows.review import decide, take
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.decision import Choice, Decision
from jikimi.model.exchange import Exchange, Feedback, NewExchange, Page, SourceRecord
from jikimi.model.form import setting
from jikimi.model.ids import CaseId
from jikimi.model.job import SHARE
from jikimi.model.people import Person
from jikimi.model.share import Share
from jikimi.model.signal import Signal
from jikimi.plugs.exchanges.installed import GROUP, Installed
from jikimi.plugs.web.client import WebClient
from jikimi.plugs.web.wire import trusted
from jikimi.ports import Kit
from jikimi.ports.exchanges import Opined, Web
from jikimi.worker import run_due_jobs
from tests.flows.story import OPERATOR

SECRET = "a key of the programme"
ALL = frozenset(Feedback)


@dataclass(slots=True)
class Programme:
    """What a programme has been given, and what goes wrong next."""

    taken: list[Opined] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    dies_after: list[BaseException] = field(default_factory=list)
    pushes: int = 0

    @property
    def heard(self) -> list[tuple[str, str]]:
        """Feedback and record of all that was taken, in order."""
        return sorted((one.feedback.value, one.record) for one in self.taken)


PROGRAMMES: dict[str, Programme] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where it is, and the key to it."""

    place: str = setting("Which programme.")
    key: str = setting("Its key.", secret=True)


class Recorder:
    """A programme that writes down what it is given."""

    Config = Way
    gives = frozenset({Feedback.SEEN, Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE, Feedback.NEW_SIGNAL})
    forgets = False
    is_whole = False

    def __init__(self, config: Way, web: Web, now: datetime) -> None:
        assert config.key == SECRET
        self._programme = PROGRAMMES[config.place]

    @staticmethod
    def hosts(config: Way) -> frozenset[str]:
        return frozenset({"programme.example"})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        return iter(())

    def push(self, opined: Sequence[Opined]) -> None:
        self._programme.pushes += 1
        if self._programme.faults:
            raise self._programme.faults.pop(0)
        self._programme.taken += opined
        if self._programme.dies_after:
            raise self._programme.dies_after.pop(0)


def installed(place: str) -> tuple[Installed, Programme]:
    """This kind of exchange, installed and enabled, and its programme."""
    point = EntryPoint(name="recorder", value=f"{__name__}:Recorder", group=GROUP)
    PROGRAMMES[place] = Programme()
    web_for = partial(WebClient, trust=trusted(), clock=_now)
    return Installed({"recorder"}, web_for, _now, found=[point]), PROGRAMMES[place]


def connected(kit: Kit, place: str) -> tuple[Kit, Programme]:
    """The same installation with this kind of exchange, and its programme."""
    connectors, programme = installed(place)
    return replace(kit, connectors=connectors), programme


def _now() -> datetime:
    return datetime.now(UTC)


def listed(
    kit: Kit,
    place: str,
    *records: tuple[str, Sequence[Signal]],
    name: str = "programme",
    category: Category = Category.NCII,
    shares: frozenset[Feedback] = ALL,
) -> Exchange:
    """An exchange whose list says these records."""
    new = NewExchange(name=name, kind="recorder", bank=f"of-{name}", shares=shares, settings={"place": place})
    policy = BankPolicy(name=new.bank, category=category, on_match=OnMatch.BLOCK)
    exchange = add_exchange(kit, OPERATOR, new, policy, {"key": SECRET})
    with kit.store.begin() as tx:
        said = [SourceRecord(key=key, signals=tuple(signals), detail={"of": key}) for key, signals in records]
        tx.source_records.apply(exchange, said, 1, kit.clock(), forget=False)
    follow(kit)
    return exchange


def file_of(kit: Kit, picture: bytes) -> Sequence[Signal]:
    """The digest of a picture, as a list has it."""
    policy = BankPolicy(name="any", category=Category.NCII, on_match=OnMatch.BLOCK)
    found = entries_of_file(kit, io.BytesIO(picture), policy).entries
    return [entry.signal for entry in found if entry.signal.type == "sha256"]


def decided(kit: Kit, person: Person, case_id: CaseId, choice: Choice) -> Decision:
    """A person takes a case and decides it."""
    case = take(kit, person, case_id)
    return decide(kit, person, case_id, choice, version=case.version)


def work(kit: Kit) -> int:
    """A worker has its turn."""
    return run_due_jobs(kit, {SHARE: send})


def shares_of(kit: Kit, case_id: CaseId) -> tuple[Share, ...]:
    """What is given back about a case."""
    with kit.store.read() as tx:
        return tx.shares.of_case(case_id)


def states(kit: Kit, case_id: CaseId) -> list[str]:
    """How far that has come, each state once."""
    return sorted({one.state.value for one in shares_of(kit, case_id)})
