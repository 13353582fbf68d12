"""One's own page: language, kinds of harm one is never given, ways to sign in, places where one is signed in."""

from __future__ import annotations

from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.forms import all_of, form_of
from jikimi.doors.desk.page import go, page
from jikimi.doors.desk.routing import Route, Rule
from jikimi.doors.desk.say import options, refused, said
from jikimi.doors.desk.session import signed_of
from jikimi.doors.desk.signin import codes_page, prove_page
from jikimi.doors.shared.errors import status_of
from jikimi.flows import me, welcome
from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.people import NO_HARM, Person
from jikimi.ports import Kit

_HERE = "/desk/me"
_KINDS = tuple(kind for kind in Category if kind not in NO_HARM)


def _show(kit: Kit, request: Request, person: Person | None) -> Response:
    return _page(kit, request, None)


def _page(kit: Kit, request: Request, error: Refused | None) -> Response:
    return page(
        request,
        "me.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        mine=me.mine(kit, signed_of(kit, request)),
        kinds=_KINDS,
        zones=sorted(available_timezones()),
        handle=me.HANDLE,
        origin=kit.prover.origin,
    )


def _choose(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    try:
        me.choose(kit, signed_of(kit, request), form.get("language", ""), form.get("time_zone", ""))
    except Refused as error:
        return _page(kit, request, error)
    return go(_HERE)


def _opt_out(kit: Kit, request: Request, person: Person | None) -> Response:
    wanted = set(all_of(request, "kind"))
    me.opt_out(kit, signed_of(kit, request), [kind for kind in _KINDS if kind.value in wanted])
    return go(_HERE)


def _end_session(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        me.end_session(kit, signed_of(kit, request), form_of(request).get("session", ""))
    except Refused as error:
        return _page(kit, request, error)
    return go(_HERE)


def _ask_passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        return options(me.ask_passkey(kit, signed_of(kit, request)))
    except Refused as error:
        return refused(request, error)


def _add_passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    try:
        me.add_passkey(kit, signed_of(kit, request), form.get("answer", ""), form.get("label", ""))
    except Refused as error:
        return _page(kit, request, error)
    return go(_HERE)


def _remove_passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        me.remove_passkey(kit, signed_of(kit, request), welcome.token_bytes(form_of(request).get("passkey", "")))
    except Refused as error:
        return _after_proof(kit, request, error)
    return go(_HERE)


def _codes(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        setup = me.ask_codes(kit, signed_of(kit, request))
    except Refused as error:
        return _after_proof(kit, request, error)
    return codes_page(request, setup, "/desk/me/password", None)


def _password(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    token = form.get("token", "")
    try:
        recovery = me.set_password(kit, signed_of(kit, request), token, form.get("password", ""), form.get("code", ""))
    except Refused as error:
        if error.code in ("question_stale", "proof_stale"):
            return _after_proof(kit, request, error)
        return codes_page(request, welcome.again(kit, token), "/desk/me/password", error)
    return page(request, "recovery.html", codes=recovery, onward=_HERE)


def _after_proof(kit: Kit, request: Request, error: Refused) -> Response:
    """Ask for a fresh proof where that is what is missing."""
    return prove_page(kit, request, None, onward=_HERE) if error.code == "proof_stale" else _page(kit, request, error)


ROUTES: tuple[Route, ...] = (
    Route(method="GET", path=_HERE, rule=Rule.SIGNED_IN, handler=_show),
    Route(method="POST", path="/desk/me/choice", rule=Rule.SIGNED_IN, handler=_choose),
    Route(method="POST", path="/desk/me/kinds", rule=Rule.SIGNED_IN, handler=_opt_out),
    Route(method="POST", path="/desk/me/sessions/end", rule=Rule.SIGNED_IN, handler=_end_session),
    Route(method="POST", path="/desk/me/passkeys/ask", rule=Rule.SIGNED_IN, handler=_ask_passkey),
    Route(method="POST", path="/desk/me/passkeys", rule=Rule.SIGNED_IN, handler=_add_passkey),
    Route(method="POST", path="/desk/me/passkeys/remove", rule=Rule.SIGNED_IN, handler=_remove_passkey),
    Route(method="POST", path="/desk/me/codes", rule=Rule.SIGNED_IN, handler=_codes),
    Route(method="POST", path="/desk/me/password", rule=Rule.SIGNED_IN, handler=_password),
)
