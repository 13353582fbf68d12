"""A bank is shared with a peer: what it gets, in which order, what it never learns, and what it says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jikimi.flows.bank import add_entries, create_bank, delete_bank, withdraw_entry
from jikimi.flows.hma import add_content, alter_content, delete_content
from jikimi.flows.key import authenticate, create_key, revoke_key
from jikimi.flows.peer import (
    Opinioned,
    allow_peer,
    list_peers,
    read_page,
    revoke_peer,
    shared_with,
    take_feedback,
    wake,
    what_peers_say,
)
from jikimi.model.bank import BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.exchange import Exchange, Feedback, NewExchange, Opinion, SourceRecord, Trust
from jikimi.model.hma import OFF, ON, NewContent
from jikimi.model.peer import SharedPage
from jikimi.model.people import Key, Scope
from jikimi.model.signal import Signal
from jikimi.ports import Kit
from tests.conftest import World
from tests.flows.story import OPERATOR, audit_of


def md5(number: int) -> NewEntry:
    return NewEntry(signal=Signal(type="md5", value=number.to_bytes(16, "big")), note="ticket 17")


def make_bank(kit: Kit, name: str = "house", *numbers: int) -> None:
    create_bank(kit, OPERATOR, BankPolicy(name=name, category=Category.OTHER, on_match=OnMatch.BLOCK))
    add(kit, *numbers, bank=name)


def add(kit: Kit, *numbers: int, bank: str = "house") -> None:
    add_entries(kit, OPERATOR, bank, [md5(number) for number in numbers])


def withdraw(kit: Kit, number: int, bank: str = "house") -> None:
    withdraw_entry(kit, OPERATOR, bank, md5(number).signal)


def peer_of(kit: Kit, *banks: str, name: str = "them", with_lists: bool = False) -> Key:
    return authenticate(kit, allow_peer(kit, OPERATOR, name, banks or ["house"], with_lists=with_lists), Scope.PEER)


def numbers_in(page: SharedPage) -> list[int]:
    return [int.from_bytes(entry.signal.value, "big") for entry in page.entries]


def refused(kit: Kit, key: Key, bank: str, after: str = "") -> str:
    with pytest.raises(Refused) as refusal:
        read_page(kit, key, bank, after, 10)
    return refusal.value.code


class Follower:
    """What a peer holds after applying page upon page."""

    def __init__(self, kit: Kit, key: Key, bank: str = "house") -> None:
        self.kit, self.key, self.bank = kit, key, bank
        self.after = ""
        self.held: dict[int, int] = {}
        self.doubted: set[int] = set()

    def read(self, limit: int = 1000) -> SharedPage:
        page = read_page(self.kit, self.key, self.bank, self.after, limit)
        assert len(page.entries) + len(page.gone) <= limit
        assert not {entry.id for entry in page.entries} & set(page.gone)
        for entry_id in page.gone:
            self.held.pop(entry_id, None)
        self.held |= {entry.id: number for entry, number in zip(page.entries, numbers_in(page), strict=True)}
        self.doubted = {entry.id for entry in page.entries if entry.standing.opinion is Opinion.DISPUTED}
        self.after = str(page.checkpoint)
        return page

    def follow(self, limit: int = 1000) -> list[int]:
        while self.read(limit).has_more:
            pass
        return sorted(self.held.values())


def test_a_peer_reads_a_bank_page_by_page_and_then_only_what_has_changed(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", *range(1, 8))
    key = peer_of(kit)
    first = read_page(kit, key, "house", "", 3)
    assert (first.origin, first.bank, first.after, first.has_more) == (kit.store.identity(), "house", "", True)
    follower = Follower(kit, key)
    assert follower.follow(limit=3) == list(range(1, 8))
    quiet = follower.read()
    assert (quiet.entries, quiet.gone, quiet.has_more) == ((), (), False)

    add(kit, 8)
    withdraw(kit, 2)
    changed = follower.read()
    assert (numbers_in(changed), len(changed.gone)) == ([8], 1)
    add(kit, 2)
    assert numbers_in(follower.read()) == [2]
    assert sorted(follower.held.values()) == list(range(1, 9))


def test_an_entry_that_goes_and_comes_back_between_two_readings_is_there(world: World) -> None:
    make_bank(world.kit, "house", 1, 2)
    follower = Follower(world.kit, peer_of(world.kit))
    follower.follow()
    withdraw(world.kit, 1)
    add(world.kit, 1)
    for limit in (1, 10):
        again = Follower(world.kit, follower.key)
        again.after, again.held = follower.after, dict(follower.held)
        assert again.follow(limit) == [1, 2]


def test_a_key_sees_its_own_bank_and_nothing_of_another(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 1)
    make_bank(kit, "secret", 2, 3)
    key = peer_of(kit)
    assert [(shared.grant.bank.policy.name, shared.size) for shared in shared_with(kit, key)] == [("house", {"md5": 1})]
    assert refused(kit, key, "secret") == refused(kit, key, "none") == "bank_unknown"
    withdraw(kit, 3, bank="secret")
    page = read_page(kit, key, "house", "", 10)
    assert (numbers_in(page), page.gone) == ([1], ())
    with pytest.raises(Refused, match="no bank"):
        take_feedback(kit, key, "secret", [Opinioned(entry_id=2, feedback=Feedback.SEEN, at=world.clock.now)])
    strange = take_feedback(kit, key, "house", [Opinioned(entry_id=2, feedback=Feedback.SEEN, at=world.clock.now)])
    assert (strange, what_peers_say(kit, 10)) == (0, ())
    plain = authenticate(kit, create_key(kit, OPERATOR, "plain", [Scope.PEER]), Scope.PEER)
    assert (shared_with(kit, plain), refused(kit, plain, "house")) == ((), "bank_unknown")


def test_a_checkpoint_is_of_one_bank_one_grant_and_one_history(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 1)
    make_bank(kit, "other", 2)
    key = peer_of(kit, "house", "other")
    after = str(read_page(kit, key, "house", "", 10).checkpoint)
    bank, lists, sequence, event, mark = after.split("-")
    assert refused(kit, key, "other", after) == "checkpoint_stale"
    for other in (
        "1", "x", f"{bank}-{lists}-{int(sequence) + 1}-{event}-{mark}", f"{bank}-{lists}-{sequence}-{event}-{'0' * 12}",
        f"{bank}-{lists}-{sequence}-{int(event) + 1}-{mark}", f"{bank}-{lists}-{'9' * 18}-{event}-{mark}", "\udcff",
    ):  # fmt: skip
        assert refused(kit, key, "house", other) == "checkpoint_stale", other
    assert allow_peer(kit, OPERATOR, "them", ["house"], with_lists=True) == ""
    assert refused(kit, key, "house", after) == "checkpoint_stale"


def test_a_bank_that_was_made_anew_is_another(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 1)
    key = peer_of(kit)
    after = str(read_page(kit, key, "house", "", 10).checkpoint)
    delete_bank(kit, OPERATOR, "house")
    assert refused(kit, key, "house", after) == "bank_unknown"
    make_bank(kit, "house", 2)
    assert refused(kit, key, "house", after) == "bank_unknown"
    allow_peer(kit, OPERATOR, "them", ["house"], with_lists=False)
    assert refused(kit, key, "house", after) == "checkpoint_stale"
    assert numbers_in(read_page(kit, key, "house", "", 10)) == [2]


def test_entries_that_sleep_have_gone_and_come_back_when_they_wake(world: World) -> None:
    kit, clock = world.kit, world.clock
    make_bank(kit, "house", 1)
    content = add_content(kit, OPERATOR, "house", NewContent(signals=(md5(2).signal,)))
    follower = Follower(kit, peer_of(kit))
    assert follower.follow() == [1, 2]

    def switch(until: int) -> None:
        alter_content(kit, OPERATOR, "house", content.id, note=None, disable_until=until)

    switch(OFF)
    assert follower.follow() == [1]
    switch(ON)
    assert follower.follow() == [1, 2]
    switch(int(clock.now.timestamp()) + 3600)
    assert follower.follow() == [1]
    wake(kit)
    assert follower.follow() == [1]
    clock.move(hours=1)
    wake(kit)
    assert follower.follow() == [1, 2]
    end = read_page(kit, follower.key, "house", follower.after, 10).checkpoint
    wake(kit)
    assert read_page(kit, follower.key, "house", follower.after, 10).checkpoint == end


def test_what_people_leave_to_a_list_goes_for_those_who_may_not_read_lists(world: World) -> None:
    kit = world.kit
    make_bank(kit)
    content = add_content(kit, OPERATOR, "house", NewContent(signals=(md5(1).signal,)))
    list_says(kit, "ncmec", listed(1))
    own = Follower(kit, peer_of(kit, name="own"))
    with_lists = Follower(kit, peer_of(kit, name="lists", with_lists=True))
    assert own.follow() == with_lists.follow() == [1]
    delete_content(kit, OPERATOR, "house", content.id)
    for limit in (1, 10):
        assert (own.follow(limit), with_lists.follow(limit)) == ([], [1])


def listed(number: int, *, key: str = "", opinion: Opinion = Opinion.POSITIVE) -> SourceRecord:
    """What a list says of a number."""
    return SourceRecord(
        key=key or str(number), signals=(md5(number).signal,), opinion=opinion, trust=Trust.CONFIRMED, labels=("A1",)
    )


def delisted(number: int) -> SourceRecord:
    return SourceRecord(key=str(number), withdrawn=True)


def list_says(kit: Kit, kind: str, *records: SourceRecord, forget: bool = False) -> Exchange:
    """An exchange of this kind says something about the bank `house`."""
    with kit.store.begin() as tx:
        bank = tx.banks.get("house")
        assert bank is not None
        new = NewExchange(name=kind, kind=kind, bank="house")
        exchange = tx.exchanges.get(kind) or tx.exchanges.create(new, bank, kit.clock())
        tx.source_records.apply(exchange, records, 1, kit.clock(), forget=forget)
    return exchange


def test_what_only_a_list_says_is_passed_on_only_where_that_was_allowed(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 3)
    list_says(kit, "ncmec", listed(1))
    list_says(kit, "peer", listed(2))
    own = peer_of(kit, name="own")
    with_lists = peer_of(kit, name="lists", with_lists=True)
    assert Follower(kit, own).follow() == [3]
    assert Follower(kit, own).read().gone == ()
    assert Follower(kit, with_lists).follow() == [1, 3], "what came from a peer is told to no other"
    assert [shared.size for shared in shared_with(kit, own)] == [{"md5": 1}]
    assert [shared.size for shared in shared_with(kit, with_lists)] == [{"md5": 2}]
    said = [Opinioned(entry_id=number, feedback=Feedback.SEEN, at=world.clock.now) for number in (1, 2, 3)]
    assert (take_feedback(kit, own, "house", said), take_feedback(kit, with_lists, "house", said)) == (1, 2)


def test_who_reads_lists_too_hears_whatever_changes_in_them(world: World) -> None:
    kit = world.kit
    make_bank(kit)
    list_says(kit, "ncmec", listed(1), listed(2))
    list_says(kit, "peer", listed(1), listed(3))
    follower = Follower(kit, peer_of(kit, with_lists=True))
    assert follower.follow() == [1, 2]
    assert {entry.standing.labels for entry in read_page(kit, follower.key, "house", "", 10).entries} == {("A1",)}

    list_says(kit, "ncmec", delisted(1))
    assert follower.follow() == [2], "only a peer says it now"
    list_says(kit, "ncmec", listed(2, opinion=Opinion.NEGATIVE))
    assert follower.follow() == []
    list_says(kit, "ncmec", listed(2), listed(3))
    assert follower.follow() == [2, 3], "a list joins what only a peer has said"
    list_says(kit, "stopncii", listed(2, opinion=Opinion.NEGATIVE))
    follower.read()
    assert len(follower.doubted) == 1, "lists disagree"
    list_says(kit, "stopncii", delisted(2))
    follower.read()
    assert follower.doubted == set()
    list_says(kit, "ncmec", listed(2))
    assert follower.read().entries == (), "what is said again is no news"


def test_what_had_to_be_erased_goes_everywhere(world: World) -> None:
    kit = world.kit
    make_bank(kit)
    list_says(kit, "stopncii", listed(1), listed(2))
    follower = Follower(kit, peer_of(kit, with_lists=True))
    assert follower.follow() == [1, 2]
    list_says(kit, "stopncii", delisted(1), forget=True)
    page = follower.read()
    assert (page.entries, len(page.gone)) == ((), 1)
    assert sorted(follower.held.values()) == [2]


def test_what_we_keep_of_a_list_that_is_removed_is_ours_to_share(world: World) -> None:
    kit = world.kit
    make_bank(kit)
    exchange = list_says(kit, "list", listed(1))
    follower = Follower(kit, peer_of(kit))
    assert follower.follow() == []
    with kit.store.begin() as tx:
        tx.source_records.release(exchange, kit.clock(), 10, keep=True, forget=False)
    assert follower.follow() == [1]


def test_what_a_peer_calls_wrong_is_disputed_for_peers_until_it_says_otherwise_or_is_revoked(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 1, 2)
    critic = peer_of(kit, name="critic")
    follower = Follower(kit, peer_of(kit))
    follower.follow()

    def says(feedback: Feedback) -> None:
        take_feedback(kit, critic, "house", [Opinioned(entry_id=1, feedback=feedback, at=world.clock.now)])

    says(Feedback.SEEN)
    assert follower.read().entries == ()
    says(Feedback.FALSE_POSITIVE)
    assert numbers_in(follower.read()) == [1]
    assert follower.doubted == {1}
    with kit.store.read() as tx:
        assert tx.entries.live([1], world.clock.now)[1].standing.opinion is Opinion.POSITIVE
    says(Feedback.FALSE_POSITIVE)
    assert follower.read().entries == ()
    assert {(said.entry_id, said.feedback) for said in what_peers_say(kit, 9)} == {
        (1, Feedback.SEEN),
        (1, Feedback.FALSE_POSITIVE),
    }
    says(Feedback.TRUE_POSITIVE)
    assert (numbers_in(follower.read()), follower.doubted) == ([1], set())
    says(Feedback.FALSE_POSITIVE)
    follower.read()
    revoke_peer(kit, OPERATOR, "critic")
    assert (numbers_in(follower.read()), follower.doubted) == ([1], set())
    assert what_peers_say(kit, 9) == ()


def test_a_new_signal_is_not_taken_as_feedback(world: World) -> None:
    make_bank(world.kit, "house", 1)
    said = [Opinioned(entry_id=1, feedback=Feedback.NEW_SIGNAL, at=world.clock.now)]
    with pytest.raises(Refused) as refusal:
        take_feedback(world.kit, peer_of(world.kit), "house", said)
    assert refusal.value.code == "feedback_untaken"


def test_a_peer_is_allowed_and_revoked_and_all_of_it_is_on_record(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 1)
    make_bank(kit, "second", 2)
    secret = allow_peer(kit, OPERATOR, "them", ["house"], with_lists=False)
    assert allow_peer(kit, OPERATOR, "them", ["second"], with_lists=False) == ""
    assert [(grant.peer, grant.bank.policy.name) for grant in list_peers(kit)] == [
        ("them", "house"),
        ("them", "second"),
    ]
    revoke_peer(kit, OPERATOR, "them")
    with pytest.raises(Refused) as refusal:
        authenticate(kit, secret, Scope.PEER)
    assert refusal.value.code == "key_invalid"
    assert list_peers(kit) == ()
    assert [event.verb for event in audit_of(kit, "peer:them")] == ["peer.allowed", "peer.allowed", "peer.revoked"]
    for name in ("them", "nobody"):
        with pytest.raises(Refused) as refusal:
            revoke_peer(kit, OPERATOR, name)
        assert refusal.value.code == "peer_unknown"


def test_what_cannot_be_allowed_leaves_nothing_behind(world: World) -> None:
    kit = world.kit
    make_bank(kit, "house", 1)
    create_bank(kit, OPERATOR, BankPolicy(name="tests", category=Category.CANARY, on_match=OnMatch.BLOCK))
    create_key(kit, OPERATOR, "forum", [Scope.SCAN])
    revoke_key(kit, OPERATOR, "forum")
    for name, banks, code in (
        ("them", ["house", "none"], "bank_unknown"),
        ("them", ["house", "tests"], "bank_private"),
        ("them", [], "bank_missing"),
        ("a b", ["house"], "key_name_invalid"),
        ("forum", ["house"], "key_exists"),
    ):
        with pytest.raises(Refused) as refusal:
            allow_peer(kit, OPERATOR, name, banks, with_lists=False)
        assert refusal.value.code == code
    assert list_peers(kit) == ()
    with kit.store.read() as tx:
        assert tx.keys.get("them") is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 6)),
        st.tuples(st.just("withdraw"), st.integers(1, 6)),
        st.tuples(st.just("read"), st.integers(1, 4)),
        st.tuples(st.just("other"), st.integers(1, 6)),
    ),
    max_size=25,
)


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whoever_follows_holds_in_the_end_what_is_there(world: World, steps: list[tuple[str, int]]) -> None:
    """Whatever happens between two readings, and however small the pages are."""
    kit = world.kit
    name = kit.ids("b")
    make_bank(kit, name)
    make_bank(kit, f"{name}-other")
    follower = Follower(kit, peer_of(kit, name, name=name), name)
    truth: set[int] = set()
    for step, number in steps:
        if step == "add":
            add(kit, number, bank=name)
            truth.add(number)
        elif step == "withdraw" and number in truth:
            withdraw(kit, number, bank=name)
            truth.remove(number)
        elif step == "other":
            add(kit, number, bank=f"{name}-other")
        elif step == "read":
            follower.read(number)
    assert follower.follow(2) == sorted(truth)


def test_writers_at_work_hide_nothing_from_who_follows(world: World) -> None:
    """Four threads add and withdraw while pages of three are read; no change may be passed over for good."""
    kit = world.kit
    make_bank(kit)
    follower = Follower(kit, peer_of(kit))

    def write(writer: int) -> None:
        numbers = range(100 * writer, 100 * writer + 20)
        for number in numbers:
            add(kit, number)
        for number in numbers[::2]:
            withdraw(kit, number)
        add(kit, *numbers[::4])

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        while not all(writer.done() for writer in writers):
            follower.follow(3)
        for writer in writers:
            writer.result()
    kept = [100 * writer + step for writer in range(4) for step in range(20) if step % 2 or step % 4 == 0]
    assert follower.follow(3) == kept
