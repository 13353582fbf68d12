"""Actions are followed, and the platform says what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import StringConstraints

from jikimi.doors.shared.answers import ActionAnswer, ActionStoryAnswer, action_answer, action_story_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.text import NO_NUL, Name, PageSize
from jikimi.flows.enforce import receive, tell_action
from jikimi.model.action import MAX_RECEIPT, ActionState, Receipt, ReceiptStatus
from jikimi.model.ids import ActionId
from jikimi.model.people import Scope
from jikimi.ports import Kit


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsAnswer:
    """A page of actions, newest first; ask again with `before` until `next_before` is null."""

    actions: list[ActionAnswer]
    next_before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRequest:
    """What became of an action. `text` is kept, for your reference or the reason of a refusal."""

    status: ReceiptStatus
    text: Annotated[str, StringConstraints(max_length=MAX_RECEIPT, pattern=NO_NUL)] = ""


def routes(kit: Kit) -> APIRouter:
    """`/v1/actions`."""
    router = APIRouter(prefix="/v1/actions", tags=["actions"])

    @router.get("", summary="List actions")
    def actions(
        request: Request,
        state: Annotated[ActionState | None, Query(description="Only those in this state.")] = None,
        before: Name | None = None,
        limit: PageSize = 100,
    ) -> ActionsAnswer:
        authorised(kit, request, Scope.READ)
        with kit.store.read() as tx:
            page = tx.actions.list(limit=limit, before=ActionId(before) if before else None, state=state)
        return ActionsAnswer(
            actions=[action_answer(action) for action in page], next_before=page[-1].id if len(page) == limit else None
        )

    @router.get("/{action_id}", summary="Show an action with every try to deliver it")
    def action(request: Request, action_id: Annotated[Name, Path()]) -> ActionStoryAnswer:
        authorised(kit, request, Scope.READ)
        return action_story_answer(tell_action(kit, ActionId(action_id)))

    @router.post("/{action_id}/receipt", summary="Say what became of an action")
    def receipt(request: Request, action_id: Annotated[Name, Path()], said: ReceiptRequest) -> ActionAnswer:
        key = authorised(kit, request, Scope.REPORT)
        return action_answer(receive(kit, key, ActionId(action_id), Receipt(status=said.status, text=said.text)))

    return router
