"""What is given back to exchanges, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from jikimi.model.ids import CaseId, ShareId
from jikimi.model.share import Share, ShareState


class Shares(Protocol):
    """What is given back, by its own name, by case and by state."""

    def add(self, share: Share) -> bool:
        """Store it, unless the same is stored for the same decision; whether it was."""
        ...

    def update(self, share: Share) -> None: ...
    def get(self, share_id: ShareId) -> Share | None: ...
    def of_case(self, case_id: CaseId) -> tuple[Share, ...]: ...
    def list(
        self, *, limit: int, before: ShareId | None = None, state: ShareState | None = None
    ) -> tuple[Share, ...]: ...
    def counts(self) -> Mapping[ShareState, int]: ...
