"""Whatever is sent, no answer is 500, and every mistake is told in HMA's shape."""

from __future__ import annotations

import json
import socket
import string
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jikimi.doors.protocols.hma.routes import ROUTES
from jikimi.doors.protocols.hma.routing import Route, Takes
from jikimi.engine.pattern import paint
from tests.doors.protocols.conftest import Hma

_JSON_ROUTES = [
    ("POST", "/c/banks"),
    ("PUT", "/c/bank/NONE"),
    ("POST", "/m/compare"),
    ("PUT", "/c/signal_type/pdq"),
]
_GIB = 1 << 30


def is_told(status: int, body: Any) -> bool:
    if status == 422:
        return isinstance(body, list)
    return status < 400 or set(body) == {"message"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/c/banks", "application/json"), ("/m/lookup", "multipart/form-data; boundary=x"), ("/m/compare", "text/json")],
)
def test_a_gibibyte_is_refused_before_it_has_come(hma: Hma, path: str, kind: str) -> None:
    place = urlsplit(hma.address)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as plain:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {_GIB}\r\n\r\n"
        plain.sendall(head.encode() + b"\0" * 100_000)
        answer = plain.recv(4096)
    assert answer.split(b" ", 2)[1] == b"413", answer


def test_a_body_of_unknown_length_is_cut_off(hma: Hma, bank: str) -> None:
    parts = (b"x" * 65536 for _ in range(64))
    reply = hma.ask(
        "POST", f"/c/bank/{bank}/signal", body=parts, chunked=True, headers={"Content-Type": "application/json"}
    )
    assert (reply.status, set(reply.body)) == (413, {"message"})


@pytest.mark.parametrize("path", ["/h/hash", "/m/lookup", "/c/bank/BANK/content"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=", b"----\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n\r\n--y--"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="photo"\r\n\r\nabc'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; filename="f"\r\n\r\nabc\r\n--x--'),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: nonsense\r\n\r\nabc\r\n--x--"),
        (
            "multipart/form-data; boundary=x; charset=nonsense",
            b'--x\r\nContent-Disposition: form-data; name="pho\x00to"; filename="\xff"\r\n\r\nabc\r\n--x--',
        ),
        ("multipart/form-data; boundary=\xff\xfe".encode("latin-1").decode("latin-1"), b"abc"),
        ("application/x-www-form-urlencoded", b"photo=abc"),
        ("application/octet-stream", b"abc"),
        ("application/json", b'{"photo": "abc"}'),
        ("", b"abc"),
    ],
)
def test_a_broken_form_is_a_mistake(hma: Hma, bank: str, path: str, kind: str, body: bytes) -> None:
    reply = hma.ask("POST", path.replace("BANK", bank), body=body, headers={"Content-Type": kind})
    assert (reply.status, set(reply.body)) == (400, {"message"})


@pytest.mark.parametrize(("method", "path"), _JSON_ROUTES)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"name": ' + b"9" * 10_000 + b"}",
        b'{"name": "A", "enabled_ratio": 1e999}',
        b'{"name": "A", "enabled_ratio": NaN}',
        b'{"name": "A", "enabled_ratio": -Infinity}',
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800", "enabled": "\\udfff"}',
        b'{"pdq": ["\\ud800", "\\u0000"]}',
        b'{"pdq": [[[[1]]], {}]}',
        b'{"enabled_ratio": {"a": [null]}}',
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_hostile_json_is_a_mistake(hma: Hma, method: str, path: str, body: bytes) -> None:
    reply = hma.ask(method, path, body=body, headers={"Content-Type": "application/json"})
    assert reply.status in (400, 404, 422), reply.body
    assert is_told(reply.status, reply.body)


@pytest.mark.parametrize(
    "sent",
    [
        {"note": "\x00"},
        {"note": "\ud800"},
        {"note": 5},
        {"disable_until_ts": 10**30},
        {"disable_until_ts": 1.5},
        {"disable_until_ts": True},
        {"disable_until_ts": None},
        {"disable_until_ts": [0]},
    ],
)
def test_a_content_is_changed_to_nothing_that_cannot_be_stored(hma: Hma, bank: str, sent: dict[str, Any]) -> None:
    number = hma.ask("POST", f"/c/bank/{bank}/signal", json_={"sha256": "ab" * 32}).body["id"]
    reply = hma.ask("PUT", f"/c/bank/{bank}/content/{number}", json_=sent)
    assert (reply.status, set(reply.body)) == (400, {"message"})


@pytest.mark.parametrize(
    "metadata",
    ['{"json":{"a":"\\ud800"}}', '{"content_id":"' + "x" * 9000 + '"}', '{"json":{"a":NaN}}', "[" * 4000, "\x00"],
)
def test_metadata_that_cannot_be_stored_is_refused(hma: Hma, bank: str, metadata: str) -> None:
    form = {"photo": ("f", paint(3)), "metadata": metadata}
    reply = hma.send("POST", f"/c/bank/{bank}/content", form)
    assert (reply.status, set(reply.body)) == (400, {"message"})


def test_a_nul_in_metadata_is_kept_as_it_is(hma: Hma, bank: str) -> None:
    form = {"photo": ("f", paint(3)), "metadata": '{"json":{"a":"\\u0000"}}'}
    number = hma.send("POST", f"/c/bank/{bank}/content", form).body["id"]
    shown = hma.ask("GET", f"/c/bank/{bank}/content/{number}").body
    assert shown["metadata"]["json"] == {"a": "\x00"}


@pytest.mark.parametrize(
    "number", ["0", "-1", "99999999999999999999", "9" * 5000, "1e3", "%00", "1%2f2", "\u0661", "1000000000000"]
)
def test_numbers_that_are_none(hma: Hma, bank: str, number: str) -> None:
    path = f"/c/bank/{bank}/content/{quote(number, safe='%')}"
    assert hma.ask("GET", path).status == 404
    assert hma.ask("DELETE", path).status in (200, 404)
    assert hma.ask("PUT", path, json_={"note": "n"}).status == 404


@pytest.mark.parametrize(
    "name", ["%00", "%ff", "a%20b", "..", "%2e%2e", "A" * 3000, "%ED%A0%80", "'; DROP TABLE banks"]
)
def test_names_that_are_none(hma: Hma, name: str) -> None:
    name = quote(name, safe="%")
    assert hma.ask("GET", f"/c/bank/{name}").status == 404
    assert hma.ask("DELETE", f"/c/bank/{name}").status in (200, 404, 405)
    assert hma.ask("PUT", f"/c/bank/{name}", json_={}).status == 404


_TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["pdq", "video_md5", "true", "0", "BANK"])
_KEYS = st.sampled_from(
    ["name", "enabled", "enabled_ratio", "pdq", "note", "metadata", "disable_until_ts", "video_md5", "bank", "api",
     "api_json", "credential_json"]
)  # fmt: skip
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT
_VALUE = st.recursive(_LEAF, lambda some: st.lists(some, max_size=3) | st.dictionaries(_KEYS, some, max_size=3))
_QUERY = st.dictionaries(
    st.sampled_from(
        ["signal", "signal_type", "banks", "seed", "types", "content_type", "bypass_coinflip", "include_distance",
         "include_signals", "include_metadata"]
    ),
    _TEXT,
)  # fmt: skip
_PLACE = st.text(string.ascii_letters + string.digits + "_%.-", min_size=1, max_size=12) | st.sampled_from(["1", "pdq"])


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(ROUTES),
    place=_PLACE,
    number=_PLACE | st.integers(min_value=0).map(str),
    query=_QUERY,
    body=_VALUE,
    says_json=st.booleans(),
)
def test_nothing_that_is_sent_is_a_fault(
    hma: Hma, route: Route, place: str, number: str, query: dict[str, str], body: Any, says_json: bool
) -> None:
    path = route.path
    for part, value in (("{bank_name}", place), ("{content_id}", number), ("{signal_type_name}", place)):
        path = path.replace(part, quote(value))
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    options: dict[str, Any] = {}
    if route.takes is not Takes.NOTHING:
        headers = {"Content-Type": "application/json" if says_json else "text/plain"}
        options = {"body": json.dumps(body).encode(), "headers": headers}
    reply = hma.ask(route.method, f"{path}?{asked}", **options)
    assert reply.status < 500, reply.body
    assert is_told(reply.status, reply.body)
