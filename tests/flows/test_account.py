"""Every step can be accounted for, and whoever changes the record behind our back is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jikimi.engine.pattern import paint
from jikimi.flows.account import tell_case, verify_audit, write_totals
from jikimi.flows.bank import change_bank
from jikimi.model.audit import AuditHead, ChainReport
from jikimi.model.errors import Broken, Refused, Unavailable
from jikimi.model.ids import CaseId
from jikimi.model.match import Disposition
from jikimi.ports import Tallied
from tests.conftest import World
from tests.flows.story import OPERATOR, audit_of, make_bank, tamper, upload

KNOWN, OTHER = paint(1), paint(2)


_CHANGES = [
    ("UPDATE audit SET actor = 'somebody else' WHERE seq = 3", 3),
    ("UPDATE audit SET verb = 'scan.forgotten' WHERE seq = 4", 4),
    ("UPDATE audit SET object = 'bank:other' WHERE seq = 1", 1),
    ("UPDATE audit SET detail = '{}' WHERE seq = 2", 2),
    ("UPDATE audit SET detail = '[]' WHERE seq = 2", 2),
    ("UPDATE audit SET at = (SELECT at FROM audit WHERE seq = 7) WHERE seq = 3", 3),
    ("UPDATE audit SET digest = 'ff' WHERE seq = 5", 5),
    ("UPDATE audit SET prev = 'ff' WHERE seq = 5", 5),
    ("DELETE FROM audit WHERE seq = 4", 4),
    ("DELETE FROM audit WHERE seq = 1", 1),
    ("DELETE FROM audit WHERE seq >= 6", 6),
    ("DELETE FROM audit", 1),
    ("UPDATE audit SET seq = 100 WHERE seq = 7", 7),
    ("INSERT INTO audit SELECT 8, at, actor, verb, object, detail, 'ff', digest FROM audit WHERE seq = 7", 8),
    ("INSERT INTO audit SELECT 8, at, actor, verb, object, detail, digest, digest FROM audit WHERE seq = 7", 8),
    ("UPDATE clocks SET number = 6 WHERE name = 'audit'", 7),
    ("DELETE FROM clocks WHERE name = 'audit'", 7),
]  # fmt: skip
"""What somebody may do to the record, and the event where it shows."""


def make_history(world: World) -> None:
    """Seven events: a bank is made and changed six times."""
    make_bank(world.kit, "known")
    for number in range(6):
        world.clock.move(seconds=1)
        change_bank(world.kit, OPERATOR, "known", lambda policy, number=number: replace(policy, max_distance=number))  # type: ignore[misc]


def test_the_untouched_record_holds(world: World) -> None:
    assert verify_audit(world.kit) == ChainReport(events=0, head=AuditHead())
    make_history(world)
    report = verify_audit(world.kit)
    assert (report.events, report.mistake) == (7, "")
    with world.kit.store.read() as tx:
        assert report.head == tx.audit.head()


def test_any_change_is_found_and_its_place_is_told(world: World) -> None:
    make_history(world)
    tamper(
        world.settings,
        "CREATE TABLE audit_kept AS SELECT * FROM audit",
        "CREATE TABLE clocks_kept AS SELECT * FROM clocks",
    )
    for change, event in _CHANGES:
        tamper(world.settings, change)
        mistake = verify_audit(world.kit).mistake
        assert f"event {event}" in mistake or f"event {event - 1}" in mistake, change
        tamper(
            world.settings,
            "DELETE FROM audit",
            "INSERT INTO audit SELECT * FROM audit_kept",
            "DELETE FROM clocks",
            "INSERT INTO clocks SELECT * FROM clocks_kept",
        )
        assert not verify_audit(world.kit).mistake


def test_an_event_that_cannot_even_be_read_is_found(world: World) -> None:
    make_history(world)
    for statement in (
        "UPDATE audit SET detail = 'not JSON' WHERE seq = 3",
        "UPDATE audit SET detail = '{' WHERE seq = 3",
        "UPDATE audit SET detail = '' WHERE seq = 3",
    ):
        tamper(world.settings, statement)
        assert verify_audit(world.kit).mistake


def test_a_case_is_told_whole_and_an_unknown_one_is_refused(world: World) -> None:
    make_bank(world.kit, "known", KNOWN)
    upload(world.kit, KNOWN)
    upload(world.kit, KNOWN)
    with world.kit.store.read() as tx:
        (case,) = tx.cases.list(limit=5)
    story = tell_case(world.kit, case.id)
    assert [scan.case_id for scan in story.scans] == [case.id, case.id]
    assert [event.object for event in story.events] == [case.id, case.id]
    for unknown in ("case_0", "", "\x00", "\udcff", "a" * 10_000):
        with pytest.raises(Refused):
            tell_case(world.kit, CaseId(unknown))


def test_totals_add_up_over_days(world: World) -> None:
    kit = world.kit
    first_day = world.clock.now.date()
    for _ in range(3):
        upload(kit, OTHER)
    upload(kit, b"nonsense")
    write_totals(kit)
    upload(kit, OTHER)
    write_totals(kit)
    world.clock.move(days=1)
    upload(kit, OTHER, source="other")
    write_totals(kit)
    write_totals(kit)
    with kit.store.read() as tx:
        assert tx.counters.all() == (
            Tallied(day=first_day, source="forum", disposition=Disposition.CLEAR, count=4),
            Tallied(day=first_day, source="forum", disposition=Disposition.UNCHECKED, count=1),
            Tallied(day=world.clock.now.date(), source="other", disposition=Disposition.CLEAR, count=1),
        )


def test_totals_that_could_not_be_written_are_written_next_time(world: World) -> None:
    kit = world.kit
    upload(kit, b"")
    tamper(world.settings, "ALTER TABLE counters RENAME TO gone")
    with pytest.raises((Broken, Unavailable)):
        write_totals(kit)
    tamper(world.settings, "ALTER TABLE gone RENAME TO counters")
    write_totals(kit)
    with kit.store.read() as tx:
        assert [tally.count for tally in tx.counters.all()] == [1]


def test_hashes_of_restricted_lists_are_not_in_the_record_of_banks(world: World) -> None:
    make_bank(world.kit, "known", KNOWN)
    with world.kit.store.read() as tx:
        (bank,) = tx.banks.all()
        values = [entry.signal.text for entry in tx.entries.export(bank)]
    assert not any(value in repr(audit_of(world.kit, "bank:known")) for value in values)
