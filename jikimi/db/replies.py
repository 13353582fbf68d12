"""Answers that were given under a caller's Idempotency-Key, so that the same call gets the same answer again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from jikimi.db.schema import replies
from jikimi.ports import Reply


class SqlReplies:
    """Replies in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, source: str, key: str) -> Reply | None:
        """The reply that was given under a key, if there is one."""
        found = select(replies).where(replies.c.source == source, replies.c.key == key)
        row = self._connection.execute(found).one_or_none()
        return None if row is None else Reply(asked=row.asked, answer=row.answer)

    def add(self, source: str, key: str, reply: Reply, at: datetime) -> None:
        """Keep a reply; the first one stays."""
        dialect_insert = postgresql_insert if self._connection.dialect.name == "postgresql" else sqlite_insert
        new = dialect_insert(replies).values(source=source, key=key, asked=reply.asked, answer=reply.answer, at=at)
        self._connection.execute(new.on_conflict_do_nothing())

    def purge(self, before: datetime) -> int:
        """Forget replies that are older; how many there were."""
        return self._connection.execute(delete(replies).where(replies.c.at < before)).rowcount
