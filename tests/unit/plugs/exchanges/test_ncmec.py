"""NCMEC's lists over HTTP: ranges of time, addresses that end, broken pages, feedback; nothing lost or doubled."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Page, SourceRecord
from jikimi.model.form import read_config
from jikimi.model.signal import parse_signal
from jikimi.plugs.exchanges.ncmec import Ncmec
from jikimi.plugs.exchanges.ncmec_lists import Environment, NcmecConfig
from jikimi.ports.exchanges import Connector, Opined
from jikimi.testing import ncmec as simulator
from jikimi.testing.listserver import Asked
from tests.conftest import SetClock
from tests.unit.plugs.exchanges.way import way_to

NOW = SetClock().now
SECOND = int(NOW.timestamp())
MD5, PDQ = "a1" * 16, "c3" * 32


class List:
    """A list of the programme, and what was pulled from it so far."""

    def __init__(self, server: simulator.Ncmec, clock: SetClock) -> None:
        self.server = server
        self.clock = clock
        self.config = NcmecConfig(environment=Environment.NGO, user="user", password="word", address=server.url)
        self.records: dict[str, SourceRecord] = {}
        self.checkpoint = ""
        self.kind = Ncmec
        self.ahead = timedelta()

    @property
    def connector(self) -> Connector:
        return self.kind(self.config, way_to(self.kind.hosts(self.config), self.clock), self.clock.now + self.ahead)

    def pull(self, pages: int = 1_000_000) -> list[Page]:
        """Pull so many pages, as the flow does: each page's records together with its checkpoint."""
        taken = []
        for page in self.connector.pull(self.checkpoint):
            self.records |= {record.key: record for record in page.records}
            self.checkpoint = page.checkpoint
            taken.append(page)
            if len(taken) == pages:
                break
        return taken

    @property
    def live(self) -> set[str]:
        return {key for key, record in self.records.items() if not record.withdrawn}

    def ranges(self, since: int = 0) -> list[tuple[str, str]]:
        """What ranges were asked for."""
        queries = [asked.query for asked in self.server.asked[since:]]
        return [(query["from"], query["to"]) for query in queries if "start" not in query]


@pytest.fixture
def listed() -> Iterator[List]:
    clock = SetClock()
    with simulator.Ncmec(user="user", password="word", clock=lambda: clock().timestamp(), page=10) as server:
        yield List(server, clock)


@pytest.fixture(params=["UTC", "Asia/Seoul", "America/Los_Angeles"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """A machine that stands elsewhere."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def keys(entries: list[simulator.Entry]) -> set[str]:
    return {f"{entry.member}-{entry.id}" for entry in entries}


def test_a_list_is_pulled_whole_and_then_what_has_changed(listed: List) -> None:
    entries = listed.server.fill(35)
    assert [len(page.records) for page in listed.pull()] == [10, 10, 10, 5]
    assert listed.live == keys(entries)
    listed.clock.move(minutes=15)
    listed.server.put(43, "new", at=SECOND + 60, md5=MD5)
    listed.server.delete(42, entries[3].id, at=SECOND + 61)
    assert {record.key for page in listed.pull() for record in page.records} == {"43-new", f"42-{entries[3].id}"}
    assert listed.live == keys(entries) - {f"42-{entries[3].id}"} | {"43-new"}


def test_nothing_new_moves_on_and_names_nothing(listed: List) -> None:
    listed.server.fill(3)
    listed.pull()
    before = listed.checkpoint
    listed.clock.move(minutes=15)
    assert [page.records for page in listed.pull()] == [()]
    assert listed.checkpoint != before
    assert list(listed.connector.pull(listed.checkpoint)) == []


def test_times_are_utc_wherever_the_machine_stands(listed: List, zone: str) -> None:
    listed.server.put(42, "one", at=SECOND - 100, md5=MD5)
    listed.pull()
    assert listed.ranges() == [("1970-01-01T00:00:00Z", "2026-11-22T11:59:55Z")], zone
    assert listed.records["42-one"].listed_at == NOW - timedelta(seconds=100)
    listed.config = replace(listed.config, since="2026-11-01")
    listed.checkpoint = ""
    listed.pull()
    assert listed.ranges()[1:] == [("2026-11-01T00:00:00Z", "2026-11-22T11:59:55Z")], zone


def test_what_comes_in_the_last_seconds_comes_with_the_next_pull(listed: List) -> None:
    listed.server.put(42, "now", at=SECOND - 2, md5=MD5)
    listed.pull()
    assert listed.live == set()
    listed.clock.move(seconds=10)
    listed.pull()
    assert listed.live == {"42-now"}


def test_a_clock_that_is_ahead_does_not_pass_over_what_is_yet_to_come(listed: List) -> None:
    listed.ahead = timedelta(minutes=2)
    listed.pull()
    listed.clock.move(minutes=1)
    listed.server.put(42, "new", at=SECOND + 30, md5=MD5)
    listed.pull()
    assert listed.live == {"42-new"}


@pytest.mark.parametrize("date", ["", "soon", "Sun, 22 Nov 99999999999999999999 12:00:00 GMT"])
def test_a_date_that_is_none_is_passed_over(listed: List, date: str) -> None:
    listed.server.fails(200, body="<queryResult/>", Date=date)
    assert [page.records for page in listed.pull()] == [()]


def test_a_date_without_a_zone_is_utc(listed: List, zone: str) -> None:
    listed.ahead = timedelta(days=1)
    listed.server.fails(200, body="<queryResult/>", Date="Sun, 22 Nov 2026 12:00:00 -0000")
    listed.pull()
    assert f'"drained":{SECOND - 5},' in listed.checkpoint, zone


class Small(Ncmec):
    """The same with fewer entries."""

    most_in_range = 100
    few_in_range = 25


def test_ranges_shrink_where_there_is_much_and_grow_where_there_is_little(listed: List) -> None:
    dense = listed.server.fill(1200, first=SECOND - 4000, last=SECOND - 3000)
    sparse = listed.server.fill(40, first=SECOND - 2_000_000, last=SECOND - 5000, seed=2)
    listed.kind = Small
    listed.pull()
    assert listed.live == keys(dense) | keys(sparse)
    spans = [_seconds(to) - _seconds(from_) for from_, to in listed.ranges()]
    assert spans[0] > 50 * 365 * 86_400
    assert min(spans) <= 100
    assert any(later > earlier for earlier, later in pairwise(spans))
    assert len(spans) < 80


def test_one_second_may_hold_any_number(listed: List) -> None:
    entries = listed.server.fill(1200, first=SECOND - 3000, last=SECOND - 3000)
    listed.kind = Small
    listed.pull()
    assert listed.live == keys(entries)
    assert "2026-11-22T11:10:00Z" in {from_ for from_, _ in listed.ranges()} | {to for _, to in listed.ranges()}


def test_a_pull_that_was_cut_short_goes_on_where_it_was(listed: List) -> None:
    entries = listed.server.fill(35)
    listed.pull(pages=2)
    asked = len(listed.server.asked)
    listed.clock.move(hours=11)
    listed.pull()
    assert listed.live == keys(entries)
    assert listed.server.asked[asked].query["start"] == "21"
    assert len(listed.server.asked) == asked + 2 + 1  # the rest of the range, and the eleven hours since


def test_entries_change_while_a_range_is_drained_and_none_is_passed_over(listed: List) -> None:
    entries = listed.server.fill(35)
    listed.pull(pages=2)
    listed.clock.move(hours=1)
    for entry in entries[:9]:
        listed.server.put(42, entry.id, at=SECOND + 600, md5=MD5)
    listed.pull()
    assert listed.live == keys(entries)
    assert [listed.records[f"42-{entry.id}"].signals[0].text for entry in entries[:9]] == [MD5] * 9


def test_an_address_older_than_twelve_hours_is_not_used(listed: List) -> None:
    entries = listed.server.fill(35)
    listed.pull(pages=2)
    listed.clock.move(hours=13)
    for entry in entries[:20]:  # with these gone from the range, the old address would lead past its end
        listed.server.put(42, entry.id, at=SECOND + 600, md5=MD5)
    asked = len(listed.server.asked)
    listed.pull()
    assert listed.live == keys(entries)
    assert "start" not in listed.server.asked[asked].query


def test_an_address_that_has_ended_early_starts_the_range_again(listed: List) -> None:
    entries = listed.server.fill(35)
    listed.server.fails(404, times=1, only=_is_next)
    listed.pull()
    assert listed.live == keys(entries)
    listed.checkpoint = ""
    listed.server.fails(404, only=_is_next)
    with pytest.raises(Unavailable, match="ended"):
        listed.pull()


def test_a_checkpoint_of_another_choice_is_stale(listed: List) -> None:
    listed.server.fill(3)
    listed.pull()
    listed.config = replace(listed.config, only_members=frozenset({43}))
    with pytest.raises(CheckpointStaleError):
        listed.pull()


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"of": 1}', '{"of": "a", "drained": "b"}', "7"])
def test_a_checkpoint_that_cannot_be_read_is_stale(listed: List, text: str) -> None:
    with pytest.raises(CheckpointStaleError):
        next(listed.connector.pull(text))


def test_a_broken_page_is_asked_for_again(listed: List) -> None:
    entries = listed.server.fill(35)
    listed.server.garbles(times=1, only=_is_next)
    listed.pull()
    assert listed.live == keys(entries)


def test_a_page_that_stays_broken_ends_the_pull_and_what_came_before_it_counts(listed: List) -> None:
    entries = listed.server.fill(35)
    listed.server.garbles(only=lambda asked: asked.query.get("start") == "21")
    with pytest.raises(Unavailable, match="cannot be read"):
        listed.pull()
    assert len(listed.live) == 20
    listed.server.is_well()
    listed.pull()
    assert listed.live == keys(entries)


def test_an_apology_in_markup_is_no_empty_range(listed: List) -> None:
    listed.server.fails(200, body="<html><body>Down for maintenance</body></html>")
    with pytest.raises(Unavailable, match="cannot be read"):
        listed.pull()
    assert listed.checkpoint == ""


@pytest.mark.parametrize("next_", ["//elsewhere.example/v2/entries", "https://elsewhere.example/", "/v2/entries?a\nb"])
def test_a_page_that_leads_elsewhere_is_not_followed(listed: List, next_: str) -> None:
    listed.server.fails(200, body=f"<queryResult><paging><next>{next_}</next></paging></queryResult>")
    with pytest.raises(Unavailable, match="elsewhere"):
        listed.pull()


def test_a_page_that_leads_back_to_itself_ends_the_pull(listed: List) -> None:
    listed.server.fails(200, body="<queryResult><paging><next>/v2/entries?start=2</next></paging></queryResult>")
    with pytest.raises(Unavailable, match="itself"):
        listed.pull()


@pytest.mark.parametrize(("status", "family"), [(401, Refused), (403, Refused), (304, Unavailable), (404, Unavailable)])
def test_other_answers_say_who_has_to_act(listed: List, status: int, family: type[JikimiError]) -> None:
    listed.server.fails(status)
    with pytest.raises(family, match=f"answers {status}"):
        listed.pull()


def test_wrong_credentials_are_refused_and_not_told(listed: List) -> None:
    listed.config = replace(listed.config, password="another-word")
    with pytest.raises(Refused) as caught:
        listed.pull()
    assert "another-word" not in f"{caught.value}{caught.value.detail}"


def opined(feedback: Feedback, record: str = "42-image 1/a", type_: str = "md5", value: str = MD5) -> Opined:
    return Opined(feedback=feedback, record=record, signal=parse_signal(type_, value))


def test_feedback_arrives_at_the_entry_and_its_fingerprint(listed: List) -> None:
    listed.server.put(42, "image 1/a", at=SECOND - 100, md5=MD5, pdq=PDQ)
    listed.config = replace(listed.config, negative_reason="Bad hash")
    listed.connector.push(
        [opined(Feedback.TRUE_POSITIVE), opined(Feedback.FALSE_POSITIVE, type_="pdq", value=PDQ)],
    )
    yes, no = listed.server.given
    assert (yes.member, yes.id, yes.type, no.type) == (42, "image 1/a", "MD5", "PDQ")
    assert "<affirmative/>" in yes.body
    assert f"<negative><reasonIds><guid>{listed.server.reasons['Bad hash']}</guid>" in no.body


def test_a_no_without_a_known_reason_names_those_there_are(listed: List) -> None:
    listed.server.put(42, "image 1/a", at=SECOND - 100, md5=MD5)
    with pytest.raises(Refused, match="Bad hash, Not what the list is for"):
        listed.connector.push([opined(Feedback.FALSE_POSITIVE)])
    assert listed.server.given == []


@pytest.mark.parametrize("feedback", sorted(set(Feedback) - Ncmec.gives))
def test_what_has_no_word_there_is_not_said_in_another(listed: List, feedback: Feedback) -> None:
    listed.server.put(42, "image 1/a", at=SECOND - 100, md5=MD5)
    listed.config = replace(listed.config, negative_reason="Bad hash")
    with pytest.raises(Refused, match=f"takes no {feedback}"):
        listed.connector.push([opined(Feedback.TRUE_POSITIVE), opined(feedback)])
    assert listed.server.asked == []


def test_an_entry_that_is_gone_does_not_hold_up_the_others(listed: List) -> None:
    listed.server.put(42, "image 1/a", at=SECOND - 100, md5=MD5)
    with pytest.raises(Refused, match="42-gone"):
        listed.connector.push([opined(Feedback.TRUE_POSITIVE, "42-gone"), opined(Feedback.TRUE_POSITIVE)])
    assert [given.id for given in listed.server.given] == ["image 1/a"]


def test_settings_are_read_as_they_are_typed_and_mistakes_named() -> None:
    typed = {"environment": str(Environment.TEST_NGO), "user": "u", "password": "a-word", "only_members": "1, 2"}
    config = read_config(NcmecConfig, typed)
    assert (config.base, config.only_members) == ("https://hashsharing-test.ncmec.org/npo", frozenset({1, 2}))
    assert Ncmec.hosts(config) == {"hashsharing-test.ncmec.org"}
    assert "a-word" not in repr(config)
    for mistake in ({"since": "yesterday"}, {"address": "ftp://a"}, {"environment": "https://elsewhere.example"}):
        with pytest.raises(Refused):
            read_config(NcmecConfig, typed | mistake)


def _is_next(asked: Asked) -> bool:
    return "start" in asked.query


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
