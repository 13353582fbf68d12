"""The platform hands something in: a user has reported a content, or it asks for a decision itself.

1  what is said is checked: which content, and why
2  a file that comes along is checked like any upload, and remembered whatever the answer, because people will look
3  the case is found by the content: by its bytes, or by the platform's own name for it
4  a report on a decided case is added there; a request of the platform opens a new case, unless one waits already
5  without a case a new one is opened, due like any other
6  what was said is stored with the case; it is a claim, and decides nothing
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from jikimi.flows.join import join_case, repeat, target_of
from jikimi.flows.scan import scan
from jikimi.model.bank import Category
from jikimi.model.case import WAITING, Case, CaseState, Origin, new_case
from jikimi.model.decision import latest_final
from jikimi.model.ids import CaseId, ReportId
from jikimi.model.people import Key, Scope, require
from jikimi.model.scan import Scan, Upload
from jikimi.model.user_report import Said, UserReport, check_said
from jikimi.ports import Kit, Tx

_NEWEST = 20
"""Uploads and reports of one name that are looked through for a case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What became of it: the case, and the check of the file if there was one."""

    case: Case
    report: UserReport
    scan: Scan | None


def report(kit: Kit, key: Key, said: Said, kind: Category, file: BinaryIO | None = None) -> HandedIn:
    """A user of the platform reports a content."""
    return _hand_in(kit, key, said, kind, Origin.REPORT, file)


def ask(kit: Kit, key: Key, said: Said, kind: Category, file: BinaryIO | None = None) -> HandedIn:
    """The platform asks for a decision."""
    return _hand_in(kit, key, said, kind, Origin.PLATFORM, file)


def _hand_in(kit: Kit, key: Key, said: Said, kind: Category, origin: Origin, file: BinaryIO | None) -> HandedIn:
    require(key, [Scope.REPORT])
    check_said(said)  # 1
    checked = None if file is None else _check(kit, said, file)  # 2
    sha256 = checked.content.sha256 if checked else ""
    with kit.store.begin() as tx:
        new = new_case(
            CaseId(kit.ids("case")), kind=kind, origin=origin, at=kit.clock(), targets=kit.review.targets,
            contents=[sha256], accounts=[said.account_id],
        )  # fmt: skip
        old = next(_candidates(tx, said, sha256, origin), None)  # 3
        case, verb = (_added(tx, old, new), "case.reported") if old else (new, "case.opened")  # 4
        if old is None:  # 5
            tx.cases.add(case)
        if checked is not None and checked.case_id is None:
            checked = _put_into(kit, tx, case, checked)
        told = UserReport(
            id=ReportId(kit.ids("report")), case_id=case.id, said=said, sha256=sha256, received_at=kit.clock()
        )
        tx.user_reports.add(told)  # 6
        facts = {"report": told.id, "reason": said.reason, "kind": case.kind.value}
        tx.audit.append(at=told.received_at, actor=said.source, verb=verb, object_=case.id, detail=facts)
    return HandedIn(case=case, report=told, scan=checked)


def _added(tx: Tx, old: Case, new: Case) -> Case:
    """A claim makes only a case graver that nobody has decided yet."""
    return join_case(tx, old, new if old.state is CaseState.OPEN else replace(new, kind=old.kind))


def _put_into(kit: Kit, tx: Tx, case: Case, checked: Scan) -> Scan:
    """A check that led to no case of its own; what was decided for the same bytes holds for it as well."""
    holds = latest_final(tx.decisions.of_case(case.id))
    if holds is not None:
        repeat(kit, tx, case, holds, target_of(checked))
    checked = replace(checked, case_id=case.id)
    tx.scans.settle(checked)
    return checked


def _check(kit: Kit, said: Said, file: BinaryIO) -> Scan:
    upload = Upload(
        source=said.source,
        received_at=kit.clock(),
        content_id=said.content_id,
        account_id=said.account_id,
        url=said.url,
    )
    return scan(kit, upload, file, for_people=True)


def _candidates(tx: Tx, said: Said, sha256: str, origin: Origin) -> Iterator[Case]:
    """Cases that what was said may belong to, the best first.

    Other bytes under the same name are not what was decided, so they only join what is still open.
    """
    same = tx.cases.holding(sha256) if sha256 else None
    for case in (*([same] if same else []), *_named_alike(tx, said)):
        is_about_it = not sha256 or (same is not None and case.id == same.id)
        if case.state is CaseState.OPEN or (is_about_it and (case.state in WAITING or origin is Origin.REPORT)):
            yield case


def _named_alike(tx: Tx, said: Said) -> list[Case]:
    """Cases with the caller's own name for the content; another caller may mean something else by it."""
    uploads = tx.scans.of_reference(said.content_id, _NEWEST)
    reports = tx.user_reports.of_content(said.content_id, _NEWEST)
    ids = [one.case_id for one in uploads if one.case_id and one.upload.source == said.source]
    ids += [one.case_id for one in reports if one.said.source == said.source]
    return sorted(tx.cases.some(ids), key=lambda case: case.state not in WAITING)
