"""Two people, two tabs, stale pages, double clicks, a lease that ended: one decision, and no note is lost."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from jikimi.flows.review import look, take
from jikimi.model.decision import DecisionState
from jikimi.model.ids import CaseId
from scripts.desk_world import known_picture, upload
from tests.browser.conftest import signed_in
from tests.doors.desk import Desk

_CONFLICT = ("409", "400")


def _fill(page: Page, note: str) -> None:
    page.get_by_label("Other harm").check()
    page.get_by_label("Remove").check()
    page.locator("[data-key=note]").fill(note)


def _open(desk: Desk, page: Page, case_id: CaseId) -> None:
    page.goto(f"/desk/cases/{case_id}")


def test_a_second_tab_changes_nothing_and_loses_no_note(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    take(desk.kit, desk.staff.reviewer, case_id)
    with signed_in(chromium, desk, desk.staff.reviewer, expected=_CONFLICT) as (page, _):
        _open(desk, page, case_id)
        other = page.context.new_page()
        _open(desk, other, case_id)
        _fill(page, "the first tab")
        _fill(other, "an hour of work")
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_text("It can be undone until")).to_be_visible()
        other.get_by_role("button", name="Decide").click()
        expect(other.get_by_role("alert")).to_contain_text("This case has changed")
        expect(other.get_by_role("alert").locator("textarea")).to_have_value("an hour of work")
        other.go_back()
        expect(other.get_by_text("It can be undone until")).to_be_visible()
    assert [one.choice.note for one in look(desk.kit, desk.staff.reviewer, case_id).decisions] == ["the first tab"]


def test_a_lease_that_ended_keeps_the_note_in_the_form(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    take(desk.kit, desk.staff.reviewer, case_id)
    with signed_in(chromium, desk, desk.staff.reviewer, expected=_CONFLICT) as (page, _):
        _open(desk, page, case_id)
        _fill(page, "nearly done")
        desk.clock.move(minutes=11)
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_role("alert")).to_contain_text("Your time with this case is over")
        expect(page.locator("[data-key=note]")).to_have_value("nearly done")
        page.get_by_role("button", name="Take this case").click()
        expect(page.locator("[data-key=note]")).to_have_value("nearly done")
        _fill(page, "nearly done")
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_text("It can be undone until")).to_be_visible()


def test_pressed_twice_is_decided_once(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    take(desk.kit, desk.staff.reviewer, case_id)
    with signed_in(chromium, desk, desk.staff.reviewer, expected=_CONFLICT) as (page, _):
        _open(desk, page, case_id)
        _fill(page, "once")
        page.get_by_role("button", name="Decide").dblclick()
        expect(page.get_by_text("It can be undone until")).to_be_visible()
    assert len(look(desk.kit, desk.staff.reviewer, case_id).decisions) == 1


def test_whoever_has_a_case_is_seen_by_the_other(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    take(desk.kit, desk.staff.colleague, case_id)
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.goto("/desk/queue")
        expect(page.locator("[data-row]")).to_contain_text("with minjae")
        _open(desk, page, case_id)
        expect(page.get_by_text("minjae works on this case now")).to_be_visible()
        expect(page.get_by_role("button", name="Take this case")).to_have_count(0)


def test_a_second_person_agrees_in_another_browser(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    take(desk.kit, desk.staff.reviewer, case_id)
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        _open(desk, page, case_id)
        _fill(page, "please look")
        page.get_by_text("More: bank, legal hold").click()
        page.get_by_label("Legal hold").check()
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_text("somebody else has to agree to it")).to_be_visible()
    with signed_in(chromium, desk, desk.staff.legal) as (page, _):
        page.goto("/desk/second")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/desk/cases/*")
        page.keyboard.press("d")
        expect(page.locator(".meta .tag")).to_have_text("Decided")
    assert look(desk.kit, desk.staff.legal, case_id).decisions[0].state is DecisionState.FINAL


def test_everything_but_revealing_works_without_scripts(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0))
    with signed_in(chromium, desk, desk.staff.reviewer, scripts=False) as (page, _):
        page.goto("/desk/queue")
        page.get_by_label("Kind").select_option("other")
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_role("button", name="Take the next case").click()
        expect(page.get_by_text("scripts have to be allowed")).to_be_visible()
        expect(page.get_by_role("button", name="Hold to show")).to_have_count(0)
        _fill(page, "no script")
        page.get_by_role("button", name="Decide").click()
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".meta .tag")).to_have_text("Open")
    states = [one.state for one in look(desk.kit, desk.staff.reviewer, case_id).decisions]
    assert states == [DecisionState.UNDONE]
