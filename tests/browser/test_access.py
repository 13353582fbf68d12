"""Everybody can use every page: axe-core finds nothing, in both languages and both schemes, and 320 px are enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from jikimi.flows.exchange import add_exchange
from jikimi.flows.review import decide, take
from jikimi.model.action import Verb
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.decision import Choice, Label
from jikimi.model.exchange import NewExchange
from jikimi.model.ids import CaseId
from scripts.desk_world import known_picture, upload
from tests.browser.conftest import signed_in
from tests.doors.desk import MORNING, Desk, open_desk
from tests.flows.listing import PROGRAMMES, Programme, connectors

_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A desk at which something is going on: a case that is taken, one that was proposed, one that was decided."""

    desk: Desk
    taken: CaseId
    proposed: CaseId
    decided: CaseId


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    PROGRAMMES["feed"] = Programme()
    data = tmp_path_factory.mktemp("access") / "data"
    with open_desk(data, connectors=connectors(lambda: MORNING)) as desk:
        new = NewExchange(name="feed", kind="listing", bank="known", settings={"name": "feed"})
        add_exchange(desk.kit, "tester", new, BankPolicy(name="known", category=Category.OTHER, on_match=OnMatch.HOLD))
        cases = [
            upload(desk.kit, known_picture(bank, 0, is_altered=True), account=f"user-{bank}", name="a.jpg")
            for bank in range(4)
        ]
        reviewer = desk.staff.reviewer
        for case_id, label, is_held in ((cases[2], Label.TERRORISM, True), (cases[3], Label.OTHER, False)):
            version = take(desk.kit, reviewer, case_id).version
            choice = Choice(label=label, verb=Verb.REMOVE, note="as before", legal_hold=is_held)
            decide(desk.kit, reviewer, case_id, choice, version=version)
        take(desk.kit, reviewer, cases[0])
        yield Busy(desk=desk, taken=cases[0], proposed=cases[2], decided=cases[3])


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(busy: Busy, chromium: Browser, language: str, scheme: str) -> None:
    staff = busy.desk.staff
    with busy.desk.kit.store.read() as tx:
        (action,) = tx.actions.list(limit=1)
    pages = {
        staff.reviewer: ["queue", f"cases/{busy.taken}", f"cases/{busy.decided}", "queue?severity=2", "me", "nowhere"],
        staff.lead: [
            "overview",
            "second",
            f"cases/{busy.proposed}",
            "deliveries",
            f"deliveries/{action.id}",
            "shares",
            "exchanges",
            "exchanges/new?kind=listing",
            "exchanges/feed/change",
            "entries/1",
        ],
        staff.administrator: ["people"],
    }
    for person, paths in pages.items():
        with busy.desk.kit.store.begin() as tx:
            tx.people.update(replace(person, language=language))
        expected = ("404",) if "nowhere" in paths else ()
        with signed_in(chromium, busy.desk, person, scheme=scheme, expected=expected) as (page, _):
            for path in paths:
                page.goto(f"/desk/{path}")
                assert page.locator("html").get_attribute("lang") == language
                _check(page, path)
    with signed_in(chromium, busy.desk, None, scheme=scheme) as (page, _):
        page.goto("/desk/signin")
        _check(page, "signin")


def test_320_pixels_are_enough(busy: Busy, chromium: Browser) -> None:
    for person, path in (
        (busy.desk.staff.reviewer, "queue"),
        (busy.desk.staff.reviewer, f"cases/{busy.taken}"),
        (busy.desk.staff.lead, "overview"),
        (busy.desk.staff.lead, f"cases/{busy.proposed}"),
        (busy.desk.staff.lead, "exchanges"),
        (busy.desk.staff.lead, "exchanges/feed/change"),
    ):
        with signed_in(chromium, busy.desk, person, width=320) as (page, _):
            page.goto(f"/desk/{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_targets_are_large_enough(busy: Busy, chromium: Browser) -> None:
    with signed_in(chromium, busy.desk, busy.desk.staff.reviewer, width=360) as (page, _):
        page.goto(f"/desk/cases/{busy.taken}")
        for target in page.locator("button:visible, select:visible, label.pick:visible, summary:visible").all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 44, target.inner_text()


def _check(page: Page, name: str) -> None:
    found = Axe().run(page, options=_RULES)
    told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found.response["violations"]]
    assert told == [], name
