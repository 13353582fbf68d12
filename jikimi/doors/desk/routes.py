"""Every route of the desk with its rule, in one table. A route that is not here does not exist."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk import (
    assets,
    case,
    deliveries,
    entry,
    exchanges,
    me,
    overview,
    people,
    pictures,
    queue,
    shares,
    signin,
)
from jikimi.doors.desk.page import go
from jikimi.doors.desk.routing import Route, Rule
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit

_FIRST = {
    Permission.QUEUE: "/desk/queue",
    Permission.OVERVIEW: "/desk/overview",
    Permission.DELIVERIES: "/desk/deliveries",
}
"""Where a person lands: the first of these that they may see."""


def _home(kit: Kit, request: Request, person: Person | None) -> Response:
    if person is None:
        return go("/desk/signin")
    return go(next((path for permission, path in _FIRST.items() if permission in person.permissions), "/desk/me"))


_OWN = (
    Route(method="GET", path="/", rule=Rule.PUBLIC, handler=_home),
    Route(method="GET", path="/desk", rule=Rule.PUBLIC, handler=_home),
    Route(method="GET", path="/desk/", rule=Rule.PUBLIC, handler=_home),
    Route(method="GET", path="/desk/static/{name:path}", rule=Rule.PUBLIC, handler=assets.serve),
)
ROUTES: tuple[Route, ...] = (
    *_OWN,
    *signin.ROUTES,
    *me.ROUTES,
    *people.ROUTES,
    *queue.ROUTES,
    *case.ROUTES,
    *pictures.ROUTES,
    *entry.ROUTES,
    *overview.ROUTES,
    *deliveries.ROUTES,
    *shares.ROUTES,
    *exchanges.ROUTES,
)
