"""Cases, and the links by which an upload finds the case it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from jikimi.db.schema import case_links, cases
from jikimi.model.bank import Category
from jikimi.model.case import Case, CaseState, Origin
from jikimi.model.errors import Broken
from jikimi.model.ids import CaseId, PersonId

_CONTENT, _ACCOUNT = "content", "account"


class SqlCases:
    """Cases in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open_for(self, *, contents: Sequence[str], accounts: Sequence[str]) -> Case | None:
        """The oldest open case that holds one of these contents or accounts."""
        links = or_(
            and_(case_links.c.what == _CONTENT, case_links.c.ref.in_(contents)),
            and_(case_links.c.what == _ACCOUNT, case_links.c.ref.in_(accounts)),
        )
        found = (
            select(cases).join(case_links).where(links, cases.c.state == CaseState.OPEN).order_by(cases.c.id).limit(1)
        )
        return next(iter(self._cases(found)), None)

    def add(self, case: Case) -> None:
        """Store a new case."""
        self._connection.execute(insert(cases).values({"id": case.id, "opened_at": case.opened_at, **_columns(case)}))
        self._connection.execute(insert(case_links), _links(case))

    def update(self, case: Case) -> None:
        """Store a case that has moved on by one version; `Broken` if somebody else has moved it meanwhile."""
        stored = next(iter(self._cases(select(cases).where(cases.c.id == case.id))), None)
        if stored is None or stored.version != case.version - 1:
            raise Broken("case_version", f"Case {case.id} was changed meanwhile.")
        self._connection.execute(update(cases).where(cases.c.id == case.id).values(_columns(case)))
        known = {(link["what"], link["ref"]) for link in _links(stored)}
        new = [link for link in _links(case) if (link["what"], link["ref"]) not in known]
        if new:
            self._connection.execute(insert(case_links), new)

    def get(self, case_id: CaseId) -> Case | None:
        """One case."""
        return next(iter(self._cases(select(cases).where(cases.c.id == case_id))), None)

    def list(self, *, limit: int, before: CaseId | None = None) -> tuple[Case, ...]:
        """The newest cases, newest first; those before one of them."""
        query = select(cases).order_by(cases.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(cases.c.id < before)
        return self._cases(query)

    def assigned_to(self, person_id: PersonId) -> tuple[Case, ...]:
        """The cases that somebody has taken."""
        return self._cases(select(cases).where(cases.c.assignee == person_id).order_by(cases.c.id))

    def _cases(self, query: Any) -> tuple[Case, ...]:
        rows = self._connection.execute(query).all()
        links: dict[str, dict[str, list[str]]] = {row.id: {_CONTENT: [], _ACCOUNT: []} for row in rows}
        of_these = select(case_links).where(case_links.c.case_id.in_(links)).order_by(case_links.c.ref)
        for link in self._connection.execute(of_these) if links else ():
            links[link.case_id][link.what].append(link.ref)
        return tuple(_case(row, links[row.id]) for row in rows)


def _columns(case: Case) -> dict[str, Any]:
    return {
        "kind": case.kind,
        "severity": case.severity,
        "state": case.state,
        "updated_at": case.updated_at,
        "version": case.version,
        "origin": case.origin,
        "assignee": case.assignee,
        "lease_until": case.lease_until,
        "target_at": case.target_at,
    }


def _links(case: Case) -> list[dict[str, str]]:
    return [
        *({"case_id": case.id, "what": _CONTENT, "ref": ref} for ref in case.contents),
        *({"case_id": case.id, "what": _ACCOUNT, "ref": ref} for ref in case.accounts),
    ]


def _case(row: Row[Any], links: dict[str, list[str]]) -> Case:
    return Case(
        id=CaseId(row.id),
        kind=Category(row.kind),
        severity=row.severity,
        state=CaseState(row.state),
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        contents=tuple(links[_CONTENT]),
        accounts=tuple(links[_ACCOUNT]),
        version=row.version,
        origin=Origin(row.origin),
        assignee=row.assignee and PersonId(row.assignee),
        lease_until=row.lease_until,
        target_at=row.target_at,
    )
