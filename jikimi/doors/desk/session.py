"""Who is asking: the person behind a session cookie, and the cookie itself.

The cookie holds a secret and nothing else. On https its name begins with `__Host-`, so that no other host can set it;
on http://localhost browsers do not all take such a cookie, so the name is plain there.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from jikimi.flows.session import signed
from jikimi.model.errors import Refused
from jikimi.model.people import Person
from jikimi.model.signin import Signed, Visitor
from jikimi.ports import Kit

COOKIE = "jikimi_session"
_STATE = "jikimi_visit"
_VISIT_SECONDS = 600
_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def person_of(kit: Kit, request: Request) -> Person | None:
    """The person who is signed in, or nobody."""
    try:
        return signed_of(kit, request).person
    except Refused:
        return None


def signed_of(kit: Kit, request: Request) -> Signed:
    """The person who is signed in, with their session; `Refused` if there is nobody."""
    if not isinstance(found := getattr(request.state, "signed", None), Signed):
        found = request.state.signed = signed(kit, _secret(kit, request))
    return found


def visitor_of(kit: Kit, request: Request) -> Visitor:
    """Where a request comes from."""
    return Visitor(
        address=request.client.host if request.client else "",
        place=_browser(request.headers.get("user-agent", "")),
        secret=_secret(kit, request),
    )


def let_in(kit: Kit, response: Response, by: Signed) -> Response:
    """Give the browser its cookie. It goes with requests that begin on our own pages only."""
    response.set_cookie(
        _name(kit, COOKIE), by.secret, path="/", secure=_is_secure(kit), httponly=True, samesite="strict"
    )
    return response


def let_go(kit: Kit, response: Response) -> Response:
    """Take the cookie away."""
    response.delete_cookie(_name(kit, COOKIE), path="/", secure=_is_secure(kit), httponly=True, samesite="strict")
    return response


def remember_visit(kit: Kit, response: Response, state: str) -> Response:
    """Mark the browser that was sent to the identity provider; this mark has to come back from another site."""
    response.set_cookie(
        _name(kit, _STATE), state, path="/", secure=_is_secure(kit), httponly=True, samesite="lax",
        max_age=_VISIT_SECONDS,
    )  # fmt: skip
    return response


def visit_of(kit: Kit, request: Request) -> str:
    """The state of the visit that this browser was sent on; empty if it was sent on none."""
    return request.cookies.get(_name(kit, _STATE), "")


def end_visit(kit: Kit, response: Response) -> Response:
    """Forget the visit."""
    response.delete_cookie(_name(kit, _STATE), path="/", secure=_is_secure(kit), httponly=True, samesite="lax")
    return response


def _secret(kit: Kit, request: Request) -> str:
    return request.cookies.get(_name(kit, COOKIE), "")


def _name(kit: Kit, name: str) -> str:
    return f"__Host-{name}" if _is_secure(kit) else name


def _is_secure(kit: Kit) -> bool:
    return kit.prover.origin.startswith("https://")


def _browser(untrusted_agent: str) -> str:
    """A browser in words: enough to recognise one's own, no more than that."""
    agent = untrusted_agent[:400]
    browser = next((name for mark, name in _BROWSERS if re.search(rf"{mark}\w*/", agent)), "Browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser
