"""A new signal is given to an exchange: one person proposes it, another one agrees.

1  the case is confirmed by a decision that holds, and about the harm that the exchange is about
2  only what a person of ours added to a bank is proposed, and only what the exchange does not say itself: what one
   programme told us is not passed on to another
3  a second person, neither who proposed it nor who decided the case, agrees or does not
4  what was agreed to leaves by its job, but not before the decision cannot be undone any more (`parcel`)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jikimi.flows.exchange import named
from jikimi.flows.share import audit, known, name_of, new_share, open_to
from jikimi.model.decision import Decision, DecisionState, is_harm, latest_final
from jikimi.model.errors import Refused
from jikimi.model.exchange import Exchange, Feedback
from jikimi.model.ids import CaseId, JobId, ShareId
from jikimi.model.job import SHARE, Job
from jikimi.model.people import NO_HARM, Permission, Person, allow
from jikimi.model.share import Share, approved, is_kin, leaves_at, refused
from jikimi.model.signal import Signal
from jikimi.ports import Kit, Tx

_TO_GIVE = ("sha256", "pdq")
"""Types of signals that are given: the file, and what it looks like."""


def propose(kit: Kit, person: Person, case_id: CaseId, exchange: str) -> tuple[Share, ...]:
    """Steps 1 and 2 by somebody who may fill banks."""
    allow(person, Permission.BANKS)
    return propose_new(kit, f"person:{person.id}", case_id, exchange)


def propose_new(kit: Kit, actor: str, case_id: CaseId, exchange_name: str) -> tuple[Share, ...]:
    """Steps 1 and 2 for whoever may by other means."""
    with kit.store.begin() as tx:
        exchange, decision = named(tx, exchange_name), _confirmed(tx, case_id)
        _check_open(kit, tx, exchange, decision)  # 1
        offered = [
            new_share(kit, exchange.id, decision, Feedback.NEW_SIGNAL, entry=number, record="", actor=actor)
            for number in _own(tx, exchange, case_id)  # 2
        ]
        shares = tuple(one for one in offered if tx.shares.add(one))
        if not shares:
            raise Refused(
                "nothing_to_share",
                "Nothing of this case can be proposed: it has to be in a bank of ours, not on that list, and not "
                "proposed before.",
            )
        audit(kit, tx, actor, "share.proposed", case_id, exchange=exchange.name, shares=len(shares))
    return shares


def settle(kit: Kit, person: Person, share_id: ShareId, *, agrees: bool) -> Share:
    """Step 3."""
    allow(person, Permission.CONFIRM)
    return settle_proposal(kit, f"person:{person.id}", share_id, agrees=agrees)


def settle_proposal(kit: Kit, actor: str, share_id: ShareId, *, agrees: bool) -> Share:
    """Step 3 for whoever may by other means."""
    with kit.store.begin() as tx:
        old, now = known(tx, share_id), kit.clock()
        decision = _standing(tx, old)
        share = approved(old, actor, decision) if agrees else refused(old, actor, decision, now)
        tx.shares.update(share)
        if agrees:  # 4
            run_at = max(now, leaves_at(decision, kit.review.undo_window))
            tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=SHARE, key=share.id, run_at=run_at))
        verb = "share.approved" if agrees else "share.refused"
        audit(kit, tx, actor, verb, share.case_id, exchange=name_of(tx, share.exchange_id), share=share.id)
    return share


def takers(kit: Kit) -> tuple[str, ...]:
    """Exchanges that are given new signals, by name."""
    with kit.store.read() as tx:
        return tuple(one.name for one in tx.exchanges.all() if Feedback.NEW_SIGNAL in open_to(kit, one))


def _confirmed(tx: Tx, case_id: CaseId) -> Decision:
    decision = latest_final(tx.decisions.of_case(case_id))
    if decision is None or not is_harm(decision.choice.label):
        raise Refused(
            "share_needs_decision", "Only what a final decision finds to be harm is given; decide the case first."
        )
    return decision


def _standing(tx: Tx, share: Share) -> Decision:
    decision = tx.decisions.get(share.decision_id)
    if decision is None or decision.state is not DecisionState.FINAL:
        raise Refused("share_settled", "The decision that this rests on does not hold any more; look at its case.")
    return decision


def _check_open(kit: Kit, tx: Tx, exchange: Exchange, decision: Decision) -> None:
    if Feedback.NEW_SIGNAL not in open_to(kit, exchange):
        raise Refused(
            "share_not_allowed", f"{exchange.name} is given no new signals: its settings and its kind have to allow it."
        )
    bank = tx.banks.get(exchange.bank)
    if bank is None or not is_kin(decision.choice.label, bank.policy.category):
        raise Refused("share_other_harm", f"{exchange.name} is about another harm; choose another exchange.")


def _own(tx: Tx, exchange: Exchange, case_id: CaseId) -> Iterator[int]:
    """2. An entry of our own for each signal of a case."""
    banks = [bank for bank in tx.banks.all() if bank.policy.category not in NO_HARM]
    for signal in _signals(tx, case_id):
        stored = [entry.id for bank in banks if (entry := tx.entries.find(bank, signal))]
        ours = tx.contents.added_by_hand(stored)
        said_by = {one.exchange_id for held in tx.source_records.of_entries(stored).values() for one in held}
        if ours and exchange.id not in said_by:
            yield min(ours)


def _signals(tx: Tx, case_id: CaseId) -> Sequence[Signal]:
    case = tx.cases.get(case_id)
    scans = [tx.scans.of_content(case_id, sha256) for sha256 in case.contents] if case else []
    found = [signal for scan in scans if scan for signal in scan.signals if signal.type in _TO_GIVE]
    return list({(signal.type, signal.value): signal for signal in found}.values())
