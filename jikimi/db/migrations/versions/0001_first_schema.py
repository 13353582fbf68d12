"""The first schema: banks and their entries, scans and their matches, cases, the audit chain, jobs, keys, counters."""

import secrets

import sqlalchemy as sa
from alembic import op

from jikimi.db.columns import BIG, JsonText, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything, and the two clocks with nothing counted yet."""
    op.create_table(
        "audit",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("detail", JsonText(), nullable=False),
        sa.Column("prev", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sqlite_strict=True,
    )
    op.create_index("ix_audit_object_seq", "audit", ["object", "seq"], unique=False)
    op.create_table(
        "banks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("on_match", sa.Text(), nullable=False),
        sa.Column("max_distance", sa.Integer(), nullable=False, comment="bits of 256"),
        sa.Column("quality_floor", sa.Integer(), nullable=False, comment="0 to 100"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False, comment="0 or 1"),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column(
            "flooded_at",
            UtcTime(),
            nullable=True,
            comment="an entry matched suspiciously often; block means hold until cleared",
        ),
        sa.Column(
            "resumed_at",
            UtcTime(),
            nullable=True,
            comment="when it was cleared last; matches before that do not count again",
        ),
        sa.Column("deleted_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_banks")),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_banks_name_live",
        "banks",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sqlite_strict=True,
    )
    op.create_index("ix_cases_state_severity", "cases", ["state", "severity"], unique=False)
    op.create_table(
        "clocks",
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="entries: last change; audit: last event; identity: this database",
        ),
        sa.Column("number", BIG, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="audit: digest of the last event; identity: random"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clocks")),
        sqlite_strict=True,
    )
    op.create_table(
        "counters",
        sa.Column("day", sa.Text(), nullable=False, comment="UTC, YYYY-MM-DD"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("uploads", BIG, nullable=False),
        sa.PrimaryKeyConstraint("day", "source", "disposition", name=op.f("pk_counters")),
        sqlite_strict=True,
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("run_at", UtcTime(), nullable=False),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting or dead; a finished job is deleted"),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sqlite_strict=True,
    )
    op.create_index("ix_jobs_state_run_at", "jobs", ["state", "run_at"], unique=False)
    op.create_index("uq_jobs_kind_key", "jobs", ["kind", "key"], unique=True)
    op.create_table(
        "keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of the secret"),
        sa.Column("scopes", JsonText(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
        sqlite_strict=True,
    )
    op.create_table(
        "case_links",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False, comment="content or account"),
        sa.Column(
            "ref", sa.Text(), nullable=False, comment="sha256 of the content, or the caller's name of the account"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_links_case_id")),
        sa.PrimaryKeyConstraint("case_id", "what", "ref", name=op.f("pk_case_links")),
        sqlite_strict=True,
    )
    op.create_index("ix_case_links_what_ref", "case_links", ["what", "ref"], unique=False)
    op.create_table(
        "entries",
        sa.Column("id", BIG, nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.Column("withdrawn_at", UtcTime(), nullable=True),
        sa.Column("sequence", BIG, nullable=False, comment="number of the last change, from clocks.entries"),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_entries_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_entries_sequence", "entries", ["sequence"], unique=False)
    op.create_index("uq_entries_signal", "entries", ["bank_id", "type", "value"], unique=True)
    op.create_table(
        "scans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("signals", JsonText(), nullable=False, comment="lists of type, value, quality, frame"),
        sa.Column("elapsed_ms", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("sha1", sa.Text(), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("reasons", JsonText(), nullable=False),
        sa.Column("coverage", JsonText(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("rechecked_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_scans_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
        sqlite_strict=True,
    )
    op.create_index("ix_scans_case_id", "scans", ["case_id"], unique=False)
    op.create_index("ix_scans_disposition_id", "scans", ["disposition", "id"], unique=False)
    op.create_table(
        "matches",
        sa.Column("scan_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="order within the scan, strongest first"),
        sa.Column("entry_id", BIG, nullable=False),
        sa.Column("bank_id", sa.Integer(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("flooded", sa.Integer(), nullable=False, comment="0 or 1"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("flattened", sa.Integer(), nullable=False, comment="0 or 1"),
        sa.Column("found_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name=op.f("fk_matches_scan_id")),
        sa.PrimaryKeyConstraint("scan_id", "place", name=op.f("pk_matches")),
        sqlite_strict=True,
    )
    op.create_index("ix_matches_entry_id_found_at", "matches", ["entry_id", "found_at"], unique=False)
    op.create_table(
        "replies",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="sha256 of the caller's Idempotency-Key"),
        sa.Column("asked", sa.Text(), nullable=False, comment="sha256 of what was asked"),
        sa.Column("answer", JsonText(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_replies")),
        sqlite_strict=True,
    )
    op.create_index("ix_replies_at", "replies", ["at"], unique=False)
    clocks = sa.table("clocks", sa.column("name"), sa.column("number"), sa.column("digest"))
    op.bulk_insert(
        clocks,
        [
            {"name": "entries", "number": 0, "digest": ""},
            {"name": "audit", "number": 0, "digest": "0" * 64},
            {"name": "identity", "number": 0, "digest": secrets.token_hex(8)},
        ],
    )
