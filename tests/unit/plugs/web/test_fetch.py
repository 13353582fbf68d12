"""A picture by its address: from where, over which way, and what a caller cannot learn by it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jikimi.app import fetcher_of
from jikimi.config import Settings
from jikimi.engine.pattern import paint
from jikimi.model.errors import Refused
from jikimi.plugs.web.addresses import is_public
from jikimi.plugs.web.fetch import Fetcher
from jikimi.plugs.web.wire import trusted
from tests.unit.plugs.web.server import Handler, certified, serving

HOST = "pictures.example"


def here(_host: str, _port: int) -> tuple[str, ...]:
    return ("127.0.0.1",)


def fetcher(**parts: Any) -> Fetcher:
    return Fetcher(
        **{
            "hosts": (HOST,),
            "most": 1_000_000,
            "trust": trusted(),
            "resolve": here,
            "is_allowed_address": lambda address: address == "127.0.0.1",
            **parts,
        }
    )


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.give(status, body, **headers)


def refused(fetch: Fetcher, url: str) -> str:
    with pytest.raises(Refused) as raised:
        fetch.fetch(url)
    return raised.value.code


def test_a_picture_comes_as_it_is() -> None:
    body = paint(1)
    with serving(says(200, body, Content_Type="image/png")) as place:
        found = fetcher().fetch(f"http://{HOST}:{place.port}/a%20b.png?x=1")
        below = fetcher().fetch(f"http://cdn.{HOST.upper()}:{place.port}/")
    with found.file as file, below.file:
        assert (file.read(), found.content_type) == (body, "image/png")
    assert place.asked[0].headers["host"] == f"{HOST}:{place.port}"
    assert place.asked[0].path == "/a%20b.png?x=1"


@pytest.mark.parametrize(
    "url",
    [
        "", "pictures.example/x", "ftp://pictures.example/", "file:///etc/passwd", "https://", "https://pictures.example:x/",
        "https://u@pictures.example/", "https://u:p@pictures.example/", "https://pictures.example:0/", "http://[::1/",
        "https://pictures.example:+80/", "https://pictures.example:70000/", "data:image/png;base64,AA",
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    assert refused(fetcher(), url) in ("url_invalid", "url_host_refused")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evilpictures.example", "pictures.example.evil.example", "127.0.0.1", "[::1]", "localhost",
        "2130706433", "0x7f.1", "pictures.example\\@evil.example", "pictures.example%00.evil.example",
        "evil.example#@pictures.example", "evil.example?.pictures.example",
    ],
)  # fmt: skip
def test_only_from_hosts_that_are_named(host: str) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    fetch = fetcher(resolve=resolve)
    assert refused(fetch, f"https://{host}/x") in ("url_invalid", "url_host_refused")
    assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "192.0.0.8", "::1", "::",
        "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "::127.0.0.1",
        "2001:0:1::1", "2001:db8::1", "3fff::1", "100::1", "fec0::1", "no address", "",
    ],
)  # fmt: skip
def test_addresses_of_somebody_s_own_network(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2a00:1450::1"]
)
def test_addresses_on_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("found", [("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("::ffff:169.254.169.254",)])
def test_one_address_within_is_enough_to_refuse(found: tuple[str, ...]) -> None:
    with serving(says(200, b"x")) as place:
        fetch = fetcher(resolve=lambda host, port: found, is_allowed_address=is_public)
        assert refused(fetch, f"http://{HOST}:{place.port}/") == "url_host_refused"
    assert place.asked == []


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to() -> None:
    answers = [("127.0.0.1",), ("10.0.0.1",)]
    with serving(says(200, b"x")) as place:
        fetch = fetcher(resolve=lambda host, port: answers.pop(0))
        fetch.fetch(f"http://{HOST}:{place.port}/").file.close()
    assert answers == [("10.0.0.1",)]


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with serving(says(200, b"x")) as place:
        fetch = fetcher(
            resolve=lambda host, port: ("127.0.0.2", "127.0.0.1"), is_allowed_address=lambda a: a.startswith("127.")
        )
        with fetch.fetch(f"http://{HOST}:{place.port}/").file as file:
            assert file.read() == b"x"


def test_the_certificate_has_to_be_the_name_s(tmp_path: Path) -> None:
    file, context = certified(tmp_path, HOST)
    with serving(says(200, b"x"), context) as place:
        fetch = fetcher(trust=trusted(file))
        with fetch.fetch(f"https://{HOST}:{place.port}/").file as found:
            assert found.read() == b"x"
        assert refused(fetch, f"https://other.{HOST}:{place.port}/") == "url_unreadable"
        assert refused(fetcher(), f"https://{HOST}:{place.port}/") == "url_unreadable"
    assert len(place.asked) == 1


def test_a_redirect_is_looked_at_like_the_first_address() -> None:
    with serving(says(200, b"x")) as inner:
        for where, code in [
            (f"http://cdn.{HOST}:{inner.port}/y", ""),
            (f"http://127.0.0.1:{inner.port}/", "url_host_refused"),
            (f"http://inner.{HOST}:{inner.port}/", "url_host_refused"),
            ("file:///etc/passwd", "url_invalid"),
            ("http://[::1", "url_invalid"),
        ]:
            with serving(says(302, Location=where)) as place:
                fetch = fetcher(resolve=lambda host, port: ("10.0.0.1",) if "inner" in host else ("127.0.0.1",))
                if code:
                    assert refused(fetch, f"http://{HOST}:{place.port}/") == code
                else:
                    fetch.fetch(f"http://{HOST}:{place.port}/").file.close()
    assert [one.path for one in inner.asked] == ["/y"]


def test_never_from_https_to_http(tmp_path: Path) -> None:
    file, context = certified(tmp_path, HOST)
    with serving(says(200)) as plain, serving(says(302, Location=f"http://{HOST}:{plain.port}/"), context) as place:
        assert refused(fetcher(trust=trusted(file)), f"https://{HOST}:{place.port}/") == "url_host_refused"
    assert plain.asked == []


def test_redirects_end() -> None:
    with serving(says(302, Location="/")) as place:
        assert refused(fetcher(), f"http://{HOST}:{place.port}/") == "url_unreadable"
    assert len(place.asked) == 4


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_large_file_is_cut_off(is_announced: bool) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with serving(says(200, b"x" * 1_000_001) if is_announced else endless) as place:
        assert refused(fetcher(), f"http://{HOST}:{place.port}/") == "url_too_large"


def test_all_of_it_ends_in_time() -> None:
    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    with serving(dripping) as place:
        assert refused(fetcher(seconds=0.4), f"http://{HOST}:{place.port}/") == "url_unreadable"

    def slow(host: str, port: int) -> tuple[str, ...]:
        time.sleep(2)
        return ("127.0.0.1",)

    assert refused(fetcher(seconds=0.4, resolve=slow), f"http://{HOST}/") == "url_unreadable"
    assert time.monotonic() - began < 2


def test_nobody_learns_what_listens_where() -> None:
    """A closed port, one that speaks no HTTP, one that says no, a name without an address: the same words."""
    told = set()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    with serving(says(404)) as no, serving(lambda handler: print(end="", file=None)) as silent:
        for port in (closed, no.port, silent.port):
            with pytest.raises(Refused) as raised:
                fetcher().fetch(f"http://{HOST}:{port}/")
            told.add((raised.value.code, raised.value.message, raised.value.detail))
    with pytest.raises(Refused) as raised:
        fetcher(resolve=lambda host, port: ()).fetch(f"http://{HOST}/")
    told.add((raised.value.code, raised.value.message, raised.value.detail))
    assert len(told) == 1


def test_off_unless_hosts_are_named(tmp_path: Path) -> None:
    assert fetcher_of(Settings.load(data=tmp_path)) is None
    built = fetcher_of(Settings.load(data=tmp_path, hma_url_hosts=("localhost",)))
    assert built is not None
    with serving(says(200)) as place:
        assert refused(built, f"http://localhost:{place.port}/") == "url_host_refused"
    assert place.asked == []
    for mistake in ("http://pictures.example", "*.pictures.example", "a/b", ""):
        with pytest.raises(Refused, match="hma_url_hosts"):
            Settings.load(data=tmp_path, hma_url_hosts=(mistake,))
