"""The page on which people are let in, get other roles, and are disabled."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.forms import all_of, form_of
from jikimi.doors.desk.page import go, page
from jikimi.doors.desk.routing import Route
from jikimi.doors.desk.say import said
from jikimi.doors.desk.session import signed_of
from jikimi.doors.desk.signin import prove_page
from jikimi.doors.shared.errors import status_of
from jikimi.flows import people
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import Permission, Person, Role
from jikimi.model.signin import Signed
from jikimi.ports import Kit

_HERE = "/desk/people"
_Story = Callable[[Kit, Request, Signed], "people.Link | None"]


def _show(kit: Kit, request: Request, person: Person | None) -> Response:
    return _page(kit, request, None)


def _page(kit: Kit, request: Request, error: Refused | None, link: people.Link | None = None) -> Response:
    by = signed_of(kit, request)
    return page(
        request,
        "people.html",
        status=status_of(error) if error else 200,
        error=said(request, error) if error else "",
        staff=people.staff(kit, by),
        me=by.person,
        roles=tuple(Role),
        link=link,
        handle=people.HANDLE,
    )


def _does(story: _Story) -> Callable[[Kit, Request, Person | None], Response]:
    """A handler that does one thing: shows the link that came of it, asks for a proof, or says what is in the way."""

    def answer(kit: Kit, request: Request, person: Person | None) -> Response:
        try:
            link = story(kit, request, signed_of(kit, request))
        except Refused as error:
            return _proof_or_page(kit, request, error)
        return _page(kit, request, None, link) if link else go(_HERE)

    return answer


def _proof_or_page(kit: Kit, request: Request, error: Refused) -> Response:
    if error.code == "proof_stale":
        return prove_page(kit, request, None, onward=_HERE)
    if error.code == "permission_missing":
        raise error
    return _page(kit, request, error)


def _invite(kit: Kit, request: Request, by: Signed) -> people.Link:
    return people.invite(kit, by, _roles(request), form_of(request).get("label", ""))


def _withdraw(kit: Kit, request: Request, by: Signed) -> None:
    people.withdraw_invitation(kit, by, form_of(request).get("invitation", ""))


def _new_link(kit: Kit, request: Request, by: Signed) -> people.Link:
    return people.new_link(kit, by, _whom(request))


def _change_roles(kit: Kit, request: Request, by: Signed) -> None:
    people.change_roles(kit, by, _whom(request), _roles(request))


def _disable(kit: Kit, request: Request, by: Signed) -> None:
    people.disable(kit, by, _whom(request))


def _enable(kit: Kit, request: Request, by: Signed) -> None:
    people.enable(kit, by, _whom(request))


def _end_sessions(kit: Kit, request: Request, by: Signed) -> None:
    people.end_sessions(kit, by, _whom(request))


def _whom(request: Request) -> PersonId:
    return PersonId(form_of(request).get("person", ""))


def _roles(request: Request) -> list[Role]:
    wanted = set(all_of(request, "role"))
    return [role for role in Role if role.value in wanted]


_STORIES: dict[str, _Story] = {
    "/invite": _invite,
    "/withdraw": _withdraw,
    "/link": _new_link,
    "/roles": _change_roles,
    "/disable": _disable,
    "/enable": _enable,
    "/sessions/end": _end_sessions,
}

ROUTES: tuple[Route, ...] = (
    Route(method="GET", path=_HERE, rule=Permission.PEOPLE, handler=_show),
    *(
        Route(method="POST", path=_HERE + path, rule=Permission.PEOPLE, handler=_does(story))
        for path, story in _STORIES.items()
    ),
)
