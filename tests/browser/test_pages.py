"""The pages as people meet them: they load, say what they should, and nothing of a picture is there unasked."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from scripts.desk_world import known_picture, upload
from tests.browser.conftest import signed_in
from tests.doors.desk import Desk


def test_a_case_goes_from_the_queue_to_a_decision(desk: Desk, chromium: Browser) -> None:
    upload(desk.kit, known_picture(3, 0, is_altered=True), account="user-7", content="post-1")
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.goto("/desk")
        expect(page).to_have_url(f"{desk.address}/desk/queue")
        page.get_by_role("button", name="Take the next case").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Other harm")
        page.get_by_label("Other harm").check()
        page.get_by_label("Remove").check()
        page.locator("[data-key=note]").fill("seen before")
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_text("It can be undone until")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".meta .tag")).to_have_text("Open")
