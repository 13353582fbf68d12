"""Programs written for HMA keep exchanges.

1  credentials come for a kind: they are sealed, and given to every exchange of that kind; those that waited are enabled
2  an exchange comes with a bank of its name; without credentials of its kind it waits, disabled, and asks nobody
3  an exchange is shown, switched off and on
4  an exchange goes, and so does the bank of its name; a bank goes, and so do the exchanges that fill it

What is secret is never shown again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jikimi.flows.exchange import (
    ExchangeView,
    add_exchange,
    change_exchange,
    list_exchanges,
    remove_exchange,
    secrets_of,
    show_exchange,
)
from jikimi.flows.hma import drop_bank
from jikimi.model.bank import BankPolicy, is_bank_name
from jikimi.model.errors import Refused
from jikimi.model.exchange import Exchange, NewExchange
from jikimi.model.hma import HmaRules, checked_name
from jikimi.model.hma_exchange import APIS, NOT_GIVEN, Api, checked_credentials, ours
from jikimi.ports import Kit
from jikimi.ports.exchanges import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiView:
    """One of HMA's kinds as it is here, and whether there are credentials for it."""

    api: Api
    kind: Kind
    has_credentials: bool


def apis(kit: Kit) -> tuple[str, ...]:
    """HMA's names of the kinds that are enabled here."""
    enabled = {kind.name for kind in kit.connectors.all()}
    return tuple(api.name for api in APIS.values() if api.kind in enabled)


def show_api(kit: Kit, name: str) -> ApiView:
    """One of them."""
    if name not in apis(kit):
        raise Refused("api_unknown", f"There is no exchange API {name[:40]!r}; there are {', '.join(apis(kit))}.")
    api = APIS[name]
    with kit.store.read() as tx:
        has_credentials = tx.exchanges.secrets(api.scope) is not None
    return ApiView(api=api, kind=kit.connectors.get(api.kind), has_credentials=has_credentials)


def give_credentials(kit: Kit, actor: str, name: str, untrusted: object) -> ApiView:
    """Step 1: none at all means that they are taken back."""
    api = show_api(kit, name).api
    given = checked_credentials(api, untrusted)
    with kit.store.begin() as tx:
        sealed = kit.safe.seal(json.dumps(given)) if given else None
        tx.exchanges.keep_secrets(api.scope, sealed, kit.clock())
        tx.audit.append(
            at=kit.clock(), actor=actor, verb="exchange.credentials", object_=f"kind:{api.kind}",
            detail={"given": bool(given)},
        )  # fmt: skip
    for view in list_exchanges(kit):
        if view.exchange.kind == api.kind:
            _hand_over(kit, actor, api, view.exchange, given)
    return show_api(kit, name)


def make_exchange(kit: Kit, actor: str, name: str, api_name: str, untrusted_settings: object, rules: HmaRules) -> None:
    """Step 2."""
    view = show_api(kit, api_name)
    checked_name(name, "bank")
    settings = ours(view.api.settings, untrusted_settings, "api_json")
    with kit.store.read() as tx:
        if tx.exchanges.get(name) is not None:
            raise Refused("exchange_exists", f"There is an exchange {name} already.")
        if tx.banks.get(name) is not None:
            raise Refused("bank_exists", f"There is a bank {name} already.")
    given = _credentials(kit, view.api)
    plain, hidden = _parted(view.kind, given or _none(view.api))
    policy = BankPolicy(name=name, category=view.api.category or rules.category, on_match=rules.on_match)
    new = NewExchange(name=name, kind=view.api.kind, bank=name, settings={**settings, **plain})
    add_exchange(kit, actor, new, policy, hidden)
    if not given:
        change_exchange(kit, actor, name, enabled=False)


def names(kit: Kit) -> tuple[str, ...]:
    """All exchanges by name."""
    return tuple(view.exchange.name for view in list_exchanges(kit))


def show(kit: Kit, name: str) -> ExchangeView:
    """Step 3."""
    return show_exchange(kit, name)


def switch(kit: Kit, actor: str, name: str, *, enabled: bool) -> ExchangeView:
    """Step 3: one that waits for credentials stays off."""
    exchange = show_exchange(kit, name).exchange
    if enabled and _waits(kit, exchange):
        raise Refused("credentials_missing", f"{name} has no credentials yet; give them to its API first.")
    change_exchange(kit, actor, name, enabled=enabled)
    return show_exchange(kit, name)


def drop_exchange(kit: Kit, actor: str, name: str) -> None:
    """Step 4: the bank goes with it if it was made for it and nothing else fills it."""
    with kit.store.read() as tx:
        exchange = tx.exchanges.get(name)
        bank = None if exchange is None else tx.banks.get(exchange.bank)
        others = () if bank is None else [one for one in tx.exchanges.of_bank(bank) if one.name != name]
    if exchange is None:
        return
    remove_exchange(kit, actor, name, keep=False)
    if exchange.bank == name and not others:
        drop_bank(kit, actor, name)


def drop_filled_bank(kit: Kit, actor: str, name: str) -> None:
    """Step 4."""
    if not is_bank_name(name):
        return
    with kit.store.read() as tx:
        bank = tx.banks.get(name)
        filling = () if bank is None else tx.exchanges.of_bank(bank)
    for exchange in filling:
        remove_exchange(kit, actor, exchange.name, keep=False)
    drop_bank(kit, actor, name)


def _hand_over(kit: Kit, actor: str, api: Api, exchange: Exchange, given: Mapping[str, str]) -> None:
    """Give an exchange its kind's credentials, or take them from it. One that its owner switched off stays off."""
    waited = _waits(kit, exchange)
    plain, hidden = _parted(kit.connectors.get(api.kind), given or _none(api))
    enabled = (exchange.enabled or waited) if given else False
    change_exchange(kit, actor, exchange.name, settings=plain, secrets=hidden, enabled=enabled)


def _waits(kit: Kit, exchange: Exchange) -> bool:
    return NOT_GIVEN in {*map(str, exchange.settings.values()), *secrets_of(kit, exchange).values()}


def _credentials(kit: Kit, api: Api) -> dict[str, str]:
    with kit.store.read() as tx:
        sealed = tx.exchanges.secrets(api.scope)
    found: dict[str, str] = {} if sealed is None else json.loads(kit.safe.open(sealed))
    return found


def _none(api: Api) -> dict[str, str]:
    return dict.fromkeys(api.credentials.values(), NOT_GIVEN)


def _parted(kind: Kind, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of it is no secret, and what is."""
    secret = {field.name for field in kind.fields if field.secret}
    return (
        {name: value for name, value in given.items() if name not in secret},
        {name: value for name, value in given.items() if name in secret},
    )
