"""Appeals come in, and are followed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from pydantic import StringConstraints, TypeAdapter

from jikimi.doors.shared.answers import AppealAnswer, appeal_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.text import NO_NUL, Name, Reference
from jikimi.flows.appeal import hand_in, tell_appeal
from jikimi.flows.once import once
from jikimi.model.appeal import MAX_APPEAL
from jikimi.model.ids import AppealId, CaseId
from jikimi.model.people import Scope
from jikimi.ports import Kit

_WRITE_ANSWER = TypeAdapter(AppealAnswer)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealRequest:
    """An appeal against what was decided about a case, or about your `content_id`. `reference` is your name for it."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NO_NUL)]
    text: Annotated[str, StringConstraints(max_length=MAX_APPEAL, pattern=NO_NUL)] = ""
    case_id: Name = ""
    content_id: Reference = ""


def routes(kit: Kit) -> APIRouter:
    """`/v1/appeals`."""
    router = APIRouter(prefix="/v1/appeals", tags=["appeals"])

    @router.post("", summary="Hand in an appeal", response_model=AppealAnswer)
    def appeal(
        request: Request,
        said: AppealRequest,
        idempotency_key: Annotated[str, Header(description="Two calls with one key are one call.")] = "",
    ) -> dict[str, object]:
        key = authorised(kit, request, Scope.REPORT)

        def make() -> dict[str, object]:
            handed_in = hand_in(
                kit,
                key,
                reference=said.reference,
                text=said.text,
                case_id=CaseId(said.case_id) if said.case_id else None,
                content_id=said.content_id,
            )
            written: dict[str, object] = _WRITE_ANSWER.dump_python(appeal_answer(handed_in), mode="json")
            return written

        if not idempotency_key:
            return make()
        asked = hashlib.sha256(json.dumps(["appeal", asdict(said)]).encode()).hexdigest()
        return once(kit, key.name, idempotency_key, asked, make)

    @router.get("/{appeal_id}", summary="Show an appeal")
    def show(request: Request, appeal_id: Annotated[Name, Path()]) -> AppealAnswer:
        authorised(kit, request, Scope.READ, Scope.REPORT)
        return appeal_answer(tell_appeal(kit, AppealId(appeal_id)))

    return router
