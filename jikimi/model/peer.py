"""A peer: another service that may read banks of ours, page by page, and says what it thinks of their entries.

Here is what is fixed between the two sides: how far one has come (`Checkpoint`), and what of an answer is signed. Banks
are shared in `flows.peer`; `plugs.exchanges.peer` reads those of others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jikimi.model.audit import GENESIS
from jikimi.model.bank import Bank, BankEntry, Category
from jikimi.model.errors import Refused
from jikimi.model.exchange import Feedback

SIGNATURE = "Jikimi-Signature"
"""Header of an answer to a peer: `ed25519 t=1767225600, key=jkp_…, sig=…`."""
TOLERANCE = 300
"""Seconds that the clocks of the two sides and the way between them may take."""
PUBLIC_PREFIX = "jkp_"
MOST_ENTRIES = 5000
"""Entries and withdrawals in one page."""
MOST_SAID = 500
"""Pieces of feedback in one request."""
TAKEN = (Feedback.SEEN, Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE)
"""What a peer may say. A new signal has to be shared by a bank of the peer's own."""

MARK_DIGITS = 12
_START = GENESIS[:MARK_DIGITS]
_CHECKPOINT = re.compile(r"([0-9]{1,10})-([01])-([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{12})")
_HEADER = re.compile(r"ed25519 t=([0-9]{1,12}), key=(jkp_[0-9a-f]{64}), sig=([0-9a-f]{128})")
_CONTEXT = "jikimi-peer-v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the key of a peer opens: one bank, and of it what our people added, or what lists say as well."""

    peer: str
    """The name of the key."""
    bank: Bank
    with_lists: bool
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far a peer has read a bank: every change up to `sequence`.

    `event` and `mark` are the number of an audit event and the beginning of its digest: they tell this history of the
    database from one that was restored from a backup and has grown again.
    """

    bank_id: int
    with_lists: bool
    sequence: int = 0
    event: int = 0
    mark: str = _START

    def __str__(self) -> str:
        return f"{self.bank_id}-{int(self.with_lists)}-{self.sequence}-{self.event}-{self.mark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a bank changed last with this number: it may be read by peers, or has gone for them."""

    sequence: int
    entry_id: int
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPage:
    """A part of a bank as a peer gets it. `origin` is the name that the database was given when it was made."""

    origin: str
    bank: str
    after: str
    checkpoint: Checkpoint
    entries: Sequence[BankEntry]
    gone: Sequence[int]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a peer thinks of an entry of ours."""

    peer: str
    entry_id: int
    feedback: Feedback
    at: datetime
    bank: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who has signed an answer, when (seconds since 1970), and the signature itself."""

    at: int
    key: str
    value: bytes

    def __str__(self) -> str:
        return f"ed25519 t={self.at}, key={self.key}, sig={self.value.hex()}"


def check_shareable(bank: Bank) -> None:
    """Refuse to share what means nothing elsewhere."""
    if bank.policy.category is Category.CANARY:
        raise Refused("bank_private", f"Bank {bank.policy.name} tests this installation; it is of no use to a peer.")


def read_checkpoint(untrusted_text: str, bank: Bank, *, with_lists: bool) -> Checkpoint:
    """Read a checkpoint of this bank; `Refused` (`checkpoint_stale`) if it is of another, or of another time."""
    if not untrusted_text:
        return Checkpoint(bank_id=bank.id, with_lists=with_lists)
    found = _CHECKPOINT.fullmatch(untrusted_text)
    if found is None or (int(found[1]), found[2] == "1") != (bank.id, with_lists):
        raise stale()
    return Checkpoint(
        bank_id=bank.id, with_lists=with_lists, sequence=int(found[3]), event=int(found[4]), mark=found[5]
    )


def stale() -> Refused:
    """The refusal of a checkpoint that cannot be read on from."""
    return Refused("checkpoint_stale", "This checkpoint cannot be read on from; read the bank from its beginning.")


def signed_text(method: str, target: str, at: int, body: bytes) -> bytes:
    """What is signed of an answer: what was asked, when it was answered, and the answer's bytes.

    `target` is the path from `/v1/peer` on with the query as it was sent, so that no answer fits another question.
    """
    return "\n".join([_CONTEXT, method, target, str(at), hashlib.sha256(body).hexdigest()]).encode()


def read_signature(untrusted_header: str) -> Signature:
    """Read the header of an answer; `ValueError` if it is not one."""
    found = _HEADER.fullmatch(untrusted_header)
    if found is None:
        raise ValueError(f"there is no {SIGNATURE} of the form ed25519 t=…, key=…, sig=…")
    return Signature(at=int(found[1]), key=found[2], value=bytes.fromhex(found[3]))


def public_bytes(untrusted_key: str) -> bytes:
    """The raw bytes of a public key as `jikimi peer identity` prints it; `ValueError` if it is not one."""
    if not re.fullmatch(PUBLIC_PREFIX + "[0-9a-f]{64}", untrusted_key):
        raise ValueError(f"is {PUBLIC_PREFIX} and 64 hexadecimal digits, as `jikimi peer identity` prints it there")
    return bytes.fromhex(untrusted_key.removeprefix(PUBLIC_PREFIX))
