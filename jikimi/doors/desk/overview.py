"""The lead's page: what is due and stuck, how much and how fast, and what people were exposed to in total."""

from __future__ import annotations

from datetime import timedelta

from babel.dates import format_date
from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.language import Clockwork, language_of
from jikimi.doors.desk.page import page
from jikimi.doors.desk.plots import plot
from jikimi.doors.desk.routing import Route, member
from jikimi.flows.enforce import outbox
from jikimi.flows.exchange import vital_signs
from jikimi.flows.expose import totals
from jikimi.flows.overview import overview
from jikimi.model.exchange import NEED_ATTENTION
from jikimi.model.overview import STEPS
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """The page."""
    found = overview(kit, member(person))
    language = language_of(request, person)
    dates = [format_date(day.day, "MMMd" if language == "en" else "M/d", locale=language) for day in found.days]
    return page(
        request,
        "overview.html",
        found=found,
        outbox=outbox(kit),
        unwell=[sign for sign in vital_signs(kit) if sign.health in NEED_ATTENTION],
        volumes=plot([day.opened for day in found.days], dates, [day.decided for day in found.days]),
        times=plot(found.times.counts, _classes(Clockwork(language, person))),
        classes=_classes(Clockwork(language, person)),
        dates=dates,
        totals=sorted(totals(kit, member(person)), key=lambda total: total.name),
    )


def _classes(clock: Clockwork) -> list[str]:
    """The classes of times in words: up to each step, then beyond the last."""
    return [f"< {_length(clock, step)}" for step in STEPS] + [f"> {_length(clock, STEPS[-1])}"]


def _length(clock: Clockwork, step: timedelta) -> str:
    return clock.span(step)


ROUTES = (Route(method="GET", path="/desk/overview", rule=Permission.OVERVIEW, handler=show),)
