"""Uploads and signals are checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field, TypeAdapter

from jikimi.doors.shared.answers import ScanAnswer, SignalMatches, match_answer, scan_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.body import Received, receive_upload
from jikimi.doors.shared.errors import problem
from jikimi.doors.shared.text import Reference, checked_reference
from jikimi.flows.once import once
from jikimi.flows.scan import look_up_signals, scan, scan_unread
from jikimi.model.media import Reason
from jikimi.model.people import Key, Scope
from jikimi.model.scan import MAX_REFERENCE, Upload
from jikimi.model.signal import parse_signal
from jikimi.ports import Kit

MAX_SIGNALS = 10_000
"""Signals in one lookup."""

_THREADS = 64
"""Uploads worked on at once; decoding has its own, smaller, number of places."""

_WRITE_ANSWER = TypeAdapter(ScanAnswer)
_REFERENCES = ("content_id", "account_id", "url", "filename")
"""What the caller may say about an upload."""

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{name: {"type": "string", "maxLength": MAX_REFERENCE} for name in _REFERENCES},
                    },
                }
            },
        },
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInput:
    """A signal that somebody computed: its type, and its value in hexadecimal."""

    type: Annotated[str, Field(max_length=40)]
    value: Annotated[str, Field(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest:
    """Signals to look up."""

    signals: Annotated[list[SignalInput], Field(max_length=MAX_SIGNALS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchResults:
    """One result for each signal, in the same order."""

    results: list[SignalMatches]


def routes(kit: Kit) -> APIRouter:
    """`POST /v1/scan` and `POST /v1/match`."""
    router = APIRouter(prefix="/v1", tags=["scan"])
    limiter = CapacityLimiter(_THREADS)

    @router.post("/scan", openapi_extra=_BODY, summary="Check one upload", response_model=ScanAnswer)
    async def check_upload(
        request: Request,
        content_id: Annotated[Reference, Query(description="Your name for the upload.")] = "",
        account_id: Annotated[Reference, Query(description="Your name for the account that sent it.")] = "",
        url: Annotated[Reference, Query(description="Where the upload is shown. It is never fetched.")] = "",
        filename: Annotated[Reference, Query(description="The name of the file.")] = "",
        idempotency_key: Annotated[str, Header(description="Two calls with one key are one call.")] = "",
    ) -> Any:
        """Send the file as the whole body, or as the file part of a form. `unchecked` is not `clear`.

        A file that is too large is a problem with status 413, and remembered as `unchecked` like any other.
        """
        key = await to_thread.run_sync(authorised, kit, request, Scope.SCAN)
        received = await receive_upload(request, kit.reader.limits.max_bytes)
        named = {"content_id": content_id, "account_id": account_id, "url": url, "filename": filename}
        said = {**named, **received.fields}
        return await to_thread.run_sync(_check_once, kit, key, received, said, idempotency_key, limiter=limiter)

    @router.post("/match", summary="Look up signals")
    def look_up(request: Request, body: MatchRequest) -> MatchResults:
        """Look up signals that you computed yourself, thousands at a time. Nothing is stored."""
        authorised(kit, request, Scope.SCAN)
        signals = [parse_signal(one.type, one.value) for one in body.signals]
        found = look_up_signals(kit, signals)
        return MatchResults(
            results=[
                SignalMatches(type=signal.type, value=signal.text, matches=[match_answer(m) for m in matches])
                for signal, matches in zip(signals, found, strict=True)
            ]
        )

    return router


def _check_once(
    kit: Kit, key: Key, received: Received, fields: dict[str, Any], idempotency_key: str
) -> ScanAnswer | Response | dict[str, object]:
    if not idempotency_key or received.file is None:
        return _check(kit, key, received, fields)
    digest = hashlib.file_digest(received.file, "sha256")  # type: ignore[arg-type]  # any binary file will do
    digest.update(json.dumps([fields[name] for name in _REFERENCES]).encode())
    with received.file:  # an answer that is given again leaves it unread
        return once(
            kit, key.name, idempotency_key, digest.hexdigest(), lambda: _as_json(_check(kit, key, received, fields))
        )


def _as_json(answer: ScanAnswer | Response) -> dict[str, object]:
    assert isinstance(answer, ScanAnswer)
    written: dict[str, object] = _WRITE_ANSWER.dump_python(answer, mode="json")
    return written


def _check(kit: Kit, key: Key, received: Received, fields: dict[str, Any]) -> ScanAnswer | Response:
    upload = Upload(
        source=key.name,
        received_at=kit.clock(),
        **{name: checked_reference(name, fields[name]) for name in _REFERENCES},
    )
    if received.file is None:
        answer = scan_answer(scan_unread(kit, upload, size=received.size, reason=Reason.TOO_LARGE))
        return problem(
            413,
            "body_too_large",
            f"The file is larger than {kit.reader.limits.max_bytes} bytes, so it is unchecked.",
            scan_id=answer.scan_id,
            verdict=answer.verdict,
            reasons=answer.reasons,
            size=answer.size,
        )
    with received.file as file:
        return scan_answer(scan(kit, upload, file))
