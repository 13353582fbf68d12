"""Every kind of exchange that ships with jikimi keeps the promises of the port, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from jikimi.app import web_for
from jikimi.config import Settings
from jikimi.testing.conformance import NAMES, check_connector

_KINDS = sorted(
    point.name for point in entry_points(group="jikimi.exchanges.v1") if point.dist and point.dist.name == "jikimi"
)
_MANY = 3000


@pytest.mark.parametrize("kind", _KINDS)
def test_a_kind_keeps_its_promises(kind: str, tmp_path: Path) -> None:
    assert _broken_promises(kind, tmp_path, _MANY) == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", _KINDS)
def test_a_kind_keeps_its_promises_with_a_long_list(kind: str, tmp_path: Path) -> None:
    assert _broken_promises(kind, tmp_path, 100_000) == {}


def _broken_promises(kind: str, folder: Path, many: int) -> dict[str, str]:
    settings = Settings.load(data=folder)
    connector, simulator = _loaded("jikimi.exchanges.v1", kind), _loaded("jikimi.simulators.v1", kind)
    checks = list(check_connector(connector, simulator, lambda hosts: web_for(settings, hosts), many=many))
    assert tuple(check.name for check in checks) == NAMES
    return {check.name: check.advice for check in checks if not check.passed}


def _loaded(group: str, name: str) -> Any:
    found: Callable[..., Any] = next(iter(entry_points(group=group, name=name))).load()
    return found
