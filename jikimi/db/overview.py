"""Counts over cases, decisions, scans and actions, made when they are asked for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Select, case, func, select

from jikimi.db.cases import SqlCases
from jikimi.db.schema import actions, cases, decisions, scans
from jikimi.model.action import ActionState
from jikimi.model.case import Case, CaseState
from jikimi.model.decision import DecisionState
from jikimi.model.ids import ENTROPY_BYTES, CaseId, DecisionId, new_id
from jikimi.model.match import Disposition
from jikimi.model.overview import Heap
from jikimi.ports.overview import Settled

_WAITS = cases.c.state != CaseState.DECIDED


class SqlCensus:
    """Counts in the database. Identifiers sort by time, so a day is a range of them and needs no index of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def heaps(self, now: datetime) -> tuple[Heap, ...]:
        """Cases that wait, by state and severity."""
        late = func.sum(case((cases.c.target_at <= now, 1), else_=0)).label("late")
        counted = select(cases.c.state, cases.c.severity, func.count().label("cases"), late).where(_WAITS)
        return tuple(
            Heap(state=CaseState(row.state), severity=row.severity, cases=row.cases, late=int(row.late))
            for row in self._connection.execute(counted.group_by(cases.c.state, cases.c.severity))
        )

    def due(self, now: datetime, limit: int) -> tuple[Case, ...]:
        """Cases past their target, the worst and oldest first."""
        late = select(cases.c.id).where(_WAITS, cases.c.target_at <= now)
        return self._cases(late.order_by(cases.c.severity.desc(), cases.c.target_at).limit(limit))

    def stuck(self, before: datetime, limit: int) -> tuple[Case, ...]:
        """Cases that wait and were last touched before a time, the oldest first."""
        still = select(cases.c.id).where(_WAITS, cases.c.updated_at < before)
        return self._cases(still.order_by(cases.c.updated_at).limit(limit))

    def opened(self, since: datetime, until: datetime) -> int:
        """How many cases were opened in a time."""
        counted = select(func.count()).where(cases.c.id >= _first("case", since), cases.c.id < _first("case", until))
        return int(self._connection.execute(counted).scalar_one())

    def settled(self, since: datetime, limit: int) -> tuple[Settled, ...]:
        """The newest final decisions since a time."""
        since_id = DecisionId(_first("decision", since))
        found = (
            select(cases.c.opened_at, func.coalesce(decisions.c.second_at, decisions.c.at).label("decided_at"))
            .join(cases, cases.c.id == decisions.c.case_id)
            .where(decisions.c.state == DecisionState.FINAL, decisions.c.id >= since_id)
            .order_by(decisions.c.id.desc())
            .limit(limit)
        )
        return tuple(
            Settled(opened_at=row.opened_at, decided_at=row.decided_at) for row in self._connection.execute(found)
        )

    def unchecked(self) -> int:
        """How many remembered uploads are unchecked now."""
        counted = select(func.count()).where(scans.c.disposition == Disposition.UNCHECKED)
        return int(self._connection.execute(counted).scalar_one())

    def dead_actions(self) -> int:
        """How many actions were given up."""
        counted = select(func.count()).where(actions.c.state == ActionState.DEAD)
        return int(self._connection.execute(counted).scalar_one())

    def _cases(self, ids: Select[tuple[str]]) -> tuple[Case, ...]:
        repository = SqlCases(self._connection)
        found = (repository.get(CaseId(row.id)) for row in self._connection.execute(ids).all())
        return tuple(one for one in found if one is not None)


def _first(prefix: str, at: datetime) -> str:
    """The smallest identifier of a moment."""
    return new_id(prefix, at, bytes(ENTROPY_BYTES))
