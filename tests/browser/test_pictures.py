"""Pictures: none without a held key, gone at the release, counted as long as they were seen, and capped."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from PIL import Image, UnidentifiedImageError
from playwright.sync_api import Browser, Page, Response, expect

from jikimi.doors.desk.session import COOKIE
from jikimi.model.exposure import Exposure, ExposureRules, Level
from jikimi.model.ids import CaseId
from scripts.desk_world import known_picture, upload
from tests.browser.conftest import signed_in
from tests.doors.desk import Desk, Sent, open_desk, session_for

_RUN = 24
"""Bytes in a row that two different files do not share by chance."""

_STOPWATCH = """
new MutationObserver(() => {
  const isShown = document.querySelector("figure").dataset.state === "shown";
  globalThis[isShown ? "shown" : "hidden"] = performance.now();
}).observe(document.querySelector("figure"), { attributes: true, attributeFilter: ["data-state"] });
"""
"""How long the picture was really there, by the browser's own clock."""


def _looks(desk: Desk) -> tuple[Exposure, ...]:
    """What the reviewer has looked at; a release may still be on its way."""
    until = time.monotonic() + 5
    while True:
        with desk.kit.store.read() as tx:
            looks = tx.exposures.of_person(desk.staff.reviewer.id, desk.clock() - timedelta(days=1))
        if all(look.ended_at for look in looks) or time.monotonic() > until:
            return looks
        time.sleep(0.05)


def _hold(page: Page) -> None:
    page.locator("[data-hold]").first.focus()
    page.keyboard.down("Space")
    expect(page.locator("figure[data-state=shown]")).to_be_visible(timeout=30_000)


def test_a_session_of_known_matches_shows_no_picture(tmp_path: Path, chromium: Browser) -> None:
    originals = [known_picture(bank, 0, is_altered=bank % 2 == 0) for bank in range(4)]
    sent: list[Sent] = []
    with open_desk(tmp_path / "data", sent=sent) as desk:
        for number, original in enumerate(originals):
            upload(desk.kit, original, account=f"user-{number}")
        with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
            page.goto("/desk/queue")
            for label in ("1", "4", "5", "6"):
                page.keyboard.press("n")
                expect(page.get_by_text("Yours until")).to_be_visible()
                page.keyboard.press(label)
                page.keyboard.press("x")
                page.keyboard.press("d")
                expect(page.get_by_text("It can be undone until")).to_be_visible()
        assert _looks(desk) == ()
    assert len(sent) > 20
    for one in sent:
        assert not any(part in one.body for original in originals for part in _runs(original)), one.path
        if not one.path.endswith(".svg") and one.body:
            with pytest.raises(UnidentifiedImageError):
                Image.open(io.BytesIO(one.body))


def _runs(original: bytes) -> Iterator[bytes]:
    middle = range(200, len(original) - _RUN, max(_RUN, len(original) // 400))
    return (original[at : at + _RUN] for at in middle)


@pytest.mark.parametrize("level", [Level.GREY, Level.SPOT, Level.FULL])
def test_a_picture_lasts_as_long_as_the_key_is_held(desk: Desk, chromium: Browser, level: Level) -> None:
    original = known_picture(3, 0, is_altered=True)
    case_id = upload(desk.kit, original)
    answers: list[Response] = []
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"/desk/cases/{case_id}")
        page.locator(f"[name=level][value={level}]").check()
        page.evaluate(_STOPWATCH)
        _hold(page)
        page.wait_for_timeout(1200)
        assert page.evaluate("document.querySelector('canvas').width") > 100
        page.keyboard.up("Space")
        expect(page.locator("figure[data-state=shown]")).to_have_count(0)
        assert page.evaluate("document.querySelector('canvas').width") == 0
        seconds = page.evaluate("(globalThis.hidden - globalThis.shown) / 1000")
        page.wait_for_load_state("networkidle")
        pictures = [one for one in answers if one.url.endswith("/picture")]
        body = pictures[0].body()
    assert len(pictures) == 1
    assert pictures[0].headers["cache-control"] == "no-store"
    assert not any(part in body for part in _runs(original))
    look = _looks(desk)[0]
    assert (look.level, look.ended_at is not None) == (level, True)
    assert abs(look.milliseconds / 1000 - seconds) < 0.5


def test_the_picture_goes_when_the_window_is_left(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.goto(f"/desk/cases/{case_id}")
        _hold(page)
        page.evaluate("dispatchEvent(new Event('blur'))")
        expect(page.locator("figure[data-state=shown]")).to_have_count(0)
        page.wait_for_load_state("networkidle")
        button = page.locator("[data-hold]").first
        box = button.bounding_box()
        assert box is not None
        page.keyboard.up("Space")
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.mouse.down()
        expect(page.locator("figure[data-state=shown]")).to_be_visible(timeout=30_000)
        page.mouse.up()
        expect(page.locator("figure[data-state=shown]")).to_have_count(0)
        page.wait_for_load_state("networkidle")
    assert [look.ended_at is not None for look in _looks(desk)] == [True, True]


def test_the_blurred_preview_is_small_and_asked_for(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    with signed_in(chromium, desk, desk.staff.reviewer, scripts=False) as (page, _):
        page.goto(f"/desk/cases/{case_id}")
        assert page.locator("main img").count() == 0
        with page.expect_response("**/preview/*", timeout=30_000):
            page.get_by_role("button", name="Blurred preview").click()
        expect(page.locator("main img")).to_be_visible()
    assert [look.level for look in _looks(desk)] == [Level.BLURRED]


def test_caps_hold_on_the_page_and_for_direct_requests(tmp_path: Path, chromium: Browser) -> None:
    rules = ExposureRules(hard_cap=timedelta(seconds=1), soft_cap=timedelta(seconds=0.5))
    with open_desk(tmp_path / "data", exposure=rules) as desk:
        case_id = upload(desk.kit, known_picture(3, 0))
        expected = ("429",)
        with signed_in(chromium, desk, desk.staff.reviewer, expected=expected) as (page, _):
            page.goto(f"/desk/cases/{case_id}")
            page.locator("[name=level][value=full]").check()
            _hold(page)
            page.wait_for_timeout(1300)
            page.keyboard.up("Space")
            page.wait_for_load_state("networkidle")
            page.keyboard.down("Space")
            expect(page.get_by_text("You have seen enough pictures for today")).to_be_visible(timeout=30_000)
            page.keyboard.up("Space")
            page.reload()
            expect(page.get_by_text("It would be good to stop")).to_be_visible()
        assert _ask(desk, case_id) == "exposure_cap"
        assert len(_looks(desk)) == 1


def test_no_picture_after_hours_or_of_a_kind_one_has_opted_out_of(desk: Desk) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    desk.clock.move(hours=8)
    assert _ask(desk, case_id) == "after_hours"
    desk.clock.move(hours=16)
    with desk.kit.store.begin() as tx:
        case = tx.cases.get(case_id)
        assert case is not None
        tx.people.update(replace(desk.staff.reviewer, opt_outs=frozenset({case.kind})))
    assert _ask(desk, case_id) == "opted_out"


def _ask(desk: Desk, case_id: CaseId) -> str:
    """Ask for a picture without a page; the code of the refusal."""
    with desk.kit.store.read() as tx:
        case = tx.cases.get(case_id)
    assert case is not None
    answer = urllib3.request(
        "POST",
        f"{desk.address}/desk/cases/{case_id}/reveal/{case.contents[0]}",
        headers={
            "Cookie": f"{COOKIE}={session_for(desk.kit, desk.staff.reviewer)}",
            "Sec-Fetch-Site": "same-origin",
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        body=b"level=full&reason=test",
    )
    return str(answer.json().get("code", answer.status))
