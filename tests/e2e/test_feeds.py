"""100 000 records of NCMEC and of StopNCII; pulls are killed, two run at once; none is lost, none doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import structlog

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.db.tx import SqlStore
from jikimi.flows.exchange import add_exchange
from jikimi.model.bank import BankPolicy, Category, OnMatch
from jikimi.model.exchange import Json, NewExchange
from jikimi.ports import Tx
from jikimi.testing import ncmec, stopncii
from jikimi.testing.listserver import ListServer
from tests.flows.story import tamper

RECORDS = 100_000
KILLS = 3
ZONES = ("UTC", "Asia/Seoul", "America/Los_Angeles")
BUSY = 75
STARTS = 20.0
"""Seconds to wait for a pull to have stored something; one that starts a set again stores nothing new for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A programme with its list, and the settings that lead to it."""

    kind: str
    server: ListServer
    expected: frozenset[str]
    settings: Mapping[str, Json]


def _ncmec() -> Feed:
    server = ncmec.Ncmec()
    entries = server.fill(RECORDS)
    values = frozenset(f"{type_}:{value}" for entry in entries for type_, value in entry.fingerprints.items())
    access: dict[str, Json] = {
        "environment": "https://hashsharing-test.ncmec.org/npo",
        "user": "user",
        "password": "password",
    }
    return Feed(kind="ncmec", server=server, expected=values, settings=access)


def _stopncii() -> Feed:
    server = stopncii.StopNcii()
    values = frozenset(f"pdq:{value}" for value in server.fill(RECORDS))
    return Feed(
        kind="stopncii",
        server=server,
        expected=values,
        settings={"subscription_key": "subscription", "fetch_key": "fetch"},
    )


def pull(settings: Settings, zone: str) -> subprocess.Popen[bytes]:
    """`jikimi exchange sync feed`, in a process of its own."""
    command = [sys.executable, "-m", "jikimi", "exchange", "sync", "feed", "--data", str(settings.data)]
    environment = {**os.environ, "TZ": zone, "JIKIMI_DATABASE_URL": settings.database_url or ""}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def opened(settings: Settings) -> Iterator[SqlStore]:
    store = SqlStore(settings.database)
    yield store
    store.close()


def stored(settings: Settings) -> int:
    """How many records there are."""
    with opened(settings) as store, store.read() as tx:
        return sum(tx.exchanges.counts().values())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("make", [_ncmec, _stopncii])
def test_a_long_list_arrives_whole_whatever_happens_to_its_pulls(settings: Settings, make: Callable[[], Feed]) -> None:
    feed = make()
    with feed.server:
        _add(settings, feed)
        # killed in the middle, in one zone after the other
        for kill in range(KILLS):
            _killed(settings, ZONES[kill % len(ZONES)])
        assert 0 < stored(settings) < RECORDS, "the list is long enough to be killed in its middle"
        # two at once: one pulls, the other says that it is busy
        both = [pull(settings, zone) for zone in ZONES[:2]]
        assert sorted(process.wait() for process in both) == [0, BUSY]
        # neither lost nor doubled
        with opened(settings) as store, store.read() as tx:
            (exchange,) = tx.exchanges.all()
            held = list(_entries(tx, exchange.bank_id))
        assert (stored(settings), exchange.unfinished, exchange.faults) == (RECORDS, False, 0)
        assert len(held) == len(feed.expected)
        assert set(held) == feed.expected


def _entries(tx: Tx, bank_id: int) -> Iterator[str]:
    """What is in the bank, as often as it is there; lists are exported to nobody, so the index's batches are read."""
    for batch in tx.entries.batches(10_000):
        length = len(batch.values) // len(batch)
        for at, bank in enumerate(batch.bank_ids):
            if bank == bank_id:
                yield f"{batch.type}:{batch.values[at * length : (at + 1) * length].hex()}"


def _add(settings: Settings, feed: Feed) -> None:
    new = NewExchange(name="feed", kind=feed.kind, bank="feed", settings={**feed.settings, "address": feed.server.url})
    policy = BankPolicy(name="feed", category=Category.OTHER, on_match=OnMatch.BLOCK)
    with open_kit(settings, structlog.wrap_logger(structlog.ReturnLogger())) as kit:
        add_exchange(kit, "tester", new, policy)


def _killed(settings: Settings, zone: str) -> None:
    """Kill a pull as soon as it has stored something; two minutes later its turn is free."""
    before = stored(settings)
    process = pull(settings, zone)
    begun = time.monotonic()
    while stored(settings) == before and process.poll() is None and time.monotonic() - begun < STARTS:
        time.sleep(0.1)
    process.kill()
    process.wait()
    tamper(settings, "UPDATE exchanges SET lease_until = NULL")
