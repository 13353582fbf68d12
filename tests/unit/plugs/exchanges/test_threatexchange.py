"""ThreatExchange over HTTP and by recorded pages: opinions, tombstones, an address that must not lead away, a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Opinion, Page, SourceRecord, Trust
from jikimi.model.form import read_config
from jikimi.model.signal import Signal, parse_signal
from jikimi.plugs.exchanges.threatexchange import ThreatExchange
from jikimi.plugs.exchanges.threatexchange_page import page_of
from jikimi.ports.exchanges import Opined
from jikimi.testing import threatexchange
from jikimi.testing.listserver import Asked
from tests.conftest import SetClock
from tests.unit.plugs.exchanges.way import way_to

MD5 = "a1" * 16
DESCRIPTOR: dict[str, Any] = {"id": "5", "owner": {"id": "77"}, "status": "MALICIOUS", "tags": ["photo"]}
UPDATE: dict[str, Any] = {
    "id": "9", "indicator": MD5, "type": "HASH_MD5", "last_updated": 1_700_000_000, "should_delete": False,
}  # fmt: skip
TOKEN = "12|a-token-of-nobody"


def record_of(*descriptors: dict[str, Any], **changes: Any) -> SourceRecord:
    page, _ = page_of([UPDATE | {"descriptors": {"data": list(descriptors or [DESCRIPTOR])}} | changes])
    assert page.faults == ()
    (record,) = page.records
    return record


def judged(*descriptors: dict[str, Any]) -> tuple[Opinion, Trust]:
    record = record_of(*(DESCRIPTOR | one for one in descriptors))
    return record.opinion, record.trust


def reaction(name: str, who: str = "78") -> dict[str, Any]:
    return {"reactions": [{"key": name, "value": who}]}


def test_an_update_becomes_a_record() -> None:
    record = record_of()
    assert [f"{one.type}:{one.text}" for one in record.signals] == [f"md5:{MD5}"]
    assert (record.key, record.labels) == ("9", ("owner:77", "photo"))
    assert record.listed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert record.detail["descriptors"] == ["5"]


@pytest.mark.parametrize(
    ("said", "opinion", "trust"),
    [
        ([{}], Opinion.POSITIVE, Trust.UNCONFIRMED),
        ([{"status": "UNKNOWN"}], Opinion.POSITIVE, Trust.UNCONFIRMED),
        ([{"status": "NON_MALICIOUS"}], Opinion.NEGATIVE, Trust.UNCONFIRMED),
        ([{}, {"status": "NON_MALICIOUS", "owner": {"id": "78"}}], Opinion.DISPUTED, Trust.UNCONFIRMED),
        ([reaction("HELPFUL")], Opinion.POSITIVE, Trust.CONFIRMED),
        ([reaction("DISAGREE_WITH_TAGS")], Opinion.DISPUTED, Trust.UNCONFIRMED),
        ([reaction("NON_MALICIOUS")], Opinion.DISPUTED, Trust.UNCONFIRMED),
        ([reaction("HELPFUL"), reaction("DISAGREE_WITH_TAGS")], Opinion.DISPUTED, Trust.CONFIRMED),
        ([{"status": "NON_MALICIOUS"} | reaction("HELPFUL")], Opinion.DISPUTED, Trust.CONFIRMED),
        ([reaction("HELPFUL", "")], Opinion.POSITIVE, Trust.UNCONFIRMED),
        ([reaction("SAW_THIS_TOO")], Opinion.POSITIVE, Trust.UNCONFIRMED),
    ],
)
def test_what_members_say_is_weighed(said: list[dict[str, Any]], opinion: Opinion, trust: Trust) -> None:
    assert judged(*said) == (opinion, trust)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("HASH_PDQ", "pdq"), ("HASH_MD5", "md5"), ("HASH_VIDEO_MD5", "md5"), ("HASH_SHA1", "sha1"),
        ("HASH_SHA256", "sha256"), ("HASH_VIDEO_SHA256", "sha256"),
    ],
)  # fmt: skip
def test_kinds_of_hashes_are_matched(kind: str, type_: str) -> None:
    text = {"md5": "AB" * 16, "sha1": "AB" * 20}.get(type_, "AB" * 32)
    assert record_of(type=kind, indicator=text).signals == (parse_signal(type_, text),)


@pytest.mark.parametrize("kind", ["URI", "RAW_URI", "TEXT_STRING", "TREND_QUERY", "HASH_TMK"])
def test_other_kinds_are_kept_without_a_signal(kind: str) -> None:
    record = record_of(type=kind, indicator="example")
    assert (record.signals, record.detail["type"], record.detail["text"]) == ((), kind, "example")


@pytest.mark.parametrize(
    "changes",
    [
        {"should_delete": True},
        {"descriptors": None},
        {"descriptors": {"data": []}},
        {"descriptors": {"data": [DESCRIPTOR | {"owner": None}]}},
    ],
)
def test_what_nobody_says_any_more_is_withdrawn(changes: dict[str, Any]) -> None:
    record = record_of(**changes)
    assert (record.key, record.withdrawn, record.signals) == ("9", True, ())


def test_a_descriptor_without_an_owner_is_passed_over() -> None:
    record = record_of(DESCRIPTOR, {"id": "6", "status": "NON_MALICIOUS"})
    assert (record.opinion, record.labels) == (Opinion.POSITIVE, ("owner:77", "photo"))


def test_what_cannot_be_read_is_named_without_its_value() -> None:
    page, latest = page_of(
        [UPDATE | {"indicator": "zz" * 16, "descriptors": {"data": [DESCRIPTOR]}}, 5, {"id": "../x"}]
    )
    assert page.faults == ("update 9: signal_value_invalid", "update 2: not_readable", "update 3: not_readable")
    assert (page.records, latest) == ((), 1_700_000_000)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
_FIELD = st.sampled_from([*UPDATE, "descriptors"])
_INSIDE = st.sampled_from([*DESCRIPTOR, "reactions"])


@given(st.lists(st.tuples(_FIELD, _JSON), max_size=3), st.lists(st.tuples(_INSIDE, _JSON), max_size=3), _JSON)
def test_whatever_comes_is_a_page(update: list[Any], descriptor: list[Any], other: Any) -> None:
    whole = UPDATE | {"descriptors": {"data": [DESCRIPTOR | dict(descriptor), other]}} | dict(update)
    page, latest = page_of([whole, other])
    assert len(page.records) + len(page.faults) == 2
    assert isinstance(latest, int)
    assert not any(MD5 in fault for fault in page.faults)


@pytest.fixture
def group() -> Iterator[threatexchange.ThreatExchange]:
    with threatexchange.ThreatExchange(TOKEN) as group:
        group.publish(900)
        yield group


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def connector(group: threatexchange.ThreatExchange, clock: SetClock, **changes: Any) -> ThreatExchange:
    config: Any = read_config(ThreatExchange.Config, dict(group.settings) | changes)
    return ThreatExchange(config, way_to(ThreatExchange.hosts(config), clock), clock())


def pulled(group: threatexchange.ThreatExchange, clock: SetClock, checkpoint: str = "") -> list[Page]:
    return list(connector(group, clock).pull(checkpoint))


def test_a_checkpoint_is_renewed_though_nothing_happens(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    checkpoint = pulled(group, clock)[-1].checkpoint
    group.shelf = type(group.shelf)()
    for _ in range(9):
        clock.move(days=20)
        pages = pulled(group, clock, checkpoint)
        assert [page.records for page in pages] == [()]
        checkpoint = pages[-1].checkpoint


def test_after_85_days_only_a_whole_pull_helps(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    checkpoint = pulled(group, clock)[-1].checkpoint
    clock.now += timedelta(days=85)
    assert pulled(group, clock, checkpoint)
    clock.now += timedelta(minutes=1)
    with pytest.raises(CheckpointStaleError):
        pulled(group, clock, checkpoint)


def test_the_token_goes_into_the_query_and_nowhere_else(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    pages = pulled(group, clock)
    encoded = urlencode({"access_token": TOKEN})
    assert len(group.asked) == 3
    assert all(asked.target.count(encoded) == 1 for asked in group.asked)
    assert TOKEN not in repr(pages)
    group.token = "another"
    with pytest.raises(Refused) as refused:
        list(connector(group, clock, api_token=TOKEN).pull(""))
    assert TOKEN not in refused.value.message + refused.value.detail
    assert "code 190" in refused.value.message


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.example/v21.0/7001/threat_updates/?after=9",
        "{url}/v21.0/7002/threat_updates/?after=9",
        "{url}/v21.0/7001/threat_updates/?fields=id",
        "http://[::bad",
    ],
)
def test_the_next_page_cannot_lead_away(group: threatexchange.ThreatExchange, clock: SetClock, address: str) -> None:
    class Misleading(ThreatExchange):
        def _next(self, answer: Any, path: str, asked: Any) -> dict[str, str] | None:
            named = address.format(url=group.url)
            if "fields=id" in named:
                named = f"{group.url}/v21.0/7001/threat_updates/?{urlencode(asked)}"
            return super()._next({"paging": {"next": named}}, path, asked)

    config: Any = read_config(ThreatExchange.Config, dict(group.settings))
    misled = Misleading(config, way_to(ThreatExchange.hosts(config), clock), clock())
    with pytest.raises(Unavailable) as error:
        list(misled.pull(""))
    assert error.value.code == "exchange_page_broken"
    assert len(group.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "family"), [(400, 4, Unavailable), (403, 10, Refused), (400, 613, Unavailable)]
)
def test_too_many_calls_pass_and_a_lack_of_rights_does_not(
    group: threatexchange.ThreatExchange, clock: SetClock, status: int, code: int, family: type[JikimiError]
) -> None:
    group.fails(status, body=json.dumps({"error": {"code": code, "message": f"no, {TOKEN}"}}))
    with pytest.raises(family) as error:
        pulled(group, clock)
    assert TOKEN not in error.value.message


def opined(feedback: Feedback, record: SourceRecord) -> Opined:
    return Opined(feedback=feedback, record=record.key, signal=record.signals[0], detail=record.detail)


def test_feedback_reaches_the_descriptor(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    record = pulled(group, clock)[0].records[0]
    some = [Feedback.SEEN, Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE]
    connector(group, clock).push([opined(feedback, record) for feedback in some])
    assert group.reactions == [
        ("50000001", "SAW_THIS_TOO"), ("50000001", "HELPFUL"), ("50000001", "DISAGREE_WITH_TAGS"),
    ]  # fmt: skip


def test_a_new_signal_is_for_the_group_only(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    new = Opined(feedback=Feedback.NEW_SIGNAL, record="", signal=Signal(type="pdq", value=bytes(range(32))))
    connector(group, clock, tags="ours, photo").push([new])
    (form,) = group.added
    assert form["indicator"] == bytes(range(32)).hex()
    assert (form["type"], form["privacy_type"], form["privacy_members"]) == ("HASH_PDQ", "HAS_PRIVACY_GROUP", "7001")
    assert (form["status"], form["share_level"], form["tags"]) == ("MALICIOUS", "AMBER", "ours,photo")


def test_a_lost_answer_is_not_taken_for_done(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    record = pulled(group, clock)[0].records[0]
    group.loses_answers(only=_is_post)
    with pytest.raises(Unavailable):
        connector(group, clock).push([opined(Feedback.SEEN, record)])
    assert len(group.reactions) == 1, "what is not known to be repeatable is not repeated by itself"


def _is_post(asked: Asked) -> bool:
    return asked.method == "POST"


def test_a_time_far_ahead_hides_nothing_that_comes_later(group: threatexchange.ThreatExchange, clock: SetClock) -> None:
    far = int((clock.now + timedelta(days=3650)).timestamp())
    group.extra = [UPDATE | {"last_updated": far, "descriptors": {"data": [DESCRIPTOR]}}]
    checkpoint = pulled(group, clock)[-1].checkpoint
    group.extra = []
    pulled(group, clock, checkpoint)
    assert int(group.asked[-1].query["start_time"]) <= clock.now.timestamp()
