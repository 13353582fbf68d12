"""The desk in a real browser: the service in a thread, Debian's Chromium in front of it.

Every page that a test opens is watched: a violation of the content security policy, an error on the console or a
request to somewhere else fails the test, whatever it was about.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.doors.desk.app import build_desk
from jikimi.doors.desk.session import COOKIE
from jikimi.flows.session import begin_session
from jikimi.model.people import Person
from jikimi.model.signin import Proof, Visitor
from jikimi.ports import Kit
from scripts.desk_world import Staff, fill_banks, hire_all

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_WATCH = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class RunningClock:
    """A clock that runs, from a morning on, and can be moved ahead."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return MORNING + self._ahead + timedelta(seconds=time.monotonic() - self._began)

    def move(self, **step: float) -> None:
        self._ahead += timedelta(**step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A running desk with the people who work at it."""

    kit: Kit
    clock: RunningClock
    staff: Staff
    address: str


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


@contextmanager
def serving(kit: Kit) -> Iterator[str]:
    """Serve the desk from a thread; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(build_desk(kit), log_config=None, access_log=False, lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://localhost:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def open_desk(data: Path, database_url: str = "") -> Iterator[Desk]:
    """An installation with banks and people, and its desk."""
    settings = Settings.load(data=data, database_url=database_url or None, decode_workers=1)
    with open_kit(
        settings,
        structlog.wrap_logger(
            structlog.PrintLogger(),
            processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        ),
    ) as kit:
        clock = RunningClock()
        kit = replace(kit, clock=clock)
        fill_banks(kit, 1)
        staff = hire_all(kit)
        with serving(kit) as address:
            yield Desk(kit=kit, clock=clock, staff=staff, address=address)


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


def session_for(kit: Kit, person: Person) -> str:
    """Sign somebody in, without a browser; the secret of their cookie."""
    with kit.store.begin() as tx:
        return begin_session(kit, tx, person, Proof.PASSKEY, Visitor(address="", place="tests", secret="")).secret


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
    page = context.new_page()
    try:
        yield page, watch
        if scripts:
            watch.check(page)
        assert watch.wrong == []
    finally:
        context.close()


os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
