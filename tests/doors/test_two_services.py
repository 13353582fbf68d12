"""Two services, one of which reads a bank of the other: what is added there matches here, and what goes goes here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jikimi.app import open_kit, peer_key_of
from jikimi.config import Settings
from jikimi.flows.exchange import add_exchange, change_exchange, connector_of, show_exchange
from jikimi.flows.key import authenticate
from jikimi.flows.peer import allow_peer, read_page, revoke_peer, what_peers_say
from jikimi.flows.sync import Synced, sync
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.exchange import Feedback, Json, NewExchange
from jikimi.model.people import Scope
from jikimi.model.signal import parse_signal
from jikimi.ports import Kit
from jikimi.ports.exchanges import Opined
from tests.doors.conftest import Server, running, wait_until_ready

OTHER_IDENTITY = "jkp_" + "0" * 64
SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The service that shares its bank `given`, and the one that reads it into its bank `taken`."""

    theirs: Server
    ours: Server

    def share(self, *values: str) -> None:
        """Somebody there adds signals."""
        signals = [{"type": "md5", "value": value} for value in values]
        assert self.theirs.ask("POST", "/v1/banks/given/entries", json_={"signals": signals}).status == 200

    def withdraw(self, value: str) -> None:
        """Somebody there withdraws one."""
        assert self.theirs.ask("DELETE", f"/v1/banks/given/entries/md5/{value}").status == 200

    def pull(self, name: str = "partner") -> Synced:
        """Another process here pulls."""
        with self.kit() as kit:
            return sync(kit, name)

    @contextmanager
    def kit(self) -> Iterator[Kit]:
        """What an operator's command here works with."""
        with open_kit(Settings.load(data=self.ours.data)) as kit:
            yield kit

    def match(self, value: str) -> list[str]:
        """What our running service answers about a signal."""
        reply = self.ours.ask("POST", "/v1/match", json_={"signals": [{"type": "md5", "value": value}]})
        return [match["bank"] for match in reply.body["results"][0]["matches"]]

    def matches(self, value: str, *banks: str) -> bool:
        """Whether our running service comes to answer so; it follows what other processes change within a second."""
        until = time.monotonic() + SECONDS
        while self.match(value) != list(banks):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


@pytest.fixture(scope="module")
def pair(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    data = tmp_path_factory.mktemp("reader") / "data"
    assert server.ask("POST", "/v1/banks", json_={"name": "given", "category": "ncii", "on_match": "log"}).status == 201
    with running(data, JIKIMI_CANARY_SECONDS="1", JIKIMI_FLOOD_LIMIT="0") as ours:
        wait_until_ready(ours)
        pair = Pair(theirs=server, ours=ours)
        read_theirs(pair, "partner", "taken")
        yield pair


def read_theirs(pair: Pair, name: str, bank: str) -> None:
    """Both sides agree: there is a key there, and an exchange and a bank here."""
    with open_kit(Settings.load(data=pair.theirs.data)) as kit:
        secret = allow_peer(kit, "tests", f"reader-{name}", ["given"], with_lists=False)
    settings: dict[str, Json] = {
        "address": pair.theirs.address,
        "bank": "given",
        "identity": peer_key_of(Settings.load(data=pair.theirs.data)).public,
        "page_size": 3,
    }
    new = NewExchange(name=name, kind="peer", bank=bank, settings=settings)
    policy = BankPolicy(name=bank, category=Category.NCII, on_match=OnMatch.BLOCK)
    with pair.kit() as kit:
        add_exchange(kit, "tests", new, policy, {"key": secret})


def value(number: int) -> str:
    return f"{number:08x}" + "3d" * 12


def files_hold(data: Path, wanted: str) -> list[str]:
    found = []
    for path in data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if bytes.fromhex(wanted) in content or wanted.encode() in content:
                found.append(path.name)
    return found


def test_what_is_added_there_matches_here_and_what_is_withdrawn_is_forgotten(pair: Pair) -> None:
    pair.pull()
    values = [value(number) for number in range(1, 9)]
    pair.share(*values)
    first = pair.pull()
    assert (first.added, first.faulty) == (8, 0)
    assert all(pair.matches(one, "taken") for one in values)
    assert pair.pull().changed == 0

    pair.withdraw(values[2])
    pair.share(value(9))
    done = pair.pull()
    assert (done.added, done.withdrawn, done.erased, done.was_whole) == (1, 1, 1, False)
    assert pair.matches(values[2])
    assert pair.matches(value(9), "taken")
    assert files_hold(pair.ours.data, values[2]) == [], "its value has to be gone, not only switched off"
    assert files_hold(pair.ours.data, values[3]) != []

    pair.share(values[2])
    assert pair.pull().added == 1
    assert pair.matches(values[2], "taken")


def test_how_far_the_other_side_is_believed_decides_what_a_match_does(pair: Pair) -> None:
    pair.share(value(20))
    for trust, effect in (("unconfirmed", "hold"), ("confirmed", "block")):
        with pair.kit() as kit:
            change_exchange(kit, "tests", "partner", settings={"trust": trust})
        pair.pull()
        with pair.kit() as kit, kit.store.read() as tx:
            bank = tx.banks.get("taken")
            assert bank is not None
            entry = tx.entries.find(bank, parse_signal("md5", value(20)))
            assert entry is not None
            found = tx.entries.live([entry.id], kit.clock())[entry.id]
            assert bank.effect_of(found.standing) == effect


def test_nothing_is_taken_from_somebody_who_signs_otherwise(pair: Pair) -> None:
    pair.share(value(29))
    pair.pull()
    with pair.kit() as kit:
        true = str(show_exchange(kit, "partner").exchange.settings["identity"])
        change_exchange(kit, "tests", "partner", settings={"identity": OTHER_IDENTITY})
    pair.share(value(30))
    with pytest.raises(JikimiError) as failure:
        pair.pull()
    assert failure.value.code == "peer_key_changed"
    assert pair.match(value(30)) == []
    with pair.kit() as kit:
        shown = show_exchange(kit, "partner")
        assert "identity" in shown.exchange.last_error
        assert shown.live > 0, "what came before stays"
        change_exchange(kit, "tests", "partner", settings={"identity": true})
    pair.pull()
    assert pair.matches(value(30), "taken")


def test_what_came_from_there_is_told_to_no_other_peer_and_not_back(pair: Pair) -> None:
    pair.share(value(40))
    pair.pull()
    with pair.kit() as kit:
        secret = allow_peer(kit, "tests", "partner-reads", ["taken"], with_lists=True)
        page = read_page(kit, authenticate(kit, secret, Scope.PEER), "taken", "", 100)
    assert page.entries == ()


def test_an_opinion_arrives_there(pair: Pair) -> None:
    pair.share(value(50))
    pair.pull()
    signal = parse_signal("md5", value(50))
    with pair.kit() as kit:
        with kit.store.read() as tx:
            bank = tx.banks.get("taken")
            assert bank is not None
            entry = tx.entries.find(bank, signal)
            assert entry is not None
            (holding,) = tx.source_records.of_entries([entry.id])[entry.id]
        opined = Opined(
            feedback=Feedback.FALSE_POSITIVE, record=holding.record, signal=signal, detail=dict(holding.detail)
        )
        connector_of(kit, show_exchange(kit, "partner").exchange).push([opined])
    with open_kit(Settings.load(data=pair.theirs.data)) as kit:
        (said,) = [one for one in what_peers_say(kit, 100) if one.peer == "reader-partner"]
    assert (said.bank, str(said.entry_id), said.feedback) == ("given", holding.record, Feedback.FALSE_POSITIVE)
    with pair.kit() as kit:
        sync(kit, "partner")
        with kit.store.read() as tx:
            assert tx.entries.live([entry.id], kit.clock())[entry.id].standing.opinion == "disputed"


def test_who_was_revoked_keeps_what_it_has_and_gets_no_more(pair: Pair) -> None:
    read_theirs(pair, "short", "for-a-while")
    pair.share(value(60))
    pair.pull("short")
    with open_kit(Settings.load(data=pair.theirs.data)) as kit:
        revoke_peer(kit, "tests", "reader-short")
    pair.share(value(61))
    with pytest.raises(Refused) as refusal:
        pair.pull("short")
    assert refusal.value.code == "exchange_denied"
    assert pair.matches(value(60), "for-a-while")
    assert pair.match(value(61)) == []
