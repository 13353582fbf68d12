"""Every route of HMA's API: what is asked, with which status it is answered, in which shape."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image

from jikimi.doors.protocols.hma.routes import ROUTES
from jikimi.engine.pattern import paint
from tests.conftest import bridge
from tests.doors.protocols.conftest import Hma, Json

PDQ_A = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
PDQ_B = "d8f8f0cec0f4a84f0637022a278f67f0b36e2ed596621e1d33e6339c4e9c9b22"
MD5 = "d35c785545392755e7e4164457657269"
KNOWN = paint(11)
FLAT = io.BytesIO()
Image.new("RGB", (200, 200), (90, 120, 60)).save(FLAT, "PNG")
FEATURELESS = FLAT.getvalue()

Is = Callable[[Any], bool]


def message(body: Any) -> bool:
    return set(body) == {"message"} and isinstance(body["message"], str) and body["message"] != ""


def mistakes(body: Any) -> bool:
    return isinstance(body, list) and all({"type", "loc", "msg", "input", "url"} <= set(one) for one in body)


def done(body: Any) -> bool:
    return bool(body == {"message": "Done"})


def hash_of(name: str, length: int) -> Is:
    return lambda body: set(body) == {name} and re.fullmatch(rf"[0-9a-f]{{{length}}}", body[name]) is not None


def equal(expected: Any) -> Is:
    return lambda body: bool(body == expected)


def bank_of(ratio: float) -> Is:
    return lambda body: set(body) == {"name", "matching_enabled_ratio"} and body["matching_enabled_ratio"] == ratio


def content(*more: str) -> Is:
    plain = {"id", "disable_until_ts", "original_media_uri", "bank"}
    return lambda body: set(body) == plain | set(more) and set(body["bank"]) == {"name", "matching_enabled_ratio"}


def banked(*names: str) -> Is:
    return lambda body: (
        set(body) == {"id", "signals"} and isinstance(body["id"], int) and set(body["signals"]) == {*names}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request and its answer. `BANK` and `ID` in a path are a bank with one content."""

    ask: str
    status: int
    is_: Is
    json_: Json = None
    form: dict[str, Any] | None = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def photo(data: bytes, **fields: str) -> dict[str, Any]:
    return {"photo": ("a", data), **fields}


CORE = [
    Row(ask="GET /", status=302, is_=equal("")),
    Row(ask="GET /status", status=200, is_=equal("I-AM-ALIVE")),
    Row(ask="GET /status/live", status=200, is_=equal("I-AM-ALIVE")),
    Row(ask="GET /site-map", status=200, is_=lambda body: body == sorted(body) and "/c/bank/<bank_name>" in body),
]
HASHING = [
    Row(ask="POST /h/hash", status=200, is_=hash_of("pdq", 64), form=photo(KNOWN)),
    Row(ask="POST /h/hash", status=200, is_=hash_of("video_md5", 32), form={"video": ("a", b"\x00\x01moving")}),
    Row(ask="POST /h/hash?types=pdq", status=200, is_=hash_of("pdq", 64), form=photo(KNOWN)),
    Row(ask="POST /h/hash?types=sha256", status=200, is_=hash_of("sha256", 64), form=photo(KNOWN)),
    Row(ask="POST /h/hash?types=md5,pdq", status=200, is_=lambda body: set(body) == {"md5", "pdq"}, form=photo(KNOWN)),
    Row(ask="POST /h/hash", status=200, is_=equal({"pdq": ""}), form=photo(FEATURELESS)),
    Row(ask="POST /h/hash", status=400, is_=message, form=photo(b"no picture")),
    Row(ask="POST /h/hash", status=400, is_=message, form=photo(b"")),
    Row(ask="POST /h/hash", status=400, is_=message, form={"x": "no file"}),
    Row(ask="POST /h/hash", status=400, is_=message, raw=KNOWN),
    Row(ask="POST /h/hash", status=400, is_=message, form={"file": ("a", KNOWN)}),
    Row(ask="POST /h/hash", status=400, is_=message, form={"photo": ("a", KNOWN), "video": ("b", KNOWN)}),
    Row(ask="POST /h/hash?types=video_md5", status=400, is_=message, form=photo(KNOWN)),
    Row(ask="POST /h/hash?types=pdq", status=400, is_=message, form={"video": ("a", KNOWN)}),
    Row(ask="POST /h/hash?types=nonsense", status=400, is_=message, form=photo(KNOWN)),
    Row(ask="POST /h/hash?types=", status=400, is_=message, form=photo(KNOWN)),
    Row(ask="POST /h/hash", status=413, is_=message, form=photo(b"\xff" * 2_000_000)),
    Row(ask="GET /h/hash", status=422, is_=mistakes),
    Row(ask="GET /h/hash?url=http://127.0.0.1/x.png", status=403, is_=message),
]


def one_level(body: Any) -> bool:
    return any(
        set(one) == {"bank_content_id", "distance"} and one["distance"] == "0" for some in body.values() for one in some
    )


def two_levels(body: Any) -> bool:
    return set(body) == {"pdq"} and one_level(body["pdq"])


MATCHING = [
    Row(ask="POST /m/lookup", status=200, is_=two_levels, form=photo(KNOWN)),
    Row(ask="POST /m/lookup?banks=NONE", status=200, is_=equal({"pdq": {}}), form=photo(KNOWN)),
    Row(ask="POST /m/lookup?seed=1&bypass_coinflip=true", status=200, is_=two_levels, form=photo(KNOWN)),
    Row(ask="POST /m/lookup", status=200, is_=equal({"pdq": {}}), form=photo(paint(12))),
    Row(ask="POST /m/lookup", status=200, is_=equal({"video_md5": {}}), form={"video": ("a", b"unknown")}),
    Row(ask="POST /m/lookup", status=400, is_=message, form=photo(FEATURELESS)),
    Row(ask="POST /m/lookup", status=400, is_=message, form=photo(b"no picture")),
    Row(ask="POST /m/lookup", status=400, is_=message, form={}),
    Row(ask="GET /m/lookup?signal=PDQ&signal_type=pdq", status=200, is_=one_level),
    Row(ask=f"GET /m/lookup?signal={'0' * 64}&signal_type=pdq", status=200, is_=equal({})),
    Row(ask="GET /m/lookup?signal=PDQ&signal_type=pdq&banks=BANK", status=200, is_=one_level),
    Row(ask="GET /m/lookup?signal=PDQ&signal_type=pdq&banks=OTHER", status=200, is_=equal({})),
    Row(ask="GET /m/lookup", status=400, is_=message),
    Row(ask="GET /m/lookup?signal=&signal_type=pdq", status=400, is_=message),
    Row(ask="GET /m/lookup?signal_type=pdq", status=400, is_=message),
    Row(ask="GET /m/lookup?signal=abc&signal_type=pdq", status=400, is_=message),
    Row(ask=f"GET /m/lookup?signal={PDQ_A.upper()}&signal_type=pdq", status=400, is_=message),
    Row(ask=f"GET /m/lookup?signal={PDQ_A}&signal_type=nonsense", status=400, is_=message),
    Row(ask=f"GET /m/lookup?signal={PDQ_A}&signal_type=pdq&bypass_coinflip=maybe", status=422, is_=mistakes),
    Row(ask="GET /m/lookup?url=https://example.org/a.png", status=403, is_=lambda b: "missing role" in b["message"]),
    Row(
        ask="GET /m/raw_lookup?signal=PDQ&signal_type=pdq",
        status=200,
        is_=lambda body: set(body) == {"matches"} and isinstance(body["matches"][0], int),
    ),
    Row(
        ask="GET /m/raw_lookup?signal=PDQ&signal_type=pdq&include_distance=true&banks=BANK",
        status=200,
        is_=lambda body: set(body["matches"][0]) == {"bank_content_id", "distance"},
    ),
    Row(ask=f"GET /m/raw_lookup?signal={'0' * 64}&signal_type=pdq", status=200, is_=equal({"matches": []})),
    Row(ask="GET /m/raw_lookup?signal=abc&signal_type=pdq", status=400, is_=message),
    Row(ask=f"GET /m/raw_lookup?signal={PDQ_A}&signal_type=x", status=400, is_=message),
    Row(ask="GET /m/raw_lookup?signal_type=pdq", status=422, is_=mistakes),
    Row(
        ask="GET /m/index/status",
        status=200,
        is_=lambda body: set(body) >= {"pdq", "video_md5"} and set(body["pdq"]) == {"present", "built_to", "size"},
    ),
    Row(ask="GET /m/index/status?signal_type=pdq", status=200, is_=lambda b: set(b) == {"pdq"} and b["pdq"]["present"]),
    Row(ask="GET /m/index/status?signal_type=nonsense", status=400, is_=message),
    Row(ask="POST /m/compare", status=200, is_=equal({"pdq": [True, {"distance": 8}]}), json_={"pdq": [PDQ_A, PDQ_B]}),
    Row(ask="POST /m/compare", status=200, is_=lambda b: b["pdq"][0] is False, json_={"pdq": [PDQ_A, "0" * 64]}),
    Row(
        ask="POST /m/compare",
        status=200,
        is_=equal({"video_md5": [True, {"distance": 0}]}),
        json_={"video_md5": [MD5] * 2},
    ),
    Row(ask="POST /m/compare", status=400, is_=message, json_={"pdq": [PDQ_A]}),
    Row(ask="POST /m/compare", status=400, is_=message, json_={"pdq": PDQ_A}),
    Row(ask="POST /m/compare", status=400, is_=message, json_={"pdq": [1, 2]}),
    Row(ask="POST /m/compare", status=400, is_=message, json_={"nonsense": [PDQ_A, PDQ_B]}),
    Row(ask="POST /m/compare", status=400, is_=message, json_=[1]),
]
BANKS = [
    Row(
        ask="GET /c/banks",
        status=200,
        is_=lambda body: all(set(one) == {"name", "matching_enabled_ratio"} for one in body),
    ),
    Row(ask="POST /c/banks", status=201, is_=bank_of(1), json_={"name": "NEW", "unknown": [1]}),
    Row(ask="POST /c/banks", status=201, is_=bank_of(0.5), json_={"name": "NEW", "enabled_ratio": "0.5"}),
    Row(
        ask="POST /c/banks",
        status=201,
        is_=bank_of(0.25),
        json_={"name": "NEW", "enabled_ratio": 0.25, "enabled": True},
    ),
    Row(ask="POST /c/banks", status=201, is_=bank_of(0), json_={"name": "NEW", "enabled": False}),
    Row(
        ask="POST /c/banks", status=201, is_=bank_of(0), json_={"name": "NEW", "enabled_ratio": None, "enabled": False}
    ),
    Row(ask="POST /c/banks", status=201, is_=bank_of(1), json_={"name": "NEW", "enabled": "true"}),
    Row(ask="POST /c/banks", status=201, is_=bank_of(1), json_={"name": "_NEW"}),
    Row(ask="POST /c/banks", status=403, is_=equal({"message": "Bank already exists"}), json_={"name": "BANK"}),
    Row(ask="POST /c/banks", status=400, is_=message, json_={"name": "lower"}),
    Row(ask="POST /c/banks", status=400, is_=message, json_={"name": ""}),
    Row(ask="POST /c/banks", status=400, is_=message, json_={"name": "A" * 256}),
    Row(ask="POST /c/banks", status=400, is_=message, json_={"name": "1ST"}),
    Row(ask="POST /c/banks", status=422, is_=mistakes, json_={}),
    Row(ask="POST /c/banks", status=422, is_=mistakes, json_=[]),
    Row(ask="POST /c/banks", status=422, is_=mistakes, json_={"name": 5}),
    Row(ask="POST /c/banks", status=422, is_=mistakes, json_={"name": "NEW", "enabled_ratio": 7.5}),
    Row(ask="POST /c/banks", status=422, is_=mistakes, raw=b"{", headers={"Content-Type": "application/json"}),
    Row(ask="POST /c/banks", status=422, is_=mistakes, raw=b"name=NEW"),
    Row(ask="GET /c/bank/BANK", status=200, is_=bank_of(1)),
    Row(ask="GET /c/bank/NONE", status=404, is_=message),
    Row(ask="PUT /c/bank/BANK", status=200, is_=bank_of(0), json_={"enabled": False}),
    Row(ask="PUT /c/bank/BANK", status=200, is_=bank_of(1), json_={"enabled": True}),
    Row(ask="PUT /c/bank/BANK", status=200, is_=bank_of(0.5), json_={"enabled": False, "enabled_ratio": 0.5}),
    Row(ask="PUT /c/bank/BANK", status=200, is_=lambda body: body["name"].endswith("_NEW"), json_={"name": "NEW"}),
    Row(ask="PUT /c/bank/BANK", status=200, is_=bank_of(1), json_={}),
    Row(ask="PUT /c/bank/BANK", status=400, is_=message, json_={"name": "a b"}),
    Row(ask="PUT /c/bank/BANK", status=400, is_=message, json_={"name": ""}),
    Row(ask="PUT /c/bank/BANK", status=403, is_=equal({"message": "Bank already exists"}), json_={"name": "OTHER"}),
    Row(ask="PUT /c/bank/NONE", status=404, is_=message, json_={"enabled": True}),
    Row(ask="PUT /c/bank/BANK", status=422, is_=mistakes, json_={"enabled": "perhaps"}),
    Row(ask="DELETE /c/bank/BANK", status=200, is_=done),
    Row(ask="DELETE /c/bank/NONE", status=200, is_=done),
]
CONTENTS = [
    Row(ask="POST /c/bank/BANK/content", status=200, is_=banked("pdq"), form=photo(KNOWN)),
    Row(ask="POST /c/bank/BANK/content", status=200, is_=banked("video_md5"), form={"video": ("a", b"moving")}),
    Row(ask="POST /c/bank/BANK/content?types=pdq,sha1", status=200, is_=banked("pdq", "sha1"), form=photo(KNOWN)),
    Row(
        ask="POST /c/bank/BANK/content?bank_name=X&source=y",
        status=200,
        is_=banked("pdq"),
        form=photo(KNOWN, note="n", metadata=json.dumps({"content_id": "c", "json": {"a": 1}, "collab": {"x": 1}})),
    ),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form={"x": "y"}),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, json_={"note": "n"}),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(KNOWN, metadata="{")),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(KNOWN, metadata="[]")),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(KNOWN, metadata='{"any":1}')),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(KNOWN, metadata='{"content_id":1}')),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(KNOWN, note="n" * 256)),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(FEATURELESS)),
    Row(ask="POST /c/bank/BANK/content", status=400, is_=message, form=photo(b"no picture")),
    Row(ask="POST /c/bank/NONE/content", status=404, is_=message, form=photo(KNOWN)),
    Row(ask="POST /c/bank/BANK/content?url=http://127.0.0.1/", status=403, is_=message, json_={"note": "n"}),
    Row(
        ask="POST /c/bank/BANK/signal",
        status=200,
        is_=lambda body: body["signals"] == {"pdq": PDQ_A, "video_md5": MD5},
        json_={"pdq": PDQ_A, "video_md5": MD5.upper(), "note": "n"},
    ),
    Row(ask="POST /c/bank/BANK/signal", status=200, is_=banked("sha256"), json_={"sha256": "ab" * 32}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={"note": "only"}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={"nonsense": PDQ_A}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={"pdq": PDQ_A.upper()}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={"pdq": "abc"}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={"pdq": 5}),
    Row(ask="POST /c/bank/BANK/signal", status=400, is_=message, json_={"md5": MD5, "video_md5": "0" * 32}),
    Row(
        ask="POST /c/bank/BANK/signal", status=400, is_=message, raw=b"{", headers={"Content-Type": "application/json"}
    ),
    Row(ask="POST /c/bank/BANK/signal", status=415, is_=message, raw=b"{}"),
    Row(ask="POST /c/bank/NONE/signal", status=404, is_=message, json_={"pdq": PDQ_A}),
    Row(ask="GET /c/bank/BANK/content/ID", status=200, is_=content("note", "metadata")),
    Row(
        ask="GET /c/bank/BANK/content/ID",
        status=200,
        is_=lambda body: set(body["metadata"]) == {"content_id", "content_uri", "json", "collab"},
    ),
    Row(ask="GET /c/bank/BANK/content/ID?include_metadata=false", status=200, is_=content("note")),
    Row(ask="GET /c/bank/BANK/content/ID?include_signals=true", status=200, is_=content("note", "metadata", "signals")),
    Row(ask="GET /c/bank/BANK/content/999999", status=404, is_=message),
    Row(ask="GET /c/bank/BANK/content/none", status=404, is_=message),
    Row(ask="GET /c/bank/OTHER/content/ID", status=404, is_=message),
    Row(ask="GET /c/bank/NONE/content/ID", status=404, is_=message),
    Row(
        ask="PUT /c/bank/BANK/content/ID",
        status=200,
        is_=content("collab_metadata", "user_metadata", "note"),
        json_={"disable_until_ts": 0},
    ),
    Row(ask="PUT /c/bank/BANK/content/ID", status=200, is_=lambda body: body["note"] == "", json_={"note": ""}),
    Row(
        ask="PUT /c/bank/BANK/content/ID",
        status=200,
        is_=lambda body: body["disable_until_ts"] > 1,
        json_={"disable_until_ts": int(time.time()) + 1000},
    ),
    Row(ask="PUT /c/bank/BANK/content/ID", status=400, is_=message, json_={"disable_until_ts": -1}),
    Row(ask="PUT /c/bank/BANK/content/ID", status=400, is_=message, json_={"disable_until_ts": 2**40}),
    Row(ask="PUT /c/bank/BANK/content/ID", status=400, is_=message, json_={"disable_until_ts": "soon"}),
    Row(ask="PUT /c/bank/BANK/content/ID", status=400, is_=message, json_={"note": "n" * 256}),
    Row(ask="PUT /c/bank/BANK/content/ID", status=415, is_=message, raw=b"{}"),
    Row(ask="PUT /c/bank/BANK/content/999999", status=404, is_=message, json_={"note": "n"}),
    Row(ask="PUT /c/bank/NONE/content/ID", status=404, is_=message, json_={"note": "n"}),
    Row(ask="DELETE /c/bank/BANK/content/ID", status=200, is_=equal({"deleted": 1})),
    Row(ask="DELETE /c/bank/BANK/content/999999", status=200, is_=equal({"deleted": 0})),
    Row(ask="DELETE /c/bank/OTHER/content/ID", status=200, is_=equal({"deleted": 0})),
    Row(ask="DELETE /c/bank/NONE/content/ID", status=404, is_=message),
]
FLAGS = {"supports_authentification": True, "has_set_authentification": False}


def form(body: Any) -> bool:
    one = {"name", "type", "required", "default", "help", "choices"}
    return set(body) == {"config_schema", "credentials_schema"} and all(
        set(field) == one for part in body.values() for field in part["fields"]
    )


EXCHANGES = [
    Row(ask="GET /c/exchanges/apis", status=200, is_=lambda body: {"ncmec", "stop_ncii"} <= {*body}),
    Row(ask="GET /c/exchanges/api/stop_ncii", status=200, is_=equal(FLAGS)),
    Row(ask="GET /c/exchanges/api/nonsense", status=400, is_=message),
    Row(ask="POST /c/exchanges/api/stop_ncii", status=200, is_=equal(FLAGS), json_={"credential_json": {}}),
    Row(ask="POST /c/exchanges/api/ncmec", status=400, is_=message, json_={"credential_json": {"user": "a"}}),
    Row(ask="POST /c/exchanges/api/ncmec", status=400, is_=message, json_={"credential_json": {"api_token": "a"}}),
    Row(ask="POST /c/exchanges/api/ncmec", status=400, is_=message, json_={"credential_json": "a"}),
    Row(ask="POST /c/exchanges/api/ncmec", status=400, is_=message, json_={}),
    Row(ask="POST /c/exchanges/api/nonsense", status=400, is_=message, json_={"credential_json": {}}),
    Row(ask="POST /c/exchanges/api/ncmec", status=415, is_=message, raw=b"{}"),
    Row(ask="GET /c/exchanges/api/ncmec/schema", status=200, is_=form),
    Row(ask="GET /c/exchanges/api/stop_ncii/schema", status=200, is_=form),
    Row(ask="GET /c/exchanges/api/nonsense/schema", status=404, is_=message),
    Row(
        ask="POST /c/exchanges",
        status=201,
        is_=equal({"message": "Created successfully"}),
        json_={"bank": "NEW", "api": "stop_ncii", "api_json": {}},
    ),
    Row(
        ask="POST /c/exchanges",
        status=201,
        is_=equal({"message": "Created successfully"}),
        json_={
            "bank": "NEW",
            "api": "ncmec",
            "api_json": {"environment": "https://exttest.cybertip.org/hashsharing", "only_esp_ids": [1, 2]},
        },
    ),
    Row(ask="POST /c/exchanges", status=400, is_=message, json_={"bank": "a b", "api": "stop_ncii", "api_json": {}}),
    Row(ask="POST /c/exchanges", status=400, is_=message, json_={"bank": "NEW", "api": "nonsense", "api_json": {}}),
    Row(ask="POST /c/exchanges", status=400, is_=message, json_={"bank": "NEW", "api": "sample", "api_json": {}}),
    Row(ask="POST /c/exchanges", status=400, is_=message, json_={"bank": "NEW", "api": "local_file", "api_json": {}}),
    Row(ask="POST /c/exchanges", status=400, is_=message, json_={"bank": "NEW", "api": "ncmec", "api_json": {}}),
    Row(
        ask="POST /c/exchanges",
        status=400,
        is_=message,
        json_={"bank": "NEW", "api": "stop_ncii", "api_json": {"x": 1}},
    ),
    Row(
        ask="POST /c/exchanges", status=400, is_=message, json_={"bank": "NEW", "api": "stop_ncii", "api_json": "text"}
    ),
    Row(
        ask="POST /c/exchanges",
        status=400,
        is_=message,
        json_={"bank": "NEW", "api": "ncmec", "api_json": {"environment": "https://elsewhere.example"}},
    ),
    Row(
        ask="POST /c/exchanges",
        status=403,
        is_=equal({"message": "Bank already exists"}),
        json_={"bank": "BANK", "api": "stop_ncii", "api_json": {}},
    ),
    Row(ask="POST /c/exchanges", status=415, is_=message, raw=b"{}"),
    Row(ask="GET /c/exchanges", status=200, is_=lambda body: isinstance(body, list)),
    Row(ask="GET /c/exchange/NONE", status=404, is_=message),
    Row(ask="GET /c/exchange/NONE/status", status=404, is_=message),
    Row(ask="PUT /c/exchange/NONE", status=404, is_=message, json_={"enabled": True}),
    Row(ask="PUT /c/exchange/NONE", status=422, is_=mistakes, json_={}),
    Row(ask="DELETE /c/exchange/NONE", status=200, is_=equal({"message": "Exchange deleted"})),
]
TYPES = [
    Row(ask="GET /c/signal_type", status=200, is_=lambda b: {"name": "pdq", "enabled_ratio": 1.0} in b),
    Row(
        ask="GET /c/signal_type/index",
        status=200,
        is_=lambda b: (
            set(b["video_md5"]) == {"db_size", "index_size", "index_out_of_date", "newest_db_item", "index_built_to"}
        ),
    ),
    Row(ask="GET /c/signal_type/index?signal_type=pdq", status=200, is_=lambda b: set(b) == {"pdq"}),
    Row(ask="GET /c/signal_type/index?signal_type=nonsense", status=400, is_=message),
    Row(
        ask="PUT /c/signal_type/pdq",
        status=200,
        is_=equal({"name": "pdq", "enabled_ratio": 1.0}),
        json_={"enabled_ratio": 1},
    ),
    Row(ask="PUT /c/signal_type/pdq", status=400, is_=message, json_={"enabled_ratio": 0}),
    Row(ask="PUT /c/signal_type/nonsense", status=400, is_=message, json_={"enabled_ratio": 1}),
    Row(
        ask="GET /c/content_type",
        status=200,
        is_=equal([{"name": "photo", "enabled": True}, {"name": "video", "enabled": True}]),
    ),
]
ELSEWHERE = [
    Row(ask="GET /c/banks/", status=404, is_=message),
    Row(ask="GET /nowhere", status=404, is_=message),
    Row(ask="PATCH /c/banks", status=405, is_=message),
    Row(ask="GET //c/banks", status=200, is_=lambda body: isinstance(body, list)),
    Row(ask="GET ///c//bank/BANK", status=200, is_=bank_of(1)),
]
ROWS = [*CORE, *HASHING, *MATCHING, *BANKS, *CONTENTS, *EXCHANGES, *TYPES, *ELSEWHERE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Two banks, and a content with everything in the first of them."""

    bank: str
    other: str
    new: str
    content: int
    pdq: str

    def place(self, text: str) -> str:
        """Put the real names where the table has placeholders."""
        named = {"BANK": self.bank, "OTHER": self.other, "NEW": self.new, "PDQ": self.pdq, "ID": str(self.content)}
        return re.sub(r"\b(BANK|OTHER|_?NEW|PDQ|ID)\b", lambda m: named[m[0].lstrip("_")], text)


@pytest.fixture
def scene(hma: Hma, bank: str) -> Scene:
    for name in ("_OTHER", "_NEW"):
        hma.ask("DELETE", f"/c/bank/{bank}{name}")
    hma.ask("POST", "/c/banks", json_={"name": f"{bank}_OTHER"})
    form = photo(KNOWN, note="as seen", metadata='{"content_id":"c-1"}')
    made = hma.send("POST", f"/c/bank/{bank}/content", form)
    return Scene(
        bank=bank, other=f"{bank}_OTHER", new=f"{bank}_NEW", content=made.body["id"], pdq=made.body["signals"]["pdq"]
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.ask[:60]}-{row.status}")
def test_each_route_answers_as_hma_does(hma: Hma, scene: Scene, row: Row) -> None:
    method, path = scene.place(row.ask).split(" ", 1)
    options: dict[str, Any] = {"headers": row.headers}
    if row.form is not None:
        options["fields"] = row.form
    elif row.raw is not None:
        options["body"] = row.raw
    elif row.json_ is not None:
        options["json_"] = json.loads(scene.place(json.dumps(row.json_)))
    reply = hma.ask(method, path, **options)
    assert reply.status == row.status, reply.body
    assert row.is_(reply.body), reply.body
    for name in (scene.other, scene.new):
        assert hma.ask("DELETE", f"/c/bank/{name}").status == 200


def test_no_route_is_missing_from_the_table() -> None:
    asked = {(row.ask.split(" ")[0], _pattern(row.ask.split(" ")[1])) for row in ROWS}
    routes = {(route.method, re.sub(r"{\w+}", "*", route.path)) for route in ROUTES}
    assert routes <= asked


def _pattern(path: str) -> str:
    path = path.split("?")[0]
    path = re.sub(r"(?<=^/c/bank/)[^/]+", "*", path)
    path = re.sub(r"(?<=^/c/exchange/)[^/]+", "*", path)
    path = re.sub(r"(?<=^/c/exchanges/api/)[^/]+", "*", path)
    path = re.sub(r"(?<=/content/)[^/]+", "*", path)
    return re.sub(r"(?<=^/c/signal_type/)(pdq|nonsense)", "*", path)


def test_where_to_is_found_from_the_root(hma: Hma) -> None:
    assert hma.ask("GET", "/").headers["location"] == "/status"


def test_hashes_are_those_of_the_reference(hma: Hma) -> None:
    assert hma.send("POST", "/h/hash", photo(bridge("square-512x512.jpg"))).body["pdq"][:16] == "d8f8f0cec0f4a84f"
