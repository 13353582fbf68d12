"""Signing in: what a person proves themselves with, how long a session lasts, one-time links, and how tries are slowed.

Decided here: rules about codes, sessions, links and waiting. Checking a signature or a password hash is done by
libraries, in `flows.signin` through its ports. Secrets have 256 random bits; only their digests are stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import Person, Role

SECRET_BYTES = 32
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
FIRST_ROLES = frozenset({Role.ADMINISTRATOR, Role.LEAD})
"""Of whoever sets up an installation: somebody alone must be able to decide a case and to invite others."""
FIRST_RUN = "first-run"
"""Who made the links that are printed while there is nobody."""
FORGET_TRIES = timedelta(hours=24)
_LONGEST_WAIT = timedelta(minutes=15)


class Proof(StrEnum):
    """What somebody signed in with."""

    PASSKEY = "passkey"
    PASSWORD = "password"  # noqa: S105 - the word, not one
    """A password together with a code."""
    OIDC = "oidc"
    """The word of the identity provider that the operator has set."""


class Purpose(StrEnum):
    """What a question was asked for: an answer counts for nothing else."""

    SIGN_IN = "sign_in"
    PROVE = "prove"
    REGISTER = "register"
    CODES = "codes"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRules:
    """How long things last. `step_up` is how old a proof may be when people are managed or ways to sign in changed."""

    idle: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=12)
    step_up: timedelta = timedelta(minutes=10)
    link: timedelta = timedelta(hours=72)
    first_link: timedelta = timedelta(hours=24)
    question: timedelta = timedelta(minutes=10)


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
    """What a person can sign in with. Empty where there is none; `totp_step` is the last code's step, used once.

    `recovery` are digests of the codes that stand in for the authenticator app, each once.
    """

    password_hash: str = ""
    totp_secret: str = ""
    totp_step: int = 0
    recovery: tuple[str, ...] = ()
    oidc_subject: str = ""
    passkeys: tuple[Passkey, ...] = ()

    @property
    def has_password(self) -> bool:
        """Tell whether a password with its codes is set up."""
        return bool(self.password_hash and self.totp_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where somebody is signed in. `digest` is that of the cookie's secret; `place` is what to recognise it by.

    `proved_at` is when a passkey or a code was shown last; none if only the identity provider has vouched.
    """

    digest: str
    person_id: PersonId
    began_at: datetime
    seen_at: datetime
    place: str
    proof: Proof
    proved_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Somebody who is signed in, and by which session. `secret` is what the cookie holds."""

    person: Person
    session: Session
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever types commands on the machine itself: they could change the database as well, so they may do all this."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Where a request comes from. `place` is a browser in words, `secret` what its cookie held until now."""

    address: str
    place: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A one-time link: for the first administrator, for a new colleague, or to set up signing in anew (`person_id`)."""

    digest: str
    roles: frozenset[Role]
    made_by: str
    made_at: datetime
    expires_at: datetime
    label: str = ""
    person_id: PersonId | None = None
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that was asked once and may be answered once: a challenge, the state of a visit to the provider.

    `data` is what has to be remembered until the answer comes.
    """

    digest: str
    purpose: Purpose
    expires_at: datetime
    person_id: PersonId | None = None
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """Failed tries in a row under one name or from one address."""

    failures: int
    last_at: datetime


def is_live(session: Session, now: datetime, rules: SignInRules) -> bool:
    """Tell whether a session still counts: not ended, not idle, not too old."""
    return session.ended_at is None and now - session.seen_at < rules.idle and now - session.began_at < rules.longest


def require_fresh(session: Session, now: datetime, rules: SignInRules) -> None:
    """Refuse a session that has not shown a passkey or a code lately."""
    if session.proved_at is None or now - session.proved_at > rules.step_up:
        raise Refused("proof_stale", "Prove again that it is you, with your passkey or a code; then repeat this.")


def may_change_own(session: Session, credentials: Credentials, now: datetime, rules: SignInRules) -> None:
    """Refuse to change ways of signing in without a fresh proof. Who has none may add one after signing in."""
    if not credentials.passkeys and not credentials.has_password and now - session.began_at <= rules.step_up:
        return
    require_fresh(session, now, rules)


def checked_link(invitation: Invitation | None, now: datetime, *, is_empty: bool) -> Invitation:
    """The link, if it can still be used; `is_empty` says that there is nobody yet."""
    if invitation is None or invitation.used_at is not None or invitation.expires_at <= now:
        raise Refused("link_unknown", "This link was used, has expired or is not complete; ask for a new one.")
    if invitation.made_by == FIRST_RUN and not is_empty:
        raise Refused("link_unknown", "Somebody has set up this installation already; ask them for an invitation.")
    return invitation


def name_key(name: str) -> str:
    """Under what tries for a name are counted."""
    return _key("name", name)


def address_key(untrusted_address: str) -> str:
    """Under what tries from an address are counted: all of an IPv6 network of 64 bits are one."""
    try:
        address = ip_address(untrusted_address)
    except ValueError:
        return _key("address", "unknown")
    if isinstance(address, IPv6Address):
        return _key("address", str(int(address) >> 64))
    return _key("address", str(address))


FREE_BY_NAME = 3
FREE_BY_ADDRESS = 20
"""An office shares one address, so it may fail more often."""


def wait_of(tries: Tries | None, free: int, now: datetime) -> timedelta:
    """How long the next try has to wait: nothing at first, then 2, 4, 8 … seconds, at most a quarter of an hour."""
    if tries is None or tries.failures < free or now - tries.last_at > FORGET_TRIES:
        return timedelta(0)
    wait = min(timedelta(seconds=2 ** min(tries.failures - free + 1, 20)), _LONGEST_WAIT)
    return max(tries.last_at + wait - now, timedelta(0))


def after_failure(tries: Tries | None, now: datetime) -> Tries:
    """One more failure; those of long ago are forgotten."""
    if tries is None or now - tries.last_at > FORGET_TRIES:
        return Tries(failures=1, last_at=now)
    return Tries(failures=tries.failures + 1, last_at=now)


def after_success(tries: Tries | None) -> Tries | None:
    """Take back the failure that a try was counted as before it was known to be good; none if none is left."""
    if tries is None or tries.failures <= 1:
        return None
    return replace(tries, failures=tries.failures - 1)


def spend_code(credentials: Credentials, step: int | None, untrusted_code: str) -> Credentials | None:
    """What is left of the credentials once a code was used; none if it is wrong or was used before."""
    if step is not None and step > credentials.totp_step:
        return replace(credentials, totp_step=step)
    digest = recovery_digest(untrusted_code)
    if digest in credentials.recovery:
        return replace(credentials, recovery=tuple(one for one in credentials.recovery if one != digest))
    return None


def recovery_code(entropy: bytes) -> str:
    """Write a recovery code: 80 bits in groups that can be read out."""
    digits = entropy[:RECOVERY_BYTES].hex()
    return "-".join(digits[at : at + 5] for at in range(0, len(digits), 5))


def recovery_digest(untrusted_code: str) -> str:
    """The digest of a recovery code, however it was typed."""
    plain = "".join(char for char in untrusted_code.casefold() if char.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _key(what: str, text: str) -> str:
    return hashlib.sha256(f"{what}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
