"""A database that is away is 503, and never 404: callers forget a bank that is not there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from jikimi.config import Settings
from jikimi.doors.protocols.hma.core import status
from jikimi.doors.protocols.hma.routing import Body, Call
from jikimi.doors.protocols.hma.service import Here
from jikimi.engine.pattern import paint
from jikimi.model.bank import Category, OnMatch
from jikimi.model.hma import HmaRules
from jikimi.ports import Kit
from tests.conftest import open_world, postgresql
from tests.doors.protocols.conftest import Hma, serving

_RULES = HmaRules(needs_key=False, category=Category.OTHER, on_match=OnMatch.HOLD)
_SERVER = "JIKIMI_TEST_POSTGRESQL"
_CALLS = [
    ("GET", "/c/bank/KEPT"),
    ("PUT", "/c/bank/KEPT"),
    ("DELETE", "/c/bank/KEPT"),
    ("GET", "/c/banks"),
    ("GET", "/c/bank/KEPT/content/1"),
    ("DELETE", "/c/bank/KEPT/content/1"),
    ("GET", f"/m/raw_lookup?signal={'0' * 64}&signal_type=pdq"),
    ("GET", f"/m/lookup?signal={'0' * 64}&signal_type=pdq"),
    ("GET", "/m/index/status"),
    ("GET", "/c/signal_type/index"),
]


def shut(url: str, *, away: bool) -> None:
    """Let nobody into a database, and send away who is in; or let them in again."""
    name = urlsplit(url).path.lstrip("/")
    with psycopg.connect(os.environ[_SERVER], autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if away else 'true'}".encode())
        if away:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


def test_no_bank_is_404_while_the_database_is_away(tmp_path: Path) -> None:
    with postgresql() as url, serving(tmp_path / "data", JIKIMI_DATABASE_URL=url) as hma:
        assert hma.ask("POST", "/c/banks", json_={"name": "KEPT"}).status == 201
        assert hma.send("POST", "/c/bank/KEPT/content", {"photo": ("f", paint(1))}).status == 200
        shut(url, away=True)
        try:
            _all_say_503(hma)
            _status_says_so(hma)
        finally:
            shut(url, away=False)
        until = time.monotonic() + 30
        while hma.ask("GET", "/status").status != 200 and time.monotonic() < until:
            time.sleep(0.2)
        assert hma.ask("GET", "/c/bank/KEPT").body == {"name": "KEPT", "matching_enabled_ratio": 1.0}
        assert "KEPT" in hma.send("POST", "/m/lookup", {"photo": ("f", paint(1))}).body["pdq"]


def _all_say_503(hma: Hma) -> None:
    for method, path in _CALLS:
        reply = hma.ask(method, path, json_={} if method == "PUT" else None)
        assert (reply.status, set(reply.body)) == (503, {"message"}), (method, path, reply.body)
        assert int(reply.headers["retry-after"]) > 0
    for path in ("/m/lookup", "/c/bank/KEPT/content"):
        reply = hma.send("POST", path, {"photo": ("f", paint(1))})
        assert (reply.status, set(reply.body)) == (503, {"message"}), (path, reply.body)


def _status_says_so(hma: Hma) -> None:
    reply = hma.ask("GET", "/status")
    assert (reply.status, reply.body) in ((503, "INDEX-NOT-LOADED"), (503, "INDEX-STALE"))
    assert hma.ask("GET", "/status/live").status == 200
    hashed = hma.send("POST", "/h/hash", {"photo": ("f", paint(1))})
    assert hashed.status == 200, "hashing needs no database"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    with open_world(Settings.load(data=tmp_path_factory.mktemp("status") / "data", decode_workers=1)) as world:
        yield world.kit


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ({}, "I-AM-ALIVE"),
        ({"index": "lags"}, "INDEX-STALE"),
        ({"canary": "has not been seen lately"}, "INDEX-NOT-LOADED"),
        ({"index": "lags", "database": "is away"}, "INDEX-NOT-LOADED"),
    ],
)
def test_what_status_says_of_the_service(kit: Kit, problems: dict[str, str], said: str) -> None:
    here = Here(kit=kit, rules=_RULES, problems=lambda: problems)
    answer = status(Call(here=here, actor="", path={}, query={}, body=Body()))
    assert (answer.json, answer.status) == (said, 503 if problems else 200)
