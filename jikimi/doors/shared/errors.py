"""The one table from our error families to HTTP status codes, and the shape of every error body."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from jikimi.model.errors import Broken, JikimiError, Refused, Unavailable
from jikimi.ports import Log

_REFUSED = {
    "key_invalid": 401,
    "sign_in_failed": 401,
    "proof_invalid": 401,
    "proof_stale": 403,
    "not_invited": 403,
    "question_stale": 409,
    "too_many_tries": 429,
    "signed_out": 401,
    "permission_missing": 403,
    "cross_site": 403,
    "method_not_allowed": 405,
    "case_taken": 409,
    "case_moved": 409,
    "lease_expired": 409,
    "scope_missing": 403,
    "body_incomplete": 408,
    "body_too_large": 413,
    "vault_locked": 409,
    "evidence_held": 409,
    "evidence_destroyed": 410,
    "checkpoint_stale": 410,
    "idempotency_key_used": 422,
    "picture_undrawable": 422,
    "exposure_cap": 429,
    "break_due": 429,
    "after_hours": 429,
    "signal_type_unknown": 400,  # a mistake in what was sent, not a place that is not there
}
_BY_ENDING = {"_unknown": 404, "_exists": 409}
_BY_STATUS = {404: "path_unknown", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The body of every answer that is an error (RFC 9457). `code` is stable; `detail` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    code: str


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
        return problem(status_of(error), error.code, error.message, headers)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        mistakes = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return problem(422, "request_invalid", f"The request needs a change: {mistakes}.")

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = _BY_STATUS.get(error.status_code, "request_invalid")
        return problem(error.status_code, code, f"{error.detail}.", dict(error.headers or {}))

    @app.exception_handler(Exception)
    def _fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request_fault", path=request.url.path, fault=repr(error), exc_info=error)
        return problem(500, "fault", "Something of ours went wrong; nothing was stored. It is in the service's log.")


def problem(
    status: int, code: str, message: str, headers: dict[str, str] | None = None, **more: object
) -> JSONResponse:
    """Write an error, with further members where they help."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "code": code,
        **more,
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")
