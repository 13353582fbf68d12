"""Actions in the order of their case, each try to deliver one, and appeals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jikimi.db.schema import actions, appeals, deliveries
from jikimi.model.action import Action, ActionState, Delivery, Target, Verb
from jikimi.model.appeal import Appeal, AppealState
from jikimi.model.errors import Refused
from jikimi.model.ids import ActionId, AppealId, CaseId, DecisionId, PersonId


class SqlActions:
    """Actions in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, action: Action) -> None:
        """Store a new action."""
        self._connection.execute(insert(actions).values(asdict(action)))

    def update(self, action: Action) -> None:
        """Store how far an action has come."""
        self._connection.execute(update(actions).where(actions.c.id == action.id).values(asdict(action)))

    def get(self, action_id: ActionId) -> Action | None:
        """One action."""
        row = self._connection.execute(select(actions).where(actions.c.id == action_id)).one_or_none()
        return None if row is None else _action(row)

    def of_case(self, case_id: CaseId) -> tuple[Action, ...]:
        """The actions of a case, in their order."""
        found = select(actions).where(actions.c.case_id == case_id).order_by(actions.c.place)
        return tuple(_action(row) for row in self._connection.execute(found))

    def newest_of_case(self, case_id: CaseId, limit: int) -> tuple[Action, ...]:
        """The newest actions of a case, in their order; a case can have thousands."""
        found = select(actions).where(actions.c.case_id == case_id).order_by(actions.c.place.desc()).limit(limit)
        return tuple(_action(row) for row in self._connection.execute(found))[::-1]

    def next_in_line(self, case_id: CaseId) -> Action | None:
        """Of all actions of a case, the one to be sent now: the first that is not settled."""
        waiting = select(actions).where(actions.c.case_id == case_id, actions.c.state == ActionState.WAITING)
        row = self._connection.execute(waiting.order_by(actions.c.place).limit(1)).one_or_none()
        return None if row is None else _action(row)

    def last_place(self, case_id: CaseId) -> int:
        """The place of a case's newest action; 0 if there is none."""
        last = select(func.coalesce(func.max(actions.c.place), 0)).where(actions.c.case_id == case_id)
        return int(self._connection.execute(last).scalar_one())

    def counts(self) -> Mapping[ActionState, int]:
        """How many actions there are by state."""
        counted = select(actions.c.state, func.count().label("actions")).group_by(actions.c.state)
        return {ActionState(row.state): row.actions for row in self._connection.execute(counted)}

    def oldest_waiting(self) -> datetime | None:
        """Since when the oldest action waits; nothing if none does."""
        waiting = select(actions.c.created_at).where(actions.c.state == ActionState.WAITING)
        return self._connection.execute(waiting.order_by(actions.c.id).limit(1)).scalar_one_or_none()

    def list(
        self, *, limit: int, before: ActionId | None = None, state: ActionState | None = None
    ) -> tuple[Action, ...]:
        """The newest actions, newest first; those in one state, those before one of them."""
        query = select(actions).order_by(actions.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(actions.c.id < before)
        if state is not None:
            query = query.where(actions.c.state == state)
        return tuple(_action(row) for row in self._connection.execute(query))

    def log(self, delivery: Delivery) -> None:
        """Remember one try."""
        tried = select(func.count()).where(deliveries.c.action_id == delivery.action_id)
        place = self._connection.execute(tried).scalar_one() + 1
        self._connection.execute(insert(deliveries).values({**asdict(delivery), "place": place}))

    def deliveries(self, action_id: ActionId) -> tuple[Delivery, ...]:
        """All tries of an action, oldest first."""
        found = select(deliveries).where(deliveries.c.action_id == action_id).order_by(deliveries.c.place)
        return tuple(
            Delivery(action_id=action_id, at=row.at, status=row.status, error=row.error, elapsed_ms=row.elapsed_ms)
            for row in self._connection.execute(found)
        )


class SqlAppeals:
    """Appeals in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, appeal: Appeal) -> None:
        """Store a new appeal; `Refused` if the platform has used its name for it before."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(appeals).values(asdict(appeal)))
        except IntegrityError as error:
            raise Refused("appeal_exists", "There is an appeal with this reference already.") from error

    def update(self, appeal: Appeal) -> None:
        """Store what became of an appeal."""
        self._connection.execute(update(appeals).where(appeals.c.id == appeal.id).values(asdict(appeal)))

    def get(self, appeal_id: AppealId) -> Appeal | None:
        """One appeal."""
        row = self._connection.execute(select(appeals).where(appeals.c.id == appeal_id)).one_or_none()
        return None if row is None else _appeal(row)

    def of_case(self, case_id: CaseId) -> tuple[Appeal, ...]:
        """The appeals in a case, oldest first."""
        found = select(appeals).where(appeals.c.case_id == case_id).order_by(appeals.c.id)
        return tuple(_appeal(row) for row in self._connection.execute(found))

    def by_reference(self, source: str, reference: str) -> Appeal | None:
        """The appeal that a platform has given this name."""
        found = select(appeals).where(appeals.c.source == source, appeals.c.reference == reference)
        row = self._connection.execute(found).one_or_none()
        return None if row is None else _appeal(row)


def _action(row: Row[Any]) -> Action:
    return Action(
        id=ActionId(row.id),
        case_id=CaseId(row.case_id),
        decision_id=row.decision_id and DecisionId(row.decision_id),
        place=row.place,
        verb=row.verb and Verb(row.verb),
        targets=tuple(Target(**target) for target in row.targets),
        reasons=tuple(row.reasons),
        key=row.key,
        state=ActionState(row.state),
        created_at=row.created_at,
        tries=row.tries,
        delivered_at=row.delivered_at,
        receipt=row.receipt,
        received_at=row.received_at,
        undo_of=row.undo_of and ActionId(row.undo_of),
        appeal_id=row.appeal_id and AppealId(row.appeal_id),
    )


def _appeal(row: Row[Any]) -> Appeal:
    return Appeal(
        id=AppealId(row.id),
        case_id=CaseId(row.case_id),
        decision_id=DecisionId(row.decision_id),
        reference=row.reference,
        text=row.text,
        source=row.source,
        received_at=row.received_at,
        state=AppealState(row.state),
        decided_by=row.decided_by and PersonId(row.decided_by),
        decided_at=row.decided_at,
        note=row.note,
    )
