"""The desk: people, evidence, decisions, exposure, actions and appeals; cases can be worked on."""

import sqlalchemy as sa
from alembic import op

from jikimi.db.columns import BIG, BYTES, JsonText, UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add tables and columns; what is there stays as it is."""
    op.create_table(
        "evidence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("wrapped_key", BYTES, nullable=True, comment="none once destroyed"),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("sealed_at", UtcTime(), nullable=False),
        sa.Column("held_by", JsonText(), nullable=False, comment="cases with a legal hold on it"),
        sa.Column("destroyed_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sqlite_strict=True,
    )
    op.create_index("ix_evidence_blob", "evidence", ["blob"], unique=False)
    op.create_index("ix_evidence_recipient_id", "evidence", ["recipient", "id"], unique=False)
    op.create_index(
        "uq_evidence_sha256_live",
        "evidence",
        ["sha256"],
        unique=True,
        sqlite_where=sa.text("destroyed_at IS NULL"),
        postgresql_where=sa.text("destroyed_at IS NULL"),
    )
    op.create_table(
        "evidence_keys",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="the highest is sealed to"),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("public", BYTES, nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_evidence_keys")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_evidence_keys_fingerprint")),
        sqlite_strict=True,
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False, comment="the name as it is compared"),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("roles", JsonText(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("opt_outs", JsonText(), nullable=False, comment="categories this person is never given"),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("disabled_at", UtcTime(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="Argon2id, empty: none"),
        sa.Column("totp_secret", sa.Text(), nullable=False, comment="base 32, empty: none"),
        sa.Column(
            "totp_step", BIG, nullable=False, comment="step of the last code that was taken; none is taken twice"
        ),
        sa.Column("recovery", JsonText(), nullable=False, comment="digests of recovery codes that were not used"),
        sa.Column("oidc_subject", sa.Text(), nullable=False, comment="issuer and subject, empty: none"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("folded", name=op.f("uq_people_folded")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_people_pseudonym")),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_people_oidc_subject",
        "people",
        ["oidc_subject"],
        unique=True,
        sqlite_where=sa.text("oidc_subject <> ''"),
        postgresql_where=sa.text("oidc_subject <> ''"),
    )
    op.create_table(
        "questions",
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of the challenge or state"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True, comment="who is asked; may be somebody who is still to come"),
        sa.Column("data", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_questions")),
        sqlite_strict=True,
    )
    op.create_index("ix_questions_expires_at", "questions", ["expires_at"], unique=False)
    op.create_table(
        "sign_in_tries",
        sa.Column("key", sa.Text(), nullable=False, comment="sha256 of the name or address that was tried"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_tries")),
        sqlite_strict=True,
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("choice", JsonText(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seen", JsonText(), nullable=False, comment="levels that were really looked at"),
        sa.Column("second", sa.Text(), nullable=True),
        sa.Column("second_at", UtcTime(), nullable=True),
        sa.Column("second_note", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", UtcTime(), nullable=True),
        sa.Column("appeal_id", sa.Text(), nullable=True),
        sa.Column("added", JsonText(), nullable=False, comment="numbers of bank entries that it added"),
        sa.Column("withdrawn", JsonText(), nullable=False, comment="numbers of bank entries that it withdrew"),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_decisions_by")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_decisions_case_id")),
        sa.ForeignKeyConstraint(["second"], ["people.id"], name=op.f("fk_decisions_second")),
        sa.ForeignKeyConstraint(["undone_by"], ["people.id"], name=op.f("fk_decisions_undone_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sqlite_strict=True,
    )
    op.create_index("ix_decisions_case_id", "decisions", ["case_id"], unique=False)
    op.create_index("ix_decisions_state_id", "decisions", ["state", "id"], unique=False)
    op.create_index(
        "uq_decisions_case_id_final",
        "decisions",
        ["case_id"],
        unique=True,
        sqlite_where=sa.text("state = 'final'"),
        postgresql_where=sa.text("state = 'final'"),
    )
    op.create_table(
        "exposures",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("shown_at", UtcTime(), nullable=True, comment="when the picture was handed out, which happens once"),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_exposures_case_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_exposures_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposures")),
        sqlite_strict=True,
    )
    op.create_index("ix_exposures_case_id", "exposures", ["case_id"], unique=False)
    op.create_index("ix_exposures_ended_at_started_at", "exposures", ["ended_at", "started_at"], unique=False)
    op.create_index("ix_exposures_person_id_started_at", "exposures", ["person_id", "started_at"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of the link's secret"),
        sa.Column("roles", JsonText(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False, comment="whom it is for"),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_invitations_person_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sqlite_strict=True,
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["people.id"], name=op.f("fk_notes_by")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_notes_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
        sqlite_strict=True,
    )
    op.create_index("ix_notes_case_id", "notes", ["case_id"], unique=False)
    op.create_table(
        "passkeys",
        sa.Column("credential_id", BYTES, nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("public_key", BYTES, nullable=False),
        sa.Column("uses", BIG, nullable=False, comment="the authenticator's signature counter"),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_passkeys_person_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_passkeys")),
        sqlite_strict=True,
    )
    op.create_index("ix_passkeys_person_id", "passkeys", ["person_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of the cookie's secret"),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("began_at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False, comment="browser, to recognise it by"),
        sa.Column("proof", sa.Text(), nullable=False, comment="passkey, password or oidc"),
        sa.Column("proved_at", UtcTime(), nullable=True, comment="when a passkey or a code was shown last"),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sessions_person_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        sqlite_strict=True,
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"], unique=False)
    op.create_table(
        "skips",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_skips_case_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_skips_person_id")),
        sa.PrimaryKeyConstraint("case_id", "person_id", name=op.f("pk_skips")),
        sqlite_strict=True,
    )
    op.create_table(
        "user_reports",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, comment="empty: no file was handed in"),
        sa.Column("reporter", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_user_reports_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_reports")),
        sqlite_strict=True,
    )
    op.create_index("ix_user_reports_case_id_id", "user_reports", ["case_id", "id"], unique=False)
    op.create_index("ix_user_reports_content_id", "user_reports", ["content_id"], unique=False)
    op.create_table(
        "actions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False, comment="order within the case, from 1"),
        sa.Column("verb", sa.Text(), nullable=True, comment="null: tells how an appeal has ended"),
        sa.Column("targets", JsonText(), nullable=False),
        sa.Column("reasons", JsonText(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="idempotency key: the same for every try"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=True),
        sa.Column("undo_of", sa.Text(), nullable=True),
        sa.Column("appeal_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_actions_case_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_actions_decision_id")),
        sa.ForeignKeyConstraint(["undo_of"], ["actions.id"], name=op.f("fk_actions_undo_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sa.UniqueConstraint("key", name=op.f("uq_actions_key")),
        sqlite_strict=True,
    )
    op.create_index("ix_actions_state_id", "actions", ["state", "id"], unique=False)
    op.create_index("uq_actions_case_id_place", "actions", ["case_id", "place"], unique=True)
    op.create_table(
        "appeals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_appeals_case_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_appeals_decided_by")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_appeals_decision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeals")),
        sqlite_strict=True,
    )
    op.create_index("ix_appeals_case_id", "appeals", ["case_id"], unique=False)
    op.create_index("ix_appeals_state_id", "appeals", ["state", "id"], unique=False)
    op.create_index("uq_appeals_source_reference", "appeals", ["source", "reference"], unique=True)
    op.create_table(
        "deliveries",
        sa.Column("action_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="which try, from 1"),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False, comment="HTTP status; 0: no answer"),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("elapsed_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_deliveries_action_id")),
        sa.PrimaryKeyConstraint("action_id", "place", name=op.f("pk_deliveries")),
        sqlite_strict=True,
    )
    op.add_column(
        "cases",
        sa.Column("origin", sa.Text(), server_default="match", nullable=False, comment="match, report or platform"),
    )
    op.add_column(
        "cases", sa.Column("assignee", sa.Text(), nullable=True, comment="who works on it, until lease_until")
    )
    op.add_column("cases", sa.Column("lease_until", UtcTime(), nullable=True))
    op.add_column(
        "cases",
        sa.Column("target_at", UtcTime(), nullable=True, comment="the operator's own target, not a legal deadline"),
    )
    # Cases from before had no target; they are due since they were opened.
    op.execute("UPDATE cases SET target_at = opened_at")
    op.drop_index("ix_cases_state_severity", "cases")
    op.create_index("ix_cases_state_target_at", "cases", ["state", "target_at"], unique=False)
    waits = sa.text("state <> 'decided'")
    in_order = ["severity", "target_at", "id", "kind", "origin", "state"]
    op.create_index("ix_cases_waiting", "cases", in_order, sqlite_where=waits, postgresql_where=waits)
    held = sa.text("assignee IS NOT NULL")
    op.create_index("ix_cases_assignee", "cases", ["assignee"], sqlite_where=held, postgresql_where=held)
    op.create_index("ix_skips_person_id", "skips", ["person_id"], unique=False)
    op.drop_index("ix_scans_case_id", "scans")
    op.create_index("ix_scans_case_id_id", "scans", ["case_id", "id"], unique=False)
    op.create_index("ix_matches_bank_id_found_at", "matches", ["bank_id", "found_at"], unique=False)
    op.create_index("ix_scans_content_id", "scans", ["content_id"], unique=False)
    op.create_index("ix_scans_sha256", "scans", ["sha256"], unique=False)
