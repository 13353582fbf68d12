"""`jikimi exchange …`: the settings of each kind are those of its plug-in."""

from __future__ import annotations

import getpass
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jikimi.cli.terminal import Data, Json, actor, complain, kit_of, progress, say, write_json, write_table
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.exchange import Feedback, NewExchange

if TYPE_CHECKING:
    from jikimi.doors.shared.answers import ExchangeAnswer
    from jikimi.flows.sync import Synced
    from jikimi.ports import Kit
    from jikimi.ports.exchanges import Kind

Name = Annotated[str, typer.Argument(metavar="NAME", help="The exchange's name.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of its kind; may be repeated.")
]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="KEY[=@FILE]",
        help="A secret setting: taken from JIKIMI_SECRET_KEY, or asked for without echo; or read from a file, or from "
        "standard input with KEY=@-.",
    ),
]
Shares = Annotated[
    list[Feedback] | None, typer.Option("--share", help="What may be given back; may be repeated. Default: nothing.")
]
_ENVIRONMENT = "JIKIMI_SECRET_"
_LONGEST_SECRET = 10_000


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(help="Programmes whose lists fill banks.", no_args_is_help=True, rich_markup_mode=None)
    for name, command in (
        ("kinds", list_kinds),
        ("add", add),
        ("list", list_all),
        ("show", show),
        ("sync", pull),
        ("status", status),
        ("change", change),
        ("remove", remove),
    ):
        group.command(name)(command)
    app.add_typer(group, name="exchange")


def list_kinds(data: Data = None, as_json: Json = False) -> None:
    """List the kinds of exchange there are, with their settings."""
    from jikimi.flows.exchange import kinds

    with kit_of(data) as kit:
        found = kinds(kit)
    for kind in found:
        if as_json:
            write_json(kind)
        else:
            _describe(kind)


def add(
    name: Name,
    kind: Annotated[str, typer.Option("--kind", help="Its kind; `jikimi exchange kinds` lists them.")],
    bank: Annotated[str, typer.Option("--bank", help="The bank that it fills; made if it is new.")],
    category: Annotated[Category | None, typer.Option("--category", help="What a new bank holds.")] = None,
    on_match: Annotated[OnMatch | None, typer.Option("--on-match", help="What a match in a new bank does.")] = None,
    settings: Sets = None,
    secret: Secrets = None,
    minutes: Annotated[float, typer.Option("--every", help="Minutes between two pulls.")] = 15.0,
    share: Shares = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add an exchange. The running service pulls it at once; `jikimi exchange sync` does so without one."""
    from jikimi.flows.exchange import add_exchange

    new = NewExchange(
        name=name, kind=kind, bank=bank, settings=dict(_pairs(settings)), every=_every(minutes),
        shares=frozenset(share or ()),
    )  # fmt: skip
    with kit_of(data) as kit:
        secrets = {**_from_environment(kit, kind), **_secrets(secret)}
        add_exchange(kit, actor(), new, _policy(bank, category, on_match), secrets)
        _show(kit, name, as_json)


def change(
    name: Name,
    settings: Sets = None,
    secret: Secrets = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is pulled.")] = None,
    minutes: Annotated[float | None, typer.Option("--every", help="Minutes between two pulls.")] = None,
    share: Shares = None,
    share_nothing: Annotated[bool, typer.Option("--share-nothing", help="Give nothing back any more.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change an exchange; what is not named stays. Other settings make the next pull a whole one."""
    from jikimi.flows.exchange import change_exchange

    with kit_of(data) as kit:
        change_exchange(
            kit, actor(), name, settings=dict(_pairs(settings)), secrets=_secrets(secret), enabled=enabled,
            every=None if minutes is None else _every(minutes),
            shares=() if share_nothing else share or None,
        )  # fmt: skip
        _show(kit, name, as_json)


def list_all(data: Data = None, as_json: Json = False) -> None:
    """List all exchanges with their health."""
    answers = _answers(data)
    if as_json:
        for answer in answers:
            write_json(answer)
        return
    columns = ("name", "kind", "bank", "records", "last success", "next", "state")
    write_table(
        columns,
        [
            (a.name, a.kind, a.bank, a.records, _minute(a.last_success_at) or "never", _minute(a.next_at), a.state)
            for a in answers
        ],
    )


def status(data: Data = None, as_json: Json = False) -> None:
    """Like list; exit code 1 if any list is older than it should be or its last pull failed."""
    list_all(data, as_json)
    raise typer.Exit(1 if any(answer.needs_attention for answer in _answers(data)) else 0)


def show(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Show an exchange."""
    with kit_of(data) as kit:
        _show(kit, name, as_json)


def pull(
    name: Name,
    accept_withdrawals: Annotated[
        bool, typer.Option("--accept-withdrawals", help="Most of the list is gone, and that is right.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Pull an exchange now, whatever its time. Exit code 75 if another process does or the programme is away."""
    from jikimi.flows.sync import sync

    signal.signal(signal.SIGTERM, _leave)
    with kit_of(data) as kit, progress() as bar:
        task = bar.add_task(name, total=None)
        done = sync(
            kit, name, accept_withdrawals=accept_withdrawals,
            on_progress=lambda synced: bar.update(task, completed=synced.records),
        )  # fmt: skip
    _say_synced(name, done, as_json)


def remove(
    name: Name,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what it alone says, confirmed and undisputed, as your own entries.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Remove an exchange. What only it says goes with it, unless you keep it."""
    from jikimi.flows.exchange import removal_of, remove_exchange

    with kit_of(data) as kit:
        meant = removal_of(kit, name)
        what = f"{name}: {meant.records} records; {meant.entries} entries are said by nothing else"
        if not yes:
            if not sys.stdin.isatty():
                raise Refused("not_confirmed", f"{what}. Removing cannot be undone; say --yes if you mean it.")
            fate = (
                "kept as your own where confirmed and undisputed"
                if keep
                else "erased"
                if meant.forgets
                else "withdrawn"
            )
            typer.confirm(f"{what}, and will be {fate}. Remove it?", abort=True)
        remove_exchange(kit, actor(), name, keep=keep)
    if as_json:
        write_json({"exchange": name, "records": meant.records, "entries": meant.entries, "kept": keep})
    else:
        say(f"{what}; removed")


def _leave(_number: int, _frame: object) -> None:
    """Let what is being done end in order."""
    sys.exit(75)


def _answers(data: Path | None) -> list[ExchangeAnswer]:
    from jikimi.doors.shared.answers import exchange_answer
    from jikimi.flows.exchange import list_exchanges

    with kit_of(data) as kit:
        return [exchange_answer(view) for view in list_exchanges(kit)]


def _show(kit: Kit, name: str, as_json: bool) -> None:
    from jikimi.doors.shared.answers import exchange_answer
    from jikimi.flows.exchange import show_exchange

    answer = exchange_answer(show_exchange(kit, name))
    if as_json:
        write_json(answer)
        return
    rows: list[tuple[str, object]] = [
        ("name", answer.name),
        ("kind", answer.kind),
        ("bank", answer.bank),
        ("state", answer.state),
        ("every", f"{answer.every_minutes:g} minutes"),
        ("gives back", ", ".join(answer.shares) or "nothing"),
        ("records", answer.records),
        ("unusable in the last pull", answer.faults),
        ("last success", _minute(answer.last_success_at) or "never"),
        ("last error", answer.last_error),
        ("next pull", _minute(answer.next_at)),
        *((key, shown_setting(value)) for key, value in answer.settings.items()),
        *((key, "kept, not shown") for key in answer.secrets),
    ]
    write_table(("", ""), [row for row in rows if row[1] != ""])


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def shown_setting(value: object) -> str:
    """A setting as it would be typed."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _describe(kind: Kind) -> None:
    gives = ", ".join(sorted(kind.gives)) or "nothing"
    say(f"{kind.name}: {kind.about}")
    say(f"    can be given back: {gives}" + ("; what it withdraws is erased here" if kind.forgets else ""))
    for field in kind.fields:
        need = "secret" if field.secret else "needed" if field.required else f"default {field.default or 'empty'}"
        choices = f" One of {', '.join(field.choices)}." if field.choices else ""
        say(f"    {field.name} ({need}): {field.help}{choices}")


def _say_synced(name: str, done: Synced, as_json: bool) -> None:
    for fault in done.faults:
        complain("record_unusable", f"{name}: {fault}")
    if as_json:
        write_json({"exchange": name, **{f: getattr(done, f) for f in ("records", "changed", "withdrawn", "added",
                    "erased", "faulty")}, "whole": done.was_whole})  # fmt: skip
    else:
        say(
            f"{name}: {done.records} records, {done.changed} new or changed, {done.withdrawn} withdrawn, "
            f"{done.added} entries added, {done.erased} erased, {done.faulty} unusable"
        )


def _policy(bank: str, category: Category | None, on_match: OnMatch | None) -> BankPolicy | None:
    if category is None and on_match is None:
        return None
    if category is None or on_match is None:
        raise Refused("exchange_bank_invalid", "A new bank needs both --category and --on-match.")
    return BankPolicy(name=bank, category=category, on_match=on_match)


def _every(minutes: float) -> timedelta:
    try:
        return timedelta(minutes=minutes)
    except (ValueError, OverflowError) as error:
        raise Refused("exchange_every_invalid", "An exchange is pulled every 1 minute to every 7 days.") from error


def _pairs(settings: Sequence[str] | None) -> list[tuple[str, str]]:
    pairs = []
    for text in settings or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise Refused("setting_form_invalid", f"Write a setting as KEY=VALUE, not {text[:40]!r}.")
        pairs.append((key.strip(), value))
    return pairs


def _secrets(wanted: Sequence[str] | None) -> dict[str, str]:
    """Secrets by name. None is ever an argument: those of a process can be read by everybody on the machine."""
    found = {}
    for text in wanted or ():
        key, equals, place = text.partition("=")
        if equals and not place.startswith("@"):
            raise Refused(
                "secret_on_command_line",
                f"A secret on the command line can be read by others: --secret {key} asks, --secret {key}=@FILE reads.",
            )
        found[key] = _secret(key, place.removeprefix("@"))
    return found


def _secret(key: str, place: str) -> str:
    if place == "-":
        return sys.stdin.read(_LONGEST_SECRET).strip()
    if place:
        from jikimi.cli.files import open_regular

        with open_regular(Path(place)) as file:
            return file.read(_LONGEST_SECRET).decode("utf-8", "replace").strip()
    if from_environment := os.environ.get(_ENVIRONMENT + key.upper()):
        return from_environment
    if not sys.stdin.isatty():
        raise Refused(
            "secret_missing",
            f"There is no terminal to ask for {key}; write --secret {key}=@FILE, or set {_ENVIRONMENT}{key.upper()}.",
        )
    return getpass.getpass(f"{key}: ").strip()


def _from_environment(kit: Kit, kind: str) -> dict[str, str]:
    """Secrets that `JIKIMI_SECRET_NAME` holds."""
    named = [field.name for field in kit.connectors.get(kind).fields if field.secret]
    given = {name: os.environ.get(_ENVIRONMENT + name.upper(), "") for name in named}
    return {name: value for name, value in given.items() if value}
