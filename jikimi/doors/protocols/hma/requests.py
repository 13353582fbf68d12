"""Reading a request the way HMA does: which mistake is 400, which 415, which 422."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.requests import Request

from jikimi.doors.protocols.hma.routing import Body, Takes
from jikimi.doors.shared.body import receive_form, receive_upload
from jikimi.model.errors import Refused
from jikimi.ports import Kit

_MOST_JSON = 1024 * 1024
"""Bytes of a JSON body."""


async def read_body(kit: Kit, request: Request, takes: Takes) -> Body:
    """Read what a route takes."""
    kind = request.headers.get("content-type", "").lower()
    if takes is Takes.NOTHING:
        return Body()
    if takes is Takes.MODEL:
        return Body(json=_parsed(await _bytes(request)) if "json" in kind else {})
    if takes is Takes.JSON:
        if "json" not in kind:
            raise Refused("media_type_unsupported", "Send JSON, and say so: Content-Type: application/json.")
        return Body(json=_object(await _bytes(request)))
    if kind.startswith("multipart/form-data"):
        return await _read_form(kit, request)
    if takes is Takes.FILE:
        raise Refused("file_missing", "Send exactly one file as multipart/form-data, in a field `photo` or `video`.")
    return Body(json=_object(await _bytes(request)) if "json" in kind else {})


def json_of(untrusted_text: str | bytes) -> Any:
    """Read JSON; `Refused` for what is none, or is nested so deeply that nobody means it."""
    try:
        return json.loads(untrusted_text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused("json_invalid", "This is not JSON.") from error


async def _read_form(kit: Kit, request: Request) -> Body:
    most = kit.reader.limits.max_bytes
    received = await receive_form(request, most)
    if received.file is None and received.size:
        raise _too_large(most)
    return Body(file=received.file, name=received.field, fields=received.fields)


async def _bytes(request: Request) -> bytes:
    received = await receive_upload(request, _MOST_JSON)
    if received.file is None:
        raise _too_large(_MOST_JSON)
    with received.file as file:
        return file.read()


def _parsed(untrusted_bytes: bytes) -> Any:
    try:
        return json_of(untrusted_bytes)
    except Refused:
        return None  # a model finds that this is no object, which is 422 as everything else that is wrong with it


def _object(untrusted_bytes: bytes) -> Any:
    found = json_of(untrusted_bytes)
    if not isinstance(found, dict):
        raise Refused("json_invalid", "Send a JSON object.")
    return found


def _too_large(most: int) -> Refused:
    return Refused("body_too_large", f"This is larger than {most} bytes.")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
