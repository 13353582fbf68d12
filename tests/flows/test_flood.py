"""A bank of which one entry suddenly matches very often holds instead of blocking everybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from jikimi.engine.pattern import paint
from jikimi.flows.account import tell_case, verify_audit
from jikimi.flows.bank import resume_bank, show_bank
from jikimi.model.bank import Category, OnMatch
from jikimi.model.match import Disposition, FloodRule, Ground
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.story import OPERATOR, audit_of, make_bank, upload

KNOWN, OTHER = paint(1), paint(2)


def watched(world: World, limit: int) -> Kit:
    return replace(world.kit, flood=FloodRule(limit=limit, window=timedelta(minutes=10)))


def test_more_than_the_limit_holds_the_bank_until_a_person_resumes_it(world: World) -> None:
    kit = watched(world, 3)
    make_bank(kit, "known", KNOWN, OTHER)

    answers = [upload(kit, KNOWN).verdict.disposition for _ in range(5)]

    assert answers == [Disposition.BLOCK] * 3 + [Disposition.HOLD] * 2
    flooded = show_bank(kit, "known").bank
    assert flooded.flooded_at == world.clock.now
    # It holds for every picture of that bank, and says why; cases go on.
    answer = upload(kit, OTHER)
    assert answer.verdict.disposition is Disposition.HOLD
    assert answer.verdict.reasons == (Ground.MATCH, Ground.BANK_FLOODED)
    assert answer.case_id is not None
    assert tell_case(kit, answer.case_id).scans == (answer,)
    assert kit.tally.totals().events == {"bank_flooded": 1}
    assert [event.verb for event in audit_of(kit, "bank:known")].count("bank.flooded") == 1

    world.clock.move(minutes=11)
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD
    assert resume_bank(kit, OPERATOR, "known").flooded_at is None
    assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK
    assert not verify_audit(kit).mistake


def test_the_stored_scan_says_what_was_answered(world: World) -> None:
    kit = watched(world, 1)
    make_bank(kit, "known", KNOWN)
    upload(kit, KNOWN)
    held = upload(kit, KNOWN)
    assert held.verdict.disposition is Disposition.HOLD
    assert all(match.flooded and match.effect is OnMatch.HOLD for match in held.verdict.matches)
    with kit.store.read() as tx:
        assert tx.scans.get(held.id) == held


def test_matches_outside_the_window_do_not_count(world: World) -> None:
    kit = watched(world, 2)
    make_bank(kit, "known", KNOWN)
    for _ in range(6):
        assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK
        world.clock.move(minutes=6)


def test_another_bank_goes_on_blocking(world: World) -> None:
    kit = watched(world, 2)
    make_bank(kit, "known", KNOWN)
    make_bank(kit, "other", OTHER)
    for _ in range(4):
        upload(kit, KNOWN)
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD
    assert upload(kit, OTHER).verdict.disposition is Disposition.BLOCK


def test_a_limit_of_zero_is_never(world: World) -> None:
    kit = watched(world, 0)
    make_bank(kit, "known", KNOWN)
    assert {upload(kit, KNOWN).verdict.disposition for _ in range(4)} == {Disposition.BLOCK}


def test_neither_the_canary_nor_what_is_allowed_floods_a_bank(world: World) -> None:
    kit = watched(world, 1)
    make_bank(kit, "canary", OTHER, category=Category.CANARY)
    make_bank(kit, "known", KNOWN)
    make_bank(kit, "ours", KNOWN, category=Category.ALLOW)
    for _ in range(3):
        assert upload(kit, OTHER).verdict.disposition is Disposition.BLOCK
        assert upload(kit, KNOWN).verdict.disposition is Disposition.CLEAR
    assert show_bank(kit, "canary").bank.flooded_at is None
    assert show_bank(kit, "known").bank.flooded_at is None


def test_a_bank_that_was_resumed_starts_counting_anew(world: World) -> None:
    kit = watched(world, 2)
    make_bank(kit, "known", KNOWN)
    for _ in range(2):
        assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD
    world.clock.move(seconds=1)
    resume_bank(kit, "tester", "known")
    for _ in range(2):
        assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD
