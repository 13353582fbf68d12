"""`jikimi case`, `key`, `audit` and `doctor`."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jikimi.app import open_kit
from jikimi.engine.decode import native
from jikimi.engine.pattern import paint
from jikimi.flows.kept import write_kept
from jikimi.flows.key import authenticate
from jikimi.flows.look_back import look_back
from jikimi.model.people import Scope
from tests.cli.conftest import Command
from tests.flows.story import make_bank, tamper, upload

KNOWN = paint(1)


def test_cases_are_listed_and_shown(jikimi: Command) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known", KNOWN)
        answer = upload(kit, KNOWN, account="me\x1b[31m@example", name="post/1")
    (case,) = jikimi("case", "list", "--json").objects
    assert set(case) == {
        "case_id", "kind", "severity", "state", "opened_at", "updated_at", "contents", "accounts", "version",
        "origin", "target_at",
    }  # fmt: skip
    assert case["case_id"] == answer.case_id
    shown = jikimi("case", "show", case["case_id"], "--json").object
    assert set(shown) == {"case", "scans", "decisions", "actions", "appeals", "user_reports", "events"}
    assert [scan["scan_id"] for scan in shown["scans"]] == [answer.id]
    assert [event["verb"] for event in shown["events"]] == ["case.opened"]
    for said in (jikimi("case", "list"), jikimi("case", "show", case["case_id"])):
        assert case["case_id"] in said.out
        assert "\x1b" not in said.out
    assert "[case_unknown]" in jikimi("case", "show", "none", code=2).err
    assert jikimi("case", "show", os.fsdecode(b"\xff"), code=2).err.count("\n") == 1


def test_what_was_recognised_later_is_told_with_both_dates(jikimi: Command) -> None:
    with open_kit(jikimi.settings) as kit:
        look_back(kit)
        uploaded = upload(kit, KNOWN, name="post/1")
        write_kept(kit)
        make_bank(kit, "known", KNOWN)
        look_back(replace(kit, clock=lambda: datetime.now(UTC) + timedelta(days=2)))
    (scan,) = jikimi("scans", "--json").objects
    assert datetime.fromisoformat(scan["received_at"]) == uploaded.upload.received_at
    assert datetime.fromisoformat(scan["rechecked_at"]) > uploaded.upload.received_at + timedelta(days=1)
    for said in (jikimi("scans").out, jikimi("case", "show", scan["case_id"]).out):
        for at in (scan["received_at"], scan["rechecked_at"]):
            assert f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M}" in said
    assert "found_later" in jikimi("scans").out


def test_a_key_is_shown_once_and_revoked(jikimi: Command) -> None:
    made = jikimi("key", "create", "forum", "--scope", "scan", "--scope", "read", "--json").object
    assert set(made) == {"name", "scopes", "key"}
    assert made["scopes"] == ["read", "scan"]
    with open_kit(jikimi.settings) as kit:
        assert authenticate(kit, made["key"], Scope.SCAN).name == "forum"
    listed = jikimi("key", "list", "--json")
    assert [set(one) for one in listed.objects] == [{"name", "scopes", "created_at", "revoked_at"}]
    assert made["key"] not in listed.out + jikimi("key", "list").out
    assert "[key_exists]" in jikimi("key", "create", "forum", "--scope", "scan", code=2).err
    assert jikimi("key", "revoke", "forum", "--json").object == {"name": "forum", "revoked": True}
    assert "[key_unknown]" in jikimi("key", "revoke", "forum", code=2).err
    secret = jikimi("key", "create", "second", "--scope", "banks").out
    assert secret.startswith("jk_")
    assert secret.count("\n") == 1


def test_the_audit_chain_is_verified(jikimi_on_both: Command) -> None:
    jikimi = jikimi_on_both
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    told = jikimi("audit", "verify", "--json").object
    assert set(told) == {"ok", "events", "head", "mistake"}
    assert (told["ok"], told["events"], told["mistake"]) == (True, 1, "")
    tamper(jikimi.settings, "UPDATE audit SET actor = 'x'")
    told = jikimi("audit", "verify", "--json", code=1).object
    assert (told["ok"], told["mistake"]) == (False, "event 1 was changed")
    assert "[audit_broken]" in jikimi("audit", "verify", code=1).err
    tamper(jikimi.settings, "UPDATE audit SET detail = 'x'")
    assert "[audit_broken]" in jikimi("audit", "verify", code=1).err


def test_the_doctor_finds_what_needs_attention(jikimi: Command) -> None:
    findings = jikimi("doctor", "--json").objects
    by_check = {finding["check"]: finding["finding"] for finding in findings}
    assert by_check["plain JPEGs"] == "in the native fork server" or native.program() is None
    switched_off = jikimi("doctor", "--json", JIKIMI_KERNEL_LEVEL="numpy").objects
    assert "in the general fork server: there is no native one" in [finding["finding"] for finding in switched_off]
    assert all(set(finding) == {"check", "ok", "finding"} for finding in findings)
    assert {"jikimi", "sandbox", "codecs", "data folder", "records", "index", "audit"} <= {
        finding["check"] for finding in findings
    }
    assert stat.S_IMODE(jikimi.settings.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(jikimi.settings.data.stat().st_mode) == 0o700
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    tamper(jikimi.settings, "DELETE FROM audit")
    broken = {finding["check"]: finding for finding in jikimi("doctor", "--json", code=1).objects}
    assert [check for check, finding in broken.items() if not finding["ok"]] == ["audit"]
    assert "!!" in jikimi("doctor", code=1, JIKIMI_SANDBOX="false").out


def test_settings_that_need_a_change_are_told_in_one_line(jikimi: Command, tmp_path: Path) -> None:
    for said in (
        jikimi("bank", "list", code=2, JIKIMI_PORT="many"),
        jikimi("bank", "list", code=2, JIKIMI_DATABASE_URL="mysql://x"),
        jikimi("bank", "list", code=2, JIKIMI_DATABASE_URL="nonsense"),
        jikimi("bank", "list", code=2, JIKIMI_DATA="/dev/null/x"),
    ):
        assert said.err.count("\n") == 1, said
    said = jikimi("bank", "list", code=75, JIKIMI_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert "[store_unavailable]" in said.err
    jikimi.settings.data.mkdir(exist_ok=True)
    (jikimi.settings.data / "jikimi.toml").write_text("port = 'many'\nnonsense = 1\n")
    said = jikimi("bank", "list", code=2)
    assert "port" in said.err
    assert "nonsense" in said.err
    (jikimi.settings.data / "jikimi.toml").write_text("not toml")
    assert "[settings_invalid]" in jikimi("bank", "list", code=2).err


def test_an_empty_variable_counts_as_not_set(jikimi: Command, tmp_path: Path) -> None:
    """`JIKIMI_DATA=` must not make the folder where we happen to stand our data folder."""
    said = jikimi("doctor", "--json", JIKIMI_DATA="", JIKIMI_PORT="", XDG_DATA_HOME=str(tmp_path / "xdg"))
    (folder,) = (one["finding"] for one in said.objects if one["check"] == "data folder")
    assert folder.startswith(str(tmp_path / "xdg" / "jikimi"))


def test_a_port_that_is_taken_is_told(jikimi: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = jikimi("up", "--port", str(taken.getsockname()[1]), code=2)
    assert "[address_taken]" in said.err
