"""What is given back to exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from jikimi.db.schema import shares
from jikimi.model.exchange import Feedback
from jikimi.model.ids import CaseId, DecisionId, ShareId
from jikimi.model.share import Share, ShareState


class SqlShares:
    """Shares in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, share: Share) -> bool:
        """Store a new share; writers take turns, so that looking first is enough."""
        same = select(shares.c.id).where(
            shares.c.exchange_id == share.exchange_id,
            shares.c.feedback == share.feedback,
            shares.c.record == share.record,
            shares.c.entry_id == share.entry_id,
            shares.c.decision_id == share.decision_id,
        )
        if self._connection.execute(same).first() is not None:
            return False
        self._connection.execute(insert(shares).values(asdict(share)))
        return True

    def update(self, share: Share) -> None:
        """Store how far a share has come."""
        self._connection.execute(update(shares).where(shares.c.id == share.id).values(asdict(share)))

    def get(self, share_id: ShareId) -> Share | None:
        """One share."""
        row = self._connection.execute(select(shares).where(shares.c.id == share_id)).one_or_none()
        return None if row is None else _share(row)

    def of_case(self, case_id: CaseId) -> tuple[Share, ...]:
        """What is given back about a case, oldest first."""
        found = select(shares).where(shares.c.case_id == case_id).order_by(shares.c.id)
        return tuple(_share(row) for row in self._connection.execute(found))

    def list(self, *, limit: int, before: ShareId | None = None, state: ShareState | None = None) -> tuple[Share, ...]:
        """The newest shares, newest first; those in one state, those before one of them."""
        query = select(shares).order_by(shares.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(shares.c.id < before)
        if state is not None:
            query = query.where(shares.c.state == state)
        return tuple(_share(row) for row in self._connection.execute(query))

    def counts(self) -> Mapping[ShareState, int]:
        """How many shares there are by state."""
        counted = select(shares.c.state, func.count().label("shares")).group_by(shares.c.state)
        return {ShareState(row.state): row.shares for row in self._connection.execute(counted)}


def _share(row: Row[Any]) -> Share:
    return Share(
        id=ShareId(row.id),
        exchange_id=row.exchange_id,
        feedback=Feedback(row.feedback),
        record=row.record,
        entry_id=row.entry_id,
        case_id=CaseId(row.case_id),
        decision_id=DecisionId(row.decision_id),
        asked_by=row.asked_by,
        approved_by=row.approved_by,
        state=ShareState(row.state),
        tries=row.tries,
        error=row.error,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )
