"""Banks and their entries, as callers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.flows.bank import BankView
from jikimi.model.bank import BankEntry, Category, OnMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAnswer:
    """A bank. `entries`: live ones by signal type. `flooded_at`: since when it only holds, having matched too often."""

    name: str
    category: Category
    on_match: OnMatch
    max_distance: int
    quality_floor: int
    on_disputed: OnMatch
    on_unconfirmed: OnMatch
    source: str
    note: str
    enabled: bool
    created_at: datetime
    flooded_at: datetime | None
    entries: dict[str, int]
    withdrawn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAnswer:
    """One entry of a bank."""

    id: int
    type: str
    value: str
    quality: int | None
    note: str
    added_at: datetime


def bank_answer(view: BankView) -> BankAnswer:
    """Write a bank."""
    policy = view.bank.policy
    return BankAnswer(
        name=policy.name,
        category=policy.category,
        on_match=policy.on_match,
        max_distance=policy.max_distance,
        quality_floor=policy.quality_floor,
        on_disputed=policy.on_disputed,
        on_unconfirmed=policy.on_unconfirmed,
        source=policy.source,
        note=policy.note,
        enabled=policy.enabled,
        created_at=view.bank.created_at,
        flooded_at=view.bank.flooded_at,
        entries=view.size.live,
        withdrawn=view.size.withdrawn,
    )


def entry_answer(entry: BankEntry) -> EntryAnswer:
    """Write an entry."""
    signal = entry.signal
    return EntryAnswer(
        id=entry.id,
        type=signal.type,
        value=signal.text,
        quality=signal.quality,
        note=entry.note,
        added_at=entry.added_at,
    )
