"""What users of the platform reported."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from jikimi.db.schema import user_reports
from jikimi.model.ids import CaseId, ReportId
from jikimi.model.user_report import Said, UserReport

_SAID = tuple(Said.__dataclass_fields__)


class SqlUserReports:
    """Reports in the database: added and read, never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, report: UserReport) -> None:
        """Store a new report."""
        values = {"id": report.id, "case_id": report.case_id, "sha256": report.sha256}
        self._connection.execute(
            insert(user_reports).values({**values, "received_at": report.received_at, **asdict(report.said)})
        )

    def of_case(self, case_id: CaseId, limit: int) -> tuple[UserReport, ...]:
        """The newest reports in a case, newest first."""
        found = select(user_reports).where(user_reports.c.case_id == case_id).order_by(user_reports.c.id.desc())
        return tuple(_report(row) for row in self._connection.execute(found.limit(limit)))

    def of_content(self, content_id: str, limit: int) -> tuple[UserReport, ...]:
        """The newest reports about one of the platform's contents, newest first."""
        found = select(user_reports).where(user_reports.c.content_id == content_id).order_by(user_reports.c.id.desc())
        return tuple(_report(row) for row in self._connection.execute(found.limit(limit)))


def _report(row: Row[Any]) -> UserReport:
    return UserReport(
        id=ReportId(row.id),
        case_id=CaseId(row.case_id),
        said=Said(**{name: getattr(row, name) for name in _SAID}),
        sha256=row.sha256,
        received_at=row.received_at,
    )
