"""Our errors in HMA's words: a status and `{"message"}`, a list where a model was not met, text without a key."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.protocols.hma.models import mistakes
from jikimi.doors.protocols.hma.routing import Answer
from jikimi.doors.protocols.hma.write import response_of
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.ports import Log

_STATUS = {
    "bank_exists": 403,
    "bank_unknown": 404,
    "body_incomplete": 408,
    "body_too_large": 413,
    "content_unknown": 404,
    "cross_site": 403,
    "exchange_api_unknown": 404,
    "exchange_exists": 403,
    "exchange_pulling": 503,
    "exchange_unknown": 404,
    "key_invalid": 401,
    "media_type_unsupported": 415,
    "scope_missing": 403,
    "url_hashing_off": 403,
    "url_too_large": 413,
}
_WORDS = {"bank_exists": "Bank already exists", "exchange_exists": "Exchange already exists"}
"""What callers look for in a message."""


def answer_of(error: JikimiError | ValidationError, log: Log, path: str) -> Response:
    """Write an error."""
    if isinstance(error, ValidationError):
        return response_of(Answer(json=mistakes(error), status=422))
    if isinstance(error, Refused):
        status = _STATUS.get(error.code, 400)
        if status == 401:
            response = response_of(Answer(json="Unauthorized: send a valid key.", status=401, is_text=True))
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        return response_of(Answer(json={"message": _WORDS.get(error.code, error.message)}, status=status))
    log.error("request_failed", path=path, code=error.code, detail=error.detail)
    if not isinstance(error, Unavailable):
        return response_of(Answer(json={"message": error.message}, status=500))
    response = response_of(Answer(json={"message": error.message}, status=503))
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def install(app: Starlette, log: Log) -> None:
    """Make what no route raises speak in the same shape."""

    async def unmet(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = response_of(Answer(json={"message": f"{error.detail}."}, status=error.status_code))
        response.headers.update(error.headers or {})
        return response

    async def fault(request: Request, error: Exception) -> Response:
        log.error("request_fault", path=request.url.path, fault=repr(error), exc_info=error)
        return response_of(Answer(json={"message": "Something of ours went wrong; see the log."}, status=500))

    app.add_exception_handler(HTTPException, unmet)
    app.add_exception_handler(Exception, fault)
