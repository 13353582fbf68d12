"""Typed identifiers that sort by the time they were made."""

from __future__ import annotations

from datetime import datetime
from typing import NewType

ScanId = NewType("ScanId", str)
CaseId = NewType("CaseId", str)
JobId = NewType("JobId", str)
PersonId = NewType("PersonId", str)
DecisionId = NewType("DecisionId", str)
RevealId = NewType("RevealId", str)
EvidenceId = NewType("EvidenceId", str)
ActionId = NewType("ActionId", str)
AppealId = NewType("AppealId", str)
ReportId = NewType("ReportId", str)
NoteId = NewType("NoteId", str)
ShareId = NewType("ShareId", str)

ENTROPY_BYTES = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str, at: datetime, entropy: bytes) -> str:
    """Make `prefix_` and 26 characters: 48 bits of milliseconds, 80 bits of entropy (the layout of ULID).

    `entropy` is `ENTROPY_BYTES` random bytes from the caller. Crockford's base 32 has no letters that look alike, so an
    identifier can be read out over a telephone.
    """
    number = (int(at.timestamp() * 1000) << 80) | int.from_bytes(entropy[:ENTROPY_BYTES], "big")
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
