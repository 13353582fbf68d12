"""A bank is made, filled, changed and deleted, and every step is in the audit chain."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from jikimi.engine.pattern import alter, paint
from jikimi.flows.account import verify_audit
from jikimi.flows.bank import (
    Imported,
    add_entries,
    change_bank,
    count_bad_lines,
    create_bank,
    delete_bank,
    entries_of_file,
    import_lines,
    list_banks,
    resume_bank,
    show_bank,
    withdraw_entry,
)
from jikimi.model.bank import BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.listfile import BadLine, read_list
from jikimi.model.match import Disposition
from jikimi.model.media import Reason
from jikimi.model.signal import Signal, parse_signal
from jikimi.ports import Added
from tests.conftest import World
from tests.flows.story import OPERATOR, audit_of, make_bank, upload

KNOWN = paint(1)
_POLICY = BankPolicy(name="known", category=Category.CSAM, on_match=OnMatch.BLOCK)


def md5(number: int) -> NewEntry:
    return NewEntry(signal=Signal(type="md5", value=number.to_bytes(16, "big")))


def test_a_bank_from_its_making_to_its_end(world: World) -> None:
    kit = world.kit
    bank = create_bank(kit, OPERATOR, replace(_POLICY, source="us", note="a note"))
    assert show_bank(kit, "known").bank == bank
    assert bank.created_at == world.clock.now

    added = add_entries(kit, OPERATOR, "known", [md5(1), md5(2), md5(1)])
    assert (added.added, added.present) == (2, 1)
    assert add_entries(kit, OPERATOR, "known", [md5(2)]) == Added(added=0, present=1)
    withdraw_entry(kit, OPERATOR, "known", md5(1).signal)
    size = show_bank(kit, "known").size
    assert (size.live, size.withdrawn) == ({"md5": 1}, 1)
    assert [view.bank for view in list_banks(kit)] == [bank]

    changed = change_bank(kit, OPERATOR, "known", lambda policy: replace(policy, on_match=OnMatch.HOLD))
    assert show_bank(kit, "known").bank == changed
    assert delete_bank(kit, OPERATOR, "known") == 2
    assert list_banks(kit) == ()

    assert [(event.verb, event.actor) for event in audit_of(kit, "bank:known")] == [
        (f"bank.{verb}", OPERATOR) for verb in ("created", "added", "added", "withdrawn", "changed", "deleted")
    ]
    assert not verify_audit(kit).mistake


def test_a_bank_is_named_once_and_its_name_is_free_after_its_end(world: World) -> None:
    kit = world.kit
    create_bank(kit, OPERATOR, _POLICY)
    with pytest.raises(Refused) as refusal:
        create_bank(kit, OPERATOR, _POLICY)
    assert refusal.value.code == "bank_exists"
    assert len(audit_of(kit)) == 1
    first = show_bank(kit, "known").bank.id
    delete_bank(kit, OPERATOR, "known")
    assert create_bank(kit, OPERATOR, _POLICY).id > first


def test_what_is_unknown_is_refused(world: World) -> None:
    kit = world.kit
    for attempt in (
        lambda: show_bank(kit, "none"),
        lambda: delete_bank(kit, OPERATOR, "none"),
        lambda: add_entries(kit, OPERATOR, "none", []),
        lambda: resume_bank(kit, OPERATOR, "none"),
        lambda: change_bank(kit, OPERATOR, "none", lambda policy: policy),
    ):
        with pytest.raises(Refused) as refusal:
            attempt()
        assert refusal.value.code == "bank_unknown"
    for unstorable in ("\x00", "\udcff"):
        with pytest.raises(Refused):
            show_bank(kit, unstorable)
    make_bank(kit, "known")
    with pytest.raises(Refused) as refusal:
        withdraw_entry(kit, OPERATOR, "known", md5(1).signal)
    assert refusal.value.code == "entry_unknown"


def test_an_entry_protects_when_the_call_returns_and_no_more_when_withdrawn(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    copy = alter(KNOWN)
    assert upload(kit, copy).verdict.disposition is Disposition.BLOCK
    with kit.store.read() as tx:
        signals = [entry.signal for entry in tx.entries.export(show_bank(kit, "known").bank)]
    for signal in signals:
        withdraw_entry(kit, OPERATOR, "known", signal)
    assert upload(kit, copy).verdict.disposition is Disposition.CLEAR
    # A withdrawn entry that is added again protects again.
    add_entries(kit, OPERATOR, "known", [NewEntry(signal=signal) for signal in signals])
    assert upload(kit, copy).verdict.disposition is Disposition.BLOCK
    delete_bank(kit, OPERATOR, "known")
    assert upload(kit, copy).verdict.disposition is Disposition.CLEAR


def test_two_banks_hold_the_same_entry_each_for_itself(world: World) -> None:
    kit = world.kit
    make_bank(kit, "one", KNOWN, on_match=OnMatch.HOLD)
    make_bank(kit, "two", KNOWN, on_match=OnMatch.BLOCK)
    assert {match.bank for match in upload(kit, KNOWN).verdict.matches} == {"one", "two"}
    delete_bank(kit, OPERATOR, "two")
    assert upload(kit, KNOWN).verdict.disposition is Disposition.HOLD


def test_an_allow_bank_refuses_what_can_be_forged(world: World) -> None:
    kit = world.kit
    allow = create_bank(kit, OPERATOR, replace(_POLICY, name="ours", category=Category.ALLOW))
    assert allow.policy.on_match is OnMatch.LOG
    with pytest.raises(Refused):
        add_entries(kit, OPERATOR, "ours", [md5(1)])
    changed = change_bank(kit, OPERATOR, "ours", lambda policy: replace(policy, on_match=OnMatch.BLOCK))
    assert changed.policy.on_match is OnMatch.LOG


def test_a_picture_offers_its_sha256_and_what_has_enough_structure(world: World) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(out, "PNG")
    offered = entries_of_file(world.kit, io.BytesIO(KNOWN), _POLICY, "a note")
    assert [(entry.signal.type, entry.note) for entry in offered.entries] == [("sha256", "a note"), ("pdq", "a note")]
    assert offered.faults == ()
    flat = entries_of_file(world.kit, out, _POLICY)
    assert [entry.signal.type for entry in flat.entries] == ["sha256"]
    assert flat.faults == (Reason.QUALITY_LOW,)
    damaged = entries_of_file(world.kit, io.BytesIO(KNOWN[:5000]), _POLICY)
    assert [entry.signal.type for entry in damaged.entries] == ["sha256"]
    assert damaged.faults == (Reason.UNDECODABLE,)
    with pytest.raises(Refused) as refusal:
        entries_of_file(world.kit, io.BytesIO(), _POLICY)
    assert refusal.value.code == "empty"


def test_a_list_is_imported_and_bad_lines_are_told(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known")
    make_bank(kit, "ours", category=Category.ALLOW)
    lines = [
        "md5:" + "01" * 16,
        "nonsense",
        "md5:" + "02" * 16,
        "md5:" + "01" * 16,
    ]
    bad: list[BadLine] = []
    assert count_bad_lines(kit, "known", read_list(lines), on_bad=bad.append) == 1
    assert show_bank(kit, "known").size.live == {}
    total = import_lines(kit, OPERATOR, "known", read_list(lines), on_bad=bad.append)
    assert total == Imported(added=2, present=1, bad=1)
    assert [line.number for line in bad] == [2, 2]
    assert import_lines(kit, OPERATOR, "known", read_list(lines), on_bad=bad.append).present == 3
    # A line that is well written may still be of no use to this bank.
    assert import_lines(kit, OPERATOR, "ours", read_list(lines), on_bad=bad.append) == Imported(
        added=0, present=0, bad=4
    )
    assert audit_of(kit, "bank:known")[-1].detail == {"added": 0, "present": 3, "bad": 1}


@pytest.mark.parametrize("note", ["a\x00b", "\ud800"])
def test_a_note_that_cannot_be_stored_is_one_bad_line(world: World, note: str) -> None:
    kit = world.kit
    make_bank(kit, "known")
    lines = [json.dumps({"md5": f"{number:032x}", "note": text}) for number, text in enumerate(["fine", note, "good"])]
    bad: list[BadLine] = []
    total = import_lines(kit, OPERATOR, "known", read_list(lines), on_bad=bad.append)
    assert total == Imported(added=2, present=0, bad=1)
    assert [line.number for line in bad] == [2]


def test_an_imported_list_protects(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known")
    signal = entries_of_file(kit, io.BytesIO(KNOWN), _POLICY).entries[1].signal
    import_lines(kit, OPERATOR, "known", read_list([f"pdq:{signal.text}"]), on_bad=lambda _line: None)
    assert upload(kit, alter(KNOWN)).verdict.disposition is Disposition.BLOCK


def test_what_is_exported_is_imported_again(world: World) -> None:
    kit = world.kit
    bank = make_bank(kit, "known", KNOWN)
    add_entries(kit, OPERATOR, "known", [replace(md5(7), note='a "note", 한국어')])
    with kit.store.read() as tx:
        lines = [
            json.dumps({"type": e.signal.type, "value": e.signal.text, "quality": e.signal.quality, "note": e.note})
            for e in tx.entries.export(bank)
        ]
    again = make_bank(kit, "again")
    total = import_lines(kit, OPERATOR, "again", read_list(lines), on_bad=lambda _line: None)
    assert total.added == 3
    with kit.store.read() as tx:
        first, second = ({(e.signal, e.note) for e in tx.entries.export(one)} for one in (bank, again))
    assert first == second


def test_entries_are_read_in_pages(world: World) -> None:
    kit = world.kit
    bank = make_bank(kit, "known")
    add_entries(kit, OPERATOR, "known", [md5(number) for number in range(5)])
    seen: list[Signal] = []
    after = 0
    while True:
        with kit.store.read() as tx:
            page = list(tx.entries.export(bank, after=after, limit=2))
        if not page:
            break
        seen += [entry.signal for entry in page]
        after = page[-1].id
    assert seen == [md5(number).signal for number in range(5)]


def test_a_signal_too_poor_for_the_bank_is_refused_and_nothing_is_stored(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known")
    poor = replace(parse_signal("pdq", "00" * 32), quality=49)
    with pytest.raises(Refused):
        add_entries(kit, OPERATOR, "known", [md5(1), NewEntry(signal=poor)])
    assert show_bank(kit, "known").size.live == {}
