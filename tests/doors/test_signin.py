"""Cookies, proof of the same origin, and the throttle, as they are over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.doors.desk import me, people, signin
from jikimi.doors.desk.routing import Route, Rule
from jikimi.flows.people import first_link
from jikimi.model.people import Permission
from jikimi.testing.authenticator import Authenticator
from tests.doors.conftest import Reply, Server, running, wait_until_ready

_FORM = "application/x-www-form-urlencoded"
_OURS = {"Sec-Fetch-Site": "same-origin"}
_CHANGES = [one for one in (*signin.ROUTES, *me.ROUTES, *people.ROUTES) if one.method != "GET"]
_FOREIGN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://["},
    {"Origin": "null", "Host": ""},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]


def form(server: Server, path: str, headers: dict[str, str], **fields: str) -> Reply:
    body = urlencode(fields).encode()
    return server.ask("POST", path, key="", body=body, headers={"Content-Type": _FORM, **headers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A service to which one person has come in by the link that it printed."""

    server: Server
    cookie: str
    set_cookie: str
    link: str
    authenticator: Authenticator

    def post(self, path: str, **fields: str) -> Reply:
        return form(self.server, path, {**_OURS, "Cookie": self.cookie}, **fields)


def come_in(server: Server, link: str, authenticator: Authenticator) -> Reply:
    path = re.sub(r"^https?://[^/]+", "", link)
    asked = form(server, f"{path}/ask", _OURS, name="Ada")
    assert asked.status == 200, asked.body
    return form(server, f"{path}/passkey", _OURS, answer=authenticator.create(json.dumps(asked.body)))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    with running(tmp_path_factory.mktemp("fresh") / "data", JIKIMI_CANARY_SECONDS="60") as server:
        wait_until_ready(server)
        link = invite(server)
        origin = link.partition("/desk/")[0]
        authenticator = Authenticator(origin=origin)
        reply = come_in(server, link, authenticator)
        assert (reply.status, reply.headers["location"]) == (303, "/desk"), reply.body
        set_cookie = reply.headers["set-cookie"]
        yield Fresh(
            server=server,
            cookie=set_cookie.partition(";")[0],
            set_cookie=set_cookie,
            link=link,
            authenticator=authenticator,
        )


def invite(server: Server, **settings: str) -> str:
    """A first link, made as `jikimi up` makes it."""
    port = int(server.address.rpartition(":")[2])
    with open_kit(Settings.load(data=server.data, port=port, **settings)) as kit:
        link = first_link(kit)
    assert link is not None
    return link.address


def test_the_cookie_goes_nowhere_else_and_no_script_reads_it(fresh: Fresh) -> None:
    parts = {part.strip().lower() for part in fresh.set_cookie.split(";")[1:]}
    assert parts == {"httponly", "path=/", "samesite=strict"}
    assert re.fullmatch(r"jikimi_session=[0-9a-f]{64}", fresh.cookie)


def test_behind_tls_the_cookie_is_bound_to_the_host(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("secure") / "data"
    with running(data, JIKIMI_DESK_ORIGIN="https://desk.example.org", JIKIMI_CANARY_SECONDS="60") as server:
        link = invite(server, desk_origin="https://desk.example.org")
        assert link.startswith("https://desk.example.org/desk/welcome/")
        reply = come_in(server, link, Authenticator(origin="https://desk.example.org"))
        assert reply.status == 303, reply.body
        name, *parts = [part.strip() for part in reply.headers["set-cookie"].split(";")]
        assert name.startswith("__Host-jikimi_session=")
        assert {part.lower() for part in parts} == {"httponly", "path=/", "samesite=strict", "secure"}


def test_the_link_is_not_in_the_log_and_works_once(fresh: Fresh) -> None:
    secret = fresh.link.rpartition("/")[2]
    assert secret not in fresh.server.log.read_text()
    reply = fresh.server.ask("GET", f"/desk/welcome/{secret}", key="")
    assert reply.status == 404
    assert "link_unknown" in reply.body


@pytest.mark.parametrize("headers", _FOREIGN, ids=str)
@pytest.mark.parametrize("route", _CHANGES, ids=lambda route: route.path)
def test_nothing_is_changed_without_proof_of_the_same_origin(
    fresh: Fresh, route: Route, headers: dict[str, str]
) -> None:
    path = route.path.replace("{secret}", "0" * 64)
    reply = form(fresh.server, path, {**headers, "Cookie": fresh.cookie})
    assert reply.status == 403
    assert "cross_site" in reply.body
    assert "set-cookie" not in reply.headers


def test_the_origin_is_enough_for_browsers_that_say_no_more(fresh: Fresh) -> None:
    reply = form(fresh.server, "/desk/me/choice", {"Origin": fresh.server.address, "Cookie": fresh.cookie},
                 language="en", time_zone="UTC")  # fmt: skip
    assert reply.status == 303


@pytest.mark.parametrize("route", [*me.ROUTES, *people.ROUTES], ids=lambda route: f"{route.method} {route.path}")
def test_without_a_session_one_is_shown_the_door(fresh: Fresh, route: Route) -> None:
    assert isinstance(route.rule, Permission) or route.rule is Rule.SIGNED_IN
    if route.method == "GET":
        reply = fresh.server.ask("GET", route.path, key="")
        assert reply.status == 303
        assert reply.headers["location"].startswith("/desk/signin?next=%2Fdesk%2F")
    else:
        assert form(fresh.server, route.path, _OURS).status == 401


@pytest.mark.parametrize("value", ["", "0" * 64, "x", "%00", "a" * 4000, '"quoted"'])
def test_a_cookie_that_is_not_ours_is_nobodys(fresh: Fresh, value: str) -> None:
    reply = fresh.server.ask("GET", "/desk/me", key="", headers={"Cookie": f"jikimi_session={value}"})
    assert reply.status == 303


@pytest.mark.parametrize(
    "onward", ["https://elsewhere.example", "//elsewhere.example", "/desk\\elsewhere", "/v1/scan", "/desk/\r\nX: y"]
)
def test_signing_in_leads_to_our_own_pages_only(fresh: Fresh, onward: str) -> None:
    headers = {"Cookie": fresh.cookie}
    reply = fresh.server.ask("GET", f"/desk/signin?{urlencode({'next': onward})}", key="", headers=headers)
    assert (reply.status, reply.headers["location"]) == (303, "/desk")


def test_signing_out_ends_the_session_and_takes_the_cookie(fresh: Fresh) -> None:
    asked = form(fresh.server, "/desk/signin/ask", _OURS)
    answer = fresh.authenticator.get(json.dumps(asked.body))
    reply = form(fresh.server, "/desk/signin/passkey", _OURS, answer=answer, next="/desk/me")
    assert (reply.status, reply.headers["location"]) == (303, "/desk/me")
    cookie = reply.headers["set-cookie"].partition(";")[0]
    page = fresh.server.ask("GET", "/desk/me", key="", headers={"Cookie": cookie})
    assert page.status == 200
    assert page.headers["cache-control"] == "no-store"
    out = form(fresh.server, "/desk/signout", {**_OURS, "Cookie": cookie})
    assert out.headers["set-cookie"].startswith('jikimi_session=""')
    assert fresh.server.ask("GET", "/desk/me", key="", headers={"Cookie": cookie}).status == 303


def test_a_fault_on_the_way_back_from_the_provider_binds_nothing(fresh: Fresh) -> None:
    reply = fresh.server.ask("GET", "/desk/signin/provider?state=00&code=x", key="")
    assert reply.status == 409
    assert "jikimi_session" not in reply.headers.get("set-cookie", "")


def test_guessing_has_to_wait(fresh: Fresh) -> None:
    """The waits double, so that even on a slow machine the next try comes too early soon."""
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 12:
        reply = form(fresh.server, "/desk/signin/password", _OURS, name="Guess", password="x", code="0")
        statuses.append(reply.status)
    assert statuses[:3] == [401, 401, 401]
    assert statuses[-1] == 429
    assert "too many" in reply.body
