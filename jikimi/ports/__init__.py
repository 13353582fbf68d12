"""What we need from outside: a Protocol for each thing a flow talks to, and `Kit`, the frozen box that holds them.

No behaviour lives here. The real things are built in `app`; every one of them can be replaced by another that keeps the
same promises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jikimi.model.decision import ReviewRules
from jikimi.model.exposure import ExposureRules
from jikimi.model.match import FloodRule
from jikimi.model.signin import SignInRules
from jikimi.ports.enforcement import ActionRunner, Actions, Appeals
from jikimi.ports.evidence import Evidence, EvidenceKeys, Renderer, Vault
from jikimi.ports.exchanges import Connectors, Exchanges, Safe, SourceRecords
from jikimi.ports.hma import Contents
from jikimi.ports.look_back import Kept, KeptBuffer
from jikimi.ports.matching import Decoder, Followed, Index, Newer, Reader, Signals, Snapshots
from jikimi.ports.outside import Blobs, Fetch, Fetched, Log, Tally, Totals
from jikimi.ports.peers import PeerKey, Peers
from jikimi.ports.people import Invitations, People, Questions, Sessions, SignInTries
from jikimi.ports.records import (
    Added,
    Audit,
    Banks,
    Cases,
    Counters,
    Entries,
    Jobs,
    Keys,
    Replies,
    Reply,
    Scans,
    Store,
    Tallied,
    Tx,
)
from jikimi.ports.review import Decisions, Exposures, Notes, Skips, UserReports
from jikimi.ports.sharing import Shares
from jikimi.ports.signin import Codes, NewPasskey, Passkeys, Passwords, Prover, Provider, Visit

__all__ = [
    "ActionRunner", "Actions", "Added", "Appeals", "Audit", "Banks", "Blobs", "Cases", "Codes", "Connectors",
    "Contents", "Counters", "Decisions", "Decoder", "Entries", "Evidence", "EvidenceKeys", "Exchanges", "Exposures",
    "Fetch", "Fetched", "Followed", "Index", "Invitations", "Jobs", "Kept", "KeptBuffer", "Keys", "Kit", "Log",
    "NewPasskey", "Newer", "Notes", "Passkeys", "Passwords", "PeerKey", "Peers", "People", "Prover", "Provider",
    "Questions", "Reader", "Renderer", "Replies", "Reply", "Safe", "Scans", "Sessions", "Shares", "SignInTries",
    "Signals", "Skips", "Snapshots", "SourceRecords", "Store", "Tallied", "Tally", "Totals", "Tx", "UserReports",
    "Vault", "Visit",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Everything a flow may reach for."""

    reader: Reader
    store: Store
    blobs: Blobs
    vault: Vault
    renderer: Renderer
    index: Index
    snapshots: Snapshots
    kept: KeptBuffer
    recent: Index
    """What is kept of uploads, searchable; opened by whoever looks back."""
    recent_snapshots: Snapshots
    look_back: timedelta
    """How long signals of uploads are kept; zero is off."""
    tally: Tally
    flood: FloodRule
    prover: Prover
    sign_in: SignInRules
    peer_key: PeerKey
    review: ReviewRules
    exposure: ExposureRules
    clock: Callable[[], datetime]
    ids: Callable[[str], str]
    entropy: Callable[[int], bytes]
    log: Log
    safe: Safe
    connectors: Connectors
    fetch: Fetch | None = None
    """None where no host is allowed to be fetched from."""
    platform: ActionRunner | None = None
    """None where no webhook is set: actions wait."""
