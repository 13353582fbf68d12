"""A bank as another service reads it: over HTTP, signed, and no more than was allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from jikimi.app import open_kit, peer_key_of
from jikimi.config import Settings
from jikimi.flows.peer import allow_peer, revoke_peer
from jikimi.model.peer import SIGNATURE, read_signature, signed_text
from jikimi.plugs.exchanges.peer import Peer, PeerConfig
from jikimi.plugs.peer_key import is_signed
from jikimi.plugs.web.client import WebClient
from jikimi.plugs.web.wire import trusted
from tests.doors.conftest import Reply, Server

PLAIN = {"category": "csam", "on_match": "log"}


@pytest.fixture(scope="module")
def peer(server: Server) -> str:
    """A peer that may read the bank `shared` and not the bank `private`."""
    for name, value in (("shared", "5a" * 16), ("private", "6b" * 16)):
        assert server.ask("POST", "/v1/banks", json_={"name": name, **PLAIN}).status == 201
        added = server.ask("POST", f"/v1/banks/{name}/entries", json_={"signals": [{"type": "md5", "value": value}]})
        assert added.body["added"] == 1
    with open_kit(Settings.load(data=server.data)) as kit:
        return allow_peer(kit, "tests", "them", ["shared"], with_lists=False)


def raw(server: Server, method: str, target: str, key: str, body: bytes = b"") -> tuple[int, bytes, Mapping[str, str]]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    answer = server.pool.request(method, server.address + target, headers=headers, body=body or None)
    return answer.status, answer.data, answer.headers


def page(server: Server, peer: str, query: str = "") -> Any:
    reply = server.ask("GET", f"/v1/peer/banks/shared/entries{query}", key=peer)
    assert reply.status == 200, reply.body
    return reply.body


def said(server: Server, peer: str, number: int, feedback: str = "seen", bank: str = "shared") -> Reply:
    opinion = {"id": number, "feedback": feedback, "at": "2026-11-25T12:00:00+09:00"}
    return server.ask("POST", f"/v1/peer/banks/{bank}/feedback", key=peer, json_=[opinion])


def test_a_page_has_what_the_receiver_needs_and_no_note_of_ours(server: Server, peer: str) -> None:
    (bank,) = server.ask("GET", "/v1/peer/banks", key=peer).body
    assert bank == {"name": "shared", "category": "csam", "with_lists": False, "entries": {"md5": 1}}
    first = page(server, peer)
    (entry,) = first.pop("entries")
    assert entry.pop("added_at").endswith("Z")
    assert entry.pop("id") > 0
    assert entry == {
        "type": "md5", "value": "5a" * 16, "quality": None, "labels": [], "opinion": "positive", "trust": "confirmed",
        "listed_at": None,
    }  # fmt: skip
    assert (first["bank"], first["after"], first["gone"], first["has_more"]) == ("shared", "", [], False)
    assert page(server, peer, f"?after={first['checkpoint']}")["entries"] == []


def test_an_answer_is_signed_together_with_its_question(server: Server, peer: str) -> None:
    public = peer_key_of(Settings.load(data=server.data)).public
    body = json.dumps([]).encode()
    for method, target, sent in (
        ("GET", "/v1/peer/banks", b""),
        ("GET", "/v1/peer/banks/shared/entries?limit=7&once=%41b", b""),
        ("POST", "/v1/peer/banks/shared/feedback?once=1", body),
    ):
        status, got, headers = raw(server, method, target, peer, sent)
        assert status == 200
        signature = read_signature(headers[SIGNATURE])
        assert signature.key == public
        assert is_signed(signed_text(method, target, signature.at, got), signature.value, public)
        assert not is_signed(signed_text(method, target + "x", signature.at, got), signature.value, public)
        assert not is_signed(signed_text(method, target, signature.at + 1, got), signature.value, public)
        assert not is_signed(signed_text(method, target, signature.at, got + b" "), signature.value, public)


def test_a_bank_that_is_not_there_and_one_that_is_not_for_the_key_look_the_same(server: Server, peer: str) -> None:
    answers = []
    for bank in ("private", "nothing"):
        reads = server.ask("GET", f"/v1/peer/banks/{bank}/entries", key=peer)
        says = said(server, peer, 1, bank=bank)
        answers.append([(reply.status, json.dumps(reply.body).replace(bank, "")) for reply in (reads, says)])
    assert answers[0] == answers[1]
    assert answers[0][0][0] == 404
    for method, path in (("GET", "/v1/banks"), ("GET", "/v1/banks/shared/entries"), ("GET", "/metrics")):
        assert server.ask(method, path, key=peer).code == "scope_missing"


def test_feedback_is_taken_about_what_may_be_read(server: Server, peer: str) -> None:
    (entry,) = page(server, peer)["entries"]
    other = server.ask("GET", "/v1/banks/private/entries").body["entries"][0]
    assert said(server, peer, entry["id"], "true_positive").body == {"taken": 1}
    assert said(server, peer, other["id"]).body == {"taken": 0}
    assert said(server, peer, entry["id"], "new_signal").code == "feedback_untaken"
    assert said(server, peer, entry["id"], "nonsense").code == "request_invalid"
    naive = [{"id": 1, "feedback": "seen", "at": "2026-11-25T12:00:00"}]
    assert server.ask("POST", "/v1/peer/banks/shared/feedback", key=peer, json_=naive).code == "request_invalid"
    for at in ("0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "1969-12-31T23:59:59Z"):
        odd = [{"id": entry["id"], "feedback": "seen", "at": at}]
        reply = server.ask("POST", "/v1/peer/banks/shared/feedback", key=peer, json_=odd)
        assert reply.status == (200 if at > "9" else 422), reply.body
    many = [{"id": 1, "feedback": "seen", "at": "2026-11-25T12:00:00Z"}] * 501
    assert server.ask("POST", "/v1/peer/banks/shared/feedback", key=peer, json_=many).status == 422


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=5001", 422, "request_invalid"),
        ("limit=0", 422, "request_invalid"),
        ("after=" + "1" * 101, 422, "request_invalid"),
        ("after=nonsense", 410, "checkpoint_stale"),
        ("after=%00", 410, "checkpoint_stale"),
        ("after=1-0-999999999-1-0123456789ab", 410, "checkpoint_stale"),
    ],
)
def test_what_is_asked_is_bounded(server: Server, peer: str, query: str, status: int, code: str) -> None:
    reply = server.ask("GET", f"/v1/peer/banks/shared/entries?{query}", key=peer)
    assert (reply.status, reply.code) == (status, code)


def test_a_revoked_peer_is_out_at_once(server: Server, peer: str) -> None:
    with open_kit(Settings.load(data=server.data)) as kit:
        secret = allow_peer(kit, "tests", "for-a-moment", ["shared"], with_lists=False)
        assert server.ask("GET", "/v1/peer/banks", key=secret).status == 200
        revoke_peer(kit, "tests", "for-a-moment")
        reply = server.ask("GET", "/v1/peer/banks/shared/entries", key=secret)
    assert (reply.status, reply.code) == (401, "key_invalid")


def test_a_connector_pulls_while_others_write_and_misses_nothing(server: Server) -> None:
    """Eight writers add and withdraw at once while pages of seven are read; in the end both sides hold the same."""
    assert server.ask("POST", "/v1/banks", json_={"name": "busy", **PLAIN}).status == 201
    with open_kit(Settings.load(data=server.data)) as kit:
        secret = allow_peer(kit, "tests", "busy-peer", ["busy"], with_lists=False)
    config = PeerConfig(
        address=server.address,
        bank="busy",
        key=secret,
        identity=peer_key_of(Settings.load(data=server.data)).public,
        page_size=7,
    )
    web = WebClient(Peer.hosts(config), trust=trusted(), clock=lambda: datetime.now(UTC))
    held: dict[str, str] = {}
    checkpoint = ""

    def follow() -> None:
        nonlocal checkpoint
        for one in Peer(config, web, datetime.now(UTC)).pull(checkpoint):
            assert one.faults == ()
            for record in one.records:
                held.pop(record.key, None)
                for signal in record.signals:
                    held[record.key] = signal.text
            checkpoint = one.checkpoint

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(_write, server, number) for number in range(8)]
        while not all(writer.done() for writer in writers):
            follow()
        kept = {value for writer in writers for value in writer.result()}
    follow()
    assert sorted(held.values()) == sorted(kept)
    assert len(kept) == 8 * 5


def _write(server: Server, writer: int) -> list[str]:
    values = [f"{writer:02x}{number:02x}" + "7c" * 14 for number in range(10)]
    for value in values:
        server.ask("POST", "/v1/banks/busy/entries", json_={"signals": [{"type": "md5", "value": value}]})
    for value in values[::2]:
        assert server.ask("DELETE", f"/v1/banks/busy/entries/md5/{value}").status == 200
    return values[1::2]
