"""Pages for when something is in the way: what happened, what to do next, and nothing that was written is lost."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.page import go, page, translated
from jikimi.doors.desk.words import REFUSALS
from jikimi.doors.shared.errors import problem, status_of
from jikimi.model.errors import Broken, JikimiError, Refused, Unavailable
from jikimi.ports import Kit

_WELCOME = "/desk/welcome/"
_FREE_TEXT = ("note", "text", "reason")
"""Fields that somebody may have spent an hour on."""


def trouble(kit: Kit, request: Request, error: Exception) -> Response:
    """Say what is in the way."""
    if not isinstance(error, JikimiError):
        kit.log.error("request_fault", path=_logged(request.url.path), fault=repr(error), exc_info=error)
        error = Broken("fault", "Something of ours went wrong; nothing was stored. It is in the service's log.")
    elif isinstance(error, Broken | Unavailable):
        kit.log.error("request_failed", path=_logged(request.url.path), code=error.code, detail=error.detail)
    response = (
        _page(request, error)
        if not _is_program(request)
        else problem(status_of(error), error.code, _said(request, error))
    )
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _logged(path: str) -> str:
    """A path as it may stand in the log: one-time links are secrets."""
    return f"{_WELCOME}…" if path.startswith(_WELCOME) else path


def turned_away(request: Request) -> Response:
    """Send a stranger to the door; one who had written something gets it back first."""
    if request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return go(f"/desk/signin?next={quote(here, safe='')}")
    return _page(request, Refused("signed_out", "You are signed out; sign in again, then repeat this."))


def _is_program(request: Request) -> bool:
    """Tell whether a script of ours is asking, which wants a sentence and no page."""
    return request.headers.get("accept", "").startswith("application/json")


def _said(request: Request, error: JikimiError) -> str:
    known = REFUSALS.get(error.code)
    return translated(request, known) if known else error.message


def _page(request: Request, error: JikimiError) -> Response:
    status = status_of(error)
    return page(
        request,
        "trouble.html",
        status=status,
        title=HTTPStatus(status).phrase,
        code=error.code,
        message=error.message,
        known=translated(request, text) if (text := REFUSALS.get(error.code)) else "",
        kept=[text for name in _FREE_TEXT if (text := request.state.form.get(name, "").strip())],
        is_ours=not isinstance(error, Refused),
    )
