"""Tech Against Terrorism over HTTP and by recorded pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import Page, SourceRecord, Trust
from jikimi.model.form import read_config
from jikimi.plugs.exchanges.tat import TechAgainstTerrorism, page_of
from jikimi.testing import tat
from tests.conftest import SetClock
from tests.unit.plugs.exchanges.way import way_to

MD5 = "a1" * 16
RESULT: dict[str, Any] = {
    "id": 7, "hash_digest": MD5.upper(), "algorithm": "MD5", "ideology": "far-right", "file_type": "mp4",
    "deleted": False, "updated_on": 1_700_000_000.5, "created_on": "2023-11-14T22:13:20",
}  # fmt: skip


def read(*results: Any) -> Page:
    return page_of({"checkpoint": "1700000000,7", "results": list(results)}, "")


def record_of(**changes: Any) -> SourceRecord:
    found = read(RESULT | changes)
    assert found.faults == ()
    (record,) = found.records
    return record


def test_a_result_becomes_a_record() -> None:
    record = record_of()
    assert [f"{one.type}:{one.text}" for one in record.signals] == [f"md5:{MD5}"]
    assert (record.key, record.trust, record.labels) == ("7", Trust.CONFIRMED, ("ideology:far-right", "file_type:mp4"))
    assert record.listed_at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)


def test_deleted_is_a_tombstone() -> None:
    record = record_of(deleted=True, hash_digest="")
    assert (record.withdrawn, record.signals) == (True, ())


def test_an_unknown_algorithm_is_kept_without_a_signal() -> None:
    assert (record_of(algorithm="TMK").signals, record_of(algorithm="TMK").detail) == ((), {"algorithm": "tmk"})


def test_what_cannot_be_read_is_named_without_its_value() -> None:
    found = read(RESULT | {"hash_digest": "zz" * 16}, None, RESULT | {"id": None}, RESULT | {"id": 8})
    assert found.faults == ("record 7: signal_value_invalid", "record 2: not_readable", "record 3: not_readable")
    assert [one.key for one in found.records] == ["8"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(st.tuples(st.sampled_from([*RESULT]), _JSON), max_size=3), _JSON)
def test_whatever_comes_is_a_page(changes: list[Any], other: Any) -> None:
    found = read(RESULT | dict(changes), other)
    assert len(found.records) + len(found.faults) == 2
    assert not any(MD5 in fault.lower() for fault in found.faults)


@given(_JSON, _JSON)
def test_whatever_comes_instead_is_no_page(results: Any, checkpoint: Any) -> None:
    try:
        page_of({"results": results, "checkpoint": checkpoint}, "")
    except Unavailable as error:
        assert error.code == "exchange_page_broken"  # noqa: PT017 - it may also be a page


def test_a_wrong_password_is_for_a_person() -> None:
    clock = SetClock()
    with tat.TechAgainstTerrorism() as platform:
        config: Any = read_config(TechAgainstTerrorism.Config, dict(platform.settings) | {"password": "not-it"})
        connector = TechAgainstTerrorism(config, way_to(TechAgainstTerrorism.hosts(config), clock), clock())
        with pytest.raises(Refused) as refused:
            list(connector.pull(""))
        assert refused.value.code == "exchange_denied"
        assert "not-it" not in refused.value.message
        assert [asked.path for asked in platform.saw("not-it")] == ["/token-auth/tcap/"], "in no address"


def test_a_page_that_leads_back_to_itself_ends_the_pull() -> None:
    clock = SetClock()
    with tat.TechAgainstTerrorism() as platform:
        platform.publish(150)
        config: Any = read_config(TechAgainstTerrorism.Config, dict(platform.settings))
        connector = TechAgainstTerrorism(config, way_to(TechAgainstTerrorism.hosts(config), clock), clock())
        first, last = list(connector.pull(""))
        platform._place = lambda after: 0  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            list(connector.pull(first.checkpoint))
        assert first.checkpoint != last.checkpoint
