"""What every table has in common: one metadata, names of constraints, strict types on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *items: Any, **options: Any) -> Table:
    """Describe a table."""
    return Table(name, metadata, *items, sqlite_strict=True, **options)
