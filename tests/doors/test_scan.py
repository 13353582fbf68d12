"""`POST /v1/scan` and `POST /v1/match`, spoken to as any integration would."""

from __future__ import annotations

import io
import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from jikimi.engine.pattern import alter, paint
from tests.doors.conftest import Server

KNOWN, OTHER = paint(1), paint(2)
COPY = alter(KNOWN)
_MIB = 1024 * 1024


@pytest.fixture
def bank(server: Server) -> Iterator[str]:
    """A bank that blocks the known picture."""
    name = f"bank-{uuid.uuid4().hex}"
    made = server.ask("POST", "/v1/banks", json_={"name": name, "category": "csam", "on_match": "block"})
    assert made.status == 201
    added = server.ask("POST", f"/v1/banks/{name}/entries", body=KNOWN)
    assert added.body == {"added": 2, "present": 0, "unchecked": []}
    yield name
    assert server.ask("DELETE", f"/v1/banks/{name}").status == 200


def scan(server: Server, body: bytes, query: str = "", **options: Any) -> dict[str, Any]:
    reply = server.ask("POST", f"/v1/scan{query}", key="scan", body=body, **options)
    assert reply.status == 200, reply.body
    answer: dict[str, Any] = reply.body
    return answer


def test_an_upload_as_the_whole_body(server: Server, bank: str) -> None:
    answer = scan(server, COPY, "?content_id=post/1&account_id=a@example")
    assert set(answer) >= {
        "scan_id", "verdict", "reasons", "signals", "matches", "coverage", "elapsed_ms", "url", "filename",
        "case_id", "content_id", "account_id", "source",
        "kind", "sha256", "width", "height",
    }  # fmt: skip
    assert (answer["verdict"], answer["reasons"]) == ("block", ["match"])
    assert (answer["content_id"], answer["account_id"], answer["source"]) == ("post/1", "a@example", "scan")
    assert (answer["kind"], answer["width"], answer["height"]) == ("jpeg", 480, 360)
    (match,) = answer["matches"]
    assert (match["bank"], match["category"], match["signal_type"]) == (bank, "csam", "pdq")
    assert 0 < match["distance"] <= 31
    shown = server.ask("GET", f"/v1/cases/{answer['case_id']}", key="read").body
    assert shown["case"]["contents"] == [answer["sha256"]]
    assert answer["scan_id"] in [one["scan_id"] for one in shown["scans"]]
    assert server.ask("GET", f"/v1/scans/{answer['scan_id']}", key="read").body == answer


def test_an_upload_as_a_form(server: Server, bank: str) -> None:
    fields = {"file": ("한국어.jpg", COPY, "image/jpeg"), "content_id": "게시물 1", "account_id": "b@example"}
    reply = server.ask("POST", "/v1/scan", key="scan", fields=fields)
    assert (reply.status, reply.body["verdict"]) == (200, "block")
    assert (reply.body["content_id"], reply.body["account_id"]) == ("게시물 1", "b@example")
    assert [match["bank"] for match in reply.body["matches"]] == [bank]


def test_a_clear_upload_is_not_remembered(server: Server, bank: str) -> None:
    answer = scan(server, OTHER)
    assert (answer["verdict"], answer["matches"], answer["case_id"]) == ("clear", [], None)
    assert server.ask("GET", f"/v1/scans/{answer['scan_id']}").code == "scan_unknown"


@pytest.mark.parametrize(
    ("untrusted_bytes", "reason"),
    [(b"", "empty"), (b"GIF89a", "undecodable"), (b"%PDF-1.7", "unsupported"), (KNOWN[:-2000], "undecodable")],
)
def test_what_cannot_be_checked_is_answered_as_unchecked(server: Server, untrusted_bytes: bytes, reason: str) -> None:
    answer = scan(server, untrusted_bytes, f"?content_id={reason}")
    assert (answer["verdict"], answer["reasons"]) == ("unchecked", [reason])
    page = server.ask("GET", "/v1/scans?unchecked=true&limit=1000", key="read").body
    assert answer["scan_id"] in [one["scan_id"] for one in page["scans"]]


def test_a_picture_without_structure_is_unchecked(server: Server) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    assert scan(server, out.getvalue())["reasons"] == ["quality_low"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [_MIB + 1, 40 * _MIB])
def test_a_body_that_is_too_large_gets_an_answer_not_a_broken_pipe(server: Server, size: int, chunked: bool) -> None:
    reply = server.ask("POST", "/v1/scan", body=bytes(size), chunked=chunked)
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert (reply.body["verdict"], reply.body["reasons"]) == ("unchecked", ["too_large"])
    remembered = server.ask("GET", f"/v1/scans/{reply.body['scan_id']}", key="read").body
    assert (remembered["verdict"], remembered["reasons"]) == ("unchecked", ["too_large"])
    assert remembered["size"] > _MIB
    assert scan(server, OTHER)["verdict"] == "clear"


def test_a_form_that_is_too_large_gets_an_answer_too(server: Server) -> None:
    reply = server.ask("POST", "/v1/scan", fields={"file": ("x", bytes(3 * _MIB), "image/png")})
    assert (reply.status, reply.body["reasons"]) == (413, ["too_large"])


def test_the_largest_upload_that_is_taken(server: Server) -> None:
    just = KNOWN + bytes(_MIB - len(KNOWN))
    assert scan(server, just)["size"] == _MIB
    reply = server.ask("POST", "/v1/scan", fields={"file": ("x", just, "image/png")})
    assert reply.body["size"] == _MIB


def part(name: str, content: str, filename: str = "") -> str:
    where = f'; filename="{filename}"' if filename else ""
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{where}\r\n\r\n{content}\r\n'


_END = "--x--\r\n"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (part("content_id", "1") + _END, "file_missing"),
        (part("file", "not a file") + _END, "file_missing"),
        (_END, "file_missing"),
        (part("file", "1", "a") + part("more", "2", "b") + _END, "form_invalid"),
        ("".join(part(f"f{number}", "1") for number in range(40)) + part("file", "1", "a") + _END, "form_invalid"),
        (part("content_id", "a" * 20_000) + part("file", "1", "a") + _END, "form_invalid"),
        (part("content_id", "a" * 1025) + part("file", "1", "a") + _END, "reference_invalid"),
        (part("account_id", "a\x00b") + part("file", "1", "a") + _END, "reference_invalid"),
        ("nonsense", "form_invalid"),
        (part("file", "1", "a").replace("form-data", "attachment"), "file_missing"),
        ("--x\r\nno header at all\r\n\r\n" + _END, "form_invalid"),
        ("--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + _END, "form_invalid"),
        (part("file", "1", "a"), "file_missing"),
    ],
    ids=[
        "no file", "a field named file", "empty", "two files", "too many fields", "a field too large", "a long name",
        "a zero", "nonsense", "no form data", "no header", "no name", "cut off",
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(server: Server, form: str, code: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = server.ask("POST", "/v1/scan", headers=headers, body=form.encode())
    assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize("header", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x"])
def test_a_form_without_a_boundary_is_refused(server: Server, header: str) -> None:
    reply = server.ask("POST", "/v1/scan", headers={"Content-Type": header}, body=b"--x--")
    assert (reply.status, reply.code) == (400, "form_invalid")


@pytest.mark.parametrize("query", ["content_id=" + "a" * 1025, "account_id=a%00b"])
def test_a_query_that_cannot_be_stored_is_refused(server: Server, query: str) -> None:
    reply = server.ask("POST", f"/v1/scan?{query}", body=OTHER)
    assert (reply.status, reply.code) == (422, "request_invalid")


def test_a_name_that_is_not_unicode_is_written_as_it_can_be(server: Server) -> None:
    answer = scan(server, b"", "?content_id=%ff%fe&account_id=%ed%a0%80")
    assert server.ask("GET", f"/v1/scans/{answer['scan_id']}").body == answer
    form = b'--x\r\nContent-Disposition: form-data; name="content_id"\r\n\r\n\xff\xed\xa0\x80\r\n'
    body = form + part("file", "1", "a").encode() + _END.encode()
    reply = server.ask("POST", "/v1/scan", headers={"Content-Type": "multipart/form-data; boundary=x"}, body=body)
    assert reply.status == 200


@pytest.mark.parametrize("rest", [b"", b"GARBAGE"])
def test_an_upload_that_does_not_arrive_disturbs_nobody(server: Server, rest: bytes) -> None:
    host = urlsplit(server.address)
    assert host.hostname is not None
    for kind in ("application/octet-stream", "multipart/form-data; boundary=x"):
        with socket.create_connection((host.hostname, host.port or 0), timeout=10) as connection:
            head = (
                f"POST /v1/scan HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.keys['scan']}\r\n"
                f"Content-Type: {kind}\r\nContent-Length: 1000\r\n\r\n"
            )
            connection.sendall(head.encode() + rest)
    assert scan(server, OTHER)["verdict"] == "clear"


def test_signals_are_looked_up_and_nothing_is_stored(server: Server, bank: str) -> None:
    entries = server.ask("GET", f"/v1/banks/{bank}/entries").body["entries"]
    asked = [{"type": entry["type"], "value": entry["value"].upper()} for entry in entries]
    reply = server.ask(
        "POST", "/v1/match", key="scan", json_={"signals": [*asked, {"type": "md5", "value": uuid.uuid4().hex}]}
    )
    assert reply.status == 200
    found = [[match["bank"] for match in result["matches"]] for result in reply.body["results"]]
    assert found == [[bank]] * len(entries) + [[]]
    assert server.ask("POST", "/v1/match", json_={"signals": []}).body == {"results": []}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"signals": [{"type": "phash", "value": "00"}]}, 400, "signal_type_unknown"),
        ({"signals": [{"type": "md5", "value": "00"}]}, 400, "signal_value_invalid"),
        ({"signals": [{"type": "md5", "value": "0" * 300}]}, 422, "request_invalid"),
        ({"signals": [{"type": "md5"}]}, 422, "request_invalid"),
        ({"signals": [{"type": "md5", "value": "\x00"}]}, 400, "signal_value_invalid"),
        ({}, 422, "request_invalid"),
        ([], 422, "request_invalid"),
        ({"signals": [{"type": "md5", "value": "0" * 32}] * 10_001}, 422, "request_invalid"),
    ],
)
def test_signals_that_are_none_are_refused(server: Server, body: object, status: int, code: str) -> None:
    reply = server.ask("POST", "/v1/match", json_=body)
    assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null", json.dumps("\ud800").encode(), b"[" * 100_000])
def test_what_is_not_json_is_refused(server: Server, body: bytes) -> None:
    reply = server.ask("POST", "/v1/match", headers={"Content-Type": "application/json"}, body=body)
    assert (reply.status, reply.code) in ((422, "request_invalid"), (400, "request_invalid"))


def test_two_calls_with_one_idempotency_key_are_one_call(server: Server, bank: str) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = scan(server, COPY, "?content_id=post/9", headers=key)
    assert scan(server, COPY, "?content_id=post/9", headers=key) == first
    assert scan(server, COPY, "?content_id=post/9")["scan_id"] != first["scan_id"]
    other = server.ask("POST", "/v1/scan", key="scan", body=OTHER, headers=key)
    assert (other.status, other.code) == (422, "idempotency_key_used")
    long = server.ask("POST", "/v1/scan", key="scan", body=OTHER, headers={"Idempotency-Key": "x" * 256})
    assert (long.status, long.code) == (400, "idempotency_key_invalid")


def test_the_api_describes_itself_to_people(server: Server) -> None:
    page = server.ask("GET", "/docs", key="")
    assert page.status == 200
    assert "POST /v1/scan" in page.body
    assert "<script" not in page.body


def test_an_answer_names_what_was_compared(server: Server) -> None:
    answer = scan(server, OTHER, "?url=https://example.org/1&filename=a.png")
    assert [one["type"] for one in answer["signals"]] == ["sha256", "sha1", "md5", "pdq"]
    assert answer["signals"][0]["value"] == answer["sha256"]
    assert (answer["url"], answer["filename"]) == ("https://example.org/1", "a.png")
    assert answer["elapsed_ms"] >= 0
