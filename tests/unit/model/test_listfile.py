"""A list of signals is read in three forms; a bad line has a number and a reason, and never stops the reading."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jikimi.model.bank import MAX_TEXT, NewEntry
from jikimi.model.listfile import MAX_LINE, BadLine, GoodLine, ListLine, read_list
from jikimi.model.signal import SIGNAL_KINDS, Signal

PDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
SHA256 = "ab" * 32
SHA1 = "cd" * 20
MD5 = "0f" * 16

_SCRAPS = st.sampled_from(
    [
        "pdq", "sha256", "md5", ":", ",", " ", '"', "{", "}", "[", "]", "#", "type", "value", "quality", "note",
        "signals", PDQ, SHA1, MD5, "\ufeff", "\x00", "\r", "\n", "\udcff", "NaN", "1e999", "-1", "null", "٣", '{"',
        '{"type":"pdq","value":"', '"}',
    ]  # fmt: skip
)
_HOSTILE = st.one_of(st.text(alphabet=st.characters(), max_size=60), st.lists(_SCRAPS, max_size=8).map("".join))


def read(*lines: str, type_: str = "") -> list[ListLine]:
    return list(read_list(lines, type_=type_))


def signals(*lines: str, type_: str = "") -> list[str]:
    """Every good entry as TYPE:VALUE; a bad line is a failure."""
    found = read(*lines, type_=type_)
    assert all(isinstance(line, GoodLine) for line in found), found
    return [f"{line.entry.signal.type}:{line.entry.signal.text}" for line in found if isinstance(line, GoodLine)]


@given(st.lists(_HOSTILE, max_size=6), st.sampled_from(["", "pdq", "nonsense"]))
@example(["{" + '"a":[' * 5000], "")
@example(['{"value": ' + "1" * 5000 + "}"], "")
@example([f"value,note\n{PDQ},a", "a" * 200_000 + ",b"], "pdq")
def test_no_text_makes_it_fail(lines: list[str], type_: str) -> None:
    found = read(*lines, type_=type_)
    numbers = [line.number for line in found]
    assert all(1 <= number <= len(lines) for number in numbers)
    assert all(before <= after for before, after in pairwise(numbers))
    for line in found:
        if isinstance(line, GoodLine):
            signal = line.entry.signal
            assert len(signal.value) == SIGNAL_KINDS[signal.type].length
            assert len(line.entry.note.encode()) <= 4 * MAX_TEXT
            assert "\x00" not in line.entry.note
        else:
            assert line.problem


@pytest.mark.parametrize(
    "line",
    [f"pdq:{PDQ}", f"pdq {PDQ}", f"PDQ:{PDQ.upper()}", f"  pdq:\t{PDQ}  ", f"pdq\t{PDQ}\r\n", f"\ufeffpdq:{PDQ}"],
)
def test_a_plain_line(line: str) -> None:
    assert signals(line) == [f"pdq:{PDQ}"]


def test_a_bare_value_says_its_type_by_its_length() -> None:
    assert signals(MD5, SHA1) == [f"md5:{MD5}", f"sha1:{SHA1}"]


def test_sixty_four_digits_need_a_type() -> None:
    (bad,) = read(PDQ)
    assert isinstance(bad, BadLine)
    assert "--type" in bad.problem
    assert signals(PDQ, type_="pdq") == [f"pdq:{PDQ}"]
    assert signals(PDQ, type_="sha256") == [f"sha256:{PDQ}"]


@pytest.mark.parametrize(
    "lines",
    [
        ("type,value,note", f"pdq,{PDQ},from a friend"),
        ("note;x,hash,algorithm", f"whatever,{PDQ},pdq"),
        ("Type , Value", f" pdq , {PDQ} "),
        (f"pdq,{PDQ}",),
        ("pdq,note", f"{PDQ},from a friend"),
        ("\ufefftype,value", f'"pdq","{PDQ}"'),
    ],
)
def test_csv_with_and_without_a_header(lines: tuple[str, ...]) -> None:
    assert signals(*lines) == [f"pdq:{PDQ}"]


def test_csv_with_a_column_for_each_type() -> None:
    assert signals("md5,sha1,note", f"{MD5},{SHA1},x", f",{SHA1},", f"{MD5},,") == [
        f"sha1:{SHA1}", f"md5:{MD5}", f"sha1:{SHA1}", f"md5:{MD5}",
    ]  # fmt: skip


def test_csv_keeps_note_and_quality_and_only_pictures_have_a_quality() -> None:
    found = read("type,value,quality,note", f"pdq,{PDQ},88,said so", f"md5,{MD5},88,")
    assert [line.entry for line in found if isinstance(line, GoodLine)] == [
        NewEntry(signal=Signal(type="pdq", value=bytes.fromhex(PDQ), quality=88), note="said so"),
        NewEntry(signal=Signal(type="md5", value=bytes.fromhex(MD5)), note=""),
    ]


def test_ndjson_as_lists_write_it() -> None:
    assert signals(json.dumps({"signal_type": "pdq", "hash": PDQ}), json.dumps({"md5": MD5, "sha256": SHA256})) == [
        f"pdq:{PDQ}", f"sha256:{SHA256}", f"md5:{MD5}",
    ]  # fmt: skip


def test_ndjson_as_hash_writes_it() -> None:
    line = {"path": "/x", "sha256": SHA256, "signals": [{"type": "pdq", "value": PDQ, "quality": 100}]}
    assert signals(json.dumps(line)) == [f"sha256:{SHA256}", f"pdq:{PDQ}"]


def test_comments_and_empty_lines_are_passed_over_and_numbers_stay_right() -> None:
    found = read("# a list", "", f"md5:{MD5}", "   ", "nonsense", "# more", f"sha1:{SHA1}", "md5:zz")
    assert [(type(line), line.number) for line in found] == [
        (GoodLine, 3), (BadLine, 5), (GoodLine, 7), (BadLine, 8),
    ]  # fmt: skip


def test_numbers_are_right_in_csv_and_ndjson_too() -> None:
    assert [line.number for line in read("", "type,value", f"md5,{MD5}", "md5,zz", f"md5,{MD5}")] == [3, 4, 5]
    good = json.dumps({"md5": MD5})
    assert [(line.number, isinstance(line, BadLine)) for line in read(good, "", "{", good, "[]", "{}")] == [
        (1, False), (3, True), (4, False), (5, True), (6, True),
    ]  # fmt: skip


@pytest.mark.parametrize("quality", [-1, 101, "x", 1.5, True, [1]])
def test_a_quality_is_a_number_from_0_to_100(quality: object) -> None:
    (bad,) = read(json.dumps({"pdq": PDQ, "quality": quality}))
    assert isinstance(bad, BadLine)


def test_a_line_that_is_too_long_is_bad_and_the_next_one_is_read() -> None:
    found = read(f"md5:{MD5}", "a" * (MAX_LINE + 1), f"md5:{MD5}")
    assert [isinstance(line, BadLine) for line in found] == [False, True, False]


@pytest.mark.parametrize("note", ["a\x00b", "\ud800"])
def test_a_note_that_no_database_can_store_makes_a_bad_line(note: str) -> None:
    found = read(json.dumps({"pdq": PDQ, "note": note}), json.dumps({"pdq": PDQ, "note": "fine"}))
    assert [isinstance(line, BadLine) for line in found] == [True, False]


@given(
    st.lists(
        st.builds(
            lambda kind, value, quality, note: NewEntry(
                signal=Signal(
                    type=kind.name, value=value[: kind.length], quality=quality if kind.perceptual else None
                ),
                note=note,
            ),
            st.sampled_from(list(SIGNAL_KINDS.values())),
            st.binary(min_size=32, max_size=32),
            st.none() | st.integers(0, 100),
            st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30),
        ),
        max_size=5,
    )
)
def test_what_bank_export_writes_is_read_back(entries: list[NewEntry]) -> None:
    lines = [
        json.dumps(
            {"type": e.signal.type, "value": e.signal.text, "quality": e.signal.quality, "note": e.note},
            ensure_ascii=False,
        )
        for e in entries
    ]
    assert read(*lines) == [GoodLine(number=number, entry=entry) for number, entry in enumerate(entries, start=1)]
