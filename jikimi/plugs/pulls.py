"""Lists are pulled by processes of their own, so that neither memory nor the interpreter is taken from uploads.

Such a process is `jikimi exchange sync NAME` with the settings of this one: the same data folder, the same environment.
It yields to everything else on the machine, and ends with the service. What it says last on stderr goes to our log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jikimi.ports import Log

AT_ONCE = 2
_NICENESS = 19
_BUSY = 75
_STOP_SECONDS = 5.0
_LAST_BYTES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]


class Pulls:
    """The pulls that this service has started."""

    def __init__(self, data: Path, log: Log, note: Callable[[str], object]) -> None:
        self._data = data
        self._log = log
        self._note = note
        self._children: dict[str, _Child] = {}

    def start(self, due: Sequence[str]) -> None:
        """See to those that have ended, and start those that are due, a few at once."""
        for name, child in list(self._children.items()):
            if child.process.poll() is not None:
                del self._children[name]
                self._tell(name, child)
        for name in due:
            if name not in self._children and len(self._children) < AT_ONCE:
                self._children[name] = self._begin(name)

    def stop(self) -> None:
        """End all of them; they give their turns back, and the next ones go on from there."""
        for child in self._children.values():
            _signal(child, signal.SIGTERM)
        for child in self._children.values():
            try:
                child.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.process.wait()
            child.errors.close()
        self._children.clear()

    def _begin(self, name: str) -> _Child:
        errors = tempfile.TemporaryFile()
        command = [sys.executable, "-m", "jikimi", "exchange", "sync", "--data", str(self._data), "--", name]
        process = subprocess.Popen(  # noqa: S603 - our own command; the name was checked when it was stored
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
            # Where the kernel shares the processors out by session, that of the process counts only beside its own.
            Path(f"/proc/{process.pid}/autogroup").write_text(str(_NICENESS))
        return _Child(process=process, errors=errors)

    def _tell(self, name: str, child: _Child) -> None:
        with child.errors as errors:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LAST_BYTES))
            said = errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        code = child.process.returncode
        if code == 0:
            self._log.info("exchange_pulled", exchange=name)
        elif code == _BUSY and "[exchange_busy]" in said:
            self._log.info("exchange_busy", exchange=name)
        else:
            self._note("exchange_failed")
            self._log.error("exchange_failed", exchange=name, exit_code=code, said=said)


def _signal(child: _Child, number: signal.Signals) -> None:
    """Tell a child and whatever it has started."""
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)
