"""A list is pulled into its bank: on from where it was, from its beginning if it must; no mistake empties the bank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from jikimi.config import Settings
from jikimi.flows.exchange import (
    add_exchange,
    change_exchange,
    list_exchanges,
    removal_of,
    remove_exchange,
    show_exchange,
)
from jikimi.flows.index import publish, renew
from jikimi.flows.scan import look_up_signals
from jikimi.flows.sync import sync
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import Broken, Refused, Unavailable
from jikimi.model.exchange import LEASE, CheckpointStaleError, Health, NewExchange, Opinion, Trust
from jikimi.model.match import Match
from tests.conftest import World, open_world
from tests.flows.listing import Programme, gone, listed_world, page, record, signal

Feed = tuple[World, Programme]


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    with listed_world(settings) as made:
        yield made


def matched(world: World, *numbers: int) -> list[int]:
    """Those of the numbers whose signal matches."""
    return [number for number in numbers if matches_of(world, number)]


def matches_of(world: World, number: int) -> tuple[Match, ...]:
    return tuple(look_up_signals(world.kit, [signal(number)])[0])


def test_a_list_fills_its_bank_and_goes_on_from_there(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1), record("b", 2, 3)), page("2", record("c", 4))]}
    done = sync(world.kit, "feed")
    assert (done.records, done.changed, done.added, done.withdrawn) == (3, 3, 4, 0)
    assert matched(world, 1, 2, 3, 4, 5) == [1, 2, 3, 4]
    programme.steps = {"2": [page("3", gone("b"), record("d", 5))]}
    done = sync(world.kit, "feed")
    assert (done.changed, done.added, done.withdrawn) == (1, 1, 1)
    assert matched(world, 1, 2, 3, 4, 5) == [1, 4, 5]
    assert programme.asked == ["", "2"]


def test_a_bank_that_does_something_else_is_not_filled_by_surprise(feed: Feed) -> None:
    world, _ = feed
    held = show_exchange(world.kit, "feed").exchange
    new = NewExchange(name="second", kind=held.kind, bank=held.bank, settings=held.settings)
    policy = BankPolicy(name=held.bank, category=Category.NCII, on_match=OnMatch.LOG)
    with pytest.raises(Refused) as refusal:
        add_exchange(world.kit, "tester", new, policy)
    assert refusal.value.code == "exchange_bank_differs"
    assert add_exchange(world.kit, "tester", new).bank == held.bank


def test_only_secrets_that_were_given_are_shown_as_kept(feed: Feed) -> None:
    world, _ = feed
    assert show_exchange(world.kit, "feed").secrets == ()
    change_exchange(world.kit, "tester", "feed", secrets={"token": "of-a-list"})
    assert show_exchange(world.kit, "feed").secrets == ("token",)


def test_a_match_names_the_exchange_whose_bank_it_is_in(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1))]}
    sync(world.kit, "feed")
    assert [match.source for match in matches_of(world, 1)] == ["feed"]


def test_a_list_that_says_the_same_changes_nothing(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("", record("a", 1))]}
    sync(world.kit, "feed")
    with world.kit.store.read() as tx:
        before = tx.entries.sequence()
    done = sync(world.kit, "feed")
    assert (done.changed, done.added, done.withdrawn) == (0, 0, 0)
    with world.kit.store.read() as tx:
        assert tx.entries.sequence() == before


def test_one_entry_stands_while_anything_says_it(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1), record("b", 1))], "1": [page("2", gone("a"))]}
    sync(world.kit, "feed")
    sync(world.kit, "feed")
    assert matched(world, 1) == [1]
    programme.steps = {"2": [page("3", gone("b"))], "3": [page("4", record("a", 1))]}
    assert sync(world.kit, "feed").added == 0
    assert matched(world, 1) == []
    assert sync(world.kit, "feed").added == 1
    assert matched(world, 1) == [1]


def test_what_lists_dispute_is_held_and_what_they_deny_does_not_match(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {
        "": [
            page(
                "1",
                record("sure", 1),
                record("doubted", 2, opinion=Opinion.DISPUTED),
                record("denied", 3, opinion=Opinion.NEGATIVE),
                record("unseen", 4, trust=Trust.UNCONFIRMED),
                record("yes", 5),
                record("no", 5, opinion=Opinion.NEGATIVE),
            )
        ]
    }
    sync(world.kit, "feed")
    assert matched(world, 1, 2, 3, 4, 5) == [1, 2, 4, 5]
    effects = {number: matches_of(world, number)[0].effect.value for number in (1, 2, 4, 5)}
    assert effects == {1: "block", 2: "hold", 4: "hold", 5: "hold"}


def test_a_checkpoint_that_is_not_known_any_more_leads_to_a_whole_pull(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1), record("b", 2))]}
    sync(world.kit, "feed")
    programme.steps = {
        "1": [page("2", record("c", 3)), CheckpointStaleError()],
        "": [page("9", record("b", 2), record("c", 3))],
    }
    done = sync(world.kit, "feed")
    assert done.was_whole
    assert done.withdrawn == 1
    assert matched(world, 1, 2, 3) == [2, 3]
    assert programme.asked == ["", "1", ""]
    assert show_exchange(world.kit, "feed").exchange.checkpoint == "9"


def test_a_programme_that_never_knows_how_far_we_are_is_reported(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1)), CheckpointStaleError()]}
    with pytest.raises(Unavailable) as trouble:
        sync(world.kit, "feed")
    assert trouble.value.code == "exchange_checkpoint_stale"
    assert matched(world, 1) == [1]


def test_a_pull_that_breaks_off_goes_on_where_it_was(feed: Feed) -> None:
    world, programme = feed
    away = Unavailable("web_unavailable", "feed.example.org answers 503.", retry_after=600)
    programme.steps = {"": [page("1", record("a", 1)), away], "1": [page("2", record("b", 2))]}
    with pytest.raises(Unavailable):
        sync(world.kit, "feed")
    view = show_exchange(world.kit, "feed")
    assert (view.health, view.exchange.last_error) == (Health.FAILING, "feed.example.org answers 503.")
    assert view.exchange.next_at is not None
    assert view.exchange.next_at >= world.clock.now + timedelta(seconds=600)
    assert matched(world, 1, 2) == [1]
    done = sync(world.kit, "feed")
    assert done.withdrawn == 0
    assert matched(world, 1, 2) == [1, 2]
    view = show_exchange(world.kit, "feed")
    assert (view.health, view.exchange.failures, view.exchange.unfinished) == (Health.OK, 0, False)


def test_most_of_a_list_does_not_vanish_unasked(settings: Settings) -> None:
    with listed_world(settings, kind="whole") as (world, programme):
        programme.steps = {"": [page("1", *(record(str(number), number) for number in range(300)))]}
        sync(world.kit, "feed")
        programme.steps = {"1": [page("2", record("7", 7))], "": [page("2", record("7", 7))]}
        with pytest.raises(Refused) as refusal:
            sync(world.kit, "feed")
        assert refusal.value.code == "exchange_vanishing"
        assert len(matched(world, *range(300))) == 300
        assert show_exchange(world.kit, "feed").health is Health.FAILING
        done = sync(world.kit, "feed", accept_withdrawals=True)
        assert done.withdrawn == 299
        assert matched(world, *range(300)) == [7]


def test_a_whole_list_that_has_not_changed_says_nothing(settings: Settings) -> None:
    with listed_world(settings, kind="whole") as (world, programme):
        programme.steps = {"": [page("1", record("a", 1), record("b", 2))]}
        sync(world.kit, "feed")
        done = sync(world.kit, "feed")
        assert (done.records, done.withdrawn) == (0, 0)
        assert matched(world, 1, 2) == [1, 2]


def test_of_two_workers_one_pulls(feed: Feed) -> None:
    world, programme = feed

    programme.steps = {"": [page("1", record("a", 1))]}
    with world.kit.store.begin() as tx:
        exchange = tx.exchanges.all()[0]
        assert tx.exchanges.lease(exchange, "another", world.clock.now, world.clock.now + LEASE)
    with pytest.raises(Unavailable) as busy:
        sync(world.kit, "feed")
    assert busy.value.code == "exchange_busy"
    assert programme.asked == []
    world.clock.move(seconds=LEASE.total_seconds() + 1)
    assert sync(world.kit, "feed").added == 1


def test_a_pull_that_has_lost_its_turn_stops(feed: Feed) -> None:
    world, programme = feed

    def pages() -> Iterator[object]:
        yield page("1", *(record(str(number), number) for number in range(5000)))
        world.clock.move(hours=1)
        with world.kit.store.begin() as tx:
            exchange = tx.exchanges.all()[0]
            assert tx.exchanges.lease(exchange, "another", world.clock.now, world.clock.now + LEASE)
        yield page("2", record("late", 6000))

    programme.steps = {"": pages()}  # type: ignore[dict-item]
    with pytest.raises(Unavailable) as busy:
        sync(world.kit, "feed")
    assert busy.value.code == "exchange_busy"
    assert matched(world, 1, 6000) == [1]
    with world.kit.store.read() as tx:
        stored = tx.exchanges.all()[0]
    assert (stored.checkpoint, stored.lease, stored.failures) == ("1", "another", 0)


def test_an_error_of_a_plug_in_tells_nothing_of_what_it_holds(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [ValueError("token secret-of-ours is refused")]}
    with pytest.raises(Broken) as trouble:
        sync(world.kit, "feed")
    assert trouble.value.code == "exchange_connector_failed"
    assert "secret-of-ours" not in trouble.value.message + trouble.value.detail
    assert "secret-of-ours" not in show_exchange(world.kit, "feed").exchange.last_error


def test_a_record_that_is_no_evidence_is_passed_over_and_shown(feed: Feed) -> None:
    world, programme = feed
    low = replace(signal(1, "pdq"), quality=3)
    programme.steps = {"": [page("1", record("low", signals=(low, signal(2))), faults=("x: no value",))]}
    done = sync(world.kit, "feed")
    assert (done.faulty, done.faults) == (2, ("x: no value", "low: quality_low"))
    assert matched(world, 2) == [2]
    assert show_exchange(world.kit, "feed").exchange.faults == 2


def test_removing_says_first_what_goes(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {"": [page("1", record("a", 1), record("b", 2, opinion=Opinion.DISPUTED), record("c", 3, 4))]}
    sync(world.kit, "feed")
    meant = removal_of(world.kit, "feed")
    assert (meant.records, meant.entries) == (3, 4)
    remove_exchange(world.kit, "tester", "feed", keep=False)
    assert list_exchanges(world.kit) == ()
    assert matched(world, 1, 2, 3, 4) == []


def test_what_is_kept_of_a_removed_exchange_was_sure(feed: Feed) -> None:
    world, programme = feed
    programme.steps = {
        "": [
            page(
                "1",
                record("a", 1),
                record("b", 2, opinion=Opinion.DISPUTED),
                record("c", 3, trust=Trust.UNCONFIRMED),
                record("d", 4, opinion=Opinion.NEGATIVE),
            )
        ]
    }
    sync(world.kit, "feed")
    remove_exchange(world.kit, "tester", "feed", keep=True)
    assert matched(world, 1, 2, 3, 4) == [1]
    assert matches_of(world, 1)[0].effect.value == "block"


def test_what_is_forgotten_is_in_no_file_and_another_node_lets_go_of_it(settings: Settings) -> None:
    with listed_world(settings, kind="forgetting") as (world, programme):
        programme.steps = {"": [page("1", record("a", 1), record("b", 2))], "1": [page("2", gone("a"))]}
        sync(world.kit, "feed")
        publish(world.kit)
        assert matched(world, 1, 2) == [1, 2]
        with open_world(settings.model_copy(update={"data": settings.data.parent / "other"})) as other:
            if settings.database_url:
                publish(other.kit)
                assert matched(other, 1, 2) == [1, 2]
            assert sync(world.kit, "feed").erased == 1
            renew(other.kit)
            assert matched(world, 1, 2) == [2]
            files = [file for file in settings.data.parent.rglob("*") if file.is_file()]
            assert any(file.suffix == ".snapshot" for file in files)
            for file in files:
                assert signal(1).value not in file.read_bytes(), file
