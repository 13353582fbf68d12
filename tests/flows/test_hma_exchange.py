"""An exchange that a program written for HMA adds, pulled from its programme: what it says is found and named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jikimi.flows.exchange import change_exchange, secrets_of
from jikimi.flows.hma import add_content, delete_content, make_bank, show_content
from jikimi.flows.hma_exchange import (
    drop_exchange,
    drop_filled_bank,
    give_credentials,
    make_exchange,
    names,
    show,
    show_api,
    switch,
)
from jikimi.flows.hma_match import Asking, look_up_signal
from jikimi.flows.sync import due, sync
from jikimi.model.bank import Category, OnMatch
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.exchange import LEASE
from jikimi.model.hma import OWN, HmaRules, NewContent
from jikimi.model.hma_exchange import NOT_GIVEN
from jikimi.model.signal import Signal, parse_signal
from jikimi.ports import Kit
from jikimi.testing.stopncii import StopNcii
from tests.conftest import World

_RULES = HmaRules(needs_key=False, category=Category.OTHER, on_match=OnMatch.HOLD)
_KEYS = {"fetch_function_key": "fetch", "subscription_key": "subscription"}
_ACTOR = "hma"


@pytest.fixture
def kit(world: World) -> Kit:
    return world.kit


@pytest.fixture
def programme(world: World) -> Iterator[StopNcii]:
    with StopNcii(clock=lambda: world.clock().timestamp()) as server:
        yield server


def found(kit: Kit, signal: Signal) -> list[int]:
    return [known.content_id for known in look_up_signal(kit, signal, Asking())]


def seconds(world: World) -> int:
    return int(world.clock().timestamp())


def test_what_a_programme_says_is_found_named_and_forgotten(world: World, programme: StopNcii) -> None:
    kit = world.kit
    value = programme.put("ImagePDQ", at=seconds(world) - 100)
    signal = parse_signal("pdq", value)
    give_credentials(kit, _ACTOR, "stop_ncii", _KEYS)
    make_exchange(kit, _ACTOR, "LIST", "stop_ncii", {}, _RULES)
    change_exchange(kit, "operator", "LIST", settings={"address": f"{programme.url}/v1"})
    sync(kit, "LIST")
    (number,) = found(kit, signal)
    assert number > OWN
    shown = show_content(kit, "LIST", number)
    assert (shown.signals, list(shown.sources)) == ((signal,), ["LIST"])
    assert show(kit, "LIST").live == 1
    programme.withdraw(value, at=seconds(world) + 60)
    world.clock.move(minutes=20)
    sync(kit, "LIST")
    assert found(kit, signal) == []
    assert not delete_content(kit, _ACTOR, "LIST", number)


def test_a_bank_takes_its_exchange_along(world: World, programme: StopNcii) -> None:
    kit = world.kit
    signal = parse_signal("pdq", programme.put("ImagePDQ", at=seconds(world) - 100))
    give_credentials(kit, _ACTOR, "stop_ncii", _KEYS)
    make_exchange(kit, _ACTOR, "LIST", "stop_ncii", {}, _RULES)
    change_exchange(kit, "operator", "LIST", settings={"address": f"{programme.url}/v1"})
    sync(kit, "LIST")
    drop_filled_bank(kit, _ACTOR, "LIST")
    assert (names(kit), found(kit, signal)) == ((), [])
    drop_filled_bank(kit, _ACTOR, "LIST")
    drop_exchange(kit, _ACTOR, "LIST")


def test_an_exchange_spares_a_bank_that_was_not_made_for_it(kit: Kit) -> None:
    make_exchange(kit, _ACTOR, "LIST", "stop_ncii", {}, _RULES)
    signal = parse_signal("sha256", "ab" * 32)
    make_bank(kit, _ACTOR, "OTHER", 1.0, _RULES)
    content = add_content(kit, _ACTOR, "OTHER", NewContent(signals=(signal,)))
    drop_exchange(kit, _ACTOR, "LIST")
    assert found(kit, signal) == [content.id]


def test_until_there_are_credentials_nobody_is_asked(kit: Kit) -> None:
    make_exchange(kit, _ACTOR, "LIST", "stop_ncii", {}, _RULES)
    assert (show(kit, "LIST").exchange.enabled, due(kit)) == (False, ())
    with pytest.raises(Refused, match="credentials"):
        switch(kit, _ACTOR, "LIST", enabled=True)
    give_credentials(kit, _ACTOR, "stop_ncii", _KEYS)
    exchange = show(kit, "LIST").exchange
    assert (exchange.enabled, due(kit)) == (True, ("LIST",))
    assert secrets_of(kit, exchange) == {"fetch_key": "fetch", "subscription_key": "subscription"}


def test_credentials_that_are_taken_back_are_nowhere_any_more(kit: Kit) -> None:
    give_credentials(kit, _ACTOR, "ncmec", {"user": "us", "password": "a secret"})
    environment = "https://exttest.cybertip.org/hashsharing"
    make_exchange(kit, _ACTOR, "LIST", "ncmec", {"environment": environment}, _RULES)
    exchange = show(kit, "LIST").exchange
    assert (exchange.settings["user"], secrets_of(kit, exchange)) == ("us", {"password": "a secret"})
    assert not give_credentials(kit, _ACTOR, "ncmec", {}).has_credentials
    exchange = show(kit, "LIST").exchange
    assert (exchange.enabled, exchange.settings["user"]) == (False, NOT_GIVEN)
    assert secrets_of(kit, exchange) == {"password": NOT_GIVEN}


def test_new_credentials_reach_every_exchange_of_the_kind(kit: Kit) -> None:
    give_credentials(kit, _ACTOR, "stop_ncii", _KEYS)
    for name in ("A", "B"):
        make_exchange(kit, _ACTOR, name, "stop_ncii", {}, _RULES)
    switch(kit, _ACTOR, "B", enabled=False)
    give_credentials(kit, _ACTOR, "stop_ncii", {**_KEYS, "fetch_function_key": "another"})
    for name, enabled in (("A", True), ("B", False)):
        exchange = show(kit, name).exchange
        assert (secrets_of(kit, exchange)["fetch_key"], exchange.enabled) == ("another", enabled)


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ("stop_ncii", {"address": "http://127.0.0.1/"}),
        ("stop_ncii", {"base_url_override": "http://127.0.0.1/"}),
        ("ncmec", {"environment": "http://127.0.0.1/"}),
        ("ncmec", {"environment": "https://exttest.cybertip.org/hashsharing", "address": "http://127.0.0.1/"}),
        ("list", {"file": "/etc/passwd"}),
        ("local_file", {"filename": "/etc/passwd"}),
        ("peer", {}),
    ],
)
def test_no_caller_says_whom_we_ask_or_which_file_we_read(kit: Kit, api: str, said: dict[str, str]) -> None:
    with pytest.raises(Refused):
        make_exchange(kit, _ACTOR, "LIST", api, said, _RULES)
    assert names(kit) == ()
    with kit.store.read() as tx:
        assert tx.banks.get("LIST") is None


@pytest.mark.parametrize(
    "mistake",
    [{"user": "u"}, {"user": "u", "password": ""}, {"user": "u", "password": "a\nb"}, {"x": "y"}, [], "x", None],
)
def test_credentials_are_whole_or_none(kit: Kit, mistake: object) -> None:
    with pytest.raises(Refused):
        give_credentials(kit, _ACTOR, "ncmec", mistake)
    assert not show_api(kit, "ncmec").has_credentials


def test_the_record_says_that_credentials_came_and_not_which(kit: Kit) -> None:
    give_credentials(kit, _ACTOR, "stop_ncii", _KEYS)
    make_exchange(kit, _ACTOR, "LIST", "stop_ncii", {}, _RULES)
    with kit.store.read() as tx:
        told = [(event.verb, event.actor, str(event.detail)) for event in tx.audit.events()]
    assert {"exchange.credentials", "exchange.added", "bank.created"} <= {verb for verb, _, _ in told}
    assert all(actor == _ACTOR for _, actor, _ in told)
    assert not any(key in detail for _, _, detail in told for key in ("fetch", "subscription"))


def test_an_exchange_that_is_being_pulled_is_not_torn_away(world: World) -> None:
    kit = world.kit
    give_credentials(kit, _ACTOR, "stop_ncii", _KEYS)
    make_exchange(kit, _ACTOR, "LIST", "stop_ncii", {}, _RULES)
    with kit.store.begin() as tx:
        exchange = tx.exchanges.get("LIST")
        assert exchange is not None
        now = world.clock()
        assert tx.exchanges.lease(exchange, "somebody", now, now + LEASE) is not None
    with pytest.raises(JikimiError) as refusal:
        drop_filled_bank(kit, _ACTOR, "LIST")
    assert refusal.value.code == "exchange_pulling"
    with kit.store.read() as tx:
        assert tx.banks.get("LIST") is not None
