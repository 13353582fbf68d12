"""Banks and their entries."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, text

from jikimi.db.columns import BIG, BYTES, NUMBER, UtcTime
from jikimi.db.schema.metadata import table

banks = table(
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
    Column("on_disputed", Text, nullable=False, server_default="hold", comment="hold or log"),
    Column("on_unconfirmed", Text, nullable=False, server_default="hold", comment="hold or log"),
    Column("ratio", NUMBER, nullable=False, server_default="1", comment="part of HMA look-ups that ask this bank"),
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

entries = table(
    "entries",
    Column("id", BIG, primary_key=True),
    Column("bank_id", Integer, ForeignKey("banks.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("value", BYTES, nullable=False),
    Column("quality", Integer),
    Column("note", Text, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("withdrawn_at", UtcTime),
    Column("by_hand", Text, nullable=False, server_default="added", comment="by a person: added, withdrawn; or empty"),
    Column("asleep_until", UtcTime, comment="does not match before this time"),
    Column("sequence", BIG, nullable=False, comment="number of the last change, from clocks.entries"),
    Index("uq_entries_signal", "bank_id", "type", "value", unique=True),
    Index("ix_entries_sequence", "sequence"),
    Index(
        "ix_entries_asleep_until",
        "asleep_until",
        sqlite_where=text("asleep_until IS NOT NULL"),
        postgresql_where=text("asleep_until IS NOT NULL"),
    ),
    # A number is never used twice: an index that still holds a deleted entry must not find another one in its place.
    sqlite_autoincrement=True,
)
