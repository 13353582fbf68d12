"""The platform hands in user reports, asks for decisions, and asks what is known of a content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any, BinaryIO

from anyio import to_thread
from fastapi import APIRouter, Header, Path, Request
from pydantic import TypeAdapter

from jikimi.doors.shared.answers import ContentAnswer, HandedInAnswer, content_answer, handed_in_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.body import Received, receive_said
from jikimi.doors.shared.text import Reference, checked_reference, storable
from jikimi.flows.content import tell_content
from jikimi.flows.once import once
from jikimi.flows.report_in import HandedIn, ask, report
from jikimi.model.bank import Category
from jikimi.model.case import SEVERITY
from jikimi.model.errors import Refused
from jikimi.model.people import Key, Scope
from jikimi.model.scan import MAX_REFERENCE
from jikimi.model.user_report import MAX_TEXT, MAX_WORD, Said
from jikimi.ports import Kit

_REFERENCES = ("content_id", "account_id", "url")
_LENGTHS = {**dict.fromkeys(_REFERENCES, MAX_REFERENCE), "reporter": MAX_WORD, "reason": MAX_WORD, "text": MAX_TEXT}
_WRITE_ANSWER = TypeAdapter(HandedInAnswer)
_Story = Callable[[Kit, Key, Said, Category, BinaryIO | None], HandedIn]
_IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", description="Two calls with one key are one call.")]


def _described(*fields: str) -> dict[str, Any]:
    """The body as the description of the service tells it."""
    texts = {name: {"type": "string", "maxLength": _LENGTHS[name]} for name in fields}
    texts["kind"] = {"type": "string", "enum": [kind.value for kind in SEVERITY], "default": Category.OTHER.value}
    said = {"type": "object", "required": ["content_id", "reason"], "properties": texts}
    with_file = {**said, "properties": {**texts, "file": {"type": "string", "format": "binary"}}}
    content = {"application/json": {"schema": said}, "multipart/form-data": {"schema": with_file}}
    return {"requestBody": {"required": True, "content": content}}


def routes(kit: Kit) -> APIRouter:
    """`POST /v1/cases`, `POST /v1/reports` and `GET /v1/content/{content_id}`."""
    router = APIRouter(prefix="/v1", tags=["reports"])

    async def hand_in(request: Request, idempotency_key: str, story: _Story) -> Any:
        key = await to_thread.run_sync(authorised, kit, request, Scope.REPORT)
        received = await receive_said(request, kit.reader.limits.max_bytes)
        return await to_thread.run_sync(_hand_in_once, kit, key, received, idempotency_key, story)

    @router.post(
        "/cases",
        openapi_extra=_described(*_REFERENCES, "reason", "text"),
        summary="Ask for a decision",
        response_model=HandedInAnswer,
    )
    async def ask_for_decision(request: Request, idempotency_key: _IdempotencyKey = "") -> Any:
        """Ask people to decide about a content of yours, by its name, with its file if you have it.

        If a case waits about the same content, you get that one; otherwise a new one is opened.
        """
        return await hand_in(request, idempotency_key, ask)

    @router.post(
        "/reports",
        openapi_extra=_described(*_REFERENCES, "reporter", "reason", "text"),
        summary="Hand in a user report",
        response_model=HandedInAnswer,
    )
    async def hand_in_report(request: Request, idempotency_key: _IdempotencyKey = "") -> Any:
        """Hand in what a user of yours reported. It joins the case of the same content, decided or not.

        `reporter` is your own name for who said it; people who decide see it, nobody outside does.
        """
        return await hand_in(request, idempotency_key, report)

    @router.get("/content/{content_id:path}", summary="Tell what is known of a content")
    def content(request: Request, content_id: Annotated[Reference, Path()]) -> ContentAnswer:
        """Everything known about one of your contents: checks, cases, reports, and the last action ordered for it."""
        authorised(kit, request, Scope.READ)
        return content_answer(tell_content(kit, content_id))

    return router


def _hand_in_once(kit: Kit, key: Key, received: Received, idempotency_key: str, story: _Story) -> dict[str, object]:
    if received.file is None and received.size:
        raise Refused("body_too_large", f"The file is larger than {kit.reader.limits.max_bytes} bytes; leave it out.")
    said, kind = _said(key, received.fields)

    def make() -> dict[str, object]:
        written: dict[str, object] = _WRITE_ANSWER.dump_python(
            handed_in_answer(story(kit, key, said, kind, received.file)), mode="json"
        )
        return written

    try:
        if not idempotency_key:
            return make()
        return once(kit, key.name, idempotency_key, _digest(received, story), make)
    finally:
        if received.file is not None:
            received.file.close()


def _said(key: Key, untrusted: dict[str, str]) -> tuple[Said, Category]:
    unknown = sorted(set(untrusted) - {*_LENGTHS, "kind"})
    if unknown:
        raise Refused("form_invalid", f"{unknown[0][:40]!r} is no field here; the description lists those there are.")
    references = {name: checked_reference(name, untrusted.get(name, "")) for name in _REFERENCES}
    words = {name: storable(untrusted.get(name, "")) for name in ("reporter", "reason", "text")}
    kind = untrusted.get("kind", Category.OTHER.value)
    if kind not in set(Category):
        raise Refused("case_kind_invalid", f"A case is about one of {', '.join(SEVERITY)}, not {kind[:40]!r}.")
    return Said(source=key.name, **references, **words), Category(kind)


def _digest(received: Received, story: _Story) -> str:
    digest = hashlib.sha256(json.dumps([story.__name__, sorted(received.fields.items())]).encode())
    if received.file is not None:
        digest.update(hashlib.file_digest(received.file, "sha256").digest())  # type: ignore[arg-type]  # binary
        received.file.seek(0)
    return digest.hexdigest()
