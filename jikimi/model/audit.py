"""The audit chain: each event carries the digest of the one before, so that no event can be changed unseen.

An event's digest is SHA-256 over its canonical JSON (RFC 8785 for the values used here: strings, integers, lists and
objects with sorted keys, no white space) including the digest before it. Changing, removing or inserting an event
breaks the chain at that place; cutting off the end shows against the stored head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Detail = Mapping[str, str | int | bool | Sequence[str]]

GENESIS = "0" * 64
"""What stands before the first event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which object, when. `seq` counts from 1 without gaps."""

    seq: int
    at: datetime
    actor: str
    verb: str
    object: str
    detail: Detail
    prev: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The last event's number and digest; number 0 where there is none."""

    seq: int = 0
    digest: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """How many events were read, where the chain ends, and the first mistake (empty if there is none)."""

    events: int
    head: AuditHead
    mistake: str = ""


def next_event(head: AuditHead, *, at: datetime, actor: str, verb: str, object_: str, detail: Detail) -> AuditEvent:
    """Forge the next link."""
    seq = head.seq + 1
    digest = _digest(seq, at, actor, verb, object_, detail, head.digest)
    return AuditEvent(
        seq=seq, at=at, actor=actor, verb=verb, object=object_, detail=detail, prev=head.digest, digest=digest
    )


def verify(events: Iterable[AuditEvent], stored_head: AuditHead) -> ChainReport:
    """Walk the chain in order of `seq` and report the first place where it does not hold."""
    head = AuditHead()
    for event in events:
        mistake = _mistake(head, event)
        if mistake:
            return ChainReport(events=head.seq, head=head, mistake=mistake)
        head = AuditHead(seq=event.seq, digest=event.digest)
    mistake = ""
    if head != stored_head:
        mistake = f"the chain ends at event {head.seq}, but event {stored_head.seq} was written: the end is missing"
    return ChainReport(events=head.seq, head=head, mistake=mistake)


def _mistake(head: AuditHead, event: AuditEvent) -> str:
    if event.seq > head.seq + 1:
        return f"event {head.seq + 1} is missing"
    if event.seq < head.seq + 1:
        return f"event {event.seq} is there twice"
    if event.prev != head.digest:
        return f"event {event.seq} does not follow event {head.seq}: one was inserted, removed or replaced"
    if event.digest != _digest(event.seq, event.at, event.actor, event.verb, event.object, event.detail, event.prev):
        return f"event {event.seq} was changed"
    return ""


def _digest(seq: int, at: datetime, actor: str, verb: str, object_: str, detail: Detail, prev: str) -> str:
    link = {
        "seq": seq,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": actor,
        "verb": verb,
        "object": object_,
        "detail": detail,
        "prev": prev,
    }
    canonical = json.dumps(link, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
