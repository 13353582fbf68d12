"""A case is decided by keyboard alone, under a Korean layout too, and `?` says how."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from jikimi.flows.review import look
from jikimi.model.action import Verb
from jikimi.model.decision import Label
from scripts.desk_world import known_picture, upload
from tests.browser.conftest import signed_in
from tests.doors.desk import Desk


def test_from_the_queue_to_a_decision_without_a_mouse(desk: Desk, chromium: Browser) -> None:
    case_id = upload(desk.kit, known_picture(3, 0), account="user-7")
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.goto("/desk/queue")
        page.keyboard.press("j")
        expect(page.locator("[data-row]:focus")).to_have_count(1)
        page.keyboard.press("Enter")
        page.wait_for_url("**/desk/cases/*")
        page.keyboard.press("t")
        expect(page.get_by_role("button", name="Hand over")).to_be_visible()
        page.keyboard.press("6")
        page.keyboard.press("x")
        page.keyboard.press("c")
        page.keyboard.type("a known picture; n, t and 1 are letters here")
        page.keyboard.press("Escape")
        page.keyboard.press("d")
        expect(page.get_by_text("It can be undone until")).to_be_visible()
    decision = look(desk.kit, desk.staff.reviewer, case_id).decisions[0]
    assert (decision.choice.label, decision.choice.verb) == (Label.OTHER, Verb.REMOVE)
    assert decision.choice.note == "a known picture; n, t and 1 are letters here"
    assert decision.seen == ()


def test_keys_are_places_whatever_letters_they_type(desk: Desk, chromium: Browser) -> None:
    upload(desk.kit, known_picture(3, 0))
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.goto("/desk/queue")
        # ㅓ and ㅜ are what the keys J and N type in Korean.
        for code, letter in (("KeyJ", "ㅓ"), ("KeyN", "ㅜ")):
            page.evaluate(
                "([code, key]) => document.activeElement.dispatchEvent("
                "new KeyboardEvent('keydown', {code, key, bubbles: true, cancelable: true}))",
                [code, letter],
            )
        page.wait_for_url("**/desk/cases/*")


def test_the_list_of_keys_is_complete_and_can_switch_them_off(desk: Desk, chromium: Browser) -> None:
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, _):
        page.goto("/desk/queue")
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        texts = [text.strip() for text in dialog.locator("dd").all_inner_texts()]
        assert len(texts) == 17
        assert "undefined" not in texts
        page.get_by_label("Single keys are on").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        expect(page).to_have_url(f"{desk.address}/desk/queue")
