"""The page of deliveries: what was told, what was answered, and sending it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from jikimi.doors.desk.session import COOKIE
from jikimi.flows.enforce import deliver
from jikimi.model.job import ENFORCE
from jikimi.model.people import Person
from jikimi.plugs.actions.webhook import Webhook
from jikimi.testing.platform import Platform
from jikimi.worker import run_due_jobs
from tests.doors.desk import Desk, open_desk, session_for
from tests.flows.enforced import SECRET, case_of, decide, only_action


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path / "data") as desk:
        yield desk


def knock(desk: Desk, person: Person, method: str, path: str) -> urllib3.BaseHTTPResponse:
    """Ask as somebody, from the desk's own page."""
    headers = {"Sec-Fetch-Site": "same-origin", "Cookie": f"{COOKIE}={session_for(desk.kit, person)}"}
    return urllib3.request(method, desk.address + path, headers=headers, redirect=False, timeout=60)


def test_without_a_webhook_the_page_says_that_all_waits(desk: Desk) -> None:
    empty = knock(desk, desk.staff.lead, "GET", "/desk/deliveries").data.decode()
    assert "No webhook is set" in empty
    assert "Nothing has been ordered yet" in empty
    case = case_of(desk.kit, 1)
    decide(desk.kit, desk.staff.lead, case)
    page = knock(desk, desk.staff.lead, "GET", "/desk/deliveries").data.decode()
    assert "The oldest has waited since" in page
    assert only_action(desk.kit, case) in page
    overview = knock(desk, desk.staff.lead, "GET", "/desk/overview").data.decode()
    assert "wait because no webhook is set: 1" in overview


def test_what_was_refused_is_seen_and_sent_again(desk: Desk) -> None:
    lead = desk.staff.lead
    with Platform([SECRET], clock=lambda: desk.clock().timestamp()) as platform:
        webhook = Webhook(url=platform.url, keys=lambda: [SECRET], seconds=5, clock=desk.clock)
        kit = replace(desk.kit, platform=webhook)
        case = case_of(kit, 1, "<script>alert(1)</script>")
        decide(kit, lead, case)
        path = f"/desk/deliveries/{only_action(kit, case)}"
        assert "It has not been sent yet" in knock(desk, lead, "GET", path).data.decode()

        platform.answers(403, "<b>no</b> such post")
        run_due_jobs(kit, {ENFORCE: deliver})

        page = knock(desk, lead, "GET", path).data.decode()
        assert "&lt;b&gt;no&lt;/b&gt; such post" in page
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "Send again" in page
        assert "Send again" not in knock(desk, desk.staff.auditor, "GET", path).data.decode()
        listed = knock(desk, lead, "GET", "/desk/deliveries?state=rejected").data.decode()
        assert path in listed
        assert path not in knock(desk, lead, "GET", "/desk/deliveries?state=dead").data.decode()

        platform.answers()
        sent = knock(desk, lead, "POST", f"{path}/replay")
        assert (sent.status, sent.headers["location"]) == (303, path)
        run_due_jobs(kit, {ENFORCE: deliver})
        assert [target for _, target in platform.effects] == ["<script>alert(1)</script>"]


def test_why_something_cannot_be_sent_again_is_said(desk: Desk) -> None:
    case = case_of(desk.kit, 1)
    decide(desk.kit, desk.staff.lead, case)
    now = desk.clock()
    with desk.kit.store.begin_beside() as tx:
        assert tx.jobs.claim(now, now.replace(year=now.year + 1), [ENFORCE])
    busy = knock(desk, desk.staff.lead, "POST", f"/desk/deliveries/{only_action(desk.kit, case)}/replay")
    assert busy.status == 409
    assert "being sent just now" in busy.data.decode()


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    for method, path in (("GET", "/desk/deliveries/act_gone"), ("POST", "/desk/deliveries/act_gone/replay")):
        assert knock(desk, desk.staff.lead, method, path).status == 404
    assert knock(desk, desk.staff.lead, "GET", "/desk/deliveries?state=nonsense&before=x").status == 200
