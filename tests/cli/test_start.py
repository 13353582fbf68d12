"""The command starts quickly, helps at once, and works beside a running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.engine.pattern import alter, paint
from tests.cli.conftest import Command
from tests.doors.conftest import running, wait_until_ready
from tests.flows.story import make_bank

KNOWN = paint(1)
_HEAVY = {"sqlalchemy", "alembic", "fastapi", "starlette", "uvicorn", "numpy", "PIL", "psycopg", "urllib3"}

_ALL_HELP = """
import contextlib, io, json, sys
from jikimi.cli import app, main
pages = {}
for words in json.loads(sys.argv[1]):
    sys.argv = ["jikimi", *words, "--help"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main()
    pages[" ".join(words)] = out.getvalue()
print(json.dumps({"pages": pages, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""
_COMMANDS = [
    "", "up", "doctor", "hash", "scan", "match", "scans", "bank", "bank create", "bank change", "bank resume",
    "bank add", "bank import", "bank list", "bank show", "bank export", "bank withdraw", "bank delete", "case",
    "case list", "case show", "key", "key create", "key list", "key revoke", "audit", "audit verify",
    "person", "person list", "person invite", "person link", "person disable",
    "vault", "vault status", "vault init", "vault rotate", "vault recovery", "vault restore", "vault verify",
    "vault lift", "vault destroy",
]  # fmt: skip


def test_every_command_helps_without_loading_what_it_would_need_to_work() -> None:
    words = json.dumps([command.split() for command in _COMMANDS])
    done = subprocess.run(
        [sys.executable, "-c", _ALL_HELP, words], capture_output=True, text=True, timeout=60, check=True
    )
    told = json.loads(done.stdout)
    assert not _HEAVY & set(told["modules"])
    for command, page in told["pages"].items():
        assert page.startswith("Usage: "), command
        assert command.split()[-1:] == [] or command.split()[-1] in page


@pytest.mark.parametrize("start", [[sys.executable, "-m", "jikimi"], [str(Path(sys.executable).with_name("jikimi"))]])
def test_it_is_started_by_its_name_and_as_a_module(tmp_path: Path, start: list[str]) -> None:
    (tmp_path / "known.png").write_bytes(KNOWN)
    environment = {**os.environ, "JIKIMI_DATA": str(tmp_path / "data")}
    for arguments, code in ((["hash", tmp_path / "known.png", "--json"], 0), (["bank", "show", "none"], 2)):
        done = subprocess.run(
            [*start, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        assert done.returncode == code
    assert done.stderr.startswith("jikimi: There is no bank")
    assert done.stderr.endswith("[bank_unknown]\n")


@pytest.mark.parametrize("arguments", [["nonsense"], ["bank", "create"], ["scan"], ["key", "create", "x"], ["--no"]])
def test_a_call_that_makes_no_sense_is_told(jikimi: Command, arguments: list[str]) -> None:
    said = jikimi(*arguments, code=2)
    assert "Usage: " in said.err


def test_what_a_command_adds_a_running_service_matches_within_a_second(jikimi: Command, tmp_path: Path) -> None:
    data = jikimi.settings.data
    (tmp_path / "known.png").write_bytes(KNOWN)
    copy = alter(KNOWN)
    with running(data, JIKIMI_CANARY_SECONDS="60") as server:
        wait_until_ready(server)
        jikimi("bank", "create", "known", "--category", "csam", "--on-match", "block")
        assert server.ask("POST", "/v1/scan", body=copy).body["verdict"] == "clear"
        jikimi("bank", "add", "known", tmp_path / "known.png")
        time.sleep(1.0)
        assert server.ask("POST", "/v1/scan", body=copy).body["verdict"] == "block"
        # A key that a command makes opens at once, and a bank that a command deletes is gone at once.
        key = jikimi("key", "create", "late", "--scope", "scan").out.strip()
        assert server.ask("POST", "/v1/scan", key=key, body=copy).body["verdict"] == "block"
        jikimi("bank", "delete", "known", "--yes")
        assert server.ask("POST", "/v1/scan", key=key, body=copy).body["verdict"] == "clear"
        jikimi("key", "revoke", "late")
        assert server.ask("POST", "/v1/scan", key=key, body=copy).status == 401


def test_a_demonstration_answers_block_as_it_promises(tmp_path: Path) -> None:
    with running(tmp_path / "data", demo=True) as server:
        wait_until_ready(server)
        key = (server.data / "demo" / "key").read_text().strip()
        altered = (server.data / "demo" / "altered.jpg").read_bytes()
        reply = server.ask("POST", "/v1/scan", key=key, body=altered)
        assert reply.body["verdict"] == "block"
        assert [match["bank"] for match in reply.body["matches"]] == ["demo"]
        assert (server.data / "demo" / "key").stat().st_mode & 0o077 == 0


def test_a_demonstration_leaves_records_in_use_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_kit(Settings.load(data=data)) as kit:
        make_bank(kit, "known")
    with running(data, demo=True):
        assert not (data / "demo").exists()
    assert data.stat().st_mode & 0o077 == 0
