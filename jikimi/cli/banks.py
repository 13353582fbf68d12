"""`jikimi bank …`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, complain, kit_of, progress, say, write_json, write_table
from jikimi.model.bank import (
    DEFAULT_DISTANCE,
    DEFAULT_QUALITY_FLOOR,
    MAX_DISTANCE,
    BankPolicy,
    Category,
    NewEntry,
    OnMatch,
)
from jikimi.model.errors import Refused
from jikimi.model.listfile import MAX_LINE, BadLine, ListLine, read_list
from jikimi.model.signal import parse_typed_signal

if TYPE_CHECKING:
    from jikimi.ports import Kit

Name = Annotated[str, typer.Argument(metavar="NAME", help="The bank's name.")]
Signals = Annotated[list[str] | None, typer.Option("--signal", metavar="TYPE:VALUE", help="A signal; may be repeated.")]
Note = Annotated[str, typer.Option("--note", help="A note, kept with each entry.")]

_BAD_LINES_SHOWN = 20
_BYTES_A_STEP = 64 * 1024
"""Between two steps of the progress bar; one for every line would take as long as reading it."""


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    banks = typer.Typer(help="Banks of known signals.", no_args_is_help=True, rich_markup_mode=None)
    for name, command in (
        ("create", create),
        ("change", change),
        ("resume", resume),
        ("add", add),
        ("import", import_file),
        ("list", list_all),
        ("show", show),
        ("export", export),
        ("withdraw", withdraw),
        ("delete", delete),
    ):
        banks.command(name)(command)
    app.add_typer(banks, name="bank")


def create(
    name: Name,
    category: Annotated[Category, typer.Option("--category", help="What the bank holds.")],
    on_match: Annotated[OnMatch, typer.Option("--on-match", help="What a match does.")],
    max_distance: Annotated[
        int, typer.Option("--max-distance", min=0, max=MAX_DISTANCE, help="Bits of 256 that may differ.")
    ] = DEFAULT_DISTANCE,
    quality_floor: Annotated[
        int, typer.Option("--quality-floor", min=0, max=100, help="Quality from which a picture is evidence.")
    ] = DEFAULT_QUALITY_FLOOR,
    on_disputed: Annotated[
        OnMatch, typer.Option("--on-disputed", help="What an entry does whose lists do not agree: hold or log.")
    ] = OnMatch.HOLD,
    on_unconfirmed: Annotated[
        OnMatch, typer.Option("--on-unconfirmed", help="What an entry does that nobody has confirmed: hold or log.")
    ] = OnMatch.HOLD,
    source: Annotated[str, typer.Option("--source", help="Where the entries come from.")] = "",
    note: Annotated[str, typer.Option("--note", help="A note about the bank.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a bank."""
    from jikimi.flows.bank import create_bank

    policy = BankPolicy(
        name=name,
        category=category,
        on_match=on_match,
        max_distance=max_distance,
        quality_floor=quality_floor,
        on_disputed=on_disputed,
        on_unconfirmed=on_unconfirmed,
        source=source,
        note=note,
    )
    with kit_of(data) as kit:
        create_bank(kit, actor(), policy)
        _show(kit, name, as_json)


def change(
    name: Name,
    on_match: Annotated[OnMatch | None, typer.Option("--on-match", help="What a match does.")] = None,
    max_distance: Annotated[
        int | None, typer.Option("--max-distance", min=0, max=MAX_DISTANCE, help="Bits of 256 that may differ.")
    ] = None,
    quality_floor: Annotated[
        int | None, typer.Option("--quality-floor", min=0, max=100, help="Quality from which a picture is evidence.")
    ] = None,
    on_disputed: Annotated[
        OnMatch | None, typer.Option("--on-disputed", help="What an entry does whose lists do not agree: hold or log.")
    ] = None,
    on_unconfirmed: Annotated[
        OnMatch | None, typer.Option("--on-unconfirmed", help="What an entry does that nobody has confirmed.")
    ] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether the bank is asked.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change what a bank does. It counts for the next upload, on every node."""
    from jikimi.flows.bank import change_bank

    def wanted(policy: BankPolicy) -> BankPolicy:
        return replace(
            policy,
            on_match=policy.on_match if on_match is None else on_match,
            max_distance=policy.max_distance if max_distance is None else max_distance,
            quality_floor=policy.quality_floor if quality_floor is None else quality_floor,
            on_disputed=on_disputed or policy.on_disputed,
            on_unconfirmed=on_unconfirmed or policy.on_unconfirmed,
            enabled=policy.enabled if enabled is None else enabled,
        )

    with kit_of(data) as kit:
        change_bank(kit, actor(), name, wanted)
        _show(kit, name, as_json)


def resume(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Let a bank block again that was held because it matched too often."""
    from jikimi.flows.bank import resume_bank

    with kit_of(data) as kit:
        resume_bank(kit, actor(), name)
        _show(kit, name, as_json)


def add(
    name: Name,
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH…", help="Pictures.")] = None,
    signal: Signals = None,
    note: Note = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add pictures or signals. They protect at once here, and within a second on every node."""
    from jikimi.flows.bank import add_entries, show_bank

    if not paths and not signal:
        raise Refused("nothing_to_add", "Name a picture, or a signal with --signal TYPE:VALUE.")
    entries = [NewEntry(signal=parse_typed_signal(text), note=note) for text in signal or ()]
    with kit_of(data) as kit:
        policy = show_bank(kit, name).bank.policy
        for path in paths or ():
            entries += _of_picture(kit, path, policy, note)
        added = add_entries(kit, actor(), name, entries)
    if as_json:
        write_json({"bank": name, "added": added.added, "present": added.present})
    else:
        say(f"{name}: {added.added} added, {added.present} were there already")


def import_file(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Plain lines, CSV or NDJSON; - is standard input.")],
    type_: Annotated[str, typer.Option("--type", help="Type of values that do not say it, such as pdq.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing if any line is bad.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Import a list of signals. Bad lines are reported with their numbers; the good ones are kept, unless --strict."""
    from jikimi.flows.bank import import_lines, show_bank

    if strict and os.fspath(file) == "-":
        raise Refused("strict_needs_file", "--strict reads the list twice, so it needs a file, not standard input.")
    shown = 0

    def on_bad(line: BadLine) -> None:
        nonlocal shown
        shown += 1
        if shown <= _BAD_LINES_SHOWN:
            complain("line_bad", f"{os.fspath(file)} line {line.number}: {line.problem}")

    with kit_of(data) as kit:
        if strict:
            _refuse_bad_lines(kit, name, file, type_, on_bad)
        show_bank(kit, name)
        total = import_lines(kit, actor(), name, _lines(file, type_), on_bad=on_bad)
    if shown > _BAD_LINES_SHOWN:
        complain("line_bad", f"{shown - _BAD_LINES_SHOWN} more lines are bad")
    if as_json:
        write_json({"bank": name, "added": total.added, "present": total.present, "bad": total.bad})
    else:
        say(f"{name}: {total.added} added, {total.present} were there already, {total.bad} bad lines")
    raise typer.Exit(2 if total.bad else 0)


def list_all(data: Data = None, as_json: Json = False) -> None:
    """List all banks."""
    from jikimi.doors.shared.answers import bank_answer
    from jikimi.flows.bank import list_banks

    with kit_of(data) as kit:
        answers = [bank_answer(view) for view in list_banks(kit)]
    if as_json:
        for answer in answers:
            write_json(answer)
        return
    write_table(
        ("name", "category", "on match", "distance", "entries", "state"),
        [
            (a.name, a.category, a.on_match, a.max_distance,
             ", ".join(f"{count} {type_}" for type_, count in a.entries.items()) or "none",
             "held: matched too often" if a.flooded_at else "enabled" if a.enabled else "disabled")
            for a in answers
        ],
    )  # fmt: skip


def show(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Show a bank."""
    with kit_of(data) as kit:
        _show(kit, name, as_json)


def export(name: Name, data: Data = None) -> None:
    """Write the entries of a bank that people added as NDJSON, which `bank import` reads.

    Entries that only an exchange's list says are had under agreement, and stay here.
    """
    from jikimi.flows.bank import named

    with kit_of(data) as kit, kit.store.read() as tx:
        bank = named(tx, name)
        for entry in tx.entries.export(bank):
            signal = entry.signal
            write_json({"type": signal.type, "value": signal.text, "quality": signal.quality, "note": entry.note})
        listed = tx.entries.only_listed(bank)
    if listed:
        complain("listed_not_exported", f"{listed} more entries come from exchanges and are not written")


def withdraw(
    name: Name,
    signals: Annotated[list[str], typer.Argument(metavar="TYPE:VALUE…", help="Entries to withdraw.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Withdraw entries: they stay on record and match no more, on any node."""
    from jikimi.flows.bank import withdraw_entry

    asked = [parse_typed_signal(text) for text in signals]
    with kit_of(data) as kit:
        for signal in asked:
            entry = withdraw_entry(kit, actor(), name, signal)
            if as_json:
                write_json({"bank": name, "withdrawn": entry.id, "type": signal.type, "value": signal.text})
            else:
                say(f"{name}: {signal.type}:{signal.text} withdrawn")


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Delete a bank and the values in it."""
    from jikimi.flows.bank import delete_bank

    if not yes:
        if not sys.stdin.isatty():
            raise Refused("not_confirmed", f"Deleting bank {name} cannot be undone; say --yes if you mean it.")
        typer.confirm(f"Delete bank {name} and everything in it?", abort=True)
    with kit_of(data) as kit:
        gone = delete_bank(kit, actor(), name)
    if as_json:
        write_json({"bank": name, "deleted": gone})
    else:
        say(f"{name}: deleted with {gone} entries")


def _show(kit: Kit, name: str, as_json: bool) -> None:
    from jikimi.doors.shared.answers import bank_answer
    from jikimi.flows.bank import show_bank

    answer = bank_answer(show_bank(kit, name))
    if as_json:
        write_json(answer)
        return
    held = f"since {answer.flooded_at:%Y-%m-%d %H:%M}; `jikimi bank resume {name}`" if answer.flooded_at else ""
    rows = [
        ("name", answer.name),
        ("category", answer.category),
        ("on match", answer.on_match),
        ("distance", answer.max_distance),
        ("quality from", answer.quality_floor),
        ("on disputed", answer.on_disputed),
        ("on unconfirmed", answer.on_unconfirmed),
        ("source", answer.source),
        ("note", answer.note),
        ("enabled", "yes" if answer.enabled else "no"),
        ("held: matched too often", held),
        *((f"{type_} entries", count) for type_, count in answer.entries.items()),
        ("withdrawn", answer.withdrawn),
    ]
    write_table(("", ""), [row for row in rows if row[1] != ""])


def _of_picture(kit: Kit, path: Path, policy: BankPolicy, note: str) -> list[NewEntry]:
    from jikimi.cli.files import open_regular
    from jikimi.flows.bank import entries_of_file

    with open_regular(path) as file:
        offered = entries_of_file(kit, file, policy, note)
    if offered.faults:
        reasons = ", ".join(offered.faults)
        complain("partly_added", f"{os.fspath(path)}: {reasons}; {len(offered.entries)} signals of it are added")
    return list(offered.entries)


def _lines(file: Path, type_: str) -> Iterator[ListLine]:
    """Read a list with progress by bytes. No line is read further than anything we know is long."""
    from jikimi.cli.files import open_regular

    is_stdin = os.fspath(file) == "-"
    with nullcontext(sys.stdin.buffer) if is_stdin else open_regular(file) as source, progress() as bar:
        total = None if is_stdin else os.fstat(source.fileno()).st_size
        task = bar.add_task("import", total=total)

        def texts() -> Iterator[str]:
            unseen = 0
            for raw in _raw_lines(source):
                unseen += len(raw)
                if unseen >= _BYTES_A_STEP:
                    bar.advance(task, unseen)
                    unseen = 0
                yield raw.decode("utf-8", "replace")
            bar.advance(task, unseen)

        yield from read_list(texts(), type_=type_)


def _raw_lines(source: IO[bytes]) -> Iterator[bytes]:
    """Lines of bytes; the part of a line that is too long to mean anything is left out."""
    longest = 4 * MAX_LINE
    while raw := source.readline(longest):
        yield raw
        while len(raw) == longest and not raw.endswith(b"\n"):
            raw = source.readline(longest)


def _refuse_bad_lines(kit: Kit, name: str, file: Path, type_: str, on_bad: Callable[[BadLine], None]) -> None:
    from jikimi.flows.bank import count_bad_lines

    bad = count_bad_lines(kit, name, _lines(file, type_), on_bad=on_bad)
    if bad:
        raise Refused("list_has_bad_lines", f"{bad} lines of {os.fspath(file)} are bad; nothing was imported.")
