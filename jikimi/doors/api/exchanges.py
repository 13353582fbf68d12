"""Exchanges are read. They are added and changed at the desk and on the command line, where a person answers for it."""

from __future__ import annotations

from fastapi import APIRouter, Request

from jikimi.doors.shared.answers import ExchangeAnswer, exchange_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.text import Name
from jikimi.flows.exchange import list_exchanges, show_exchange
from jikimi.model.people import Scope
from jikimi.ports import Kit


def routes(kit: Kit) -> APIRouter:
    """`/v1/exchanges`."""
    router = APIRouter(prefix="/v1/exchanges", tags=["banks"])

    @router.get("", summary="List exchanges with their health")
    def list_all(request: Request) -> list[ExchangeAnswer]:
        authorised(kit, request, Scope.READ)
        return [exchange_answer(view) for view in list_exchanges(kit)]

    @router.get("/{name}", summary="Show an exchange")
    def show(request: Request, name: Name) -> ExchangeAnswer:
        authorised(kit, request, Scope.READ)
        return exchange_answer(show_exchange(kit, name))

    return router
