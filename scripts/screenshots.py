"""Take the pictures of the documentation: `python -m scripts.screenshots`. Needs Chromium, and a minute or two.

A small world of generated pictures is filled through the flows; then each page is opened in both languages and widths.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.doors.desk.session import COOKIE
from jikimi.flows.review import take
from jikimi.model.people import Person
from jikimi.ports import Kit
from jikimi.testing.ncmec import Ncmec
from jikimi.testing.stopncii import StopNcii
from scripts.desk_world import Staff, connect, fill_banks, hire_all, live_a_month
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.doors.desk import plain_log, serving, session_for

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
EVENING = datetime(2026, 11, 23, 11, 40, tzinfo=UTC)
WIDTHS = {"wide": 1280, "narrow": 360}
ZONES = {"en": "UTC", "ko": "Asia/Seoul"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One page to take: its file's name, where it is, who looks."""

    name: str
    path: str
    person: Person | None
    scheme: str = "light"


def main() -> None:
    """Take all of them, or those whose names begin with an argument."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        _world(Path(folder)) as (kit, staff),
        serving(kit) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for language in ZONES:
            _speak(kit, staff, language)
            for shot in _shots(kit, staff):
                if not sys.argv[1:] or shot.name.startswith(tuple(sys.argv[1:])):
                    _take(browser, kit, address, shot, language)
        browser.close()


@contextmanager
def _world(folder: Path) -> Iterator[tuple[Kit, Staff]]:
    settings = Settings.load(data=folder / "data", decode_workers=1)
    with open_kit(settings, plain_log()) as kit:
        kit = replace(kit, clock=lambda: EVENING)
        fill_banks(kit)
        staff = hire_all(kit)
        live_a_month(kit, staff, EVENING)
        with Ncmec(clock=EVENING.timestamp) as ncmec, StopNcii(clock=EVENING.timestamp) as stopncii:
            connect(kit, ncmec, stopncii)
        yield kit, staff


def _shots(kit: Kit, staff: Staff) -> Iterator[Shot]:
    with kit.store.read() as tx:
        case = tx.census.due(EVENING, 2)[-1]
    take(kit, staff.reviewer, case.id)
    path = f"/desk/cases/{case.id}"
    for scheme, name in (("light", ""), ("dark", "-dark")):
        yield Shot(name=f"queue{name}", path="/desk/queue", person=staff.reviewer, scheme=scheme)
        yield Shot(name=f"case{name}", path=path, person=staff.reviewer, scheme=scheme)
    yield Shot(name="overview", path="/desk/overview", person=staff.lead)
    yield Shot(name="exchanges", path="/desk/exchanges", person=staff.lead)
    yield Shot(name="exchange-new", path="/desk/exchanges/new?kind=ncmec", person=staff.lead)
    yield Shot(name="signin", path="/desk/signin", person=None)


def _speak(kit: Kit, staff: Staff, language: str) -> None:
    with kit.store.begin() as tx:
        for person in (staff.reviewer, staff.lead):
            tx.people.update(replace(person, language=language, time_zone=ZONES[language]))


def _take(browser: Browser, kit: Kit, address: str, shot: Shot, language: str) -> None:
    for size, width in WIDTHS.items():
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if shot.scheme == "dark" else "light",
            base_url=address,
            locale="ko-KR" if language == "ko" else "en-GB",
        )
        if shot.person is not None:
            context.add_cookies([{"name": COOKIE, "value": session_for(kit, shot.person), "url": address}])
        page = context.new_page()
        page.goto(shot.path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / f"{shot.name}-{language}-{size}.png", full_page=True)
        context.close()


if __name__ == "__main__":
    main()
