"""Who may do what: programs that hold a key, and people who sign in.

A key is shown once and kept as a digest; its scopes say which doors it opens. A person has roles; a role is a set of
permissions, and every flow asks for the permission it needs.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId

KEY_BYTES = 32
_PREFIX = "jk_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_PERSON_NAME = 64
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LANGUAGES = ("en", "ko")
NO_HARM = frozenset({Category.ALLOW, Category.CANARY})
"""Categories that no case is about, so that nobody has to opt out of them."""


class Scope(StrEnum):
    """What a key opens."""

    SCAN = "scan"
    """Check uploads and signals."""
    BANKS = "banks"
    """Create, fill, change and delete banks."""
    READ = "read"
    """Read banks, cases, scans and metrics."""
    REPORT = "report"
    """Open cases, hand in reports and appeals, give receipts for actions."""
    PEER = "peer"
    """Read the banks that `jikimi peer allow` names, and say what one thinks of their entries."""


class Permission(StrEnum):
    """One thing that a person may do."""

    QUEUE = "queue"
    """See the queue, and cases without their pictures."""
    REVIEW = "review"
    """Take cases and decide them."""
    REVEAL = "reveal"
    """Look at pictures."""
    CONFIRM = "confirm"
    """Be the second person."""
    HOLD = "hold"
    """Put evidence under legal hold, and lift it."""
    BANKS = "banks"
    """See banks, add content of a case to one, mark an entry as false positive."""
    OVERVIEW = "overview"
    """See what is due and stuck, volumes, and totals of exposure."""
    EXCHANGES = "exchanges"
    """Add, change and remove the exchanges that fill banks."""
    DELIVERIES = "deliveries"
    """See what was sent to the platform."""
    REPLAY = "replay"
    """Send it again."""
    AUDIT = "audit"
    """Read the record of what was done."""
    PEOPLE = "people"
    """Invite people, change their roles, end their sessions."""


class Role(StrEnum):
    """A set of permissions under a name."""

    REVIEWER = "reviewer"
    LEAD = "lead"
    LEGAL = "legal"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


PERMISSIONS = {
    Role.REVIEWER: frozenset({Permission.QUEUE, Permission.REVIEW, Permission.REVEAL}),
    Role.LEAD: frozenset(
        {
            Permission.QUEUE,
            Permission.REVIEW,
            Permission.REVEAL,
            Permission.CONFIRM,
            Permission.BANKS,
            Permission.OVERVIEW,
            Permission.EXCHANGES,
            Permission.DELIVERIES,
            Permission.REPLAY,
        }
    ),
    Role.LEGAL: frozenset(
        {Permission.QUEUE, Permission.REVEAL, Permission.CONFIRM, Permission.HOLD, Permission.OVERVIEW}
    ),
    Role.AUDITOR: frozenset({Permission.QUEUE, Permission.OVERVIEW, Permission.DELIVERIES, Permission.AUDIT}),
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.PEOPLE,
            Permission.OVERVIEW,
            Permission.EXCHANGES,
            Permission.DELIVERIES,
            Permission.REPLAY,
            Permission.AUDIT,
        }
    ),
}
"""What each role may do. Administrators run the service; they need no picture for that, so they see none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signs in. `name` is for signing in and for colleagues, `pseudonym` is what the outside sees.

    `opt_outs` are kinds of harm that this person is never given; nobody else can change them.
    """

    id: PersonId
    name: str
    pseudonym: str
    roles: frozenset[Role]
    created_at: datetime
    language: str = "en"
    time_zone: str = "UTC"
    opt_outs: frozenset[Category] = frozenset()
    disabled_at: datetime | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything that any of the roles allows; nothing once disabled."""
        if self.disabled_at is not None:
            return frozenset()
        return frozenset().union(*(PERMISSIONS[role] for role in self.roles))


def checked_person_name(untrusted_name: str) -> str:
    """Return a person's name in its one form (NFKC, single spaces), or say what is wrong with it."""
    name = " ".join(unicodedata.normalize("NFKC", untrusted_name).split())
    if not 2 <= len(name) <= _PERSON_NAME or not name.isprintable():
        raise Refused("person_name_invalid", f"A name is 2 to {_PERSON_NAME} characters that can be printed.")
    return name


def folded(name: str) -> str:
    """The form in which names are compared: upper and lower case are one, however they were typed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def pseudonym_from(entropy: bytes) -> str:
    """What the outside sees of a person: six characters of chance that lead nowhere."""
    return "reviewer-" + "".join(_ALPHABET[byte & 31] for byte in entropy[:6])


def checked_roles(roles: Iterable[Role]) -> frozenset[Role]:
    """Return the roles, at least one of them."""
    if not (found := frozenset(roles)):
        raise Refused("roles_missing", f"Give at least one role: {', '.join(Role)}.")
    return found


def checked_choice(language: str, time_zone: str, zones: Collection[str]) -> None:
    """Refuse a language or a time zone that there is not."""
    if language not in LANGUAGES:
        raise Refused("language_invalid", f"The pages speak {' and '.join(LANGUAGES)}; choose one of them.")
    if time_zone not in zones:
        raise Refused("time_zone_invalid", "Name a time zone as in `Asia/Seoul` or `UTC`.")


def keep_an_administrator(people: Iterable[Person], changed: Person) -> None:
    """Refuse a change after which nobody could let people in."""
    after = [changed if one.id == changed.id else one for one in people]
    if not any(Permission.PEOPLE in one.permissions for one in after):
        raise Refused(
            "last_administrator", "Nobody could let people in after this; first make somebody else administrator."
        )


def allow(person: Person, permission: Permission) -> None:
    """Refuse a person without this permission."""
    if permission not in person.permissions:
        raise Refused("permission_missing", f"You may not do this: it needs the permission {permission}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key without its secret."""

    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None = None


def secret_from(entropy: bytes) -> str:
    """Write the secret of a key from `KEY_BYTES` random bytes."""
    return _PREFIX + entropy[:KEY_BYTES].hex()


def digest_of(untrusted_secret: str) -> str:
    """What is stored and looked up. The secret has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(untrusted_secret.encode("utf-8", "surrogatepass")).hexdigest()


def checked_name(untrusted_name: str) -> str:
    """Return a key's name, or say what is wrong with it."""
    if not _NAME.fullmatch(untrusted_name):
        raise Refused(
            "key_name_invalid",
            f"A key's name is 1 to 64 letters, digits, '_', '-', '.' or ':'; {untrusted_name[:40]!r} is not.",
        )
    return untrusted_name


def require(key: Key, scopes: Iterable[Scope]) -> None:
    """Refuse a key that holds none of these scopes."""
    wanted = list(scopes)
    if key.revoked_at is not None or not key.scopes.intersection(wanted):
        raise Refused("scope_missing", f"Key {key.name} may not do this; it needs the scope {' or '.join(wanted)}.")
