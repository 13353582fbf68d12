"""One case: it is read, taken, given away, noted, decided, confirmed, undone. Each is one call of a flow.

What a flow refuses is said on the page of the case itself, with everything that was written still in its form.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jikimi.doors.desk.case_page import Told, show_case
from jikimi.doors.desk.decision_form import choice_of, same_of, version_of
from jikimi.doors.desk.forms import form_of
from jikimi.doors.desk.language import N_, Clockwork, language_of
from jikimi.doors.desk.page import go, translated
from jikimi.doors.desk.routing import Route, member
from jikimi.flows.review import (
    confirm,
    decide,
    decide_same,
    decline,
    extend,
    hand_over,
    note,
    skip,
    take,
    undo,
)
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, DecisionId, PersonId
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit

_STILL_YOURS = N_("Yours until %(time)s")


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """The page."""
    told = Told(sent=request.query_params.get("sent", ""))
    return show_case(kit, request, member(person), _case(request), told)


def taken(kit: Kit, request: Request, person: Person | None) -> Response:
    """Take it."""
    return _done(kit, request, member(person), lambda who: take(kit, who, _case(request)))


def skipped(kit: Kit, request: Request, person: Person | None) -> Response:
    """Put it aside; back to the queue."""
    skip(kit, member(person), _case(request))
    return go("/desk/queue")


def handed_over(kit: Kit, request: Request, person: Person | None) -> Response:
    """Give it to somebody, or to everybody; back to the queue."""
    to = form_of(request).get("to", "")
    try:
        hand_over(kit, member(person), _case(request), PersonId(to) if to else None)
    except Refused as refusal:
        return show_case(kit, request, member(person), _case(request), Told(refusal=refusal))
    return go("/desk/queue")


def extended(kit: Kit, request: Request, person: Person | None) -> Response:
    """A page that is worked on asks for more time."""
    case = extend(kit, member(person), _case(request))
    assert case.lease_until is not None
    clock = Clockwork(language_of(request, person), person)
    return JSONResponse({"text": translated(request, _STILL_YOURS) % {"time": clock.time(case.lease_until)}})


def noted(kit: Kit, request: Request, person: Person | None) -> Response:
    """Write a note."""
    text = form_of(request).get("text", "")
    draft = f"{_case(request)}-text"
    return _done(kit, request, member(person), lambda who: note(kit, who, _case(request), text), draft)


def decided(kit: Kit, request: Request, person: Person | None) -> Response:
    """Decide, and with it other cases of the very same content if they were ticked."""

    def settle(who: Person) -> object:
        choice, same = choice_of(request), same_of(request)
        if same:
            return decide_same(kit, who, (_case(request), *same), choice, version=version_of(request))
        return decide(kit, who, _case(request), choice, version=version_of(request))

    return _done(kit, request, member(person), settle, _case(request))


def _on_decision(act: Callable[[Kit, Person, DecisionId, str], object]) -> Callable[..., Response]:
    def answer(kit: Kit, request: Request, person: Person | None) -> Response:
        decision_id = DecisionId(request.path_params["decision_id"])
        said = form_of(request).get("note", "").strip()
        return _done(kit, request, member(person), lambda who: act(kit, who, decision_id, said), decision_id)

    return answer


def _case(request: Request) -> CaseId:
    return CaseId(request.path_params["case_id"])


def _done(
    kit: Kit,
    request: Request,
    person: Person,
    act: Callable[[Person], object],
    draft: str = "",
) -> Response:
    """Do it and show the case anew, which forgets the draft; or show why not, with what was written."""
    where = _case(request)
    try:
        act(person)
    except Refused as refusal:
        if refusal.code == "case_unknown":
            raise
        return show_case(kit, request, person, where, Told(refusal=refusal))
    return go(f"/desk/cases/{where}" + (f"?{urlencode({'sent': draft})}" if draft else ""))


_CASE = "/desk/cases/{case_id}"
_DECISION = f"{_CASE}/decisions/{{decision_id}}"
ROUTES = (
    Route(method="GET", path=_CASE, rule=Permission.QUEUE, handler=show),
    Route(method="POST", path=f"{_CASE}/take", rule=Permission.REVIEW, handler=taken),
    Route(method="POST", path=f"{_CASE}/skip", rule=Permission.REVIEW, handler=skipped),
    Route(method="POST", path=f"{_CASE}/handover", rule=Permission.REVIEW, handler=handed_over),
    Route(method="POST", path=f"{_CASE}/extend", rule=Permission.REVIEW, handler=extended),
    Route(method="POST", path=f"{_CASE}/note", rule=Permission.QUEUE, handler=noted),
    Route(method="POST", path=f"{_CASE}/decide", rule=Permission.REVIEW, handler=decided),
    Route(
        method="POST",
        path=f"{_DECISION}/confirm",
        rule=Permission.CONFIRM,
        handler=_on_decision(lambda kit, who, decision_id, said: confirm(kit, who, decision_id, note=said)),
    ),
    Route(method="POST", path=f"{_DECISION}/decline", rule=Permission.CONFIRM, handler=_on_decision(decline)),
    Route(method="POST", path=f"{_DECISION}/undo", rule=Permission.REVIEW, handler=_on_decision(undo)),
)
