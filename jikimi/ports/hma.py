"""What is stored of contents, as Hasher-Matcher-Actioner (HMA) has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from jikimi.model.bank import Bank, BankEntry
from jikimi.model.hma import BankContent, NewContent
from jikimi.model.signal import Signal


class Contents(Protocol):
    """Contents of banks, and which entries each brings."""

    def add(self, bank: Bank, new: NewContent, entry_ids: Sequence[int], at: datetime) -> BankContent: ...
    def get(self, content_id: int) -> BankContent | None: ...

    def own(self, entry: BankEntry, at: datetime) -> BankContent:
        """The content that stands for an entry which came by another way: stored, so that it can be changed."""
        ...

    def claim(self, bank: Bank, signals: Sequence[Signal], at: datetime) -> None:
        """Give entries of these signals that contents bring one of their own as well, switched on: our people say
        them too."""
        ...

    def change(self, content: BankContent) -> None:
        """Store its note and its switch; its entries sleep and wake with it."""
        ...

    def remove(self, content: BankContent) -> tuple[int, ...]:
        """Delete it; returns those of its entries that no content brings any more."""
        ...

    def of_entries(self, entry_ids: Collection[int]) -> Mapping[int, tuple[BankContent, ...]]: ...

    def sources(self, entry_ids: Collection[int]) -> Mapping[str, tuple[str, ...]]:
        """Exchanges whose live records say one of these entries, and the keys of those records."""
        ...

    def added_by_hand(self, entry_ids: Collection[int]) -> tuple[int, ...]:
        """Those of these entries that a person of ours added, and nobody withdrew."""
        ...

    def leave_to_list(self, entry: BankEntry, at: datetime) -> None:
        """Let an entry stand for no longer than a list says it."""
        ...

    def newest(self, type_: str, up_to: int) -> datetime | None:
        """When the newest entry of a signal type was added, as of a change number."""
        ...
