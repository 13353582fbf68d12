"""Banks over HTTP."""

from __future__ import annotations

import json
import uuid

import pytest

from jikimi.engine.pattern import alter, paint
from tests.doors.conftest import Server

KNOWN = paint(1)
MD5 = "0f" * 16


def make_bank(server: Server, **fields: object) -> str:
    name = f"bank-{uuid.uuid4().hex}"
    body = {"name": name, "category": "other", "on_match": "hold", **fields}
    assert server.ask("POST", "/v1/banks", key="banks", json_=body).status == 201
    return name


def test_a_bank_from_its_making_to_its_end(server: Server) -> None:
    name = f"bank-{uuid.uuid4().hex}"
    body = {"name": name, "category": "ncii", "on_match": "hold", "max_distance": 10, "note": "a note"}
    made = server.ask("POST", "/v1/banks", key="banks", json_=body)
    assert made.status == 201
    assert {key: made.body[key] for key in body} == body
    assert made.body["quality_floor"] == 50
    assert server.ask("POST", "/v1/banks", key="banks", json_=body).code == "bank_exists"

    path = f"/v1/banks/{name}"
    assert server.ask("GET", path, key="read").body == made.body
    assert name in [bank["name"] for bank in server.ask("GET", "/v1/banks", key="read").body]
    changed = server.ask("PATCH", path, key="banks", json_={"on_match": "block", "enabled": False, "resume": True})
    assert changed.body == {**made.body, "on_match": "block", "enabled": False}

    signals = {"signals": [{"type": "md5", "value": MD5}, {"type": "pdq", "value": "ab" * 32, "quality": 88}]}
    assert server.ask("POST", f"{path}/entries", key="banks", json_=signals).body == {
        "added": 2, "present": 0, "unchecked": [],
    }  # fmt: skip
    assert server.ask("POST", f"{path}/entries", json_=signals).body["present"] == 2
    assert server.ask("GET", path).body["entries"] == {"md5": 1, "pdq": 1}
    withdrawn = server.ask("DELETE", f"{path}/entries/md5/{MD5}", key="banks")
    assert (withdrawn.status, withdrawn.body["value"]) == (200, MD5)
    assert server.ask("DELETE", f"{path}/entries/md5/{MD5}").code == "entry_unknown"
    assert server.ask("GET", path).body["withdrawn"] == 1

    assert server.ask("DELETE", path, key="banks").body == {"entries": 2}
    assert server.ask("GET", path).status == 404
    assert server.ask("DELETE", path).code == "bank_unknown"


def test_entries_are_read_in_pages(server: Server) -> None:
    name = make_bank(server)
    values = [f"{number:032x}" for number in range(5)]
    server.ask("POST", f"/v1/banks/{name}/entries", json_={"signals": [{"type": "md5", "value": v} for v in values]})
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = server.ask("GET", f"/v1/banks/{name}/entries?limit=2&after={after}").body
        seen += [entry["value"] for entry in page["entries"]]
        after = page["next_after"]
    assert seen == values


def test_a_picture_is_added_as_body_or_form_and_protects_at_once(server: Server) -> None:
    name = make_bank(server, on_match="block")
    path = f"/v1/banks/{name}/entries?note=from%20us"
    assert server.ask("POST", path, key="banks", body=KNOWN).body == {"added": 2, "present": 0, "unchecked": []}
    again = server.ask("POST", path, fields={"file": ("a.png", KNOWN, "image/png")})
    assert again.body == {"added": 0, "present": 2, "unchecked": []}
    assert server.ask("POST", "/v1/scan", body=alter(KNOWN)).body["verdict"] == "block"
    entries = server.ask("GET", f"/v1/banks/{name}/entries").body["entries"]
    assert {(entry["type"], entry["note"]) for entry in entries} == {("sha256", "from us"), ("pdq", "from us")}
    damaged = server.ask("POST", path, body=KNOWN[:3000])
    assert damaged.body == {"added": 1, "present": 0, "unchecked": ["undecodable"]}
    server.ask("DELETE", f"/v1/banks/{name}")


def test_a_file_that_cannot_be_added_is_refused(server: Server) -> None:
    name = make_bank(server)
    too_large = server.ask("POST", f"/v1/banks/{name}/entries", body=bytes(2 * 1024 * 1024))
    assert (too_large.status, too_large.code) == (413, "body_too_large")
    empty = server.ask("POST", f"/v1/banks/{name}/entries", body=b"")
    assert (empty.status, empty.code) == (400, "empty")
    nowhere = server.ask("POST", "/v1/banks/none/entries", body=KNOWN)
    assert (nowhere.status, nowhere.code) == (404, "bank_unknown")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "a b"}, 400, "bank_name_invalid"),
        ({"name": "a\x00b"}, 422, "request_invalid"),
        ({"name": "a" * 256}, 422, "request_invalid"),
        ({"name": "\ud800"}, 422, "request_invalid"),
        ({"category": "else"}, 422, "request_invalid"),
        ({"on_match": "delete"}, 422, "request_invalid"),
        ({"max_distance": 65}, 400, "bank_distance_invalid"),
        ({"max_distance": -1}, 400, "bank_distance_invalid"),
        ({"max_distance": 10**30}, 400, "bank_distance_invalid"),
        ({"quality_floor": 101}, 400, "bank_quality_invalid"),
        ({"note": "a" * 2001}, 422, "request_invalid"),
        ({"note": "\x00"}, 422, "request_invalid"),
        ({"note": None}, 422, "request_invalid"),
    ],
)
def test_an_unsound_bank_is_refused(server: Server, change: dict[str, object], status: int, code: str) -> None:
    body = {"name": f"bank-{uuid.uuid4().hex}", "category": "other", "on_match": "hold", **change}
    reply = server.ask("POST", "/v1/banks", json_=body)
    assert (reply.status, reply.code) == (status, code)


def test_an_unsound_change_is_refused_and_changes_nothing(server: Server) -> None:
    name = make_bank(server)
    before = server.ask("GET", f"/v1/banks/{name}").body
    assert server.ask("PATCH", f"/v1/banks/{name}", json_={"max_distance": 99}).status == 400
    assert server.ask("PATCH", f"/v1/banks/{name}", json_={"on_match": "x"}).status == 422
    assert server.ask("PATCH", f"/v1/banks/{name}", json_={}).body == before


@pytest.mark.parametrize(
    "signal",
    [
        {"type": "md5", "value": "zz"},
        {"type": "phash", "value": "00"},
        {"type": "pdq", "value": "ab" * 32, "quality": 49},
        {"type": "pdq", "value": "ab" * 32, "quality": 101},
        {"type": "md5", "value": MD5, "note": "\x00"},
    ],
)
def test_one_bad_signal_and_nothing_is_added(server: Server, signal: dict[str, object]) -> None:
    name = make_bank(server)
    reply = server.ask("POST", f"/v1/banks/{name}/entries", json_={"signals": [{"type": "md5", "value": MD5}, signal]})
    assert reply.status in (400, 422)
    assert reply.code
    assert server.ask("GET", f"/v1/banks/{name}").body["entries"] == {}


@pytest.mark.parametrize("path", ["md5/zz", "phash/00", "md5/" + "0" * 5000, "md5/%00", "pdq/%ff"])
def test_withdrawing_what_is_no_signal_is_refused(server: Server, path: str) -> None:
    name = make_bank(server)
    reply = server.ask("DELETE", f"/v1/banks/{name}/entries/{path}")
    assert reply.status == 400
    assert reply.code.startswith("signal_")


@pytest.mark.parametrize("name", ["none", "%00", "%ff", "a" * 300, "..%2f..", "%ed%a0%80"])
def test_a_bank_that_is_not_there(server: Server, name: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/entries")):
        reply = server.ask(method, f"/v1/banks/{name}{path}")
        assert reply.status in (404, 405, 422), reply.body
        assert reply.code


def test_a_list_of_any_length_is_added_as_ndjson_and_bad_lines_are_told(server: Server) -> None:
    name = make_bank(server)
    lines = [json.dumps({"type": "md5", "value": f"{number:032x}"}) for number in range(1500)]
    body = "\n".join([*lines, "no json"]).encode()
    added = server.ask(
        "POST", f"/v1/banks/{name}/entries", body=body, headers={"Content-Type": "application/x-ndjson"}
    ).body
    assert (added["added"], added["present"]) == (1500, 0)
    assert [told.partition(":")[0] for told in added["unchecked"]] == ["line 1501"]


def test_an_entry_is_withdrawn_by_its_number(server: Server) -> None:
    name, other = make_bank(server), make_bank(server)
    server.ask("POST", f"/v1/banks/{name}/entries", json_={"signals": [{"type": "md5", "value": MD5}]})
    (entry,) = server.ask("GET", f"/v1/banks/{name}/entries").body["entries"]
    assert server.ask("DELETE", f"/v1/banks/{other}/entries/{entry['id']}").code == "entry_unknown"
    assert server.ask("DELETE", f"/v1/banks/{name}/entries/{entry['id']}").body["value"] == MD5
    assert server.ask("GET", f"/v1/banks/{name}/entries").body["entries"] == []
    assert server.ask("DELETE", f"/v1/banks/{name}/entries/{entry['id']}").code == "entry_unknown"
