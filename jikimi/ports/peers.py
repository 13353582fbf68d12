"""What sharing banks with peers needs: what each may read, what has changed, what they say, and a key that signs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from jikimi.model.peer import Change, Grant, Said


class PeerKey(Protocol):
    """The key that signs what we answer peers; made when it is needed first."""

    @property
    def public(self) -> str:
        """What peers know it by."""
        ...

    def sign(self, text: bytes) -> bytes: ...


class Peers(Protocol):
    """What each peer may read, and what it says."""

    def grant(self, grant: Grant) -> None:
        """Store it, in place of what there was for the same peer and bank."""
        ...

    def withdraw(self, peer: str) -> None:
        """A peer may read nothing any more."""
        ...

    def grants(self, peer: str | None = None) -> tuple[Grant, ...]: ...
    def get(self, peer: str, bank: str) -> Grant | None: ...
    def changes(self, grant: Grant, after: int, limit: int) -> tuple[Change, ...]:
        """Changes of a bank as far as this peer may know of them, in the order of their numbers."""
        ...

    def size(self, grant: Grant, now: datetime) -> Mapping[str, int]:
        """How many entries a peer may read, by type."""
        ...

    def readable(self, grant: Grant, entry_ids: Collection[int]) -> frozenset[int]:
        """Those of these entries that it may read."""
        ...

    def say(self, said: Sequence[Said]) -> None:
        """Store feedback; right and wrong take each other's place."""
        ...

    def disputed_by(self, peer: str) -> frozenset[int]:
        """Entries that a peer has called wrong."""
        ...

    def said(self, entry_ids: Collection[int]) -> tuple[Said, ...]:
        """What peers say of entries."""
        ...

    def all_said(self, limit: int) -> tuple[Said, ...]:
        """What peers have said, newest first."""
        ...
