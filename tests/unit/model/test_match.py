"""The verdict: block before hold before unchecked before clear, and nothing turns a fault into clear."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.bank import Bank, BankEntry, BankPolicy, Category, OnMatch
from jikimi.model.match import (
    LISTED_MATCHES,
    Coverage,
    Disposition,
    FloodRule,
    Ground,
    Match,
    Verdict,
    View,
    after_flood,
    decide,
    is_featureless,
    match_of,
    strongest_by_bank,
)
from jikimi.model.media import Reason
from jikimi.model.signal import SIGNAL_KINDS, Signal, Variant

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_COVERAGE = Coverage(signals=("sha256", "pdq"), frames=1, quality=100, index_version=7)
_RANK = [Disposition.CLEAR, Disposition.UNCHECKED, Disposition.HOLD, Disposition.BLOCK]


@st.composite
def a_match(draw: st.DrawFn, *, allow: bool | None = None) -> Match:
    """A match as the flow would find it: small numbers, so that views and distances coincide often."""
    allows = draw(st.booleans()) if allow is None else allow
    categories = [Category.ALLOW] if allows else [one for one in Category if one is not Category.ALLOW]
    effect = OnMatch.LOG if allows else draw(st.sampled_from(OnMatch))
    type_ = draw(st.sampled_from(["pdq", "pdq", "sha256"]))
    is_perceptual = SIGNAL_KINDS[type_].perceptual
    return Match(
        entry_id=draw(st.integers(1, 9)),
        bank_id=draw(st.integers(1, 4)),
        bank="a bank",
        category=draw(st.sampled_from(categories)),
        effect=effect,
        flooded=effect is not OnMatch.BLOCK and draw(st.booleans()),
        source="",
        type=type_,
        distance=draw(st.integers(0, 4)) if is_perceptual else 0,
        variant=Variant.AS_IS,
        frame=draw(st.integers(0, 2)) if is_perceptual else 0,
        flattened=is_perceptual and draw(st.booleans()),
    )


_SOME = st.lists(a_match(), max_size=8)
_NO_ALLOW = st.lists(a_match(allow=False), max_size=8)
_FAULTS = st.lists(st.sampled_from(Reason), max_size=3)


def one(effect: OnMatch = OnMatch.BLOCK, category: Category = Category.CSAM, **fields: object) -> Match:
    plain = Match(
        entry_id=1,
        bank_id=1,
        bank="a bank",
        category=category,
        effect=effect,
        flooded=False,
        source="",
        type="pdq",
        distance=4,
        variant=Variant.AS_IS,
        frame=0,
        flattened=False,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def allow(**fields: object) -> Match:
    return one(OnMatch.LOG, Category.ALLOW, **{"bank_id": 9, "entry_id": 9, **fields})


def verdict(matches: list[Match], faults: list[Reason] | None = None) -> Verdict:
    return decide(matches, faults or [], _COVERAGE)


def test_nothing_found_and_nothing_wrong_is_clear() -> None:
    assert verdict([]) == Verdict(disposition=Disposition.CLEAR, reasons=(), matches=(), coverage=_COVERAGE)


@given(_NO_ALLOW, _FAULTS)
def test_block_before_hold_before_unchecked_before_clear(matches: list[Match], faults: list[Reason]) -> None:
    effects = {match.effect for match in matches}
    expected = Disposition.UNCHECKED if faults else Disposition.CLEAR
    for effect, disposition in ((OnMatch.HOLD, Disposition.HOLD), (OnMatch.BLOCK, Disposition.BLOCK)):
        expected = disposition if effect in effects else expected
    assert verdict(matches, faults).disposition is expected


@given(_SOME, _FAULTS)
def test_a_fault_is_never_clear_and_always_told_once(matches: list[Match], faults: list[Reason]) -> None:
    answer = verdict(matches, faults)
    if faults:
        assert answer.disposition is not Disposition.CLEAR
    told = [reason for reason in answer.reasons if reason in set(Reason)]
    assert told == list(dict.fromkeys(faults))


@given(_SOME, _FAULTS)
def test_an_allow_bank_can_only_lower_a_verdict_and_never_below_a_fault(
    matches: list[Match], faults: list[Reason]
) -> None:
    without = [match for match in matches if match.category is not Category.ALLOW]
    lowered, plain = verdict(matches, faults).disposition, verdict(without, faults).disposition
    assert _RANK.index(lowered) <= _RANK.index(plain)
    assert lowered is not Disposition.CLEAR or not faults


@given(_NO_ALLOW, _FAULTS, st.integers(0, 4))
def test_allow_has_no_say_in_another_view(matches: list[Match], faults: list[Reason], distance: int) -> None:
    elsewhere = allow(distance=distance, frame=7)
    assert verdict([*matches, elsewhere], faults).disposition is verdict(matches, faults).disposition
    assert Ground.ALLOWED not in verdict([*matches, elsewhere], faults).reasons


@given(_NO_ALLOW, _FAULTS, st.integers(0, 2), st.booleans())
def test_allow_has_no_say_about_what_is_nearer(
    matches: list[Match], faults: list[Reason], frame: int, flattened: bool
) -> None:
    farther = allow(distance=5, frame=frame, flattened=flattened)
    assert verdict([*matches, farther], faults).disposition is verdict(matches, faults).disposition


@given(st.lists(a_match(allow=False), min_size=1, max_size=8))
def test_an_allowed_digest_speaks_for_the_whole_file(matches: list[Match]) -> None:
    answer = verdict([*matches, allow(type="sha256", distance=0)])
    assert answer.disposition is Disposition.CLEAR
    assert answer.reasons == (Ground.ALLOWED,)


def test_an_allowed_picture_strikes_out_what_is_as_near_in_the_same_view() -> None:
    assert verdict([one(distance=4), allow(distance=4)]).disposition is Disposition.CLEAR
    assert verdict([one(distance=4), allow(distance=5)]).disposition is Disposition.BLOCK
    assert verdict([one(distance=4), allow(distance=4, flattened=True)]).disposition is Disposition.BLOCK
    assert verdict([one(distance=4), one(frame=1), allow(distance=0)]).disposition is Disposition.BLOCK


def test_an_allowed_picture_says_nothing_against_a_digest() -> None:
    assert verdict([one(type="sha256", distance=0), allow(distance=0)]).disposition is Disposition.BLOCK


@given(st.lists(a_match(allow=False).map(lambda match: replace(match, effect=OnMatch.LOG)), min_size=1, max_size=5))
def test_a_bank_that_logs_leaves_the_verdict_clear_and_is_listed(matches: list[Match]) -> None:
    answer = verdict(matches)
    assert answer.disposition is Disposition.CLEAR
    assert answer.reasons == (Ground.LOGGED,)
    assert sorted(map(repr, answer.matches)) == sorted(map(repr, matches))


def test_reasons_are_the_grounds_and_then_the_faults() -> None:
    flooded = one(OnMatch.HOLD, flooded=True)
    answer = verdict([flooded, one(OnMatch.LOG)], [Reason.TIMEOUT])
    assert answer.reasons == (Ground.MATCH, Ground.BANK_FLOODED, Ground.LOGGED, Reason.TIMEOUT)


@given(_SOME, _FAULTS)
def test_the_order_in_which_matches_were_found_means_nothing(matches: list[Match], faults: list[Reason]) -> None:
    forth, back = verdict(matches, faults), verdict(matches[::-1], faults)
    assert (forth.disposition, forth.reasons) == (back.disposition, back.reasons)


def test_of_thousands_of_matches_the_strongest_are_listed_and_all_are_weighed() -> None:
    near = [one(OnMatch.HOLD, entry_id=number, distance=0) for number in range(1000)]
    answer = verdict([*near, one(OnMatch.BLOCK, entry_id=5000, distance=31), allow(distance=30, frame=3)])
    assert answer.disposition is Disposition.BLOCK
    assert len(answer.matches) == LISTED_MATCHES + 1
    assert answer.matches[0].entry_id == 5000
    assert answer.matches[-1].category is Category.ALLOW


def test_what_is_listed_can_be_weighed_again_with_the_same_outcome() -> None:
    """The flood watch does so: matches that were struck out must not push out those that stand."""
    struck = [one(entry_id=number, distance=0) for number in range(3 * LISTED_MATCHES)]
    answer = verdict([*struck, allow(distance=0), one(OnMatch.HOLD, entry_id=9000, frame=1, distance=31)])
    assert answer.disposition is Disposition.HOLD
    assert verdict(list(answer.matches)).disposition is Disposition.HOLD


def an_entry(type_: str = "pdq") -> BankEntry:
    value = bytes(SIGNAL_KINDS[type_].length)
    return BankEntry(id=5, bank_id=1, signal=Signal(type=type_, value=value), note="", added_at=_NOON)


def a_bank(**fields: int) -> Bank:
    policy = BankPolicy(name="known", category=Category.NCII, on_match=OnMatch.HOLD, source="us")
    return Bank(id=1, policy=replace(policy, **fields), created_at=_NOON)  # type: ignore[arg-type]


def a_view(quality: int | None = 100) -> View:
    return View(signal=Signal(type="pdq", value=bytes(32), quality=quality, frame=2), flattened=True)


def test_a_match_carries_what_the_bank_says_now() -> None:
    found = match_of(a_view(), Variant.FLIP_X, 31, an_entry(), a_bank())
    assert found == Match(
        entry_id=5,
        bank_id=1,
        bank="known",
        category=Category.NCII,
        effect=OnMatch.HOLD,
        flooded=False,
        source="us",
        type="pdq",
        distance=31,
        variant=Variant.FLIP_X,
        frame=2,
        flattened=True,
    )


@given(st.integers(0, 64), st.integers(0, 64), st.none() | st.integers(0, 100), st.integers(0, 100))
def test_distance_and_quality_are_the_banks_own(distance: int, limit: int, quality: int | None, floor: int) -> None:
    found = match_of(
        a_view(quality), Variant.AS_IS, distance, an_entry(), a_bank(max_distance=limit, quality_floor=floor)
    )
    assert (found is not None) == (distance <= limit and (quality is None or quality >= floor))


def test_a_digest_matches_whatever_the_bank_thinks_of_pictures() -> None:
    view = View(signal=Signal(type="md5", value=bytes(16)))
    assert match_of(view, Variant.AS_IS, 0, an_entry("md5"), a_bank(max_distance=0, quality_floor=100)) is not None


def test_featureless_is_a_picture_without_structure_not_a_file_without_pictures() -> None:
    assert not is_featureless([], 50)
    assert not is_featureless([View(signal=Signal(type="sha256", value=bytes(32)))], 50)
    assert is_featureless([a_view(49), a_view(0)], 50)
    assert not is_featureless([a_view(49), a_view(50)], 50)


@given(_SOME)
def test_each_blocking_bank_speaks_once_and_loudest(matches: list[Match]) -> None:
    spoken = strongest_by_bank(matches)
    assert all(match.effect is OnMatch.BLOCK for match in spoken)
    assert all(match.category not in (Category.CANARY, Category.ALLOW) for match in spoken)
    assert len({match.bank_id for match in spoken}) == len(spoken)


def test_a_match_that_is_allowed_does_not_flood_its_bank() -> None:
    assert strongest_by_bank([one(distance=4), allow(distance=4)]) == ()
    assert strongest_by_bank([one(distance=3), allow(distance=4)]) == (one(distance=3),)


@given(a_match())
def test_after_a_flood_a_bank_holds_at_most(match: Match) -> None:
    after = after_flood(match)
    assert after.flooded
    assert after.effect is (OnMatch.HOLD if match.effect is OnMatch.BLOCK else match.effect)


@pytest.mark.parametrize(
    ("limit", "uploads", "is_broken"), [(3, 3, False), (3, 4, True), (0, 10**9, False), (1, 1, False), (1, 2, True)]
)
def test_a_flood_is_more_than_the_limit_and_a_limit_of_zero_is_never(limit: int, uploads: int, is_broken: bool) -> None:
    assert FloodRule(limit=limit).is_broken(uploads) is is_broken


def test_a_flood_is_counted_within_its_window() -> None:
    assert FloodRule(window=timedelta(minutes=10)).since(_NOON) == _NOON - timedelta(minutes=10)
