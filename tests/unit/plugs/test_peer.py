"""What comes from a peer: what is believed of it, and what is not."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jikimi.model.errors import Broken, JikimiError, Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Opinion, Page, SourceRecord, Trust
from jikimi.model.form import plain_values, read_config
from jikimi.model.signal import Signal, parse_signal
from jikimi.plugs.exchanges.peer import Peer, PeerConfig, page_of
from jikimi.plugs.peer_key import PeerKeyFile, is_signed
from jikimi.plugs.web.client import WebClient
from jikimi.plugs.web.wire import trusted
from jikimi.ports.exchanges import Got, Opined
from jikimi.testing.listserver import Reply
from jikimi.testing.peer import PeerService, value_of

PLAIN = {
    "address": "https://them.example",
    "bank": "house",
    "key": "jk_1",
    "identity": "jkp_" + "0" * 64,
}


def web_to(config: PeerConfig) -> WebClient:
    return WebClient(Peer.hosts(config), trust=trusted(), clock=lambda: datetime.now(UTC), sleep=lambda _: None)


@pytest.fixture
def service() -> Iterator[PeerService]:
    with PeerService() as service:
        yield service


def connect(service: PeerService, now: datetime | None = None, **changes: object) -> Peer:
    config = read_config(PeerConfig, {**service.settings, **changes})
    return Peer(config, web_to(config), now or datetime.now(UTC))


class Follower:
    """What one holds after applying page upon page."""

    def __init__(self) -> None:
        self.held: dict[str, SourceRecord] = {}
        self.checkpoint = ""

    def take(self, pages: Iterator[Page]) -> int:
        count = 0
        for page in pages:
            for record in page.records:
                if record.withdrawn:
                    self.held.pop(record.key, None)
                else:
                    self.held[record.key] = record
            self.checkpoint = page.checkpoint
            count += 1
        return count

    def signals(self) -> set[str]:
        return {f"{signal.type}:{signal.text}" for record in self.held.values() for signal in record.signals}


def test_a_list_is_pulled_whole_and_then_followed(service: PeerService) -> None:
    service.publish(250)
    follower = Follower()
    assert follower.take(connect(service).pull("")) == 3
    assert follower.signals() == service.listed()
    assert follower.take(connect(service).pull(follower.checkpoint)) == 0
    service.publish(7)
    service.withdraw(120)
    assert follower.take(connect(service).pull(follower.checkpoint)) == 2
    assert follower.signals() == service.listed()
    assert len(follower.held) == 137


def test_what_is_believed_is_a_setting(service: PeerService) -> None:
    service.publish(1)
    for said, trust in (("confirmed", Trust.CONFIRMED), ("unconfirmed", Trust.UNCONFIRMED)):
        ((record,),) = [page.records for page in connect(service, trust=said).pull("")]
        assert record == SourceRecord(
            key="1",
            signals=(parse_signal("md5", value_of(1)),),
            opinion=Opinion.POSITIVE,
            trust=trust,
            labels=("made-up",),
            listed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            detail={"origin": "origin1"},
        )
    assert read_config(PeerConfig, PLAIN).trust is Trust.UNCONFIRMED


def wrong_key(service: PeerService) -> None:
    true = service.identity
    service.signs_with = Ed25519PrivateKey.generate()
    assert service.identity != true


def no_signature(service: PeerService) -> None:
    service.replayed = Reply.json(
        {"origin": "origin1", "checkpoint": "1-0", "entries": [], "gone": [], "has_more": False}
    )


def one_more_entry(service: PeerService) -> None:
    service.forge = lambda body: body.replace(b'"gone": []', b'"gone": [1]')


def cut_short(service: PeerService) -> None:
    service.forge = lambda body: body[:-20]


def answered_before(service: PeerService) -> None:
    """Somebody on the way answers with what was answered, rightly, a moment ago."""
    list(connect(service).pull(""))
    service.replayed = service.last


def of_last_year(service: PeerService) -> None:
    service.clock = lambda: time.time() - 301


def of_next_year(service: PeerService) -> None:
    service.clock = lambda: time.time() + 302


@pytest.mark.parametrize(
    ("falsify", "error", "code"),
    [
        (wrong_key, Refused, "peer_key_changed"),
        (no_signature, Unavailable, "exchange_page_broken"),
        (one_more_entry, Unavailable, "exchange_page_broken"),
        (cut_short, Unavailable, "exchange_page_broken"),
        (answered_before, Unavailable, "exchange_page_broken"),
        (of_last_year, Unavailable, "exchange_page_broken"),
        (of_next_year, Unavailable, "exchange_page_broken"),
    ],
)
def test_what_the_other_side_has_not_signed_for_this_question_is_not_taken(
    service: PeerService, falsify: Callable[[PeerService], None], error: type[JikimiError], code: str
) -> None:
    service.publish(3)
    peer = connect(service)
    falsify(service)
    taken: list[Page] = []
    with pytest.raises(error) as failure:
        taken.extend(peer.pull(""))
    assert (failure.value.code, taken) == (code, [])
    assert service.key not in failure.value.message
    assert value_of(1) not in failure.value.message


def test_pages_before_a_forged_one_count_and_none_after_it(service: PeerService) -> None:
    service.publish(250)
    service.forge = lambda body: body if b'"after": ""' in body else body.replace(b"md5", b"MD5")
    follower = Follower()
    with pytest.raises(Unavailable):
        follower.take(connect(service).pull(""))
    assert len(follower.held) == 100
    service.forge = lambda body: body
    follower.take(connect(service).pull(follower.checkpoint))
    assert follower.signals() == service.listed()


def test_an_answer_that_was_broken_on_its_way_is_asked_for_once_more(service: PeerService) -> None:
    service.publish(3)
    service.garbles(times=1)
    follower = Follower()
    follower.take(connect(service).pull(""))
    assert follower.signals() == service.listed()
    service.garbles(times=2)
    with pytest.raises(Unavailable):
        list(connect(service).pull(""))


def test_a_long_pull_does_not_call_new_answers_old(service: PeerService) -> None:
    service.publish(250)
    passed = [0.0]
    config = read_config(PeerConfig, service.settings)
    service.clock = lambda: time.time() + passed[0]
    pages = Peer(config, web_to(config), datetime.now(UTC), clock=service.clock).pull("")
    next(pages)
    passed[0] = 1000.0
    assert len(list(pages)) == 2


def test_another_database_means_a_whole_pull(service: PeerService) -> None:
    service.publish(3)
    follower = Follower()
    follower.take(connect(service).pull(""))
    service.begin_anew()
    with pytest.raises(CheckpointStaleError):
        list(connect(service).pull(follower.checkpoint))
    origin, _, after = follower.checkpoint.partition(" ")
    service.origin = origin
    with pytest.raises(CheckpointStaleError):
        list(connect(service).pull(f"{origin}y {after}"))


@pytest.mark.parametrize("checkpoint", ["nonsense", "a b", "origin1 \udcff", "origin1 " + "1" * 101, " 1-0"])
def test_a_checkpoint_that_is_none_of_ours_means_a_whole_pull(service: PeerService, checkpoint: str) -> None:
    with pytest.raises(CheckpointStaleError):
        list(connect(service).pull(checkpoint))
    assert service.asked == [] or checkpoint == "a b"


def test_a_peer_without_a_beginning_is_not_pulled_for_ever(service: PeerService) -> None:
    service.fails(410)
    with pytest.raises(Unavailable):
        list(connect(service).pull(""))


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, Refused, "exchange_denied"),
        (403, Refused, "exchange_denied"),
        (404, Refused, "peer_bank_unknown"),
        (302, Unavailable, "exchange_answer"),
        (418, Unavailable, "exchange_answer"),
    ],
)
def test_what_an_answer_means(service: PeerService, status: int, error: type[JikimiError], code: str) -> None:
    service.fails(status, body="jk_of_nobody")
    with pytest.raises(error) as failure:
        list(connect(service).pull(""))
    assert failure.value.code == code
    assert service.key not in failure.value.message


GOOD = {
    "id": 900, "type": "pdq", "value": "0f" * 32, "quality": 77, "labels": [], "opinion": "disputed",
    "trust": "unconfirmed", "listed_at": None, "added_at": "2026-01-02T12:04:05+09:00",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"type": "sha3"}, "entry 900: signal_type_unknown"),
        ({"value": "0f"}, "entry 900: signal_value_invalid"),
        ({"value": None}, "entry 900: signal_value_invalid"),
        ({"opinion": "perhaps"}, "entry 900: not_readable"),
        ({"trust": None}, "entry 900: not_readable"),
        ({"labels": 7}, "entry 900: not_readable"),
        ({"added_at": "yesterday"}, "entry 900: not_readable"),
        ({"added_at": "2026-01-02T12:04:05"}, "entry 900: not_readable"),
        ({"added_at": "0001-01-01T00:00:00+09:00"}, "entry 900: not_readable"),
        ({"listed_at": "9999-12-31T23:59:59-09:00"}, "entry 900: not_readable"),
        ({"id": "900"}, "entry 1 of a page: not_readable"),
        ({"id": True}, "entry 1 of a page: not_readable"),
        ({"id": 0}, "entry 1 of a page: not_readable"),
    ],
)
def test_an_entry_that_cannot_be_read_is_a_fault_and_the_page_goes_on(
    service: PeerService, change: dict[str, Any], fault: str
) -> None:
    service.publish(1)
    service.extra = [{**GOOD, **change}]
    (page,) = connect(service).pull("")
    assert page.faults == (fault,)
    assert [record.key for record in page.records] == ["1"]


@pytest.mark.parametrize("extra", [None, 7, "x", [], {}])
def test_what_is_no_entry_at_all_is_a_fault(service: PeerService, extra: Any) -> None:
    service.extra = [extra]
    (page,) = connect(service).pull("")
    assert (page.faults, page.records) == (("entry 1 of a page: not_readable",), ())


def test_a_recorded_page_is_converted() -> None:
    answer = {"origin": "o", "checkpoint": "1-0-9-4-0123456789ab", "entries": [GOOD], "gone": [3], "has_more": False}
    page = page_of(answer, Trust.CONFIRMED)
    assert page.checkpoint == "o 1-0-9-4-0123456789ab"
    assert page.records == (
        SourceRecord(key="3", withdrawn=True),
        SourceRecord(
            key="900",
            signals=(Signal(type="pdq", value=bytes.fromhex("0f" * 32), quality=77),),
            opinion=Opinion.DISPUTED,
            trust=Trust.UNCONFIRMED,
            listed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            detail={"origin": "o"},
        ),
    )


def test_feedback_is_given_by_number_and_only_an_answer_of_the_peer_counts(service: PeerService) -> None:
    service.publish(3)
    opined = [
        Opined(feedback=feedback, record=str(number), signal=parse_signal("md5", value_of(number)))
        for number, feedback in enumerate((Feedback.SEEN, Feedback.TRUE_POSITIVE, Feedback.FALSE_POSITIVE), start=1)
    ]
    now = datetime.now(UTC)
    connect(service, now).push(opined)
    assert [(one["id"], one["feedback"]) for one in service.said] == [
        (1, "seen"),
        (2, "true_positive"),
        (3, "false_positive"),
    ]
    assert all(abs(datetime.fromisoformat(one["at"]) - now) < timedelta(minutes=1) for one in service.said)
    assert not service.saw(value_of(1))
    no_signature(service)
    with pytest.raises(Unavailable):
        connect(service).push(opined)


def test_a_new_signal_is_not_sent(service: PeerService) -> None:
    new = Opined(feedback=Feedback.NEW_SIGNAL, record="", signal=parse_signal("md5", value_of(1)))
    with pytest.raises(Refused):
        connect(service).push([new])
    assert service.asked == []


def test_much_feedback_goes_in_parts(service: PeerService) -> None:
    signal = parse_signal("md5", value_of(1))
    connect(service).push([Opined(feedback=Feedback.SEEN, record=str(n), signal=signal) for n in range(1, 1202)])
    assert len(service.said) == 1201
    assert len(service.asked) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"address": "http://them.example"},
        {"address": "ftp://them.example"},
        {"address": "https://me@them.example"},
        {"address": "https://them.example?x=1"},
        {"address": "https://"},
        {"bank": "../banks"},
        {"bank": ""},
        {"identity": "jkp_1"},
        {"identity": ""},
        {"key": ""},
        {"page_size": "5001"},
        {"page_size": "0"},
        {"trust": "very"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(Refused) as refusal:
        read_config(PeerConfig, {**PLAIN, **change})
    assert refusal.value.code == "config_invalid"


def test_the_key_is_secret_and_only_the_peers_own_host_is_spoken_to() -> None:
    config = read_config(PeerConfig, {**PLAIN, "address": "https://Them.example:8443/jikimi/"})
    assert "key" not in plain_values(config)
    assert Peer.hosts(config) == {"them.example:8443"}


def test_a_prefix_of_the_address_is_not_part_of_what_is_signed(service: PeerService) -> None:
    """A proxy in front may well take it away."""

    class Proxy:
        def __init__(self, behind: WebClient) -> None:
            self.behind = behind

        def ask(self, method: str, url: str, **rest: Any) -> Got:
            assert "/hidden/v1/peer/" in url
            return self.behind.ask(method, url.replace("/hidden/", "/"), **rest)

    service.publish(2)
    config = read_config(PeerConfig, {**service.settings, "address": f"{service.url}/hidden/"})
    ((one, two),) = [page.records for page in Peer(config, Proxy(web_to(config)), datetime.now(UTC)).pull("")]
    assert (one.key, two.key) == ("1", "2")


def chance(size: int) -> bytes:
    return Ed25519PrivateKey.generate().private_bytes_raw()[:size]


def test_the_key_that_signs_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "peer.key"
    with ThreadPoolExecutor(8) as pool:
        publics = set(pool.map(lambda _: PeerKeyFile(file, chance).public, range(16)))
    (public,) = publics
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["peer.key"]
    assert PeerKeyFile(file, chance).is_private
    file.chmod(0o640)
    assert not PeerKeyFile(file, chance).is_private
    key = PeerKeyFile(file, chance)
    signature = key.sign(b"text")
    assert is_signed(b"text", signature, public)
    assert not is_signed(b"texT", signature, public)
    assert not is_signed(b"text", signature[:-1], public)
    assert not is_signed(b"text", signature, PeerKeyFile(tmp_path / "other", chance).public)
    assert not is_signed(b"text", signature, "nonsense")


@pytest.mark.parametrize("content", [b"", b"jkps_00", b"jkw_" + b"0" * 64, b"\xff\xfe", b"jkps_" + b"x" * 64])
def test_a_key_file_that_holds_something_else_is_not_made_anew(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "peer.key"
    file.write_bytes(content)
    with pytest.raises(Broken) as failure:
        _ = PeerKeyFile(file, chance).public
    assert (failure.value.code, failure.value.detail) == ("peer_key_damaged", str(file))
    assert file.read_bytes() == content


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as failure:
        _ = PeerKeyFile(tmp_path / "missing" / "peer.key", chance).public
    assert failure.value.code == "peer_key_unwritable"
    assert "No such file" in failure.value.detail
