"""A route of the desk: who may come, and what answers. The permission matrix is tested from these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from jikimi.model.people import Permission, Person
from jikimi.ports import Kit

Handler = Callable[[Kit, Request, Person | None], Response]
"""Called in a thread. The form is in `request.state.form`, repeated fields are in `request.state.fields`."""


class Rule(StrEnum):
    """Who may come, where that is no permission."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method at one path (with `{names}`), the rule for it, and what answers."""

    method: str
    path: str
    rule: Permission | Rule
    handler: Handler


def member(person: Person | None) -> Person:
    """The person of a route that is not public; the door has let nobody else in."""
    assert person is not None
    return person
