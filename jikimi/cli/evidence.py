"""`jikimi vault …`: the evidence key and what is sealed to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, complain, kit_of, say, write_json, write_table
from jikimi.model.ids import CaseId, EvidenceId

if TYPE_CHECKING:
    from jikimi.flows.evidence_key import Rewrapped
    from jikimi.ports import Kit

Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    vault = typer.Typer(help="Evidence and the key to it.", no_args_is_help=True, rich_markup_mode=None)
    vault.command("status")(status)
    vault.command("init")(init)
    vault.command("rotate")(turn)
    vault.command("recovery")(recovery)
    vault.command("restore")(bring_back)
    vault.command("verify")(verify)
    vault.command("lift")(lift)
    vault.command("destroy")(destroy_item)
    app.add_typer(vault, name="vault")


def status(data: Data = None, as_json: Json = False) -> None:
    """Show the evidence keys and how much is sealed to each."""
    with kit_of(data) as kit:
        _show(kit, as_json=as_json)


def init(data: Data = None, as_json: Json = False) -> None:
    """Make the evidence key if there is none yet, and show it. `up` and every other command do so, too."""
    status(data, as_json)


def turn(
    finish: Annotated[
        bool, typer.Option("--finish", help="Make no other key; only finish what a rotation has left.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make another evidence key and wrap everything to it. Exit code 1 if something could not be wrapped."""
    from jikimi.flows.evidence_key import rewrap, rotate

    with kit_of(data) as kit:
        done = rewrap(kit) if finish else rotate(kit, actor())
        recipient = kit.vault.recipient
    _tell_rotation(done, recipient, as_json=as_json)
    raise typer.Exit(1 if done.left else 0)


def recovery(
    key: Annotated[str, typer.Option("--key", help="Fingerprint of an older key; the present one by default.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print the recovery sheet of the evidence key. Whoever has it can open all evidence: keep it in a safe."""
    from jikimi.flows.evidence_key import write_down

    with kit_of(data) as kit:
        sheet = write_down(kit, actor(), key)
    if as_json:
        write_json({"sheet": sheet})
    else:
        print(sheet, end="")


def bring_back(
    sheet: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The sheet as a file; without it, type its four rows.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Bring a private evidence key to this node, from its recovery sheet."""
    from jikimi.flows.evidence_key import restore

    if sheet is None and sys.stdin.isatty():
        say("Type the four rows, each with its number; then Ctrl-D.")
    untrusted_sheet = _read(sheet)
    with kit_of(data) as kit:
        fingerprint = restore(kit, actor(), untrusted_sheet)
    if as_json:
        write_json({"key": fingerprint, "restored": True})
    else:
        say(f"{fingerprint}: this node can open what is sealed to it")


def verify(data: Data = None, as_json: Json = False) -> None:
    """Open everything that is kept, and show none of it. Exit code 1 if something is damaged or missing."""
    from jikimi.flows.evidence_key import inspect

    with kit_of(data) as kit:
        found = inspect(kit, actor())
    damaged = [{"evidence": one.item.id, "sha256": one.item.sha256, "code": one.code} for one in found.damaged]
    if as_json:
        write_json({"sound": found.sound, "locked": found.locked, "damaged": damaged})
    else:
        say(f"{found.sound} sound, {len(damaged)} damaged, {found.locked} sealed to a key that is not on this node")
        for one in damaged:
            complain(one["code"], f"evidence {one['evidence']} (sha256 {one['sha256']}) cannot be opened")
    raise typer.Exit(1 if damaged else 0)


def lift(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case that holds evidence, `case_…`.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit chain.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Lift the legal hold of a case: what it held may be destroyed again, unless another case holds it."""
    from jikimi.flows.evidence import lift_hold

    with kit_of(data) as kit:
        lifted = lift_hold(kit, actor(), CaseId(case), reason)
    if as_json:
        write_json({"case": case, "lifted": [item.id for item in lifted]})
    else:
        say(f"{case}: the hold on {len(lifted)} items is lifted")


def destroy_item(
    item: Annotated[str, typer.Argument(metavar="EVIDENCE", help="The item, `ev_…`.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit chain.")],
    yes: Yes = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make one item unrecoverable. Refused while a case holds it."""
    from jikimi.flows.evidence import destroy
    from jikimi.model.errors import Refused

    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Destroy {item}? Nobody can bring it back.")):
        raise Refused("not_confirmed", "Nothing was destroyed; say --yes.")
    with kit_of(data) as kit:
        destroy(kit, actor(), EvidenceId(item), reason)
    if as_json:
        write_json({"evidence": item, "destroyed": True})
    else:
        say(f"{item}: destroyed; backups of the database and of the bytes may still hold it")


def _show(kit: Kit, *, as_json: bool) -> None:
    from jikimi.flows.evidence_key import key_states

    states = key_states(kit)
    if as_json:
        for state in states:
            write_json(state)
        return
    write_table(
        ("key", "sealed to", "private key", "items", "on paper"),
        [
            (s.fingerprint, "now" if s.is_present else "before", "on this node" if s.is_here else "not here",
             s.items, "yes" if s.was_written_down else "no")
            for s in states
        ],
    )  # fmt: skip
    if not states[-1].was_written_down:
        say("The key is on no paper: `jikimi vault recovery` prints its recovery sheet. Without the key, all is lost.")


def _tell_rotation(done: Rewrapped, recipient: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"key": recipient, "rewrapped": done.done, "left": done.left})
        return
    say(f"{recipient}: {done.done} items wrapped to it, {done.left} left")
    if done.left:
        say("What is left needs its older key: `jikimi vault restore`, then `jikimi vault rotate --finish`.")
    else:
        say("Print its sheet now: `jikimi vault recovery`. Keep the older key as long as backups need it.")


def _read(sheet: Path | None) -> str:
    from jikimi.model.errors import Refused

    if sheet is None:
        return sys.stdin.read()
    try:
        return sheet.read_text(errors="replace")
    except OSError as error:
        raise Refused("file_unreadable", f"{sheet} cannot be read ({error.strerror}).") from error
