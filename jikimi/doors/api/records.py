"""Cases and scans are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from jikimi.doors.shared.answers import (
    CaseAnswer,
    CaseStoryAnswer,
    ScanAnswer,
    case_answer,
    scan_answer,
    story_answer,
)
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.text import Name, PageSize
from jikimi.flows.account import tell_case
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, ScanId
from jikimi.model.people import Scope
from jikimi.ports import Kit


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesAnswer:
    """A page of cases, newest first; ask again with `before` until `next_before` is null."""

    cases: list[CaseAnswer]
    next_before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScansAnswer:
    """A page of scans, newest first; ask again with `before` until `next_before` is null."""

    scans: list[ScanAnswer]
    next_before: str | None


def routes(kit: Kit) -> APIRouter:
    """`/v1/cases` and `/v1/scans`."""
    router = APIRouter(prefix="/v1", tags=["records"])

    @router.get("/cases", summary="List cases")
    def cases(request: Request, before: Name | None = None, limit: PageSize = 100) -> CasesAnswer:
        authorised(kit, request, Scope.READ)
        with kit.store.read() as tx:
            page = tx.cases.list(limit=limit, before=CaseId(before) if before else None)
        return CasesAnswer(
            cases=[case_answer(case) for case in page], next_before=page[-1].id if len(page) == limit else None
        )

    @router.get("/cases/{case_id}", summary="Show a case with its history")
    def case(request: Request, case_id: Annotated[Name, Path()]) -> CaseStoryAnswer:
        authorised(kit, request, Scope.READ)
        return story_answer(tell_case(kit, CaseId(case_id)))

    @router.get("/scans", summary="List remembered scans")
    def scans(
        request: Request,
        unchecked: Annotated[bool, Query(description="Only those that could not be checked.")] = False,
        before: Name | None = None,
        limit: PageSize = 100,
    ) -> ScansAnswer:
        authorised(kit, request, Scope.READ)
        with kit.store.read() as tx:
            page = tx.scans.list(unchecked=unchecked, limit=limit, before=ScanId(before) if before else None)
        return ScansAnswer(
            scans=[scan_answer(scan) for scan in page], next_before=page[-1].id if len(page) == limit else None
        )

    @router.get("/scans/{scan_id}", summary="Show a remembered scan")
    def scan(request: Request, scan_id: Annotated[Name, Path()]) -> ScanAnswer:
        authorised(kit, request, Scope.READ)
        with kit.store.read() as tx:
            found = tx.scans.get(ScanId(scan_id))
        if found is None:
            raise Refused("scan_unknown", "There is no such scan; clear uploads are counted, not remembered.")
        return scan_answer(found)

    return router
