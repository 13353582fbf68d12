"""Exchanges: where banks come from, what is given back, what is kept to look back at; HMA's contents of banks."""

import sqlalchemy as sa
from alembic import op

from jikimi.db.columns import BIG, BYTES, NUMBER, JsonText, UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables and columns; what is in a bank so far was put there by people."""
    op.create_table(
        "exchange_secrets",
        sa.Column("scope", sa.Text(), nullable=False, comment="exchange:NUMBER, or kind:NAME for all of that kind"),
        sa.Column("sealed", BYTES, nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_exchange_secrets")),
        sqlite_strict=True,
    )
    op.create_table(
        "kept_uploads",
        sa.Column("id", BIG, nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("content", JsonText(), nullable=False, comment="kind, size, width, height, faults"),
        sa.Column("signals", BYTES, nullable=False, comment="packed"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_uploads")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_kept_uploads_received_at", "kept_uploads", ["received_at"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("entry_id", BIG, autoincrement=False, nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column("sequence", BIG, nullable=False, comment="number of the change, from clocks.entries"),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_tombstones")),
        sqlite_strict=True,
    )
    op.create_index("ix_tombstones_bank_id_sequence", "tombstones", ["bank_id", "sequence"], unique=False)
    op.create_table(
        "bank_contents",
        sa.Column("id", BIG, nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("metadata", JsonText(), nullable=True, comment="content_id, content_uri, json"),
        sa.Column("disable_until", BIG, nullable=False, comment="1: on; 0: off; else unix time"),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_bank_contents_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_contents")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_bank_contents_bank_id_id", "bank_contents", ["bank_id", "id"], unique=False)
    op.create_table(
        "exchanges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column("settings", JsonText(), nullable=False, comment="without secrets"),
        sa.Column("enabled", sa.Integer(), nullable=False, comment="0 or 1"),
        sa.Column("shares", JsonText(), nullable=False, comment="what may be given back"),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False, comment="the connector's own; empty: from the beginning"),
        sa.Column("generation", sa.Integer(), nullable=False, comment="number of the last whole pull"),
        sa.Column("unfinished", sa.Integer(), nullable=False, comment="1: that pull has not come to its end"),
        sa.Column("last_try_at", UtcTime(), nullable=True),
        sa.Column("last_success_at", UtcTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, comment="since the last success"),
        sa.Column("faults", sa.Integer(), nullable=False, comment="records of the last pull that could not be read"),
        sa.Column("next_at", UtcTime(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=False, comment="who pulls, until lease_until"),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_exchanges_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchanges")),
        sa.UniqueConstraint("name", name=op.f("uq_exchanges_name")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "peers",
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column(
            "with_lists", sa.Integer(), nullable=False, comment="1: what lists say too; 0: only what people added"
        ),
        sa.Column("allowed_by", sa.Text(), nullable=False),
        sa.Column("allowed_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_peers_bank_id")),
        sa.ForeignKeyConstraint(["key_name"], ["keys.name"], name=op.f("fk_peers_key_name")),
        sa.PrimaryKeyConstraint("key_name", "bank_id", name=op.f("pk_peers")),
        sqlite_strict=True,
    )
    op.create_table(
        "peer_feedback",
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("entry_id", BIG, nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["key_name"], ["keys.name"], name=op.f("fk_peer_feedback_key_name")),
        sa.PrimaryKeyConstraint("key_name", "entry_id", "feedback", name=op.f("pk_peer_feedback")),
        sqlite_strict=True,
    )
    op.create_index("ix_peer_feedback_entry_id", "peer_feedback", ["entry_id"], unique=False)
    op.create_table(
        "bank_content_entries",
        sa.Column("content_id", BIG, nullable=False),
        sa.Column("entry_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["bank_contents.id"], name=op.f("fk_bank_content_entries_content_id")),
        sa.PrimaryKeyConstraint("content_id", "entry_id", name=op.f("pk_bank_content_entries")),
        sqlite_strict=True,
    )
    op.create_index("ix_bank_content_entries_entry_id", "bank_content_entries", ["entry_id"], unique=False)
    op.create_table(
        "shares",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("exchange_id", sa.Integer(), nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False, comment="the programme's key; empty for a new signal"),
        sa.Column("entry_id", BIG, nullable=True),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False, comment="the decision that it rests on"),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False, comment="proposed, waiting, sent, failed, refused, withdrawn"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchanges.id"], name=op.f("fk_shares_exchange_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sqlite_strict=True,
    )
    op.create_index("ix_shares_case_id", "shares", ["case_id"], unique=False)
    op.create_index("ix_shares_state_id", "shares", ["state", "id"], unique=False)
    op.create_index(
        "uq_shares_once", "shares", ["exchange_id", "feedback", "record", "entry_id", "decision_id"], unique=True
    )
    op.create_table(
        "source_records",
        sa.Column("id", BIG, nullable=False),
        sa.Column("exchange_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="the programme's own"),
        sa.Column("generation", sa.Integer(), nullable=False, comment="whole pull that said it last"),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("trust", sa.Text(), nullable=False),
        sa.Column("labels", JsonText(), nullable=False),
        sa.Column("detail", JsonText(), nullable=False, comment="fingerprints that are not matched, members, feedback"),
        sa.Column("listed_at", UtcTime(), nullable=True, comment="the programme's time of its last change"),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.Column("withdrawn_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchanges.id"], name=op.f("fk_source_records_exchange_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_records")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_source_records_generation", "source_records", ["exchange_id", "generation"], unique=False)
    op.create_index("uq_source_records_key", "source_records", ["exchange_id", "key"], unique=True)
    op.create_table(
        "holdings",
        sa.Column("record_id", BIG, nullable=False),
        sa.Column("entry_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["source_records.id"], name=op.f("fk_holdings_record_id")),
        sa.PrimaryKeyConstraint("record_id", "entry_id", name=op.f("pk_holdings")),
        sqlite_strict=True,
    )
    op.create_index("ix_holdings_entry_id", "holdings", ["entry_id"], unique=False)
    op.add_column(
        "banks", sa.Column("on_disputed", sa.Text(), server_default="hold", nullable=False, comment="hold or log")
    )
    op.add_column(
        "banks", sa.Column("on_unconfirmed", sa.Text(), server_default="hold", nullable=False, comment="hold or log")
    )
    op.add_column(
        "banks",
        sa.Column(
            "ratio", NUMBER, server_default="1", nullable=False, comment="part of HMA look-ups that ask this bank"
        ),
    )
    op.add_column(
        "entries",
        sa.Column(
            "by_hand",
            sa.Text(),
            server_default="added",
            nullable=False,
            comment="by a person: added, withdrawn; or empty",
        ),
    )
    op.add_column(
        "entries", sa.Column("asleep_until", UtcTime(), nullable=True, comment="does not match before this time")
    )
    op.add_column(
        "matches", sa.Column("standing", JsonText(), nullable=True, comment="what the list said of the entry then")
    )
    op.create_index(
        "ix_entries_asleep_until",
        "entries",
        ["asleep_until"],
        unique=False,
        sqlite_where=sa.text("asleep_until IS NOT NULL"),
        postgresql_where=sa.text("asleep_until IS NOT NULL"),
    )
    op.execute("UPDATE entries SET by_hand = 'withdrawn' WHERE withdrawn_at IS NOT NULL")
