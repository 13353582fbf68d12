"""StopNCII over HTTP: sets and their pages, what people take back, broken pages, feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Opinion, Page, SourceRecord, Trust
from jikimi.model.form import fields_of, read_config
from jikimi.model.signal import parse_signal
from jikimi.plugs.exchanges.stopncii import StopNcii, StopNciiConfig
from jikimi.plugs.exchanges.stopncii_page import key_of
from jikimi.ports.exchanges import Connector, Opined
from jikimi.testing import stopncii as simulator
from jikimi.testing.listserver import Asked
from tests.conftest import SetClock
from tests.unit.plugs.exchanges.way import way_to

SECOND = int(SetClock().now.timestamp())


class List:
    """The programme, and what was pulled from it so far."""

    def __init__(self, server: simulator.StopNcii, clock: SetClock) -> None:
        self.server = server
        self.clock = clock
        self.config = StopNciiConfig(
            address=server.url + "/v1",
            subscription_key="subscription",
            fetch_key="fetch",
            feedback_key="feedback",
            submit_key="submit",
            page_size=8,
        )
        self.records: dict[str, SourceRecord] = {}
        self.checkpoint = ""

    @property
    def connector(self) -> Connector:
        return StopNcii(self.config, way_to(StopNcii.hosts(self.config), self.clock), self.clock.now)

    def pull(self) -> list[Page]:
        """Pull, as the flow does: each page's records together with its checkpoint."""
        taken = []
        for page in self.connector.pull(self.checkpoint):
            self.records |= {record.key: record for record in page.records}
            self.checkpoint = page.checkpoint
            taken.append(page)
        return taken

    @property
    def live(self) -> set[str]:
        return {signal.text for record in self.records.values() for signal in record.signals}

    def record(self, value: str) -> SourceRecord:
        return self.records[key_of("ImagePDQ", value)]


@pytest.fixture
def listed() -> Iterator[List]:
    clock = SetClock()
    with simulator.StopNcii(clock=lambda: clock().timestamp()) as server:
        yield List(server, clock)


def test_a_set_is_read_whole_and_then_what_has_changed(listed: List) -> None:
    values = listed.server.fill(20)
    assert [len(page.records) for page in listed.pull()] == [8, 8, 4]
    assert listed.live == set(values)
    assert listed.server.asked[0].query == {"startTimestamp": "10", "pageSize": "8"}
    listed.clock.move(minutes=15)
    new = listed.server.put(at=SECOND + 60)
    assert [len(page.records) for page in listed.pull()] == [1]
    assert listed.live == {*values, new}


@pytest.mark.parametrize("status", ["Withdrawn", "Deleted"])
def test_what_somebody_takes_back_is_withdrawn_with_the_next_pull(listed: List, status: str) -> None:
    values = listed.server.fill(3)
    listed.pull()
    listed.server.withdraw(values[0], at=SECOND + 1, status=status)
    listed.server.close_cases(values[1], at=SECOND + 2, status=status)
    listed.clock.move(minutes=15)
    listed.pull()
    assert listed.live == {values[2]}
    assert [listed.record(value).withdrawn for value in values] == [True, True, False]


def test_the_token_is_not_kept_and_a_set_cut_short_is_read_from_its_start(listed: List) -> None:
    listed.server.fill(20)
    first = next(listed.connector.pull(""))
    listed.clock.move(hours=2)
    pages = list(listed.connector.pull(first.checkpoint))
    assert [len(page.records) for page in pages] == [8, 8, 4]
    assert not any("nextPageToken" in page.checkpoint for page in pages)
    assert {page.checkpoint for page in pages[:-1]} == {first.checkpoint}


def test_a_token_that_ends_early_starts_the_set_again(listed: List) -> None:
    values = listed.server.fill(20)
    listed.server.fails(400, times=1, only=_has_token)
    listed.pull()
    assert listed.live == set(values)
    listed.server.fails(400, only=_has_token)
    listed.checkpoint = ""
    with pytest.raises(Unavailable, match="ended"):
        listed.pull()


def test_after_thirty_days_without_a_pull_the_list_is_pulled_anew(listed: List) -> None:
    listed.server.fill(3)
    listed.pull()
    listed.clock.move(days=29)
    listed.pull()
    listed.clock.move(days=29)
    listed.pull()
    listed.clock.move(days=31)
    with pytest.raises(CheckpointStaleError):
        listed.pull()


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"of": 1}', "7", '{"of": "a", "start": 1.5, "got": 1}'])
def test_a_checkpoint_that_cannot_be_read_or_is_of_elsewhere_is_stale(listed: List, text: str) -> None:
    with pytest.raises(CheckpointStaleError):
        next(listed.connector.pull(text))
    listed.pull()
    listed.config = replace(listed.config, address=listed.server.url + "/v2")
    with pytest.raises(CheckpointStaleError):
        listed.pull()


def test_a_page_that_is_broken_once_comes_in_smaller_pieces(listed: List) -> None:
    values = listed.server.fill(20)
    listed.server.garbles(times=2)
    listed.pull()
    assert listed.live == set(values)
    assert [asked.query["pageSize"] for asked in listed.server.asked] == ["8", "4", "2", "4", "8", "8"]


def test_one_record_that_breaks_its_page_does_not_keep_back_who_withdraws(listed: List) -> None:
    values = listed.server.fill(20)
    listed.pull()
    before = listed.checkpoint
    listed.clock.move(minutes=15)
    listed.server.put(value=values[3], at=SECOND + 1)
    listed.server.withdraw(values[4], at=SECOND + 2)
    listed.server.tear(values[3])
    with pytest.raises(Unavailable, match="single record"):
        listed.pull()
    assert listed.record(values[4]).withdrawn
    assert listed.checkpoint == before, "what could not be read is asked for again"
    listed.server.mend()
    listed.pull()
    assert listed.checkpoint != before


def test_a_broken_page_without_a_way_on_ends_the_pull(listed: List) -> None:
    values = listed.server.fill(20)
    listed.server.tear(values[-1])
    with pytest.raises(Unavailable, match="not JSON"):
        listed.pull()
    assert listed.live == set(values[:-1])


def test_records_without_cases_and_of_other_types_do_no_harm(listed: List) -> None:
    picture = listed.server.put(at=100, cases=0)
    video = listed.server.put("VideoMD5", at=101)
    listed.server.put("VideoTMK", at=102)
    listed.server.put("Unknown", at=103, value="?")
    assert [page.faults for page in listed.pull()] == [()]
    assert listed.live == {picture, video}
    assert len(listed.records) == 4


def test_a_slow_answer_is_waited_for(listed: List) -> None:
    values = listed.server.fill(3)
    listed.server.waits(0.3)
    listed.pull()
    assert listed.live == set(values)


@pytest.mark.parametrize(("status", "family"), [(401, Refused), (403, Refused), (404, Unavailable), (503, Unavailable)])
def test_other_answers_say_who_has_to_act(listed: List, status: int, family: type[JikimiError]) -> None:
    listed.server.fails(status)
    with pytest.raises(family):
        listed.pull()
    assert listed.checkpoint == ""


def test_errors_that_pass_are_waited_out(listed: List) -> None:
    values = listed.server.fill(3)
    listed.server.fails(429, times=1, Retry_After="1")
    listed.server.fails(503, times=1)
    listed.server.cuts(times=1)
    listed.pull()
    assert listed.live == set(values)


def opined(feedback: Feedback, value: str, record: str = "", type_: str = "pdq") -> Opined:
    return Opined(feedback=feedback, record=record, signal=parse_signal(type_, value), labels=("reviewed",))


def test_feedback_comes_back_as_an_opinion(listed: List) -> None:
    good, bad = listed.server.fill(2)
    listed.pull()
    listed.connector.push(
        [
            opined(Feedback.TRUE_POSITIVE, good, key_of("ImagePDQ", good)),
            opined(Feedback.FALSE_POSITIVE, bad, key_of("ImagePDQ", bad)),
        ]
    )
    listed.clock.move(minutes=15)
    listed.server.held = {value: replace(held, at=SECOND + 60) for value, held in listed.server.held.items()}
    listed.pull()
    assert (listed.record(good).opinion, listed.record(good).trust) == (Opinion.POSITIVE, Trust.CONFIRMED)
    assert listed.record(bad).opinion is Opinion.NEGATIVE


def test_a_signal_that_is_only_near_a_record_is_not_given_away(listed: List) -> None:
    (value,) = listed.server.fill(1)
    near = f"{int(value, 16) ^ 1:064x}"
    with pytest.raises(Refused, match="ImagePDQ:"):
        listed.connector.push([opined(Feedback.TRUE_POSITIVE, near, key_of("ImagePDQ", value))])
    assert listed.server.saw(near) == []


def test_what_has_no_word_there_is_not_said_in_another(listed: List) -> None:
    (value,) = listed.server.fill(1)
    with pytest.raises(Refused, match="takes no seen"):
        listed.connector.push([opined(Feedback.SEEN, value, key_of("ImagePDQ", value))])
    assert listed.server.asked == []


def test_new_hashes_are_handed_in_under_their_name(listed: List) -> None:
    listed.connector.push([opined(Feedback.NEW_SIGNAL, f"{n:064x}") for n in range(150)])
    assert len(listed.server.submitted) == 150
    assert len(listed.server.asked) == 2
    one = listed.server.submitted[7]
    assert (one["signalType"], one["hashValue"], one["lastModtimestamp"]) == ("ImagePDQ", f"{7:064x}", SECOND)


def test_nothing_is_given_back_without_its_key(listed: List) -> None:
    listed.config = replace(listed.config, submit_key="")
    with pytest.raises(Refused, match="SubmitHashes"):
        listed.connector.push([opined(Feedback.NEW_SIGNAL, "0" * 64)])
    assert listed.server.asked == []


def test_each_end_point_sees_its_own_key_and_no_other(listed: List) -> None:
    (value,) = listed.server.fill(1)
    listed.pull()
    listed.connector.push([opined(Feedback.TRUE_POSITIVE, value, key_of("ImagePDQ", value))])
    listed.connector.push([opined(Feedback.NEW_SIGNAL, "0" * 64)])
    seen = [asked.headers["x-functions-key"] for asked in listed.server.asked]
    assert seen == ["fetch", "feedback", "submit"]


def test_the_form_hides_keys_and_names_mistakes() -> None:
    assert {field.name for field in fields_of(StopNciiConfig) if field.secret} == {
        "subscription_key", "fetch_key", "feedback_key", "submit_key",
    }  # fmt: skip
    typed = {"subscription_key": "a", "fetch_key": "b"}
    assert StopNcii.hosts(read_config(StopNciiConfig, typed)) == {"api.stopncii.org"}
    for mistake in ({"page_size": "0"}, {"address": "stopncii.org"}):
        with pytest.raises(Refused):
            read_config(StopNciiConfig, typed | mistake)


def _has_token(asked: Asked) -> bool:
    return "nextPageToken" in asked.query


@pytest.mark.parametrize("scale", [1, 1000])
def test_a_next_set_far_ahead_hides_nobody_who_takes_back(listed: List, scale: int) -> None:
    ahead = int(SECOND * scale * 1.5)
    listed.server.is_well()
    body = {"hashRecords": [], "hasMoreRecords": False, "nextSetTimestamp": ahead}
    listed.server.fails(200, times=1, body=json.dumps(body))
    listed.pull()
    listed.pull()
    assert int(listed.server.asked[-1].query["startTimestamp"]) <= SECOND * scale
