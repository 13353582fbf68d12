"""People who sign in, what they prove themselves with, and where they are signed in."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, text

from jikimi.db.columns import BIG, BYTES, JsonText, UtcTime
from jikimi.db.schema.metadata import table

_BOUND = text("oidc_subject <> ''")

people = table(
    "people",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True, comment="the name as it is compared"),
    Column("pseudonym", Text, nullable=False, unique=True),
    Column("roles", JsonText, nullable=False),
    Column("language", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("opt_outs", JsonText, nullable=False, comment="categories this person is never given"),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
    Column("password_hash", Text, nullable=False, comment="Argon2id, empty: none"),
    Column("totp_secret", Text, nullable=False, comment="base 32, empty: none"),
    Column("totp_step", BIG, nullable=False, comment="step of the last code that was taken; none is taken twice"),
    Column("recovery", JsonText, nullable=False, comment="digests of recovery codes that were not used"),
    Column("oidc_subject", Text, nullable=False, comment="issuer and subject, empty: none"),
    Index("uq_people_oidc_subject", "oidc_subject", unique=True, sqlite_where=_BOUND, postgresql_where=_BOUND),
)

passkeys = table(
    "passkeys",
    Column("credential_id", BYTES, primary_key=True),
    Column("person_id", Text, ForeignKey("people.id"), nullable=False),
    Column("public_key", BYTES, nullable=False),
    Column("uses", BIG, nullable=False, comment="the authenticator's signature counter"),
    Column("label", Text, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Index("ix_passkeys_person_id", "person_id"),
)

sessions = table(
    "sessions",
    Column("digest", Text, primary_key=True, comment="sha256 of the cookie's secret"),
    Column("person_id", Text, ForeignKey("people.id"), nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("place", Text, nullable=False, comment="browser, to recognise it by"),
    Column("proof", Text, nullable=False, comment="passkey, password or oidc"),
    Column("proved_at", UtcTime, comment="when a passkey or a code was shown last"),
    Column("ended_at", UtcTime),
    Index("ix_sessions_person_id", "person_id"),
)

invitations = table(
    "invitations",
    Column("digest", Text, primary_key=True, comment="sha256 of the link's secret"),
    Column("roles", JsonText, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("label", Text, nullable=False, comment="whom it is for"),
    Column("person_id", Text, ForeignKey("people.id")),
    Column("used_at", UtcTime),
)

sign_in_tries = table(
    "sign_in_tries",
    Column("key", Text, primary_key=True, comment="sha256 of the name or address that was tried"),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcTime, nullable=False),
)

questions = table(
    "questions",
    Column("digest", Text, primary_key=True, comment="sha256 of the challenge or state"),
    Column("purpose", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("person_id", Text, comment="who is asked; may be somebody who is still to come"),
    Column("data", JsonText, nullable=False),
    Index("ix_questions_expires_at", "expires_at"),
)
