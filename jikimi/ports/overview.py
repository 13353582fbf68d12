"""Overview: counts over everything that is stored, for the lead's page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jikimi.model.case import Case
from jikimi.model.overview import Heap


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """When a case was opened, and when its decision became final."""

    opened_at: datetime
    decided_at: datetime


class Census(Protocol):
    """Counts that are made when they are asked for."""

    def heaps(self, now: datetime) -> tuple[Heap, ...]: ...
    def due(self, now: datetime, limit: int) -> tuple[Case, ...]: ...
    def stuck(self, before: datetime, limit: int) -> tuple[Case, ...]: ...
    def opened(self, since: datetime, until: datetime) -> int: ...
    def settled(self, since: datetime, limit: int) -> tuple[Settled, ...]: ...
    def unchecked(self) -> int: ...
    def dead_actions(self) -> int: ...
