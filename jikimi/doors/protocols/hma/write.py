"""Answers as bytes: JSON with its keys in order and nothing but ASCII, or plain text."""

from __future__ import annotations

import json

from starlette.responses import Response

from jikimi.doors.protocols.hma.routing import Answer

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def response_of(answer: Answer) -> Response:
    """Write an answer."""
    headers = {**_HEADERS, **({"Location": answer.location} if answer.location else {})}
    if answer.is_text:
        return Response(answer.json, answer.status, headers, media_type="text/plain")
    # Half a surrogate pair, which a caller may have sent, is written as an escape: ASCII holds everything.
    return Response(json.dumps(answer.json, sort_keys=True), answer.status, headers, media_type="application/json")
