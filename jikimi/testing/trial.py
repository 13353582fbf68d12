"""Trying a connector: a simulator, the connector that pulls from it, and what a service would hold afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self

from jikimi.model.exchange import Page, SourceRecord
from jikimi.model.form import read_config
from jikimi.ports.exchanges import Connector, Web
from jikimi.testing.trouble import Trouble

SOME = 1300
"""Records on the list of most trials: several pages for most programmes."""
MANY = 100_000
"""Records of a long list, which have to pass without filling the memory."""
MOST_PAGES = 20_000


class Simulator(Protocol):
    """A stand-in of a programme. While it is entered, it can be asked; nothing is on its list at first."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    @property
    def settings(self) -> Mapping[str, object]:
        """What has to be typed into the connector's form so that it comes here, secrets too."""
        ...

    def publish(self, count: int) -> None:
        """Put so many more records on the list, each with a signal that no other has."""
        ...

    def withdraw(self, count: int) -> None:
        """Take so many off the list."""
        ...

    def listed(self) -> frozenset[str]:
        """The signals on the list now, written `TYPE:VALUE`."""
        ...


class FailedError(Exception):
    """A promise is not kept; the message is the advice."""


def must(is_so: bool, advice: str) -> None:
    """Fail with advice unless something is so."""
    if not is_so:
        raise FailedError(advice)


Webs = Callable[[frozenset[str]], Web]
"""Makes the client for some hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked, and against what."""

    connector: type[Connector]
    simulator: Callable[[], Simulator]
    webs: Webs
    many: int

    @contextmanager
    def open(self, count: int = SOME) -> Iterator[Bench]:
        """A simulator with so many records, and the way to it."""
        with self.simulator() as simulator:
            simulator.publish(count)
            yield Bench(subject=self, simulator=simulator)


@dataclass(slots=True, kw_only=True)
class Bench:
    """A connector on the bench. Each pull comes an hour after the one before."""

    subject: Subject
    simulator: Simulator
    now: datetime = dataclasses.field(default_factory=lambda: datetime.now(UTC))
    web: Trouble = dataclasses.field(init=False)

    @property
    def config(self) -> Any:
        """The settings that lead to the simulator."""
        return read_config(self.subject.connector.Config, self.simulator.settings)

    def connect(self, **trouble: Any) -> Connector:
        """Make the connector; `trouble` is for its `Web`."""
        config = self.config
        self.web = Trouble(self.subject.webs(self.subject.connector.hosts(config)), **trouble)
        self.now += timedelta(hours=1)
        return self.subject.connector(config, self.web, self.now)

    def pull(self, state: State, **trouble: Any) -> None:
        """Pull everything there is, and keep it."""
        connector = self.connect(**trouble)
        state.begin(is_whole=connector.is_whole)
        for count, page in enumerate(connector.pull(state.checkpoint), start=1):
            must(count < MOST_PAGES, "The pull does not end; each page has to come nearer to the end of the list.")
            state.take(page)
        state.end()

    def expect(self, state: State) -> None:
        """The state is what the simulator lists, neither more nor less."""
        listed, held = self.simulator.listed(), state.signals()
        must(listed <= held, f"{len(listed - held)} of {len(listed)} signals are missing.")
        must(held <= listed, f"{len(held - listed)} signals are kept that are not on the list; honour withdrawals.")


class State:
    """What a service would hold after these pages: one record for each key, as the last page said."""

    def __init__(self) -> None:
        self.checkpoint = ""
        self.records: dict[str, SourceRecord] = {}
        self.pages: list[Page] = []
        self._said: set[str] | None = None

    def begin(self, *, is_whole: bool) -> None:
        """Begin a pull."""
        self.pages = []
        self._said = set() if is_whole or not self.checkpoint else None

    def take(self, page: Page) -> None:
        """Keep what a page says."""
        self.pages.append(page)
        self.checkpoint = page.checkpoint
        for record in page.records:
            if record.withdrawn:
                self.records.pop(record.key, None)
            else:
                self.records[record.key] = record
            if self._said is not None:
                self._said.add(record.key)

    def end(self) -> None:
        """After a whole pull, what it did not name is gone."""
        if self._said is not None and self.pages:
            self.records = {key: one for key, one in self.records.items() if key in self._said}

    def signals(self) -> frozenset[str]:
        """What would match, written `TYPE:VALUE`."""
        return frozenset(f"{one.type}:{one.text}" for record in self.records.values() for one in record.signals)
