"""The page of what is given back: two people propose and agree, and why something cannot be is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

from jikimi.doors.desk.session import COOKIE
from jikimi.engine.pattern import paint
from jikimi.model.action import Verb
from jikimi.model.bank import Category
from jikimi.model.decision import Choice, Label
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId
from jikimi.model.people import Person, Role
from tests.doors.desk import Desk, open_desk, session_for
from tests.flows.programme import PROGRAMMES, decided, file_of, installed, listed, shares_of, work
from tests.flows.staff import hire
from tests.flows.story import make_bank, upload

REMOVE = Choice(label=Label.NCII, verb=Verb.REMOVE)
HERE = "/desk/shares"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path / "data", connectors=installed(tmp_path.name)[0]) as desk:
        listed(desk.kit, tmp_path.name, ("r1", file_of(desk.kit, paint(71))), name="programme")
        yield desk


def knock(desk: Desk, person: Person, path: str = HERE, **form: str) -> urllib3.BaseHTTPResponse:
    """Ask as somebody, from the desk's own page; with a form, send it."""
    headers = {"Sec-Fetch-Site": "same-origin", "Cookie": f"{COOKIE}={session_for(desk.kit, person)}"}
    headers |= {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
    method, body = ("POST", urlencode(form).encode()) if form else ("GET", None)
    return urllib3.request(method, desk.address + path, headers=headers, body=body, redirect=False, timeout=60)


def read(desk: Desk, person: Person, path: str = HERE) -> str:
    answer = knock(desk, person, path)
    assert answer.status == 200
    return answer.data.decode()


def case_of(desk: Desk, seed: int) -> CaseId:
    case_id = upload(desk.kit, paint(seed), account=f"account {seed}").case_id
    assert case_id
    return case_id


def test_before_anything_was_given_the_page_says_how_it_comes_about(desk: Desk) -> None:
    page = read(desk, desk.staff.legal)
    assert "Nothing has been given back yet" in page
    assert "Propose new signals" not in page, "that is for who may fill banks"
    assert "Propose new signals" in read(desk, desk.staff.lead)
    assert 'href="/desk/shares"' in read(desk, desk.staff.lead, "/desk/queue")
    assert knock(desk, desk.staff.reviewer).status == 403


def test_a_decision_appears_and_what_was_not_taken_is_tried_again(desk: Desk, tmp_path: Path) -> None:
    programme = PROGRAMMES[tmp_path.name]
    programme.faults.append(Refused("programme_says_no", "no"))
    case_id = case_of(desk, 71)
    decided(desk.kit, desk.staff.lead, case_id, REMOVE)
    assert "waiting" in read(desk, desk.staff.lead, f"{HERE}?state=waiting")
    desk.clock.move(minutes=31)
    work(desk.kit)
    page = read(desk, desk.staff.lead, f"{HERE}?state=failed")
    assert "programme_says_no" in page
    for share in shares_of(desk.kit, case_id):
        again = knock(desk, desk.staff.lead, f"{HERE}/{share.id}/retry", said="")
        assert (again.status, again.headers["location"]) == (303, HERE)
    work(desk.kit)
    assert programme.heard == [("seen", "r1"), ("true_positive", "r1")]
    refused = knock(desk, desk.staff.lead, f"{HERE}/{shares_of(desk.kit, case_id)[0].id}/retry", said="")
    assert refused.status == 400
    assert "Only what was not taken can be tried again" in refused.data.decode()


def test_two_people_give_a_new_signal(desk: Desk, tmp_path: Path) -> None:
    kit, lead = desk.kit, desk.staff.lead
    make_bank(kit, "own", paint(72), category=Category.NCII)
    case_id = case_of(desk, 72)
    proposed = {"case": case_id, "exchange": "programme"}
    early = knock(desk, lead, f"{HERE}/propose", **proposed)
    assert (early.status, "Decide the case first" in early.data.decode()) == (400, True)
    decided(kit, hire(kit, Role.REVIEWER, name="Someone else"), case_id, REMOVE)
    assert knock(desk, lead, f"{HERE}/propose", **proposed).status == 303
    shares = shares_of(kit, case_id)
    assert "Agree to giving entry" not in read(desk, lead), "not by who proposed it"
    assert "Agree to giving entry" in read(desk, desk.staff.legal)
    same = knock(desk, lead, f"{HERE}/{shares[0].id}/approve", said="")
    assert same.status == 400
    assert "Somebody else has to agree" in same.data.decode()
    assert knock(desk, desk.staff.legal, f"{HERE}/{shares[0].id}/approve", said="").status == 303
    assert knock(desk, desk.staff.legal, f"{HERE}/{shares[1].id}/refuse", said="").status == 303
    desk.clock.move(minutes=31)
    work(kit)
    (given,) = PROGRAMMES[tmp_path.name].taken
    assert given.feedback == "new_signal"
    assert given.signal.text not in read(desk, lead), "values of signals are no page's business"
    assert "Declined" in read(desk, lead, f"{HERE}?state=refused")


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    for verb in ("approve", "refuse", "retry"):
        assert knock(desk, desk.staff.lead, f"{HERE}/share_gone/{verb}", said="").status == 404
    assert knock(desk, desk.staff.lead, f"{HERE}?state=nonsense&before=x").status == 200
    gone = knock(desk, desk.staff.lead, f"{HERE}/propose", case="case_gone", exchange="nobody")
    assert gone.status == 404
