"""Pictures, on request only: a small blurred one, or one that lasts as long as a key is held. Each look is counted.

Everything that changes something needs proof of its origin; the blurred picture is asked for by an `img` element, so it
asks for that proof itself.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jikimi.doors.desk.case_page import Told, show_case
from jikimi.doors.desk.forms import form_of
from jikimi.doors.desk.routing import Route, member
from jikimi.doors.shared.same_origin import check_same_origin
from jikimi.flows.expose import end_reveal, preview, revealed, start_reveal
from jikimi.model.errors import Refused
from jikimi.model.evidence import Rendered
from jikimi.model.exposure import Level
from jikimi.model.ids import CaseId, RevealId
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit


def previewed(kit: Kit, request: Request, person: Person | None) -> Response:
    """The page of the case with one content blurred."""
    told = Told(previewed=request.path_params["sha256"])
    return show_case(kit, request, member(person), _case(request), told)


def blurred(kit: Kit, request: Request, person: Person | None) -> Response:
    """The small, grey, blurred picture itself."""
    check_same_origin(request)
    return _picture(preview(kit, member(person), _case(request), request.path_params["sha256"]))


def begun(kit: Kit, request: Request, person: Person | None) -> Response:
    """A key is held."""
    form = form_of(request)
    look = start_reveal(
        kit,
        member(person),
        _case(request),
        request.path_params["sha256"],
        _level(form.get("level", "")),
        form.get("reason", ""),
    )
    return JSONResponse({"reveal": look.id})


def shown(kit: Kit, request: Request, person: Person | None) -> Response:
    """The picture, once."""
    return _picture(revealed(kit, member(person), _reveal(request)))


def ended(kit: Kit, request: Request, person: Person | None) -> Response:
    """The key was let go."""
    end_reveal(kit, member(person), _reveal(request))
    return Response(status_code=204)


def _picture(rendered: Rendered) -> Response:
    return Response(rendered.data, media_type=rendered.media_type)


def _level(untrusted: str) -> Level:
    if untrusted not in set(Level):
        raise Refused("level_invalid", "Choose how the picture is shown.")
    return Level(untrusted)


def _case(request: Request) -> CaseId:
    return CaseId(request.path_params["case_id"])


def _reveal(request: Request) -> RevealId:
    return RevealId(request.path_params["reveal_id"])


_CONTENT = "/desk/cases/{case_id}"
ROUTES = (
    Route(method="POST", path=f"{_CONTENT}/preview/{{sha256}}", rule=Permission.REVEAL, handler=previewed),
    Route(method="GET", path=f"{_CONTENT}/preview/{{sha256}}", rule=Permission.REVEAL, handler=blurred),
    Route(method="POST", path=f"{_CONTENT}/reveal/{{sha256}}", rule=Permission.REVEAL, handler=begun),
    Route(method="POST", path="/desk/reveals/{reveal_id}/picture", rule=Permission.REVEAL, handler=shown),
    Route(method="POST", path="/desk/reveals/{reveal_id}/end", rule=Permission.REVEAL, handler=ended),
)
