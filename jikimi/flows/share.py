"""We give back to exchanges what we learn, and nothing that nobody has decided.

1  a case is decided: for every record behind an entry that matched, what the decision says of it is stored in the
   same transaction, with a job that runs when the decision cannot be undone any more
2  a decision is undone, or overturned on appeal: what has not left is withdrawn with it
3  a person proposes signals of a confirmed case as new ones; a second person agrees or not (`propose`)
4  a worker sends what is due to one exchange (`parcel`)
5  what the programme did not take is tried again when a person says so
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from jikimi.model.case import Case
from jikimi.model.decision import Decision
from jikimi.model.errors import Refused
from jikimi.model.exchange import Exchange, Feedback
from jikimi.model.ids import CaseId, JobId, PersonId, ShareId
from jikimi.model.job import SHARE, Job
from jikimi.model.people import Permission, Person, allow
from jikimi.model.share import STANDING, Share, ShareState, again, leaves_at, may_leave, said_by, withdrawn
from jikimi.ports import Kit, Tx

_MOST_ENTRIES = 500
"""Entries of one case that are told of; a common picture can match more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Shares, and how many there are by state. `names` are those of exchanges, `who` those of people by actor."""

    shares: tuple[Share, ...]
    names: Mapping[int, str]
    who: Mapping[str, str]
    counts: Mapping[ShareState, int]


def give_back(kit: Kit, tx: Tx, case: Case, decision: Decision, actor: str) -> None:
    """Step 1, in the transaction that makes a decision final. On appeal, what was told and stands is not told again."""
    standing = {one.what for one in tx.shares.of_case(case.id) if one.state in STANDING}
    said = [one for one in _said(kit, tx, case, decision, actor) if one.what not in standing and tx.shares.add(one)]
    for exchange_id, count in Counter(one.exchange_id for one in said).items():
        run_at = leaves_at(decision, kit.review.undo_window)
        tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=SHARE, key=f"{decision.id}/{exchange_id}", run_at=run_at))
        audit(kit, tx, actor, "share.ordered", case.id, exchange=name_of(tx, exchange_id), shares=count)


def withdraw(kit: Kit, tx: Tx, decision: Decision, actor: str) -> None:
    """Step 2, in the transaction that takes a decision back."""
    mine = [one for one in tx.shares.of_case(decision.case_id) if one.decision_id == decision.id]
    gone = [one for one in mine if drop(kit, tx, one, "decision_undone")]
    for exchange_id, count in Counter(one.exchange_id for one in gone).items():
        audit(kit, tx, actor, "share.withdrawn", decision.case_id, exchange=name_of(tx, exchange_id), shares=count)


def retry(kit: Kit, person: Person, share_id: ShareId) -> Share:
    """Step 5."""
    allow(person, Permission.CONFIRM)
    return send_again(kit, f"person:{person.id}", share_id)


def send_again(kit: Kit, actor: str, share_id: ShareId) -> Share:
    """Step 5 for whoever may by other means."""
    with kit.store.begin() as tx:
        share = again(known(tx, share_id))
        tx.shares.update(share)
        tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=SHARE, key=share.id, run_at=kit.clock()))
        audit(kit, tx, actor, "share.retried", share.case_id, exchange=name_of(tx, share.exchange_id), share=share.id)
    return share


def given(
    kit: Kit, person: Person, *, limit: int = 50, before: ShareId | None = None, state: ShareState | None = None
) -> Given:
    """A page of what is given back, newest first."""
    allow(person, Permission.CONFIRM)
    return tell_given(kit, limit=limit, before=before, state=state)


def tell_given(kit: Kit, *, limit: int = 50, before: ShareId | None = None, state: ShareState | None = None) -> Given:
    """The same for whoever may by other means."""
    with kit.store.read() as tx:
        shares = tx.shares.list(limit=limit, before=before, state=state)
        actors = {actor for one in shares for actor in (one.asked_by, one.approved_by) if actor}
        return Given(
            shares=shares,
            names={one.id: one.name for one in tx.exchanges.all()},
            who={actor: _called(tx, actor) for actor in actors},
            counts=tx.shares.counts(),
        )


def new_share(
    kit: Kit, exchange_id: int, decision: Decision, feedback: Feedback, *, entry: int, record: str, actor: str
) -> Share:
    """Something to be given back: a new signal is only proposed at first."""
    return Share(
        id=ShareId(kit.ids("share")),
        exchange_id=exchange_id,
        feedback=feedback,
        record=record,
        entry_id=entry,
        case_id=decision.case_id,
        decision_id=decision.id,
        asked_by=actor,
        state=ShareState.PROPOSED if feedback is Feedback.NEW_SIGNAL else ShareState.WAITING,
        created_at=kit.clock(),
    )


def open_to(kit: Kit, exchange: Exchange) -> frozenset[Feedback]:
    """What may leave now. A kind that is not installed any more takes nothing, and keeps nobody from deciding."""
    with suppress(Refused):
        return may_leave(exchange, kit.connectors.get(exchange.kind).gives)
    return frozenset()


def drop(kit: Kit, tx: Tx, share: Share, why: str) -> bool:
    """Withdraw a share that has not left; whether it had not."""
    gone = withdrawn(share, why, kit.clock())
    if gone == share:
        return False
    tx.shares.update(gone)
    return True


def known(tx: Tx, share_id: ShareId) -> Share:
    """A share; `Refused` if there is none."""
    share = tx.shares.get(share_id)
    if share is None:
        raise Refused("share_unknown", "There is no such share; `jikimi share list` shows the newest.")
    return share


def name_of(tx: Tx, exchange_id: int) -> str:
    """What an exchange is called."""
    exchange = tx.exchanges.by_id(exchange_id)
    return exchange.name if exchange else ""


def audit(kit: Kit, tx: Tx, actor: str, verb: str, case_id: CaseId, **detail: str | int) -> None:
    """Write down what was done about what a case gives back; values of signals never stand there."""
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=case_id, detail=detail)


def _called(tx: Tx, actor: str) -> str:
    person = tx.people.get(PersonId(actor.removeprefix("person:"))) if actor.startswith("person:") else None
    return person.name if person else actor


def _said(kit: Kit, tx: Tx, case: Case, decision: Decision, actor: str) -> Iterator[Share]:
    """What a decision says of the records behind a case's matches, as far as it may leave."""
    may = {one.id: found for one in tx.exchanges.all() if (found := open_to(kit, one))}
    matched = tx.scans.entries_matched(case.id, _MOST_ENTRIES) if may else {}
    for number, holdings in tx.source_records.of_entries(matched).items() if matched else ():
        said = said_by(decision.choice, number, matched[number])
        for one in holdings:
            for feedback in said:
                if feedback in may.get(one.exchange_id, ()):
                    yield new_share(
                        kit, one.exchange_id, decision, feedback, entry=number, record=one.record, actor=actor
                    )
