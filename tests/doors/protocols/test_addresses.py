"""Pictures are hashed by their address, from hosts that are named; others are asked nothing, and tell nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import urllib3
import uvicorn

from jikimi.app import listen
from jikimi.config import Settings
from jikimi.doors.protocols.hma.app import build_hma
from jikimi.engine.pattern import alter, paint
from jikimi.model.bank import Category, OnMatch
from jikimi.model.hma import HmaRules
from jikimi.plugs.web.fetch import Fetcher
from jikimi.plugs.web.wire import trusted
from tests.conftest import open_world
from tests.doors.protocols.conftest import serving as serving_hma
from tests.unit.plugs.web.server import Handler, Place, serving

_HOST = "pictures.example"
_RULES = HmaRules(needs_key=False, category=Category.OTHER, on_match=OnMatch.HOLD)
KNOWN = paint(41)
_PAGES: dict[str, tuple[int, bytes, str]] = {
    "/known.png": (200, KNOWN, "image/png"),
    "/copy.jpg": (200, alter(KNOWN), "image/jpeg; charset=x"),
    "/clip": (200, b"moving", "video/mp4"),
    "/text": (200, b"words", "text/html"),
    "/bytes": (200, KNOWN, "application/octet-stream"),
    "/broken.png": (200, b"\x89PNG\r\n\x1a\n nothing", "image/png"),
    "/gone.png": (404, b"", "text/plain"),
    "/large.png": (200, b"\x00" * 3_000_000, "image/png"),
}


def page(handler: Handler) -> None:
    status, body, kind = _PAGES[handler.path]
    handler.give(status, body, Content_Type=kind)


@pytest.fixture(scope="module")
def pictures() -> Iterator[Place]:
    with serving(page) as place:
        yield place


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose fetcher takes our own machine for a host on the internet."""
    fetch = Fetcher(
        (_HOST,),
        most=1_000_000,
        trust=trusted(),
        resolve=lambda host, port: ("127.0.0.1",),
        is_allowed_address=lambda address: True,
    )
    settings = Settings.load(data=tmp_path_factory.mktemp("addresses") / "data", decode_workers=1)
    with open_world(settings) as world, listen("127.0.0.1", 0) as listening:
        app = build_hma(replace(world.kit, fetch=fetch), _RULES, lambda: {})
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
        thread.start()
        while not server.started:
            time.sleep(0.02)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        urllib3.request("POST", f"{address}/c/banks", json={"name": "BANK"})
        yield address
        server.should_exit = True
        thread.join()


def ask(address: str, path: str, method: str = "GET", **options: Any) -> tuple[int, Any]:
    answer = urllib3.request(method, f"{address}{path}", retries=False, **options)
    return answer.status, answer.json()


def at(pictures: Place, path: str) -> str:
    return quote(f"http://{_HOST}:{pictures.port}{path}", safe="")


def test_a_picture_is_hashed_where_it_lies(address: str, pictures: Place) -> None:
    status, hashed = ask(address, f"/h/hash?url={at(pictures, '/known.png')}")
    assert (status, set(hashed)) == (200, {"pdq"})
    status, hashed = ask(address, f"/h/hash?url={at(pictures, '/clip')}")
    assert (status, set(hashed)) == (200, {"video_md5"})
    status, hashed = ask(address, f"/h/hash?url={at(pictures, '/bytes')}&content_type=photo&types=md5")
    assert (status, set(hashed)) == (200, {"md5"})


def test_a_picture_is_banked_and_looked_up_where_it_lies(address: str, pictures: Place) -> None:
    note = {"note": "from there", "metadata": {"content_uri": "https://example.org/1"}}
    added = ask(
        address, f"/c/bank/BANK/content?url={at(pictures, '/known.png')}&content_type=photo", method="POST", json=note
    )
    assert added[0] == 200
    number = added[1]["id"]
    found = ask(address, f"/m/lookup?url={at(pictures, '/copy.jpg')}&bypass_coinflip=true")[1]
    assert found["pdq"]["BANK"][0]["bank_content_id"] == number
    one_level = ask(address, f"/m/lookup?url={at(pictures, '/copy.jpg')}&signal_type=pdq")[1]
    assert one_level == found["pdq"]
    assert ask(address, f"/c/bank/BANK/content/{number}")[1]["note"] == "from there"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/text", 400),
        ("/bytes", 400),
        ("/broken.png", 400),
        ("/gone.png", 400),
        ("/large.png", 413),
    ],
)
def test_what_is_no_picture_there(address: str, pictures: Place, url: str, status: int) -> None:
    for path in ("/h/hash", "/m/lookup"):
        answer = ask(address, f"{path}?url={at(pictures, url)}")
        assert answer[0] == status, answer
        assert set(answer[1]) == {"message"}


@pytest.mark.parametrize(
    "url", ["ftp://pictures.example/", "http://elsewhere.example/", "nonsense", "file:///etc/passwd"]
)
def test_what_is_asked_of_nobody(address: str, url: str) -> None:
    status, told = ask(address, f"/h/hash?url={quote(url, safe='')}")
    assert (status, set(told)) == (400, {"message"})


def test_our_own_machine_is_out_of_reach_even_if_it_is_named(tmp_path: Path, pictures: Place) -> None:
    """A real service with real rules: a host may be listed, and still lead to where nothing may be fetched from."""
    before = len(pictures.asked)
    with serving_hma(tmp_path / "data", JIKIMI_HMA_URL_HOSTS='["localhost", "127.0.0.1"]') as hma:
        for host in ("localhost", "127.0.0.1", "[::1]", "127.1", "2130706433"):
            url = quote(f"http://{host}:{pictures.port}/known.png", safe="")
            for path in (f"/h/hash?url={url}", f"/m/lookup?url={url}"):
                reply = hma.ask("GET", path)
                assert (reply.status, set(reply.body)) == (400, {"message"}), reply.body
    assert len(pictures.asked) == before
