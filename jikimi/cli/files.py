"""`jikimi hash`, `scan`, `match` and `scans`."""

from __future__ import annotations

import itertools
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

import typer

from jikimi.cli.terminal import Data, Json, kit_of, moment, progress, say, settings_of, shown, write_json, write_table
from jikimi.model.errors import Refused
from jikimi.model.media import Reason

if TYPE_CHECKING:
    from jikimi.doors.shared.answers import ScanAnswer
    from jikimi.model.scan import Examination
    from jikimi.ports import Kit, Reader

Paths = Annotated[list[Path], typer.Argument(metavar="PATH…", help="Files, or folders with everything in them.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=256, help="Files at once (default: one per processor).")
]

_MATCHED, _UNCHECKED = 1, 2
_FILES_A_WRITE = 1000
"""After so many files what is kept to look back at is written down."""

T = TypeVar("T")


def attach(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("hash")(hash_files)
    app.command("scan")(scan_files)
    app.command("match")(match_signals)
    app.command("scans")(list_scans)


def hash_files(paths: Paths, data: Data = None, as_json: Json = False) -> None:
    """Compute the signals of files. Nothing is looked up or stored."""
    from jikimi.app import open_reader

    settings = settings_of(data)
    has_faults = False
    with open_reader(settings) as reader:
        results = _in_order(_walk(paths), lambda path: _hashes(reader, path), settings.workers)
        for path, fields in results:
            has_faults |= fields["unchecked"] is not None
            if as_json:
                write_json(fields)
            else:
                _say_hashes(path, fields)
    raise typer.Exit(_UNCHECKED if has_faults else 0)


def scan_files(paths: Paths, workers: Workers = None, data: Data = None, as_json: Json = False) -> None:
    """Check files as uploads: what is not clear is stored, opens a case, and is audited.

    Exit code 0: all clear; 1: something is blocked or held; 2: neither, but something could not be checked.
    """
    from jikimi.flows.kept import write_kept

    found: dict[str, int] = {}
    with kit_of(data) as kit, progress() as bar:
        task = bar.add_task("scan", total=None)
        at_once = workers or settings_of(data).workers
        for number, (path, answer) in enumerate(_in_order(_walk(paths), lambda path: _scanned(kit, path), at_once)):
            if number % _FILES_A_WRITE == _FILES_A_WRITE - 1:
                write_kept(kit)  # no worker does it here
            found[answer.verdict] = found.get(answer.verdict, 0) + 1
            bar.advance(task)
            if as_json:
                write_json({"path": os.fspath(path), **_fields(answer)})
            else:
                say(_scan_line(path, answer))
    if not as_json:
        say(" · ".join(f"{count} {disposition}" for disposition, count in sorted(found.items())) or "nothing to scan")
    has_match = bool(found.get("block") or found.get("hold"))
    raise typer.Exit(_MATCHED if has_match else _UNCHECKED if found.get("unchecked") else 0)


def match_signals(
    signals: Annotated[list[str], typer.Argument(metavar="TYPE:VALUE…", help="For example pdq:f8f8… or md5:d41d….")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Look up signals. Nothing is stored. Exit code 1 if any of them is known."""
    from jikimi.doors.shared.answers import SignalMatches, match_answer
    from jikimi.flows.scan import look_up_signals
    from jikimi.model.signal import parse_typed_signal

    asked = [parse_typed_signal(text) for text in signals]
    with kit_of(data) as kit:
        found = look_up_signals(kit, asked)
    for signal, matches in zip(asked, found, strict=True):
        answer = SignalMatches(type=signal.type, value=signal.text, matches=[match_answer(one) for one in matches])
        if as_json:
            write_json(answer)
            continue
        say(f"{signal.type}:{signal.text}  {len(matches)} matches")
        for one in answer.matches:
            say(f"    {one.bank} ({one.category}, {one.on_match})  distance {one.distance}  entry {one.entry_id}")
    raise typer.Exit(_MATCHED if any(found) else 0)


def list_scans(
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Only uploads that could not be checked.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List uploads that were held, blocked, logged or could not be checked."""
    from jikimi.doors.shared.answers import scan_answer

    with kit_of(data) as kit, kit.store.read() as tx:
        answers = [scan_answer(scan) for scan in tx.scans.list(unchecked=unchecked, limit=limit)]
    if as_json:
        for answer in answers:
            write_json(answer)
        return
    write_table(
        ("scan", "received", "checked again", "answer", "reasons", "source", "content id", "case"),
        [
            (a.scan_id, moment(a.received_at), moment(a.rechecked_at), a.verdict, ", ".join(a.reasons), a.source,
             a.content_id, a.case_id or "")
            for a in answers
        ],
    )  # fmt: skip


def open_regular(path: Path) -> BinaryIO:
    """Open a file, but no pipe or device, which could block for ever; `Refused` if that cannot be done."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Refused("file_unreadable", f"{os.fspath(path)} cannot be read: {why}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused("file_unreadable", f"{os.fspath(path)} is not a regular file.")
    return os.fdopen(descriptor, "rb")


def _walk(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, in order of their names; links to folders are not followed."""
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
            yield from _walk_folder(path)
        else:
            yield path


def _walk_folder(path: Path) -> Iterator[Path]:
    """All files in a folder. A folder that cannot be looked into is handed on like a file that cannot be read."""
    closed: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=lambda error: closed.append(Path(error.filename))):
        folders.sort()
        yield from (Path(folder) / name for name in sorted(names))
    yield from closed


def _in_order(items: Iterable[Path], work: Callable[[Path], T], at_once: int) -> Iterator[tuple[Path, T]]:
    """Work on a few items at once and yield the results in order, without ever holding all of them."""
    source = iter(items)
    with ThreadPoolExecutor(at_once) as pool:
        waiting: deque[tuple[Path, Future[T]]] = deque()
        for path in itertools.islice(source, 2 * at_once):
            waiting.append((path, pool.submit(work, path)))
        while waiting:
            path, future = waiting.popleft()
            yield path, future.result()
            waiting.extend((path, pool.submit(work, path)) for path in itertools.islice(source, 1))


def _hashes(reader: Reader, path: Path) -> dict[str, Any]:
    from jikimi.flows.scan import examine, unread

    try:
        with open_regular(path) as file:
            seen: Examination = examine(reader, file)
    except Refused:
        seen = unread(0, Reason.UNREADABLE)
    content = seen.content
    return {
        "path": os.fspath(path),
        "sha256": content.sha256 or None,
        "sha1": content.sha1 or None,
        "md5": content.md5 or None,
        "width": content.width,
        "height": content.height,
        "frames": seen.frames,
        "signals": [
            {"type": one.view.signal.type, "value": one.view.signal.text, "quality": one.view.signal.quality}
            for one in seen.seen
        ],
        "unchecked": str(seen.faults[0]) if seen.faults else None,
    }


def _say_hashes(path: Path, fields: dict[str, Any]) -> None:
    say(f"{os.fspath(path)}" + (f"  unchecked: {fields['unchecked']}" if fields["unchecked"] else ""))
    for name in ("sha256", "sha1", "md5"):
        if fields[name]:
            say(f"    {name:7}{fields[name]}")
    for signal in fields["signals"]:
        say(f"    {signal['type']:7}{signal['value']}  quality {signal['quality']}")


def _scanned(kit: Kit, path: Path) -> ScanAnswer:
    from jikimi.cli.terminal import actor
    from jikimi.doors.shared.answers import scan_answer
    from jikimi.doors.shared.text import storable
    from jikimi.flows.scan import scan, scan_unread
    from jikimi.model.scan import MAX_REFERENCE, Upload

    name = storable(os.fspath(path))[-MAX_REFERENCE:]
    upload = Upload(source=actor(), received_at=kit.clock(), content_id=name)
    try:
        file = open_regular(path)
    except Refused:
        return scan_answer(scan_unread(kit, upload, size=0, reason=Reason.UNREADABLE))
    with file:
        return scan_answer(scan(kit, upload, file))


def _fields(answer: ScanAnswer) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(answer)


def _scan_line(path: Path, answer: ScanAnswer) -> str:
    line = f"{answer.verdict:9} {shown(os.fspath(path))}"
    if answer.reasons:
        line += f"  {', '.join(answer.reasons)}"
    if answer.matches:
        first = answer.matches[0]
        line += f"  {first.bank} {first.signal_type} distance {first.distance}"
    if answer.case_id:
        line += f"  {answer.case_id}"
    return line
