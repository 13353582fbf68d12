"""A demonstration out of benign pictures: a bank with one picture, a copy that was altered, and a key."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from jikimi.engine.pattern import alter, paint
from jikimi.flows.bank import add_entries, create_bank, entries_of_file
from jikimi.flows.key import create_key
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.people import Scope
from jikimi.ports import Kit

_BANK = "demo"
_SEED = 20261122
_NAME_BYTES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where the demonstration's files lie."""

    known: Path
    altered: Path
    key: Path


def prepare_demo(kit: Kit, data: Path) -> Demo | None:
    """Make the demonstration, or find the one made earlier; none if the records are in use for something else."""
    folder = data / "demo"
    demo = Demo(known=folder / "known.png", altered=folder / "altered.jpg", key=folder / "key")
    if demo.key.exists():
        return demo
    with kit.store.read() as tx:
        others = [bank for bank in tx.banks.all() if bank.policy.category is not Category.CANARY]
    if others and [bank.policy.name for bank in others] != [_BANK]:
        return None
    picture = paint(_SEED)
    folder.mkdir(mode=0o700, exist_ok=True)
    demo.known.write_bytes(picture)
    demo.altered.write_bytes(alter(picture))
    _fill_bank(kit, picture)
    secret = create_key(kit, "demo", f"demo-{kit.entropy(_NAME_BYTES).hex()}", [Scope.SCAN])
    # Written last: a demonstration that was interrupted is made anew.
    demo.key.touch(mode=0o600)
    demo.key.write_text(secret + "\n")
    return demo


def _fill_bank(kit: Kit, picture: bytes) -> None:
    policy = BankPolicy(
        name=_BANK, category=Category.OTHER, on_match=OnMatch.BLOCK, source="generated", note="benign demonstration"
    )
    try:
        create_bank(kit, "demo", policy)
    except Refused as error:
        if error.code != "bank_exists":
            raise
    offered = entries_of_file(kit, io.BytesIO(picture), policy)
    if offered.faults:
        raise Unavailable("demo_unreadable", f"The demo's own picture cannot be read: {offered.faults[0].value}.")
    add_entries(kit, "demo", _BANK, offered.entries)
