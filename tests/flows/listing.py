"""A programme for tests: a list that tests write, with the pages of its next pulls, and the connector to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

from jikimi.config import Settings
from jikimi.flows.exchange import add_exchange
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.exchange import Feedback, NewExchange, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.signal import Signal
from jikimi.plugs.exchanges.installed import Installed
from jikimi.ports.exchanges import Opined, Web
from tests.conftest import World, open_world

Step = Page | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingConfig:
    """Settings of the programme."""

    name: str = setting("Which list.")
    token: str = setting("Token from the programme.", default="", secret=True)
    pace: int = setting("Records a page.", default=1000)


@dataclass(slots=True)
class Programme:
    """What a programme answers: the steps of each pull, by the checkpoint it is asked from."""

    steps: dict[str, Sequence[Step]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    configs: list[ListingConfig] = field(default_factory=list)


PROGRAMMES: dict[str, Programme] = {}
"""Programmes by the name in the settings."""


class Listing:
    """A list for tests.

    More about it that nobody needs.
    """

    Config: ClassVar[type] = ListingConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset({Feedback.SEEN, Feedback.FALSE_POSITIVE})
    forgets: ClassVar[bool] = False
    is_whole: bool = False

    def __init__(self, config: ListingConfig, web: Web, now: datetime) -> None:
        self._programme = PROGRAMMES[config.name]
        self._programme.configs.append(config)

    @staticmethod
    def hosts(config: ListingConfig) -> frozenset[str]:
        return frozenset({f"{config.name}.example.org"})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        self._programme.asked.append(checkpoint)
        for step in self._programme.steps.get(checkpoint, ()):
            if isinstance(step, Exception):
                raise step
            yield step

    def push(self, opined: Sequence[Opined]) -> None:
        raise AssertionError("nothing is given back here")


class Forgetting(Listing):
    """A list whose withdrawals have to be forgotten."""

    forgets: ClassVar[bool] = True


class Whole(Listing):
    """A list that is always given whole."""

    is_whole: bool = True


def connectors(clock: Any) -> Installed:
    """The kinds `listing`, `forgetting` and `whole`."""
    group = "jikimi.exchanges.v1"
    points = [
        EntryPoint(name=class_.__name__.lower(), value=f"{__name__}:{class_.__name__}", group=group)
        for class_ in (Listing, Forgetting, Whole)
    ]
    return Installed([point.name for point in points], lambda hosts: _NoWeb(), clock, points)


class _NoWeb:
    """No way to anywhere."""

    def ask(self, method: str, url: str, **rest: Any) -> Any:
        raise AssertionError(f"{method} {url}")


@contextmanager
def listed_world(settings: Settings, kind: str = "listing", **policy: Any) -> Iterator[tuple[World, Programme]]:
    """An installation with an exchange `feed` of this kind that fills a bank `feed`."""
    PROGRAMMES["feed"] = programme = Programme()
    with open_world(settings) as world:
        world = replace(world, kit=replace(world.kit, connectors=connectors(world.clock)))
        made = BankPolicy(name="feed", category=Category.OTHER, on_match=OnMatch.BLOCK)
        new = NewExchange(name="feed", kind=kind, bank="feed", settings={"name": "feed"})
        add_exchange(world.kit, "tester", new, replace(made, **policy))
        yield world, programme


def signal(number: int, type_: str = "md5") -> Signal:
    """A signal that stands for a number."""
    digest = hashlib.new("sha256", f"{type_} {number}".encode()).digest()
    return Signal(type=type_, value=digest[:16] if type_ == "md5" else digest)


def record(key: str, *numbers: int, **changes: Any) -> SourceRecord:
    """A confirmed record that says the signals of some numbers."""
    made = SourceRecord(key=key, signals=tuple(signal(number) for number in numbers), trust=Trust.CONFIRMED)
    return replace(made, **changes)


def gone(key: str) -> SourceRecord:
    """A tombstone."""
    return SourceRecord(key=key, withdrawn=True)


def page(checkpoint: str, *records: SourceRecord, faults: tuple[str, ...] = ()) -> Page:
    """A page."""
    return Page(records=records, checkpoint=checkpoint, faults=faults)
