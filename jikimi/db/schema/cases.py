"""Cases, the scans that led to them and the matches of those."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, text

from jikimi.db.columns import BIG, JsonText, UtcTime
from jikimi.db.schema.metadata import table

WAITS = text("state <> 'decided'")
"""What the queue's indexes are about. Written out in queries as well: a database does not see it in a parameter."""
_HELD = text("assignee IS NOT NULL")

cases = table(
    "cases",
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("origin", Text, nullable=False, server_default="match", comment="match, report or platform"),
    Column("assignee", Text, comment="who works on it, until lease_until"),
    Column("lease_until", UtcTime),
    Column("target_at", UtcTime, comment="the operator's own target, not a legal deadline"),
    Index("ix_cases_state_target_at", "state", "target_at"),
    # The queue in its order, with all that it is filtered by: a rare one is found among many without their rows.
    Index(
        "ix_cases_waiting",
        "severity",
        "target_at",
        "id",
        "kind",
        "origin",
        "state",
        sqlite_where=WAITS,
        postgresql_where=WAITS,
    ),
    Index("ix_cases_assignee", "assignee", sqlite_where=_HELD, postgresql_where=_HELD),
)

case_links = table(
    "case_links",
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("what", Text, primary_key=True, comment="content or account"),
    Column("ref", Text, primary_key=True, comment="sha256 of the content, or the caller's name of the account"),
    Index("ix_case_links_what_ref", "what", "ref"),
)

scans = table(
    "scans",
    Column("id", Text, primary_key=True),
    Column("received_at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("content_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("signals", JsonText, nullable=False, comment="lists of type, value, quality, frame"),
    Column("elapsed_ms", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("size", BIG, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("sha1", Text, nullable=False),
    Column("md5", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("reasons", JsonText, nullable=False),
    Column("coverage", JsonText, nullable=False),
    Column("case_id", Text, ForeignKey("cases.id")),
    Column("rechecked_at", UtcTime),
    Index("ix_scans_disposition_id", "disposition", "id"),
    Index("ix_scans_case_id_id", "case_id", "id"),
    Index("ix_scans_sha256", "sha256"),
    Index("ix_scans_content_id", "content_id"),
)

matches = table(
    "matches",
    Column("scan_id", Text, ForeignKey("scans.id"), primary_key=True),
    Column("place", Integer, primary_key=True, comment="order within the scan, strongest first"),
    Column("entry_id", BIG, nullable=False),
    Column("bank_id", Integer, nullable=False),
    Column("bank", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("flooded", Integer, nullable=False, comment="0 or 1"),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("distance", Integer, nullable=False),
    Column("variant", Text, nullable=False),
    Column("frame", Integer, nullable=False),
    Column("flattened", Integer, nullable=False, comment="0 or 1"),
    Column("found_at", UtcTime, nullable=False),
    Column("standing", JsonText, comment="what the list said of the entry then"),
    Index("ix_matches_entry_id_found_at", "entry_id", "found_at"),
    Index("ix_matches_bank_id_found_at", "bank_id", "found_at"),
)
