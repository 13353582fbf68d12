"""From the upload to the platform and back: real service, real browsers, the receiver of the examples."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_signin import begin_with_passkey, browser_of, sign_out
from tests.docs.test_examples import JIKIMI, jikimi, printing_address, receiver


def test_two_people_decide_the_platform_acts_and_one_takes_it_back(tmp_path: Path, chromium: Browser) -> None:
    data = tmp_path / "data"
    environment = {
        **os.environ,
        "JIKIMI_WEBHOOK_KEYS": jikimi(data, "webhook", "keys"),
        "RECEIVER_DATABASE": str(tmp_path / "receiver.db"),
    }
    with receiver(tmp_path / "printed", environment) as (url, done):
        service = [*JIKIMI, "up", "--demo", "--port", "0", "--data", str(data)]
        with (
            printing_address(service, {**os.environ, "JIKIMI_WEBHOOK_URL": url}) as address,
            browser_of(chromium) as ada,
            browser_of(chromium) as ben,
        ):
            desk = f"http://localhost:{urlsplit(address).port}"
            case_id = _upload(address, data)

            begin_with_passkey(ada, _link(desk, jikimi(data, "person", "invite", "--role", "lead")), "Ada")
            sign_out(ada)
            ada.get_by_role("button", name="Sign in with a passkey").click()
            ada.wait_for_url("**/desk/queue")
            _propose_by_keyboard(ada, case_id)

            begin_with_passkey(ben, _link(desk, jikimi(data, "person", "invite", "--role", "lead")), "Ben")
            assert done() == [], "nothing is told before the second person has agreed"
            ben.goto(f"{desk}/desk/second")
            _open_first(ben, case_id)
            ben.keyboard.press("d")
            expect(ben.locator(".meta .tag")).to_have_text("Decided")
            _soon(lambda: _said(done) == ["take down demo-1"])

            ben.keyboard.press("u")
            expect(ben.locator(".meta .tag").first).to_have_text("Open")
            _soon(lambda: _said(done) == ["take down demo-1", "show again demo-1"])


def _upload(address: str, data: Path) -> str:
    """The demonstration's altered picture arrives under the platform's name for it."""
    _soon(lambda: urllib3.request("GET", f"{address}/readyz").status == 200)
    key = (data / "demo" / "key").read_text().strip()
    picture = (data / "demo" / "altered.jpg").read_bytes()
    asked = f"{address}/v1/scan?content_id=demo-1&account_id=user-1"
    answer = urllib3.request("POST", asked, body=picture, headers={"Authorization": f"Bearer {key}"}).json()
    assert answer["verdict"] == "block"
    return str(answer["case_id"])


def _link(desk: str, told: str) -> str:
    """A one-time link as the command tells it, at the port where the desk really is."""
    found = re.search(r"/desk/welcome/[0-9a-f]+", told)
    assert found, told
    return desk + found.group()


def _open_first(page: Page, case_id: str) -> None:
    page.keyboard.press("j")
    expect(page.locator("[data-row]:focus")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/desk/cases/{case_id}")


def _propose_by_keyboard(page: Page, case_id: str) -> None:
    """No mouse from the queue to the decision; adding to a bank wants a second person."""
    _open_first(page, case_id)
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Hand over")).to_be_visible()
    page.keyboard.press("6")
    page.keyboard.press("x")
    page.get_by_text("More: bank, legal hold").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Add the contents to a bank").focus()
    page.keyboard.press("d")  # in a list a letter chooses: the bank is called demo
    expect(page.get_by_label("Add the contents to a bank")).to_have_value("demo")
    page.get_by_role("button", name="Decide").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("somebody else has to agree to it")).to_be_visible()


def _said(done: Callable[[], list[str]]) -> list[str]:
    return [line.partition(" because ")[0] for line in done()]


def _soon(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)
