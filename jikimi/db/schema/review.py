"""Decisions of cases, notes, who skipped what, what reviewers were exposed to, and what users reported."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, text

from jikimi.db.columns import JsonText, UtcTime
from jikimi.db.schema.metadata import table

decisions = table(
    "decisions",
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("by", Text, ForeignKey("people.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("label", Text, nullable=False),
    Column("choice", JsonText, nullable=False),
    Column("state", Text, nullable=False),
    Column("seen", JsonText, nullable=False, comment="levels that were really looked at"),
    Column("second", Text, ForeignKey("people.id")),
    Column("second_at", UtcTime),
    Column("second_note", Text, nullable=False),
    Column("undone_by", Text, ForeignKey("people.id")),
    Column("undone_at", UtcTime),
    Column("appeal_id", Text),
    Column("added", JsonText, nullable=False, comment="numbers of bank entries that it added"),
    Column("withdrawn", JsonText, nullable=False, comment="numbers of bank entries that it withdrew"),
    Index("ix_decisions_case_id", "case_id"),
    Index("ix_decisions_state_id", "state", "id"),
    # One decision holds in a case, whatever the code may think.
    Index(
        "uq_decisions_case_id_final",
        "case_id",
        unique=True,
        sqlite_where=text("state = 'final'"),
        postgresql_where=text("state = 'final'"),
    ),
)

notes = table(
    "notes",
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("by", Text, ForeignKey("people.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_notes_case_id", "case_id"),
)

skips = table(
    "skips",
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("person_id", Text, ForeignKey("people.id"), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Index("ix_skips_person_id", "person_id"),
)

exposures = table(
    "exposures",
    Column("id", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("people.id"), nullable=False),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("sha256", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("shown_at", UtcTime, comment="when the picture was handed out, which happens once"),
    Column("ended_at", UtcTime),
    Column("milliseconds", Integer, nullable=False),
    Index("ix_exposures_person_id_started_at", "person_id", "started_at"),
    Index("ix_exposures_case_id", "case_id"),
    Index("ix_exposures_ended_at_started_at", "ended_at", "started_at"),
)

user_reports = table(
    "user_reports",
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("content_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("sha256", Text, nullable=False, comment="empty: no file was handed in"),
    Column("reporter", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Index("ix_user_reports_case_id_id", "case_id", "id"),
    Index("ix_user_reports_content_id", "content_id"),
)
