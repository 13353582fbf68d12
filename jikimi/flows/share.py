"""We give back to exchanges what we learn, and nothing that nobody has decided.

    1  a case is decided: for every record behind an entry that matched, what the decision says of it is stored in the
       same transaction, with a job that runs when the decision cannot be undone any more
    2  a decision is undone, or overturned on appeal: what has not left is withdrawn with it
    3  a person proposes signals of a confirmed case as new ones; a second person agrees to each, or does not
    4  a worker sends what is due to one exchange, outside of any transaction; what may not leave by now is withdrawn
    5  the outcome is stored; without one, or with one that asks for patience, the job is put back; after the last try,
       or a refusal, a person can try again

A worker that dies between 4 and 5 leaves a job whose lease runs out: the programme gets the same a second time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from jikimi.model.bank import Bank
from jikimi.model.case import Case
from jikimi.model.decision import Decision, DecisionState, is_harm, latest_final
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import Exchange, Feedback
from jikimi.model.ids import CaseId, DecisionId, JobId, ShareId
from jikimi.model.job import SHARE, Job, is_last_try
from jikimi.model.people import NO_HARM, Permission, Person, allow
from jikimi.model.share import (
    STANDING,
    Share,
    ShareState,
    again,
    approved,
    failed,
    is_kin,
    leaves_at,
    may_leave,
    refused,
    said_by,
    sent,
    withdrawn,
)
from jikimi.model.signal import Signal
from jikimi.ports import Kit, Tx
from jikimi.ports.exchanges import Connector, Opined

_MOST_ENTRIES = 500
"""Entries of one case that are told of; a common picture can match more."""
_TO_GIVE = ("sha256", "pdq")
"""Types of signals that are given as new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Shares with the names of their exchanges, and how many there are by state."""

    shares: tuple[Share, ...]
    names: Mapping[int, str]
    counts: Mapping[ShareState, int]


def give_back(kit: Kit, tx: Tx, case: Case, decision: Decision, actor: str) -> None:
    """Step 1, in the transaction that makes a decision final."""
    standing = {one.what for one in tx.shares.of_case(case.id) if one.state in STANDING}
    stored = [
        one
        for one in _said(kit, tx, case, decision, actor)
        if one.what not in standing and tx.shares.add(one)
    ]
    for exchange_id, count in Counter(one.exchange_id for one in stored).items():
        run_at = leaves_at(decision, kit.review.undo_window)
        tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=SHARE, key=f"{decision.id}/{exchange_id}", run_at=run_at))
        _audit(kit, tx, actor, "share.ordered", case.id, exchange=_name(tx, exchange_id), shares=count)


def withdraw(kit: Kit, tx: Tx, decision: Decision, actor: str) -> None:
    """Step 2, in the transaction that takes a decision back."""
    mine = [one for one in tx.shares.of_case(decision.case_id) if one.decision_id == decision.id]
    gone = [one for one in mine if _withdraw(kit, tx, one, "decision_undone")]
    for exchange_id, count in Counter(one.exchange_id for one in gone).items():
        _audit(kit, tx, actor, "share.withdrawn", decision.case_id, exchange=_name(tx, exchange_id), shares=count)


def propose(kit: Kit, person: Person, case_id: CaseId, exchange: str) -> tuple[Share, ...]:
    """Step 3 by somebody who may fill banks."""
    allow(person, Permission.BANKS)
    return propose_new(kit, f"person:{person.id}", case_id, exchange)


def propose_new(kit: Kit, actor: str, case_id: CaseId, exchange_name: str) -> tuple[Share, ...]:
    """Step 3 for whoever may by other means: what our own banks hold of a case is proposed to an exchange."""
    with kit.store.begin() as tx:
        exchange, decision = _exchange(tx, exchange_name), _confirmed(tx, case_id)
        _check_open(kit, tx, exchange, decision)
        offered = [_new(kit, exchange.id, decision, Feedback.NEW_SIGNAL, "", number, actor, ShareState.PROPOSED)
                   for number in _own(tx, exchange, case_id)]  # fmt: skip
        shares = tuple(one for one in offered if tx.shares.add(one))
        if not shares:
            raise Refused(
                "nothing_to_share",
                "Nothing of this case can be proposed: it has to be in a bank of ours, and not on that list or "
                "proposed already.",
            )
        _audit(kit, tx, actor, "share.proposed", case_id, exchange=exchange.name, shares=len(shares))
    return shares


def settle(kit: Kit, person: Person, share_id: ShareId, *, agrees: bool) -> Share:
    """Step 3 by the second person."""
    allow(person, Permission.CONFIRM)
    return settle_proposal(kit, f"person:{person.id}", share_id, agrees=agrees)


def settle_proposal(kit: Kit, actor: str, share_id: ShareId, *, agrees: bool) -> Share:
    """Step 3 by the second person, whoever that is."""
    with kit.store.begin() as tx:
        old = _known(tx, share_id)
        decision = _decision(tx, old)
        share = approved(old, actor, decision) if agrees else refused(old, actor, decision, kit.clock())
        tx.shares.update(share)
        if agrees:
            run_at = max(kit.clock(), leaves_at(decision, kit.review.undo_window))
            tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=SHARE, key=share.id, run_at=run_at))
        verb = "share.approved" if agrees else "share.refused"
        _audit(kit, tx, actor, verb, share.case_id, exchange=_name(tx, share.exchange_id), share=share.id)
    return share


def send(kit: Kit, job: Job) -> None:
    """Steps 4 and 5 for what the job's key names; `Unavailable` asks for another try."""
    with kit.store.begin() as tx:
        exchange, parcel = _packed(kit, tx, job.key)
    if exchange is None or not parcel:
        return
    fault = _pushed(kit, exchange, parcel)  # 4
    is_last = fault is not None and (not isinstance(fault, Unavailable) or is_last_try(job))
    with kit.store.begin() as tx:
        _note(kit, tx, exchange, [share for share, _ in parcel], fault, is_last=is_last)  # 5
    if isinstance(fault, Unavailable) and not is_last:
        raise fault


def retry(kit: Kit, actor: str, share_id: ShareId) -> Share:
    """Step 5: try again what has failed."""
    with kit.store.begin() as tx:
        share = again(_known(tx, share_id))
        tx.shares.update(share)
        tx.jobs.drop(SHARE, share.id, kit.clock())
        tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=SHARE, key=share.id, run_at=kit.clock()))
        _audit(kit, tx, actor, "share.retried", share.case_id, exchange=_name(tx, share.exchange_id), share=share.id)
    return share


def given(
    kit: Kit, person: Person, *, limit: int = 50, before: ShareId | None = None, state: ShareState | None = None
) -> Given:
    """A page of what is given back, newest first."""
    allow(person, Permission.CONFIRM)
    return tell_given(kit, limit=limit, before=before, state=state)


def tell_given(
    kit: Kit, *, limit: int = 50, before: ShareId | None = None, state: ShareState | None = None
) -> Given:
    """The same for whoever may by other means."""
    with kit.store.read() as tx:
        return Given(
            shares=tx.shares.list(limit=limit, before=before, state=state),
            names={one.id: one.name for one in tx.exchanges.all()},
            counts=tx.shares.counts(),
        )


def _said(kit: Kit, tx: Tx, case: Case, decision: Decision, actor: str) -> Iterator[Share]:
    """What a decision says of the records behind a case's matches, as far as it may leave."""
    matched = tx.scans.entries_matched(case.id, _MOST_ENTRIES)
    open_to = {one.id: _may_leave(kit, one) for one in tx.exchanges.all()} if matched else {}
    if not any(open_to.values()):
        return
    for number, holdings in tx.source_records.of_entries(matched).items():
        said = said_by(decision.choice, number, matched[number])
        for holding in holdings:
            for feedback in said:
                if feedback in open_to.get(holding.exchange_id, ()):
                    yield _new(
                        kit, holding.exchange_id, decision, feedback, holding.record, number, actor, ShareState.WAITING
                    )


def _packed(kit: Kit, tx: Tx, key: str) -> tuple[Exchange | None, list[tuple[Share, Opined]]]:
    """What is due by a job's key, made ready to be sent; what may not leave any more is withdrawn."""
    due = [one for one in _due(tx, key) if one.state is ShareState.WAITING]
    exchange = tx.exchanges.by_id(due[0].exchange_id) if due else None
    may = _may_leave(kit, exchange) if exchange else frozenset[Feedback]()
    parcel = []
    for share in due:
        opined = _opined(tx, share) if share.feedback in may else None
        if opined is not None:
            parcel.append((share, opined))
        elif _withdraw(kit, tx, share, "record_gone" if share.feedback in may else "not_allowed"):
            _audit(kit, tx, "jikimi", "share.withdrawn", share.case_id, share=share.id)
    return exchange, parcel


def _due(tx: Tx, key: str) -> Sequence[Share]:
    decision_id, slash, exchange_id = key.partition("/")
    if not slash:
        share = tx.shares.get(ShareId(key))
        return [share] if share else []
    decision = tx.decisions.get(DecisionId(decision_id))
    of_case = tx.shares.of_case(decision.case_id) if decision else ()
    return [
        one
        for one in of_case
        if (one.decision_id, str(one.exchange_id)) == (decision_id, exchange_id)
        and one.feedback is not Feedback.NEW_SIGNAL
    ]


def _opined(tx: Tx, share: Share) -> Opined | None:
    """What the connector gets; none if the entry was erased or the programme has taken its record back."""
    entry = tx.entries.get(share.entry_id)
    if entry is None:
        return None
    if share.feedback is Feedback.NEW_SIGNAL:
        decision = tx.decisions.get(share.decision_id)
        labels = (decision.choice.label.value,) if decision else ()
        return None if entry.withdrawn_at else Opined(feedback=share.feedback, record="", signal=entry.signal, labels=labels)
    holdings = tx.source_records.of_entries([share.entry_id]).get(share.entry_id, ())
    said = next((one for one in holdings if (one.exchange_id, one.record) == (share.exchange_id, share.record)), None)
    if said is None:
        return None
    return Opined(feedback=share.feedback, record=share.record, signal=entry.signal, detail=said.detail)


def _pushed(kit: Kit, exchange: Exchange, parcel: Sequence[tuple[Share, Opined]]) -> Exception | None:
    """Give it to the programme; what went wrong, if anything did."""
    try:
        _connector(kit, exchange).push([opined for _, opined in parcel])
    except Exception as error:  # noqa: BLE001 - a connector may be anybody's: whatever happens in it is kept with the share
        return error
    return None


def _note(
    kit: Kit, tx: Tx, exchange: Exchange, shares: Sequence[Share], fault: Exception | None, *, is_last: bool
) -> None:
    now, code = kit.clock(), fault.code if isinstance(fault, JikimiError) else type(fault).__name__
    for share in shares:
        tx.shares.update(sent(share, now) if fault is None else failed(share, code, now, is_last=is_last))
    if fault is not None and not is_last:
        return
    by_case = Counter((one.case_id, one.feedback.value) for one in shares)
    for (case_id, feedback), count in by_case.items():
        verb = "share.sent" if fault is None else "share.failed"
        _audit(kit, tx, "jikimi", verb, case_id, exchange=exchange.name, feedback=feedback, shares=count)
    if fault is not None:
        kit.tally.note("share_failed")
        kit.log.error("share_failed", exchange=exchange.name, code=code, shares=len(shares))


def _connector(kit: Kit, exchange: Exchange) -> Connector:
    with kit.store.read() as tx:
        sealed = [tx.exchanges.secrets(scope) for scope in (f"kind:{exchange.kind}", f"exchange:{exchange.id}")]
    settings: dict[str, object] = dict(exchange.settings)
    for one in filter(None, sealed):
        settings |= json.loads(kit.safe.open(one))
    return kit.connectors.connect(exchange.kind, settings)


def _may_leave(kit: Kit, exchange: Exchange) -> frozenset[Feedback]:
    """An exchange of a kind that is not installed any more takes nothing, and keeps nobody from deciding."""
    with suppress(Refused):
        return may_leave(exchange, kit.connectors.get(exchange.kind).gives)
    return frozenset()


def _new(
    kit: Kit,
    exchange_id: int,
    decision: Decision,
    feedback: Feedback,
    record: str,
    entry_id: int,
    actor: str,
    state: ShareState,
) -> Share:
    return Share(
        id=ShareId(kit.ids("share")),
        exchange_id=exchange_id,
        feedback=feedback,
        record=record,
        entry_id=entry_id,
        case_id=decision.case_id,
        decision_id=decision.id,
        asked_by=actor,
        state=state,
        created_at=kit.clock(),
    )


def _withdraw(kit: Kit, tx: Tx, share: Share, why: str) -> bool:
    gone = withdrawn(share, why, kit.clock())
    if gone == share:
        return False
    tx.shares.update(gone)
    return True


def _own(tx: Tx, exchange: Exchange, case_id: CaseId) -> Iterator[int]:
    """Entries of our own with what a case is about, that the exchange does not say itself."""
    banks = [bank for bank in tx.banks.all() if bank.policy.category not in NO_HARM]
    for signal in _signals(tx, case_id):
        found = [entry.id for entry in (tx.entries.find(bank, signal) for bank in banks) if entry and not entry.withdrawn_at]
        holdings = tx.source_records.of_entries(found)
        known = {one.exchange_id for one in (holding for held in holdings.values() for holding in held)}
        if found and exchange.id not in known:
            yield min(found)


def _signals(tx: Tx, case_id: CaseId) -> Sequence[Signal]:
    case = tx.cases.get(case_id)
    scans = [tx.scans.of_content(case_id, sha256) for sha256 in case.contents] if case else []
    found = [signal for scan in scans if scan for signal in scan.signals if signal.type in _TO_GIVE]
    return list({(signal.type, signal.value): signal for signal in found}.values())


def _check_open(kit: Kit, tx: Tx, exchange: Exchange, decision: Decision) -> None:
    if Feedback.NEW_SIGNAL not in _may_leave(kit, exchange):
        raise Refused(
            "share_not_allowed", f"{exchange.name} is not given new signals: its settings and its kind have to allow it."
        )
    bank = _bank(tx, exchange)
    if bank is None or not is_kin(decision.choice.label, bank.policy.category):
        raise Refused("share_other_harm", f"{exchange.name} is about another harm than this case.")


def _confirmed(tx: Tx, case_id: CaseId) -> Decision:
    decision = latest_final(tx.decisions.of_case(case_id))
    if decision is None or not is_harm(decision.choice.label):
        raise Refused("share_needs_decision", "Only what a person has confirmed is given; decide the case first.")
    return decision


def _bank(tx: Tx, exchange: Exchange) -> Bank | None:
    return next((bank for bank in tx.banks.all() if bank.id == exchange.bank_id), None)


def _exchange(tx: Tx, name: str) -> Exchange:
    exchange = tx.exchanges.get(name)
    if exchange is None:
        raise Refused("exchange_unknown", f"There is no exchange {name[:40]!r}; `jikimi exchange list` shows them.")
    return exchange


def _name(tx: Tx, exchange_id: int) -> str:
    exchange = tx.exchanges.by_id(exchange_id)
    return exchange.name if exchange else ""


def _decision(tx: Tx, share: Share) -> Decision:
    decision = tx.decisions.get(share.decision_id)
    if decision is None or decision.state is not DecisionState.FINAL:
        raise Refused("share_settled", "The decision that this rests on does not hold any more.")
    return decision


def _known(tx: Tx, share_id: ShareId) -> Share:
    share = tx.shares.get(share_id)
    if share is None:
        raise Refused("share_unknown", "There is no such share; `jikimi share list` shows the newest.")
    return share


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, case_id: CaseId, **detail: str | int) -> None:
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=case_id, detail=detail)
