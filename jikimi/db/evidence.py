"""What is kept as evidence, the wrapped keys to it, and the public keys they are wrapped to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from jikimi.db.schema import evidence, evidence_keys
from jikimi.model.evidence import EvidenceItem, EvidenceKey, Sealed
from jikimi.model.ids import EvidenceId
from jikimi.model.media import MediaKind

_ROWS_A_FETCH = 1_000


class SqlEvidence:
    """Evidence in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, item: EvidenceItem) -> None:
        """Store a new item."""
        self._connection.execute(insert(evidence).values({"id": item.id, **_columns(item)}))

    def of_content(self, sha256: str) -> EvidenceItem | None:
        """The live item of a content."""
        return self._one(select(evidence).where(evidence.c.sha256 == sha256, evidence.c.destroyed_at.is_(None)))

    def get(self, item_id: EvidenceId) -> EvidenceItem | None:
        """One item."""
        return self._one(select(evidence).where(evidence.c.id == item_id))

    def update(self, item: EvidenceItem) -> None:
        """Store what was changed: the wrapped key and its recipient, or the holds."""
        self._connection.execute(update(evidence).where(evidence.c.id == item.id).values(_columns(item)))

    def live_blobs(self, names: Collection[str]) -> frozenset[str]:
        """Of these names, those of sealed bytes that belong to a live item."""
        found = select(evidence.c.blob).where(evidence.c.blob.in_(names), evidence.c.destroyed_at.is_(None))
        return frozenset(self._connection.execute(found).scalars())

    def sealed_to(self, recipient: str, limit: int, after: EvidenceId | None = None) -> tuple[EvidenceItem, ...]:
        """Live items whose keys are wrapped to this recipient, in order, those after one of them."""
        found = select(evidence).where(evidence.c.recipient == recipient, evidence.c.destroyed_at.is_(None))
        if after is not None:
            found = found.where(evidence.c.id > after)
        return tuple(_item(row) for row in self._connection.execute(found.order_by(evidence.c.id).limit(limit)))

    def destroyed(self, item_id: EvidenceId, at: datetime) -> None:
        """Forget the key for good."""
        values = {"wrapped_key": None, "destroyed_at": at}
        self._connection.execute(update(evidence).where(evidence.c.id == item_id).values(values))

    def all(self) -> Iterator[EvidenceItem]:
        """Everything, destroyed items too, in order."""
        query = select(evidence).order_by(evidence.c.id)
        with self._connection.execute(query, execution_options={"yield_per": _ROWS_A_FETCH}) as rows:
            yield from (_item(row) for row in rows)

    def counts(self) -> Mapping[str, int]:
        """How many live items there are by recipient."""
        by_recipient = select(evidence.c.recipient, func.count()).group_by(evidence.c.recipient)
        rows = self._connection.execute(by_recipient.where(evidence.c.destroyed_at.is_(None)))
        return {row[0]: row[1] for row in rows}

    def add_key(self, key: EvidenceKey) -> None:
        """Record a key as the present one."""
        number = select(func.coalesce(func.max(evidence_keys.c.number), 0) + 1).scalar_subquery()
        values = {"fingerprint": key.fingerprint, "public": key.public, "made_at": key.made_at}
        self._connection.execute(insert(evidence_keys).values(number=number, **values))

    def known_keys(self) -> tuple[EvidenceKey, ...]:
        """All keys, the present one last."""
        rows = self._connection.execute(select(evidence_keys).order_by(evidence_keys.c.number))
        return tuple(EvidenceKey(fingerprint=row.fingerprint, public=row.public, made_at=row.made_at) for row in rows)

    def _one(self, query: Any) -> EvidenceItem | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _item(row)


def _columns(item: EvidenceItem) -> dict[str, Any]:
    return {
        "sha256": item.sha256,
        "kind": item.kind,
        "blob": item.sealed.blob,
        "wrapped_key": item.sealed.wrapped_key or None,
        "recipient": item.sealed.recipient,
        "size": item.sealed.size,
        "sealed_at": item.sealed_at,
        "held_by": list(item.held_by),
        "destroyed_at": item.destroyed_at,
    }


def _item(row: Row[Any]) -> EvidenceItem:
    sealed = Sealed(blob=row.blob, wrapped_key=row.wrapped_key or b"", recipient=row.recipient, size=row.size)
    return EvidenceItem(
        id=EvidenceId(row.id),
        sha256=row.sha256,
        kind=MediaKind(row.kind),
        sealed=sealed,
        sealed_at=row.sealed_at,
        held_by=tuple(row.held_by),
        destroyed_at=row.destroyed_at,
    )
