"""The desk as an application: for each request the origin is proven, the person found, the rule kept, a handler called.

What a handler raises becomes a page that says what to do next. Nothing about the work is decided here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from jikimi.doors.desk.forms import read_form
from jikimi.doors.desk.routes import ROUTES
from jikimi.doors.desk.routing import Route, Rule
from jikimi.doors.desk.session import person_of
from jikimi.doors.desk.trouble import trouble, turned_away
from jikimi.doors.shared.csp import protect
from jikimi.doors.shared.same_origin import check_same_origin
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.people import Permission, allow
from jikimi.ports import Kit


def build_desk(kit: Kit, routes: Sequence[Route] = ROUTES) -> ASGIApp:
    """Build the application from the table of routes."""
    return Starlette(
        routes=[Path(route.path, _endpoint(kit, route), methods=[route.method]) for route in routes],
        exception_handlers={HTTPException: _not_found(kit)},
    )


def beside(desk: ASGIApp, api: ASGIApp) -> ASGIApp:
    """Both behind one address: the desk has `/` and everything under `/desk`, the API all else."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_desk = scope["type"] == "http" and (path in ("/", "/desk") or path.startswith("/desk/"))
        await (desk if is_desk else api)(scope, receive, send)

    return front


def _endpoint(kit: Kit, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        _prepare(kit, request)
        try:
            if request.method not in ("GET", "HEAD"):
                check_same_origin(request)
            await read_form(request)
            response = await run_in_threadpool(_answer, kit, route, request)
        except JikimiError as error:
            response = trouble(kit, request, error)
        except Exception as fault:  # noqa: BLE001 - whatever it was, the reader gets a page and the log the reason
            response = trouble(kit, request, fault)
        protect(response.headers)
        return response

    return answer


def _answer(kit: Kit, route: Route, request: Request) -> Response:
    person = None if request.url.path.startswith("/desk/static/") else person_of(kit, request)
    request.state.person = person
    if route.rule is Rule.PUBLIC:
        return route.handler(kit, request, person)
    if person is None:
        return turned_away(request)
    if isinstance(route.rule, Permission):
        allow(person, route.rule)
    return route.handler(kit, request, person)


def _prepare(kit: Kit, request: Request) -> None:
    request.state.person = None
    request.state.now = kit.clock()
    request.state.form = {}
    request.state.fields = []


def _not_found(kit: Kit) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        _prepare(kit, request)
        assert isinstance(error, HTTPException)
        with suppress(JikimiError):
            request.state.person = await run_in_threadpool(person_of, kit, request)
        code = "method_not_allowed" if error.status_code == 405 else "path_unknown"
        response = trouble(kit, request, Refused(code, "There is no page here."))
        protect(response.headers)
        return response

    return answer
