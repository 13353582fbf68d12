"""`jikimi hash`, `scan`, `match` and `scans`, on files of all sorts and names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jikimi.app import open_kit
from jikimi.engine.pattern import alter, paint
from tests.cli.conftest import Command
from tests.conftest import PICTURES
from tests.flows.story import make_bank

KNOWN, OTHER = paint(1), paint(2)
COPY = alter(KNOWN)
_WEE = PICTURES / "misc" / "wee.jpg"
_SCAN_KEYS = {
    "path", "scan_id", "verdict", "reasons", "signals", "matches", "coverage", "elapsed_ms", "url", "filename",
    "case_id", "content_id", "account_id",
    "source", "received_at", "rechecked_at", "kind", "size", "sha256", "sha1", "md5", "width", "height",
}  # fmt: skip


@pytest.fixture
def bank(jikimi: Command) -> str:
    """A bank that blocks the known picture."""
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known", KNOWN)
    return "known"


def strange_folder(folder: Path) -> None:
    """Names with newlines and other bytes than text, a pipe, a dangling link, an empty folder, a folder in a folder."""
    (folder / "in").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "in" / "copy\nwith\x1b[31m newline.jpg").write_bytes(COPY)
    Path(os.fsdecode(os.fsencode(folder) + b"/not \xff\xfe text.png")).write_bytes(OTHER)
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"just text")
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to(folder / "nowhere")


def test_hash_tells_what_is_known_of_a_file(jikimi: Command) -> None:
    assert jikimi("hash", _WEE, "--json").object == {
        "path": str(_WEE),
        "sha256": "05636c50d0c2ffe3a820f964eaba35b404deadd10538fe452ad9fb16fdd823d7",
        "sha1": "7fdbc7fe30189f0a16fbaae7162c9c5eb3c7987c",
        "md5": "8bbbaa9540800e378beadc8bbef7bb32",
        "width": 34,
        "height": 42,
        "frames": 1,
        "signals": [
            {
                "type": "pdq",
                "value": "6227401f601ff4ccafcc9fad4b0d95d371a2eb7265a3285234d228ca94deeb2d",
                "quality": 100,
            }
        ],
        "unchecked": None,
    }
    assert not jikimi.settings.data.exists()


def test_hash_of_strange_files(jikimi: Command, tmp_path: Path) -> None:
    strange_folder(tmp_path / "files")
    answers = jikimi("hash", tmp_path / "files", tmp_path / "missing", "--json", code=2).objects
    by_name = {answer["path"].removeprefix(str(tmp_path)): answer for answer in answers}
    assert {name: answer["unchecked"] for name, answer in by_name.items()} == {
        "/files/dangling": "unreadable",
        "/files/empty.png": "empty",
        "/files/not \udcff\udcfe text.png": None,
        "/files/pipe": "unreadable",
        "/files/text.png": "unsupported",
        "/files/in/copy\nwith\x1b[31m newline.jpg": None,
        "/missing": "unreadable",
    }
    assert by_name["/missing"]["sha256"] is None
    assert by_name["/files/text.png"]["sha256"]
    said = jikimi("hash", tmp_path / "files", code=2)
    assert "\x1b" not in said.out
    assert "copy\\nwith" in said.out


def test_scan_of_strange_files(jikimi: Command, bank: str, tmp_path: Path) -> None:
    strange_folder(tmp_path / "files")
    answers = jikimi("scan", tmp_path / "files", "--json", "--workers", "3", code=1).objects
    assert all(set(answer) == _SCAN_KEYS for answer in answers)
    assert [(Path(answer["path"]).name, answer["verdict"], answer["reasons"]) for answer in answers] == [
        ("dangling", "unchecked", ["unreadable"]),
        ("empty.png", "unchecked", ["empty"]),
        ("not \udcff\udcfe text.png", "clear", []),
        ("pipe", "unchecked", ["unreadable"]),
        ("text.png", "unchecked", ["unsupported"]),
        ("copy\nwith\x1b[31m newline.jpg", "block", ["match"]),
    ]
    blocked = answers[-1]
    assert [match["bank"] for match in blocked["matches"]] == [bank]
    assert blocked["case_id"].startswith("case_")
    assert blocked["source"].startswith("cli:")
    remembered = jikimi("scans", "--json").objects
    assert {scan["verdict"] for scan in remembered} == {"unchecked", "block"}
    assert [scan["verdict"] for scan in jikimi("scans", "--unchecked", "--json").objects] == ["unchecked"] * 4
    assert len(jikimi("scans", "--limit", "2", "--json").objects) == 2
    assert "\x1b" not in jikimi("scans").out


def test_the_exit_code_says_what_was_found(jikimi: Command, bank: str, tmp_path: Path) -> None:
    files = {"copy.jpg": COPY, "other.png": OTHER, "empty.png": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    other, empty, copy = (tmp_path / name for name in ("other.png", "empty.png", "copy.jpg"))
    assert "1 clear" in jikimi("scan", other).out
    assert "1 clear · 1 unchecked" in jikimi("scan", other, empty, code=2).out
    assert f"{bank} pdq distance" in jikimi("scan", other, empty, copy, code=1).out
    assert "nothing to scan" in jikimi("scan", tmp_path / "folder").out


def test_a_folder_that_cannot_be_looked_into_is_not_clear(jikimi: Command, tmp_path: Path) -> None:
    """Deeper than the system lets any path be: nobody, not even root, can open it by its name."""
    top = tmp_path / "deep"
    top.mkdir()
    before = Path.cwd()
    os.chdir(top)
    try:
        for _ in range(25):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    finally:
        os.chdir(before)
    (answer,) = jikimi("scan", top, "--json", code=2).objects
    assert (answer["verdict"], answer["reasons"]) == ("unchecked", ["unreadable"])
    assert jikimi("hash", top, "--json", code=2).object["unchecked"] == "unreadable"


@pytest.mark.parametrize("name", ["a" * 300, "x/" * 3000, os.fsdecode(b"\xff\xfe")])
def test_a_name_that_no_file_can_have_is_unreadable(jikimi: Command, name: str) -> None:
    assert jikimi("scan", name, "--json", code=2).object["reasons"] == ["unreadable"]


def test_match_looks_signals_up(jikimi: Command, bank: str) -> None:
    answer = jikimi("hash", _WEE, "--json").object
    with open_kit(jikimi.settings) as kit, kit.store.read() as tx:
        (known,) = tx.banks.all()
        signals = [f"{entry.signal.type}:{entry.signal.text}" for entry in tx.entries.export(known)]
    found = jikimi("match", *signals, "--json", code=1).objects
    assert [set(one) for one in found] == [{"type", "value", "matches"}] * 2
    assert [[match["bank"] for match in one["matches"]] for one in found] == [[bank], [bank]]
    assert f"{bank} (csam, block)  distance 0" in jikimi("match", *signals, code=1).out
    assert jikimi("match", f"md5:{answer['md5']}", "--json").object["matches"] == []
    for wrong in ("nonsense", "phash:00", "md5:00"):
        assert "[signal_" in jikimi("match", wrong, code=2).err


def test_many_files_are_answered_in_order_and_none_is_lost(jikimi: Command, bank: str, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.jpg").write_bytes(COPY)
    started = time.monotonic()
    answers = jikimi("scan", tmp_path, "--json", "--workers", "4", code=1).objects
    names = [Path(answer["path"]).name for answer in answers if answer["path"].endswith(".jpg")]
    assert names == [f"{number:02}.jpg" for number in range(30)]
    assert len({answer["case_id"] for answer in answers if answer["kind"] == "jpeg"}) == 1
    assert time.monotonic() - started < 50


def test_output_that_nobody_reads_any_more_is_no_fault(jikimi: Command, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number in range(400):
        (tmp_path / "files" / f"{number}.txt").write_bytes(b"text")
    with subprocess.Popen(
        [sys.executable, "-m", "jikimi", "hash", tmp_path / "files", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "JIKIMI_DATA": str(jikimi.settings.data)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
