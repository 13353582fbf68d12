"""What is given back to exchanges: new signals wait here for a second person, and what was not taken is tried again."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.forms import form_of
from jikimi.doors.desk.page import go, page, translated
from jikimi.doors.desk.routing import Handler, Route, member
from jikimi.doors.desk.words import REFUSALS
from jikimi.doors.shared.errors import status_of
from jikimi.flows.propose import propose, settle, takers
from jikimi.flows.share import given, retry
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, ShareId
from jikimi.model.people import Permission, Person
from jikimi.model.share import ShareState
from jikimi.ports import Kit

PAGE = 50
_HERE = "/desk/shares"


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """The newest of what is given back."""
    return _page(kit, request, member(person))


def offer(kit: Kit, request: Request, person: Person | None) -> Response:
    """Propose what our banks hold of a case to an exchange."""
    said = form_of(request)
    return _done(
        kit, request, person, lambda who: propose(kit, who, CaseId(said.get("case", "")), said.get("exchange", ""))
    )


def agree(kit: Kit, request: Request, person: Person | None) -> Response:
    """Agree, as the second person."""
    return _done(kit, request, person, lambda who: settle(kit, who, _named(request), agrees=True))


def disagree(kit: Kit, request: Request, person: Person | None) -> Response:
    """Do not agree, as the second person."""
    return _done(kit, request, person, lambda who: settle(kit, who, _named(request), agrees=False))


def send_again(kit: Kit, request: Request, person: Person | None) -> Response:
    """Try again what was not taken."""
    return _done(kit, request, person, lambda who: retry(kit, who, _named(request)))


def _done(kit: Kit, request: Request, person: Person | None, does: Callable[[Person], object]) -> Response:
    try:
        does(member(person))
    except Refused as error:
        if error.code in ("share_unknown", "permission_missing"):
            raise
        return _page(kit, request, member(person), error)
    return go(_HERE)


def _page(kit: Kit, request: Request, person: Person, error: Refused | None = None) -> Response:
    said = request.query_params
    state = next((one for one in ShareState if one == said.get("state")), None)
    before = ShareId(said["before"]) if said.get("before") else None
    found = given(kit, person, limit=PAGE, before=before, state=state)
    more = {"state": state or "", "before": found.shares[-1].id} if len(found.shares) == PAGE else None
    return page(
        request,
        "shares.html",
        status=status_of(error) if error else 200,
        refusal=translated(request, REFUSALS.get(error.code, error.message)) if error else "",
        given=found,
        me=f"person:{person.id}",
        states=tuple(ShareState),
        state=state,
        takers=takers(kit) if Permission.BANKS in person.permissions else (),
        more=urlencode(more) if more else "",
    )


def _named(request: Request) -> ShareId:
    return ShareId(request.path_params["share_id"])


def _post(path: str, handler: Handler, rule: Permission = Permission.CONFIRM) -> Route:
    return Route(method="POST", path=_HERE + path, rule=rule, handler=handler)


ROUTES = (
    Route(method="GET", path=_HERE, rule=Permission.CONFIRM, handler=show),
    _post("/propose", offer, Permission.BANKS),
    _post("/{share_id}/approve", agree),
    _post("/{share_id}/refuse", disagree),
    _post("/{share_id}/retry", send_again),
)
