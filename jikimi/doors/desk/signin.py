"""Pages for signing in and out, for one-time links, and for proving again that it is you."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.forms import form_of
from jikimi.doors.desk.language import language_of
from jikimi.doors.desk.page import go, page
from jikimi.doors.desk.routing import Route, Rule
from jikimi.doors.desk.say import options, refused, said
from jikimi.doors.desk.session import (
    end_visit,
    let_go,
    let_in,
    remember_visit,
    signed_of,
    visit_of,
    visitor_of,
)
from jikimi.doors.shared.errors import status_of
from jikimi.flows import me, provider, session, signin, welcome
from jikimi.model.errors import Refused
from jikimi.model.people import Person
from jikimi.ports import Kit


def _show(kit: Kit, request: Request, person: Person | None) -> Response:
    if person is not None:
        return go(_next(request.query_params.get("next", "")))
    return _page(kit, request, None)


def _page(kit: Kit, request: Request, error: Refused | None) -> Response:
    form = form_of(request)
    return page(
        request,
        "signin.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        name=form.get("name", ""),
        next=_next(form.get("next", "") or request.query_params.get("next", "")),
        provider=kit.prover.provider.name if kit.prover.provider else "",
        origin=kit.prover.origin,
    )


def _ask_passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    return options(signin.ask_passkey(kit))


def _passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    try:
        by = signin.sign_in_with_passkey(kit, form.get("answer", ""), visitor_of(kit, request))
    except Refused as error:
        return _page(kit, request, error)
    return let_in(kit, go(_next(form.get("next", ""))), by)


def _password(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    try:
        by = signin.sign_in_with_password(
            kit, form.get("name", ""), form.get("password", ""), form.get("code", ""), visitor_of(kit, request)
        )
    except Refused as error:
        return _page(kit, request, error)
    return let_in(kit, go(_next(form.get("next", ""))), by)


def _depart(kit: Kit, request: Request, person: Person | None) -> Response:
    return _send(kit, request, provider.depart(kit))


def _send(kit: Kit, request: Request, departure: provider.Departure) -> Response:
    """A page that goes on by itself: a form may not be redirected to another site under our policy."""
    response = page(request, "away.html", address=departure.address, provider=True)
    return remember_visit(kit, response, departure.state)


def _return(kit: Kit, request: Request, person: Person | None) -> Response:
    """The browser comes back from the provider; the cookie has to name the same visit as the address."""
    query = request.query_params
    state = query.get("state", "")
    try:
        if not state or state != visit_of(kit, request):
            raise Refused("question_stale", "This visit to the provider was not begun here; begin again.")
        by = provider.come_back(kit, state, query.get("code", ""), _habits(request), visitor_of(kit, request))
    except Refused as error:
        return end_visit(kit, _page(kit, request, error))
    # A strict cookie does not go with a redirect that began elsewhere, so the page goes on by itself.
    return end_visit(kit, let_in(kit, page(request, "away.html", address="/desk", provider=False), by))


def _sign_out(kit: Kit, request: Request, person: Person | None) -> Response:
    session.sign_out(kit, visitor_of(kit, request).secret)
    return let_go(kit, go("/desk/signin"))


# One-time links


def _welcome(kit: Kit, request: Request, person: Person | None) -> Response:
    return _welcome_page(kit, request, None)


def _welcome_page(kit: Kit, request: Request, error: Refused | None) -> Response:
    found = welcome.look(kit, request.path_params["secret"])
    return page(
        request,
        "welcome.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        here=request.url.path,
        known_name=found.name,
        name=form_of(request).get("name", ""),
        roles=sorted(found.invitation.roles),
        provider=kit.prover.provider.name if kit.prover.provider else "",
        origin=kit.prover.origin,
    )


def _welcome_ask(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        return options(welcome.ask_passkey(kit, request.path_params["secret"], form_of(request).get("name", "")))
    except Refused as error:
        return refused(request, error)


def _welcome_passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        come = welcome.accept_with_passkey(
            kit, form_of(request).get("answer", ""), _habits(request), visitor_of(kit, request)
        )
    except Refused as error:
        return _welcome_page(kit, request, error)
    return let_in(kit, go("/desk"), come.signed)


def _welcome_codes(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        setup = welcome.ask_codes(kit, request.path_params["secret"], form_of(request).get("name", ""))
    except Refused as error:
        return _welcome_page(kit, request, error)
    return codes_page(request, setup, f"{request.url.path.removesuffix('/codes')}/password", None)


def _welcome_password(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    token = form.get("token", "")
    try:
        come = welcome.accept_with_password(
            kit, token, form.get("password", ""), form.get("code", ""), _habits(request), visitor_of(kit, request)
        )
    except Refused as error:
        if error.code in ("question_stale", "link_unknown", "person_exists"):
            return _welcome_page(kit, request, error)
        return codes_page(request, welcome.again(kit, token), request.url.path, error)
    request.state.person = come.signed.person
    return let_in(kit, page(request, "recovery.html", codes=come.recovery, onward="/desk"), come.signed)


def _welcome_depart(kit: Kit, request: Request, person: Person | None) -> Response:
    secret, name = request.path_params["secret"], form_of(request).get("name", "")
    try:
        return _send(kit, request, provider.depart_from_link(kit, secret, name))
    except Refused as error:
        return _welcome_page(kit, request, error)


def codes_page(request: Request, setup: welcome.CodeSetup, action: str, error: Refused | None) -> Response:
    """The page on which a password and its authenticator app are set up."""
    return page(
        request,
        "codes.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        setup=setup,
        drawing=Markup(setup.drawing),  # noqa: S704 - we have drawn it; nothing in it was typed by anybody
        action=action,
    )


# Proving again


def _prove(kit: Kit, request: Request, person: Person | None) -> Response:
    return prove_page(kit, request, None)


def prove_page(kit: Kit, request: Request, error: Refused | None, *, onward: str = "") -> Response:
    """The page on which somebody proves again that it is them; `onward` is where they were about to do something."""
    found = me.mine(kit, signed_of(kit, request))
    return page(
        request,
        "prove.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        next=_next(onward or form_of(request).get("next", "") or request.query_params.get("next", "")),
        has_passkey=bool(found.passkeys),
        has_codes=found.has_password,
        origin=kit.prover.origin,
    )


def _prove_ask(kit: Kit, request: Request, person: Person | None) -> Response:
    try:
        return options(signin.ask_again(kit, signed_of(kit, request)))
    except Refused as error:
        return refused(request, error)


def _prove_passkey(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    try:
        signin.prove_with_passkey(kit, signed_of(kit, request), form.get("answer", ""))
    except Refused as error:
        return prove_page(kit, request, error)
    return go(_next(form.get("next", "")))


def _prove_code(kit: Kit, request: Request, person: Person | None) -> Response:
    form = form_of(request)
    try:
        signin.prove_with_code(kit, signed_of(kit, request), form.get("code", ""))
    except Refused as error:
        return prove_page(kit, request, error)
    return go(_next(form.get("next", "")))


def _habits(request: Request) -> welcome.Habits:
    return welcome.Habits(language=language_of(request, None), time_zone=form_of(request).get("time_zone", "") or "UTC")


def _next(untrusted_path: str) -> str:
    """Where to go on to: a page of the desk and nowhere else."""
    is_ours = untrusted_path.startswith("/desk/") and "\\" not in untrusted_path and untrusted_path.isprintable()
    return untrusted_path if is_ours else "/desk"


ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/desk/signin", rule=Rule.PUBLIC, handler=_show),
    Route(method="POST", path="/desk/signin/ask", rule=Rule.PUBLIC, handler=_ask_passkey),
    Route(method="POST", path="/desk/signin/passkey", rule=Rule.PUBLIC, handler=_passkey),
    Route(method="POST", path="/desk/signin/password", rule=Rule.PUBLIC, handler=_password),
    Route(method="POST", path="/desk/signin/provider", rule=Rule.PUBLIC, handler=_depart),
    Route(method="GET", path="/desk/signin/provider", rule=Rule.PUBLIC, handler=_return),
    Route(method="POST", path="/desk/signout", rule=Rule.PUBLIC, handler=_sign_out),
    Route(method="GET", path="/desk/welcome/{secret}", rule=Rule.PUBLIC, handler=_welcome),
    Route(method="POST", path="/desk/welcome/{secret}/ask", rule=Rule.PUBLIC, handler=_welcome_ask),
    Route(method="POST", path="/desk/welcome/{secret}/passkey", rule=Rule.PUBLIC, handler=_welcome_passkey),
    Route(method="POST", path="/desk/welcome/{secret}/codes", rule=Rule.PUBLIC, handler=_welcome_codes),
    Route(method="POST", path="/desk/welcome/{secret}/password", rule=Rule.PUBLIC, handler=_welcome_password),
    Route(method="POST", path="/desk/welcome/{secret}/provider", rule=Rule.PUBLIC, handler=_welcome_depart),
    Route(method="GET", path="/desk/prove", rule=Rule.SIGNED_IN, handler=_prove),
    Route(method="POST", path="/desk/prove/ask", rule=Rule.SIGNED_IN, handler=_prove_ask),
    Route(method="POST", path="/desk/prove/passkey", rule=Rule.SIGNED_IN, handler=_prove_passkey),
    Route(method="POST", path="/desk/prove/code", rule=Rule.SIGNED_IN, handler=_prove_code),
)
