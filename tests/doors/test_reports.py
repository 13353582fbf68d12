"""The platform hands in reports, asks for decisions, and reads what became of them."""

from __future__ import annotations

import json

import pytest
from urllib3.filepost import encode_multipart_formdata

from jikimi.engine.pattern import paint
from tests.doors.conftest import Reply, Server


def form(server: Server, path: str, picture: bytes, **fields: str) -> Reply:
    body, kind = encode_multipart_formdata({**fields, "file": ("a.png", picture)})
    return server.ask("POST", path, body=body, headers={"Content-Type": kind})


def said(content_id: str, **more: str) -> dict[str, str]:
    return {"content_id": content_id, "reason": "spotted", **more}


def test_reports_of_one_content_are_one_case(server: Server) -> None:
    first = server.ask("POST", "/v1/reports", json_=said("r/1", reporter="u1", kind="ncii", text="한국어 <b>"))
    assert (first.status, first.body["case"]["origin"], first.body["case"]["kind"]) == (200, "report", "ncii")
    second = server.ask("POST", "/v1/reports", json_=said("r/1", reporter="u2"))
    asked = server.ask("POST", "/v1/cases", json_=said("r/1"))
    case_id = first.body["case"]["case_id"]
    assert {second.body["case"]["case_id"], asked.body["case"]["case_id"]} == {case_id}

    story = server.ask("GET", f"/v1/cases/{case_id}").body
    assert [one["reporter"] for one in story["user_reports"]] == ["", "u2", "u1"]
    assert [one["verb"] for one in story["events"]] == ["case.opened", "case.reported", "case.reported"]
    assert (story["decisions"], story["actions"], story["appeals"]) == ([], [], [])


def test_a_file_that_comes_along_is_checked_and_remembered_even_if_it_is_clear(server: Server) -> None:
    reply = form(server, "/v1/cases", paint(71), **said("r/2", account_id="a2"))
    assert reply.status == 200, reply.body
    assert (reply.body["scan"]["verdict"], reply.body["case"]["origin"]) == ("clear", "platform")
    assert reply.body["scan"]["case_id"] == reply.body["case"]["case_id"]
    assert reply.body["case"]["contents"] == [reply.body["scan"]["sha256"]]
    again = form(server, "/v1/reports", paint(71), **said("another/2"))
    assert again.body["case"]["case_id"] == reply.body["case"]["case_id"]


def test_what_is_known_of_a_content_is_told_whatever_its_name(server: Server) -> None:
    handed_in = server.ask("POST", "/v1/reports", json_=said("a/b c?d"))
    told = server.ask("GET", "/v1/content/a/b%20c%3Fd")
    assert told.status == 200
    assert told.body["content_id"] == "a/b c?d"
    assert [one["case_id"] for one in told.body["cases"]] == [handed_in.body["case"]["case_id"]]
    assert told.body["action"] is None
    unknown = server.ask("GET", "/v1/content/none-such")
    assert (unknown.status, unknown.code) == (404, "content_unknown")


def test_two_calls_with_one_key_are_one_call(server: Server) -> None:
    calls = [
        server.ask("POST", "/v1/reports", json_=said("r/3"), headers={"Idempotency-Key": "report-3"}) for _ in range(2)
    ]
    assert calls[0].body == calls[1].body
    other = server.ask("POST", "/v1/cases", json_=said("r/3"), headers={"Idempotency-Key": "report-3"})
    assert (other.status, other.code) == (422, "idempotency_key_used")
    story = server.ask("GET", f"/v1/cases/{calls[0].body['case']['case_id']}").body
    assert len(story["user_reports"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"reason": "x"}, "content_id_missing"),
        ({"content_id": "x"}, "reason_missing"),
        ({**said("x"), "kind": "allow"}, "case_kind_invalid"),
        ({**said("x"), "kind": "none"}, "case_kind_invalid"),
        ({**said("x"), "picture": "x"}, "form_invalid"),
        ({**said("x"), "text": "x" * 4001}, "report_too_long"),
        ({**said("x"), "text": 1}, "form_invalid"),
        ([], "form_invalid"),
    ],
)
def test_reports_that_cannot_be_used_are_refused(server: Server, body: object, code: str) -> None:
    reply = server.ask("POST", "/v1/reports", json_=body)
    assert (reply.status, reply.code) == (400, code)


def test_bodies_that_are_no_report_are_refused(server: Server) -> None:
    for body in (b"", b"{", b"[" * 50_000, b"x" * 70_000):
        reply = server.ask("POST", "/v1/reports", body=body, headers={"Content-Type": "application/json"})
        assert (reply.status, reply.code) == (400, "form_invalid")
    reply = form(server, "/v1/reports", b"x" * 1_200_000, **said("x"))
    assert (reply.status, reply.code) == (413, "body_too_large")


def test_a_nul_in_a_report_is_shown_and_stored(server: Server) -> None:
    reply = server.ask("POST", "/v1/reports", body=json.dumps(said("r/4", text="a\x00b\ud800")).encode())
    assert reply.status == 200, reply.body
