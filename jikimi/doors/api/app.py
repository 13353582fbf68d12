"""The JSON application: routes, errors, and a description of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jikimi.doors.api import actions, appeals, banks, docs, exchanges, health, peers, records, reports, scan
from jikimi.doors.shared.errors import Problem, install
from jikimi.ports import Kit

_DESCRIPTION = """Check uploads against banks of known pictures.

Every answer that is an error is a problem (RFC 9457) with a `code`. Codes are stable; `detail` says what to do next.
A `503` means that nothing could be checked or stored: treat it as `unchecked`, never as `clear`."""

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": meaning}
    for status, meaning in {
        400: "Something about the request has to change.",
        401: "There is no valid key.",
        403: "The key does not open this.",
        404: "There is no such thing.",
        408: "The upload did not arrive completely.",
        409: "The name is taken.",
        410: "It is not there any more.",
        413: "The file is too large.",
        422: "The request does not have the right form.",
        503: "Nothing could be checked or stored at the moment.",
    }.items()
}


def build_api(kit: Kit, problems: Callable[[], dict[str, str]], version: str) -> FastAPI:
    """Build the application; `problems` names what keeps the service from being ready."""
    app = FastAPI(
        title="jikimi", version=version, description=_DESCRIPTION, docs_url=None, redoc_url=None, responses=_ERRORS
    )
    install(app, kit.log)
    app.include_router(health.routes(kit, problems))
    for part in (scan, banks, records, reports, actions, appeals, peers, exchanges):
        app.include_router(part.routes(kit))
    _describe_keys(app)
    docs.install(app)

    app.add_middleware(_NeverStored)
    return app


class _NeverStored:
    """Tells browsers and proxies to keep nothing of any answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = "no-store"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_marked if scope["type"] == "http" else send)


def _describe_keys(app: FastAPI) -> None:
    """Say in the description that every path but the two health checks wants a key."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        schema = plain()
        schema.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in ("/healthz", "/readyz") else [{"key": []}]
        return schema

    app.openapi = described  # type: ignore[method-assign]
