"""A bank is made, filled, changed and deleted.

Each story: the model checks, one transaction stores the change with its audit event, and this process's index follows
before the call returns, so that whoever was told "added" is protected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from jikimi.flows.index import follow, publish
from jikimi.flows.scan import examine
from jikimi.model.bank import (
    Bank,
    BankEntry,
    BankPolicy,
    BankSize,
    NewEntry,
    check_entry,
    checked_policy,
)
from jikimi.model.errors import Refused
from jikimi.model.listfile import BadLine, ListLine
from jikimi.model.media import Reason
from jikimi.model.signal import Signal
from jikimi.ports import Added, Kit, Tx

_LINES_A_TRANSACTION = 50_000
"""Half a second of the writers' turn. Five times fewer would take twice as long: values fall all over the table."""
_PUBLISH_FROM = 50_000
"""After an import of this many entries a snapshot is worth its writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankView:
    """A bank with how much it holds."""

    bank: Bank
    size: BankSize


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEntries:
    """What a file offers to a bank, and what could not be taken from it."""

    entries: tuple[NewEntry, ...]
    faults: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a list: entries stored, already there, and lines that could not be read."""

    added: int
    present: int
    bad: int


def create_bank(kit: Kit, actor: str, policy: BankPolicy) -> Bank:
    """Make a bank; `Refused` if the policy is unsound or the name is taken."""
    policy = checked_policy(policy)
    now = kit.clock()
    with kit.store.begin() as tx:
        bank = tx.banks.create(policy, now)
        _audit(kit, tx, actor, "bank.created", bank, category=policy.category.value, on_match=policy.on_match.value)
    return bank


def change_bank(kit: Kit, actor: str, name: str, change: Callable[[BankPolicy], BankPolicy]) -> Bank:
    """Change a bank's policy."""
    with kit.store.begin() as tx:
        bank = named(tx, name)
        bank = replace(bank, policy=checked_policy(change(bank.policy)))
        tx.banks.update(bank)
        policy = bank.policy
        _audit(
            kit, tx, actor, "bank.changed", bank,
            on_match=policy.on_match.value, max_distance=policy.max_distance, quality_floor=policy.quality_floor,
            enabled=policy.enabled,
        )  # fmt: skip
    return bank


def resume_bank(kit: Kit, actor: str, name: str) -> Bank:
    """Let a bank block again after a person has looked at why it matched so often."""
    with kit.store.begin() as tx:
        bank = replace(named(tx, name), flooded_at=None, resumed_at=kit.clock())
        tx.banks.update(bank)
        _audit(kit, tx, actor, "bank.resumed", bank)
    return bank


def delete_bank(kit: Kit, actor: str, name: str) -> int:
    """Delete a bank with the values in it; how many entries there were."""
    with kit.store.begin() as tx:
        bank = named(tx, name)
        if filled_by := [exchange.name for exchange in tx.exchanges.of_bank(bank)]:
            names = ", ".join(filled_by)
            raise Refused("bank_is_filled", f"Bank {name} is filled by {names}; `jikimi exchange remove` comes first.")
        gone = tx.banks.delete(bank, kit.clock())
        _audit(kit, tx, actor, "bank.deleted", bank, entries=gone)
    return gone


def list_banks(kit: Kit) -> tuple[BankView, ...]:
    """All banks by name, with their sizes."""
    with kit.store.read() as tx:
        sizes = tx.banks.sizes()
        return tuple(
            BankView(bank=bank, size=sizes.get(bank.id, BankSize(live={}, withdrawn=0))) for bank in tx.banks.all()
        )


def show_bank(kit: Kit, name: str) -> BankView:
    """One bank with its size."""
    with kit.store.read() as tx:
        bank = named(tx, name)
        return BankView(bank=bank, size=tx.banks.sizes().get(bank.id, BankSize(live={}, withdrawn=0)))


def entries_of_file(kit: Kit, file: BinaryIO, policy: BankPolicy, note: str = "") -> PictureEntries:
    """Take from a file what this bank can use: its sha256, and the signal of each picture with enough structure."""
    examination = examine(kit.reader, file)
    if not examination.digests:
        raise Refused(examination.faults[0], f"This file cannot be added: {examination.faults[0].value}.")
    faults = list(examination.faults)
    entries = [NewEntry(signal=signal, note=note) for signal in examination.digests if signal.type == "sha256"]
    for seen in examination.seen:
        entry = NewEntry(signal=seen.view.signal, note=note)
        try:
            check_entry(policy, entry)
        except Refused:
            faults.append(Reason.QUALITY_LOW)
        else:
            entries.append(entry)
    return PictureEntries(entries=tuple(entries), faults=tuple(dict.fromkeys(faults)))


def add_entries(kit: Kit, actor: str, name: str, entries: Sequence[NewEntry]) -> Added:
    """Add entries; when this returns they protect in this process, and within a second in every other.

    An entry that was withdrawn comes back, and one that sleeps wakes: whoever adds it by hand means it.
    """
    with kit.store.begin() as tx:
        bank = named(tx, name)
        for entry in entries:
            check_entry(bank.policy, entry)
        added = tx.entries.add(bank, entries, kit.clock(), bring_back=True)
        tx.contents.claim(bank, [entry.signal for entry in entries], kit.clock())
        _audit(kit, tx, actor, "bank.added", bank, added=added.added, present=added.present)
    follow(kit)
    return added


def withdraw_entry(kit: Kit, actor: str, name: str, signal: Signal) -> BankEntry:
    """Withdraw an entry; from now on no process matches it."""
    with kit.store.begin() as tx:
        bank = named(tx, name)
        entry = tx.entries.withdraw(bank, signal, kit.clock())
        if entry is None:
            raise Refused("entry_unknown", f"Bank {name} holds no such {signal.type} that could be withdrawn.")
        _audit(kit, tx, actor, "bank.withdrawn", bank, entry=entry.id)
    return entry


def withdraw_number(kit: Kit, actor: str, name: str, number: int) -> BankEntry:
    """Withdraw an entry by its number."""
    with kit.store.read() as tx:
        bank, entry = named(tx, name), tx.entries.live({number}, kit.clock()).get(number)
    if entry is None or entry.bank_id != bank.id:
        raise Refused("entry_unknown", f"Bank {name} holds no entry {number} that could be withdrawn.")
    return withdraw_entry(kit, actor, name, entry.signal)


def import_lines(
    kit: Kit, actor: str, name: str, lines: Iterable[ListLine], *, on_bad: Callable[[BadLine], None]
) -> Imported:
    """Add the lines of a list, many in one transaction; a line that cannot be used is reported and passed over.

    An entry that was withdrawn stays withdrawn: an old list must not undo what somebody has decided.
    """
    total = Imported(added=0, present=0, bad=0)
    waiting: list[NewEntry] = []
    for line in _checked(kit, name, lines):
        if isinstance(line, BadLine):
            on_bad(line)
            total = replace(total, bad=total.bad + 1)
            continue
        waiting.append(line.entry)
        if len(waiting) >= _LINES_A_TRANSACTION:
            total = _store(kit, name, waiting, total)
            waiting = []
    total = _store(kit, name, waiting, total)
    with kit.store.begin() as tx:
        _audit(
            kit, tx, actor, "bank.imported", named(tx, name), added=total.added, present=total.present, bad=total.bad
        )
    if total.added >= _PUBLISH_FROM:
        publish(kit)
    return total


def count_bad_lines(kit: Kit, name: str, lines: Iterable[ListLine], *, on_bad: Callable[[BadLine], None]) -> int:
    """Read a list without adding anything; how many of its lines could not be used."""
    bad = 0
    for line in _checked(kit, name, lines):
        if isinstance(line, BadLine):
            on_bad(line)
            bad += 1
    return bad


def named(tx: Tx, name: str) -> Bank:
    """The bank of this name, or `Refused`."""
    bank = tx.banks.get(name)
    if bank is None:
        raise Refused("bank_unknown", f"There is no bank {name[:80]!r}; `jikimi bank list` shows those there are.")
    return bank


def _checked(kit: Kit, name: str, lines: Iterable[ListLine]) -> Iterator[ListLine]:
    """The lines, with those that the bank cannot use turned into bad ones."""
    with kit.store.read() as tx:
        policy = named(tx, name).policy
    for line in lines:
        if isinstance(line, BadLine):
            yield line
            continue
        try:
            check_entry(policy, line.entry)
        except Refused as error:
            yield BadLine(number=line.number, problem=error.message, code=error.code)
        else:
            yield line


def _store(kit: Kit, name: str, entries: Sequence[NewEntry], total: Imported) -> Imported:
    if not entries:
        return total
    with kit.store.begin() as tx:
        added = tx.entries.add(named(tx, name), entries, kit.clock(), bring_back=False)
    return replace(total, added=total.added + added.added, present=total.present + added.present)


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, bank: Bank, **detail: str | int | bool) -> None:
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=f"bank:{bank.policy.name}", detail=detail)
