"""Clients written for HMA, replayed call by call over real HTTP: what they send, and what they make of the answers."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from PIL import Image

from jikimi.engine.pattern import alter, paint
from tests.doors.conftest import Reply
from tests.doors.protocols.conftest import Hma, serving

KNOWN, OTHER = paint(21), paint(22)


class CoopClient:
    """ROOST Coop: a base address that ends in a slash, no credential, ratios as text, inner JSON as metadata."""

    def __init__(self, hma: Hma) -> None:
        self._hma = hma
        self.banks: dict[str, str] = {}
        """Coop's own records: a bank that is 404 loses its record."""

    def call(self, method: str, path: str, **options: Any) -> Reply:
        return self._hma.ask(method, f"//{path}", **options)

    def create(self, name: str) -> Reply:
        return self.call("POST", "c/banks", json_={"name": f"COOP_ORG_{name}", "enabled_ratio": "1.0"})

    def keep_record(self, name: str) -> None:
        answer = self.call("GET", f"c/bank/{name}")
        if answer.status == 404:
            self.banks.pop(name, None)
        elif answer.status == 200:
            self.banks[name] = answer.body["name"]

    def add(self, bank: str, picture: bytes, inner: dict[str, Any]) -> Reply:
        form = {
            "photo": ("image.png", picture, "image/png"),
            "content_id": "item-1",
            "content_uri": "https://example.org/item-1.png",
            "metadata": json.dumps(inner),
        }
        return self.call("POST", f"c/bank/{bank}/content", fields=form)

    def matched_banks(self, hashes: dict[str, str]) -> set[str]:
        """Any list of a bank that is not empty counts; distances are not looked at."""
        found: set[str] = set()
        for type_, value in hashes.items():
            answer = self.call("GET", f"m/lookup?signal={value}&signal_type={type_}")
            if answer.status == 200:
                found |= {bank for bank, matches in answer.body.items() if matches}
        return found


class RubyClient:
    """The Ruby client: three seconds, retries on 408, 429 and 5xx, two types, whole distances, 403 by its words."""

    def __init__(self, hma: Hma) -> None:
        self._hma = hma

    def call(self, method: str, path: str, **options: Any) -> Reply:
        for _ in range(3):
            answer = self._hma.ask(method, path, timeout=3.0, **options)
            if answer.status not in (408, 429) and answer.status < 500:
                break
        return answer

    def create_bank(self, name: str) -> Any:
        sent = {"name": name, "enabled": "true", "matching_enabled_ratio": 1.0}
        answer = self.call("POST", "/c/banks", json_=sent)
        if answer.status == 403 and "already exists" in answer.body["message"]:
            return "exists"
        assert answer.status == 201, answer.body
        return answer.body

    def look_up(self, picture: bytes) -> list[tuple[str, int, int]]:
        answer = self.call("POST", "/m/lookup", fields={"photo": ("f.png", picture)})
        assert answer.status == 200, answer.body
        return [
            (bank, match["bank_content_id"], int(match["distance"]))
            for type_ in ("pdq", "video_md5")
            for bank, matches in answer.body.get(type_, {}).items()
            for match in matches
        ]

    def look_up_address(self, url: str) -> str:
        answer = self.call("GET", f"/m/lookup?url={url}&content_type=photo")
        if answer.status == 403 and "missing role" in answer.body["message"]:
            return "missing role"
        return str(answer.status)

    def is_alive(self) -> bool:
        answer = self._hma.ask("GET", "/status", timeout=3.0)
        return answer.status == 200 or (answer.status == 503 and answer.body == "INDEX-STALE")


@pytest.fixture
def coop(hma: Hma) -> Iterator[CoopClient]:
    yield CoopClient(hma)
    for one in hma.ask("GET", "/c/banks").body:
        if one["name"].startswith("COOP_"):
            hma.ask("DELETE", f"/c/bank/{one['name']}")


def test_coop_makes_a_bank_fills_it_and_matches(coop: CoopClient) -> None:
    made = coop.create("A")
    assert (made.status, made.body) == (201, {"name": "COOP_ORG_A", "matching_enabled_ratio": 1.0})
    added = coop.add("COOP_ORG_A", KNOWN, {"source": "queue", "policy": ["x"]})
    assert added.status == 200
    assert set(added.body) == {"id", "signals"}
    hashes = coop.call("POST", "h/hash", fields={"photo": ("x", alter(alter_back(KNOWN)))}).body
    assert coop.matched_banks(hashes) == {"COOP_ORG_A"}
    shown = coop.call("GET", f"c/bank/COOP_ORG_A/content/{added.body['id']}").body["metadata"]
    assert shown == {
        "content_id": "item-1",
        "content_uri": "https://example.org/item-1.png",
        "json": {"source": "queue", "policy": ["x"]},
        "collab": None,
    }


def alter_back(picture: bytes) -> bytes:
    """Mirror a picture, so that `alter`, which mirrors as well, gives a smaller copy as it was."""
    with Image.open(io.BytesIO(picture)) as image:
        out = io.BytesIO()
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(out, "PNG")
        return out.getvalue()


def test_coop_renames_by_making_anew_and_deleting(coop: CoopClient) -> None:
    coop.create("A")
    coop.add("COOP_ORG_A", KNOWN, {})
    assert coop.create("B").status == 201
    assert coop.call("DELETE", "c/bank/COOP_ORG_A").body == {"message": "Done"}
    assert coop.call("GET", "c/bank/COOP_ORG_A").status == 404
    assert coop.create("A").status == 201, "the name is free again"
    hashes = coop.call("POST", "h/hash", fields={"photo": ("x", KNOWN)}).body
    assert coop.matched_banks(hashes) == set(), "what was in it has gone with it"


def test_coop_changes_a_ratio_as_text(coop: CoopClient) -> None:
    coop.create("A")
    changed = coop.call("PUT", "c/bank/COOP_ORG_A", json_={"enabled_ratio": "0"})
    assert (changed.status, changed.body["matching_enabled_ratio"]) == (200, 0)
    assert coop.call("PUT", "c/bank/COOP_ORG_A", json_={"enabled_ratio": "0.75"}).body["matching_enabled_ratio"] == 0.75


def test_coop_keeps_its_records_for_as_long_as_banks_exist(coop: CoopClient) -> None:
    coop.create("A")
    coop.keep_record("COOP_ORG_A")
    assert coop.banks
    coop.call("DELETE", "c/bank/COOP_ORG_A")
    coop.keep_record("COOP_ORG_A")
    assert not coop.banks


def test_what_coop_swallows_was_no_empty_answer(coop: CoopClient) -> None:
    """It takes a failed hash for no hashes. All that can be done is to say so, which is what its retries see."""
    failed = coop.call("POST", "h/hash", fields={"photo": ("x", b"no picture")})
    assert (failed.status, set(failed.body)) == (400, {"message"})
    assert coop.call("GET", "h/hash?url=http://127.0.0.1:1/x.png").status == 403
    assert coop.call("GET", "m/lookup?signal=&signal_type=pdq").status == 400


def test_the_first_picture_of_all_matches_at_once(coop: CoopClient) -> None:
    """HMA finds nothing while there is one hash only, and for up to a minute and a half after."""
    coop.create("A")
    coop.add("COOP_ORG_A", KNOWN, {})
    for saved in (KNOWN, alter(KNOWN), saved_as(KNOWN, "GIF"), saved_as(KNOWN, "JPEG", "CMYK"), turned(KNOWN)):
        answer = coop.call("POST", "m/lookup", fields={"photo": ("x", saved)})
        assert "COOP_ORG_A" in answer.body["pdq"], answer.body


def saved_as(picture: bytes, form: str, mode: str = "RGB") -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        out = io.BytesIO()
        (image.convert("P", palette=Image.Palette.ADAPTIVE) if form == "GIF" else image.convert(mode)).save(out, form)
        return out.getvalue()


def turned(picture: bytes) -> bytes:
    """As a camera held upright stores it: lying, with a mark that says so."""
    with Image.open(io.BytesIO(picture)) as image:
        lying = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        out = io.BytesIO()
        lying.save(out, "JPEG", exif=exif, quality=90)
        return out.getvalue()


def test_the_ruby_client(hma: Hma) -> None:
    client = RubyClient(hma)
    assert client.is_alive()
    assert client.create_bank("RUBY") == {"name": "RUBY", "matching_enabled_ratio": 1.0}
    assert client.create_bank("RUBY") == "exists"
    answer = client.call("POST", "/c/bank/RUBY/content", fields={"photo": ("f.png", KNOWN)})
    number = answer.body["id"]
    assert [found[:2] for found in client.look_up(alter(KNOWN)) if found[0] == "RUBY"] == [("RUBY", number)]
    assert client.look_up(OTHER) == []
    raw = client.call(
        "GET", f"/m/raw_lookup?signal={answer.body['signals']['pdq']}&signal_type=pdq&include_distance=true"
    )
    assert (number, 0) in [(match["bank_content_id"], int(match["distance"])) for match in raw.body["matches"]]
    assert client.look_up_address("https://example.org/a.png") == "missing role"
    client.call("DELETE", "/c/bank/RUBY")


def test_a_picture_is_found_by_its_md5_where_a_client_looks(hma: Hma, bank: str) -> None:
    """Lists name pictures by md5; this client reads `pdq` and `video_md5` only, and every distance as a number."""
    md5 = hma.send("POST", "/h/hash?types=md5", {"photo": ("f", OTHER)}).body["md5"]
    hma.ask("POST", f"/c/bank/{bank}/signal", json_={"video_md5": md5})
    found = RubyClient(hma).look_up(OTHER)
    assert [(name, distance) for name, _, distance in found] == [(bank, 0)]


def test_altitude(hma: Hma) -> None:
    photo = hma.send("POST", "/h/hash", {"photo": ("f.png", KNOWN)}, timeout=5.0)
    assert (photo.status, list(photo.body), len(photo.body["pdq"])) == (200, ["pdq"], 64)
    video = hma.send("POST", "/h/hash", {"video": ("f.mp4", b"not looked into")}, timeout=5.0)
    assert (video.status, list(video.body), len(video.body["video_md5"])) == (200, ["video_md5"], 32)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hma]:
    """A service that asks for keys, below a prefix of its main port, as hma-matrix would have it."""
    with serving(tmp_path_factory.mktemp("guarded") / "data", key="required", prefix="/hma") as hma:
        yield hma


def test_hma_matrix_probes_without_a_key(guarded: Hma) -> None:
    assert guarded.ask("GET", "/site-map").status == 200
    assert guarded.ask("GET", "/status").body == "I-AM-ALIVE"
    assert guarded.ask("GET", "/status/live").status == 200
    assert guarded.ask("GET", "/").headers["location"] == "/hma/status"


def test_hma_matrix_shows_a_key(guarded: Hma) -> None:
    denied = guarded.ask("GET", "/c/banks")
    assert denied.status == 401
    assert denied.headers["content-type"].startswith("text/plain")
    assert denied.headers["www-authenticate"] == "Bearer"
    assert guarded.ask("GET", "/c/banks", key="revoked").status == 401
    assert guarded.ask("POST", "/c/banks", key="banks", json_={"name": "MATRIX"}).status == 201
    assert guarded.ask("GET", "//c//bank/MATRIX", key="read").status == 200
    assert guarded.send("POST", "/m/lookup", {"photo": ("x", KNOWN)}, key="scan").status == 200


@pytest.mark.parametrize(
    ("method", "path", "opens"),
    [
        ("GET", "/c/banks", {"read", "banks", "all"}),
        ("DELETE", "/c/bank/NONE", {"banks", "all"}),
        ("GET", "/m/index/status", {"scan", "all"}),
    ],
)
def test_each_key_opens_what_its_scopes_say(guarded: Hma, method: str, path: str, opens: set[str]) -> None:
    for key in ("scan", "read", "banks", "report", "all"):
        reply = guarded.ask(method, path, key=key)
        assert reply.status == (200 if key in opens else 403), (key, reply.body)
        assert reply.status == 200 or set(reply.body) == {"message"}


def test_the_rest_of_the_main_port_stays_what_it_was(guarded: Hma) -> None:
    assert guarded.server.ask("GET", "/c/banks", key="all").status == 404
    assert guarded.server.ask("GET", "/hmax/status", key="all").status == 404
    assert guarded.server.ask("GET", "/v1/banks", key="all").status == 200


def test_the_port_of_its_own_has_nothing_else(hma: Hma) -> None:
    for path in ("/v1/banks", "/desk", "/healthz", "/metrics"):
        assert hma.ask("GET", path, key="all").status == 404


def test_a_new_picture_protects_uploads_too(hma: Hma, bank: str) -> None:
    """What such a program banks counts in our own API at once, as the settings say: hold."""
    hma.send("POST", f"/c/bank/{bank}/content", {"photo": ("f", paint(33))})
    answer = hma.server.ask("POST", "/v1/scan", key="scan", body=paint(33)).body
    assert (answer["verdict"], [match["bank"] for match in answer["matches"]]) == ("hold", [bank])


def test_entries_that_came_by_another_way_have_numbers(hma: Hma, bank: str) -> None:
    pdq = hma.send("POST", "/h/hash", {"photo": ("f", paint(34))}).body["pdq"]
    entries = {"signals": [{"type": "pdq", "value": pdq}]}
    assert hma.server.ask("POST", f"/v1/banks/{bank}/entries", key="banks", json_=entries).body["added"] == 1
    answer = hma.send("POST", "/m/lookup", {"photo": ("f", paint(34))}).body
    (match,) = answer["pdq"][bank]
    number = match["bank_content_id"]
    assert 10**12 < number < 2**53
    path = f"/c/bank/{bank}/content/{number}"
    assert hma.ask("GET", f"{path}?include_signals=true").body["signals"].keys() == {"pdq"}
    assert hma.ask("PUT", path, json_={"note": "seen"}).body["note"] == "seen"
    assert hma.ask("DELETE", path).body == {"deleted": 1}
    assert hma.send("POST", "/m/lookup", {"photo": ("f", paint(34))}).body["pdq"] == {}


def test_the_coin_is_tossed_for_look_ups_and_can_be_passed(hma: Hma, bank: str) -> None:
    pdq = hma.send("POST", f"/c/bank/{bank}/content", {"photo": ("f", paint(35))}).body["signals"]["pdq"]
    hma.ask("PUT", f"/c/bank/{bank}", json_={"enabled_ratio": 0.5})
    heads = next(seed for seed in map(str, range(99)) if random.Random(seed).random() <= 0.5)
    tails = next(seed for seed in map(str, range(99)) if random.Random(seed).random() > 0.5)
    asked = f"/m/lookup?signal={pdq}&signal_type=pdq&seed="
    assert bank in hma.ask("GET", asked + heads).body
    assert hma.ask("GET", asked + tails).body == {}
    assert bank in hma.ask("GET", asked + tails + "&bypass_coinflip=true").body
    form = {"photo": ("f", paint(35))}
    assert hma.send("POST", f"/m/lookup?seed={tails}", form).body == {"pdq": {}}
    assert bank in hma.send("POST", f"/m/lookup?seed={tails}&bypass_coinflip=true", form).body["pdq"]
    assert hma.send("POST", f"/m/lookup?seed={tails}&bypass_coinflip=True", form).body == {"pdq": {}}


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_no_page_in_a_browser_fills_banks_without_a_key(
    hma: Hma, guarded: Hma, bank: str, headers: dict[str, str]
) -> None:
    form = {"photo": ("f", KNOWN)}
    refused = hma.send("POST", f"/c/bank/{bank}/content", form, headers=headers)
    assert (refused.status, set(refused.body)) == (403, {"message"})
    assert hma.ask("GET", "/status", headers=headers).status == 200
    assert guarded.send("POST", "/h/hash", form, key="scan", headers=headers).status == 200


def test_one_connection_serves_many_calls(hma: Hma) -> None:
    """A refusal before the body was read must leave nothing of it to be taken for the next request."""
    with urllib3.HTTPConnectionPool(hma.address.split("/")[2], maxsize=1, retries=False) as pool:
        for _ in range(3):
            answer = pool.request("POST", "/c/bank/NONE/content", fields={"photo": ("f", KNOWN)})
            assert answer.status == 404
            assert pool.request("GET", "/status").data == b"I-AM-ALIVE"
