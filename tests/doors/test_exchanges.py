"""The pages of exchanges, and the API's view of them: forms from settings, secrets that never come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

from jikimi.doors.desk.session import COOKIE
from jikimi.flows.exchange import connector_of, show_exchange
from jikimi.flows.sync import sync
from jikimi.model.exchange import Feedback, Opinion
from jikimi.model.people import Person
from tests.doors.desk import MORNING, Desk, open_desk, session_for
from tests.flows.listing import PROGRAMMES, Programme, connectors, page, record

TOKEN = "kept-from-everybody"
FORM = {"kind": "listing", "name": "feed", "bank": "fed", "category": "other", "on_match": "hold", "every": "30"}
SETTINGS = {"set-name": "feed", "set-pace": "7", "set-token": TOKEN}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    PROGRAMMES["feed"] = Programme()
    with open_desk(tmp_path / "data", connectors=connectors(lambda: MORNING)) as desk:
        yield desk


def knock(desk: Desk, person: Person, method: str, path: str, **form: str) -> urllib3.BaseHTTPResponse:
    """Ask as somebody, from the desk's own page."""
    headers = {
        "Sec-Fetch-Site": "same-origin", "Cookie": f"{COOKIE}={session_for(desk.kit, person)}",
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    body = urlencode(form).encode() if method == "POST" else None
    return urllib3.request(method, desk.address + path, headers=headers, body=body, redirect=False, timeout=60)


def add(desk: Desk) -> None:
    answer = knock(desk, desk.staff.lead, "POST", "/desk/exchanges/new", **FORM, **SETTINGS, share="seen")
    assert (answer.status, answer.headers.get("location")) == (303, "/desk/exchanges"), answer.data.decode()


def test_an_exchange_is_added_with_what_the_form_says(desk: Desk) -> None:
    empty = knock(desk, desk.staff.lead, "GET", "/desk/exchanges").data.decode()
    assert "No list fills a bank yet" in empty
    form = knock(desk, desk.staff.lead, "GET", "/desk/exchanges/new?kind=listing").data.decode()
    assert 'name="set-name"' in form
    assert re.search(r'<input type="password" name="set-token"', form)
    add(desk)
    view = show_exchange(desk.kit, "feed")
    assert view.exchange.settings == {"name": "feed", "pace": 7}
    assert (view.exchange.bank, sorted(view.exchange.shares), view.secrets) == ("fed", [Feedback.SEEN], ("token",))
    connector_of(desk.kit, view.exchange)
    assert PROGRAMMES["feed"].configs[-1].token == TOKEN
    listed = knock(desk, desk.staff.lead, "GET", "/desk/exchanges").data.decode()
    assert "not yet pulled" in listed


def test_a_secret_is_never_shown_and_stays_when_it_is_left_empty(desk: Desk) -> None:
    add(desk)
    path = "/desk/exchanges/feed/change"
    form = knock(desk, desk.staff.lead, "GET", path).data.decode()
    assert TOKEN not in form
    assert "One is kept and not shown" in form
    sent = {"set-name": "feed", "set-pace": "9", "set-token": "", "every": "15"}
    assert knock(desk, desk.staff.lead, "POST", path, **sent).status == 303
    view = show_exchange(desk.kit, "feed")
    assert (view.exchange.settings["pace"], view.exchange.enabled, view.exchange.shares) == (9, False, frozenset())
    connector_of(desk.kit, view.exchange)
    assert PROGRAMMES["feed"].configs[-1].token == TOKEN
    with desk.kit.store.read() as tx:
        events = [event for event in tx.audit.events() if event.object == "exchange:feed"]
        assert TOKEN not in str(events)
        sealed = tx.exchanges.secrets(f"exchange:{view.exchange.id}")
    assert sealed is not None
    assert TOKEN.encode() not in sealed


def test_a_mistake_is_said_in_the_form_and_nothing_typed_is_lost_but_secrets(desk: Desk) -> None:
    wrong = {**FORM, **SETTINGS, "set-pace": "many", "name": "<b>feed"}
    answer = knock(desk, desk.staff.lead, "POST", "/desk/exchanges/new", **wrong)
    said = answer.data.decode()
    assert answer.status == 400
    assert "pace: is a number" in said
    assert "&lt;b&gt;feed" in said
    assert "<b>feed" not in said
    assert TOKEN not in said
    nobody = knock(desk, desk.staff.lead, "GET", "/desk/exchanges/gone/change")
    assert nobody.status == 404


def test_an_auditor_sees_how_lists_are_and_changes_nothing(desk: Desk) -> None:
    add(desk)
    seen = knock(desk, desk.staff.auditor, "GET", "/desk/exchanges").data.decode()
    assert "feed" in seen
    assert "Pull now" not in seen
    assert knock(desk, desk.staff.auditor, "GET", "/desk/exchanges/feed/change").status == 403


def test_a_list_that_is_too_old_is_on_the_overview(desk: Desk) -> None:
    add(desk)
    assert "too old" not in knock(desk, desk.staff.lead, "GET", "/desk/overview").data.decode()
    desk.clock.move(hours=3)
    assert "feed (too old)" in knock(desk, desk.staff.lead, "GET", "/desk/overview").data.decode()


def test_an_exchange_is_removed_by_whoever_types_its_name(desk: Desk) -> None:
    add(desk)
    PROGRAMMES["feed"].steps = {"": [page("1", record("a", 1), record("b", 2, opinion=Opinion.DISPUTED))]}
    sync(desk.kit, "feed")
    path = "/desk/exchanges/feed"
    form = knock(desk, desk.staff.lead, "GET", f"{path}/change").data.decode()
    assert "It has 2 records. 2 entries are said by nothing else." in form
    assert knock(desk, desk.staff.lead, "POST", f"{path}/remove", confirm="fed").status == 400
    assert knock(desk, desk.staff.lead, "POST", f"{path}/pull").status == 303
    assert knock(desk, desk.staff.administrator, "POST", f"{path}/remove", confirm="feed", keep="true").status == 303
    with desk.kit.store.read() as tx:
        bank = tx.banks.get("fed")
        assert bank is not None
        assert tx.exchanges.all() == ()
        assert len(list(tx.entries.export(bank))) == 1
