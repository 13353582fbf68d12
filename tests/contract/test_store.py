"""What every store promises, whichever database is behind it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import inspect
from sqlalchemy.exc import StatementError

from jikimi.db.engine import open_engine
from jikimi.db.schema import metadata
from jikimi.db.tx import SqlStore
from jikimi.model.audit import verify
from jikimi.model.bank import Bank, BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.case import Case, CaseState, Origin, join
from jikimi.model.errors import Broken, Refused, Unavailable
from jikimi.model.ids import CaseId, JobId, PersonId, ScanId
from jikimi.model.job import Job
from jikimi.model.match import Coverage, Disposition, Match, Verdict
from jikimi.model.media import MediaKind, Reason
from jikimi.model.people import Key, Scope
from jikimi.model.queue import Eyes, Filter
from jikimi.model.scan import Content, Scan, Upload
from jikimi.model.signal import EntryBatch, Signal, Variant
from jikimi.ports import Store, Tallied

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
_POLICY = BankPolicy(name="known", category=Category.CSAM, on_match=OnMatch.BLOCK)


@pytest.fixture
def url(database_url: str, tmp_path: Path) -> str:
    return database_url or f"sqlite:///{tmp_path}/records.db"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore(url)
    store.migrate()
    yield store
    store.close()


def bank_in(store: Store, name: str = "known") -> Bank:
    with store.begin() as tx:
        return tx.banks.create(replace(_POLICY, name=name), NOON)


def md5(number: int, note: str = "") -> NewEntry:
    return NewEntry(signal=Signal(type="md5", value=number.to_bytes(16, "big")), note=note)


def changes_after(store: Store, after: int, limit: int = 1000) -> tuple[list[int], int]:
    """The identifiers of what changed after a number, and the number reached."""
    with store.read() as tx:
        batches, reached = tx.entries.changes(after, limit)
    return [id_ for batch in batches for id_ in batch.ids], reached


def ids_of(store: Store, bank: Bank) -> list[int]:
    with store.read() as tx:
        return [entry.id for entry in tx.entries.export(bank)]


# Recent banks


def test_recent_banks_are_never_older_than_our_own_changes(store: SqlStore) -> None:
    assert store.recent_banks() == ()
    for name in ("one", "three", "two"):
        bank_in(store, name)
        with store.read() as tx:
            assert store.recent_banks() == tx.banks.all()
    with store.begin() as tx:
        tx.banks.delete(store.recent_banks()[0], NOON)
    assert [bank.policy.name for bank in store.recent_banks()] == ["three", "two"]


def test_recent_banks_follow_other_processes_within_a_moment(store: SqlStore, url: str) -> None:
    assert store.recent_banks() == ()
    other = SqlStore(url)
    bank = bank_in(other)
    other.close()
    end = time.monotonic() + 1
    while store.recent_banks() != (bank,):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_recent_banks_do_not_ask_the_database_each_time(store: SqlStore) -> None:
    bank_in(store)
    first = store.recent_banks()
    assert store.recent_banks() is first


# Schema


def test_the_migrated_schema_is_the_one_the_code_means(store: SqlStore, url: str) -> None:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            found = set(inspect(connection).get_table_names())
        assert found == {*metadata.tables, "alembic_version"}
    finally:
        engine.dispose()


def test_migrating_again_changes_nothing(store: SqlStore) -> None:
    bank_in(store)
    identity = store.identity()
    store.migrate()
    assert store.identity() == identity
    with store.read() as tx:
        assert [bank.policy for bank in tx.banks.all()] == [_POLICY]


def test_every_database_has_an_identity_of_its_own(store: SqlStore, tmp_path: Path) -> None:
    other = SqlStore(f"sqlite:///{tmp_path}/other.db")
    other.migrate()
    assert other.identity() != store.identity()
    other.close()


def test_two_processes_that_migrate_at_once_do_it_once(url: str) -> None:
    code = (
        "import sys; from jikimi.db.tx import SqlStore; store = SqlStore(sys.argv[1]); "
        "sys.stdin.readline(); store.migrate(); print(store.identity()); store.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert all(not err for _, err in answers)


@pytest.mark.parametrize("address", ["nonsense", "mysql://localhost/x", "oracle://x", "", "://"])
def test_another_kind_of_database_is_refused(address: str) -> None:
    with pytest.raises(Refused) as refusal:
        SqlStore(address)
    assert refusal.value.code == "database_url_invalid"


def test_a_database_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    store = SqlStore("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable) as trouble:
        store.identity()
    assert trouble.value.code == "store_unavailable"
    store.close()
    missing = SqlStore(f"sqlite:///{tmp_path}/no/such/folder/records.db")
    with pytest.raises(Unavailable):
        missing.migrate()
    missing.close()


# Transactions


def test_what_a_block_did_is_there_or_nothing_of_it_is(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.read() as tx:
        before = tx.entries.sequence()

    class Interruption(Exception):  # noqa: N818 - not a failure of anything
        pass

    with suppress(Interruption), store.begin() as tx:
        tx.banks.create(replace(_POLICY, name="second"), NOON)
        tx.entries.add(bank, [md5(1)], NOON, bring_back=True)
        tx.audit.append(at=NOON, actor="a", verb="b", object_="c", detail={})
        tx.jobs.add(Job(id=JobId("job_1"), kind="k", key="1", run_at=NOON))
        tx.keys.create(Key(name="key", scopes=frozenset(Scope), created_at=NOON), "digest")
        tx.counters.add([Tallied(day=NOON.date(), source="s", disposition=Disposition.CLEAR, count=1)])
        tx.cases.add(a_case("case_1"))
        tx.scans.add(a_scan("scan_1"))
        raise Interruption
    with store.read() as tx:
        assert [one.policy.name for one in tx.banks.all()] == ["known"]
        assert tx.banks.sizes() == {}
        assert tx.entries.sequence() == before
        assert tx.audit.head().seq == 0
        assert list(tx.audit.events()) == []
        assert tx.jobs.counts() == {}
        assert tx.keys.all() == ()
        assert tx.counters.all() == ()
        assert tx.cases.list(limit=5) == ()
        assert tx.scans.list(unchecked=False, limit=5) == ()


def test_a_refusal_inside_a_block_leaves_the_block_usable(store: SqlStore) -> None:
    bank_in(store)
    with store.begin() as tx:
        with pytest.raises(Refused):
            tx.banks.create(_POLICY, NOON)
        tx.banks.create(replace(_POLICY, name="second"), NOON)
    with store.read() as tx:
        assert [bank.policy.name for bank in tx.banks.all()] == ["known", "second"]


def test_readers_see_one_moment(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.read() as early:
        assert early.entries.sequence() == 0
        with store.begin() as tx:
            tx.entries.add(bank, [md5(1)], NOON, bring_back=True)
        assert early.entries.sequence() == 0
        assert early.entries.changes(0, 10) == ((), 0)
    assert changes_after(store, 0)[1] == 1


def test_values_that_cannot_be_stored_are_refused(store: SqlStore) -> None:
    for text in ("\udcff", "\ud800"):
        with pytest.raises(Refused), store.read() as tx:
            tx.banks.get(text)


# Banks and entries


def test_bank_names_are_unique_among_the_living(store: SqlStore) -> None:
    first = bank_in(store)
    with pytest.raises(Refused) as refusal:
        bank_in(store)
    assert refusal.value.code == "bank_exists"
    with store.begin() as tx:
        assert tx.banks.delete(first, NOON) == 0
    second = bank_in(store)
    assert second.id > first.id
    with store.read() as tx:
        assert tx.banks.all() == (second,)
        assert tx.banks.get("known") == second


def test_a_bank_is_stored_as_it_is(store: SqlStore) -> None:
    policy = BankPolicy(
        name="all.of-it_1",
        category=Category.NCII_FORGERY,
        on_match=OnMatch.HOLD,
        max_distance=0,
        quality_floor=100,
        source="한국어 'quoted'",
        note="line\nline",
        enabled=False,
    )
    with store.begin() as tx:
        bank = tx.banks.create(policy, NOON)
        tx.banks.update(replace(bank, flooded_at=NOON))
    with store.read() as tx:
        stored = tx.banks.get("all.of-it_1")
    assert stored == Bank(id=bank.id, policy=policy, created_at=NOON, flooded_at=NOON)


def test_adding_twice_stores_once(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.begin() as tx:
        first = tx.entries.add(bank, [md5(1, "first"), md5(2), md5(1, "again")], NOON, bring_back=True)
    with store.begin() as tx:
        second = tx.entries.add(bank, [md5(1, "later"), md5(3)], NOON, bring_back=True)
        nothing = tx.entries.add(bank, [], NOON, bring_back=True)
    assert (first.added, first.present) == (2, 1)
    assert (second.added, second.present) == (1, 1)
    assert (nothing.added, nothing.present) == (0, 0)
    with store.read() as tx:
        assert len(list(tx.entries.export(bank))) == 3


def test_a_withdrawn_entry_counts_no_more_and_may_come_back_with_its_number(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.begin() as tx:
        tx.entries.add(bank, [md5(1)], NOON, bring_back=True)
    (id_,) = ids_of(store, bank)
    later = NOON + timedelta(hours=1)
    with store.begin() as tx:
        gone = tx.entries.withdraw(bank, md5(1).signal, later)
        assert gone is not None
        assert (gone.id, gone.withdrawn_at) == (id_, later)
        assert tx.entries.withdraw(bank, md5(1).signal, later) is None
        assert tx.entries.live([id_], NOON) == {}
        assert tx.banks.sizes()[bank.id].withdrawn == 1
    assert ids_of(store, bank) == []
    with store.begin() as tx:
        again = tx.entries.add(bank, [md5(1)], later, bring_back=True)
    assert (again.added, again.present) == (1, 0)
    assert changes_after(store, 1) == ([id_], 3)
    with store.read() as tx:
        entry = tx.entries.live([id_], NOON)[id_]
    assert (entry.added_at, entry.withdrawn_at) == (later, None)


def test_a_list_does_not_bring_back_what_was_withdrawn(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.begin() as tx:
        tx.entries.add(bank, [md5(1)], NOON, bring_back=False)
        tx.entries.withdraw(bank, md5(1).signal, NOON)
        again = tx.entries.add(bank, [md5(1), md5(2)], NOON, bring_back=False)
    assert (again.added, again.present) == (1, 1)
    with store.read() as tx:
        assert [entry.signal for entry in tx.entries.export(bank)] == [md5(2).signal]


def test_the_number_of_a_deleted_entry_is_never_used_again(store: SqlStore) -> None:
    """An index may still hold the old one; it must not be taken for the new one."""
    seen: set[int] = set()
    for _ in range(3):
        bank = bank_in(store)
        with store.begin() as tx:
            tx.entries.add(bank, [md5(number) for number in range(5)], NOON, bring_back=True)
        new = set(ids_of(store, bank))
        assert not new & seen
        seen |= new
        with store.begin() as tx:
            assert tx.banks.delete(bank, NOON) == 5
            assert tx.entries.live(seen, NOON) == {}


def test_change_numbers_grow_and_nothing_below_the_reached_one_is_missed(store: SqlStore) -> None:
    bank = bank_in(store)
    for start in (0, 10, 20):
        with store.begin() as tx:
            tx.entries.add(bank, [md5(number) for number in range(start, start + 10)], NOON, bring_back=True)
    everything, last = changes_after(store, 0)
    assert (sorted(everything), last) == (ids_of(store, bank), 30)
    collected: list[int] = []
    reached = 0
    steps = [0]
    while True:
        some, now = changes_after(store, reached, limit=7)
        if now == reached:
            break
        collected += some
        reached = now
        steps.append(now)
    assert sorted(collected) == sorted(everything)
    assert all(before < after for before, after in pairwise(steps))
    assert changes_after(store, 30) == ([], 30)


def test_changes_and_batches_hold_what_counts(store: SqlStore) -> None:
    bank = bank_in(store)
    pdq = NewEntry(signal=Signal(type="pdq", value=bytes(range(32)), quality=70))
    with store.begin() as tx:
        tx.entries.add(bank, [md5(1), pdq, md5(2)], NOON, bring_back=True)
        tx.entries.withdraw(bank, md5(1).signal, NOON)

    def held(batches: Iterator[EntryBatch]) -> set[tuple[str, int, bytes]]:
        width = {"md5": 16, "pdq": 32}
        return {
            (batch.type, batch.bank_ids[row], batch.values[row * width[batch.type] :][: width[batch.type]])
            for batch in batches
            for row in range(len(batch))
        }

    expected = {("md5", bank.id, md5(2).signal.value), ("pdq", bank.id, pdq.signal.value)}
    with store.read() as tx:
        assert held(iter(tx.entries.changes(0, 10)[0])) == expected
        assert held(tx.entries.batches(1)) == expected
        entries = {entry.signal for entry in tx.entries.export(bank)}
    assert entries == {md5(2).signal, pdq.signal}


def test_thousands_are_looked_up_at_once(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.begin() as tx:
        tx.entries.add(bank, [md5(number) for number in range(1200)], NOON, bring_back=True)
    ids = ids_of(store, bank)
    with store.read() as tx:
        assert set(tx.entries.live([*ids, 10**12], NOON)) == set(ids)
        assert tx.entries.live([], NOON) == {}
        assert tx.banks.sizes()[bank.id].live == {"md5": 1200}


# Scans and cases


def a_case(id_: str, **changes: object) -> Case:
    case = Case(
        id=CaseId(id_),
        kind=Category.NCII,
        severity=3,
        state=CaseState.OPEN,
        opened_at=NOON,
        updated_at=NOON,
        contents=("aa",),
        accounts=("me",),
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def a_match(entry_id: int = 7) -> Match:
    return Match(
        entry_id=entry_id,
        bank_id=1,
        bank="known",
        category=Category.NCII,
        effect=OnMatch.HOLD,
        flooded=True,
        source="us",
        type="pdq",
        distance=12,
        variant=Variant.ROTATE_90,
        frame=3,
        flattened=True,
    )


def a_scan(id_: str, *matches: Match, disposition: Disposition = Disposition.UNCHECKED, at: datetime = NOON) -> Scan:
    return Scan(
        id=ScanId(id_),
        upload=Upload(source="web", received_at=at, content_id="post/1", account_id="한국어"),
        content=Content(kind=MediaKind.PNG, size=2**40, sha256="aa", sha1="bb", md5="cc", width=640, height=480),
        verdict=Verdict(
            disposition=disposition,
            reasons=("match", Reason.TIMEOUT),
            matches=matches,
            coverage=Coverage(signals=("sha256", "pdq"), frames=4, quality=None, index_version=2**40),
        ),
    )


def test_a_scan_is_stored_as_it_was_answered_and_may_be_settled(store: SqlStore) -> None:
    scan = a_scan("scan_1", a_match(7), a_match(8))
    with store.begin() as tx:
        tx.cases.add(a_case("case_1"))
        tx.scans.add(scan)
    with store.read() as tx:
        assert tx.scans.get(ScanId("scan_1")) == scan
        assert tx.scans.get(ScanId("scan_2")) is None
    settled = replace(
        a_scan("scan_1", a_match(9), disposition=Disposition.BLOCK), case_id=CaseId("case_1"), rechecked_at=NOON
    )
    with store.begin() as tx:
        tx.scans.settle(settled)
    with store.read() as tx:
        assert tx.scans.get(ScanId("scan_1")) == settled
        assert tx.scans.of_case(CaseId("case_1"), 5) == (settled,)


def test_scans_are_listed_newest_first_in_pages(store: SqlStore) -> None:
    with store.begin() as tx:
        for number in range(5):
            disposition = Disposition.UNCHECKED if number % 2 else Disposition.BLOCK
            tx.scans.add(a_scan(f"scan_{number}", disposition=disposition))
    with store.read() as tx:
        first = tx.scans.list(unchecked=False, limit=2)
        assert [scan.id for scan in first] == ["scan_4", "scan_3"]
        assert [s.id for s in tx.scans.list(unchecked=False, limit=2, before=first[-1].id)] == ["scan_2", "scan_1"]
        assert [scan.id for scan in tx.scans.list(unchecked=True, limit=9)] == ["scan_3", "scan_1"]


def test_uploads_that_matched_an_entry_are_counted_once_each_within_a_time(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.scans.add(a_scan("scan_1", a_match(7), replace(a_match(7), frame=4), a_match(8)))
        tx.scans.add(a_scan("scan_2", a_match(7), at=NOON - timedelta(minutes=5)))
        assert tx.scans.count_matches(7, NOON - timedelta(minutes=5)) == 2
        assert tx.scans.count_matches(7, NOON - timedelta(minutes=4)) == 1
        assert tx.scans.count_matches(9, NOON - timedelta(days=1)) == 0


def test_an_account_finds_its_oldest_open_case(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.cases.add(a_case("case_2", contents=("aa", "bb")))
        tx.cases.add(a_case("case_1", contents=("cc",), accounts=()))
        tx.cases.add(a_case("case_0", contents=("dd",), state=CaseState.DECIDED))
    with store.read() as tx:

        def found(contents: list[str], accounts: list[str]) -> str | None:
            case = tx.cases.open_for(contents=contents, accounts=accounts, now=datetime.now(UTC))
            return case.id if case else None

        assert found(["bb"], []) == "case_2"
        assert found(["zz"], ["me"]) == "case_2"
        assert found(["aa", "cc"], ["me"]) == "case_1"
        assert found(["dd"], []) is None
        # The name of an account is not the digest of a content.
        assert found(["me"], ["aa"]) is None
        assert found([], []) is None


def test_a_content_belongs_to_the_case_that_waits_or_else_to_the_one_decided_last(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.cases.add(a_case("case_1", contents=("aa", "bb"), state=CaseState.DECIDED))
        tx.cases.add(a_case("case_2", contents=("aa", "bb"), state=CaseState.DECIDED))
        tx.cases.add(a_case("case_3", contents=("bb",), state=CaseState.PROPOSED))
        tx.cases.add(a_case("case_4", contents=("cc",), state=CaseState.APPEALED))
    with store.read() as tx:
        held = {sha256: tx.cases.holding(sha256) for sha256 in ("aa", "bb", "cc", "zz")}
    assert {sha256: case and case.id for sha256, case in held.items()} == {
        "aa": "case_2", "bb": "case_3", "cc": "case_4", "zz": None,
    }  # fmt: skip
    assert held["aa"] is not None
    assert held["aa"].contents == ()


def test_a_case_that_was_changed_meanwhile_is_not_overwritten(store: SqlStore) -> None:
    case = a_case("case_1")
    with store.begin() as tx:
        tx.cases.add(case)
    joined = join(case, a_case("case_9", contents=("bb",), accounts=("you",), updated_at=NOON + timedelta(hours=1)))
    with store.begin() as tx:
        tx.cases.update(joined)
        assert tx.cases.link(joined) == 1
        assert tx.cases.link(joined) == 0
    with store.read() as tx:
        assert tx.cases.get(CaseId("case_1")) == joined
        assert tx.cases.list(limit=5) == (joined,)
    with pytest.raises(Broken) as fault, store.begin() as tx:
        tx.cases.update(joined)
    assert fault.value.code == "case_version"


def test_a_lease_leaves_the_version_as_it_is(store: SqlStore) -> None:
    held = a_case("case_1", assignee=PersonId("person_1"), lease_until=NOON + timedelta(minutes=10))
    with store.begin() as tx:
        tx.cases.add(a_case("case_1"))
        tx.cases.keep(held)
    with store.read() as tx:
        assert tx.cases.get(CaseId("case_1")) == held


def test_the_queue_is_in_order_and_in_pages(store: SqlStore) -> None:
    due = NOON + timedelta(hours=1)
    later = NOON + timedelta(hours=2)
    with store.begin() as tx:
        tx.cases.add(a_case("case_1", target_at=later))
        tx.cases.add(a_case("case_2", target_at=due))
        tx.cases.add(a_case("case_3", target_at=due))
        tx.cases.add(a_case("case_4", target_at=later, kind=Category.CSAM, severity=5))
        tx.cases.add(a_case("case_5", target_at=due, kind=Category.OTHER, severity=1, origin=Origin.REPORT))
        tx.cases.add(a_case("case_6", target_at=due, state=CaseState.DECIDED))
    eyes = Eyes(person_id=PersonId("person_1"), now=NOON)
    with store.read() as tx:

        def ids(wanted: Filter, eyes: Eyes = eyes) -> list[str]:
            found: list[CaseId] = []
            while page := tx.cases.queue(wanted, eyes, limit=2, after=found[-1] if found else None):
                found += [case.id for case in page]
            assert tx.cases.count(wanted, eyes) == len(found)
            return [case_id.removeprefix("case_") for case_id in found]

        assert ids(Filter()) == ["4", "2", "3", "1", "5"]
        assert ids(Filter(kind=Category.NCII)) == ["2", "3", "1"]
        assert ids(Filter(severity=5)) == ["4"]
        assert ids(Filter(origin=Origin.REPORT)) == ["5"]
        assert ids(Filter(state=CaseState.DECIDED)) == ["6"]
        assert ids(Filter(mine=True)) == []
        assert ids(Filter(), replace(eyes, hidden=frozenset({Category.NCII}))) == ["4", "5"]


# Audit


def test_the_chain_is_one_whoever_writes(store: SqlStore, url: str) -> None:
    other = SqlStore(url)

    def write(number: int) -> None:
        with (store if number % 2 else other).begin() as tx:
            tx.audit.append(at=NOON, actor="a", verb="b", object_=str(number % 3), detail={"number": number})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(30)))
    other.close()
    with store.read() as tx:
        assert verify(tx.audit.events(), tx.audit.head()).events == 30
        assert not verify(tx.audit.events(), tx.audit.head()).mistake
        assert [event.object for event in tx.audit.events("1")] == ["1"] * 10


_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    actor=_TEXT,
    detail=st.dictionaries(_TEXT, _TEXT | st.integers(-(2**60), 2**60) | st.booleans() | st.lists(_TEXT, max_size=2)),
)
def test_an_event_is_read_back_so_that_its_digest_still_holds(
    store: SqlStore, at: datetime, actor: str, detail: dict[str, str | int | bool | list[str]]
) -> None:
    with store.begin() as tx:
        tx.audit.append(at=at, actor=actor, verb="v", object_="o", detail=detail)
    with store.read() as tx:
        assert not verify(tx.audit.events(), tx.audit.head()).mistake


def test_reading_may_stop_half_way(store: SqlStore) -> None:
    bank = bank_in(store)
    with store.begin() as tx:
        tx.entries.add(bank, [md5(1), md5(2)], NOON, bring_back=True)
        for _ in range(3):
            tx.audit.append(at=NOON, actor="a", verb="b", object_="c", detail={})
    with store.read() as tx:
        assert next(tx.audit.events()).seq == 1
        assert next(tx.entries.export(bank)).bank_id == bank.id
        assert len(next(tx.entries.batches(1))) == 1
        assert tx.audit.head().seq == 3


# Jobs, keys, counters


def test_a_job_is_claimed_by_exactly_one(store: SqlStore, url: str) -> None:
    other = SqlStore(url)
    jobs = 12
    with store.begin() as tx:
        for number in range(jobs):
            tx.jobs.add(Job(id=JobId(f"job_{number}"), kind="k", key=str(number), run_at=NOON))
    start = threading.Barrier(8)

    def claim_all(number: int) -> list[str]:
        start.wait()
        mine: list[str] = []
        while True:
            with (store if number % 2 else other).begin_beside() as tx:
                job = tx.jobs.claim(NOON, NOON + timedelta(minutes=5))
            if job is None:
                return mine
            assert job.tries == 1
            mine.append(job.key)

    with ThreadPoolExecutor(8) as pool:
        claimed = [key for keys in pool.map(claim_all, range(8)) for key in keys]
    other.close()
    assert sorted(claimed, key=int) == [str(number) for number in range(jobs)]


def test_a_job_waits_for_its_time_and_is_free_again_after_its_lease(store: SqlStore) -> None:
    job = Job(id=JobId("job_1"), kind="k", key="1", run_at=NOON)

    def claim(minutes: float) -> int | None:
        now = NOON + timedelta(minutes=minutes)
        with store.begin_beside() as tx:
            found = tx.jobs.claim(now, now + timedelta(minutes=5))
        return found.tries if found else None

    with store.begin() as tx:
        tx.jobs.add(job)
        tx.jobs.add(replace(job, id=JobId("job_2")))  # the same kind and key: it is there already
        assert tx.jobs.counts() == {"waiting": 1}
        assert tx.jobs.exists("k", "1")
        assert not tx.jobs.exists("k", "2")
    assert claim(-1) is None
    assert claim(0) == 1
    assert claim(4) is None
    assert claim(6) == 2
    with store.begin_beside() as tx:
        tx.jobs.retry(job, NOON + timedelta(minutes=30), "not_now")
    assert claim(29) is None
    assert claim(31) == 3
    with store.begin_beside() as tx:
        tx.jobs.bury(job, "never")
        assert tx.jobs.counts() == {"dead": 1}
    assert claim(1000) is None
    with store.begin_beside() as tx:
        tx.jobs.finish(job)
        assert tx.jobs.counts() == {}


def test_the_oldest_job_goes_first(store: SqlStore) -> None:
    with store.begin() as tx:
        for number in (3, 1, 2):
            run_at = NOON + timedelta(seconds=number)
            tx.jobs.add(Job(id=JobId(f"job_{number}"), kind="k", key=str(number), run_at=run_at))
    with store.begin_beside() as tx:
        now = NOON + timedelta(minutes=1)
        claimed = [tx.jobs.claim(now, now + timedelta(minutes=5)) for _ in range(4)]
    assert [job.key if job else None for job in claimed] == ["1", "2", "3", None]


def test_a_key_is_found_by_the_digest_of_its_secret_until_it_is_revoked(store: SqlStore) -> None:
    key = Key(name="forum", scopes=frozenset({Scope.SCAN, Scope.READ}), created_at=NOON)
    with store.begin() as tx:
        tx.keys.create(key, "digest")
        with pytest.raises(Refused) as refusal:
            tx.keys.create(key, "another")
        assert refusal.value.code == "key_exists"
    with store.read() as tx:
        assert tx.keys.by_digest("digest") == key
        assert tx.keys.by_digest("another") is None
    with store.begin() as tx:
        tx.keys.replace(key, "third")
        assert tx.keys.by_digest("digest") is None
        assert tx.keys.by_digest("third") == key
        tx.keys.revoke("forum", NOON)
        tx.keys.revoke("forum", NOON + timedelta(hours=1))
        assert tx.keys.by_digest("third") is None
        assert tx.keys.get("forum") == replace(key, revoked_at=NOON)
        assert tx.keys.all() == (replace(key, revoked_at=NOON),)


def test_counters_add_up_from_many_sides(store: SqlStore, url: str) -> None:
    other = SqlStore(url)
    days = [date(2026, 11, 22), date(2026, 11, 23)]
    tallies = [
        Tallied(day=day, source=source, disposition=disposition, count=1)
        for day in days
        for source in ("a", "b")
        for disposition in (Disposition.CLEAR, Disposition.BLOCK)
    ]

    def add(number: int) -> None:
        turned = tallies if number % 2 else tallies[::-1]
        with (store if number % 2 else other).begin_beside() as tx:
            tx.counters.add(turned)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(10)))
    other.close()
    with store.read() as tx:
        totals = tx.counters.all()
    assert {tally.count for tally in totals} == {10}
    assert [(t.day, t.source) for t in totals] == sorted((t.day, t.source) for t in totals)
    assert len(totals) == len(tallies)


def test_a_time_without_a_zone_is_not_stored(store: SqlStore) -> None:
    with pytest.raises(StatementError, match="without a zone"), store.begin() as tx:
        tx.banks.create(_POLICY, NOON.replace(tzinfo=None))


def test_a_worker_claims_only_its_own_kinds(store: SqlStore) -> None:
    with store.begin_beside() as tx:
        for number, kind in enumerate(("a", "b", "c")):
            tx.jobs.add(Job(id=JobId(f"job_{number}"), kind=kind, key="1", run_at=NOON))
    lease = NOON + timedelta(minutes=5)
    with store.begin_beside() as tx:
        found = [tx.jobs.claim(NOON, lease, ["b", "c"]) for _ in range(3)]
        assert sorted(job.kind if job else "" for job in found) == ["", "b", "c"]
        assert tx.jobs.claim(NOON, lease, []) is None
        last = tx.jobs.claim(NOON, lease)
    assert last is not None
    assert last.kind == "a"


def test_a_job_is_dropped_unless_somebody_works_on_it(store: SqlStore) -> None:
    job = Job(id=JobId("job_1"), kind="k", key="1", run_at=NOON)
    lease = NOON + timedelta(minutes=5)
    with store.begin_beside() as tx:
        assert tx.jobs.drop("k", "1", NOON)
        tx.jobs.add(job)
        assert tx.jobs.claim(NOON, lease)
        assert not tx.jobs.drop("k", "1", NOON)
        assert tx.jobs.drop("k", "1", lease + timedelta(seconds=1))
        tx.jobs.add(job)
        assert tx.jobs.claim(NOON, lease)
        tx.jobs.bury(job, "never")
        assert tx.jobs.drop("k", "1", NOON)
        assert tx.jobs.counts() == {}
