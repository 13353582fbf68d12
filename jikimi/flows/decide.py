"""A case is decided: by one person, or by two where the operator's rules want two.

    1  who decides holds the case by a live lease, and has seen it as it is now
    2  the choice does not contradict itself, and names what the case knows
    3  on appeal, nobody who took part before decides again
    4  a second person has to agree: the decision is proposed, and nothing else happens yet
    5  nobody has to, or the second person agrees: the decision is final, what stood before is replaced, what follows
       from it happens in the same transaction, and an appeal is settled
    6  the second person does not agree: the case waits again, for the same question
    7  within a window a final decision is undone: what it did is taken back, and the case is open again

Two tabs, a stale page, a button pressed twice: the second of two finds another version of the case, and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from jikimi.flows.appeal import open_appeal, settle
from jikimi.flows.consequence import carry_out, check_named, reverse
from jikimi.flows.index import follow
from jikimi.model.action import UNDONE_BY, Verb
from jikimi.model.appeal import AppealState
from jikimi.model.case import Case, CaseState, Move, Note, check_hold, holder, moved, taken
from jikimi.model.decision import (
    Choice,
    Decision,
    DecisionState,
    as_it_is,
    asks_second,
    check_appeal,
    check_choice,
    check_note,
    check_second,
    confirmed,
    declined,
    latest_final,
    needs,
    undone,
)
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, DecisionId, NoteId
from jikimi.model.people import Permission, Person, allow
from jikimi.ports import Kit, Tx

MAX_BULK = 100
"""Cases that one choice decides at once."""


def decide(kit: Kit, person: Person, case_id: CaseId, choice: Choice, *, version: int) -> Decision:
    """Steps 1 to 5: decide a case that this person holds, as it was in this version."""
    allow(person, Permission.REVIEW)
    check_choice(choice)
    with kit.store.begin() as tx:
        case = known_case(tx, case_id)
        check_hold(case, person.id, version, kit.clock())  # 1
        decision = _decide(kit, tx, person, case, choice)
    follow(kit)
    return decision


def decide_same(
    kit: Kit, person: Person, case_ids: Sequence[CaseId], choice: Choice, *, version: int
) -> tuple[Decision, ...]:
    """Decide several cases with the very same contents by one choice; all of them, or none.

    The first is the one that this person holds and has seen in this version; the others nobody else may hold.
    """
    allow(person, Permission.REVIEW)
    check_choice(choice)
    with kit.store.begin() as tx:
        cases = [known_case(tx, case_id) for case_id in dict.fromkeys(case_ids)]
        _check_same(cases)
        check_hold(cases[0], person.id, version, kit.clock())  # 1
        decisions = [_decide(kit, tx, person, _free(kit, case, person), choice) for case in cases]
    follow(kit)
    return tuple(decisions)


def confirm(kit: Kit, person: Person, decision_id: DecisionId, *, note: str = "") -> Decision:
    """Step 5 by the second person."""
    allow(person, Permission.CONFIRM)
    check_note(note)
    now = kit.clock()
    with kit.store.begin() as tx:
        decision, case = _proposed(tx, person, decision_id, now)
        first = tx.people.get(decision.by)
        _check_permissions(decision.choice, *filter(None, (first, person)))
        decision = confirmed(decision, person.id, note, now)
        decision = _finish(kit, tx, person, case, decision, Move.CONFIRM, is_new=False)
    follow(kit)
    return decision


def decline(kit: Kit, person: Person, decision_id: DecisionId, note: str) -> Decision:
    """Step 6: the second person does not agree, and says why."""
    allow(person, Permission.CONFIRM)
    check_note(note)
    now = kit.clock()
    with kit.store.begin() as tx:
        decision, case = _proposed(tx, person, decision_id, now)
        decision = declined(decision, person.id, note, now)
        tx.decisions.update(decision)
        tx.cases.update(moved(case, Move.DECLINE, now, to_appeal=decision.appeal_id is not None))
        audit(kit, tx, person, "decision.declined", case.id, decision=decision.id)
    return decision


def undo(kit: Kit, person: Person, decision_id: DecisionId, note: str) -> Decision:
    """Step 7: by who made the decision or confirmed it, or by somebody who may confirm."""
    allow(person, Permission.REVIEW)
    check_note(note)
    now, may_confirm = kit.clock(), Permission.CONFIRM in person.permissions
    with kit.store.begin() as tx:
        decision = _known(tx, decision_id)
        case = known_case(tx, decision.case_id)
        decision = undone(decision, person.id, now, kit.review.undo_window, is_lead=may_confirm)
        tx.cases.update(moved(case, Move.UNDO, now))
        tx.decisions.update(decision)
        reverse(kit, tx, case, decision, person.id, lifts_hold=Permission.HOLD in person.permissions)
        if note.strip():
            tx.notes.add(Note(id=NoteId(kit.ids("note")), case_id=case.id, by=person.id, at=now, text=note))
        audit(kit, tx, person, "decision.undone", case.id, decision=decision.id)
    follow(kit)
    return decision


def known_case(tx: Tx, case_id: CaseId) -> Case:
    """A case with all its links; `Refused` if there is none."""
    case = tx.cases.get(case_id)
    if case is None:
        raise Refused("case_unknown", f"There is no case {str(case_id)[:40]!r}; the queue shows those there are.")
    return case


def audit(kit: Kit, tx: Tx, person: Person, verb: str, case_id: CaseId, **detail: str | int) -> None:
    """Write down what a person did to a case."""
    tx.audit.append(at=kit.clock(), actor=f"person:{person.id}", verb=verb, object_=case_id, detail=detail)


def _decide(kit: Kit, tx: Tx, person: Person, case: Case, choice: Choice) -> Decision:
    now, earlier = kit.clock(), tx.decisions.of_case(case.id)
    appeal = open_appeal(tx, case.id) if case.state is CaseState.APPEALED else None
    if appeal is not None:  # 3
        check_appeal(earlier, person.id)
        choice = as_it_is(choice, latest_final(earlier))
    why = asks_second(choice, kit.review)
    decision = Decision(
        id=DecisionId(kit.ids("decision")),
        case_id=case.id,
        by=person.id,
        at=now,
        choice=choice,
        state=DecisionState.PROPOSED if why else DecisionState.FINAL,
        seen=tuple(dict.fromkeys(look.level.value for look in tx.exposures.of_case(case.id, person.id))),
        appeal_id=appeal.id if appeal else None,
    )
    check_named(tx, case, decision)  # 2
    if not why:
        _check_permissions(choice, person)
        return _finish(kit, tx, person, case, decision, Move.DECIDE, is_new=True)
    tx.decisions.add(decision)  # 4
    tx.cases.update(moved(case, Move.PROPOSE, now))
    audit(
        kit, tx, person, "decision.proposed", case.id,
        decision=decision.id, label=choice.label.value, second=", ".join(sorted(why)),
    )  # fmt: skip
    return decision


def _finish(kit: Kit, tx: Tx, person: Person, case: Case, decision: Decision, move: Move, *, is_new: bool) -> Decision:
    """Step 5. What it replaces goes first: the database lets one decision of a case be final."""
    earlier = tx.decisions.of_case(case.id)
    old = latest_final(earlier)
    if old is not None:
        tx.decisions.update(replace(old, state=DecisionState.REPLACED))
    (tx.decisions.add if is_new else tx.decisions.update)(decision)
    tx.cases.update(moved(case, move, kit.clock()))
    audit(kit, tx, person, f"decision.{'made' if is_new else 'confirmed'}", case.id, **_said(decision))
    is_ordered = _settle(kit, tx, person, case, decision, old, earlier)
    decision = carry_out(kit, tx, case, decision, person.id, is_ordered=is_ordered)
    tx.decisions.update(decision)
    return decision


def _settle(
    kit: Kit, tx: Tx, person: Person, case: Case, decision: Decision, old: Decision | None, earlier: Sequence[Decision]
) -> bool:
    """Settle the appeal, if there is one; whether the platform was told by that what to do."""
    appeal = tx.appeals.get(decision.appeal_id) if decision.appeal_id else None
    if appeal is None or old is None:
        return False
    if settle(kit, tx, appeal, decision).state is AppealState.UPHELD:
        return True
    # What stood may rest on decisions before it, upheld one after the other; each undoes what it ordered itself.
    for one in (*(one for one in earlier if one.state is DecisionState.REPLACED), old):
        reverse(kit, tx, case, replace(one, withdrawn=()), person.id, lifts_hold=True)
    return decision.choice.verb is Verb.RESTORE and old.choice.verb in UNDONE_BY


def _said(decision: Decision) -> dict[str, str]:
    choice = decision.choice
    return {"decision": decision.id, "label": choice.label.value, "action": choice.verb.value if choice.verb else ""}


def _proposed(tx: Tx, person: Person, decision_id: DecisionId, now: datetime) -> tuple[Decision, Case]:
    """A decision that this person may agree to or not, with its case."""
    decision = _known(tx, decision_id)
    case = known_case(tx, decision.case_id)
    check_second(decision, tx.decisions.of_case(case.id), person.id)
    if holder(case, now) not in (None, person.id):
        raise Refused("case_taken", "Somebody else looks at this decision now; take another.")
    return decision, case


def _known(tx: Tx, decision_id: DecisionId) -> Decision:
    decision = tx.decisions.get(decision_id)
    if decision is None:
        raise Refused("decision_unknown", "There is no such decision; the page of its case shows those there are.")
    return decision


def _check_permissions(choice: Choice, *people: Person) -> None:
    """What a choice needs has to be allowed to one of those who make it final."""
    allowed = frozenset[Permission]().union(*(person.permissions for person in people))
    for missing in sorted(needs(choice) - allowed):
        raise Refused(
            "permission_missing", f"Somebody with the permission {missing} has to take part in this decision."
        )


def _check_same(cases: Sequence[Case]) -> None:
    if not 0 < len(cases) <= MAX_BULK:
        raise Refused("bulk_size_invalid", f"Choose 1 to {MAX_BULK} cases.")
    if len({case.contents for case in cases}) != 1 or not cases[0].contents:
        raise Refused("contents_differ", "These cases are not about the very same contents; decide them one by one.")
    if any(case.state is not CaseState.OPEN for case in cases):
        raise Refused("case_moved", "One of these cases is not open any more; look at the queue again.")


def _free(kit: Kit, case: Case, person: Person) -> Case:
    return taken(case, person.id, kit.clock(), kit.review.lease)
