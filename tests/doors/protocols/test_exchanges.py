"""Exchanges, as ROOST Coop and others keep them through HMA's routes: credentials of a kind, one bank each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.doors.protocols.conftest import Hma

_TEST_LIST = "https://exttest.cybertip.org/hashsharing"
_SECRET = "correct horse battery staple"


@pytest.fixture
def name(hma: Hma) -> Iterator[str]:
    yield "COOP_ORG_LIST"
    until = time.monotonic() + 60
    while hma.ask("DELETE", "/c/bank/COOP_ORG_LIST").status == 503:  # it is being pulled, from nowhere
        assert time.monotonic() < until
        time.sleep(0.2)
    for api in ("ncmec", "stop_ncii"):
        assert hma.ask("POST", f"/c/exchanges/api/{api}", json_={"credential_json": {}}).status == 200


def create(hma: Hma, name: str, api: str = "ncmec", **settings: Any) -> int:
    settings = settings or {"environment": _TEST_LIST}
    return hma.ask("POST", "//c/exchanges", json_={"bank": name, "api": api, "api_json": settings}).status


def give(hma: Hma, api: str = "ncmec", **credentials: str) -> Any:
    return hma.ask("POST", f"/c/exchanges/api/{api}", json_={"credential_json": credentials}).body


def test_an_exchange_comes_with_its_bank_and_goes_with_it(hma: Hma, name: str) -> None:
    assert create(hma, name) == 201
    assert hma.ask("GET", f"/c/bank/{name}").body == {"name": name, "matching_enabled_ratio": 1.0}
    assert name in hma.ask("GET", "/c/exchanges").body
    assert hma.ask("GET", f"/c/exchange/{name}").body == {
        "name": name, "api": "ncmec", "enabled": False, "environment": _TEST_LIST, "only_esp_ids": [],
    }  # fmt: skip
    assert create(hma, name) == 403
    assert hma.ask("DELETE", f"/c/bank/{name}").body == {"message": "Done"}
    assert hma.ask("GET", f"/c/exchange/{name}").status == 404
    assert hma.ask("GET", f"/c/exchange/{name}/status").status == 404
    assert name not in hma.ask("GET", "/c/exchanges").body


def test_a_bank_goes_with_its_exchange(hma: Hma, name: str) -> None:
    create(hma, name)
    assert hma.ask("DELETE", f"/c/exchange/{name}").body == {"message": "Exchange deleted"}
    assert hma.ask("GET", f"/c/bank/{name}").status == 404


def test_without_credentials_it_waits_and_asks_nobody(hma: Hma, name: str) -> None:
    create(hma, name)
    assert hma.ask("GET", f"/c/exchange/{name}/status").body == {
        "checkpoint_ts": None,
        "running_fetch_start_ts": None,
        "last_fetch_complete_ts": None,
        "last_fetch_succeeded": None,
        "up_to_date": False,
        "fetched_items": 0,
    }
    refused = hma.ask("PUT", f"/c/exchange/{name}", json_={"enabled": True})
    assert (refused.status, set(refused.body)) == (400, {"message"})


def test_credentials_wake_it_and_taking_them_back_stops_it(hma: Hma, name: str) -> None:
    create(hma, name)
    assert give(hma, user="u", password=_SECRET) == {
        "supports_authentification": True,
        "has_set_authentification": True,
    }
    assert hma.ask("GET", f"/c/exchange/{name}").body["enabled"] is True
    assert give(hma)["has_set_authentification"] is False
    assert hma.ask("GET", f"/c/exchange/{name}").body["enabled"] is False


def test_credentials_may_come_first(hma: Hma, name: str) -> None:
    give(hma, "stop_ncii", fetch_function_key="f", subscription_key=_SECRET)
    assert hma.ask("POST", "/c/exchanges", json_={"bank": name, "api": "stop_ncii", "api_json": {}}).status == 201
    assert hma.ask("GET", f"/c/exchange/{name}").body == {"name": name, "api": "stop_ncii", "enabled": True}


def test_one_that_was_switched_off_stays_off(hma: Hma, name: str) -> None:
    give(hma, user="u", password=_SECRET)
    create(hma, name)
    changed = hma.ask("PUT", f"/c/exchange/{name}", json_={"enabled": False})
    assert (changed.status, changed.body["enabled"], changed.body["name"]) == (200, False, name)
    give(hma, user="u", password="another")
    assert hma.ask("GET", f"/c/exchange/{name}").body["enabled"] is False
    assert hma.ask("PUT", f"/c/exchange/{name}", json_={"enabled": True}).body["enabled"] is True


def test_what_is_secret_is_never_shown(hma: Hma, name: str) -> None:
    give(hma, user="u", password=_SECRET)
    create(hma, name)
    for path in (
        "/c/exchanges", "/c/exchanges/apis", "/c/exchanges/api/ncmec", "/c/exchanges/api/ncmec/schema",
        f"/c/exchange/{name}", f"/c/exchange/{name}/status",
    ):  # fmt: skip
        answer = hma.ask("GET", path)
        assert answer.status == 200
        assert _SECRET not in str(answer.body)
    wrong = hma.ask("POST", "/c/exchanges/api/ncmec", json_={"credential_json": {"user": "", "password": _SECRET}})
    assert wrong.status == 400
    assert _SECRET not in str(wrong.body)
    assert _SECRET not in hma.server.log.read_text()
    stored = (hma.server.data / "jikimi.db").read_bytes() + (hma.server.data / "jikimi.db-wal").read_bytes()
    assert _SECRET.encode() not in stored


def test_the_form_is_hma_s(hma: Hma) -> None:
    form = hma.ask("GET", "/c/exchanges/api/ncmec/schema").body
    settings = {field["name"]: field for field in form["config_schema"]["fields"]}
    assert (settings["environment"]["type"], settings["environment"]["required"]) == ("enum", True)
    assert _TEST_LIST in settings["environment"]["choices"]
    assert (settings["only_esp_ids"]["type"], settings["only_esp_ids"]["required"]) == ("set_of_number", False)
    assert [field["name"] for field in form["credentials_schema"]["fields"]] == ["user", "password"]


def test_what_a_list_is_about_decides_what_its_bank_holds(hma: Hma, name: str) -> None:
    create(hma, name)
    bank = hma.server.ask("GET", f"/v1/banks/{name}", key="read").body
    assert (bank["category"], bank["on_match"]) == ("csam", "hold")
