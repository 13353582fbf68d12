"""Actions and appeals over HTTP: who may see them, what a receipt changes, how an appeal comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.model.case import Case
from jikimi.model.people import Role
from tests.doors.conftest import Server
from tests.flows.enforced import case_of, decide, only_action
from tests.flows.staff import hire

NO_SUCH = "act_00000000000000000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A case that was decided while the service ran, and the action that followed."""

    case: Case
    content_id: str
    action_id: str


@pytest.fixture
def decided(server: Server, request: pytest.FixtureRequest) -> Iterator[Decided]:
    with open_kit(Settings.load(data=server.data)) as kit:
        number = abs(hash(request.node.nodeid)) % 2**40
        case = case_of(kit, number)
        decide(kit, hire(kit, Role.LEAD, name=f"lead {case.id}"), case)
        yield Decided(case=case, content_id=f"post {number}", action_id=only_action(kit, case))


def test_an_action_that_waits_for_a_webhook_is_seen(server: Server, decided: Decided) -> None:
    page = server.ask("GET", "/v1/actions?state=waiting&limit=1", key="read").body
    assert [one["action_id"] for one in page["actions"]] == [decided.action_id] == [page["next_before"]]
    story = server.ask("GET", f"/v1/actions/{decided.action_id}", key="read").body
    action = story["action"]
    assert (action["action"], action["state"], action["tries"], story["deliveries"]) == ("remove", "waiting", 0, [])
    assert [target["content_id"] for target in action["targets"]] == [decided.content_id]
    assert server.ask("GET", f"/v1/actions?before={decided.action_id}&state=dead", key="read").body["actions"] == []
    metrics = server.ask("GET", "/metrics", key="read").body
    assert 'jikimi_actions{state="waiting"}' in metrics
    assert "jikimi_action_oldest_waiting_seconds" in metrics
    assert "jikimi_action_dead_total 0.0" in metrics


def test_a_receipt_is_given_once_and_for_good(server: Server, decided: Decided) -> None:
    path = f"/v1/actions/{decided.action_id}/receipt"
    for _ in range(2):
        given = server.ask("POST", path, key="report", json_={"status": "done", "text": "ticket 7"})
        assert (given.status, given.body["state"], given.body["receipt"]) == (200, "confirmed", "ticket 7")
    other = server.ask("POST", path, key="report", json_={"status": "rejected"})
    assert (other.status, other.code) == (409, "receipt_exists")


@pytest.mark.parametrize(
    "said", [{}, {"status": "maybe"}, {"status": "done", "text": "x" * 4097}, {"status": "done", "text": "\x00"}, []]
)
def test_a_receipt_that_says_nothing_is_refused(server: Server, decided: Decided, said: object) -> None:
    given = server.ask("POST", f"/v1/actions/{decided.action_id}/receipt", key="report", json_=said)
    assert (given.status, given.code) == (422, "request_invalid")


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", f"/v1/actions/{NO_SUCH}", "read", 404),
        ("POST", f"/v1/actions/{NO_SUCH}/receipt", "report", 404),
        ("GET", "/v1/appeals/apl_gone", "report", 404),
        ("GET", "/v1/actions", "report", 403),
        ("POST", f"/v1/actions/{NO_SUCH}/receipt", "read", 403),
        ("POST", "/v1/appeals", "read", 403),
        ("GET", "/v1/appeals/apl_gone", "scan", 403),
        ("GET", "/v1/actions", "", 401),
        ("POST", "/v1/appeals", "", 401),
    ],
)
def test_who_may_not_is_told_so(server: Server, method: str, path: str, key: str, status: int) -> None:
    said = {"status": "done", "reference": "a", "case_id": "case_gone"} if method == "POST" else None
    body = {"reference": "a", "case_id": "case_gone"} if path == "/v1/appeals" else said
    assert server.ask(method, path, key=key, json_=body).status == status


def test_an_appeal_comes_in_once(server: Server, decided: Decided) -> None:
    said = {"reference": f"appeal {decided.case.id}", "content_id": decided.content_id, "text": "It is a bridge."}
    answers = [
        server.ask("POST", "/v1/appeals", key="report", json_=said, headers={"Idempotency-Key": decided.case.id})
        for _ in range(2)
    ]
    answers.append(server.ask("POST", "/v1/appeals", key="report", json_=said))
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].body == answers[1].body == answers[2].body
    appeal = answers[0].body
    assert (appeal["state"], appeal["case_id"], appeal["decided_at"]) == ("open", decided.case.id, None)
    assert server.ask("GET", f"/v1/appeals/{appeal['appeal_id']}", key="report").body == appeal
    case = server.ask("GET", f"/v1/cases/{decided.case.id}", key="read").body
    assert "appealed" in str(case)
    other = server.ask(
        "POST", "/v1/appeals", key="report", json_={**said, "text": "no"}, headers={"Idempotency-Key": decided.case.id}
    )
    assert (other.status, other.code) == (422, "idempotency_key_used")
    again = server.ask("POST", "/v1/appeals", key="report", json_={**said, "reference": "another"})
    assert (again.status, again.code) == (400, "appeal_too_early")


def test_an_appeal_about_nothing_is_refused(server: Server) -> None:
    nothing = server.ask("POST", "/v1/appeals", key="report", json_={"reference": "x", "content_id": "never seen"})
    assert (nothing.status, nothing.code) == (404, "case_unknown")
    unnamed = server.ask("POST", "/v1/appeals", key="report", json_={"reference": ""})
    assert (unnamed.status, unnamed.code) == (422, "request_invalid")
