"""An exchange is added, changed, looked at and removed; pulling it is `flows.sync`.

1  the plug-in checks the settings; what is secret is sealed before it is stored, and never shown again
2  one transaction stores the exchange, its bank if that is new, and the audit event, which holds no values
3  settings that are another list's let the next pull begin at the beginning
4  before an exchange is removed, it is said how many entries nobody else says; some at a time, they become our own
   or go, and then it is deleted
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from jikimi.flows.bank import named as bank_named
from jikimi.flows.index import drop_erased
from jikimi.flows.kept import forget_signals, prepare_to_forget, renew_recent
from jikimi.model.bank import Bank, BankPolicy, Category, checked_policy
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.exchange import (
    LEASE,
    Exchange,
    Feedback,
    Health,
    NewExchange,
    checked_exchange,
    health_of,
    scope_of,
)
from jikimi.ports import Kit, Tx
from jikimi.ports.exchanges import Connector, Kind

_RECORDS_A_TRANSACTION = 5000
_MOST_AT_DESK = 50_000
"""Records that are gone in about the time that a browser waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeView:
    """An exchange with its health. `secrets` are the names of those that are kept; `fault` is of its kind."""

    exchange: Exchange
    live: int
    age: timedelta | None
    """Since the last success."""
    health: Health
    secrets: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalSign:
    """How an exchange is. `age` is since the last success, or since it was added."""

    name: str
    age: timedelta
    failures: int
    health: Health
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What removing an exchange means: its records, and the entries that nobody else says."""

    records: int
    entries: int
    forgets: bool


def kinds(kit: Kit) -> tuple[Kind, ...]:
    """The kinds of exchange that can be added."""
    return kit.connectors.all()


def kind_of(kit: Kit, name: str) -> Kind:
    """One of them; `Refused` says why it cannot be used."""
    return kit.connectors.get(name)


def add_exchange(
    kit: Kit,
    actor: str,
    new: NewExchange,
    policy: BankPolicy | None = None,
    secrets: Mapping[str, object] | None = None,
) -> Exchange:
    """Add an exchange; with a `policy`, its bank is made if there is none. The first pull is due at once."""
    # 1. settings, secrets
    plain, hidden = kit.connectors.checked(new.kind, {**new.settings, **(secrets or {})})
    new = checked_exchange(
        NewExchange(
            name=new.name, kind=new.kind, bank=new.bank, settings=plain, every=new.every,
            shares=_checked_shares(kit, new.kind, new.shares),
        )
    )  # fmt: skip
    sealed = _sealed(kit, hidden)
    if policy is not None and not policy.source:
        policy = replace(policy, source=new.name)
    # 2. stored together
    with kit.store.begin() as tx:
        bank = _bank(kit, tx, actor, new.bank, policy)
        exchange = tx.exchanges.create(new, bank, kit.clock())
        if sealed is not None:
            tx.exchanges.keep_secrets(scope_of(exchange), sealed, kit.clock())
        _audit(kit, tx, actor, "exchange.added", exchange, kind=new.kind, bank=new.bank, shares=sorted(new.shares))
    return exchange


def change_exchange(
    kit: Kit,
    actor: str,
    name: str,
    *,
    settings: Mapping[str, object] | None = None,
    secrets: Mapping[str, object] | None = None,
    enabled: bool | None = None,
    every: timedelta | None = None,
    shares: Collection[Feedback] | None = None,
) -> Exchange:
    """Change what is given and leave the rest; a setting given as None goes back to its default."""
    # 1. settings, secrets
    exchange = show_exchange(kit, name).exchange
    plain, sealed = exchange.settings, None
    if settings or secrets:
        plain, sealed = _changed(kit, exchange, settings or {}, secrets or {})
    changed = checked_exchange(
        NewExchange(
            name=name, kind=exchange.kind, bank=exchange.bank, settings=plain,
            every=exchange.every if every is None else every,
            shares=exchange.shares if shares is None else _checked_shares(kit, exchange.kind, shares),
        )
    )  # fmt: skip
    # 2. stored together
    with kit.store.begin() as tx:
        exchange = named(tx, name)
        is_enabled = exchange.enabled if enabled is None else enabled
        tx.exchanges.change(exchange, settings=plain, enabled=is_enabled, every=changed.every, shares=changed.shares)
        if sealed is not None:
            tx.exchanges.keep_secrets(scope_of(exchange), sealed, kit.clock())
        # 3. another list?
        if plain != exchange.settings:
            tx.exchanges.start_over(exchange, kit.clock())
        _audit(
            kit, tx, actor, "exchange.changed", exchange,
            enabled=is_enabled, shares=sorted(changed.shares), secrets_changed=sealed is not None,
            settings=sorted(key for key in plain if plain[key] != exchange.settings.get(key)),
        )  # fmt: skip
        return named(tx, name)


def removal_of(kit: Kit, name: str) -> Removal:
    """Step 4, before: what removing an exchange would mean."""
    with kit.store.read() as tx:
        exchange = named(tx, name)
        live = tx.exchanges.counts().get(exchange.id, 0)
        return Removal(records=live, entries=tx.source_records.solely(exchange), forgets=_forgets(kit, exchange))


def remove_exchange(kit: Kit, actor: str, name: str, *, keep: bool) -> Removal:
    """Step 4: remove an exchange. `keep`: entries that it alone says, confirms and does not dispute stay as our own."""
    meant = removal_of(kit, name)
    if keep and meant.forgets:
        raise Refused(
            "exchange_keeps_nothing",
            f"What {name} withdraws has to be erased, so nothing can be kept without it; disable it instead.",
        )
    exchange = _take(kit, name)
    if meant.forgets:
        prepare_to_forget(kit)
    while True:
        with kit.store.begin() as tx:
            gone = tx.source_records.release(
                exchange, kit.clock(), _RECORDS_A_TRANSACTION, keep=keep, forget=meant.forgets
            )
            forget_signals(kit, tx, tx.source_records.gone)
            tx.exchanges.keep_turn(exchange, kit.clock() + LEASE)
            if not gone:
                tx.exchanges.delete(exchange)
                _audit(
                    kit, tx, actor, "exchange.removed", exchange,
                    records=meant.records, entries=meant.entries, kept=keep,
                )  # fmt: skip
                break
    if meant.forgets:
        kit.store.scrub()
        renew_recent(kit)
    drop_erased(kit)
    return meant


def remove_at_desk(kit: Kit, actor: str, name: str, *, keep: bool) -> Removal:
    """Remove an exchange while somebody waits for the page."""
    if removal_of(kit, name).records > _MOST_AT_DESK:
        raise Refused("exchange_large", f"{name} is too large for this; run `jikimi exchange remove {name}`.")
    return remove_exchange(kit, actor, name, keep=keep)


def pull_soon(kit: Kit, actor: str, name: str) -> None:
    """Let an exchange be pulled as soon as a worker gets to it."""
    with kit.store.begin() as tx:
        exchange = named(tx, name)
        tx.exchanges.hurry(exchange, kit.clock())
        _audit(kit, tx, actor, "exchange.hurried", exchange)


def list_exchanges(kit: Kit) -> tuple[ExchangeView, ...]:
    """All exchanges with their health, by name."""
    with kit.store.read() as tx:
        counts = tx.exchanges.counts()
        return tuple(_view(kit, tx, exchange, counts) for exchange in tx.exchanges.all())


def vital_signs(kit: Kit) -> tuple[VitalSign, ...]:
    """How all exchanges are, without counting their records."""
    now = kit.clock()
    with kit.store.read() as tx:
        return tuple(
            VitalSign(
                name=exchange.name,
                age=now - (exchange.last_success_at or exchange.created_at),
                failures=exchange.failures,
                health=health_of(exchange, now),
                error=exchange.last_error,
            )
            for exchange in tx.exchanges.all()
        )


def show_exchange(kit: Kit, name: str) -> ExchangeView:
    """One exchange with its health."""
    with kit.store.read() as tx:
        return _view(kit, tx, named(tx, name), tx.exchanges.counts())


def named(tx: Tx, name: str) -> Exchange:
    """The exchange of this name, or `Refused`."""
    exchange = tx.exchanges.get(name)
    if exchange is None:
        raise Refused(
            "exchange_unknown", f"There is no exchange {name[:80]!r}; `jikimi exchange list` shows those there are."
        )
    return exchange


def secrets_of(kit: Kit, exchange: Exchange) -> dict[str, str]:
    """The secrets of an exchange, opened. They go to its connector and nowhere else."""
    with kit.store.read() as tx:
        return _opened(kit, tx, exchange)


def connector_of(kit: Kit, exchange: Exchange) -> Connector:
    """The way to an exchange's programme."""
    return kit.connectors.connect(exchange.kind, {**exchange.settings, **secrets_of(kit, exchange)})


def _changed(
    kit: Kit, exchange: Exchange, settings: Mapping[str, object], secrets: Mapping[str, object]
) -> tuple[Mapping[str, Any], bytes | None]:
    """All settings with what is new, and all secrets sealed, if there are new ones."""
    try:
        held = secrets_of(kit, exchange)
    except Refused:
        # Those there were are lost with their key: whoever enters them again must be able to.
        if not secrets:
            raise
        held = {}
    plain, hidden = kit.connectors.checked(exchange.kind, {**exchange.settings, **held, **settings, **secrets})
    return plain, None if hidden == held else _sealed(kit, hidden)


def _take(kit: Kit, name: str) -> Exchange:
    """Take an exchange's turn, so that no pull brings back what is being removed; none is begun any more.

    If the removal comes to no end and somebody enables the exchange again, it is pulled whole.
    """
    with kit.store.begin() as tx:
        exchange = named(tx, name)
        tx.exchanges.change(
            exchange, settings=exchange.settings, enabled=False, every=exchange.every, shares=exchange.shares
        )
        now = kit.clock()
        taken = tx.exchanges.lease(exchange, kit.ids("pull"), now, now + LEASE)
        if taken is not None:
            tx.exchanges.start_over(exchange, now)
    if taken is None:
        raise Refused(
            "exchange_pulling", f"{name} is being pulled; no other pull will begin, so try again in a moment."
        )
    return taken


def _bank(kit: Kit, tx: Tx, actor: str, name: str, policy: BankPolicy | None) -> Bank:
    if policy is None and tx.banks.get(name) is None:
        raise Refused(
            "bank_unknown", f"There is no bank {name[:80]!r}; to make it, say what it holds and what a match does."
        )
    if policy is None or tx.banks.get(name) is not None:
        bank = bank_named(tx, name)
        _check_same(bank, policy)
    else:
        bank = tx.banks.create(checked_policy(policy), kit.clock())
        tx.audit.append(
            at=kit.clock(), actor=actor, verb="bank.created", object_=f"bank:{name}",
            detail={"category": policy.category.value, "on_match": policy.on_match.value},
        )  # fmt: skip
    if bank.policy.category is Category.CANARY:
        raise Refused("exchange_bank_invalid", f"Bank {name} is the canary's; choose another one.")
    return bank


def _check_same(bank: Bank, policy: BankPolicy | None) -> None:
    """Refuse to fill a bank that does something else than was said: whoever said `hold` must not get `block`."""
    held = bank.policy
    if policy is not None and (policy.category, policy.on_match) != (held.category, held.on_match):
        raise Refused(
            "exchange_bank_differs",
            f"Bank {held.name} is there already, holds {held.category}, and a match means {held.on_match}. Leave these "
            "out to fill it as it is, change the bank, or take another.",
        )


def _view(kit: Kit, tx: Tx, exchange: Exchange, counts: Mapping[int, int]) -> ExchangeView:
    now = kit.clock()
    fault, secrets = "", tuple[str, ...]()
    try:
        kind, given = kit.connectors.get(exchange.kind), _opened(kit, tx, exchange)
    except JikimiError as error:
        fault = error.message
    else:
        secrets = tuple(field.name for field in kind.fields if field.secret and given.get(field.name))
    return ExchangeView(
        exchange=exchange,
        live=counts.get(exchange.id, 0),
        age=now - exchange.last_success_at if exchange.last_success_at else None,
        health=health_of(exchange, now),
        secrets=secrets,
        fault=fault,
    )


def _opened(kit: Kit, tx: Tx, exchange: Exchange) -> dict[str, str]:
    sealed = tx.exchanges.secrets(scope_of(exchange))
    return json.loads(kit.safe.open(sealed)) if sealed is not None else {}


def _checked_shares(kit: Kit, kind: str, shares: Collection[Feedback]) -> frozenset[Feedback]:
    gives = kit.connectors.get(kind).gives
    if missing := sorted(set(shares) - gives):
        can = ", ".join(sorted(gives)) or "nothing"
        raise Refused("exchange_shares_invalid", f"{kind} does not take {', '.join(missing)}; it takes {can}.")
    return frozenset(shares)


def _sealed(kit: Kit, secrets: Mapping[str, str]) -> bytes | None:
    given = {name: value for name, value in secrets.items() if value}
    return kit.safe.seal(json.dumps(given)) if given else None


def _forgets(kit: Kit, exchange: Exchange) -> bool:
    """Whether values have to go with their records; if its plug-in is gone, that has to be assumed."""
    try:
        return kit.connectors.get(exchange.kind).forgets
    except JikimiError:
        return True


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, exchange: Exchange, **detail: Any) -> None:
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=f"exchange:{exchange.name}", detail=detail)
