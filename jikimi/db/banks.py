"""Banks, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jikimi.db.schema import bank_content_entries, bank_contents, banks, entries
from jikimi.model.bank import Bank, BankPolicy, BankSize, Category, OnMatch
from jikimi.model.errors import Refused


class SqlBanks:
    """Banks in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> tuple[Bank, ...]:
        """All banks, disabled ones too, by name."""
        rows = self._connection.execute(select(banks).where(banks.c.deleted_at.is_(None)).order_by(banks.c.name))
        return tuple(_bank(row) for row in rows)

    def get(self, name: str) -> Bank | None:
        """One bank."""
        found = select(banks).where(banks.c.name == name, banks.c.deleted_at.is_(None))
        row = self._connection.execute(found).one_or_none()
        return None if row is None else _bank(row)

    def create(self, policy: BankPolicy, at: datetime) -> Bank:
        """Create a bank; `Refused` if the name is taken."""
        values = {**_columns(policy), "created_at": at}
        try:
            with self._connection.begin_nested():
                row = self._connection.execute(insert(banks).values(values).returning(banks)).one()
        except IntegrityError as error:
            raise Refused("bank_exists", f"There is a bank {policy.name} already; choose another name.") from error
        return _bank(row)

    def update(self, bank: Bank) -> None:
        """Store a bank's policy and its flood mark; `Refused` if a new name is taken."""
        values = {**_columns(bank.policy), "flooded_at": bank.flooded_at, "resumed_at": bank.resumed_at}
        try:
            with self._connection.begin_nested():
                self._connection.execute(update(banks).where(banks.c.id == bank.id).values(values))
        except IntegrityError as error:
            raise Refused("bank_exists", f"There is a bank {bank.policy.name} already; choose another name.") from error

    def delete(self, bank: Bank, at: datetime) -> int:
        """Delete a bank with the values of its entries; how many there were. Its name is free afterwards."""
        gone = self._connection.execute(delete(entries).where(entries.c.bank_id == bank.id)).rowcount
        of_bank = select(bank_contents.c.id).where(bank_contents.c.bank_id == bank.id)
        links = bank_content_entries
        self._connection.execute(delete(links).where(links.c.content_id.in_(of_bank)))
        self._connection.execute(delete(bank_contents).where(bank_contents.c.bank_id == bank.id))
        self._connection.execute(update(banks).where(banks.c.id == bank.id).values(deleted_at=at, enabled=0))
        return gone

    def sizes(self) -> Mapping[int, BankSize]:
        """How much each bank holds, by its number; empty banks are not listed."""
        counted = select(
            entries.c.bank_id,
            entries.c.type,
            func.count().label("all"),
            func.count(entries.c.withdrawn_at).label("withdrawn"),
        ).group_by(entries.c.bank_id, entries.c.type)
        sizes: dict[int, BankSize] = {}
        for row in self._connection.execute(counted):
            size = sizes.get(row.bank_id, BankSize(live={}, withdrawn=0))
            live = {**size.live, row.type: row.all - row.withdrawn}
            sizes[row.bank_id] = replace(size, live=live, withdrawn=size.withdrawn + row.withdrawn)
        return sizes


def _columns(policy: BankPolicy) -> dict[str, Any]:
    return {**asdict(policy), "enabled": int(policy.enabled)}


def _bank(row: Row[Any]) -> Bank:
    policy = BankPolicy(
        name=row.name,
        category=Category(row.category),
        on_match=OnMatch(row.on_match),
        max_distance=row.max_distance,
        quality_floor=row.quality_floor,
        source=row.source,
        note=row.note,
        enabled=bool(row.enabled),
        on_disputed=OnMatch(row.on_disputed),
        on_unconfirmed=OnMatch(row.on_unconfirmed),
        ratio=float(row.ratio),
    )
    return Bank(
        id=row.id,
        policy=policy,
        created_at=row.created_at,
        flooded_at=row.flooded_at,
        resumed_at=row.resumed_at,
    )
