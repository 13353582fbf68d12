"""Exchanges, what they say about entries, what is given back to them, and what is kept to look back at."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text

from jikimi.db.columns import BIG, BYTES, JsonText, UtcTime
from jikimi.db.schema.metadata import table

exchanges = table(
    "exchanges",
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("bank_id", Integer, ForeignKey("banks.id"), nullable=False),
    Column("settings", JsonText, nullable=False, comment="without secrets"),
    Column("enabled", Integer, nullable=False, comment="0 or 1"),
    Column("shares", JsonText, nullable=False, comment="what may be given back"),
    Column("every_seconds", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("checkpoint", Text, nullable=False, comment="the connector's own; empty: from the beginning"),
    Column("generation", Integer, nullable=False, comment="number of the last whole pull"),
    Column("unfinished", Integer, nullable=False, comment="1: that pull has not come to its end"),
    Column("last_try_at", UtcTime),
    Column("last_success_at", UtcTime),
    Column("last_error", Text, nullable=False),
    Column("failures", Integer, nullable=False, comment="since the last success"),
    Column("faults", Integer, nullable=False, comment="records of the last pull that could not be read"),
    Column("next_at", UtcTime),
    Column("lease", Text, nullable=False, comment="who pulls, until lease_until"),
    Column("lease_until", UtcTime),
    sqlite_autoincrement=True,
)

exchange_secrets = table(
    "exchange_secrets",
    Column("scope", Text, primary_key=True, comment="exchange:NUMBER, or kind:NAME for all of that kind"),
    Column("sealed", BYTES, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)

source_records = table(
    "source_records",
    Column("id", BIG, primary_key=True),
    Column("exchange_id", Integer, ForeignKey("exchanges.id"), nullable=False),
    Column("key", Text, nullable=False, comment="the programme's own"),
    Column("generation", Integer, nullable=False, comment="whole pull that said it last"),
    Column("opinion", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("labels", JsonText, nullable=False),
    Column("detail", JsonText, nullable=False, comment="fingerprints that are not matched, members, feedback"),
    Column("listed_at", UtcTime, comment="the programme's time of its last change"),
    Column("changed_at", UtcTime, nullable=False),
    Column("withdrawn_at", UtcTime),
    Index("uq_source_records_key", "exchange_id", "key", unique=True),
    Index("ix_source_records_generation", "exchange_id", "generation"),
    sqlite_autoincrement=True,
)

holdings = table(
    "holdings",
    Column("record_id", BIG, ForeignKey("source_records.id"), primary_key=True),
    Column("entry_id", BIG, primary_key=True),
    Index("ix_holdings_entry_id", "entry_id"),
)

tombstones = table(
    "tombstones",
    Column("entry_id", BIG, primary_key=True, autoincrement=False),
    Column("bank_id", Integer, nullable=False),
    Column("sequence", BIG, nullable=False, comment="number of the change, from clocks.entries"),
    Column("at", UtcTime, nullable=False),
    Index("ix_tombstones_bank_id_sequence", "bank_id", "sequence"),
)

shares = table(
    "shares",
    Column("id", Text, primary_key=True),
    Column("exchange_id", Integer, ForeignKey("exchanges.id"), nullable=False),
    Column("feedback", Text, nullable=False),
    Column("record", Text, nullable=False, comment="the programme's key; empty for a new signal"),
    Column("entry_id", BIG),
    Column("case_id", Text, nullable=False),
    Column("decision_id", Text, nullable=False, comment="the decision that it rests on"),
    Column("asked_by", Text, nullable=False),
    Column("approved_by", Text),
    Column("state", Text, nullable=False, comment="proposed, waiting, sent, failed, refused, withdrawn"),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("settled_at", UtcTime),
    Index("ix_shares_case_id", "case_id"),
    Index("ix_shares_state_id", "state", "id"),
    Index("uq_shares_once", "exchange_id", "feedback", "record", "entry_id", "decision_id", unique=True),
)

peers = table(
    "peers",
    Column("key_name", Text, ForeignKey("keys.name"), primary_key=True),
    Column("bank_id", Integer, ForeignKey("banks.id"), primary_key=True),
    Column("with_lists", Integer, nullable=False, comment="1: what lists say too; 0: only what people added"),
    Column("allowed_by", Text, nullable=False),
    Column("allowed_at", UtcTime, nullable=False),
)

peer_feedback = table(
    "peer_feedback",
    Column("key_name", Text, ForeignKey("keys.name"), primary_key=True),
    Column("entry_id", BIG, primary_key=True),
    Column("feedback", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Index("ix_peer_feedback_entry_id", "entry_id"),
)

kept_uploads = table(
    "kept_uploads",
    Column("id", BIG, primary_key=True),
    Column("received_at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("content_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("content", JsonText, nullable=False, comment="kind, size, width, height, faults"),
    Column("signals", BYTES, nullable=False, comment="packed"),
    Index("ix_kept_uploads_received_at", "received_at"),
    sqlite_autoincrement=True,
)

bank_contents = table(
    "bank_contents",
    Column("id", BIG, primary_key=True),
    Column("bank_id", Integer, ForeignKey("banks.id"), nullable=False),
    Column("note", Text, nullable=False),
    Column("metadata", JsonText, comment="content_id, content_uri, json"),
    Column("disable_until", BIG, nullable=False, comment="1: on; 0: off; else unix time"),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_bank_contents_bank_id_id", "bank_id", "id"),
    sqlite_autoincrement=True,
)

bank_content_entries = table(
    "bank_content_entries",
    Column("content_id", BIG, ForeignKey("bank_contents.id"), primary_key=True),
    Column("entry_id", BIG, primary_key=True),
    Index("ix_bank_content_entries_entry_id", "entry_id"),
)
