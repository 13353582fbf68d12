"""Reading the key of a request."""

from __future__ import annotations

from fastapi import Request

from jikimi.flows.key import authenticate
from jikimi.model.people import Key, Scope
from jikimi.ports import Kit

_SCHEME = "bearer "


def authorised(kit: Kit, request: Request, *scopes: Scope) -> Key:
    """The key that a request carries in `Authorization: Bearer …`; `Refused` if it opens none of the scopes."""
    header = request.headers.get("authorization", "")
    secret = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else ""
    return authenticate(kit, secret, *scopes)
