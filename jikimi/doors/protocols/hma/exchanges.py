"""`/c/exchanges` and `/c/exchange/NAME`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from jikimi.doors.protocols.hma.models import ExchangeChange
from jikimi.doors.protocols.hma.routing import Answer, Call
from jikimi.flows.exchange import ExchangeView
from jikimi.flows.hma_exchange import (
    ApiView,
    apis,
    drop_exchange,
    give_credentials,
    make_exchange,
    names,
    show,
    show_api,
    switch,
)
from jikimi.model.errors import Refused
from jikimi.model.exchange import Health
from jikimi.model.hma_exchange import api_of_kind, schema, theirs

_NAME = re.compile(r"[A-Z0-9_]+")


def list_apis(call: Call) -> Answer:
    """`GET /c/exchanges/apis`."""
    return Answer(json=list(apis(call.here.kit)))


def api(call: Call) -> Answer:
    """`GET /c/exchanges/api/API`."""
    return Answer(json=_flags(show_api(call.here.kit, call.path["api_name"])))


def change_api(call: Call) -> Answer:
    """`POST /c/exchanges/api/API`."""
    if "credential_json" not in call.body.json:
        raise Refused("credential_json_invalid", "Send credential_json; an empty object takes credentials back.")
    given = call.body.json["credential_json"]
    return Answer(json=_flags(give_credentials(call.here.kit, call.actor, call.path["api_name"], given)))


def api_schema(call: Call) -> Answer:
    """`GET /c/exchanges/api/API/schema`."""
    try:
        view = show_api(call.here.kit, call.path["api_name"])
    except Refused as error:
        raise Refused("exchange_api_unknown", error.message) from error
    return Answer(
        json={
            "config_schema": {"fields": schema(view.api.settings, view.kind.fields)},
            "credentials_schema": {"fields": schema(view.api.credentials, view.kind.fields)},
        }
    )


def create(call: Call) -> Answer:
    """`POST /c/exchanges`."""
    bank, api_name, settings = (call.body.json.get(name) for name in ("bank", "api", "api_json"))
    if not isinstance(bank, str) or not _NAME.fullmatch(bank):
        raise Refused("exchange_name_invalid", "bank is a name of A-Z, 0-9 and '_'.")
    if not isinstance(api_name, str):
        raise Refused("api_unknown", "api is the name of an exchange API.")
    make_exchange(call.here.kit, call.actor, bank, api_name, {} if settings is None else settings, call.here.rules)
    return Answer(json={"message": "Created successfully"}, status=201)


def list_all(call: Call) -> Answer:
    """`GET /c/exchanges`."""
    return Answer(json=list(names(call.here.kit)))


def config(call: Call) -> Answer:
    """`GET /c/exchange/NAME`."""
    return Answer(json=_config(show(call.here.kit, call.path["exchange_name"])))


def status(call: Call) -> Answer:
    """`GET /c/exchange/NAME/status`."""
    view = show(call.here.kit, call.path["exchange_name"])
    exchange = view.exchange
    return Answer(
        json={
            "checkpoint_ts": _unix(exchange.last_success_at),
            "running_fetch_start_ts": _unix(exchange.last_try_at) if view.health is Health.PULLING else None,
            "last_fetch_complete_ts": _unix(exchange.last_try_at),
            "last_fetch_succeeded": None if exchange.last_try_at is None else exchange.failures == 0,
            "up_to_date": view.health is Health.OK and not exchange.unfinished,
            "fetched_items": view.live,
        }
    )


def change(call: Call) -> Answer:
    """`PUT /c/exchange/NAME`."""
    said = ExchangeChange.model_validate(call.body.json)
    changed = switch(call.here.kit, call.actor, call.path["exchange_name"], enabled=said.enabled)
    return Answer(json=_config(changed))


def delete(call: Call) -> Answer:
    """`DELETE /c/exchange/NAME`: one that is not there is deleted as well."""
    drop_exchange(call.here.kit, call.actor, call.path["exchange_name"])
    return Answer(json={"message": "Exchange deleted"})


def _flags(view: ApiView) -> dict[str, bool]:
    return {"supports_authentification": True, "has_set_authentification": view.has_credentials}


def _config(view: ExchangeView) -> dict[str, Any]:
    exchange = view.exchange
    known = api_of_kind(exchange.kind)
    return {
        **(theirs(known.settings, exchange.settings) if known else {}),
        "name": exchange.name,
        "api": known.name if known else exchange.kind,
        "enabled": exchange.enabled,
    }


def _unix(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
