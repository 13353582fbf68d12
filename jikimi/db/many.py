"""Thousands of rows in one statement, in the form in which each driver takes them fastest.

Rows travel as plain tuples of what the database stores: a million of them would spend most of their time on the way
through an expression language. PostgreSQL gets one array for each column, SQLite the rows as they are.
What is put into the statements here are names of tables and columns of ours; values never are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table

T = TypeVar("T")
_VALUES_A_QUERY = 500


def some_of(values: Collection[T]) -> Iterator[list[T]]:
    """The values in lots that one `IN` can take."""
    all_ = list(values)
    for start in range(0, len(all_), _VALUES_A_QUERY):
        yield all_[start : start + _VALUES_A_QUERY]


def insert_many(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Store new rows, of which none is there yet."""
    if not rows:
        return
    names = ", ".join(columns)
    if _is_postgresql(connection):
        source = _unnested(connection, table, columns)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT * FROM {source}", _turned(rows))  # noqa: S608
    else:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608


def update_many(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Store other values in rows; the last column is the number of the row."""
    if not rows:
        return
    *changed, key = columns
    if _is_postgresql(connection):
        source = f"{_unnested(connection, table, columns)} AS new ({', '.join(columns)})"
        values = ", ".join(f"{name} = new.{name}" for name in changed)
        statement = f"UPDATE {table.name} SET {values} FROM {source} WHERE {table.name}.{key} = new.{key}"  # noqa: S608
        connection.exec_driver_sql(statement, _turned(rows))
    else:
        values = ", ".join(f"{name} = ?" for name in changed)
        connection.exec_driver_sql(f"UPDATE {table.name} SET {values} WHERE {key} = ?", list(rows))  # noqa: S608


def take_numbers(connection: Connection, table: Table, count: int) -> list[int]:
    """Numbers for new rows that no row has had. The caller has the writers' turn."""
    if _is_postgresql(connection):
        wanted = f"SELECT nextval('{table.name}_id_seq') FROM generate_series(1, %s)"  # noqa: S608
        return [row[0] for row in connection.exec_driver_sql(wanted, (count,))]
    last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).scalar() or 0
    return list(range(last + 1, last + count + 1))


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _unnested(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    types = (table.c[name].type.compile(connection.dialect) for name in columns)
    return f"unnest({', '.join(f'%s::{type_}[]' for type_ in types)})"


def _turned(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
