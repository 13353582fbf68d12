"""Programs written for Hasher-Matcher-Actioner (HMA) keep banks and contents.

1  a bank is made, renamed, asked less often or deleted, as any other bank
2  a content comes: its signals become entries, each stored once however many contents bring it
3  an entry that was there by another way is given a content of its own first, which holds it when the new one goes
4  a content is shown, switched off for a while, or given another note; its entries sleep and wake with it
5  a content goes: entries that no content brings are withdrawn, or left to the list that says them
6  a content that stands for an entry by itself is that entry: to delete it is to withdraw it
7  if a list says the entry and other contents bring it, the list alone is not heard from then on
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jikimi.flows.bank import change_bank, create_bank, delete_bank, named
from jikimi.flows.index import follow
from jikimi.model.bank import Bank, BankEntry, BankPolicy, NewEntry, check_entry, is_bank_name
from jikimi.model.errors import Refused
from jikimi.model.hma import MOST_ID, OFF, OWN, BankContent, HmaRules, NewContent, checked_name, with_ratio
from jikimi.model.signal import Signal
from jikimi.ports import Kit, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownContent:
    """A content with its bank, its signals, and the exchanges that say them with their keys."""

    content: BankContent
    bank: Bank
    signals: tuple[Signal, ...]
    sources: dict[str, tuple[str, ...]]


def banks(kit: Kit) -> tuple[Bank, ...]:
    """All banks by name."""
    with kit.store.read() as tx:
        return tx.banks.all()


def bank(kit: Kit, name: str) -> Bank:
    """One bank."""
    with kit.store.read() as tx:
        return _named(tx, name)


def make_bank(kit: Kit, actor: str, name: str, ratio: float, rules: HmaRules) -> Bank:
    """Step 1: HMA does not say what a bank holds, nor what a match does; the settings do."""
    policy = BankPolicy(name=checked_name(name, "bank"), category=rules.category, on_match=rules.on_match)
    return create_bank(kit, actor, with_ratio(policy, ratio))


def alter_bank(kit: Kit, actor: str, name: str, *, new_name: str | None, ratio: float | None) -> Bank:
    """Step 1: rename a bank, and say how often it is asked."""
    if new_name not in (None, name):
        checked_name(new_name or "", "bank")

    def change(policy: BankPolicy) -> BankPolicy:
        policy = policy if ratio is None else with_ratio(policy, ratio)
        return replace(policy, name=new_name or policy.name)

    _check_bank_name(name)
    return change_bank(kit, actor, name, change)


def drop_bank(kit: Kit, actor: str, name: str) -> None:
    """Step 1: delete a bank. One that is not there is as good as deleted."""
    try:
        _check_bank_name(name)
        delete_bank(kit, actor, name)
    except Refused as error:
        if error.code != "bank_unknown":
            raise


def add_content(kit: Kit, actor: str, bank_name: str, new: NewContent) -> BankContent:
    """Steps 2 and 3. When this returns, it matches."""
    now = kit.clock()
    with kit.store.begin() as tx:
        bank = _named(tx, bank_name)
        entries = [NewEntry(signal=signal) for signal in new.signals]
        for entry in entries:
            check_entry(bank.policy, entry)
        _give_own(kit, tx, bank, new.signals)  # 3
        tx.entries.add(bank, entries, now, bring_back=True)  # 2
        found = [tx.entries.find(bank, signal) for signal in dict.fromkeys(new.signals)]
        content = tx.contents.add(bank, new, list(dict.fromkeys(entry.id for entry in found if entry)), now)
        _audit(kit, tx, actor, "bank.content_added", bank, content)
    follow(kit)
    return content


def show_content(kit: Kit, bank_name: str, content_id: int) -> ShownContent:
    """Step 4."""
    with kit.store.read() as tx:
        bank = _named(tx, bank_name)
        return _shown(tx, bank, _content(tx, bank, content_id))


def alter_content(
    kit: Kit, actor: str, bank_name: str, content_id: int, *, note: str | None, disable_until: int | None
) -> ShownContent:
    """Step 4."""
    with kit.store.begin() as tx:
        bank = _named(tx, bank_name)
        content = _content(tx, bank, content_id)
        if content.id > OWN:
            content = tx.contents.own(_entry_of(tx, bank, content_id), kit.clock())
        content = replace(
            content,
            note=content.note if note is None else note,
            disable_until=content.disable_until if disable_until is None else disable_until,
        )
        tx.contents.change(content)
        _audit(kit, tx, actor, "bank.content_changed", bank, content)
        return _shown(tx, bank, content)


def delete_content(kit: Kit, actor: str, bank_name: str, content_id: int) -> bool:
    """Steps 5 to 7: whether there was such a content in this bank."""
    with kit.store.begin() as tx:
        bank = _named(tx, bank_name)
        try:
            content = _content(tx, bank, content_id)
        except Refused:
            return False
        left, is_own = tx.contents.remove(content), content.id > OWN
        if is_own and not left and tx.contents.sources(content.entry_ids):
            own = tx.contents.own(_entry_of(tx, bank, content.id), kit.clock())
            tx.contents.change(replace(own, disable_until=OFF))  # 7
        for entry in (one for one in map(tx.entries.get, left) if one is not None):
            if not is_own and tx.contents.sources([entry.id]):
                tx.contents.leave_to_list(entry, kit.clock())  # 5
            else:
                tx.entries.withdraw(bank, entry.signal, kit.clock())  # 6
        _audit(kit, tx, actor, "bank.content_deleted", bank, content)
    return True


def _give_own(kit: Kit, tx: Tx, bank: Bank, signals: Sequence[Signal]) -> None:
    """Step 3: what a list alone says needs none, for the list goes on saying it."""
    there = {entry.id: entry for entry in (tx.entries.find(bank, signal) for signal in signals) if entry}
    brought = tx.contents.of_entries(there)
    for entry_id in tx.contents.added_by_hand(there):
        if entry_id not in brought:
            tx.contents.own(there[entry_id], kit.clock())


def _content(tx: Tx, bank: Bank, content_id: int) -> BankContent:
    """A content of this bank. One that stands for an entry need not be stored."""
    content = tx.contents.get(content_id) if content_id < MOST_ID else None
    if content is None and OWN < content_id < MOST_ID:
        entry = _entry_of(tx, bank, content_id)
        if entry.id not in tx.contents.of_entries([entry.id]) or tx.contents.sources([entry.id]):
            content = BankContent(id=content_id, bank_id=bank.id, entry_ids=(entry.id,), note=entry.note)
    if content is None or content.bank_id != bank.id:
        raise _no_content(bank)
    return content


def _entry_of(tx: Tx, bank: Bank, content_id: int) -> BankEntry:
    entry = tx.entries.get(content_id - OWN)
    if entry is None or entry.bank_id != bank.id or entry.withdrawn_at is not None:
        raise _no_content(bank)
    return entry


def _no_content(bank: Bank) -> Refused:
    return Refused("content_unknown", f"Bank {bank.policy.name} has no content of this number.")


def _shown(tx: Tx, bank: Bank, content: BankContent) -> ShownContent:
    entries = [entry for entry in map(tx.entries.get, content.entry_ids) if entry is not None]
    return ShownContent(
        content=content,
        bank=bank,
        signals=tuple(entry.signal for entry in entries),
        sources=dict(tx.contents.sources(content.entry_ids)),
    )


def _check_bank_name(name: str) -> None:
    if not is_bank_name(name):
        raise Refused("bank_unknown", "There is no bank of this name.")


def _named(tx: Tx, name: str) -> Bank:
    _check_bank_name(name)
    return named(tx, name)


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, bank: Bank, content: BankContent) -> None:
    tx.audit.append(
        at=kit.clock(), actor=actor, verb=verb, object_=f"bank:{bank.policy.name}",
        detail={"content": content.id, "entries": [str(number) for number in content.entry_ids]},
    )  # fmt: skip
