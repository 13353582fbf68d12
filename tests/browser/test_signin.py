"""Signing in as people do it: a real Chromium, with its virtual authenticator where a passkey is asked for."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from jikimi.app import make_log, open_kit
from jikimi.config import Settings
from jikimi.doors.desk.app import build_desk
from jikimi.flows import people
from jikimi.model.people import Role
from jikimi.model.signin import Operator
from jikimi.ports import Kit
from jikimi.testing.oidc import ProviderSimulator

PASSWORD = "heron under the seventh bridge"
_WATCH = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class MovedClock:
    """The time of day, and what it was moved ahead by."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A running desk that nobody has signed in to yet."""

    kit: Kit
    clock: MovedClock
    address: str

    def first_link(self) -> str:
        link = people.first_link(self.kit)
        assert link is not None
        return link.address


@contextmanager
def open_door(data: Path, **given: Any) -> Iterator[Door]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        settings = Settings.load(data=data, port=listening.getsockname()[1], decode_workers=1, **given)
        with open_kit(settings, make_log(settings)) as kit:
            clock = MovedClock()
            kit = replace(kit, clock=clock)
            server = uvicorn.Server(uvicorn.Config(build_desk(kit), log_config=None, access_log=False, lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield Door(kit=kit, clock=clock, address=settings.origin)
            finally:
                server.should_exit = True
                thread.join()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_door(tmp_path / "data") as door:
        yield door


@contextmanager
def browser_of(chromium: Browser, *, language: str = "en", scripts: bool = True) -> Iterator[Page]:
    """One person's browser; nothing in it may break the content security policy."""
    context = chromium.new_context(locale=language, java_script_enabled=scripts)
    context.add_init_script(_WATCH)
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    page = context.new_page()
    try:
        yield page
        if scripts:
            assert page.evaluate("globalThis.violations") == []
        assert wrong == []
    finally:
        context.close()


def give_authenticator(context: BrowserContext, page: Page, *, verifies: bool = True) -> None:
    """Plug in a virtual authenticator whose owner is always there."""
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": verifies,
                "automaticPresenceSimulation": True,
            }
        },
    )


def begin_with_passkey(page: Page, link: str, name: str) -> None:
    give_authenticator(page.context, page)
    page.goto(link)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url(re.compile(r"/desk/(?!welcome)"))


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/desk/signin")


def cookie_of(page: Page) -> dict[str, Any]:
    (cookie,) = (one for one in page.context.cookies() if one["name"].endswith("jikimi_session"))
    return dict(cookie)


def accessible(page: Page) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_the_first_link_makes_an_administrator_who_signs_in_with_a_passkey(door: Door, chromium: Browser) -> None:
    link = door.first_link()
    with browser_of(chromium) as page:
        begin_with_passkey(page, link, "Ada")
        cookie = cookie_of(page)
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
        sign_out(page)
        assert [one for one in page.context.cookies() if one["value"] == cookie["value"]] == []
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(re.compile(r"/desk/(?!signin)"))
        assert cookie_of(page)["value"] != cookie["value"]
        assert people.named(door.kit, "ada").roles == {Role.ADMINISTRATOR, Role.LEAD}
    with browser_of(chromium) as page:
        answer = page.goto(link)
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_text("link_unknown")).to_be_visible()


def test_password_and_app_without_a_passkey_and_without_scripts(door: Door, chromium: Browser) -> None:
    with browser_of(chromium, scripts=False) as page:
        page.goto(door.first_link())
        expect(page.get_by_role("button", name="Create a passkey")).not_to_be_visible()
        page.get_by_label("Name").fill("김지수")
        page.get_by_role("button", name="Use a password and an authenticator app").click()
        secret = page.locator("code.mono").inner_text()
        page.get_by_role("textbox", name="Code").fill("000000")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        expect(page.get_by_role("alert")).to_contain_text("six digits")
        page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).at(door.clock()))
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        recovery = page.locator("#recovery li").all_inner_texts()
        assert len(recovery) == 10
        page.get_by_role("link", name="I have written them down").click()
        sign_out(page)

        def type_in(code: str, password: str = PASSWORD) -> None:
            page.get_by_label("Name").fill("김지수")
            page.get_by_label("Password").fill(password)
            page.get_by_role("textbox", name="Code").fill(code)
            page.get_by_role("button", name="Sign in with a password").click()

        door.clock.ahead += timedelta(seconds=31)
        type_in(pyotp.TOTP(secret).at(door.clock()), password="not the one that was set")
        expect(page.get_by_role("alert")).to_contain_text("does not fit together")
        expect(page.get_by_label("Name")).to_have_value("김지수")
        type_in(pyotp.TOTP(secret).at(door.clock()))
        page.wait_for_url(re.compile(r"/desk/(?!signin)"))
        sign_out(page)
        type_in(recovery[0])
        page.wait_for_url(re.compile(r"/desk/(?!signin)"))


def test_an_administrator_invites_and_a_colleague_comes_in(door: Door, chromium: Browser) -> None:
    with browser_of(chromium) as page:
        begin_with_passkey(page, door.first_link(), "Ada")
        page.goto(f"{door.address}/desk/people")
        door.clock.ahead += timedelta(minutes=11)
        page.get_by_label("Whom it is for").fill("Bob <b>from</b> Seoul")
        page.get_by_label("Reviewer", exact=False).first.check()
        page.get_by_role("button", name="Make a one-time link").click()
        # The proof is too old: it is asked for again, and nothing was done.
        page.get_by_role("button", name="Use your passkey").click()
        page.wait_for_url("**/desk/people")
        page.get_by_label("Whom it is for").fill("Bob <b>from</b> Seoul")
        page.get_by_label("Reviewer", exact=False).first.check()
        page.get_by_role("button", name="Make a one-time link").click()
        link = page.get_by_label("One-time link").input_value()
        expect(page.get_by_role("cell", name="Bob <b>from</b> Seoul")).to_be_visible()
        accessible(page)
        with browser_of(chromium) as other:
            begin_with_passkey(other, link, "Bob")
            other.goto(f"{door.address}/desk/me")
            other.get_by_label("Terrorism").check()
            other.get_by_role("button", name="Save").first.click()
            expect(other.get_by_label("Terrorism")).to_be_checked()
            accessible(other)
            page.goto(f"{door.address}/desk/people")
            card = page.locator("section.card", has=page.get_by_role("heading", name="Bob"))
            card.get_by_text("Change", exact=True).click()
            card.get_by_role("button", name="Disable").click()
            expect(card.get_by_text("disabled")).to_be_visible()
            other.goto(f"{door.address}/desk/me")
            expect(other).to_have_url(re.compile("/desk/signin"))


def test_one_more_passkey_and_a_session_elsewhere_that_is_ended(door: Door, chromium: Browser) -> None:
    with browser_of(chromium) as page:
        begin_with_passkey(page, door.first_link(), "Ada")
        people.new_link(door.kit, Operator(actor="cli:tester"), people.named(door.kit, "Ada").id)
        page.goto(f"{door.address}/desk/me")
        expect(page.get_by_role("button", name="Remove", exact=False)).to_have_count(1)
        page.get_by_label("What you will recognise it by").fill("Blue key")
        page.get_by_role("button", name="Add a passkey").click()
        # The authenticator holds one already and says so; the page stays as it is.
        expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("Try again")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_pages_before_signing_in_are_accessible(door: Door, chromium: Browser, language: str) -> None:
    with browser_of(chromium, language=language) as page:
        page.set_viewport_size({"width": 320, "height": 800})
        for path in (f"{door.address}/desk/signin", door.first_link()):
            page.goto(path)
            expect(page.locator("html")).to_have_attribute("lang", language)
            assert page.evaluate("document.documentElement.scrollWidth <= 320")
            accessible(page)


def test_an_authenticator_that_verifies_nobody_is_not_enough(door: Door, chromium: Browser) -> None:
    with browser_of(chromium) as page:
        give_authenticator(page.context, page, verifies=False)
        page.goto(door.first_link())
        page.get_by_label("Name").fill("Ada")
        page.get_by_role("button", name="Create a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("Try again")


def test_under_another_name_the_page_says_where_passkeys_work(door: Door, chromium: Browser) -> None:
    with browser_of(chromium) as page:
        page.goto(door.address.replace("localhost", "127.0.0.1") + "/desk/signin")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text(door.address)


def test_the_identity_provider_lets_in_whom_a_link_has_bound(tmp_path: Path, chromium: Browser) -> None:
    with ProviderSimulator() as provider:
        secret = tmp_path / "secret"
        secret.write_text(provider.client_secret)
        given = {
            "oidc_issuer": provider.issuer,
            "oidc_client_id": provider.client_id,
            "oidc_client_secret_file": secret,
            "oidc_name": "Example ID",
        }
        with open_door(tmp_path / "data", **given) as door, browser_of(chromium) as page:
            page.goto(f"{door.address}/desk/signin")
            page.get_by_role("button", name="Sign in through Example ID").click()
            expect(page.get_by_role("alert")).to_contain_text("nobody has invited you")
            page.goto(door.first_link())
            page.get_by_label("Name").fill("Ada")
            page.get_by_role("button", name="Use Example ID").click()
            page.wait_for_url(re.compile(r"/desk/(?!welcome|signin)"))
            sign_out(page)
            page.get_by_role("button", name="Sign in through Example ID").click()
            page.wait_for_url(re.compile(r"/desk/(?!signin)"))
            assert cookie_of(page)["sameSite"] == "Strict"
