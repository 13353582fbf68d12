"""The tables. `migrations/` brings a database here step by step; a test holds the two against each other."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

from jikimi.db.columns import BIG, BYTES, JsonText, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(name: str, *items: Any, **options: Any) -> Table:
    return Table(name, metadata, *items, sqlite_strict=True, **options)


clocks = _table(
    "clocks",
    Column("name", Text, primary_key=True, comment="entries: last change; audit: last event; identity: this database"),
    Column("number", BIG, nullable=False),
    Column("digest", Text, nullable=False, comment="audit: digest of the last event; identity: random"),
)

banks = _table(
    "banks",
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("on_match", Text, nullable=False),
    Column("max_distance", Integer, nullable=False, comment="bits of 256"),
    Column("quality_floor", Integer, nullable=False, comment="0 to 100"),
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("enabled", Integer, nullable=False, comment="0 or 1"),
    Column("created_at", UtcTime, nullable=False),
    Column("flooded_at", UtcTime, comment="an entry matched suspiciously often; block means hold until cleared"),
    Column("resumed_at", UtcTime, comment="when it was cleared last; matches before that do not count again"),
    Column("deleted_at", UtcTime),
    Index(
        "uq_banks_name_live",
        "name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

entries = _table(
    "entries",
    Column("id", BIG, primary_key=True),
    Column("bank_id", Integer, ForeignKey("banks.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("value", BYTES, nullable=False),
    Column("quality", Integer),
    Column("note", Text, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("withdrawn_at", UtcTime),
    Column("sequence", BIG, nullable=False, comment="number of the last change, from clocks.entries"),
    Index("uq_entries_signal", "bank_id", "type", "value", unique=True),
    Index("ix_entries_sequence", "sequence"),
    # A number is never used twice: an index that still holds a deleted entry must not find another one in its place.
    sqlite_autoincrement=True,
)

scans = _table(
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
    Index("ix_scans_case_id", "case_id"),
)

matches = _table(
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
    Index("ix_matches_entry_id_found_at", "entry_id", "found_at"),
)

cases = _table(
    "cases",
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_cases_state_severity", "state", "severity"),
)

case_links = _table(
    "case_links",
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("what", Text, primary_key=True, comment="content or account"),
    Column("ref", Text, primary_key=True, comment="sha256 of the content, or the caller's name of the account"),
    Index("ix_case_links_what_ref", "what", "ref"),
)

audit = _table(
    "audit",
    Column("seq", BIG, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("prev", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index("ix_audit_object_seq", "object", "seq"),
)

jobs = _table(
    "jobs",
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("run_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime),
    Column("tries", Integer, nullable=False),
    Column("state", Text, nullable=False, comment="waiting or dead; a finished job is deleted"),
    Column("error", Text, nullable=False),
    Index("uq_jobs_kind_key", "kind", "key", unique=True),
    Index("ix_jobs_state_run_at", "state", "run_at"),
)

keys = _table(
    "keys",
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True, comment="sha256 of the secret"),
    Column("scopes", JsonText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

replies = _table(
    "replies",
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True, comment="sha256 of the caller's Idempotency-Key"),
    Column("asked", Text, nullable=False, comment="sha256 of what was asked"),
    Column("answer", JsonText, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_replies_at", "at"),
)

counters = _table(
    "counters",
    Column("day", Text, primary_key=True, comment="UTC, YYYY-MM-DD"),
    Column("source", Text, primary_key=True),
    Column("disposition", Text, primary_key=True),
    Column("uploads", BIG, nullable=False),
)
