"""Promise 2 across processes: what one server is told, another one on the same database knows within a second.

Also: two servers that start at the same moment on an empty database both become ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jikimi.engine.pattern import alter, paint
from tests.conftest import postgresql
from tests.e2e.node import Node, running

WITHIN = 1.0
VALUE = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two servers on one database; what is said to one is asked of the other."""

    one: Node
    other: Node


@pytest.fixture(scope="module", params=["sqlite, one folder", "postgresql, two folders"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers started at once on a database that is still empty."""
    folder = tmp_path_factory.mktemp("pair")
    if request.param.startswith("sqlite"):
        yield from _start(Node(folder / "data"), Node(folder / "data"))
        return
    with postgresql() as url:
        yield from _start(Node(folder / "one", database_url=url), Node(folder / "two", database_url=url))


def _start(one: Node, other: Node) -> Iterator[Pair]:
    with running(one, other):
        one.furnish(block=[paint(1)])
        other.key = one.key
        yield Pair(one=one, other=other)


def test_both_are_ready_and_there_is_one_canary_bank(pair: Pair) -> None:
    for node in (pair.one, pair.other):
        assert node.get("/readyz").body == {"ready": True, "problems": {}}
        banks = node.get("/v1/banks").body
        assert [bank["name"] for bank in banks] == ["block", "canary"]
        assert "error" not in node.log.read_text()


def test_an_entry_added_through_one_is_matched_by_the_other(pair: Pair) -> None:
    path = "/v1/banks/block/entries"
    added = pair.one.send("POST", path, {"signals": [{"type": "pdq", "value": VALUE}]})
    assert (added.status, added.body["added"]) == (200, 1)
    assert_soon(lambda: bool(pair.other.match(VALUE)[0]))
    assert pair.one.match(VALUE)[0]

    withdrawn = pair.one.send("DELETE", f"{path}/pdq/{VALUE}")
    assert withdrawn.status == 200
    assert pair.one.match(VALUE) == [[]]
    assert_soon(lambda: not pair.other.match(VALUE)[0])

    again = pair.other.send("POST", path, {"signals": [{"type": "pdq", "value": VALUE}]})
    assert again.body["added"] == 1
    assert_soon(lambda: bool(pair.one.match(VALUE)[0]))


def test_an_entry_added_by_a_command_is_matched_by_running_servers(pair: Pair, tmp_path: Path) -> None:
    picture = tmp_path / "known.png"
    picture.write_bytes(paint(2))
    altered = alter(paint(2))
    assert pair.other.scan(altered).body["verdict"] == "clear"
    pair.one.run("bank", "add", "block", picture)
    for node in (pair.one, pair.other):
        assert_soon(lambda node=node: node.scan(altered).body["verdict"] == "block")  # type: ignore[misc]


def test_a_change_of_policy_counts_on_the_other_within_a_second(pair: Pair) -> None:
    altered = alter(paint(1))

    def disposition() -> str:
        return str(pair.other.scan(altered).body["verdict"])

    assert disposition() == "block"
    for change, expected in (
        ({"on_match": "hold"}, "hold"),
        ({"enabled": False}, "clear"),
        ({"enabled": True, "on_match": "log"}, "clear"),
        ({"on_match": "block"}, "block"),
        ({"max_distance": 0}, "clear"),
        ({"max_distance": 31}, "block"),
    ):
        assert pair.one.send("PATCH", "/v1/banks/block", change).status == 200
        assert_soon(lambda expected=expected: disposition() == expected)  # type: ignore[misc]


def assert_soon(is_so: Callable[[], bool]) -> None:
    """It is so before the promised time is over."""
    end = time.monotonic() + WITHIN
    while not is_so():
        assert time.monotonic() < end, f"not so after {WITHIN} s"
        time.sleep(0.02)
