"""Decisions, and the ledger of what reviewers were exposed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from jikimi.db.schema import decisions, exposures
from jikimi.model.action import Verb
from jikimi.model.decision import Choice, Decision, DecisionState, Fact, Facts, Label, Says, Tri
from jikimi.model.exposure import Exposure, Level
from jikimi.model.ids import AppealId, CaseId, DecisionId, PersonId, RevealId


class SqlDecisions:
    """Decisions in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, decision: Decision) -> None:
        """Store a new decision."""
        self._connection.execute(insert(decisions).values({"id": decision.id, **_columns(decision)}))

    def update(self, decision: Decision) -> None:
        """Store what became of a decision."""
        self._connection.execute(update(decisions).where(decisions.c.id == decision.id).values(_columns(decision)))

    def get(self, decision_id: DecisionId) -> Decision | None:
        """One decision."""
        row = self._connection.execute(select(decisions).where(decisions.c.id == decision_id)).one_or_none()
        return None if row is None else _decision(row)

    def of_case(self, case_id: CaseId) -> tuple[Decision, ...]:
        """The decisions of a case, oldest first."""
        found = select(decisions).where(decisions.c.case_id == case_id).order_by(decisions.c.id)
        return tuple(_decision(row) for row in self._connection.execute(found))

    def proposed(self, limit: int) -> tuple[Decision, ...]:
        """Decisions that wait for a second person, oldest first."""
        found = select(decisions).where(decisions.c.state == DecisionState.PROPOSED).order_by(decisions.c.id)
        return tuple(_decision(row) for row in self._connection.execute(found.limit(limit)))


class SqlExposures:
    """Looks in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, exposure: Exposure) -> None:
        """Store a look that begins."""
        self._connection.execute(insert(exposures).values(asdict(exposure)))

    def end(self, exposure: Exposure) -> None:
        """Store how long it was; a look that has ended stays as it is."""
        still_open = update(exposures).where(exposures.c.id == exposure.id, exposures.c.ended_at.is_(None))
        self._connection.execute(still_open.values(ended_at=exposure.ended_at, milliseconds=exposure.milliseconds))

    def get(self, reveal_id: RevealId) -> Exposure | None:
        """One look."""
        row = self._connection.execute(select(exposures).where(exposures.c.id == reveal_id)).one_or_none()
        return None if row is None else _exposure(row)

    def of_person(self, person_id: PersonId, since: datetime) -> tuple[Exposure, ...]:
        """What a person has looked at since a time, oldest first."""
        found = select(exposures).where(exposures.c.person_id == person_id, exposures.c.started_at >= since)
        return tuple(_exposure(row) for row in self._connection.execute(found.order_by(exposures.c.started_at)))

    def of_case(self, case_id: CaseId, person_id: PersonId) -> tuple[Exposure, ...]:
        """What a person has looked at in a case."""
        found = select(exposures).where(exposures.c.case_id == case_id, exposures.c.person_id == person_id)
        return tuple(_exposure(row) for row in self._connection.execute(found.order_by(exposures.c.started_at)))

    def totals(self, since: datetime) -> Mapping[PersonId, int]:
        """Milliseconds by person since a time, whatever the level."""
        summed = select(exposures.c.person_id, func.sum(exposures.c.milliseconds).label("milliseconds"))
        rows = self._connection.execute(summed.where(exposures.c.started_at >= since).group_by(exposures.c.person_id))
        return {PersonId(row.person_id): int(row.milliseconds) for row in rows}


def _columns(decision: Decision) -> dict[str, Any]:
    return {
        "case_id": decision.case_id,
        "by": decision.by,
        "at": decision.at,
        "label": decision.choice.label,
        "choice": asdict(decision.choice),
        "state": decision.state,
        "seen": list(decision.seen),
        "second": decision.second,
        "second_at": decision.second_at,
        "second_note": decision.second_note,
        "undone_by": decision.undone_by,
        "undone_at": decision.undone_at,
        "appeal_id": decision.appeal_id,
    }


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        id=DecisionId(row.id),
        case_id=CaseId(row.case_id),
        by=PersonId(row.by),
        at=row.at,
        choice=_choice(row.choice),
        state=DecisionState(row.state),
        seen=tuple(row.seen),
        second=row.second and PersonId(row.second),
        second_at=row.second_at,
        second_note=row.second_note,
        undone_by=row.undone_by and PersonId(row.undone_by),
        undone_at=row.undone_at,
        appeal_id=row.appeal_id and AppealId(row.appeal_id),
    )


def _choice(stored: dict[str, Any]) -> Choice:
    facts = {name: Fact(value=Tri(fact["value"]), says=Says(fact["says"])) for name, fact in stored["facts"].items()}
    return Choice(
        label=Label(stored["label"]),
        verb=stored["verb"] and Verb(stored["verb"]),
        facts=Facts(**facts),
        note=stored["note"],
        irreversible=stored["irreversible"],
        legal_hold=stored["legal_hold"],
        bank=stored["bank"],
        false_positives=tuple(stored["false_positives"]),
    )


def _exposure(row: Row[Any]) -> Exposure:
    return Exposure(
        id=RevealId(row.id),
        person_id=PersonId(row.person_id),
        case_id=CaseId(row.case_id),
        sha256=row.sha256,
        level=Level(row.level),
        severity=row.severity,
        reason=row.reason,
        started_at=row.started_at,
        ended_at=row.ended_at,
        milliseconds=row.milliseconds,
    )
