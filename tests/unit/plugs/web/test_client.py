"""What goes to a programme and what comes back, over a real server; what bounds it; what never gets into a message."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from jikimi.app import web_for
from jikimi.config import Settings
from jikimi.model.errors import JikimiError, Refused, Unavailable
from jikimi.plugs.web.client import MOST_BYTES, WebClient
from jikimi.plugs.web.wire import trusted
from tests.unit.plugs.web.server import Answering, Handler, Place, certified, serving

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "xyzzy-secret"
KEY = {"Authorization": SECRET, "Accept": "application/json"}


def nowhere() -> Mapping[str, str]:
    return {}


class Web(WebClient):
    """A client whose pauses are written down instead of waited for."""

    def __init__(self, *hosts: str, **parts: Any) -> None:
        self.pauses: list[float] = []
        super().__init__(
            hosts,
            **{
                "trust": trusted(),
                "clock": lambda: NOW,
                "environment": nowhere,
                "sleep": self.pauses.append,
                "chance": lambda: 0.5,
                **parts,
            },
        )


@contextmanager
def asking(answering: Answering, **parts: Any) -> Iterator[tuple[Web, Place]]:
    with serving(answering) as place:
        yield Web(place.name, **parts), place


def turns(*answers: Callable[[Handler], None]) -> Answering:
    """One answer after the other; the last one stays."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.give(status, body, **headers)


def test_a_question_and_its_answer() -> None:
    with asking(says(200, b"{}", X_Next="2")) as (web, place):
        got = web.ask("post", f"{place.url}/list?a=1", headers=KEY, query={"b": "x y&"}, body=b"<q/>")
    assert (got.status, got.body, got.headers["x-next"]) == (200, b"{}", "2")
    (asked,) = place.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/list?a=1&b=x+y%26", b"<q/>")
    assert (asked.headers["authorization"], asked.headers["user-agent"]) == (SECRET, "jikimi")


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410])
def test_what_the_host_means_is_for_the_connector(status: int) -> None:
    with asking(says(status, b"" if status in (204, 304) else b"because")) as (web, place):
        assert web.ask("GET", place.url).status == status
    assert len(place.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status: int) -> None:
    with asking(turns(says(status), says(status), says(200, b"ok"))) as (web, place):
        assert web.ask("GET", place.url).body == b"ok"
    assert web.pauses == [1.0, 2.0]


def test_not_for_ever() -> None:
    with asking(says(503, b"x" * 100_000)) as (web, place), pytest.raises(Unavailable) as raised:
        web.ask("GET", f"{place.url}/{SECRET}?access_token={SECRET}", headers={"Authorization": SECRET})
    assert raised.value.message == "127.0.0.1 answered 503."
    assert (len(place.asked), web.pauses) == (5, [1.0, 2.0, 4.0, 8.0])


@pytest.mark.parametrize(("status", "again"), [(503, False), (501, True), (505, True)])
def test_what_must_not_be_repeated_is_not(status: int, again: bool) -> None:
    with asking(says(status)) as (web, place), pytest.raises(Unavailable):
        web.ask("POST", place.url, body=b"x", again=again)
    assert (len(place.asked), web.pauses) == (1, [])


def test_pauses_are_spread() -> None:
    spans = []
    for chance in (0.0, 1.0):
        with asking(turns(says(503), says(200)), chance=lambda chance=chance: chance) as (web, place):
            web.ask("GET", place.url)
        spans += web.pauses
    assert spans == [0.75, 1.25]


@pytest.mark.parametrize("after", ["90", format_datetime(NOW + timedelta(seconds=90), usegmt=True)])
def test_the_host_says_when_to_come_back(after: str) -> None:
    with asking(turns(says(429, Retry_After=after), says(200))) as (web, place):
        web.ask("GET", place.url)
    assert web.pauses == [90]


def test_a_long_wait_is_handed_on() -> None:
    with asking(says(429, Retry_After="3600")) as (web, place), pytest.raises(Unavailable) as raised:
        web.ask("GET", place.url)
    assert (raised.value.retry_after, web.pauses, len(place.asked)) == (3600, [], 1)


def test_all_waits_of_a_call_together_have_a_bound() -> None:
    with asking(says(503, Retry_After="50")) as (web, place), pytest.raises(Unavailable) as raised:
        web.ask("GET", place.url)
    assert (web.pauses, raised.value.retry_after) == ([50, 50], 50)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/", "https://other.example/", "http://list.example/", "https://list.example:8443/",
        "http://localhost/", "https://list.example.evil.example/", "ftp://list.example/", "https://u:p@list.example/",
        "https://list.example@evil.example/", "https://list.example:99999999/", "//list.example/", "", "https://",
        "https://list.example\\@evil.example/", "https://[::1/", "https://list.example:x/", "https://list.example:0/",
    ],
)  # fmt: skip
def test_no_other_host(url: str) -> None:
    with pytest.raises(Refused) as raised:
        Web("list.example").ask("GET", url)
    assert raised.value.code in ("web_host_refused", "web_address_invalid")


def test_plain_http_stays_on_this_machine_even_if_a_host_is_ours() -> None:
    with pytest.raises(Refused, match="over https"):
        Web("list.example:80", "list.example").ask("GET", "http://list.example/")


def test_a_redirect_to_a_host_of_ours_loses_what_was_meant_for_the_first() -> None:
    with serving(says(200, b"there")) as other, serving(says(302, Location=f"{other.url}/x?y=1")) as place:
        web = Web(place.name, other.name)
        got = web.ask("GET", place.url, headers={**KEY, "x-functions-key": SECRET})
    assert got.body == b"there"
    (asked,) = other.asked
    assert SECRET not in str(asked)
    assert asked.headers["accept"] == "application/json"


def test_a_redirect_within_a_host_keeps_them() -> None:
    with asking(turns(says(301, Location="/elsewhere"), says(200, b"there"))) as (web, place):
        assert web.ask("GET", place.url, headers=KEY).body == b"there"
    assert [one.headers["authorization"] for one in place.asked] == [SECRET, SECRET]
    assert place.asked[1].path == "/elsewhere"


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:1/", "https://evil.example/", "file:///etc/passwd", "http://[::1", "//\x7f"]
)
def test_no_redirect_leads_out(where: str) -> None:
    with asking(says(307, Location=where)) as (web, place), pytest.raises(Refused) as raised:
        web.ask("GET", place.url)
    assert raised.value.code == "web_redirected"
    assert "evil" not in raised.value.message
    assert len(place.asked) == 1


def test_redirects_end() -> None:
    with asking(says(302, Location="/")) as (web, place), pytest.raises(Refused, match="too often"):
        web.ask("GET", place.url)
    assert len(place.asked) == 4


def test_something_given_back_never_turns_into_a_question() -> None:
    with asking(says(302, Location="/x")) as (web, place), pytest.raises(Refused):
        web.ask("POST", place.url, body=b"x")
    with serving(says(200)) as other, serving(says(307, Location=other.url)) as place:
        with pytest.raises(Refused):
            Web(place.name, other.name).ask("POST", place.url, body=SECRET.encode())
        assert other.asked == []
    with asking(turns(says(308, Location="/x"), says(200))) as (web, place):
        web.ask("POST", place.url, body=b"x")
    assert [(one.method, one.body) for one in place.asked] == [("POST", b"x"), ("POST", b"x")]


@pytest.mark.parametrize("most", [1000, 0])
def test_a_large_answer_is_not_read_to_its_end(most: int) -> None:
    bound = most or MOST_BYTES

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with asking(endless) as (web, place), pytest.raises(Refused) as raised:
        web.ask("GET", place.url, most=most)
    assert raised.value.code == "web_too_large"
    with asking(says(200, b"x" * 1001)) as (web, place):
        assert len(web.ask("GET", place.url, most=1001).body) == 1001
        with pytest.raises(Refused):
            web.ask("GET", place.url, most=1000)
    assert bound >= 1000


def test_packed_answers_are_unpacked() -> None:
    with asking(says(200, gzip.compress(b"hello"), Content_Encoding="gzip")) as (web, place):
        assert web.ask("GET", place.url).body == b"hello"
    assert place.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_what_is_large_only_when_unpacked_is_refused_before_it_is(is_chunked: bool) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)

    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(bomb), bomb))

    with asking(chunked if is_chunked else says(200, bomb, Content_Encoding="gzip")) as (web, place):
        tracemalloc.start()
        with pytest.raises(Refused) as raised:
            web.ask("GET", place.url, most=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert raised.value.code == "web_too_large"
    assert peak < 10_000_000


@pytest.mark.parametrize("how", ["br", "zstd", "gzip, gzip"])
def test_what_was_not_asked_for_is_not_unpacked(how: str) -> None:
    with asking(says(200, b"xx", Content_Encoding=how)) as (web, place), pytest.raises(Unavailable):
        web.ask("GET", place.url)
    assert len(place.asked) == 1


def test_an_answer_that_drips_is_cut_off() -> None:
    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)

    with asking(dripping, seconds=0.4) as (web, place):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="took too long"):
            web.ask("GET", place.url, again=False)
    assert time.monotonic() - began < 5


def test_headers_that_drip_are_cut_off_too() -> None:
    def dripping(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1000):
            handler.wfile.write(b"X%d: y\r\n" % number)
            time.sleep(0.05)

    with asking(dripping, seconds=0.4) as (web, place), pytest.raises(Unavailable, match="took too long"):
        web.ask("GET", place.url, again=False)


@pytest.mark.parametrize(
    "raw",
    [b"", b"HELLO\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", b"HTTP/1.1 200 OK\r\nContent-Encoding: "
     b"gzip\r\nContent-Length: 3\r\n\r\nxyz", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"],
)  # fmt: skip
def test_half_an_answer_is_none(raw: bytes) -> None:
    with asking(turns(lambda handler: void(handler.wfile.write(raw)), says(200, b"whole"))) as (web, place):
        assert web.ask("GET", place.url).body == b"whole"
    assert web.pauses == [1.0]


def void(_: object) -> None:
    return None


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    web = Web(f"127.0.0.1:{port}")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 gave no answer: there is no connection") as raised:
        web.ask("GET", f"http://127.0.0.1:{port}/{SECRET}")
    assert len(web.pauses) == 4
    assert told_nothing(raised.value)


def told_nothing(error: JikimiError) -> bool:
    return SECRET not in f"{error.message}{error.detail}{error.args}{error.__cause__}"


def test_a_credential_that_cannot_be_sent_is_named_without_itself() -> None:
    with asking(says(200)) as (web, place):
        for value in (f"{SECRET}\r\nX: y", f"{SECRET}열쇠"):
            with pytest.raises(Refused, match="Authorization") as raised:
                web.ask("GET", place.url, headers={"Authorization": value})
            assert told_nothing(raised.value)
    assert place.asked == []


def test_libraries_log_no_address(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n")

    with caplog.at_level(logging.DEBUG), asking(broken) as (web, place):
        web.ask("GET", place.url, query={"access_token": SECRET})
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


def test_certificates_are_checked(tmp_path: Path) -> None:
    file, context = certified(tmp_path, "127.0.0.1")
    with serving(says(200, b"ok"), context) as place:
        url = f"https://{place.name}/"
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            Web(place.name).ask("GET", url)
        assert Web(place.name, trust=trusted(file)).ask("GET", url).body == b"ok"


def test_a_certificate_is_for_its_name_only(tmp_path: Path) -> None:
    file, context = certified(tmp_path, "other.example")
    with serving(says(200), context) as place, pytest.raises(Unavailable, match="not trusted"):
        Web(place.name, trust=trusted(file)).ask("GET", f"https://{place.name}/")
    assert place.asked == []


def test_never_from_https_to_http(tmp_path: Path) -> None:
    file, context = certified(tmp_path, "127.0.0.1")
    with serving(says(200)) as plain, serving(says(302, Location=plain.url), context) as place:
        with pytest.raises(Refused):
            Web(place.name, plain.name, trust=trusted(file)).ask("GET", f"https://{place.name}/")
        assert plain.asked == []


def test_no_authorities_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(Refused, match="outgoing_ca_file"):
            trusted(file)


def tunnel(to: int) -> Answering:
    """A proxy that knows one way only, whatever name it is asked for."""

    def answering(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with socket.create_connection(("127.0.0.1", to)) as onward:
            threading.Thread(target=pump, args=(onward, handler.connection), daemon=True).start()
            pump(handler.connection, onward)

    return answering


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # either end may go first
        while piece := source.recv(65536):
            target.sendall(piece)


@pytest.mark.parametrize("by", ["setting", "environment"])
def test_through_a_proxy_that_sees_the_name_only(tmp_path: Path, by: str) -> None:
    file, context = certified(tmp_path, "list.example")
    with serving(says(200, b"ok"), context) as place, serving(tunnel(place.port)) as proxy:
        where = f"http://me:p%40ss@{proxy.name}"
        web = Web(
            "list.example",
            trust=trusted(file),
            proxy=where if by == "setting" else "",
            environment=lambda: {} if by == "setting" else {"https": where},
        )
        assert web.ask("GET", f"https://list.example/{SECRET}", headers=KEY).body == b"ok"
    (asked,) = proxy.asked
    assert (asked.method, asked.path) == ("CONNECT", "list.example:443")
    assert asked.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
    assert SECRET not in str(asked)
    assert place.asked[0].path == f"/{SECRET}"


def test_a_proxy_that_says_no() -> None:
    with serving(says(407)) as proxy, pytest.raises(Unavailable, match="no connection"):
        Web("list.example", proxy=f"http://{proxy.name}").ask("GET", "https://list.example/")
    assert len(proxy.asked) == 5


def test_not_through_the_proxy_to_this_machine_or_where_no_proxy_says_so() -> None:
    with serving(says(200)) as proxy, asking(says(200, b"ok"), proxy=f"http://{proxy.name}") as (web, place):
        assert web.ask("GET", place.url).body == b"ok"
        away = Web("list.invalid", environment=lambda: {"https": f"http://{proxy.name}", "no": "list.invalid"})
        with pytest.raises(Unavailable):
            away.ask("GET", "https://list.invalid/")
    assert proxy.asked == []


def test_an_installation_builds_it_from_its_settings(tmp_path: Path) -> None:
    file, context = certified(tmp_path, "127.0.0.1")
    settings = Settings.load(data=tmp_path, outgoing_ca_file=file)
    with serving(says(200, b"ok"), context) as place:
        assert web_for(settings, frozenset({place.name})).ask("GET", f"https://{place.name}/").body == b"ok"
    with pytest.raises(Refused, match="outgoing_proxy"):
        Settings.load(data=tmp_path, outgoing_proxy="socks5://x:1")
