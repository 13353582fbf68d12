"""A bank's policy is sound or refused, and nothing enters a bank that would be no evidence there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.bank import (
    MAX_DISTANCE,
    MAX_TEXT,
    Bank,
    BankPolicy,
    Category,
    NewEntry,
    OnMatch,
    check_entry,
    checked_policy,
)
from jikimi.model.errors import Refused
from jikimi.model.signal import SIGNAL_KINDS, Signal

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_POLICY = BankPolicy(name="known", category=Category.CSAM, on_match=OnMatch.BLOCK)


def entry(type_: str, quality: int | None = None) -> NewEntry:
    return NewEntry(signal=Signal(type=type_, value=bytes(SIGNAL_KINDS[type_].length), quality=quality))


@pytest.mark.parametrize("name", ["a", "A-1", "x.y_z", "9lives", "a" * 255])
def test_a_good_name_passes(name: str) -> None:
    policy = replace(_POLICY, name=name)
    assert checked_policy(policy) == policy


@pytest.mark.parametrize("name", ["", " a", "a b", "-a", ".a", "a/b", "a\n", "a\x00", "é", "a" * 256])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        checked_policy(replace(_POLICY, name=name))
    assert refusal.value.code == "bank_name_invalid"


@given(
    name=st.text(max_size=300),
    max_distance=st.integers(),
    quality_floor=st.integers(),
    source=st.text(alphabet=st.characters(), max_size=20),
    note=st.text(alphabet=st.characters(), max_size=MAX_TEXT + 50),
)
def test_a_policy_is_sound_or_refused(name: str, max_distance: int, quality_floor: int, source: str, note: str) -> None:
    policy = replace(
        _POLICY, name=name, max_distance=max_distance, quality_floor=quality_floor, source=source, note=note
    )
    try:
        checked = checked_policy(policy)
    except Refused as refusal:
        assert "\n" not in refusal.message
    else:
        assert checked == policy
        assert 0 <= checked.max_distance <= MAX_DISTANCE
        assert 0 <= checked.quality_floor <= 100
        assert len(checked.note) <= MAX_TEXT
        (checked.note + checked.source).encode()


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\udcff"])
@pytest.mark.parametrize("field", ["note", "source"])
def test_what_no_database_can_store_is_refused(field: str, text: str) -> None:
    policy = replace(_POLICY, note=text) if field == "note" else replace(_POLICY, source=text)
    with pytest.raises(Refused) as refusal:
        checked_policy(policy)
    assert refusal.value.code == "bank_text_invalid"


@pytest.mark.parametrize("on_match", OnMatch)
def test_an_allow_bank_never_does_more_than_log(on_match: OnMatch) -> None:
    assert checked_policy(replace(_POLICY, category=Category.ALLOW, on_match=on_match)).on_match is OnMatch.LOG


@pytest.mark.parametrize(
    ("on_match", "effect"), [(OnMatch.BLOCK, OnMatch.HOLD), (OnMatch.HOLD, OnMatch.HOLD), (OnMatch.LOG, OnMatch.LOG)]
)
def test_a_flooded_bank_holds_and_never_blocks(on_match: OnMatch, effect: OnMatch) -> None:
    bank = Bank(id=1, policy=replace(_POLICY, on_match=on_match), created_at=_NOON)
    assert bank.effect is on_match
    assert replace(bank, flooded_at=_NOON).effect is effect


@pytest.mark.parametrize(("quality", "is_taken"), [(None, True), (100, True), (50, True), (49, False), (0, False)])
def test_a_picture_below_the_floor_is_no_evidence(quality: int | None, is_taken: bool) -> None:
    if is_taken:
        check_entry(_POLICY, entry("pdq", quality))
        return
    with pytest.raises(Refused) as refusal:
        check_entry(_POLICY, entry("pdq", quality))
    assert refusal.value.code == "quality_low"


def test_a_digest_has_no_quality_to_fall_short_of() -> None:
    for type_ in ("sha256", "sha1", "md5"):
        check_entry(replace(_POLICY, quality_floor=100), entry(type_, 0))


@pytest.mark.parametrize("type_", SIGNAL_KINDS)
def test_what_can_be_forged_silences_nothing(type_: str) -> None:
    policy = replace(_POLICY, category=Category.ALLOW)
    if type_ in ("sha256", "pdq"):
        check_entry(policy, entry(type_))
        return
    with pytest.raises(Refused) as refusal:
        check_entry(policy, entry(type_))
    assert refusal.value.code == "allow_needs_sha256"
