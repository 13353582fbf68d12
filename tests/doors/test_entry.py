"""The page of an entry: what else it matched, for those who may change banks, and never its value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jikimi.flows.key import authenticate
from jikimi.flows.peer import Opinioned, allow_peer, take_feedback
from jikimi.model.exchange import Feedback
from jikimi.model.people import Scope
from scripts.desk_world import known_picture, upload
from tests.doors.desk import Desk, open_desk
from tests.doors.test_deliveries import knock


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path / "data") as desk:
        yield desk


def test_what_an_entry_matched_is_listed_without_its_value(desk: Desk) -> None:
    case_id = upload(desk.kit, known_picture(0, 0, is_altered=True), account="somebody", name="a.jpg")
    with desk.kit.store.read() as tx:
        (scan,) = tx.scans.of_case(case_id, 10)
        match = scan.verdict.matches[0]
        entry = tx.entries.live([match.entry_id], desk.kit.clock())[match.entry_id]
    answer = knock(desk, desk.staff.lead, "GET", f"/desk/entries/{match.entry_id}")
    page = answer.data.decode()
    assert answer.status == 200
    assert f"/desk/cases/{case_id}" in page
    assert entry.signal.text not in page


@pytest.mark.parametrize("named", ["0", "999999", "x", "-1", "9" * 30, "%00"])
def test_an_entry_that_is_not_there_is_not_found(desk: Desk, named: str) -> None:
    assert knock(desk, desk.staff.lead, "GET", f"/desk/entries/{named}").status == 404


def test_what_peers_say_of_an_entry_is_shown(desk: Desk) -> None:
    kit = desk.kit
    case_id = upload(kit, known_picture(0, 0, is_altered=True), account="somebody", name="a.jpg")
    with kit.store.read() as tx:
        (scan,) = tx.scans.of_case(case_id, 10)
    match = scan.verdict.matches[0]
    path = f"/desk/entries/{match.entry_id}"
    assert "What peers say" not in knock(desk, desk.staff.lead, "GET", path).data.decode()
    secret = allow_peer(kit, "tests", "example-forum", [match.bank], with_lists=False)
    opinion = Opinioned(entry_id=match.entry_id, feedback=Feedback.FALSE_POSITIVE, at=kit.clock())
    assert take_feedback(kit, authenticate(kit, secret, Scope.PEER), match.bank, [opinion]) == 1
    page = knock(desk, desk.staff.lead, "GET", path).data.decode()
    assert "example-forum" in page
    assert "found wrong" in page
