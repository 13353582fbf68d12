"""A bank with very many look-alikes of one picture: the answer is as if all of them had been weighed."""

from __future__ import annotations

import io
from itertools import combinations, islice

from jikimi.engine.pattern import paint
from jikimi.flows.bank import add_entries, withdraw_entry
from jikimi.flows.scan import examine
from jikimi.model.bank import Category, NewEntry, OnMatch
from jikimi.model.match import Disposition
from jikimi.model.signal import MOST_HITS, Signal
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.story import OPERATOR, make_bank, upload

PICTURE = paint(1)
_CROWD = 3 * MOST_HITS


def pdq_of(kit: Kit, picture: bytes) -> Signal:
    return next(signal for signal in examine(kit.reader, io.BytesIO(picture)).signals if signal.type == "pdq")


def look_alikes(signal: Signal, bits: int) -> list[NewEntry]:
    """Entries that differ from a signal in `bits` bits, each in others."""
    value = int.from_bytes(signal.value, "big")
    flips = [sum(1 << bit for bit in chosen) for chosen in islice(combinations(range(256), bits), _CROWD)]
    return [NewEntry(signal=Signal(type="pdq", value=(value ^ flip).to_bytes(32, "big"))) for flip in flips]


def test_the_nearest_of_each_bank_decide(world: World) -> None:
    kit = world.kit
    known = pdq_of(kit, PICTURE)
    make_bank(kit, "watched", on_match=OnMatch.LOG)
    add_entries(kit, OPERATOR, "watched", look_alikes(known, 3))
    make_bank(kit, "blocked", on_match=OnMatch.BLOCK)
    add_entries(kit, OPERATOR, "blocked", look_alikes(known, 9))

    answer = upload(kit, PICTURE).verdict
    assert answer.disposition is Disposition.BLOCK
    assert len(answer.matches) <= 200

    make_bank(kit, "ours", category=Category.ALLOW, on_match=OnMatch.LOG)
    add_entries(kit, OPERATOR, "ours", [NewEntry(signal=known)])
    assert upload(kit, PICTURE).verdict.disposition is Disposition.CLEAR


def test_an_entry_behind_a_crowd_that_was_withdrawn_still_counts(world: World) -> None:
    """The index remembers what was withdrawn until its next snapshot, and proposes only so many entries."""
    kit = world.kit
    known = pdq_of(kit, PICTURE)
    make_bank(kit, "list")
    crowd = look_alikes(known, 3)
    add_entries(kit, OPERATOR, "list", [*crowd, *look_alikes(known, 12)[:1]])
    assert upload(kit, PICTURE).verdict.disposition is Disposition.BLOCK
    for entry in crowd:
        withdraw_entry(kit, OPERATOR, "list", entry.signal)

    answer = upload(kit, PICTURE).verdict
    assert answer.disposition is Disposition.BLOCK
    assert len(answer.matches) == 1
