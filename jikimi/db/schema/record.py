"""What is kept about the work itself: clocks, the audit chain, jobs, keys, replies, counters."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Text

from jikimi.db.columns import BIG, JsonText, UtcTime
from jikimi.db.schema.metadata import table

clocks = table(
    "clocks",
    Column("name", Text, primary_key=True, comment="entries: last change; audit: last event; identity: this database"),
    Column("number", BIG, nullable=False),
    Column("digest", Text, nullable=False, comment="audit: digest of the last event; identity: random"),
)

audit = table(
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

jobs = table(
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

keys = table(
    "keys",
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True, comment="sha256 of the secret"),
    Column("scopes", JsonText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

replies = table(
    "replies",
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True, comment="sha256 of the caller's Idempotency-Key"),
    Column("asked", Text, nullable=False, comment="sha256 of what was asked"),
    Column("answer", JsonText, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_replies_at", "at"),
)

counters = table(
    "counters",
    Column("day", Text, primary_key=True, comment="UTC, YYYY-MM-DD"),
    Column("source", Text, primary_key=True),
    Column("disposition", Text, primary_key=True),
    Column("uploads", BIG, nullable=False),
)
