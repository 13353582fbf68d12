"""Decisions, notes, who skipped what, and the ledger of what reviewers were exposed to."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from jikimi.db.schema import decisions, exposures, notes, skips
from jikimi.model.action import Verb
from jikimi.model.case import Note
from jikimi.model.decision import Choice, Decision, DecisionState, Fact, Facts, Label, Says, Tri
from jikimi.model.exposure import Exposure, Level
from jikimi.model.ids import AppealId, CaseId, DecisionId, NoteId, PersonId, RevealId


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

    def update(self, exposure: Exposure) -> None:
        """Store how far a look has come; one that has ended stays as it is."""
        still_open = update(exposures).where(exposures.c.id == exposure.id, exposures.c.ended_at.is_(None))
        names = ("shown_at", "ended_at", "milliseconds")
        self._connection.execute(still_open.values({name: getattr(exposure, name) for name in names}))

    def open_since(self, before: datetime) -> tuple[Exposure, ...]:
        """Looks that began before a time and have not ended."""
        found = select(exposures).where(exposures.c.ended_at.is_(None), exposures.c.started_at < before)
        return tuple(_exposure(row) for row in self._connection.execute(found.order_by(exposures.c.started_at)))

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

    def since(self, since: datetime) -> tuple[Exposure, ...]:
        """What everybody has looked at since a time."""
        found = select(exposures).where(exposures.c.started_at >= since).order_by(exposures.c.started_at)
        return tuple(_exposure(row) for row in self._connection.execute(found))


class SqlNotes:
    """Notes in the database: added and read, never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, note: Note) -> None:
        """Store a new note."""
        self._connection.execute(insert(notes).values(asdict(note)))

    def of_case(self, case_id: CaseId) -> tuple[Note, ...]:
        """The notes of a case, oldest first."""
        found = select(notes).where(notes.c.case_id == case_id).order_by(notes.c.at, notes.c.id)
        return tuple(
            Note(id=NoteId(row.id), case_id=case_id, by=PersonId(row.by), at=row.at, text=row.text)
            for row in self._connection.execute(found)
        )


class SqlSkips:
    """Who does not want to be given which case."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, case_id: CaseId, person_id: PersonId, at: datetime) -> None:
        """Remember that a person skipped a case, now."""
        self._connection.execute(delete(skips).where(skips.c.case_id == case_id, skips.c.person_id == person_id))
        self._connection.execute(insert(skips).values(case_id=case_id, person_id=person_id, at=at))

    def forget(self, case_id: CaseId) -> None:
        """Somebody has taken it up: it may come back to everybody."""
        self._connection.execute(delete(skips).where(skips.c.case_id == case_id))


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
        "added": list(decision.added),
        "withdrawn": list(decision.withdrawn),
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
        added=tuple(row.added),
        withdrawn=tuple(row.withdrawn),
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
        shown_at=row.shown_at,
        ended_at=row.ended_at,
        milliseconds=row.milliseconds,
    )
