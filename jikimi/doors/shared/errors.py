"""The one table from our error families to HTTP status codes, and the shape of every error body."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from jikimi.model.errors import Broken, JikimiError, Refused, Unavailable
from jikimi.ports import Log

_REFUSED = {
    "key_invalid": 401,
    "scope_missing": 403,
    "body_incomplete": 408,
    "body_too_large": 413,
    "signal_type_unknown": 400,  # a mistake in what was sent, not a place that is not there
}
_BY_ENDING = {"_unknown": 404, "_exists": 409}
_BY_STATUS = {404: "path_unknown", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """What is wrong: a stable code, and a sentence that says what to do next."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """The body of every answer that is an error."""

    error: ErrorBody


def status_of(error: JikimiError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, Unavailable):
        return 503
    if not isinstance(error, Refused):
        return 500
    by_ending = next((status for ending, status in _BY_ENDING.items() if error.code.endswith(ending)), 400)
    return _REFUSED.get(error.code, by_ending)


def install(app: FastAPI, log: Log) -> None:
    """Make every error of this application speak in the same shape."""

    @app.exception_handler(JikimiError)
    def _ours(request: Request, error: JikimiError) -> JSONResponse:
        headers = {}
        if isinstance(error, Unavailable):
            headers["Retry-After"] = str(error.retry_after)
        if error.code == "key_invalid":
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, Broken | Unavailable):
            log.error("request_failed", path=request.url.path, code=error.code, detail=error.detail)
        return _answer(status_of(error), error.code, error.message, headers)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        mistakes = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return _answer(422, "request_invalid", f"The request needs a change: {mistakes}.")

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = _BY_STATUS.get(error.status_code, "request_invalid")
        return _answer(error.status_code, code, f"{error.detail}.", dict(error.headers or {}))

    @app.exception_handler(Exception)
    def _fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request_fault", path=request.url.path, fault=repr(error), exc_info=error)
        return _answer(500, "fault", "Something of ours went wrong; nothing was stored. It is in the service's log.")


def _answer(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)
