"""Opening the database: SQLite with a durable write-ahead log, or PostgreSQL.

Everything that was committed survives a power cut (`synchronous=full`). Writers take their lock when they begin, so
that a transaction never fails half-way because another one was quicker.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from jikimi.model.errors import Refused

WRITES = "jikimi_writes"
"""Execution option of connections that are going to write."""

_BUSY_SECONDS = 30
_CONNECTIONS = 16
_MORE_CONNECTIONS = 64


def open_engine(url: str) -> Engine:
    """Open `sqlite:///FILE` or `postgresql://…`; anything else is refused."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Refused("database_url_invalid", "JIKIMI_DATABASE_URL is not a database address.") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed.database or "")
    if backend == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10},
        )
    raise Refused("database_url_invalid", f"jikimi keeps its records in sqlite or postgresql, not in {backend}.")


def _open_sqlite(file: str) -> Engine:
    engine = create_engine(
        f"sqlite:///{Path(file).absolute()}",
        pool_size=_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions by its own rules; `_begin_sqlite` does it by ours.
    connection.isolation_level = None
    pragmas = (
        "journal_mode=wal",
        "synchronous=full",
        "foreign_keys=on",
        "secure_delete=fast",  # what is deleted or changed is overwritten where it stood: keys to evidence, above all
        f"busy_timeout={_BUSY_SECONDS * 1000}",
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
