"""Exchanges and their health, as callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jikimi.flows.exchange import ExchangeView
from jikimi.model.exchange import NEED_ATTENTION, Health


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeAnswer:
    """An exchange. `records`: live ones. `faults`: records of the last pull that could not be used.

    `settings` are those of its kind without secrets; `secrets` are the names of those that are kept.
    """

    name: str
    kind: str
    bank: str
    state: Health
    enabled: bool
    needs_attention: bool
    every_minutes: float
    shares: list[str]
    records: int
    faults: int
    failures: int
    age_seconds: float | None
    created_at: datetime
    last_try_at: datetime | None
    last_success_at: datetime | None
    last_error: str
    next_at: datetime | None
    settings: Mapping[str, Any]
    secrets: list[str]


def exchange_answer(view: ExchangeView) -> ExchangeAnswer:
    """Write an exchange."""
    exchange = view.exchange
    return ExchangeAnswer(
        name=exchange.name,
        kind=exchange.kind,
        bank=exchange.bank,
        state=view.health,
        enabled=exchange.enabled,
        needs_attention=view.health in NEED_ATTENTION or bool(view.fault),
        every_minutes=exchange.every.total_seconds() / 60,
        shares=sorted(exchange.shares),
        records=view.live,
        faults=exchange.faults,
        failures=exchange.failures,
        age_seconds=view.age.total_seconds() if view.age is not None else None,
        created_at=exchange.created_at,
        last_try_at=exchange.last_try_at,
        last_success_at=exchange.last_success_at,
        last_error=view.fault or exchange.last_error,
        next_at=exchange.next_at,
        settings=dict(exchange.settings),
        secrets=list(view.secrets),
    )
