"""What the platform was told and what it answered; a message can be sent again."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.page import go, page, translated
from jikimi.doors.desk.routing import Route, member
from jikimi.doors.desk.words import REFUSALS
from jikimi.flows.enforce import deliveries, delivery, outbox, replay
from jikimi.model.action import ActionState
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.ids import ActionId
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit

PAGE = 50


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """The newest messages, and how the outbox stands."""
    said = request.query_params
    state = next((one for one in ActionState if one == said.get("state")), None)
    before = ActionId(said["before"]) if said.get("before") else None
    found = deliveries(kit, member(person), limit=PAGE, before=before, state=state)
    more = {"state": state or "", "before": found[-1].id} if len(found) == PAGE else None
    return page(
        request,
        "deliveries.html",
        actions=found,
        outbox=outbox(kit),
        states=tuple(ActionState),
        state=state,
        more=urlencode(more) if more else "",
    )


def show_one(kit: Kit, request: Request, person: Person | None) -> Response:
    """One message with every try to deliver it."""
    return _one(kit, request, member(person))


def send_again(kit: Kit, request: Request, person: Person | None) -> Response:
    """Send a message again, and show it waiting; or why not."""
    action_id = _named(request)
    try:
        replay(kit, member(person), action_id)
    except (Refused, Unavailable) as error:
        if error.code in ("action_unknown", "permission_missing"):
            raise
        return _one(kit, request, member(person), error)
    return go(f"/desk/deliveries/{action_id}")


def _one(kit: Kit, request: Request, person: Person, error: JikimiError | None = None) -> Response:
    story = delivery(kit, person, _named(request))
    return page(
        request,
        "delivery.html",
        status=409 if error else 200,
        action=story.action,
        deliveries=story.deliveries,
        refusal=translated(request, REFUSALS.get(error.code, error.message)) if error else "",
    )


def _named(request: Request) -> ActionId:
    return ActionId(request.path_params["action_id"])


ROUTES = (
    Route(method="GET", path="/desk/deliveries", rule=Permission.DELIVERIES, handler=show),
    Route(method="GET", path="/desk/deliveries/{action_id}", rule=Permission.DELIVERIES, handler=show_one),
    Route(method="POST", path="/desk/deliveries/{action_id}/replay", rule=Permission.REPLAY, handler=send_again),
)
