"""Who may do what: for now, programs that hold a key.

A key is shown once and kept as a digest; its scopes say which doors it opens.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jikimi.model.errors import Refused

KEY_BYTES = 32
_PREFIX = "jk_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class Scope(StrEnum):
    """What a key opens."""

    SCAN = "scan"
    """Check uploads and signals."""
    BANKS = "banks"
    """Create, fill, change and delete banks."""
    READ = "read"
    """Read banks, cases, scans and metrics."""


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
