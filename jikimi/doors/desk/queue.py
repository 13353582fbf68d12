"""The queue: what waits, the worst and the most urgent first. No picture is on it, and none behind a link of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.forms import form_of
from jikimi.doors.desk.page import go, page
from jikimi.doors.desk.routing import Route, member
from jikimi.flows.review import Filter, QueuePage, queue, take_next
from jikimi.model.bank import Category
from jikimi.model.case import CaseState, Origin
from jikimi.model.ids import CaseId
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit

_Value = TypeVar("_Value")
PAGE = 50
KINDS = tuple(kind for kind in Category if kind not in (Category.ALLOW, Category.CANARY))
STATES = (CaseState.OPEN, CaseState.PROPOSED, CaseState.APPEALED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of the queue somebody wants to see; `query` says it again in an address."""

    filter: Filter
    after: CaseId | None
    query: str


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """The page."""
    asked = asked_for(request.query_params)
    found = queue(kit, member(person), asked.filter, limit=PAGE, after=asked.after)
    return page(request, "queue.html", kinds=KINDS, states=STATES, **_values(request, asked, found))


def rows(kit: Kit, request: Request, person: Person | None) -> Response:
    """The rows alone, for a page that is open; nothing at all while they are what they were."""
    asked = asked_for(request.query_params)
    values = _values(request, asked, queue(kit, member(person), asked.filter, limit=PAGE, after=asked.after))
    if request.headers.get("if-none-match") == values["etag"]:
        return Response(status_code=304, headers={"ETag": values["etag"]})
    response = page(request, "queue_rows.html", **values)
    response.headers["ETag"] = values["etag"]
    return response


def next_case(kit: Kit, request: Request, person: Person | None) -> Response:
    """Take what comes first, and open it."""
    asked = asked_for(form_of(request))
    case = take_next(kit, member(person), asked.filter)
    return go(f"/desk/cases/{case.id}") if case else go(f"/desk/queue?{asked.query}")


def second(kit: Kit, request: Request, person: Person | None) -> Response:
    """What waits for a second person."""
    asked = Asked(filter=Filter(state=CaseState.PROPOSED), after=None, query="state=proposed")
    found = queue(kit, member(person), asked.filter, limit=PAGE)
    return page(request, "second.html", **_values(request, asked, found))


def asked_for(untrusted: Mapping[str, str]) -> Asked:
    """Read the filter; what is not understood is left out, so that an old address still shows something."""
    wanted = Filter(
        kind=_among(KINDS, untrusted.get("kind")),
        severity=_among((1, 2, 3, 4, 5), untrusted.get("severity")),
        origin=_among(tuple(Origin), untrusted.get("origin")),
        state=_among(STATES, untrusted.get("state")),
        mine=untrusted.get("mine") == "yes",
    )
    after = untrusted.get("after", "")
    return Asked(filter=wanted, after=CaseId(after) if after else None, query=urlencode(_said(wanted)))


def _among(values: tuple[_Value, ...], untrusted: str | None) -> _Value | None:
    return next((value for value in values if str(value) == untrusted), None)


def _said(wanted: Filter) -> dict[str, str]:
    names = ("kind", "severity", "origin", "state")
    said = {name: str(getattr(wanted, name)) for name in names if getattr(wanted, name) is not None}
    return said | ({"mine": "yes"} if wanted.mine else {})


def _values(request: Request, asked: Asked, found: QueuePage) -> dict[str, Any]:
    said = repr((found, asked.query, request.state.person))
    return {
        "found": found,
        "filter": asked.filter,
        "query": asked.query,
        "after": asked.after or "",
        "etag": f'"{hashlib.sha256(said.encode()).hexdigest()[:24]}"',
    }


ROUTES = (
    Route(method="GET", path="/desk/queue", rule=Permission.QUEUE, handler=show),
    Route(method="GET", path="/desk/queue/rows", rule=Permission.QUEUE, handler=rows),
    Route(method="POST", path="/desk/queue/next", rule=Permission.REVIEW, handler=next_case),
    Route(method="GET", path="/desk/second", rule=Permission.CONFIRM, handler=second),
)
