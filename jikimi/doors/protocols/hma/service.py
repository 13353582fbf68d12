"""What the routes need to know of the service they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jikimi.model.hma import HmaRules
from jikimi.ports import Kit


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The service: its kit, the operator's choices, and what keeps it from being ready, by part."""

    kit: Kit
    rules: HmaRules
    problems: Callable[[], dict[str, str]]
