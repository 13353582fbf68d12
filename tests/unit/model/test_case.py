"""A case is opened by what is held or blocked, and takes in what belongs to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.bank import Category, OnMatch
from jikimi.model.case import Case, CaseState, Targets, join, open_case, opens_case
from jikimi.model.ids import CaseId
from jikimi.model.match import Coverage, Disposition, Match, Verdict
from jikimi.model.media import MediaKind
from jikimi.model.scan import Content, Upload
from jikimi.model.signal import Variant

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_KINDS = [kind for kind in Category if kind not in (Category.ALLOW, Category.CANARY)]


def match(category: Category, effect: OnMatch = OnMatch.BLOCK) -> Match:
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


def verdict(disposition: Disposition, *matches: Match) -> Verdict:
    coverage = Coverage(signals=(), frames=1, quality=None, index_version=0)
    return Verdict(disposition=disposition, reasons=(), matches=matches, coverage=coverage)


def case_of(*matches: Match, sha256: str = "aa", account: str = "") -> Case:
    upload = Upload(source="web", received_at=_NOON, account_id=account)
    content = Content(kind=MediaKind.PNG, size=1, sha256=sha256)
    return open_case(CaseId("case_1"), upload, content, verdict(Disposition.BLOCK, *matches), _NOON, Targets())


@pytest.mark.parametrize("disposition", Disposition)
def test_only_what_is_held_or_blocked_opens_a_case(disposition: Disposition) -> None:
    assert opens_case(verdict(disposition)) is (disposition in (Disposition.HOLD, Disposition.BLOCK))


def test_a_new_case_holds_the_content_and_the_account() -> None:
    case = case_of(match(Category.NCII), account="a@example")
    assert (case.contents, case.accounts, case.version, case.state) == (("aa",), ("a@example",), 1, CaseState.OPEN)
    assert case_of(match(Category.NCII)).accounts == ()


def test_the_gravest_match_that_acts_gives_the_case_its_kind() -> None:
    case = case_of(match(Category.OTHER), match(Category.CSAM_SYNTHETIC, OnMatch.HOLD))
    assert (case.kind, case.severity) == (Category.CSAM_SYNTHETIC, 4)
    only_logged = case_of(match(Category.OTHER), match(Category.CSAM, OnMatch.LOG))
    assert only_logged.kind is Category.OTHER


@given(st.sampled_from(_KINDS), st.sampled_from(_KINDS))
def test_a_case_never_becomes_less_grave_by_joining(old_kind: Category, new_kind: Category) -> None:
    old = case_of(match(old_kind), sha256="aa", account="x")
    new = replace(
        case_of(match(new_kind), sha256="bb", account="x"), id=CaseId("case_2"), updated_at=_NOON + timedelta(hours=1)
    )
    joined = join(old, new)
    assert joined.severity == max(old.severity, new.severity)
    assert joined.kind in (old_kind, new_kind)
    assert joined == replace(
        old,
        kind=joined.kind,
        severity=joined.severity,
        contents=("aa", "bb"),
        accounts=("x",),
        updated_at=new.updated_at,
        version=2,
        target_at=min(one for one in (old.target_at, new.target_at) if one),
    )


def test_more_of_what_is_there_does_not_move_the_version_on() -> None:
    case = case_of(match(Category.NCII))
    again = case_of(match(Category.NCII), account="somebody else")
    assert join(case, again, has_new_content=False).version == 1
    assert join(case, again, has_new_content=True).version == 2
    graver = case_of(match(Category.CSAM))
    assert join(case, graver, has_new_content=False).version == 2


def test_the_same_content_is_in_a_case_once() -> None:
    case = case_of(match(Category.CSAM))
    assert join(case, case_of(match(Category.CSAM))).contents == ("aa",)
