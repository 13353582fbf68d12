"""The sentences that stories are told in: a bank is filled, an upload arrives, the record is read."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing

import psycopg

from jikimi.config import Settings
from jikimi.flows.bank import add_entries, create_bank, entries_of_file
from jikimi.flows.scan import scan
from jikimi.model.audit import AuditEvent
from jikimi.model.bank import Bank, BankPolicy, Category, OnMatch
from jikimi.model.scan import Scan, Upload
from jikimi.ports import Kit

OPERATOR = "cli:tester"


def make_bank(
    kit: Kit,
    name: str,
    *pictures: bytes,
    category: Category = Category.CSAM,
    on_match: OnMatch = OnMatch.BLOCK,
    max_distance: int = 31,
) -> Bank:
    """A bank that holds these pictures."""
    policy = BankPolicy(name=name, category=category, on_match=on_match, max_distance=max_distance)
    bank = create_bank(kit, OPERATOR, policy)
    for picture in pictures:
        add_entries(kit, OPERATOR, name, entries_of_file(kit, io.BytesIO(picture), policy).entries)
    return bank


def upload(kit: Kit, picture: bytes, *, account: str = "", name: str = "", source: str = "forum") -> Scan:
    """An upload arrives and is answered."""
    said = Upload(source=source, received_at=kit.clock(), content_id=name, account_id=account)
    return scan(kit, said, io.BytesIO(picture))


def audit_of(kit: Kit, object_: str | None = None) -> list[AuditEvent]:
    """What was done, to one object or to all."""
    with kit.store.read() as tx:
        return list(tx.audit.events(object_))


def tamper(settings: Settings, *statements: str) -> None:
    """Somebody changes the database behind our back."""
    if settings.database_url:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return
    with closing(sqlite3.connect(settings.data / "jikimi.db", isolation_level=None)) as plain:
        for statement in statements:
            plain.execute(statement)
