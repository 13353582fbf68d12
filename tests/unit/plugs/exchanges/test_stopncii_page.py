"""Pages of StopNCII as they could be recorded, with made-up hashes: what a record becomes, and what a bad page does."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.exchange import Opinion, SourceRecord, Trust
from jikimi.plugs.exchanges.stopncii_page import HashesPage, key_of, read_hashes, read_way_on

PDQ, MD5 = "c3" * 32, "a1" * 16
CASE = "0b5c7e0e-0000-4000-8000-000000000001"
RECORD: dict[str, Any] = {
    "lastModtimestamp": 1_700_000_000,
    "signalType": "ImagePDQ",
    "hashValue": PDQ,
    "hashStatus": "Active",
    "caseNumbers": {CASE: "Active"},
    "CSPFeedbacks": [],
}


def body_of(*records: Any, **more: Any) -> bytes:
    page = {"count": len(records), "nextPageToken": None, "nextSetTimestamp": 99, "hasMoreRecords": False}
    return json.dumps({**page, "hashRecords": list(records), **more}).encode()


def record_of(**changes: Any) -> SourceRecord:
    page = read_hashes(body_of(RECORD | changes))
    assert page.faults == ()
    (record,) = page.records
    return record


def fault_of(**changes: Any) -> str:
    page = read_hashes(body_of(RECORD | changes, RECORD | {"hashValue": "d4" * 32}))
    assert len(page.records) == 1, "the other record counts"
    (fault,) = page.faults
    return fault


def said(*values: str) -> list[dict[str, Any]]:
    return [{"feedbackValue": value, "tags": [], "source": "a member"} for value in values]


def test_a_record_becomes_a_signal_under_a_key_that_is_not_its_hash() -> None:
    record = record_of(hashValue=PDQ.upper())
    assert [f"{one.type}:{one.text}" for one in record.signals] == [f"pdq:{PDQ}"]
    assert (record.opinion, record.trust, record.withdrawn) == (Opinion.POSITIVE, Trust.UNCONFIRMED, False)
    assert record.labels == ("list:stopncii", "media:image")
    assert record.listed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert record.key == key_of("ImagePDQ", PDQ)
    assert PDQ[:16] not in record.key
    assert CASE not in str(record), "numbers of cases are people's"


def test_a_video_is_matched_by_its_digest() -> None:
    record = record_of(signalType="VideoMD5", hashValue=MD5)
    assert [f"{one.type}:{one.text}" for one in record.signals] == [f"md5:{MD5}"]
    assert record.labels == ("list:stopncii", "media:video")


@pytest.mark.parametrize("type_", ["VideoTMK", "Text", "URL", "Unknown", "ImagePhotoDNA"])
def test_other_types_are_kept_without_a_signal(type_: str) -> None:
    record = record_of(signalType=type_, hashValue="Some Value")
    assert (record.signals, record.detail["value"]) == ((), "Some Value")


@pytest.mark.parametrize("cases", [{}, [], None, {CASE: "Active"}])
@pytest.mark.parametrize("status", ["Withdrawn", "Deleted", "withdrawn"])
def test_what_is_taken_back_is_withdrawn_whatever_its_cases_say(status: str, cases: Any) -> None:
    record = record_of(hashStatus=status, caseNumbers=cases, CSPFeedbacks=said("Blocked"))
    assert (record.withdrawn, record.signals, record.detail) == (True, (), {})
    assert record.key == record_of().key


def test_what_is_taken_back_in_all_cases_is_withdrawn() -> None:
    assert record_of(caseNumbers={CASE: "Withdrawn", "2": "Deleted"}).withdrawn
    assert not record_of(caseNumbers={CASE: "Withdrawn", "2": "Active"}).withdrawn
    assert not record_of(caseNumbers=[]).withdrawn


def test_a_withdrawal_counts_even_where_the_value_is_none_of_ours() -> None:
    assert record_of(hashStatus="Withdrawn", hashValue="not hexadecimal").withdrawn


def test_of_one_record_twice_on_a_page_the_last_counts() -> None:
    (record,) = read_hashes(body_of(RECORD, RECORD | {"hashStatus": "Withdrawn"})).records
    assert record.withdrawn


@pytest.mark.parametrize(
    ("values", "opinion", "trust"),
    [
        (["None", "QualityUnknown", "PendingReview"], Opinion.POSITIVE, Trust.UNCONFIRMED),
        (["Blocked"], Opinion.POSITIVE, Trust.CONFIRMED),
        (["NotBlocked"], Opinion.NEGATIVE, Trust.UNCONFIRMED),
        (["Blocked", "NotBlocked"], Opinion.DISPUTED, Trust.CONFIRMED),
    ],
)
def test_what_members_say_becomes_an_opinion(values: list[str], opinion: Opinion, trust: Trust) -> None:
    record = record_of(CSPFeedbacks=said(*values))
    assert (record.opinion, record.trust) == (opinion, trust)


@pytest.mark.parametrize(
    "changes",
    [
        {"hashValue": "xyz"},
        {"hashValue": 7},
        {"hashValue": ""},
        {"hashStatus": "Resting"},
        {"hashStatus": None},
        {"signalType": "a" * 41},
        {"signalType": ["ImagePDQ"]},
    ],
)
def test_a_record_that_cannot_be_read_is_a_fault_and_the_page_goes_on(changes: dict[str, Any]) -> None:
    fault = fault_of(**changes)
    assert "xyz" not in fault
    assert PDQ not in fault


@pytest.mark.parametrize(
    "changes",
    [
        {"lastModtimestamp": 10**400},
        {"lastModtimestamp": "soon"},
        {"lastModtimestamp": True},
        {"lastModtimestamp": float("nan")},
        {"CSPFeedbacks": {"a": 1}},
        {"CSPFeedbacks": [7, {"feedbackValue": 7}, {}]},
        {"caseNumbers": [[[]]]},
        {"caseNumbers": {CASE: 7}},
    ],
)
def test_what_surrounds_a_record_may_be_anything(changes: dict[str, Any]) -> None:
    assert record_of(**changes).signals


def test_times_may_be_in_milliseconds() -> None:
    assert record_of(lastModtimestamp=1_700_000_000_000).listed_at == record_of().listed_at


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"hashRecords": 7, "hasMoreRecords": false}',
        b'{"hashRecords": [], "hasMoreRecords": "no"}',
        b'{"hashRecords": [], "hasMoreRecords": true, "nextPageToken": null}',
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"hashRecords": [], "hasMoreRecords": false, "a": ' + b"9" * 10_000 + b"}",
        body_of(RECORD)[:-2],
    ],
)
def test_a_page_that_is_none_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is, it is no page
        read_hashes(body)


@pytest.mark.parametrize("next_set", [None, "9", True, -1, 10**30, 1.5])
def test_a_next_set_that_is_no_time_is_none(next_set: Any) -> None:
    assert read_hashes(body_of(nextSetTimestamp=next_set)).next_set is None


def test_the_way_on_is_found_in_a_page_that_is_not_json() -> None:
    torn = read_way_on(b'{"nextPageToken": "abc", "hasMoreRecords": true, "hashRecords": [{"hashValue": "c3"')
    assert torn is not None
    assert (torn.token, torn.has_more, torn.is_torn, torn.records) == ("abc", True, True, ())
    assert read_way_on(b'{"nextPageToken": "abc", "hasMoreRecords": false, "hashRecords": [{"hash') is None
    assert read_way_on(b'{"nextPageToken": null, "hasMoreRecords": true') is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RECORD, "a"]), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={name: json_values | st.just(RECORD[name]) for name in RECORD}) | json_values
    )
)
def test_whatever_records_hold_they_are_records_or_faults(records: list[Any]) -> None:
    page = read_hashes(body_of(*records))
    assert len(page.records) + len(page.faults) <= len(records)
    assert all(PDQ not in fault for fault in page.faults)


@given(st.binary() | st.text().map(str.encode) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_page_or_none(body: bytes) -> None:
    try:
        assert isinstance(read_hashes(body), HashesPage)
    except ValueError:
        read_way_on(body)


@pytest.mark.slow
def test_a_hundred_thousand_records_are_read_in_seconds() -> None:
    began = time.process_time()
    for first in range(0, 100_000, 800):
        page = read_hashes(body_of(*(RECORD | {"hashValue": f"{n:064x}"} for n in range(first, first + 800))))
        assert (len(page.records), page.faults) == (800, ())
    assert time.process_time() - began < 10
