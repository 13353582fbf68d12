"""What lists do to a bank, whichever database is behind it: compared with a model of a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jikimi.db.tx import SqlStore
from jikimi.model.bank import Bank, BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import LEASE, Exchange, Feedback, NewExchange, Opinion, SourceRecord, Trust
from jikimi.model.signal import SIGNAL_KINDS
from jikimi.ports import Tx
from tests.contract.test_store import a_match, a_scan, changes_after
from tests.flows.listing import gone, record, signal

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
_KEYS = ("a", "b", "c")
_NUMBERS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """A bank that two exchanges fill."""

    store: SqlStore
    bank: Bank
    exchanges: tuple[Exchange, ...]

    def apply(self, which: int, *records: SourceRecord, generation: int = 1, forget: bool = False) -> None:
        with self.store.begin() as tx:
            tx.source_records.apply(self.exchanges[which], records, generation, NOON, forget=forget)

    def live(self) -> set[int]:
        """The numbers whose signals count."""
        with self.store.read() as tx:
            values = set(values_in(tx, self.bank.id))
        return {number for number in _NUMBERS if signal(number).value in values}

    def numbers_of(self, number: int) -> int:
        """The number of an entry."""
        with self.store.read() as tx:
            entry = tx.entries.find(self.bank, signal(number))
        assert entry is not None
        return entry.id


def values_in(tx: Tx, bank_id: int) -> list[bytes]:
    """The values of a bank's live entries."""
    return [
        batch.values[row * SIGNAL_KINDS[batch.type].length :][: SIGNAL_KINDS[batch.type].length]
        for batch in tx.entries.batches(1000)
        for row in range(len(batch))
        if batch.bank_ids[row] == bank_id
    ]


@pytest.fixture
def url(database_url: str, tmp_path: Path) -> str:
    return database_url or f"sqlite:///{tmp_path}/records.db"


@pytest.fixture
def lists(url: str) -> Iterator[Lists]:
    store = SqlStore(url)
    store.migrate()
    yield fresh(store, "known")
    store.close()


def fresh(store: SqlStore, name: str) -> Lists:
    """A new bank with two exchanges."""
    with store.begin() as tx:
        bank = tx.banks.create(BankPolicy(name=name, category=Category.OTHER, on_match=OnMatch.BLOCK), NOON)
        made = tuple(
            tx.exchanges.create(NewExchange(name=f"{name}-{which}", kind="listing", bank=name), bank, NOON)
            for which in range(2)
        )
    return Lists(store=store, bank=bank, exchanges=made)


# The model


@dataclass(slots=True)
class Model:
    """What should count: who says what, and what a person has said."""

    says: dict[tuple[int, str], frozenset[int]] = field(default_factory=dict)
    by_hand: dict[int, str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)

    def live(self) -> set[int]:
        said = {number for numbers in self.says.values() for number in numbers}
        added = {number for number, how in self.by_hand.items() if how == "added"}
        return {number for number in said | added if self.by_hand.get(number) != "withdrawn"}


_STEP = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 1), st.sampled_from(_KEYS), st.frozensets(st.sampled_from(_NUMBERS))),
    st.tuples(st.just("gone"), st.integers(0, 1), st.sampled_from(_KEYS), st.just(frozenset[int]())),
    st.tuples(st.just("add"), st.just(0), st.just(""), st.frozensets(st.sampled_from(_NUMBERS), max_size=1)),
    st.tuples(st.just("withdraw"), st.just(0), st.just(""), st.frozensets(st.sampled_from(_NUMBERS), max_size=1)),
)
_Step = tuple[str, int, str, frozenset[int]]


@given(steps=st.lists(_STEP, max_size=14), pages=st.integers(1, 3))
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_and_people_together_say_what_counts(lists: Lists, steps: list[_Step], pages: int) -> None:
    made = fresh(lists.store, f"bank{next(_NAMES)}")
    model = Model()
    for step in steps:
        play(made, model, step)
        assert made.live() == model.live(), step
    with made.store.read() as tx:
        found = tx.entries.live([tx.entries.find(made.bank, signal(n)).id for n in made.live()], NOON)  # type: ignore[union-attr]
        assert len(found) == len(made.live())


_NAMES = iter(range(10_000))


def play(made: Lists, model: Model, step: _Step) -> None:
    what, which, key, numbers = step
    if what == "say":
        made.apply(which, record(key, *sorted(numbers)))
        model.says[which, key] = numbers
    elif what == "gone":
        made.apply(which, gone(key))
        model.says.pop((which, key), None)
    elif what == "add":
        with made.store.begin() as tx:
            tx.entries.add(made.bank, [NewEntry(signal=signal(n)) for n in numbers], NOON, bring_back=True)
        model.by_hand |= dict.fromkeys(numbers, "added")
    else:
        for number in numbers & made.live():
            with made.store.begin() as tx:
                assert tx.entries.withdraw(made.bank, signal(number), NOON)
            model.by_hand[number] = "withdrawn"


# Records


def test_the_last_word_in_a_page_counts(lists: Lists) -> None:
    lists.apply(0, record("a", 1), record("a", 2), gone("b"), record("b", 3), record("c", 4), gone("c"))
    assert lists.live() == {2, 3}


def test_what_is_known_of_an_entry_comes_from_all_who_say_it(lists: Lists) -> None:
    at = NOON - timedelta(days=1)
    lists.apply(0, record("a", 1, labels=("x",), listed_at=at, detail={"members": ("m", "n")}))
    lists.apply(1, record("z", 1, labels=("y",), opinion=Opinion.NEGATIVE, trust=Trust.UNCONFIRMED))
    entry = lists.numbers_of(1)
    with lists.store.read() as tx:
        standing = tx.entries.live({entry}, NOON)[entry].standing
        holdings = tx.source_records.of_entries([entry])[entry]
    assert (standing.opinion, standing.trust, standing.listed_at) == (Opinion.DISPUTED, Trust.CONFIRMED, at)
    assert set(standing.labels) == {"x", "y"}
    assert {(one.exchange_id, one.record) for one in holdings} == {
        (lists.exchanges[0].id, "a"),
        (lists.exchanges[1].id, "z"),
    }
    assert {"members": ["m", "n"]} in [one.detail for one in holdings]


def test_an_entry_that_comes_back_has_a_new_change_and_its_old_number(lists: Lists) -> None:
    lists.apply(0, record("a", 1))
    entry = lists.numbers_of(1)
    _, before = changes_after(lists.store, 0)
    lists.apply(0, gone("a"))
    with lists.store.read() as tx:
        withdrawn = tx.entries.get(entry)
        assert withdrawn is not None
        assert withdrawn.withdrawn_at == NOON
    lists.apply(0, record("a", 1))
    assert changes_after(lists.store, before)[0] == [entry]


def test_thousands_of_records_are_applied_and_said_again(lists: Lists) -> None:
    many = [record(f"key {number}", number) for number in range(2300)]
    lists.apply(0, *many)
    _, reached = changes_after(lists.store, 0, 5000)
    assert reached == 2300
    lists.apply(0, *many, generation=2)
    assert changes_after(lists.store, reached, 10) == ([], reached)
    with lists.store.read() as tx:
        assert tx.source_records.vanishing(lists.exchanges[0], 2) == (2300, 0)
        assert tx.exchanges.counts() == {lists.exchanges[0].id: 2300}
        assert tx.source_records.solely(lists.exchanges[0]) == 2300


def test_what_an_earlier_whole_pull_said_is_withdrawn_in_slices(lists: Lists) -> None:
    lists.apply(0, *(record(f"{number}", number) for number in range(700)), generation=1)
    lists.apply(0, record("3", 3), generation=2)
    withdrawn: list[int] = []
    while not withdrawn or withdrawn[-1]:
        with lists.store.begin() as tx:
            done = tx.source_records.withdraw_older(lists.exchanges[0], 2, NOON, 300, forget=False)
        withdrawn.append(done.withdrawn)
    assert withdrawn == [300, 300, 99, 0]
    assert lists.live() == {3}


def test_the_sole_word_is_counted_without_what_others_say_or_people_added(lists: Lists) -> None:
    lists.apply(0, record("a", 1, 2), record("b", 3), record("c", 3, 4))
    lists.apply(1, record("z", 2))
    with lists.store.begin() as tx:
        tx.entries.add(lists.bank, [NewEntry(signal=signal(4))], NOON, bring_back=True)
    with lists.store.read() as tx:
        assert tx.source_records.solely(lists.exchanges[0]) == 2


# Erasing


def test_a_value_that_is_forgotten_is_nowhere_any_more(lists: Lists, tmp_path: Path) -> None:
    lists.apply(0, record("a", 1), record("b", 2), forget=True)
    entry, text = lists.numbers_of(1), signal(1).text
    with lists.store.begin() as tx:
        scan = replace(a_scan("scan_1", a_match(entry)), signals=(signal(1), signal(3)))
        tx.scans.add(scan)
    lists.apply(0, gone("a"), forget=True)
    assert lists.live() == {2}
    with lists.store.read() as tx:
        assert tx.entries.get(entry) is None
        remembered = tx.scans.get(scan.id)
        assert remembered is not None
        assert remembered.signals == (signal(3),)
        assert tx.entries.erased() == tx.entries.sequence()
        assert tx.source_records.of_entries([entry]) == {}
    if lists.store.is_sqlite:
        lists.store.scrub()
        for file in tmp_path.iterdir():
            content = file.read_bytes()
            assert signal(1).value not in content, file
            assert text.encode() not in content, file
            assert file.suffix != ".db" or signal(2).value in content


def test_what_somebody_else_says_is_not_forgotten(lists: Lists) -> None:
    lists.apply(0, record("a", 1), record("b", 2), record("c", 3), forget=True)
    lists.apply(1, record("z", 1))
    with lists.store.begin() as tx:
        tx.entries.add(lists.bank, [NewEntry(signal=signal(2))], NOON, bring_back=True)
        tx.entries.withdraw(lists.bank, signal(3), NOON)
    lists.apply(0, gone("a"), gone("b"), gone("c"), forget=True)
    assert lists.live() == {1, 2}
    with lists.store.read() as tx:
        assert tx.entries.find(lists.bank, signal(3)) is None


def test_a_signal_that_a_record_drops_is_forgotten_as_well(lists: Lists) -> None:
    lists.apply(0, record("a", 1, 2), forget=True)
    lists.apply(0, record("a", 2), forget=True)
    with lists.store.read() as tx:
        assert tx.entries.find(lists.bank, signal(1)) is None
    assert lists.live() == {2}


# Exchanges


def test_an_exchange_is_stored_as_it_is(lists: Lists) -> None:
    new = NewExchange(
        name="full", kind="k", bank="known", settings={"a": 1, "b": ["x", "한국어"], "c": True},
        every=timedelta(minutes=7), shares=frozenset({Feedback.SEEN}),
    )  # fmt: skip
    with lists.store.begin() as tx:
        made = tx.exchanges.create(new, lists.bank, NOON)
    with lists.store.read() as tx:
        stored = tx.exchanges.get("full")
        assert stored is not None
        assert stored == tx.exchanges.by_id(made.id) == made
        assert (stored.settings, stored.every, stored.shares) == (new.settings, new.every, new.shares)
        assert [one.name for one in tx.exchanges.of_bank(lists.bank)] == ["full", "known-0", "known-1"]
        assert [one.name for one in tx.exchanges.due(NOON)] == ["known-0", "known-1", "full"]
    with pytest.raises(Refused) as refusal, lists.store.begin() as tx:
        tx.exchanges.create(new, lists.bank, NOON)
    assert refusal.value.code == "exchange_exists"


def test_one_turn_at_a_time_until_it_runs_out(lists: Lists) -> None:
    until = NOON + LEASE
    with lists.store.begin() as tx:
        mine = tx.exchanges.lease(lists.exchanges[0], "me", NOON, until)
        assert mine is not None
        assert tx.exchanges.lease(lists.exchanges[0], "you", NOON, until) is None
        assert [one.name for one in tx.exchanges.due(NOON)] == ["known-1"]
        reached = tx.exchanges.advance(mine, checkpoint="1", generation=1, unfinished=True, lease_until=until)
        with pytest.raises(Unavailable):
            tx.exchanges.advance(mine, checkpoint="2", generation=1, unfinished=True, lease_until=until)
        later = tx.exchanges.lease(lists.exchanges[0], "you", until, until + LEASE)
        assert later is not None
        assert later.checkpoint == "1"
        with pytest.raises(Unavailable):
            tx.exchanges.advance(reached, checkpoint="2", generation=1, unfinished=True, lease_until=until)
        tx.exchanges.settle(reached, at=until, error="", faults=0, next_at=until)
        stored = tx.exchanges.get("known-0")
        assert stored is not None
        assert (stored.lease, stored.last_success_at) == ("you", None)
        tx.exchanges.settle(later, at=until, error="away", faults=2, next_at=until + LEASE)
        stored = tx.exchanges.get("known-0")
        assert stored is not None
        assert (stored.lease, stored.failures, stored.last_error, stored.faults) == ("", 1, "away", 2)


def test_secrets_are_kept_and_replaced(lists: Lists) -> None:
    with lists.store.begin() as tx:
        assert tx.exchanges.secrets("exchange:1") is None
        tx.exchanges.keep_secrets("exchange:1", b"one", NOON)
        tx.exchanges.keep_secrets("exchange:1", b"two", NOON)
        assert tx.exchanges.secrets("exchange:1") == b"two"
        tx.exchanges.keep_secrets("exchange:1", None, NOON)
        assert tx.exchanges.secrets("exchange:1") is None
