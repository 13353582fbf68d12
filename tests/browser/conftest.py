"""The desk in a real browser: the service in a thread, Debian's Chromium in front of it.

Every page that a test opens is watched: a violation of the content security policy, an error on the console or a
request to somewhere else fails the test, whatever it was about.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from jikimi.doors.desk.session import COOKIE
from jikimi.model.people import Person
from tests.doors.desk import Desk, open_desk, session_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_WATCH = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@dataclass(kw_only=True)
class Watch:
    """What went wrong on the pages of one browser."""

    address: str
    wrong: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def over(self, context: BrowserContext) -> None:
        """Watch every page of a browser."""
        context.add_init_script(_WATCH)
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "about:")):
            self.wrong.append(f"request to elsewhere: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        is_expected = any(part in message.text for part in self.expected)
        if message.type in ("error", "warning") and not is_expected:
            self.wrong.append(f"console: {message.text}")

    def check(self, page: Page) -> None:
        """Fail if anything was wrong by now."""
        assert page.evaluate("globalThis.violations") == []
        assert self.wrong == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser; without one it is skipped, and counted as that."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(240))
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="no Chromium: install Debian's package chromium"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path / "data") as desk:
        yield desk


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def signed_in(
    browser: Browser,
    desk: Desk,
    person: Person | None,
    *,
    width: int = 1280,
    scheme: str = "light",
    scripts: bool = True,
    expected: tuple[str, ...] = (),
) -> Iterator[tuple[Page, Watch]]:
    """A page of somebody's browser, watched until the end of the block."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
        locale="en-GB",
        base_url=desk.address,
    )
    if person is not None:
        context.add_cookies([{"name": COOKIE, "value": session_for(desk.kit, person), "url": desk.address}])
    watch = Watch(address=desk.address, expected=expected)
    watch.over(context)
    context.set_default_timeout(20_000)
    page = context.new_page()
    try:
        yield page, watch
        if scripts:
            watch.check(page)
        assert watch.wrong == []
    finally:
        context.close()
