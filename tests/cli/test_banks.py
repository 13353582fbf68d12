"""`jikimi bank …`, on both databases."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jikimi.app import open_kit
from jikimi.engine.pattern import alter, paint
from tests.cli.conftest import Command
from tests.flows.story import audit_of, make_bank

KNOWN = paint(1)
MD5, SHA1 = "0f" * 16, "cd" * 20
_BANK_KEYS = {
    "name", "category", "on_match", "max_distance", "quality_floor", "source", "note", "enabled", "created_at",
    "flooded_at", "entries", "withdrawn", "on_disputed", "on_unconfirmed",
}  # fmt: skip


def test_a_bank_from_its_making_to_its_end(jikimi_on_both: Command, tmp_path: Path) -> None:
    jikimi = jikimi_on_both
    picture, copy = tmp_path / "a\npicture.png", tmp_path / "copy.jpg"
    picture.write_bytes(KNOWN)
    copy.write_bytes(alter(KNOWN))
    made = jikimi(
        "bank", "create", "known", "--category", "ncii", "--on-match", "block", "--max-distance", "30", "--note", "n",
        "--json",
    ).object  # fmt: skip
    assert set(made) == _BANK_KEYS
    assert (made["name"], made["category"], made["on_match"], made["max_distance"]) == ("known", "ncii", "block", 30)
    assert "[bank_exists]" in jikimi("bank", "create", "known", "--category", "csam", "--on-match", "log", code=2).err

    added = jikimi("bank", "add", "known", picture, "--signal", f"md5:{MD5}", "--json").object
    assert added == {"bank": "known", "added": 3, "present": 0}
    assert jikimi("scan", copy, "--json", code=1).object["verdict"] == "block"

    exported = jikimi("bank", "export", "known").objects
    assert {entry["type"] for entry in exported} == {"sha256", "pdq", "md5"}
    assert all(set(entry) == {"type", "value", "quality", "note"} for entry in exported)
    (pdq,) = (entry["value"] for entry in exported if entry["type"] == "pdq")

    withdrawn = jikimi("bank", "withdraw", "known", f"pdq:{pdq}", "--json").object
    assert (withdrawn["type"], withdrawn["value"]) == ("pdq", pdq)
    assert jikimi("scan", copy, "--json").object["verdict"] == "clear"
    shown = jikimi("bank", "show", "known", "--json").object
    assert (shown["entries"], shown["withdrawn"]) == ({"md5": 1, "pdq": 0, "sha256": 1}, 1)

    changed = jikimi("bank", "change", "known", "--on-match", "hold", "--disable", "--json").object
    assert (changed["on_match"], changed["enabled"], changed["max_distance"]) == ("hold", False, 30)
    assert "disabled" in jikimi("bank", "list").out
    assert "[not_confirmed]" in jikimi("bank", "delete", "known", code=2).err
    assert jikimi("bank", "delete", "known", "--yes", "--json").object == {"bank": "known", "deleted": 3}
    assert jikimi("bank", "list", "--json").objects == []


def test_a_list_is_imported_in_every_form(jikimi: Command, tmp_path: Path) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    plain, table, lines = tmp_path / "plain.txt", tmp_path / "table.csv", tmp_path / "lines.ndjson"
    plain.write_text(f"# a list\nmd5:{MD5}\n{SHA1}\n")
    table.write_bytes(f"type,value,note\r\nmd5,{MD5},again\r\nmd5,{'1f' * 16},\r\n".encode("utf-8-sig"))
    lines.write_text(json.dumps({"pdq": "ab" * 32, "quality": 90, "note": "한국어"}) + "\n")
    for file, added, present in ((plain, 2, 0), (table, 1, 1), (lines, 1, 0)):
        said = jikimi("bank", "import", "known", file, "--json").object
        assert said == {"bank": "known", "added": added, "present": present, "bad": 0}
    assert jikimi("bank", "import", "known", "-", "--json", given="2f" * 16).object["added"] == 1
    assert jikimi("bank", "import", "known", "-", "--type", "pdq", given="2f" * 32).out.startswith("known: 1 added")


def test_bad_lines_are_told_with_their_numbers_and_good_ones_kept(jikimi: Command, tmp_path: Path) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    file = tmp_path / "list\n\udcff.txt"
    file.write_bytes(
        b"# head\nmd5:" + b"0f" * 16 + b"\nnonsense\n\xff\xfe\x00\n" + b"x" * 500_000 + b"\nmd5:zz\n" + b"1f" * 16
    )
    said = jikimi("bank", "import", "known", file, "--json", code=2)
    assert said.object == {"bank": "known", "added": 2, "present": 0, "bad": 4}
    told = said.err.splitlines()
    assert [f"line {number}: " in line for number, line in zip((3, 4, 5, 6), told, strict=True)] == [True] * 4
    assert all(line.startswith("jikimi: ") and line.endswith("[line_bad]") for line in told)


def test_strict_imports_nothing_if_one_line_is_bad(jikimi: Command, tmp_path: Path) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    file = tmp_path / "list.txt"
    file.write_text(f"md5:{MD5}\nnonsense\n")
    said = jikimi("bank", "import", "known", file, "--strict", code=2)
    assert "line 2: " in said.err
    assert "[list_has_bad_lines]" in said.err
    with open_kit(jikimi.settings) as kit:
        assert [event.verb for event in audit_of(kit, "bank:known")] == ["bank.created"]
    file.write_text(f"md5:{MD5}\n")
    assert jikimi("bank", "import", "known", file, "--strict", "--json").object["added"] == 1
    assert "[strict_needs_file]" in jikimi("bank", "import", "known", "-", "--strict", code=2).err


def test_of_very_many_bad_lines_some_are_told_and_all_are_counted(jikimi: Command, tmp_path: Path) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    file = tmp_path / "list.txt"
    file.write_text("nonsense\n" * 5000)
    said = jikimi("bank", "import", "known", file, "--json", code=2)
    assert said.object["bad"] == 5000
    assert len(said.err.splitlines()) == 21
    assert "4980 more lines are bad" in said.err


def test_what_cannot_be_done_is_refused_in_one_line(jikimi: Command, tmp_path: Path) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    os.mkfifo(tmp_path / "pipe")
    not_text = os.fsdecode(b"\xff")
    for arguments, code in (
        (("bank", "show", "none"), "bank_unknown"),
        (("bank", "show", not_text), ""),
        (("bank", "add", "known"), "nothing_to_add"),
        (("bank", "add", "known", tmp_path / "missing"), "file_unreadable"),
        (("bank", "add", "known", tmp_path / "pipe"), "file_unreadable"),
        (("bank", "add", "known", "--signal", "md5:zz"), "signal_value_invalid"),
        (("bank", "add", "known", "--signal", f"md5:{MD5}", "--note", not_text), "bank_text_invalid"),
        (("bank", "import", "known", tmp_path), "file_unreadable"),
        (("bank", "import", "known", tmp_path / "missing"), "file_unreadable"),
        (("bank", "import", "none", tmp_path / "missing"), "bank_unknown"),
        (("bank", "withdraw", "known", f"md5:{MD5}"), "entry_unknown"),
        (("bank", "create", "a b", "--category", "csam", "--on-match", "block"), "bank_name_invalid"),
    ):
        said = jikimi(*arguments, code=2)
        assert said.err.count("\n") == 1, said
        assert f"[{code}" in said.err
        assert said.out == ""


def test_a_picture_that_can_only_be_added_in_part_is_told(jikimi: Command, tmp_path: Path) -> None:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known")
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(KNOWN[:4000])
    said = jikimi("bank", "add", "known", damaged, "--json")
    assert said.object["added"] == 1
    assert "undecodable" in said.err
