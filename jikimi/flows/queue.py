"""A case is found, taken, kept, given back or handed on.

1  the queue: what waits for people, gravest first, without pictures; who works on what is seen
2  a person takes a case for a while, and nobody else can decide it meanwhile
3  the page asks for more time as long as it is open
4  a case is skipped or handed over, and nobody asks why; a skipped one stays away from that person for a day, or
   until somebody else takes it up
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from jikimi.flows.decide import audit, known_case
from jikimi.model.case import Case, CaseState, holder, released, taken
from jikimi.model.decision import DecisionState, check_appeal, check_second
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, PersonId
from jikimi.model.people import Permission, Person, allow
from jikimi.model.queue import Eyes, Filter, Summary
from jikimi.ports import Kit, Tx

_TRIED = 50
"""Cases looked through at once for one that is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One case in the queue, without its contents and accounts. `assignee_name` is empty while nobody has it."""

    case: Case
    bank: str
    distance: int | None
    uploads: int
    contents: int
    assignee_name: str
    is_mine: bool
    is_due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """A page of the queue, how many cases it has in all, and after which to ask for more (none at its end)."""

    rows: tuple[QueueRow, ...]
    waiting: int
    next_after: CaseId | None


def queue(kit: Kit, person: Person, wanted: Filter, *, limit: int = 50, after: CaseId | None = None) -> QueuePage:
    """Step 1."""
    allow(person, Permission.QUEUE)
    eyes = _eyes(kit, person)
    with kit.store.read() as tx:
        cases = tx.cases.queue(wanted, eyes, limit=limit, after=after)
        waiting = tx.cases.count(wanted, eyes)
        said = tx.scans.summaries([case.id for case in cases])
        names = names_of(tx, {case.assignee for case in cases})
    rows = tuple(_row(case, said.get(case.id, Summary()), names, eyes) for case in cases)
    return QueuePage(rows=rows, waiting=waiting, next_after=cases[-1].id if len(cases) == limit else None)


def take(kit: Kit, person: Person, case_id: CaseId) -> Case:
    """Step 2: one case; `Refused` names who has it."""
    allow(person, Permission.REVIEW)
    with kit.store.begin() as tx:
        return _take(kit, tx, person, known_case(tx, case_id))


def take_next(kit: Kit, person: Person, wanted: Filter) -> Case | None:
    """Step 2: the first case of the queue that waits for a decision and that this person can take."""
    allow(person, Permission.REVIEW)
    with kit.store.begin() as tx:
        for case in _waiting(tx, wanted, _eyes(kit, person)):
            if holder(case, kit.clock()) in (None, person.id) and case.state is not CaseState.PROPOSED:
                try:
                    return _take(kit, tx, person, known_case(tx, case.id))
                except Refused:  # an appeal against what this person decided: the next one then
                    continue
    return None


def extend(kit: Kit, person: Person, case_id: CaseId) -> Case:
    """Step 3: `Refused` if the time is over already; it is taken anew then."""
    allow(person, Permission.REVIEW)
    with kit.store.begin() as tx:
        case = known_case(tx, case_id)
        released(case, person.id, kit.clock())
        case = taken(case, person.id, kit.clock(), kit.review.lease)
        tx.cases.keep(case)
    return case


def skip(kit: Kit, person: Person, case_id: CaseId) -> None:
    """Step 4: put a case aside, whether it was taken or only seen in the queue."""
    allow(person, Permission.REVIEW)
    with kit.store.begin() as tx:
        case = known_case(tx, case_id)
        tx.skips.add(case.id, person.id, kit.clock())
        if holder(case, kit.clock()) == person.id:
            tx.cases.keep(released(case, person.id, kit.clock()))
        audit(kit, tx, person, "case.skipped", case.id)


def hand_over(kit: Kit, person: Person, case_id: CaseId, to: PersonId | None) -> Case:
    """Step 4: give a case that one has to somebody, or back to everybody."""
    allow(person, Permission.REVIEW)
    with kit.store.begin() as tx:
        case = released(known_case(tx, case_id), person.id, kit.clock())
        other = None if to is None else tx.people.get(to)
        if to is not None:
            if other is None or not _may_have(tx, other, case):
                raise Refused("person_cannot_take", "This person cannot take this case; choose somebody else.")
            case = taken(case, other.id, kit.clock(), kit.review.lease)
        tx.cases.keep(case)
        audit(kit, tx, person, "case.handed_over", case.id, to=other.id if other else "")
    return case


def names_of(tx: Tx, people: Collection[PersonId | None]) -> dict[PersonId, str]:
    """What colleagues are called."""
    found = (tx.people.get(person_id) for person_id in people if person_id is not None)
    return {person.id: person.name for person in found if person is not None}


def _take(kit: Kit, tx: Tx, person: Person, case: Case) -> Case:
    now = kit.clock()
    if case.kind in person.opt_outs:
        raise Refused("opted_out", "You have opted out of this kind of harm; leave this case to somebody else.")
    _check_part(tx, person, case)
    held_by = holder(case, now)
    names = names_of(tx, [held_by])
    new = taken(case, person.id, now, kit.review.lease, held_by=names.get(held_by, "") if held_by else "")
    tx.cases.keep(new)
    if held_by is None:
        tx.skips.forget(case.id)
        audit(kit, tx, person, "case.taken", case.id)
    return new


def _may_have(tx: Tx, person: Person, case: Case) -> bool:
    if Permission.REVIEW not in person.permissions or case.kind in person.opt_outs:
        return False
    try:
        _check_part(tx, person, case)
    except Refused:
        return False
    return True


def _check_part(tx: Tx, person: Person, case: Case) -> None:
    """Refuse who could not end what the case waits for: they would only keep it from those who can."""
    if case.state is CaseState.APPEALED:
        check_appeal(tx.decisions.of_case(case.id), person.id)
    if case.state is CaseState.PROPOSED:
        allow(person, Permission.CONFIRM)
        earlier = tx.decisions.of_case(case.id)
        for proposed in (one for one in earlier if one.state is DecisionState.PROPOSED):
            check_second(proposed, earlier, person.id)


def _waiting(tx: Tx, wanted: Filter, eyes: Eyes) -> Iterator[Case]:
    after = None
    while page := tx.cases.queue(wanted, eyes, limit=_TRIED, after=after):
        yield from page
        after = page[-1].id


def _eyes(kit: Kit, person: Person) -> Eyes:
    return Eyes(person_id=person.id, now=kit.clock(), hidden=person.opt_outs)


def _row(case: Case, said: Summary, names: Mapping[PersonId, str], eyes: Eyes) -> QueueRow:
    held_by = holder(case, eyes.now)
    return QueueRow(
        case=case if held_by else replace(case, assignee=None, lease_until=None),
        bank=said.bank,
        distance=said.distance,
        uploads=said.uploads,
        contents=said.contents,
        assignee_name=names.get(held_by, "") if held_by else "",
        is_mine=held_by == eyes.person_id,
        is_due=is_due(case, eyes.now),
    )


def is_due(case: Case, now: datetime) -> bool:
    """Tell whether the operator's target has passed."""
    return case.target_at is not None and now >= case.target_at
