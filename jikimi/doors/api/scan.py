"""Uploads and signals are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from pydantic import Field

from jikimi.doors.shared.answers import ScanAnswer, SignalMatches, match_answer, scan_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.body import Received, receive_upload
from jikimi.doors.shared.text import Reference, checked_reference
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
                        "external_id": {"type": "string", "maxLength": MAX_REFERENCE},
                        "account_ref": {"type": "string", "maxLength": MAX_REFERENCE},
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

    @router.post("/scan", openapi_extra=_BODY, summary="Check one upload")
    async def check_upload(
        request: Request,
        external_id: Annotated[Reference, Query(description="Your name for the upload.")] = "",
        account_ref: Annotated[Reference, Query(description="Your name for the account that sent it.")] = "",
    ) -> ScanAnswer:
        """Send the file as the whole body, or as the file part of a form. `unchecked` is not `clear`."""
        key = await to_thread.run_sync(authorised, kit, request, Scope.SCAN)
        received = await receive_upload(request, kit.reader.limits.max_bytes)
        fields = {"external_id": external_id, "account_ref": account_ref, **received.fields}
        return await to_thread.run_sync(_check, kit, key, received, fields, limiter=limiter)

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


def _check(kit: Kit, key: Key, received: Received, fields: dict[str, Any]) -> ScanAnswer:
    upload = Upload(
        source=key.name,
        received_at=kit.clock(),
        external_id=checked_reference("external_id", fields["external_id"]),
        account_ref=checked_reference("account_ref", fields["account_ref"]),
    )
    if received.file is None:
        return scan_answer(scan_unread(kit, upload, size=received.size, reason=Reason.TOO_LARGE))
    with received.file as file:
        return scan_answer(scan(kit, upload, file))
