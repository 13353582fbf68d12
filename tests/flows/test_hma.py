"""Contents, as programs written for HMA keep them, on both databases: what holds an entry, and what lets it go."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from jikimi.flows.bank import add_entries, change_bank, create_bank, delete_bank, withdraw_entry
from jikimi.flows.hma import (
    add_content,
    alter_bank,
    alter_content,
    bank,
    delete_content,
    drop_bank,
    make_bank,
    show_content,
)
from jikimi.flows.hma_match import Asking, Known, look_up_file, look_up_raw, look_up_signal
from jikimi.flows.index import follow
from jikimi.flows.scan import look_up_signals
from jikimi.model.bank import BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.exchange import NewExchange, SourceRecord, Trust
from jikimi.model.hma import CONTENT_TYPES, OFF, ON, OWN, BankContent, HmaRules, NewContent, ratio_of
from jikimi.model.signal import Signal, parse_signal
from jikimi.ports import Kit
from tests.conftest import World, picture

_ACTOR = "hma"
_RULES = HmaRules(needs_key=False, category=Category.NCII, on_match=OnMatch.HOLD)
_ONE, _TWO = (parse_signal("pdq", f"{digit}0f1" * 16) for digit in "a5")
_MD5 = parse_signal("md5", "0f" * 16)


def fill(kit: Kit, *signals: Signal, name: str = "B", note: str = "") -> BankContent:
    return add_content(kit, _ACTOR, name, NewContent(signals=signals, note=note))


def found(kit: Kit, signal: Signal, asking: Asking | None = None) -> list[int]:
    return [known.content_id for known in look_up_signal(kit, signal, asking or Asking())]


def entry_of(kit: Kit, signal: Signal, name: str = "B") -> int:
    with kit.store.read() as tx:
        stored = tx.banks.get(name)
        assert stored is not None
        entry = tx.entries.find(stored, signal)
        assert entry is not None
        return entry.id


def say_by_list(kit: Kit, signal: Signal, name: str = "B") -> None:
    """An exchange's list says a signal, and nobody else does."""
    with kit.store.begin() as tx:
        stored = tx.banks.get(name)
        assert stored is not None
        exchange = tx.exchanges.create(NewExchange(name="LIST", kind="list", bank=name), stored, kit.clock())
        record = SourceRecord(key="12-34", signals=(signal,), trust=Trust.CONFIRMED)
        tx.source_records.apply(exchange, [record], 1, kit.clock(), forget=False)
    follow(kit)


@pytest.fixture
def kit(world: World) -> Kit:
    make_bank(world.kit, _ACTOR, "B", 1.0, _RULES)
    return world.kit


def test_a_bank_gets_what_the_settings_say(kit: Kit) -> None:
    policy = bank(kit, "B").policy
    assert (policy.category, policy.on_match, policy.enabled, policy.ratio) == (Category.NCII, OnMatch.HOLD, True, 1.0)


def test_a_ratio_of_nothing_is_a_disabled_bank_and_back(kit: Kit) -> None:
    assert ratio_of(alter_bank(kit, _ACTOR, "B", new_name=None, ratio=0.25).policy) == 0.25
    off = alter_bank(kit, _ACTOR, "B", new_name=None, ratio=0.0).policy
    assert (off.enabled, ratio_of(off)) == (False, 0.0)
    on = change_bank(kit, "cli", "B", lambda policy: replace(policy, enabled=True)).policy
    assert ratio_of(on) == 1.0


def test_a_bank_is_renamed_and_keeps_what_it_holds(kit: Kit) -> None:
    content = fill(kit, _ONE)
    alter_bank(kit, _ACTOR, "B", new_name="B2", ratio=None)
    assert [(known.bank, known.content_id) for known in look_up_signal(kit, _ONE, Asking())] == [("B2", content.id)]
    make_bank(kit, _ACTOR, "OTHER", 1.0, _RULES)
    with pytest.raises(Refused, match="already"):
        alter_bank(kit, _ACTOR, "B2", new_name="OTHER", ratio=None)


def test_numbers_are_one_sequence_over_all_banks_from_one(kit: Kit) -> None:
    make_bank(kit, _ACTOR, "C", 1.0, _RULES)
    assert [fill(kit, _ONE).id, fill(kit, _ONE, name="C").id, fill(kit, _TWO, _MD5).id] == [1, 2, 3]


def test_the_same_signal_twice_is_two_contents_and_one_entry(kit: Kit) -> None:
    first, second = fill(kit, _ONE), fill(kit, _ONE)
    assert first.entry_ids == second.entry_ids
    assert found(kit, _ONE) == [first.id, second.id]
    assert delete_content(kit, _ACTOR, "B", first.id)
    assert found(kit, _ONE) == [second.id]
    assert delete_content(kit, _ACTOR, "B", second.id)
    assert found(kit, _ONE) == []
    assert not delete_content(kit, _ACTOR, "B", second.id)


def test_what_was_deleted_comes_back_with_a_new_content(kit: Kit) -> None:
    delete_content(kit, _ACTOR, "B", fill(kit, _ONE).id)
    anew = fill(kit, _ONE)
    assert found(kit, _ONE) == [anew.id]


def test_an_entry_of_another_way_has_a_number_of_its_own(kit: Kit) -> None:
    add_entries(kit, "cli", "B", [NewEntry(signal=_ONE, note="by hand")])
    number = OWN + entry_of(kit, _ONE)
    assert found(kit, _ONE) == [number]
    shown = show_content(kit, "B", number)
    assert (shown.signals, shown.content.note, shown.content.disable_until) == ((_ONE,), "by hand", ON)
    assert delete_content(kit, _ACTOR, "B", number)
    assert found(kit, _ONE) == []
    with pytest.raises(Refused):
        show_content(kit, "B", number)


def test_an_entry_of_another_way_outlives_a_content(kit: Kit) -> None:
    add_entries(kit, "cli", "B", [NewEntry(signal=_ONE)])
    content = fill(kit, _ONE)
    own = OWN + entry_of(kit, _ONE)
    assert sorted(found(kit, _ONE)) == [content.id, own]
    delete_content(kit, _ACTOR, "B", content.id)
    assert found(kit, _ONE) == [own]
    delete_content(kit, _ACTOR, "B", own)
    assert found(kit, _ONE) == []


def test_what_a_list_says_outlives_a_content(kit: Kit) -> None:
    say_by_list(kit, _ONE)
    content = fill(kit, _ONE)
    assert show_content(kit, "B", content.id).sources == {"LIST": ("12-34",)}
    assert found(kit, _ONE) == [content.id]
    delete_content(kit, _ACTOR, "B", content.id)
    own = OWN + entry_of(kit, _ONE)
    assert found(kit, _ONE) == [own]
    assert delete_content(kit, _ACTOR, "B", own), "a person takes out what a list says"
    assert found(kit, _ONE) == []


def test_a_content_that_is_off_does_not_silence_a_list(kit: Kit) -> None:
    say_by_list(kit, _ONE)
    content = fill(kit, _ONE)
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=OFF)
    own = OWN + entry_of(kit, _ONE)
    assert found(kit, _ONE) == [own]
    assert len(look_up_signals(kit, [_ONE])[0]) == 1, "uploads are compared with it as before"
    assert show_content(kit, "B", own).sources == {"LIST": ("12-34",)}
    alter_content(kit, _ACTOR, "B", own, note=None, disable_until=OFF)
    assert found(kit, _ONE) == [], "under its own number it can be switched off"
    alter_content(kit, _ACTOR, "B", own, note=None, disable_until=ON)
    assert found(kit, _ONE) == [own]
    add_entries(kit, "cli", "B", [NewEntry(signal=_ONE)])
    assert found(kit, _ONE) == [own]


def test_a_list_that_comes_later_is_heard_and_may_fall_silent_again(kit: Kit) -> None:
    content = fill(kit, _ONE)
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=OFF)
    say_by_list(kit, _ONE)
    assert found(kit, _ONE) == [OWN + entry_of(kit, _ONE)]
    with kit.store.begin() as tx:
        exchange = tx.exchanges.get("LIST")
        assert exchange is not None
        gone = [SourceRecord(key="12-34", withdrawn=True)]
        tx.source_records.apply(exchange, gone, 1, kit.clock(), forget=False)
    assert found(kit, _ONE) == [], "nobody but a content that is off says it now"
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=ON)
    assert found(kit, _ONE) == [content.id]


def test_what_a_list_says_is_deleted_and_what_a_content_brings_stays(kit: Kit) -> None:
    say_by_list(kit, _ONE)
    content = fill(kit, _ONE)
    assert delete_content(kit, _ACTOR, "B", OWN + entry_of(kit, _ONE))
    assert found(kit, _ONE) == [content.id]
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=OFF)
    assert found(kit, _ONE) == []
    add_entries(kit, "cli", "B", [NewEntry(signal=_ONE)])
    assert found(kit, _ONE) == [OWN + entry_of(kit, _ONE)], "whoever adds it means it"


def test_what_our_people_add_is_awake_and_outlives_a_content_that_was_there_before(kit: Kit) -> None:
    content = fill(kit, _ONE)
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=OFF)
    add_entries(kit, "cli", "B", [NewEntry(signal=_ONE), NewEntry(signal=_TWO)])
    assert len(look_up_signals(kit, [_ONE])[0]) == 1, "whoever adds it means it"
    own = OWN + entry_of(kit, _ONE)
    assert found(kit, _ONE) == [own]
    delete_content(kit, _ACTOR, "B", content.id)
    assert found(kit, _ONE) == [own]
    delete_content(kit, _ACTOR, "B", own)
    assert found(kit, _ONE) == []


def test_content_that_is_off_matches_nowhere(kit: Kit) -> None:
    content = fill(kit, _ONE, _MD5)
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=OFF)
    assert (found(kit, _ONE), found(kit, _MD5)) == ([], [])
    assert look_up_signals(kit, [_ONE, _MD5]) == [(), ()], "uploads heed it as well"
    assert [known.content_id for known in look_up_raw(kit, _ONE, frozenset())] == [content.id]
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=ON)
    assert found(kit, _ONE) == [content.id]
    assert len(look_up_signals(kit, [_ONE])[0]) == 1


def test_whoever_follows_a_bank_hears_that_an_entry_sleeps(kit: Kit) -> None:
    content = fill(kit, _ONE)
    heard = []
    for until in (OFF, OFF, ON):
        alter_content(kit, _ACTOR, "B", content.id, note="n", disable_until=until)
        with kit.store.read() as tx:
            heard.append(tx.entries.sequence())
    assert heard == [heard[0], heard[0], heard[0] + 1]
    assert found(kit, _ONE) == [content.id]


def test_content_is_off_until_its_time(world: World, kit: Kit) -> None:
    content = fill(kit, _ONE)
    until = int((world.clock() + timedelta(days=1)).timestamp())
    alter_content(kit, _ACTOR, "B", content.id, note=None, disable_until=until)
    assert found(kit, _ONE) == []
    world.clock.move(hours=25)
    assert found(kit, _ONE) == [content.id]
    assert len(look_up_signals(kit, [_ONE])[0]) == 1


def test_one_content_that_is_on_keeps_an_entry_awake(kit: Kit) -> None:
    first, second = fill(kit, _ONE), fill(kit, _ONE)
    alter_content(kit, _ACTOR, "B", first.id, note=None, disable_until=OFF)
    assert found(kit, _ONE) == [second.id]
    delete_content(kit, _ACTOR, "B", second.id)
    assert found(kit, _ONE) == []
    third = fill(kit, _ONE)
    assert found(kit, _ONE) == [third.id], "whoever adds it anew means it"


def test_an_entry_of_another_way_is_switched_off_under_its_number(kit: Kit) -> None:
    add_entries(kit, "cli", "B", [NewEntry(signal=_ONE)])
    number = OWN + entry_of(kit, _ONE)
    shown = alter_content(kit, _ACTOR, "B", number, note="later", disable_until=OFF)
    assert (shown.content.id, shown.content.note) == (number, "later")
    assert found(kit, _ONE) == []
    assert show_content(kit, "B", number).content.disable_until == OFF
    assert fill(kit, _TWO).id == 1, "the numbers of contents are not moved on by it"


def test_no_bank_reaches_into_another(kit: Kit) -> None:
    make_bank(kit, _ACTOR, "C", 1.0, _RULES)
    content = fill(kit, _ONE)
    for number in (content.id, OWN + entry_of(kit, _ONE), OWN, 0, 2**53, 10**15):
        assert not delete_content(kit, _ACTOR, "C", number)
        with pytest.raises(Refused) as refusal:
            show_content(kit, "C", number)
        assert refusal.value.code == "content_unknown"
    assert found(kit, _ONE) == [content.id]


def test_a_bank_goes_with_its_contents(world: World, kit: Kit) -> None:
    content = fill(kit, _ONE, note="said about it")
    delete_bank(kit, "cli", "B")
    make_bank(kit, _ACTOR, "B", 1.0, _RULES)
    with kit.store.read() as tx:
        assert tx.contents.get(content.id) is None
    drop_bank(kit, _ACTOR, "B")
    drop_bank(kit, _ACTOR, "B")
    with pytest.raises(Refused):
        bank(kit, "B")


def test_an_entry_withdrawn_elsewhere_is_not_found_through_its_content(kit: Kit) -> None:
    content = fill(kit, _ONE)
    withdraw_entry(kit, "cli", "B", _ONE)
    assert found(kit, _ONE) == []
    assert delete_content(kit, _ACTOR, "B", content.id)


def test_the_coin_says_which_banks_answer(kit: Kit) -> None:
    content = fill(kit, _ONE)
    alter_bank(kit, _ACTOR, "B", new_name=None, ratio=0.5)
    heads = next(seed for seed in map(str, range(99)) if random.Random(seed).random() <= 0.5)
    tails = next(seed for seed in map(str, range(99)) if random.Random(seed).random() > 0.5)
    assert found(kit, _ONE, Asking(seed=heads)) == [content.id]
    assert found(kit, _ONE, Asking(seed=tails)) == []
    assert found(kit, _ONE, Asking(seed=tails, bypass=True)) == [content.id]
    assert len(look_up_signals(kit, [_ONE])[0]) == 1, "uploads do not toss coins"


def test_a_disabled_bank_answers_past_the_coin_only(kit: Kit) -> None:
    content = fill(kit, _ONE)
    alter_bank(kit, _ACTOR, "B", new_name=None, ratio=0.0)
    assert found(kit, _ONE) == []
    assert found(kit, _ONE, Asking(bypass=True)) == [content.id]
    assert [known.content_id for known in look_up_raw(kit, _ONE, frozenset())] == [content.id]


def test_only_banks_that_are_named_answer(kit: Kit) -> None:
    make_bank(kit, _ACTOR, "C", 1.0, _RULES)
    fill(kit, _ONE)
    other = fill(kit, _ONE, name="C")
    assert found(kit, _ONE, Asking(banks=frozenset({"C"}))) == [other.id]
    assert look_up_raw(kit, _ONE, frozenset({"C"})) == (Known(bank="C", content_id=other.id, distance=0),)


def test_an_allow_bank_strikes_out_a_match(kit: Kit) -> None:
    fill(kit, _ONE)
    create_bank(kit, "cli", BankPolicy(name="good", category=Category.ALLOW, on_match=OnMatch.LOG))
    add_entries(kit, "cli", "good", [NewEntry(signal=_ONE)])
    assert found(kit, _ONE) == []
    assert look_up_raw(kit, _ONE, frozenset()) == ()


def test_a_picture_is_found_by_its_md5_too(kit: Kit) -> None:
    digests = kit.reader.signals.digests(picture(7))
    md5 = next(signal for signal in digests if signal.type == "md5")
    content = fill(kit, md5)
    photo = CONTENT_TYPES["photo"]
    answer = look_up_file(kit, picture(7), photo, None, Asking())
    assert answer == {"pdq": (Known(bank="B", content_id=content.id, distance=0),)}
    assert look_up_file(kit, picture(7), photo, "pdq", Asking()) == {"pdq": ()}
    assert look_up_file(kit, picture(8), photo, None, Asking()) == {"pdq": ()}


def test_what_could_not_be_compared_is_no_empty_answer(kit: Kit) -> None:
    photo = CONTENT_TYPES["photo"]
    for bytes_ in (b"", b"GIF89a", b"%PDF", picture(1).getvalue()[:-4000]):
        with pytest.raises(Refused):
            look_up_file(kit, io.BytesIO(bytes_), photo, None, Asking())
    known = next(signal for signal in kit.reader.signals.digests(io.BytesIO(b"%PDF")) if signal.type == "sha256")
    content = fill(kit, known)
    answer = look_up_file(kit, io.BytesIO(b"%PDF"), photo, None, Asking())
    assert answer == {"pdq": (Known(bank="B", content_id=content.id, distance=0),)}
