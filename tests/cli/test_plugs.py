"""A plug-in of another package: installed, checked, named in the settings, added, pulled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jikimi.testing.listserver import Asked, ListServer, Reply
from jikimi.testing.shelf import Change, Shelf, value

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme-hashes"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example installed in it, as pip does."""
    folder = tmp_path_factory.mktemp("acme")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(source)], check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def jikimi(site: Path, tmp_path: Path) -> Run:
    """The command, where the example is installed."""

    def run(*arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith("JIKIMI_")}
        own |= {"PYTHONPATH": str(site), "JIKIMI_DATA": str(tmp_path / "data"), "JIKIMI_DECODE_WORKERS": "1"}
        command = [sys.executable, "-m", "jikimi", *arguments]
        done = subprocess.run(command, env=own | environment, capture_output=True, text=True, timeout=110)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


class Service(ListServer):
    """Acme's service for the example, from within this process."""

    def __init__(self) -> None:
        super().__init__({"Authorization": "Bearer of-nobody"})
        self.shelf = Shelf()

    def answer(self, asked: Asked) -> Reply:
        after = int(asked.query["after"])
        changes = self.shelf.changes(after, int(asked.query["limit"]))
        last = changes[-1].place + 1 if changes else after
        return Reply.json({"changes": [_shown(one) for one in changes], "last": last})


def _shown(change: Change) -> Mapping[str, Any]:
    state = "removed" if change.is_gone else "listed"
    return {"id": change.number, "md5": value("md5", change.number), "state": state, "changed": change.at}


@pytest.fixture
def acme() -> Iterator[Service]:
    with Service() as service:
        service.shelf.publish(1200)
        yield service


def states(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, bool]]:
    plugs = [json.loads(line) for line in done.stdout.splitlines()]
    return {plug["name"]: (plug["package"], plug["is_enabled"]) for plug in plugs}


def test_installed_is_not_enabled(jikimi: Run) -> None:
    assert states(jikimi("plug", "list", "--json"))["acme"] == ("acme-hashes", False)
    assert states(jikimi("plug", "list", "--json"))["ncmec"] == ("jikimi", True)
    done = jikimi("exchange", "add", "acme", "--kind", "acme", "--bank", "acme", "--category", "other", code=2)
    assert "[exchange_kind_disabled]" in done.stderr


def test_naming_it_enables_it(jikimi: Run) -> None:
    assert states(jikimi("plug", "list", "--json", JIKIMI_PLUGS='["acme"]'))["acme"] == ("acme-hashes", True)


def test_it_passes_the_check(jikimi: Run) -> None:
    done = jikimi("plug", "check", "acme", "--json", "--records", "2000")
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(checks) > 15
    assert [one for one in checks if not one["passed"]] == []
    assert "ok      Feedback is sent" in jikimi("plug", "check", "acme", "--records", "2000").stdout


def test_a_failed_check_is_told_by_the_exit_code(jikimi: Run, site: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(site, tmp_path / "broken")
    module = broken / "acme_hashes.py"
    module.write_text(module.read_text().replace('state"] == "removed"', 'state"] == "never"'))
    done = jikimi("plug", "check", "acme", "--records", "2000", code=1, PYTHONPATH=str(broken))
    assert "FAILED  What is withdrawn goes" in done.stdout


def test_what_is_not_installed_or_broken_is_said_in_one_line(jikimi: Run, site: Path, tmp_path: Path) -> None:
    assert "[plug_unknown]" in jikimi("plug", "check", "nothing", code=2).stderr
    broken = shutil.copytree(site, tmp_path / "broken")
    (broken / "acme_hashes.py").write_text("import nothing_of_this_name")
    done = jikimi("plug", "check", "acme", code=2, PYTHONPATH=str(broken))
    assert "ModuleNotFoundError" in done.stderr
    assert "[plug_broken]" in done.stderr
    listed = jikimi("plug", "list", PYTHONPATH=str(broken), JIKIMI_PLUGS='["acme"]').stdout
    assert "ModuleNotFoundError" in listed, "and everything else is still listed"
    assert "ncmec" in listed
    misspelt = jikimi("plug", "list", JIKIMI_PLUGS='["akme"]').stdout
    assert "No installed package brings it" in misspelt


def test_it_fills_a_bank(jikimi: Run, acme: Service, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-nobody\n")
    enabled = {"JIKIMI_PLUGS": '["acme"]'}
    add = ("exchange", "add", "acme", "--kind", "acme", "--bank", "acme", "--category", "other", "--on-match", "block")
    jikimi(*add, "--set", f"address={acme.url}", "--secret", f"token=@{tmp_path / 'token'}", **enabled)
    jikimi("exchange", "sync", "acme", **enabled)
    first, last = (f"md5:{value('md5', number)}" for number in (1, 1200))
    assert "acme (other, block)" in jikimi("match", first, code=1, **enabled).stdout
    acme.shelf.withdraw(1)
    jikimi("exchange", "sync", "acme", **enabled)
    assert "0 matches" in jikimi("match", first, **enabled).stdout
    shown = jikimi("match", last, code=1, **enabled).stdout + jikimi("exchange", "show", "acme", **enabled).stdout
    assert "acme (other, block)" in shown
    assert "of-nobody" not in shown


def test_a_secret_may_come_from_the_environment(jikimi: Run, acme: Service) -> None:
    enabled = {"JIKIMI_PLUGS": '["acme"]'}
    add = ("exchange", "add", "acme", "--kind", "acme", "--bank", "acme", "--set", f"address={acme.url}")
    bank = ("--category", "other", "--on-match", "log")
    assert "JIKIMI_SECRET_TOKEN" in jikimi(*add, *bank, "--secret", "token", code=2, **enabled).stderr
    assert "[bank_unknown]" in jikimi(*add, "--secret", "token", code=2, JIKIMI_SECRET_TOKEN="wrong", **enabled).stderr
    jikimi(*add, *bank, "--secret", "token", JIKIMI_SECRET_TOKEN="wrong", **enabled)
    assert "[exchange_denied]" in jikimi("exchange", "sync", "acme", code=2, **enabled).stderr
    jikimi("exchange", "change", "acme", "--secret", "token", JIKIMI_SECRET_TOKEN="of-nobody", **enabled)
    assert "1200 entries added" in jikimi("exchange", "sync", "acme", **enabled).stdout
