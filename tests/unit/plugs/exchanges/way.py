"""The real way to a simulator, without waiting between tries."""

from __future__ import annotations

from jikimi.plugs.web.client import WebClient
from jikimi.plugs.web.wire import trusted
from tests.conftest import SetClock


def way_to(hosts: frozenset[str], clock: SetClock, seconds: float = 5.0) -> WebClient:
    """What a connector gets to ask with."""
    return WebClient(
        hosts, trust=trusted(), clock=clock, environment=dict, sleep=lambda _: None, chance=lambda: 0.5, seconds=seconds
    )
