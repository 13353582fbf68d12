"""What all commands share: common options, output as text or NDJSON, one-line errors, progress."""

from __future__ import annotations

import dataclasses
import functools
import getpass
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from jikimi.config import Settings
    from jikimi.ports import Kit

Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="JIKIMI_DATA", help="Data folder (default: jikimi in the user's data directory)."),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object a line.")]


def settings_of(data: Path | None, **given: object) -> Settings:
    """Read the settings."""
    from jikimi.config import Settings

    return Settings.load(data=data, **given)


@contextmanager
def kit_of(data: Path | None) -> Iterator[Kit]:
    """Open the kit on the data folder."""
    from jikimi.app import make_log, open_kit

    settings = settings_of(data)
    with open_kit(settings, make_log(settings, quiet=True)) as kit:
        yield kit


@functools.cache
def actor() -> str:
    """Who runs the command, for the audit chain."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def write_json(value: object) -> None:
    """Write one object as one line; text that is not Unicode is escaped."""
    print(json.dumps(_plain(value), ensure_ascii=False, default=_simple).encode("utf-8", "backslashreplace").decode())


def moment(at: datetime | None) -> str:
    """A time (UTC) in a column, empty for none."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def write_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table; nothing in it is taken for markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def say(text: str) -> None:
    """Write a line for people."""
    print(shown(text), flush=True)


def shown(untrusted_text: str) -> str:
    """Write names of files and accounts so that they cannot move the cursor or break the line."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in untrusted_text
    )


def complain(code: str, message: str, detail: str = "") -> None:
    """Write an error as one line on stderr."""
    line = f"jikimi: {message} [{code}]"
    if detail and os.environ.get("JIKIMI_DEBUG"):
        line += f" ({detail})"
    print(shown(line), file=sys.stderr)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        yield bar


def _plain(value: object) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _simple(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
