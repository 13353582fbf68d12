"""Who may come in, and in what shape everybody else is turned away."""

from __future__ import annotations

import pytest

from jikimi.model.people import Scope
from tests.doors.conftest import Server

_NOBODY = "00" * 16
_ROUTES: list[tuple[str, str, object, set[str]]] = [
    ("POST", "/v1/scan", None, {"scan"}),
    ("POST", "/v1/match", {"signals": []}, {"scan"}),
    ("GET", "/v1/banks", None, {"banks", "read"}),
    ("POST", "/v1/banks", {"name": "none such!", "category": "other", "on_match": "log"}, {"banks"}),
    ("GET", "/v1/banks/none", None, {"banks", "read"}),
    ("PATCH", "/v1/banks/none", {}, {"banks"}),
    ("DELETE", "/v1/banks/none", None, {"banks"}),
    ("GET", "/v1/banks/none/entries", None, {"banks"}),
    ("POST", "/v1/banks/none/entries", {"signals": []}, {"banks"}),
    ("DELETE", "/v1/banks/none/entries/1", None, {"banks"}),
    ("DELETE", f"/v1/banks/none/entries/md5/{_NOBODY}", None, {"banks"}),
    ("GET", "/v1/cases", None, {"read"}),
    ("GET", "/v1/cases/none", None, {"read"}),
    ("POST", "/v1/cases", {}, {"report"}),
    ("POST", "/v1/reports", {}, {"report"}),
    ("GET", "/v1/content/none", None, {"read"}),
    ("GET", "/v1/scans", None, {"read"}),
    ("GET", "/v1/scans/none", None, {"read"}),
    ("GET", "/v1/actions", None, {"read"}),
    ("GET", "/v1/actions/none", None, {"read"}),
    ("POST", "/v1/actions/none/receipt", {"status": "done"}, {"report"}),
    ("POST", "/v1/appeals", {"reference": "r", "case_id": "none"}, {"report"}),
    ("GET", "/v1/appeals/none", None, {"read", "report"}),
    ("GET", "/v1/exchanges", None, {"read"}),
    ("GET", "/v1/exchanges/none", None, {"read"}),
    ("GET", "/v1/peer/banks", None, {"peer"}),
    ("GET", "/v1/peer/banks/none/entries", None, {"peer"}),
    ("POST", "/v1/peer/banks/none/feedback", [], {"peer"}),
    ("GET", "/metrics", None, {"read"}),
]
_OPEN = {"/healthz", "/readyz"}


def test_no_route_is_forgotten_here(server: Server) -> None:
    described = server.ask("GET", "/openapi.json", key="").body["paths"]
    tested = {
        (method, path.replace("/none", "/{}").replace("/entries/1", "/entries/{}").replace(f"/md5/{_NOBODY}", "/{}/{}"))
        for method, path, *_ in _ROUTES
    }
    found = set()
    for path, operations in described.items():
        plain = "/".join("{}" if step.startswith("{") else step for step in path.split("/"))
        found |= {(method.upper(), plain) for method in operations if path not in _OPEN}
    assert found == tested


@pytest.mark.parametrize(("method", "path", "body", "scopes"), _ROUTES)
def test_a_key_opens_what_its_scope_says(
    server: Server, method: str, path: str, body: object, scopes: set[str]
) -> None:
    for scope in Scope:
        reply = server.ask(method, path, key=scope.value, json_=body)
        if scope.value in scopes:
            assert reply.status not in (401, 403), (scope, reply.body)
        else:
            assert (reply.status, reply.code) == (403, "scope_missing"), scope


@pytest.mark.parametrize(("method", "path", "body", "scopes"), _ROUTES)
def test_without_a_valid_key_nothing_opens(
    server: Server, method: str, path: str, body: object, scopes: set[str]
) -> None:
    for key in ("", "revoked", "jk_" + "0" * 64, "nonsense"):
        reply = server.ask(method, path, key=key, json_=body)
        assert (reply.status, reply.code) == (401, "key_invalid")
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "bearer\t", "Bearer \xff\xfe", "B" * 5000])
def test_strange_headers_are_no_key(server: Server, header: str) -> None:
    reply = server.ask("GET", "/v1/banks", key="", headers={"Authorization": header})
    assert (reply.status, reply.code) == (401, "key_invalid")


def test_the_scheme_may_be_written_in_any_case(server: Server) -> None:
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme}  {server.keys['read']} "}
        assert server.ask("GET", "/v1/banks", key="", headers=headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "path_unknown"),
        ("GET", "/v2/scan", 404, "path_unknown"),
        ("GET", "/v1/scan", 405, "method_not_allowed"),
        ("DELETE", "/v1/banks", 405, "method_not_allowed"),
        ("GET", "/v1/cases?limit=0", 422, "request_invalid"),
        ("GET", "/v1/cases?limit=1001", 422, "request_invalid"),
        ("GET", "/v1/scans?unchecked=perhaps", 422, "request_invalid"),
        ("GET", "/v1/scans?before=%00", 422, "request_invalid"),
        ("GET", "/v1/cases/none", 404, "case_unknown"),
        ("GET", "/v1/cases/%ff", 404, "case_unknown"),
        ("GET", "/v1/scans/none", 404, "scan_unknown"),
        ("GET", "/v1/banks/none/entries?after=-1", 422, "request_invalid"),
        ("GET", f"/v1/banks/none/entries?after={2**63}", 422, "request_invalid"),
        ("GET", f"/v1/banks/none/entries?after={2**63 - 1}", 404, "bank_unknown"),
    ],
)
def test_every_error_has_one_shape(server: Server, method: str, path: str, status: int, code: str) -> None:
    reply = server.ask(method, path)
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_records_are_read_in_pages(server: Server) -> None:
    made = [server.ask("POST", f"/v1/scan?content_id=page{number}", body=b"").body for number in range(3)]
    page = server.ask("GET", "/v1/scans?limit=2").body
    assert len(page["scans"]) == 2
    seen = [scan["scan_id"] for scan in page["scans"]]
    assert page["next_before"] == seen[-1]
    while page["next_before"]:
        page = server.ask("GET", f"/v1/scans?limit=2&before={page['next_before']}").body
        seen += [scan["scan_id"] for scan in page["scans"]]
    assert seen == sorted(set(seen), reverse=True)
    assert {scan["scan_id"] for scan in made} <= set(seen)
    assert server.ask("GET", "/v1/cases?limit=1000").body["next_before"] is None
