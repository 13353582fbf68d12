"""What goes wrong around a pull: changes and removals meanwhile, clocks that go back, a list without an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, repeat

import pytest

from jikimi.config import Settings
from jikimi.flows.exchange import change_exchange, list_exchanges, remove_exchange, show_exchange
from jikimi.flows.scan import look_up_signals
from jikimi.flows.sync import due, sync
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import LEASE, Page
from tests.conftest import World
from tests.flows.listing import PROGRAMMES, Programme, listed_world, page, record, signal

Feed = tuple[World, Programme]


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    with listed_world(settings) as made:
        yield made


def matched(world: World, *numbers: int) -> list[int]:
    """Those of the numbers whose signal matches."""
    found = look_up_signals(world.kit, [signal(number) for number in numbers])
    return [number for number, matches in zip(numbers, found, strict=True) if matches]


def test_a_first_pull_of_the_list_before_does_not_pass_for_one_of_the_list_now(feed: Feed) -> None:
    world, programme = feed
    PROGRAMMES["other"] = Programme(steps={"": [page("other 1", record("b", 2))]})

    def pages() -> Iterator[Page]:
        change_exchange(world.kit, "tester", "feed", settings={"name": "other"})
        yield page("feed 1", record("a", 1))

    programme.steps = {"": pages()}  # type: ignore[dict-item]
    with pytest.raises(Unavailable) as busy:
        sync(world.kit, "feed")
    assert busy.value.code == "exchange_busy"
    assert matched(world, 1) == []
    sync(world.kit, "feed")
    assert matched(world, 1, 2) == [2]


def test_an_exchange_that_was_half_removed_is_pulled_whole_when_it_is_enabled_again(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", *(record(str(number), number) for number in range(6000)))]}
    sync(world.kit, "feed")
    left = iter(repeat(world.clock.now, 4))

    def ends() -> datetime:
        for now in left:
            return now
        raise Unavailable("store_unavailable", "The power is off.")

    with pytest.raises(Unavailable):
        remove_exchange(replace(world.kit, clock=ends), "tester", "feed", keep=False)
    assert 0 < list_exchanges(world.kit)[0].live < 6000
    world.clock.move(minutes=3)
    change_exchange(world.kit, "tester", "feed", enabled=True)
    sync(world.kit, "feed")
    assert list_exchanges(world.kit)[0].live == 6000
    assert matched(world, 0, 5999) == [0, 5999]


def test_a_clock_that_was_ahead_and_is_put_right_stops_no_list(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1))], "1": [page("2", record("b", 2))]}
    world.clock.move(days=365)
    sync(world.kit, "feed")
    world.clock.move(days=-365)
    assert due(world.kit) == ("feed",)
    sync(world.kit, "feed")
    assert matched(world, 2) == [2]
    assert due(world.kit) == ()


def test_a_turn_that_was_taken_by_a_clock_far_ahead_is_free(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1))]}
    with world.kit.store.begin() as tx:
        (exchange,) = tx.exchanges.all()
        ahead = world.clock.now + timedelta(days=1)
        assert tx.exchanges.lease(exchange, "killed", ahead, ahead + LEASE)
    assert due(world.kit) == ("feed",)
    assert sync(world.kit, "feed").added == 1


def test_a_list_without_an_end_is_given_up(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": (page(str(number), record("a", 1)) for number in count(1))}  # type: ignore[dict-item]
    with pytest.raises(Unavailable) as endless:
        sync(world.kit, "feed")
    assert endless.value.code == "exchange_endless"
    assert matched(world, 1) == [1]
    assert show_exchange(world.kit, "feed").exchange.last_error


def test_pages_without_records_are_given_up_as_well(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": (page(str(number)) for number in count(1))}  # type: ignore[dict-item]
    with pytest.raises(Unavailable) as endless:
        sync(world.kit, "feed")
    assert endless.value.code == "exchange_endless"


def test_without_its_key_a_secret_can_be_entered_again_and_the_rest_be_changed(feed: Feed) -> None:
    world, programme = feed
    change_exchange(world.kit, "tester", "feed", secrets={"token": "first"})
    (world.settings.data / "secrets.key").unlink()
    with pytest.raises(Refused) as unreadable:
        change_exchange(world.kit, "tester", "feed", settings={"pace": "7"})
    assert unreadable.value.code == "secret_unreadable"
    changed = change_exchange(world.kit, "tester", "feed", enabled=False, every=timedelta(hours=2))
    assert (changed.enabled, changed.every) == (False, timedelta(hours=2))
    change_exchange(world.kit, "tester", "feed", secrets={"token": "second"}, settings={"pace": "7"}, enabled=True)
    sync(world.kit, "feed")
    assert (programme.configs[-1].token, programme.configs[-1].pace) == ("second", 7)
