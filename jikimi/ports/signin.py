"""How people prove who they are: passkeys, passwords, codes, and an identity provider.

Everything that comes back from a browser is unproven until one of these has checked it; what does not hold is `Refused`
with the code `proof_invalid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jikimi.model.ids import PersonId
from jikimi.model.signin import Passkey


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A passkey that an authenticator has just made."""

    credential_id: bytes
    public_key: bytes
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an answer says of itself before it has been checked: which passkey, which question, whose."""

    credential_id: bytes
    challenge: bytes
    person_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit to the identity provider: all three are secrets of this one visit."""

    state: str
    nonce: str
    verifier: str


class Passkeys(Protocol):
    """WebAuthn, for one origin; the person has to be verified by the authenticator, not only present."""

    def registration(self, person_id: PersonId, name: str, challenge: bytes, known: Sequence[Passkey]) -> str: ...
    def question(self, challenge: bytes, known: Sequence[Passkey]) -> str: ...
    def claim(self, untrusted_answer: str) -> Claim: ...
    def registered(self, untrusted_answer: str, challenge: bytes) -> NewPasskey: ...
    def proven(self, untrusted_answer: str, challenge: bytes, passkey: Passkey) -> int: ...


class Passwords(Protocol):
    """Password hashes. Without a hash, checking takes as long and never holds."""

    def hash(self, password: str) -> str: ...
    def matches(self, password_hash: str, untrusted_password: str) -> bool: ...


class Codes(Protocol):
    """Codes of an authenticator app (TOTP)."""

    def new_secret(self) -> str: ...
    def address(self, secret: str, name: str) -> str: ...
    def drawing(self, text: str) -> str: ...
    def step(self, secret: str, untrusted_code: str, at: datetime) -> int | None: ...


class Provider(Protocol):
    """An identity provider (OpenID Connect). It says who somebody is, never what they may do."""

    @property
    def name(self) -> str: ...
    def address(self, visit: Visit) -> str: ...
    def subject(self, visit: Visit, untrusted_code: str) -> str: ...


class Prover(Protocol):
    """Everything by which people prove who they are; no provider where none is configured."""

    @property
    def origin(self) -> str: ...
    @property
    def passkeys(self) -> Passkeys: ...
    @property
    def passwords(self) -> Passwords: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def provider(self) -> Provider | None: ...
