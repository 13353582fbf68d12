"""What is remembered of an upload, and what is checked again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jikimi.model.bank import Category, OnMatch
from jikimi.model.match import Coverage, Disposition, Ground, Match, Verdict, decide
from jikimi.model.media import RETRYABLE, Reason
from jikimi.model.scan import is_remembered, needs_recheck
from jikimi.model.signal import Variant


def match(category: Category, effect: OnMatch) -> Match:
    return Match(
        entry_id=1,
        bank_id=1,
        bank="a bank",
        category=category,
        effect=effect,
        flooded=False,
        source="",
        type="pdq",
        distance=0,
        variant=Variant.AS_IS,
        frame=0,
        flattened=False,
    )


def verdict(matches: Sequence[Match] = (), faults: Sequence[Reason] = ()) -> Verdict:
    return decide(matches, faults, Coverage(signals=(), frames=1, quality=None, index_version=0))


_CANARY = match(Category.CANARY, OnMatch.BLOCK)
_KNOWN = match(Category.CSAM, OnMatch.BLOCK)


def test_a_clear_upload_leaves_nothing() -> None:
    assert not is_remembered(verdict())


@pytest.mark.parametrize(
    "kept",
    [
        verdict([_KNOWN]),
        verdict([match(Category.CSAM, OnMatch.LOG)]),
        verdict(faults=[Reason.EMPTY]),
        verdict([match(Category.ALLOW, OnMatch.LOG), _KNOWN]),
        verdict([_CANARY, _KNOWN]),
    ],
)
def test_whatever_else_is_remembered(kept: Verdict) -> None:
    assert is_remembered(kept)


def test_the_canary_is_nobodys_upload() -> None:
    assert not is_remembered(verdict([_CANARY]))


@pytest.mark.parametrize("reason", Reason)
def test_only_what_another_try_may_help_is_tried_again(reason: Reason) -> None:
    assert needs_recheck(verdict(faults=[reason])) is (reason in RETRYABLE)


def test_what_is_blocked_already_needs_no_second_check() -> None:
    blocked = verdict([_KNOWN], [Reason.TIMEOUT])
    assert blocked.disposition is Disposition.BLOCK
    assert blocked.reasons == (Ground.MATCH, Reason.TIMEOUT)
    assert not needs_recheck(blocked)
