"""What else an entry matched: is it the entry that is wrong, or more of its bank?"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.page import page
from jikimi.doors.desk.routing import Route, member
from jikimi.flows.review import other_matches
from jikimi.model.errors import Refused
from jikimi.model.people import Permission, Person
from jikimi.ports import Kit

_MOST_DIGITS = 18
"""What fits the database's numbers."""


def show(kit: Kit, request: Request, person: Person | None) -> Response:
    """One entry with its other matches and those of its bank."""
    untrusted_number = request.path_params["entry_id"]
    if not untrusted_number.isdecimal() or len(untrusted_number) > _MOST_DIGITS:
        raise Refused("entry_unknown", "An entry is named by its number.")
    found = other_matches(kit, member(person), int(untrusted_number))
    lists = (("entry", found.of_entry), ("bank", found.of_bank))
    return page(request, "entry.html", entry=found.entry, bank=found.bank, lists=lists, said=found.said)


ROUTES = (Route(method="GET", path="/desk/entries/{entry_id}", rule=Permission.BANKS, handler=show),)
