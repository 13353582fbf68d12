"""Signing in: what a person proves themselves with, how long a session lasts, and one-time links.

Decided here: rules about passwords, codes, sessions and invitations. Checking a signature or a password hash is done by
libraries, in `flows.signin` through its ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.model.ids import PersonId
from jikimi.model.people import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A WebAuthn credential. `uses` is the authenticator's signature counter; it never goes back."""

    credential_id: bytes
    person_id: PersonId
    public_key: bytes
    uses: int
    label: str
    added_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a person can sign in with. Empty where there is none; `totp_step` is the last code's step, used once."""

    password_hash: str = ""
    totp_secret: str = ""
    totp_step: int = 0
    oidc_subject: str = ""
    passkeys: tuple[Passkey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where somebody is signed in. `digest` is that of the cookie's secret; `place` is what to recognise it by."""

    digest: str
    person_id: PersonId
    began_at: datetime
    seen_at: datetime
    place: str
    proof: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A one-time link: for the first administrator, for a new colleague, or to set up signing in anew (`person_id`)."""

    digest: str
    roles: frozenset[Role]
    made_by: str
    made_at: datetime
    expires_at: datetime
    person_id: PersonId | None = None
    used_at: datetime | None = None
