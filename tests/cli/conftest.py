"""The command as people type it: a process of its own for every call, and what it said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jikimi.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a call printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The NDJSON of `--json`."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        """The only object."""
        (one,) = self.objects
        return one


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`jikimi` on a data folder of its own."""

    settings: Settings
    forge: subprocess.Popen[str]
    folder: Path

    def __call__(self, *arguments: str | Path, code: int = 0, given: str = "", **environment: str) -> Said:
        """Run it; it has to end with this code, without a traceback, and with every error on one line."""
        own = {
            **{name: value for name, value in os.environ.items() if not name.startswith("JIKIMI_")},
            "JIKIMI_DATA": str(self.settings.data),
            "JIKIMI_DATABASE_URL": self.settings.database_url,
            "JIKIMI_DECODE_WORKERS": "1",
            **environment,
        }
        streams = [self.folder / name for name in ("in", "out", "err")]
        streams[0].write_text(given)
        request = {
            "arguments": [os.fspath(argument) for argument in arguments],
            "environment": [f"{name}={value}" for name, value in own.items()],
            "streams": [str(path) for path in streams],
        }
        assert self.forge.stdin is not None
        assert self.forge.stdout is not None
        self.forge.stdin.write(json.dumps(request) + "\n")
        self.forge.stdin.flush()
        ended = int(self.forge.stdout.readline())
        said = Said(code=ended, out=streams[1].read_text(), err=streams[2].read_text())
        assert "Traceback" not in said.out + said.err
        assert "[fault]" not in said.err
        assert said.code == code, said
        return said


@pytest.fixture(scope="session")
def forge() -> Iterator[subprocess.Popen[str]]:
    """Where the processes of the command come from; see `forge.py`."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.forge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def jikimi(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, forge: subprocess.Popen[str]) -> Command:
    """The command on a fresh SQLite installation."""
    settings = Settings.load(data=tmp_path / "data", decode_workers=1)
    return Command(settings=settings, forge=forge, folder=tmp_path_factory.mktemp("streams"))


@pytest.fixture
def jikimi_on_both(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, forge: subprocess.Popen[str]
) -> Command:
    """The command on a fresh installation, on each database in turn."""
    return Command(settings=settings, forge=forge, folder=tmp_path_factory.mktemp("streams"))
