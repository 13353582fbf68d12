"""A script in any text that comes from outside neither runs nor breaks a page."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from jikimi.flows.bank import create_bank
from jikimi.flows.review import note, take
from jikimi.model.bank import BankPolicy, Category, OnMatch
from scripts.desk_world import known_picture, upload
from tests.browser.conftest import signed_in
from tests.doors.desk import Desk

_MARKS = (
    "<script>globalThis.ran = 1</script>",
    "\"><img src=x onerror='globalThis.ran = 1'>",
    "'><svg onload=globalThis.ran=1>",
    "</textarea><script>globalThis.ran = 1</script>",
    "<div hx-get=/desk/queue hx-trigger=load>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:globalThis.ran=1",
    "%(number)s %s %",
    "\u202e한글 \ud7ff",
)


def test_scripts_in_strings_are_text(desk: Desk, chromium: Browser) -> None:
    for mark in _MARKS:
        case_id = upload(desk.kit, known_picture(3, 0), account=mark, content=mark, name=mark, url=mark)
        note(desk.kit, desk.staff.reviewer, case_id, mark)
    create_bank(
        desk.kit,
        "cli:tests",
        BankPolicy(name="hostile", category=Category.OTHER, on_match=OnMatch.HOLD, source=_MARKS[0], note=_MARKS[1]),
    )
    take(desk.kit, desk.staff.reviewer, case_id)
    with signed_in(chromium, desk, desk.staff.reviewer) as (page, watch):
        for path in ("/desk/queue", f"/desk/cases/{case_id}"):
            page.goto(path)
            assert page.evaluate("globalThis.ran") is None
            watch.check(page)
        for mark in _MARKS:
            expect(page.locator("main")).to_contain_text(" ".join(mark.split()))
        expect(page.locator("[hx-get]")).to_have_count(0)
        expect(page.locator("main img")).to_have_count(0)
        page.get_by_label("Other harm").check()
        page.get_by_label("Suspend the account").check()
        page.locator("[data-key=note]").fill(_MARKS[3])
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_text("It can be undone until")).to_be_visible()
        expect(page.locator("#decisions + .one .quote")).to_have_text(_MARKS[3])
        assert page.evaluate("globalThis.ran") is None


def test_injected_markup_is_inert_even_where_escaping_failed(desk: Desk, chromium: Browser) -> None:
    """The second wall: a script or an htmx attribute without this answer's nonce does nothing."""
    expected = ("Content Security Policy", "TrustedHTML", "hx-csp", "Trusted")
    with signed_in(chromium, desk, desk.staff.reviewer, expected=expected) as (page, _):
        page.goto("/desk/queue")
        assert (
            page.evaluate(
                "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'written'; }"
                " catch { return 'refused'; } })()"
            )
            == "refused"
        )
        page.evaluate(
            "(() => { const script = document.createElement('script');"
            "try { script.textContent = 'globalThis.ran = 1'; document.body.append(script); } catch {} })()"
        )
        assert page.evaluate("globalThis.ran") is None
        page.evaluate("globalThis.violations = []")
