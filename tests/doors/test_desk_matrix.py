"""Every route of the desk × every role, from the table of routes itself: who may come, and nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
import urllib3

from jikimi.doors.desk.routes import ROUTES
from jikimi.doors.desk.routing import Route, Rule
from jikimi.doors.desk.session import COOKIE
from jikimi.model.people import PERMISSIONS, Permission, Person, Role
from tests.doors.desk import Desk, open_desk, session_for

_ROLES = (*Role, None)
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A running desk, and somebody of each role."""

    desk: Desk
    people: Mapping[Role, Person]

    def knock(self, route: Route, role: Role | None, *, site: str = "same-origin") -> urllib3.BaseHTTPResponse:
        """Ask at a route, as somebody of a role."""
        path = re.sub(r"\{[^}]+\}", "nothing", route.path)
        # A session for each knock: some doors end it.
        cookie = session_for(self.desk.kit, self.people[role]) if role else ""
        headers = {"Sec-Fetch-Site": site, "Content-Type": _FORM, "Cookie": f"{COOKIE}={cookie}"}
        body = urlencode({"note": "said"}).encode() if route.method == "POST" else None
        return urllib3.request(
            route.method, self.desk.address + path, headers=headers, body=body, redirect=False, timeout=60
        )


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_desk(tmp_path_factory.mktemp("matrix") / "data") as desk:
        staff = desk.staff
        people = (staff.reviewer, staff.lead, staff.legal, staff.auditor, staff.administrator)
        yield Door(desk=desk, people={next(iter(one.roles)): one for one in people})


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_every_route_has_a_rule_and_stands_once() -> None:
    assert all(isinstance(route.rule, Permission | Rule) for route in ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert {route.method for route in ROUTES} == {"GET", "POST"}


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_a_route_opens_for_whom_its_rule_says(door: Door, route: Route) -> None:
    for role in _ROLES:
        answer = door.knock(route, role)
        assert answer.status != 500, (role, answer.data)
        is_stranger = role is None and route.rule is not Rule.PUBLIC
        if is_stranger and route.method == "GET":
            assert (answer.status, answer.headers["location"][:12]) == (303, "/desk/signin")
        elif is_stranger:
            assert answer.status == 401
            assert b"said" in answer.data, "what was written is given back"
        elif role is not None and isinstance(route.rule, Permission) and route.rule not in PERMISSIONS[role]:
            assert answer.status == 403, role
            assert b"permission_missing" in answer.data
        else:
            assert b"permission_missing" not in answer.data, role
            assert not (role and answer.headers.get("location", "").startswith("/desk/signin?")), role


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "POST"], ids=_name)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_nothing_changes_without_proof_of_the_same_origin(door: Door, route: Route, site: str) -> None:
    answer = door.knock(route, Role.LEAD, site=site)
    assert answer.status == 403
    assert b"cross_site" in answer.data
    with door.desk.kit.store.read() as tx:
        last = list(tx.audit.events())[-1]
    assert last.verb == "session.began", "that of the knock itself; nothing came after it"


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_every_answer_is_protected(door: Door, route: Route) -> None:
    answer = door.knock(route, None)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_each_answer_has_a_nonce_of_its_own(door: Door) -> None:
    route = next(route for route in ROUTES if route.path == "/desk/queue")
    policies = {door.knock(route, Role.REVIEWER).headers["content-security-policy"] for _ in range(3)}
    assert len(policies) == 3
