"""What goes over the wire, and what bounds it; the keys in their file."""

from __future__ import annotations

import socket
import stat
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from jikimi.config import Settings
from jikimi.model.action import MAX_RECEIPT, Answer
from jikimi.model.errors import Refused
from jikimi.model.message import Event, Message
from jikimi.plugs.actions.keys import WebhookKeys
from jikimi.plugs.actions.webhook import Webhook
from jikimi.testing.platform import Platform

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MESSAGE = Message(event=Event.PING, delivery="dlv_1", key="k", body='{"event": "ping", "text": "안녕"}')
OLD, NEW = "the old key of the two sides", "the new key of the two sides"


def send(platform: Platform, *keys: str, url: str = "", seconds: float = 5.0) -> Answer:
    return Webhook(url=url or platform.url, keys=lambda: keys or (OLD,), seconds=seconds, clock=lambda: NOW).perform(
        MESSAGE
    )


@pytest.fixture
def platform() -> Platform:
    return Platform([OLD], clock=NOW.timestamp)


def test_a_message_arrives_as_it_was_written(platform: Platform) -> None:
    with platform:
        answer = send(platform)
    assert (answer.status, answer.body, answer.error) == (200, '{"status": "done"}', "")
    (received,) = platform.received
    assert (received.event, received.delivery, received.key, received.fault) == ("ping", "dlv_1", "k", "")
    assert received.body["text"] == "안녕"


def test_keys_that_cannot_be_kept_are_a_failed_try(tmp_path: Path, platform: Platform) -> None:
    keys_ = WebhookKeys("", tmp_path / "missing", lambda size: bytes(size))
    with platform:
        answer = Webhook(url=platform.url, keys=keys_, seconds=5, clock=lambda: NOW).perform(MESSAGE)
    assert (answer.status, platform.received) == (0, [])
    assert "No such file" in answer.error


def test_while_a_key_is_replaced_both_sides_of_the_change_are_believed(platform: Platform) -> None:
    with platform:
        assert send(platform, OLD).status == 200
        assert send(platform, NEW).status == 401
        assert send(platform, NEW, OLD).status == 200
        platform.secrets[:] = [NEW]
        assert send(platform, NEW, OLD).status == 200
        assert send(platform, OLD).status == 401


def test_of_a_long_answer_the_beginning_is_kept(platform: Platform) -> None:
    with platform:
        platform.answers(200, "ü" * 3_000_000)
        assert send(platform).body == "ü" * (MAX_RECEIPT // 2)


@pytest.mark.parametrize("manner", ["hangs", "drips"])
def test_a_try_ends_in_time(platform: Platform, manner: str) -> None:
    with platform:
        getattr(platform, manner)()
        began = time.monotonic()
        answer = send(platform, seconds=0.4)
    assert (answer.status, answer.error) in ((0, "timeout"), (0, answer.error))
    assert "timeout" in answer.error.lower() or "timed out" in answer.error.lower()
    assert 0.3 < time.monotonic() - began < 5
    assert answer.elapsed_ms >= 300


def answered(raw: bytes) -> Answer:
    """What becomes of a try when the other side sends these bytes, whatever they are."""

    def run() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(raw)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        answer = Webhook(url=url, keys=lambda: (OLD,), seconds=5, clock=lambda: NOW).perform(MESSAGE)
        thread.join()
    return answer


def test_a_body_that_drips_ends_in_time_on_a_connection_that_is_not_kept() -> None:
    def run() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(200):
                connection.sendall(b"x")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        began = time.monotonic()
        answer = Webhook(url=url, keys=lambda: (OLD,), seconds=0.4, clock=lambda: NOW).perform(MESSAGE)
        thread.join()
    assert (answer.status, answer.error) == (0, "timeout")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "raw",
    [
        b"HELLO\r\n\r\n",
        b"HTTP/1.1 99999 no\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000,
        b"HTTP/1.1 200 x\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 x\r\n" + b"".join(b"H%d: x\r\n" % number for number in range(200)) + b"\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_a_failed_try(raw: bytes) -> None:
    answer = answered(raw)
    assert (answer.status, bool(answer.error)) == (0, True)


def test_headers_that_nobody_can_mean_are_left_out() -> None:
    late = b"Retry-After: Mon, 01 Jan 2027 00:00:00 +99999999999999999999\r\n"
    answer = answered(b"HTTP/1.1 302 x\r\nLocation: /a\x00b\r\n" + late + b"Content-Length: 0\r\n\r\n")
    assert (answer.status, answer.error, answer.retry_after) == (302, "redirects to /ab", 0)


def test_no_redirect_is_followed(platform: Platform) -> None:
    with platform, Platform([OLD]) as elsewhere:
        platform.answers(307, "", Location=elsewhere.url)
        answer = send(platform)
        assert (answer.status, elsewhere.received) == (307, [])
        assert "redirects" in answer.error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0),
        ("99999999999999", 86_400),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_when_to_come_back(platform: Platform, header: str, seconds: int) -> None:
    with platform:
        platform.answers(503, "", Retry_After=header)
        assert send(platform).retry_after == seconds


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "http://nowhere.invalid/"])
def test_nobody_there_is_an_answer_too(platform: Platform, url: str) -> None:
    answer = send(platform, url=url)
    assert answer.status == 0
    assert answer.error
    assert "\n" not in answer.error


def test_a_server_without_a_trusted_certificate_is_told_nothing(platform: Platform) -> None:
    with platform:
        answer = send(platform, url=platform.url.replace("http:", "https:"))
        assert (answer.status, platform.received) == (0, [])
        assert "SSL" in answer.error


# Keys


def keys(folder: Path, said: str = "") -> WebhookKeys:
    numbers = iter(range(1, 200))
    return WebhookKeys(said, folder, lambda count: bytes([next(numbers)]) * count)


def test_the_first_key_is_made_and_kept_from_others(tmp_path: Path) -> None:
    ours = keys(tmp_path)
    (key,) = ours()
    assert ours() == (key,)
    assert keys(tmp_path)() == (key,)
    file = tmp_path / "webhook.keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["webhook.keys"]


def test_a_key_is_replaced_in_two_steps(tmp_path: Path) -> None:
    ours = keys(tmp_path)
    (old,) = ours()
    new, kept = ours.rotate()
    assert kept == old
    assert ours() == (new, old)
    assert ours.rotate()[1] == new, "two keys at most"
    assert ours.retire() == ours() == ours()[:1]


def test_keys_come_from_the_settings_or_from_files(tmp_path: Path) -> None:
    file = tmp_path / "mounted"
    file.write_text(f"{NEW.replace(' ', '-')}\n{OLD.replace(' ', '-')}\n")
    assert keys(tmp_path, f"file:{file}")() == (NEW.replace(" ", "-"), OLD.replace(" ", "-"))
    assert keys(tmp_path, f"{NEW}, {OLD}")() == (NEW, OLD)
    assert len(keys(tmp_path, f"file:{file}").rotate()) == 2
    with pytest.raises(Refused) as refused:
        keys(tmp_path, f"{NEW},{OLD}").rotate()
    assert refused.value.code == "webhook_keys_set"


@pytest.mark.parametrize("said", ["short", "file:/nowhere", "file:/dev/null"])
def test_keys_that_are_none_are_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(Refused) as refused:
        keys(tmp_path, said)()
    assert refused.value.code == "webhook_keys_invalid"


def test_without_a_key_nothing_is_sent(platform: Platform, tmp_path: Path) -> None:
    with platform:
        answer = Webhook(url=platform.url, keys=keys(tmp_path, "short"), seconds=5, clock=lambda: NOW).perform(MESSAGE)
        assert (answer.status, platform.received) == (0, [])
        assert "16 characters" in answer.error


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("", True),
        ("https://forum.example/jikimi", True),
        ("http://127.0.0.1:8800/jikimi", True),
        ("http://localhost:8800/jikimi", True),
        ("http://[::1]:8800/", True),
        ("http://forum.example/jikimi", False),
        ("http://127.0.0.1.forum.example/", False),
        ("ftp://forum.example/", False),
        ("forum.example", False),
    ],
)
def test_what_is_told_travels_encrypted(tmp_path: Path, url: str, is_allowed: bool) -> None:
    if is_allowed:
        assert Settings.load(data=tmp_path, webhook_url=url).webhook_url == url
        return
    with pytest.raises(Refused, match="webhook_url"):
        Settings.load(data=tmp_path, webhook_url=url)


def test_http_to_another_machine_has_to_be_meant(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path, webhook_url="http://forum.example/", webhook_plain_http=True)
    assert settings.webhook_url
