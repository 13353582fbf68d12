"""NCMEC and StopNCII into banks, from simulators, over HTTP: what is listed matches, what is taken back is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from jikimi.flows.exchange import add_exchange, show_exchange
from jikimi.flows.index import publish
from jikimi.flows.scan import look_up_signals
from jikimi.flows.sync import sync
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import Json, NewExchange
from jikimi.model.signal import parse_signal
from jikimi.testing import ncmec, stopncii
from tests.conftest import World

SECRET = "a-word-of-nobody"


def pdq(number: int) -> str:
    """A value far from those of other numbers."""
    return f"{number:02x}" * 32


class Ncmec(ncmec.Ncmec):
    """NCMEC's list, by numbers."""

    def __init__(self, world: World) -> None:
        super().__init__(user="user", password=SECRET, clock=lambda: world.clock().timestamp())
        self.access: dict[str, Json] = {
            "environment": "https://hashsharing-test.ncmec.org/npo",
            "user": "user",
            "password": SECRET,
        }

    def list(self, number: int) -> None:
        self.put(42, str(number), at=int(self._clock()), pdq=pdq(number))

    def take_back(self, number: int) -> None:
        self.delete(42, str(number), at=int(self._clock()))


class StopNcii(stopncii.StopNcii):
    """StopNCII's hashes, by numbers."""

    def __init__(self, world: World) -> None:
        super().__init__(clock=lambda: world.clock().timestamp())
        self.access: dict[str, Json] = {"subscription_key": "subscription", "fetch_key": "fetch"}

    def list(self, number: int) -> None:
        self.put(at=int(self._clock()), value=pdq(number))

    def take_back(self, number: int) -> None:
        self.withdraw(pdq(number), at=int(self._clock()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """An exchange `feed` that fills a bank `feed` from a simulator; signals are named by numbers."""

    world: World
    server: Ncmec | StopNcii

    def sync(self) -> None:
        """Pull a quarter of an hour later."""
        self.world.clock.move(minutes=15)
        sync(self.world.kit, "feed")

    def effects(self, *numbers: int) -> list[str]:
        """What a match of each does; empty where there is none."""
        found = look_up_signals(self.world.kit, [parse_signal("pdq", pdq(number)) for number in numbers])
        return [str(matches[0].effect) if matches else "" for matches in found]


@pytest.fixture(params=["ncmec", "stopncii"])
def feed(request: pytest.FixtureRequest, world: World) -> Iterator[Feed]:
    with Ncmec(world) if request.param == "ncmec" else StopNcii(world) as server:
        settings = {**server.access, "address": server.url}
        new = NewExchange(name="feed", kind=request.param, bank="feed", settings=settings)
        policy = BankPolicy(name="feed", category=Category.OTHER, on_match=OnMatch.BLOCK)
        add_exchange(world.kit, "tester", new, policy)
        yield Feed(world=world, server=server)


def test_what_is_listed_matches_and_what_is_taken_back_does_not(feed: Feed) -> None:
    for number in (1, 2, 3):
        feed.server.list(number)
    feed.sync()
    confirmed = "hold" if isinstance(feed.server, StopNcii) else "block"
    assert feed.effects(1, 2, 3, 4) == [confirmed] * 3 + [""]
    feed.server.take_back(2)
    feed.server.list(4)
    feed.sync()
    assert feed.effects(1, 2, 3, 4) == [confirmed, "", confirmed, confirmed]


@pytest.mark.parametrize("feed", ["stopncii"], indirect=True)
def test_nothing_of_what_a_person_takes_back_is_left(feed: Feed) -> None:
    feed.server.list(1)
    feed.server.list(2)
    feed.sync()
    publish(feed.world.kit)
    assert holding(feed.world, 1), "as long as it is listed, it is somewhere"
    feed.server.take_back(1)
    feed.sync()
    assert feed.effects(1, 2) == ["", "hold"]
    assert holding(feed.world, 1) == []
    with feed.world.kit.store.read() as tx:
        (exchange,) = tx.exchanges.all()
        assert tx.exchanges.counts()[exchange.id] == 1


@pytest.mark.parametrize("feed", ["stopncii"], indirect=True)
def test_nothing_is_left_of_what_is_only_kept(feed: Feed) -> None:
    assert isinstance(feed.server, StopNcii)
    values = [feed.server.put("VideoTMK", at=int(feed.world.clock().timestamp())) for _ in range(50)]
    feed.sync()
    is_in_files = feed.world.settings.database.startswith("sqlite")
    assert all(bool(files_with(feed.world, value[:64])) is is_in_files for value in values)
    for value in values[:25]:
        feed.server.withdraw(value, at=int(feed.world.clock().timestamp()))
    feed.sync()
    assert [value for value in values[:25] if files_with(feed.world, value[:64])] == []


@pytest.mark.parametrize("feed", ["stopncii"], indirect=True)
def test_nothing_is_left_though_the_pull_fails_later(feed: Feed) -> None:
    assert isinstance(feed.server, StopNcii)
    feed.server.list(1)
    feed.sync()
    publish(feed.world.kit)
    feed.server.take_back(1)
    feed.world.clock.move(minutes=1)
    feed.server.list(2)
    feed.server.tear(pdq(2))
    with pytest.raises(Unavailable):
        feed.sync()
    assert feed.effects(1) == [""]
    assert files_with(feed.world, pdq(1)) == []


def holding(world: World, number: int) -> list[str]:
    """The files of the data folder that hold a value, as bytes or as text; the database is one of them on SQLite."""
    return files_with(world, pdq(number))


def files_with(world: World, value: str) -> list[str]:
    """The same of any value in hex."""
    forms = (bytes.fromhex(value), value.encode(), value.upper().encode())
    files = [file for file in world.settings.data.rglob("*") if file.is_file()]
    return [file.name for file in files if any(form in file.read_bytes() for form in forms)]


@pytest.mark.parametrize(("status", "family"), [(503, Unavailable), (403, Refused)])
def test_a_feed_that_fails_says_so_and_tells_no_secret(feed: Feed, status: int, family: type[JikimiError]) -> None:
    feed.server.list(1)
    feed.server.fails(status, Retry_After="100000")
    with pytest.raises(family):
        feed.sync()
    exchange = show_exchange(feed.world.kit, "feed").exchange
    assert (exchange.failures, exchange.checkpoint) == (1, "")
    assert str(status) in exchange.last_error
    assert SECRET not in exchange.last_error
    feed.server.is_well()
    feed.sync()
    assert feed.effects(1) != [""]
