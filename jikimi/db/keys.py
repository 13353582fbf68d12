"""Keys of programs; only digests of their secrets are here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jikimi.db.schema import keys
from jikimi.model.errors import Refused
from jikimi.model.people import Key, Scope


class SqlKeys:
    """Keys in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, key: Key, digest: str) -> None:
        """Store a key; `Refused` if the name is taken."""
        values = {
            "name": key.name,
            "digest": digest,
            "scopes": sorted(key.scopes),
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(keys).values(values))
        except IntegrityError as error:
            raise Refused("key_exists", f"There is a key {key.name} already; choose another name.") from error

    def replace(self, key: Key, digest: str) -> None:
        """Store a key in place of one with the same name."""
        self._connection.execute(delete(keys).where(keys.c.name == key.name))
        self.create(key, digest)

    def by_digest(self, digest: str) -> Key | None:
        """The key whose secret has this digest, unless it was revoked."""
        found = select(keys).where(keys.c.digest == digest, keys.c.revoked_at.is_(None))
        row = self._connection.execute(found).one_or_none()
        return None if row is None else _key(row)

    def get(self, name: str) -> Key | None:
        """One key by its name."""
        row = self._connection.execute(select(keys).where(keys.c.name == name)).one_or_none()
        return None if row is None else _key(row)

    def all(self) -> tuple[Key, ...]:
        """All keys, revoked ones too, by name."""
        return tuple(_key(row) for row in self._connection.execute(select(keys).order_by(keys.c.name)))

    def revoke(self, name: str, at: datetime) -> None:
        """Revoke a key that is not revoked yet."""
        self._connection.execute(
            update(keys).where(keys.c.name == name, keys.c.revoked_at.is_(None)).values(revoked_at=at)
        )


def _key(row: Row[Any]) -> Key:
    return Key(
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
