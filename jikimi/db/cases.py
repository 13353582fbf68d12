"""Cases, and the links by which an upload finds the case it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Table,
    and_,
    func,
    insert,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from jikimi.db.schema import case_links, cases, skips
from jikimi.db.schema.cases import WAITS
from jikimi.model.bank import Category
from jikimi.model.case import SEVERITY, WAITING, Case, CaseState, Origin
from jikimi.model.errors import Broken
from jikimi.model.ids import CaseId, PersonId
from jikimi.model.queue import Eyes, Filter

_CONTENT, _ACCOUNT = "content", "account"
_REFS_A_QUERY = 500
_SEVERITIES = sorted(set(SEVERITY.values()), reverse=True)


class SqlCases:
    """Cases in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open_for(self, *, contents: Sequence[str], accounts: Sequence[str], now: datetime) -> Case | None:
        """The oldest open case with one of these contents or accounts that is in nobody's hands, without its links.

        Links are found first, by their index: asked for the oldest case at once, a database may walk through all.
        """
        return self._first(self._linked(contents, accounts), [CaseState.OPEN], free_at=now)

    def holding(self, sha256: str) -> Case | None:
        """The case that a content belongs to, without its links: one that waits, else the one decided last."""
        linked = self._linked([sha256], [])
        return self._first(linked, WAITING) or self._first(linked, [CaseState.DECIDED], newest=True)

    def add(self, case: Case) -> None:
        """Store a new case."""
        self._connection.execute(insert(cases).values({"id": case.id, "opened_at": case.opened_at, **_columns(case)}))
        self.link(case)

    def update(self, case: Case) -> None:
        """Store a case that has moved on by one version; `Broken` if somebody else has moved it meanwhile.

        Its links are not looked at: a case may have thousands. New ones are stored by `link`.
        """
        before = update(cases).where(cases.c.id == case.id, cases.c.version == case.version - 1)
        if self._connection.execute(before.values(_columns(case))).rowcount != 1:
            raise Broken("case_version", f"Case {case.id} was changed meanwhile.")

    def keep(self, case: Case) -> None:
        """Store who works on a case, and when it was touched last. The version stays."""
        names = ("updated_at", "assignee", "lease_until", "target_at")
        values = {name: getattr(case, name) for name in names}
        self._connection.execute(update(cases).where(cases.c.id == case.id).values(values))

    def link(self, case: Case) -> int:
        """Store those links that are not there yet; how many contents were new."""
        new = 0
        for link in _links(case):
            store = self._insert(case_links).values(link).on_conflict_do_nothing().returning(case_links.c.what)
            new += self._connection.execute(store).scalar_one_or_none() == _CONTENT
        return new

    def sharing(self, case: Case, limit: int) -> tuple[Case, ...]:
        """Other cases with one of this case's contents, newest first, without their links."""
        linked = self._linked(case.contents[:_REFS_A_QUERY], [])
        found = select(cases).where(cases.c.id.in_(linked), cases.c.id != case.id)
        return self._heads(found.order_by(cases.c.id.desc()).limit(limit))

    def of_account(self, account: str, limit: int) -> tuple[Case, ...]:
        """Cases that an account belongs to, newest first, without their links."""
        found = select(cases).where(cases.c.id.in_(self._linked([], [account])))
        return self._heads(found.order_by(cases.c.id.desc()).limit(limit))

    def some(self, ids: Collection[CaseId]) -> tuple[Case, ...]:
        """These cases, newest first, without their links."""
        return self._heads(select(cases).where(cases.c.id.in_(ids)).order_by(cases.c.id.desc()))

    def queue(self, wanted: Filter, eyes: Eyes, *, limit: int, after: CaseId | None = None) -> tuple[Case, ...]:
        """A page of the queue, gravest first, then by target: without links, which nobody reads there.

        Each severity is asked for by itself, in the order of the index, which knows all that is filtered by.
        """
        last = None if after is None else self.get(after)
        ids: list[str] = []
        for severity in _SEVERITIES if wanted.kind is None else [SEVERITY.get(wanted.kind, 0)]:
            if len(ids) >= limit or (last is not None and severity > last.severity):
                continue
            same = self._wanted(select(cases.c.id), wanted, eyes).where(cases.c.severity == severity)
            if last is not None and severity == last.severity:
                same = same.where(_behind(last))
            in_order = same.order_by(cases.c.target_at, cases.c.id).limit(limit - len(ids))
            ids += self._connection.execute(in_order).scalars()
        found = {case.id: case for case in self._heads(select(cases).where(cases.c.id.in_(ids)))}
        return tuple(found[CaseId(one)] for one in ids)

    def count(self, wanted: Filter, eyes: Eyes) -> int:
        """How many cases the whole queue has."""
        return int(self._connection.execute(self._wanted(select(func.count(cases.c.id)), wanted, eyes)).scalar_one())

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

    def _wanted(self, query: Select[Any], wanted: Filter, eyes: Eyes) -> Select[Any]:
        if wanted.state is not CaseState.DECIDED:
            query = query.where(WAITS)
        if wanted.state is not None:
            query = query.where(cases.c.state == wanted.state)
        for column, value in (
            (cases.c.kind, wanted.kind),
            (cases.c.severity, wanted.severity),
            (cases.c.origin, wanted.origin),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.mine:
            query = query.where(cases.c.assignee == eyes.person_id, cases.c.lease_until > eyes.now)
        if eyes.hidden:
            query = query.where(cases.c.kind.not_in(sorted(eyes.hidden)))
        skipped = select(skips.c.case_id).where(skips.c.person_id == eyes.person_id, skips.c.at > eyes.skipped_since)
        return query.where(cases.c.id.not_in(skipped))

    def _linked(self, contents: Sequence[str], accounts: Sequence[str]) -> CompoundSelect[Any]:
        """The cases of these contents and accounts: two questions, so that each is answered by the index."""
        return union(
            *(
                select(case_links.c.case_id).where(case_links.c.what == what, case_links.c.ref.in_(refs))
                for what, refs in ((_CONTENT, contents), (_ACCOUNT, accounts))
            )
        )

    def _first(
        self,
        linked: CompoundSelect[Any],
        states: Sequence[CaseState],
        *,
        newest: bool = False,
        free_at: datetime | None = None,
    ) -> Case | None:
        ids = list(self._connection.execute(linked).scalars())
        found = select(cases).where(cases.c.id.in_(ids), cases.c.state.in_(states))
        if free_at is not None:
            found = found.where(or_(cases.c.lease_until.is_(None), cases.c.lease_until <= free_at))
        in_order = found.order_by(cases.c.id.desc() if newest else cases.c.id)
        return next(iter(self._heads(in_order.limit(1))), None)

    def _heads(self, query: Select[Any]) -> tuple[Case, ...]:
        return tuple(_case(row, {_CONTENT: [], _ACCOUNT: []}) for row in self._connection.execute(query))

    def _cases(self, query: Select[Any]) -> tuple[Case, ...]:
        rows = self._connection.execute(query).all()
        links: dict[str, dict[str, list[str]]] = {row.id: {_CONTENT: [], _ACCOUNT: []} for row in rows}
        of_these = select(case_links).where(case_links.c.case_id.in_(links)).order_by(case_links.c.ref)
        for link in self._connection.execute(of_these) if links else ():
            links[link.case_id][link.what].append(link.ref)
        return tuple(_case(row, links[row.id]) for row in rows)

    def _insert(self, into: Table) -> Any:
        return (postgresql if self._connection.dialect.name == "postgresql" else sqlite).insert(into)


def _behind(last: Case) -> ColumnElement[bool]:
    """What comes after a case among those of its severity."""
    later = cases.c.id > last.id
    if last.target_at is None:
        return later
    return or_(cases.c.target_at > last.target_at, and_(cases.c.target_at == last.target_at, later))


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
