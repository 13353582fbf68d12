"""A benign known picture goes through everything; when it is not found, somebody hears of it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

from jikimi.engine.pattern import alter, paint
from jikimi.flows.bank import change_bank, show_bank, withdraw_entry
from jikimi.flows.canary import BANK, Canary, Sighting, is_fresh, prepare, send
from jikimi.flows.key import authenticate
from jikimi.flows.scan import scan
from jikimi.model.bank import Category
from jikimi.model.errors import Unavailable
from jikimi.model.match import Disposition
from jikimi.model.people import Scope
from jikimi.model.scan import Upload
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.story import OPERATOR, audit_of


def ask(kit: Kit, picture: bytes, key: str) -> str:
    """The front door without HTTP: the key is checked, the picture is scanned."""
    source = authenticate(kit, key, Scope.SCAN).name
    answer = scan(kit, Upload(source=source, received_at=kit.clock()), io.BytesIO(picture))
    return answer.verdict.disposition


def make_canary(world: World) -> Canary:
    return prepare(world.kit, paint, alter, "127.0.0.1:8600")


def round_trip(world: World, canary: Canary) -> Sighting:
    return send(world.kit, canary, lambda picture, key: ask(world.kit, picture, key))


def test_the_canary_comes_back_blocked_and_leaves_no_case(world: World) -> None:
    canary = make_canary(world)
    sighting = round_trip(world, canary)
    assert sighting == Sighting(at=world.clock.now)
    assert world.kit.tally.totals().events == {}
    assert show_bank(world.kit, BANK).bank.policy.category is Category.CANARY
    with world.kit.store.read() as tx:
        assert tx.cases.list(limit=1) == ()
        assert tx.scans.list(unchecked=False, limit=1) == ()
    assert world.kit.tally.totals().uploads == {("canary:127.0.0.1:8600", Disposition.BLOCK): 1}


def test_a_second_start_takes_the_same_picture_and_a_new_key(world: World) -> None:
    first, second = make_canary(world), make_canary(world)
    assert first.picture == second.picture
    assert first.key != second.key
    assert not round_trip(world, second).problem
    assert [event.verb for event in audit_of(world.kit, f"bank:{BANK}")].count("bank.created") == 1


def test_a_canary_that_is_not_found_is_a_problem_that_is_counted(world: World) -> None:
    canary = make_canary(world)
    kit = world.kit
    with kit.store.read() as tx:
        signals = [entry.signal for entry in tx.entries.export(show_bank(kit, BANK).bank)]
    for signal in signals:
        withdraw_entry(kit, OPERATOR, BANK, signal)
    sighting = round_trip(world, canary)
    assert "clear" in sighting.problem
    assert kit.tally.totals().events == {"canary_missed": 1}
    # The next start makes it whole again.
    assert not round_trip(world, make_canary(world)).problem


def test_a_bank_that_was_switched_off_is_noticed(world: World) -> None:
    canary = make_canary(world)
    change_bank(world.kit, OPERATOR, BANK, lambda policy: replace(policy, enabled=False))
    assert round_trip(world, canary).problem


def test_silence_is_a_problem_too(world: World) -> None:
    def silent(_picture: bytes, _key: str) -> str:
        raise Unavailable("front_door_silent", "the service gave no answer")

    sighting = send(world.kit, make_canary(world), silent)
    assert "the service gave no answer" in sighting.problem
    assert world.kit.tally.totals().events == {"canary_missed": 1}


def test_good_news_grows_old(world: World) -> None:
    now, minute = world.clock.now, timedelta(minutes=1)
    assert not is_fresh(None, now, minute)
    assert is_fresh(Sighting(at=now), now + timedelta(minutes=3), minute)
    assert not is_fresh(Sighting(at=now), now + timedelta(minutes=3, seconds=10), minute)
    assert not is_fresh(Sighting(at=now, problem="not found"), now, minute)
