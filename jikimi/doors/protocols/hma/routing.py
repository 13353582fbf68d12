"""A route as a row of a table: what it takes, who may call it, which function answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, BinaryIO

from jikimi.doors.protocols.hma.service import Here
from jikimi.model.people import Scope


class Takes(Enum):
    """What a route takes as its body."""

    NOTHING = auto()
    MODEL = auto()
    """JSON that is checked against a model: whatever is wrong with it is 422."""
    JSON = auto()
    """A JSON object: 415 if the request does not call it so, 400 if it is none."""
    FILE = auto()
    """A multipart form with exactly one file, whose field is called after a content type."""
    CONTENT = auto()
    """A file as above, or a JSON object, or nothing: an address in the query stands for the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request's body as far as it was asked for."""

    json: Any = None
    file: BinaryIO | None = None
    name: str = ""
    """What the form calls the file."""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: who asks, and for what. Names in the path and everything else are untrusted."""

    here: Here
    actor: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Body
    prefix: str = ""
    """What is before our paths in the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered: JSON, or plain text where `json` is a `str` and `is_text` says so."""

    json: Any
    status: int = 200
    is_text: bool = False
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. `scopes` are those of which a key has to open one; without any, no key is asked for."""

    method: str
    path: str
    answer: Callable[[Call], Answer]
    scopes: tuple[Scope, ...] = ()
    takes: Takes = Takes.NOTHING
