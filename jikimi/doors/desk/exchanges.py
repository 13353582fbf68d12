"""Exchanges: how they are, and forms to add and change one, made from the settings of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.forms import all_of, form_of
from jikimi.doors.desk.page import go, page
from jikimi.doors.desk.routing import Route, member
from jikimi.doors.desk.say import said
from jikimi.doors.shared.errors import status_of
from jikimi.flows import exchange as flows
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.exchange import NEED_ATTENTION, Feedback, NewExchange
from jikimi.model.form import Field, FieldType
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit
from jikimi.ports.exchanges import Kind

_HERE = "/desk/exchanges"
_SET = "set-"
"""What stands before the name of a plug-in's own setting in a form."""
_NEW_BANK = tuple(category for category in Category if category is not Category.CANARY)
_THROUGH = frozenset({"permission_missing", "exchange_unknown", "exchange_kind_unknown", "exchange_kind_disabled"})
"""What leads away from the form it was sent from."""


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """All exchanges with their health."""
    return page(
        request,
        "exchanges.html",
        views=flows.list_exchanges(kit),
        kinds=flows.kinds(kit),
        attention=NEED_ATTENTION,
        here=_HERE,
    )


def show_new(kit: Kit, request: Request, person: Person | None) -> Response:
    """The form for a new exchange of one kind."""
    return _form(kit, request, _kind(kit, request.query_params.get("kind", "")))


def add(kit: Kit, request: Request, person: Person | None) -> Response:
    """Add an exchange, or say in its form what is wrong."""
    form = form_of(request)
    kind = _kind(kit, form.get("kind", ""))
    try:
        new = NewExchange(
            name=form.get("name", "").strip(),
            kind=kind.name,
            bank=form.get("bank", "").strip(),
            settings=_settings(kind, form, secret=False),
            every=_every(form),
            shares=_shares(request),
        )
        flows.add_exchange(kit, _actor(person), new, _policy(form), _settings(kind, form, secret=True))
    except Refused as error:
        return _again(kit, request, error, kind)
    return go(_HERE)


def show_one(kit: Kit, request: Request, person: Person | None) -> Response:
    """The form of one exchange, and what removing it would mean."""
    view = flows.show_exchange(kit, _named(request))
    return _form(kit, request, _kind(kit, view.exchange.kind), view)


def change(kit: Kit, request: Request, person: Person | None) -> Response:
    """Change an exchange, or say in its form what is wrong. A secret that is left empty stays."""
    form, name = form_of(request), _named(request)
    view = flows.show_exchange(kit, name)
    kind = _kind(kit, view.exchange.kind)
    typed = _settings(kind, form, secret=True)
    try:
        flows.change_exchange(
            kit,
            _actor(person),
            name,
            settings=_settings(kind, form, secret=False),
            secrets={key: value for key, value in typed.items() if value},
            enabled=form.get("enabled") == "true",
            every=_every(form),
            shares=_shares(request),
        )
    except Refused as error:
        return _again(kit, request, error, kind, view)
    return go(_HERE)


def pull(kit: Kit, request: Request, person: Person | None) -> Response:
    """Let an exchange be pulled as soon as a worker gets to it."""
    flows.pull_soon(kit, _actor(person), _named(request))
    return go(_HERE)


def remove(kit: Kit, request: Request, person: Person | None) -> Response:
    """Remove an exchange whose name was typed, or say why not."""
    name = _named(request)
    view = flows.show_exchange(kit, name)
    try:
        if form_of(request).get("confirm", "").strip() != name:
            raise Refused("not_confirmed", "Type the name of the exchange to remove it.")
        flows.remove_at_desk(kit, _actor(person), name, keep=form_of(request).get("keep") == "true")
    except Refused as error:
        return _again(kit, request, error, _kind(kit, view.exchange.kind), view)
    return go(_HERE)


def _again(kit: Kit, request: Request, error: Refused, kind: Kind, view: flows.ExchangeView | None = None) -> Response:
    if error.code in _THROUGH:
        raise error
    return _form(kit, request, kind, view, error)


def _form(
    kit: Kit, request: Request, kind: Kind, view: flows.ExchangeView | None = None, error: Refused | None = None
) -> Response:
    """The form with what was typed, else with what is stored, else with defaults. Secrets are never in it."""
    entered = form_of(request) if error else {}
    stored = {key: _typed(value) for key, value in view.exchange.settings.items()} if view else {}
    chosen = view.exchange.shares if view else frozenset[Feedback]()
    return page(
        request,
        "exchange.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        kind=kind,
        view=view,
        removal=flows.removal_of(kit, view.exchange.name) if view else None,
        fields=[
            (field, entered.get(_SET + field.name, stored.get(field.name, field.default))) for field in kind.fields
        ],
        kept=view.secrets if view else (),
        entered=entered,
        chosen=_shares(request) if error else chosen,
        every=entered.get("every")
        or f"{(view.exchange.every if view else timedelta(minutes=15)).total_seconds() / 60:g}",
        categories=_NEW_BANK,
        effects=tuple(OnMatch),
        types=FieldType,
        set_=_SET,
        here=_HERE,
        action=f"{_HERE}/{quote(view.exchange.name)}/change" if view else f"{_HERE}/new",
    )


def _kind(kit: Kit, name: str) -> Kind:
    return next((kind for kind in flows.kinds(kit) if kind.name == name), None) or flows.kind_of(kit, name)


def _settings(kind: Kind, form: Mapping[str, str], *, secret: bool) -> dict[str, str]:
    """A plug-in's settings as they were typed; a box that is not ticked is not in a form, and means no."""
    return {field.name: _value(field, form) for field in kind.fields if field.secret is secret}


def _value(field: Field, form: Mapping[str, str]) -> str:
    return form.get(_SET + field.name, "false" if field.type is FieldType.BOOLEAN else "").strip()


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _policy(form: Mapping[str, str]) -> BankPolicy | None:
    category = next((one for one in _NEW_BANK if one == form.get("category")), None)
    on_match = next((one for one in OnMatch if one == form.get("on_match")), None)
    if category is None or on_match is None:
        return None
    return BankPolicy(name=form.get("bank", "").strip(), category=category, on_match=on_match)


def _every(form: Mapping[str, str]) -> timedelta:
    try:
        return timedelta(minutes=float(form.get("every", "")))
    except (ValueError, OverflowError) as error:
        raise Refused("exchange_every_invalid", "An exchange is pulled every 1 minute to every 7 days.") from error


def _shares(request: Request) -> frozenset[Feedback]:
    wanted = set(all_of(request, "share"))
    return frozenset(one for one in Feedback if one.value in wanted)


def _named(request: Request) -> str:
    return str(request.path_params["name"])


def _actor(person: Person | None) -> str:
    return f"person:{member(person).id}"


ROUTES = (
    Route(method="GET", path=_HERE, rule=Permission.OVERVIEW, handler=show),
    Route(method="GET", path=f"{_HERE}/new", rule=Permission.EXCHANGES, handler=show_new),
    Route(method="POST", path=f"{_HERE}/new", rule=Permission.EXCHANGES, handler=add),
    Route(method="GET", path=_HERE + "/{name}/change", rule=Permission.EXCHANGES, handler=show_one),
    Route(method="POST", path=_HERE + "/{name}/change", rule=Permission.EXCHANGES, handler=change),
    Route(method="POST", path=_HERE + "/{name}/pull", rule=Permission.EXCHANGES, handler=pull),
    Route(method="POST", path=_HERE + "/{name}/remove", rule=Permission.EXCHANGES, handler=remove),
)
