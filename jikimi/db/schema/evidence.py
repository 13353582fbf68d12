"""Evidence: what is kept, and the wrapped keys to it. The sealed bytes are blobs."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Text, text

from jikimi.db.columns import BIG, BYTES, JsonText, UtcTime
from jikimi.db.schema.metadata import table

evidence = table(
    "evidence",
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("blob", Text, nullable=False),
    Column("wrapped_key", BYTES, comment="none once destroyed"),
    Column("recipient", Text, nullable=False),
    Column("size", BIG, nullable=False),
    Column("sealed_at", UtcTime, nullable=False),
    Column("held_by", JsonText, nullable=False, comment="cases with a legal hold on it"),
    Column("destroyed_at", UtcTime),
    Index(
        "uq_evidence_sha256_live",
        "sha256",
        unique=True,
        sqlite_where=text("destroyed_at IS NULL"),
        postgresql_where=text("destroyed_at IS NULL"),
    ),
    Index("ix_evidence_blob", "blob"),
    Index("ix_evidence_recipient_id", "recipient", "id"),
)

evidence_keys = table(
    "evidence_keys",
    Column("number", Integer, primary_key=True, autoincrement=False, comment="the highest is sealed to"),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("public", BYTES, nullable=False),
    Column("made_at", UtcTime, nullable=False),
)
