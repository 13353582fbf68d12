"""The command as people type it: a process of its own for every call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

    def __call__(self, *arguments: str | Path, code: int = 0, given: str = "", **environment: str) -> Said:
        """Run it; it has to end with this code, without a traceback, and with every error on one line."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("JIKIMI_")}
        done = subprocess.run(
            [sys.executable, "-m", "jikimi", *arguments],
            input=given.encode(),
            capture_output=True,
            timeout=60,
            check=False,
            env={
                **own,
                "JIKIMI_DATA": str(self.settings.data),
                "JIKIMI_DATABASE_URL": self.settings.database_url,
                "JIKIMI_DECODE_WORKERS": "1",
                **environment,
            },
        )
        said = Said(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())
        assert "Traceback" not in said.out + said.err
        assert "[fault]" not in said.err
        assert said.code == code, said
        return said


@pytest.fixture
def jikimi(tmp_path: Path) -> Command:
    """The command on a fresh SQLite installation."""
    return Command(settings=Settings.load(data=tmp_path / "data", decode_workers=1))


@pytest.fixture
def jikimi_on_both(settings: Settings) -> Command:
    """The command on a fresh installation, on each database in turn."""
    return Command(settings=settings)
