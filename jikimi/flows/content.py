"""Everything that is known about one of the platform's contents, by the platform's own name for it."""

from __future__ import annotations

from dataclasses import dataclass

from jikimi.model.action import Action
from jikimi.model.case import Case
from jikimi.model.errors import Refused
from jikimi.model.scan import Scan
from jikimi.model.user_report import UserReport
from jikimi.ports import Kit, Tx

_NEWEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentStory:
    """A content's checks, cases and reports, newest first, and the last action that was ordered for it."""

    content_id: str
    scans: tuple[Scan, ...]
    cases: tuple[Case, ...]
    user_reports: tuple[UserReport, ...]
    action: Action | None


def tell_content(kit: Kit, content_id: str) -> ContentStory:
    """`Refused` if nothing is known: clear uploads are counted, not remembered."""
    with kit.store.read() as tx:
        scans = tx.scans.of_reference(content_id, _NEWEST)
        reports = tx.user_reports.of_content(content_id, _NEWEST)
        cases = tx.cases.some({one.case_id for one in scans if one.case_id} | {one.case_id for one in reports})
        if not (scans or reports):
            raise Refused("content_unknown", "Nothing is known of this content; clear uploads are not remembered.")
        return ContentStory(
            content_id=content_id,
            scans=scans,
            cases=cases,
            user_reports=reports,
            action=_last_action(tx, cases, content_id),
        )


def _last_action(tx: Tx, cases: tuple[Case, ...], content_id: str) -> Action | None:
    about = [
        action
        for case in cases
        for action in tx.actions.of_case(case.id)
        if any(target.content_id == content_id for target in action.targets)
    ]
    return max(about, key=lambda action: (action.created_at, action.id), default=None)
