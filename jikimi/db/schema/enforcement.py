"""Actions, each try to deliver one, and appeals."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text

from jikimi.db.columns import JsonText, UtcTime
from jikimi.db.schema.metadata import table

actions = table(
    "actions",
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("decision_id", Text, ForeignKey("decisions.id")),
    Column("place", Integer, nullable=False, comment="order within the case, from 1"),
    Column("verb", Text, comment="null: tells how an appeal has ended"),
    Column("targets", JsonText, nullable=False),
    Column("reasons", JsonText, nullable=False),
    Column("key", Text, nullable=False, unique=True, comment="idempotency key: the same for every try"),
    Column("state", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("delivered_at", UtcTime),
    Column("receipt", Text, nullable=False),
    Column("received_at", UtcTime),
    Column("undo_of", Text, ForeignKey("actions.id")),
    Column("appeal_id", Text),
    Index("uq_actions_case_id_place", "case_id", "place", unique=True),
    Index("ix_actions_state_id", "state", "id"),
)

deliveries = table(
    "deliveries",
    Column("action_id", Text, ForeignKey("actions.id"), primary_key=True),
    Column("place", Integer, primary_key=True, comment="which try, from 1"),
    Column("at", UtcTime, nullable=False),
    Column("status", Integer, nullable=False, comment="HTTP status; 0: no answer"),
    Column("error", Text, nullable=False),
    Column("elapsed_ms", Integer, nullable=False),
)

appeals = table(
    "appeals",
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("decision_id", Text, ForeignKey("decisions.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text, ForeignKey("people.id")),
    Column("decided_at", UtcTime),
    Column("note", Text, nullable=False),
    Index("uq_appeals_source_reference", "source", "reference", unique=True),
    Index("ix_appeals_case_id", "case_id"),
    Index("ix_appeals_state_id", "state", "id"),
)
