"""Lists read whole: plain ones, Project VIC, graded ones; from files and addresses, packed, broken off, unchanged."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import Page, SourceRecord, Trust
from jikimi.model.form import read_config
from jikimi.plugs.exchanges import iwf, vics
from jikimi.plugs.exchanges import list as lists
from jikimi.ports.exchanges import Connector
from jikimi.testing.lists import VicsFile, WholeList
from tests.conftest import SetClock
from tests.unit.plugs.exchanges.way import way_to


def hash_of(number: int, type_: str = "md5") -> str:
    return hashlib.new(type_, f"{number}".encode()).hexdigest()


LINES = "".join(f"md5:{hash_of(number)}\n" for number in range(2500))
MEDIUM: dict[str, Any] = {
    "MediaID": 12, "Category": 1, "MD5": hash_of(1).upper(), "SHA1": hash_of(1, "sha1"), "MediaSize": 3000,
    "Comments": "Jane Doe", "RelativeFilePath": "C:/Jane Doe/a.jpg", "Series": "Jane Doe",
    "VictimIdentified": "Jane Doe",
    "IsPrecategorized": True, "Tags": "beach; Jane Doe", "DateUpdated": "2023-06-07T02:31:49.8300Z",
    "AlternativeHashes": [
        {"HashName": "PhotoDNA", "HashValue": "x"}, {"HashName": "SHA-256", "HashValue": hash_of(1, "sha256")},
    ],
    "Exifs": [{"PropertyName": "Artist", "PropertyValue": "Jane Doe"}],
    "MediaFiles": [{"MD5": "of a file", "FileName": "Jane Doe.jpg"}],
}  # fmt: skip
NOWHERE = way_to(frozenset(), SetClock())
ODATA_1 = {"odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml/US/$metadata"}
ODATA_2 = {"@odata.context": "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/Default/$metadata#Media"}


def connect(class_: type[Connector], **settings: object) -> Connector:
    config: Any = read_config(class_.Config, settings)
    hosts = class_.hosts(config)
    return class_(config, way_to(hosts, SetClock()) if hosts else NOWHERE, SetClock()())


def written(folder: Path, content: str | bytes, name: str = "list.txt") -> str:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(file)


def keys(pages: list[Page]) -> list[str]:
    return [record.key for page in pages for record in page.records]


# A list as a whole


def test_a_list_comes_in_pages_of_which_the_last_has_a_checkpoint(tmp_path: Path) -> None:
    pages = list(connect(lists.List, file=written(tmp_path, LINES)).pull(""))
    assert [len(page.records) for page in pages] == [1000, 1000, 500]
    assert [bool(page.checkpoint) for page in pages] == [False, False, True]
    assert len({*keys(pages)}) == 2500


def test_the_same_list_is_not_read_twice_and_another_setting_reads_it_again(tmp_path: Path) -> None:
    file = written(tmp_path, LINES)
    (*_, last) = connect(lists.List, file=file).pull("")
    assert list(connect(lists.List, file=file).pull(last.checkpoint)) == []
    (*_, again) = connect(lists.List, file=file, confirmed="no").pull(last.checkpoint)
    assert {record.trust for record in again.records} == {Trust.UNCONFIRMED}
    written(tmp_path, LINES + f"md5:{hash_of(9999)}\n")
    assert len(keys(list(connect(lists.List, file=file).pull(last.checkpoint)))) == 2501


def test_an_empty_list_is_empty_and_a_list_of_rubbish_is_none(tmp_path: Path) -> None:
    (page,) = connect(lists.List, file=written(tmp_path, "# nothing today\n")).pull("")
    assert (page.records, bool(page.checkpoint)) == ((), True)
    with pytest.raises(Unavailable):
        list(connect(lists.List, file=written(tmp_path, "<html>\n<p>Sign in, please\n</html>\n")).pull(""))


def test_bad_lines_are_named_without_what_is_in_them(tmp_path: Path) -> None:
    text = f"md5:{hash_of(1)}\nmd5:{hash_of(2)[:-2]}zz\n{'c3' * 32}\nmd5:{hash_of(3)}\n"
    (page,) = connect(lists.List, file=written(tmp_path, text)).pull("")
    assert len(page.records) == 2
    assert page.faults == ("line 2: signal_value_invalid", "line 3: signal_type_missing")


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_line_that_breaks_off_is_a_list_that_does(tmp_path: Path, cut: int) -> None:
    connector = connect(lists.List, file=written(tmp_path, LINES[: -cut - 1]))
    given: list[Page] = []
    with pytest.raises(Unavailable):
        given.extend(connector.pull(""))
    assert not any(page.checkpoint for page in given)


def test_packed_lists_are_unpacked_and_damaged_ones_are_not_half_read(tmp_path: Path) -> None:
    packed = gzip.compress(LINES.encode())
    assert len(keys(list(connect(lists.List, file=written(tmp_path, packed, "a.gz")).pull("")))) == 2500
    for damaged in (packed[:-20], packed[:100], packed[:50] + b"\0" * 50 + packed[100:]):
        with pytest.raises(Unavailable):
            list(connect(lists.List, file=written(tmp_path, damaged, "a.gz")).pull(""))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(Refused) as refused:
            list(connect(lists.List, file=str(path)).pull(""))
        assert refused.value.code == "list_unreadable"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"file": "/a", "url": "https://a.example/"},
        {"file": "a"},
        {"url": "ftp://a.example/"},
        {"url": "https://me@a/"},
    ],
)
def test_a_place_is_one_whole_path_or_one_address(settings: dict[str, object]) -> None:
    with pytest.raises(Refused):
        read_config(lists.List.Config, settings)


def test_an_address_is_asked_whether_there_is_anything_new() -> None:
    with WholeList() as server:
        server.publish(10)
        (page,) = connect(lists.List, **server.settings).pull("")
        assert list(connect(lists.List, **server.settings).pull(page.checkpoint)) == []
        assert server.asked[-1].headers["if-none-match"].startswith('"')
        assert server.token not in page.checkpoint


@pytest.mark.parametrize(("status", "family"), [(401, Refused), (404, Refused), (204, Unavailable), (409, Unavailable)])
def test_an_answer_that_is_no_list_withdraws_nothing(status: int, family: type[Exception]) -> None:
    with WholeList() as server:
        server.fails(status, body="of-nobody")
        with pytest.raises(family) as error:
            list(connect(lists.List, **server.settings).pull(""))
        assert "of-nobody" not in str(error.value)


def test_an_answer_that_is_cut_is_asked_for_again_from_its_beginning() -> None:
    with VicsFile() as server:
        server.publish(50)
        server.cuts(times=2)
        (page,) = connect(vics.Vics, **server.settings).pull("")
        assert len(page.records) == 50


# Plain lists


def test_notes_become_labels_and_quality_stays(tmp_path: Path) -> None:
    text = f"type,value,note,quality\npdq,{'c3' * 32},bridge,80\n"
    ((record,),) = (page.records for page in connect(lists.List, file=written(tmp_path, text)).pull(""))
    assert (record.labels, record.signals[0].quality, record.trust) == (("bridge",), 80, Trust.CONFIRMED)


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    lines = list(lists.lines_of(io.BytesIO(b"a" * 10_000_000 + b"\nb\n")))
    assert [len(line) for line in lines] == [80_000, 2]


# Project VIC


def media(*some: Any, form: str = "media") -> Iterator[SourceRecord | str]:
    texts: dict[str, Any] = {
        "media": ODATA_1 | {"value": list(some)},
        "2.0": ODATA_2 | {"value": list(some), "TotalMediaFiles": len(some)},
        "cases": ODATA_1 | {"value": [{"CaseID": "1", "CaseMetadata": {"a": [1]}, "Media": list(some)}]},
        "bare": list(some),
    }
    text = json.dumps(texts[form]).encode()
    return vics.records_of(io.BytesIO(text), categories=frozenset({1, 2}), tags=frozenset({"beach"}))


@pytest.mark.parametrize("form", ["media", "2.0", "cases", "bare"])
def test_media_are_found_in_every_form_of_file(form: str) -> None:
    other = MEDIUM | {"MediaID": 13, "MD5": hash_of(2), "SHA1": None, "AlternativeHashes": None}
    records = list(media(MEDIUM, other, form=form))
    assert [len(one.signals) for one in records if isinstance(one, SourceRecord)] == [3, 1]


def test_a_medium_becomes_a_record_that_names_nobody() -> None:
    (record,) = media(MEDIUM)
    assert isinstance(record, SourceRecord)
    types = [f"{one.type}:{one.text}" for one in record.signals]
    assert types == [f"{type_}:{hash_of(1, type_)}" for type_ in ("md5", "sha1", "sha256")]
    assert record.labels == ("category:1", "series", "victim-identified", "precategorized", "tag:beach")
    assert record.trust is Trust.CONFIRMED
    assert record.listed_at == datetime(2023, 6, 7, 2, 31, 49, 830_000, tzinfo=UTC)
    assert "Jane" not in repr(record)
    assert hash_of(1) not in record.key


def test_what_is_suspected_is_unconfirmed_and_other_categories_do_not_match() -> None:
    found = list(media(MEDIUM | {"IsSuspected": "True"}, MEDIUM | {"Category": 0}, MEDIUM | {"Category": None}))
    assert [one.trust for one in found if isinstance(one, SourceRecord)] == [Trust.UNCONFIRMED]
    assert len(found) == 1


def test_a_medium_that_cannot_be_read_is_named_by_its_number() -> None:
    nothing = {"MediaID": 14, "Category": 1}
    found = list(media(MEDIUM, MEDIUM | {"MD5": "zz" * 16}, nothing, 7))
    assert found[1:] == ["medium 12: signal_value_invalid", "medium 14: without_signal", "medium 4: not_an_object"]


def test_a_file_without_media_is_empty_and_a_file_of_something_else_is_none() -> None:
    assert list(media()) == []
    for text in (b"", b"{}", b'{"error": "denied"}', b"<html>", b"\x00\xff", b'"value"', b"null"):
        with pytest.raises(Unavailable):
            list(vics.records_of(io.BytesIO(text), categories=frozenset({1}), tags=frozenset()))


def test_marks_of_order_are_passed_over_and_utf_16_is_named() -> None:
    text = json.dumps(ODATA_1 | {"value": [MEDIUM]})
    (record,) = vics.records_of(io.BytesIO(text.encode("utf-8-sig")), categories=frozenset({1}), tags=frozenset())
    assert isinstance(record, SourceRecord)
    with pytest.raises(Refused) as refused:
        list(vics.records_of(io.BytesIO(text.encode("utf-16")), categories=frozenset({1}), tags=frozenset()))
    assert refused.value.code == "list_encoding"


def test_half_a_file_is_none_wherever_it_is_cut() -> None:
    text = json.dumps(ODATA_1 | {"value": [{"CaseID": "1", "Media": [MEDIUM, MEDIUM | {"MD5": hash_of(2)}]}]}).encode()
    for cut in range(len(text)):
        with pytest.raises(Unavailable):
            list(vics.records_of(io.BytesIO(text[:cut]), categories=frozenset({1}), tags=frozenset()))


# Graded lists


def graded(text: str, categories: str = "ABC") -> list[SourceRecord | str]:
    return list(iwf.records_of(io.BytesIO(text.encode()), categories=frozenset(categories)))


@pytest.mark.parametrize(
    "heading", ["ID,MD5,SHA-1,Category", "Hash ID,md5_hash,sha1,IWF Category", "id,Md5,Sha1,GRADE"]
)
def test_columns_may_be_called_differently(heading: str) -> None:
    (record,) = graded(f"\ufeff{heading}\r\n17,{hash_of(1).upper()},{hash_of(1, 'sha1')},Category a\r\n")
    assert isinstance(record, SourceRecord)
    assert (record.key, record.labels, record.trust) == ("17", ("category:A",), Trust.CONFIRMED)
    assert [one.type for one in record.signals] == ["md5", "sha1"]


def test_flags_become_labels_and_photodna_is_kept() -> None:
    row = {"MD5": hash_of(1), "Category": "B", "AI-Generated": "Yes", "Self Generated": "no", "Illegal UK": True}
    for text in (json.dumps([row | {"PhotoDNA": "1,2"}]), json.dumps({"hashes": [row | {"pdna": "1,2"}]})):
        (record,) = graded(text)
        assert isinstance(record, SourceRecord)
        assert record.labels == ("category:B", "ai-generated", "legality:uk")
        assert record.detail == {"photodna": "1,2"}


def test_other_grades_do_not_match_and_no_grade_is_unconfirmed() -> None:
    text = f"MD5,Category\n{hash_of(1)},D\n{hash_of(2)},\n{hash_of(3)},c\n"
    assert [one.trust for one in graded(text) if isinstance(one, SourceRecord)] == [Trust.UNCONFIRMED, Trust.CONFIRMED]


def test_a_key_that_is_a_hash_is_hidden() -> None:
    (record,) = graded(f"id,md5\n{hash_of(1)},{hash_of(1)}\n")
    assert isinstance(record, SourceRecord)
    assert hash_of(1) not in record.key


def test_rows_that_cannot_be_read_are_named_by_their_number() -> None:
    text = f'MD5,Category\n"a"b,A\nzz,A\n,A\n{hash_of(1)},A\n'
    found = graded(text)
    assert found[:3] == ["record 1: not_readable", "record 2: signal_value_invalid", "record 3: without_signal"]


def test_a_table_of_something_else_is_for_a_person() -> None:
    with pytest.raises(Refused) as refused:
        graded("name,age\na,1\n")
    assert refused.value.code == "list_without_heading"


# Whatever comes


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_pages_or_an_error_of_ours(content: bytes, is_packed: bool) -> None:
    readable = [LINES[:400].encode(), json.dumps(ODATA_1 | {"value": [MEDIUM]}).encode(), b"MD5,Category\n"]
    for head in (b"", *readable):
        for kind in (lists.List, vics.Vics, iwf.Iwf):
            _reads(kind, head + content if not is_packed else gzip.compress(head) + content)


def _reads(kind: type[Connector], content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            pages = list(connect(kind, file=file.name).pull(""))
        except (Refused, Unavailable) as error:
            told = error.message
        else:
            told = " ".join(fault for page in pages for fault in page.faults)
    assert hash_of(1) not in told.lower()
