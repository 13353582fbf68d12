"""What simulators of programmes stand on: it answers, fails as it is told to, and remembers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import urllib3

from jikimi.testing.listserver import Asked, ListServer, Reply


class Stars(ListServer):
    def __init__(self) -> None:
        super().__init__({"Authorization": "Bearer one"})
        self.named: list[str] = []

    def answer(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            self.named.append(asked.json["star"])
        return Reply.json({"page": asked.query.get("page", "1")})


@pytest.fixture
def stars() -> Iterator[Stars]:
    with Stars() as stars:
        yield stars


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=2.0) as pool:
        yield pool


def ask(pool: urllib3.PoolManager, stars: Stars, target: str = "/", **more: str) -> urllib3.BaseHTTPResponse:
    return pool.request("GET", stars.url + target, headers={"Authorization": more.get("token", "Bearer one")})


def test_it_answers_and_remembers(stars: Stars, pool: urllib3.PoolManager) -> None:
    assert ask(pool, stars, "/stars?page=7").json() == {"page": "7"}
    (asked,) = stars.asked
    assert (asked.method, asked.path, asked.query) == ("GET", "/stars", {"page": "7"})
    assert (stars.saw("Bearer one"), stars.saw("another")) == ([asked], [])


def test_it_asks_for_credentials(stars: Stars, pool: urllib3.PoolManager) -> None:
    assert pool.request("GET", stars.url).status == 401
    assert ask(pool, stars, token="Bearer two").status == 403


def test_switches_count_in_their_order_for_what_they_are_meant(stars: Stars, pool: urllib3.PoolManager) -> None:
    stars.fails(429, times=2, Retry_After="1")
    stars.fails(500, times=1, only=lambda asked: "page=2" in asked.target)
    answers = [ask(pool, stars, f"/?page={page}") for page in (2, 1, 1, 2, 2)]
    assert [answer.status for answer in answers] == [429, 429, 200, 500, 200]
    assert answers[0].headers["Retry-After"] == "1"


def test_a_body_can_be_cut_or_broken(stars: Stars, pool: urllib3.PoolManager) -> None:
    stars.garbles(times=1)
    stars.cuts(times=1)
    broken = ask(pool, stars)
    assert (broken.status, broken.data) == (200, b'{"page"<}"\xff'[:6] + b'<}"\xff')
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ask(pool, stars)


def test_it_can_hang_until_it_is_well_again(stars: Stars, pool: urllib3.PoolManager) -> None:
    stars.hangs()
    with pytest.raises(urllib3.exceptions.TimeoutError):
        pool.request("GET", stars.url, timeout=0.2)
    stars.is_well()
    stars.waits(0.2)
    began = time.monotonic()
    assert ask(pool, stars).status == 200
    assert time.monotonic() - began >= 0.2


def test_it_can_drip(stars: Stars, pool: urllib3.PoolManager) -> None:
    stars.drips(seconds=0.02)
    began = time.monotonic()
    assert ask(pool, stars).json() == {"page": "1"}
    assert time.monotonic() - began >= 0.02 * 11


def test_an_answer_can_be_lost_after_what_was_asked_is_done(stars: Stars, pool: urllib3.PoolManager) -> None:
    stars.loses_answers(times=1)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        pool.request("POST", stars.url, json={"star": "Vega"}, headers={"Authorization": "Bearer one"})
    assert stars.named == ["Vega"]


def test_it_comes_back_at_the_same_address(stars: Stars, pool: urllib3.PoolManager) -> None:
    url = stars.url
    stars.go_down()
    with pytest.raises(urllib3.exceptions.HTTPError):
        ask(pool, stars)
    stars.come_up()
    assert (stars.url, ask(pool, stars).status) == (url, 200)
