"""What follows from a final decision, and how that is taken back. All of it in the transaction that decides.

    1  the platform is told to act
    2  what the case is about goes into a bank
    3  bank entries that are false positives are withdrawn
    4  what is kept of the case comes under legal hold
    5  exchanges whose records matched are told, later, what was found

A decision remembers which entries it really added and withdrew; taking it back touches those and no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from jikimi.flows.bank import named
from jikimi.flows.enforce import order, take_back, targets_of
from jikimi.flows.evidence import hold, release
from jikimi.flows.share import give_back, withdraw
from jikimi.model.bank import Bank, NewEntry, check_entry
from jikimi.model.case import Case
from jikimi.model.decision import Decision
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.signal import Signal
from jikimi.ports import Kit, Tx

_INTO_BANKS = ("sha256", "pdq")
"""Types of signals that a case gives to a bank: the file, and what it looks like."""


def carry_out(kit: Kit, tx: Tx, case: Case, decision: Decision, actor: PersonId, *, is_ordered: bool) -> Decision:
    """Do what was decided; returns the decision with what it did. `is_ordered`: the platform was told before."""
    choice = decision.choice
    if choice.verb is not None and not is_ordered:  # 1
        reasons = [choice.label.value, *(["irreversible"] if choice.irreversible else [])]
        targets = targets_of(tx, case)
        order(kit, tx, case=case, decision=decision, verb=choice.verb, targets=targets, reasons=reasons)
    added = _add(kit, tx, case, named(tx, choice.bank), actor) if choice.bank else ()  # 2
    withdrawn = tuple(number for number in choice.false_positives if _withdraw(kit, tx, number, case, actor))  # 3
    if choice.legal_hold and not hold(kit, tx, case.contents, case.id, actor=f"person:{actor}"):  # 4
        raise Refused("nothing_to_hold", "No bytes of this case are kept; decide without the legal hold.")
    give_back(kit, tx, case, decision, f"person:{actor}")  # 5
    return replace(decision, added=(*decision.added, *added), withdrawn=(*decision.withdrawn, *withdrawn))


def reverse(kit: Kit, tx: Tx, case: Case, decision: Decision, actor: PersonId, *, lifts_hold: bool) -> None:
    """Take back what a decision did, last things first. A legal hold stays unless whoever acts may lift it."""
    withdraw(kit, tx, decision, f"person:{actor}")  # 5
    if decision.choice.legal_hold and lifts_hold:  # 4
        release(kit, tx, case.contents, case.id, actor=f"person:{actor}")
    for number in decision.withdrawn:  # 3
        _bring_back(kit, tx, number, case, actor)
    for number in decision.added:  # 2
        _withdraw(kit, tx, number, case, actor)
    take_back(kit, tx, decision)  # 1


def check_named(tx: Tx, case: Case, decision: Decision) -> None:
    """Refuse a decision about a bank or an entry that the case has nothing to do with."""
    choice = decision.choice
    if choice.bank:
        named(tx, choice.bank)
    for number in choice.false_positives:
        if not tx.scans.has_matched(case.id, number):
            raise Refused("entry_unknown", f"Entry {number} matched nothing in this case; choose one that is listed.")


def _add(kit: Kit, tx: Tx, case: Case, bank: Bank, actor: PersonId) -> tuple[int, ...]:
    """Add what a case is about to a bank: the numbers of the entries that did not count there before."""
    offered = [NewEntry(signal=signal, note=f"case {case.id}") for signal in _signals(tx, case)]
    usable = [entry for entry in offered if _is_usable(bank, entry)]
    if not usable:
        raise Refused("nothing_to_add", f"Nothing in this case can go into {bank.policy.name}; choose another bank.")
    stored = [tx.entries.find(bank, entry.signal) for entry in usable]
    there = {entry.id for entry in stored if entry is not None and entry.withdrawn_at is None}
    added = tx.entries.add(bank, usable, kit.clock(), bring_back=True)
    _audit(kit, tx, "bank.added", bank, case, actor, added=added.added, present=added.present)
    now_there = [tx.entries.find(bank, entry.signal) for entry in usable]
    return tuple(entry.id for entry in now_there if entry is not None and entry.id not in there)


def _withdraw(kit: Kit, tx: Tx, number: int, case: Case, actor: PersonId) -> bool:
    """Withdraw an entry; whether it still counted."""
    entry = tx.entries.live([number], kit.clock()).get(number)
    bank = _bank(tx, entry.bank_id) if entry else None
    if entry is None or bank is None:
        return False
    tx.entries.withdraw(bank, entry.signal, kit.clock())
    _audit(kit, tx, "bank.withdrawn", bank, case, actor, entry=number)
    return True


def _bring_back(kit: Kit, tx: Tx, number: int, case: Case, actor: PersonId) -> None:
    entry = tx.entries.get(number)
    bank = _bank(tx, entry.bank_id) if entry else None
    if entry is None or bank is None or entry.withdrawn_at is None:
        return
    tx.entries.add(bank, [NewEntry(signal=entry.signal, note=entry.note)], kit.clock(), bring_back=True)
    _audit(kit, tx, "bank.brought_back", bank, case, actor, entry=number)


def _signals(tx: Tx, case: Case) -> Iterable[Signal]:
    scans = filter(None, (tx.scans.of_content(case.id, sha256) for sha256 in case.contents))
    found = [signal for scan in scans for signal in scan.signals if signal.type in _INTO_BANKS]
    return {(signal.type, signal.value): signal for signal in found}.values()


def _is_usable(bank: Bank, entry: NewEntry) -> bool:
    with suppress(Refused):
        check_entry(bank.policy, entry)
        return True
    return False


def _bank(tx: Tx, bank_id: int) -> Bank | None:
    return next((bank for bank in tx.banks.all() if bank.id == bank_id), None)


def _audit(kit: Kit, tx: Tx, verb: str, bank: Bank, case: Case, actor: PersonId, **detail: int) -> None:
    named_ = f"bank:{bank.policy.name}"
    tx.audit.append(
        at=kit.clock(), actor=f"person:{actor}", verb=verb, object_=named_, detail={"case": case.id, **detail}
    )
