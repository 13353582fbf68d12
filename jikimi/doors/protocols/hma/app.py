"""HMA's HTTP API as an application: for each request the key is read, the body taken, a route's function called.

Some callers have a base address that ends in a slash, so that their paths begin with two; slashes that repeat are one.
Nothing about the work is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from anyio import CapacityLimiter, to_thread
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from jikimi.doors.protocols.hma.errors import answer_of, install
from jikimi.doors.protocols.hma.requests import read_body
from jikimi.doors.protocols.hma.routes import ROUTES
from jikimi.doors.protocols.hma.routing import Body, Call, Route, Takes
from jikimi.doors.protocols.hma.service import Here
from jikimi.doors.protocols.hma.write import response_of
from jikimi.doors.shared.auth import authorised
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.hma import HmaRules
from jikimi.ports import Kit

_FILES_AT_ONCE = 64
_SLASHES = re.compile("/{2,}")
NOBODY = "hma"
"""Who acts where no key is asked for."""


def build_hma(kit: Kit, rules: HmaRules, problems: Callable[[], dict[str, str]]) -> ASGIApp:
    """Build the application; `problems` names what keeps the service from being ready."""
    here = Here(kit=kit, rules=rules, problems=problems)
    files = CapacityLimiter(_FILES_AT_ONCE)
    routes = [Path(route.path, _endpoint(here, route, files), methods=[route.method]) for route in ROUTES]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    install(app, kit.log)
    return app


def beside_hma(hma: ASGIApp, others: ASGIApp, *, port: int, prefix: str) -> ASGIApp:
    """HMA's API on its own port, or below a prefix on the others' (0 and empty: not there), and all else as before."""

    async def front(scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await others(scope, receive, send)
            return
        path = _SLASHES.sub("/", scope["path"])
        if port and (scope.get("server") or ("", 0))[1] == port:
            await hma({**scope, "path": path}, receive, send)
        elif prefix and (path == prefix or path.startswith(f"{prefix}/")):
            await hma({**scope, "path": path[len(prefix) :] or "/", "hma_prefix": prefix}, receive, send)
        else:
            await others(scope, receive, send)

    return front


def _endpoint(here: Here, route: Route, files: CapacityLimiter) -> Callable[[Request], Awaitable[Response]]:
    limiter = files if route.takes in (Takes.FILE, Takes.CONTENT) else None

    async def answer(request: Request) -> Response:
        body = Body()
        try:
            actor = await to_thread.run_sync(_actor, here, route, request)
            body = await read_body(here.kit, request, route.takes)
            call = _call(here, actor, request, body)
            return response_of(await to_thread.run_sync(route.answer, call, limiter=limiter))
        except (JikimiError, ValidationError) as error:
            return answer_of(error, here.kit.log, request.url.path)
        finally:
            if body.file is not None:
                body.file.close()

    return answer


def _call(here: Here, actor: str, request: Request, body: Body) -> Call:
    return Call(
        here=here,
        actor=actor,
        path=request.path_params,
        query=dict(request.query_params),
        body=body,
        prefix=request.scope.get("hma_prefix", ""),
    )


def _actor(here: Here, route: Route, request: Request) -> str:
    if not route.scopes:
        return NOBODY
    if here.rules.needs_key:
        return authorised(here.kit, request, *route.scopes).name
    _check_no_page(request)
    return NOBODY


def _check_no_page(request: Request) -> None:
    """Where no key is asked for, any page that somebody opens on this machine could reach us through the browser."""
    site = request.headers.get("sec-fetch-site", "none")
    if site != "none" or "origin" in request.headers:
        raise Refused("cross_site", "This is for programs, not for pages in a browser; with hma_key, both can ask.")
