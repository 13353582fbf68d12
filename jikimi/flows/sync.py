"""A list is pulled into its bank: entries and checkpoint together, again and again, whatever happens in between.

    1  take the exchange's turn; a turn that gives no sign of life for two minutes is free again
    2  begin where the last pull has come to, or, when the list has to be pulled whole, at its beginning: such a pull
       has a number of its own, a generation
    3  pages are taken over as they come, some at a time: what they say and how far that is, in one transaction,
       which fails if somebody else has moved on meanwhile; a list that only repeats itself is given up
    4  the programme does not know our checkpoint any more: once, from the beginning, in a new generation
    5  at the end of a whole pull, what it has not named is withdrawn, unless that would be most of the list
    6  the turn is given back, with when it went well or what went wrong, and when to try again
    7  many new entries are worth a snapshot, and what had to be erased must not stay in an old one

A pull that is killed leaves what it had stored: the next one goes on from there. What it says twice changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jikimi.flows.exchange import connector_of, named
from jikimi.flows.index import drop_erased, follow, publish
from jikimi.flows.kept import forget_signals, prepare_to_forget, renew_recent
from jikimi.model.bank import BankPolicy, NewEntry, check_entry
from jikimi.model.errors import Broken, JikimiError, Refused, Unavailable
from jikimi.model.exchange import (
    LEASE,
    CheckpointStaleError,
    Exchange,
    Page,
    SourceRecord,
    check_vanishing,
    pause_after,
)
from jikimi.ports import Kit, Tx
from jikimi.ports.exchanges import Applied, Connector

_RECORDS_A_TRANSACTION = 5000
"""About a third of a second of the writers' turn."""
_MOST_A_TRANSACTION = 2 * _RECORDS_A_TRANSACTION
"""A larger page is stored in parts, so that uploads need not wait for it."""
_SECONDS_A_TRANSACTION = 20.0
"""A slow list is stored as it comes."""
_SIGN_OF_LIFE = LEASE / 4
_PUBLISH_FROM = 50_000
"""After a pull with this many new entries a snapshot is worth its writing."""
_FAULTS_SHOWN = 20
_ENDLESS = 5_000_000
"""Records in a row, beyond three times those we have, that say nothing new: such a list leads round in a circle."""
_LEAST_OF_A_PAGE = 100
"""Pages with fewer records are counted as so many."""

Progress = Callable[["Synced"], None]
"""Told after each transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a pull has done so far. `faults` names the first records that could not be used, `faulty` counts all."""

    records: int = 0
    changed: int = 0
    withdrawn: int = 0
    added: int = 0
    erased: int = 0
    faulty: int = 0
    faults: tuple[str, ...] = ()
    was_whole: bool = False

    def with_applied(self, applied: Applied) -> Synced:
        """The same with another transaction's work."""
        return replace(
            self,
            changed=self.changed + applied.changed,
            withdrawn=self.withdrawn + applied.withdrawn,
            added=self.added + applied.added,
            erased=self.erased + applied.erased,
        )

    def with_faults(self, faults: tuple[str, ...]) -> Synced:
        """The same with more records that could not be used."""
        return replace(self, faulty=self.faulty + len(faults), faults=(*self.faults, *faults)[:_FAULTS_SHOWN])


def sync(
    kit: Kit, name: str, *, accept_withdrawals: bool = False, on_progress: Progress = lambda synced: None
) -> Synced:
    """Pull an exchange now. `Unavailable` (`exchange_busy`) if another process does; other errors are stored too."""
    # 1. our turn
    exchange = _lease(kit, name)
    pull = _Pull(kit, exchange, on_progress)
    try:
        with _kept_alive(kit, exchange):
            # 2. to 4. pages
            pull.run()
            # 5. what vanished
            pull.finish(accept_withdrawals=accept_withdrawals)
    except Exception as error:
        # 6. what went wrong
        fault = _fault_of(exchange, error)
        _settle_failed(kit, exchange, fault)
        raise fault from error
    except BaseException:
        # 6. somebody wants this process to end, and the next one may go on at once
        with kit.store.begin() as tx:
            tx.exchanges.keep_turn(exchange, kit.clock())
        raise
    finally:
        # 7. however it ended: what had to be erased is gone from files too
        if pull.forgets:
            _clean_files(kit, exchange)
    # 6. it went well
    done = pull.synced
    _settle(kit, exchange, done)
    # 7. snapshots
    if done.added >= _PUBLISH_FROM:
        publish(kit)
    drop_erased(kit)
    follow(kit)
    return done


def due(kit: Kit) -> tuple[str, ...]:
    """The exchanges whose time has come."""
    with kit.store.read() as tx:
        return tuple(exchange.name for exchange in tx.exchanges.due(kit.clock()))


class _Pull:
    """One pull at work: `exchange` is how it stands in the database, `synced` what has been done."""

    def __init__(self, kit: Kit, exchange: Exchange, on_progress: Progress) -> None:
        self._kit = kit
        self._on_progress = on_progress
        self.exchange = exchange
        self.synced = Synced()
        self.forgets = False
        self._idle, self._most_idle = 0, _ENDLESS
        self._generation = exchange.generation
        self._is_whole = exchange.unfinished

    def run(self) -> None:
        """Steps 2 to 4."""
        self.forgets = self._kit.connectors.get(self.exchange.kind).forgets
        if self.forgets:
            prepare_to_forget(self._kit)
        connector = connector_of(self._kit, self.exchange)
        begin = self.exchange.checkpoint
        if not begin or (connector.is_whole and self.exchange.unfinished):
            begin = self._start_whole()
        elif connector.is_whole:
            self._start_whole()
        try:
            self._take_all(connector, begin)
        except CheckpointStaleError:
            self._kit.log.warning("exchange_starts_over", exchange=self.exchange.name)
            self._again(connector)

    def finish(self, *, accept_withdrawals: bool) -> None:
        """Step 5: withdraw what a whole pull has not named. A pull that gave no page has said nothing."""
        if not self.exchange.unfinished:
            return
        with self._kit.store.read() as tx:
            held, vanishing = tx.source_records.vanishing(self.exchange, self._generation)
        if not accept_withdrawals:
            check_vanishing(held, vanishing)
        while True:
            with self._kit.store.begin() as tx:
                applied = tx.source_records.withdraw_older(
                    self.exchange, self._generation, self._kit.clock(), _RECORDS_A_TRANSACTION, forget=self.forgets
                )
                forget_signals(self._kit, tx, tx.source_records.gone)
                self._advance(tx, self.exchange.checkpoint, unfinished=applied.withdrawn > 0)
            self.synced = replace(self.synced.with_applied(applied), was_whole=True)
            if not applied.withdrawn:
                return

    def _again(self, connector: Connector) -> None:
        """Step 4."""
        try:
            self._take_all(connector, self._start_whole())
        except CheckpointStaleError as error:
            raise Unavailable(
                "exchange_checkpoint_stale",
                f"{self.exchange.name} does not know how far we are, not even from its beginning. Its programme errs.",
            ) from error

    def _start_whole(self) -> str:
        """Begin a new generation; it is written down with its first page."""
        self._generation = self.exchange.generation + 1
        self._is_whole = True
        return ""

    def _take_all(self, connector: Connector, begin: str) -> None:
        """Step 3."""
        for page in _joined(self._ending(connector.pull(begin)), self._kit.clock):
            for part in _parts(page, before=begin):
                self._take(part)
            begin = page.checkpoint

    def _ending(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages, as long as there is reason to believe that they come to an end."""
        for page in pages:
            self._idle += max(len(page.records), _LEAST_OF_A_PAGE)
            if self._idle > self._most_idle:
                self._most_idle = _ENDLESS + 3 * self._held()
            if self._idle > self._most_idle:
                raise Unavailable(
                    "exchange_endless",
                    f"{self.exchange.name} goes on and on without saying anything new. Its programme errs; ask there.",
                )
            yield page

    def _held(self) -> int:
        with self._kit.store.read() as tx:
            return tx.exchanges.counts().get(self.exchange.id, 0)

    def _take(self, page: Page) -> None:
        """Store a page with its checkpoint."""
        with self._kit.store.begin() as tx:
            bank = tx.banks.get(self.exchange.bank)
            if bank is None or bank.id != self.exchange.bank_id:
                raise Refused("bank_unknown", f"The bank of {self.exchange.name} was deleted; remove the exchange too.")
            usable, faults = _usable(page, bank.policy)
            applied = tx.source_records.apply(
                self.exchange, usable, self._generation, self._kit.clock(), forget=self.forgets
            )
            forget_signals(self._kit, tx, tx.source_records.gone)
            self._advance(tx, page.checkpoint, unfinished=self._is_whole)
        if applied.changed or applied.withdrawn:
            self._idle = 0
        self.synced = replace(
            self.synced.with_applied(applied).with_faults(faults), records=self.synced.records + len(page.records)
        )
        self._on_progress(self.synced)

    def _advance(self, tx: Tx, checkpoint: str, *, unfinished: bool) -> None:
        self.exchange = tx.exchanges.advance(
            self.exchange,
            checkpoint=checkpoint,
            generation=self._generation,
            unfinished=unfinished,
            lease_until=self._kit.clock() + LEASE,
        )


def _lease(kit: Kit, name: str) -> Exchange:
    """Step 1."""
    now = kit.clock()
    with kit.store.begin() as tx:
        exchange = named(tx, name)
        if not exchange.enabled:
            raise Refused("exchange_disabled", f"{name} is disabled; `jikimi exchange change {name} --enable` first.")
        taken = tx.exchanges.lease(exchange, kit.ids("pull"), now, now + LEASE)
    if taken is None:
        raise Unavailable("exchange_busy", f"{name} is being pulled by another process; see later.", retry_after=60)
    return taken


@contextmanager
def _kept_alive(kit: Kit, exchange: Exchange) -> Iterator[None]:
    """Show signs of life while the block runs: a programme may take minutes for one answer."""
    done = threading.Event()

    def show() -> None:
        while not done.wait(_SIGN_OF_LIFE.total_seconds()):
            try:
                with kit.store.begin() as tx:
                    tx.exchanges.keep_turn(exchange, kit.clock() + LEASE)
            except JikimiError as error:
                kit.log.warning("exchange_turn_not_kept", exchange=exchange.name, code=error.code)

    thread = threading.Thread(target=show, name="jikimi-sync-alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _joined(pages: Iterable[Page], clock: Callable[[], datetime]) -> Iterator[Page]:
    """Pages put together until they are worth a transaction; what came before a mishap is not lost by it."""
    waiting: list[Page] = []
    records, since = 0, clock()
    try:
        for page in pages:
            waiting.append(page)
            records += len(page.records)
            is_late = clock() - since > timedelta(seconds=_SECONDS_A_TRANSACTION)
            if is_late or records >= _RECORDS_A_TRANSACTION:
                yield _one_page(waiting)
                waiting, records, since = [], 0, clock()
    except Exception:
        if waiting:
            yield _one_page(waiting)
        raise
    if waiting:
        yield _one_page(waiting)


def _one_page(pages: list[Page]) -> Page:
    return Page(
        records=tuple(record for page in pages for record in page.records),
        checkpoint=pages[-1].checkpoint,
        faults=tuple(fault for page in pages for fault in page.faults),
    )


def _parts(page: Page, *, before: str) -> Iterator[Page]:
    """A page in parts of a bearable size. Only with the last one have we come further than `before`."""
    starts = range(0, len(page.records), _MOST_A_TRANSACTION)
    for start in starts[:-1]:
        yield Page(records=page.records[start : start + _MOST_A_TRANSACTION], checkpoint=before)
    yield replace(page, records=page.records[starts[-1] :] if starts else ())


def _usable(page: Page, policy: BankPolicy) -> tuple[list[SourceRecord], tuple[str, ...]]:
    """The records with those of their signals that are evidence in this bank, and what is to be said of the others."""
    usable, faults = [], list(page.faults)
    for record in page.records:
        kept = []
        for signal in record.signals:
            try:
                check_entry(policy, NewEntry(signal=signal))
            except Refused as error:
                faults.append(f"{record.key}: {error.code}")
            else:
                kept.append(signal)
        usable.append(record if len(kept) == len(record.signals) else replace(record, signals=tuple(kept)))
    return usable, tuple(faults)


def _clean_files(kit: Kit, exchange: Exchange) -> None:
    """Step 7: no file holds what was erased by this pull, or by one before it that was killed just then."""
    try:
        kit.store.scrub()
        renew_recent(kit)
        drop_erased(kit)
    except JikimiError as error:
        kit.log.error("erased_values_still_in_files", exchange=exchange.name, code=error.code)


def _settle(kit: Kit, exchange: Exchange, done: Synced) -> None:
    """Step 6: it went well."""
    now = kit.clock()
    with kit.store.begin() as tx:
        tx.exchanges.settle(exchange, at=now, error="", faults=done.faulty, next_at=now + exchange.every)
        if done.changed or done.withdrawn or done.added:
            tx.audit.append(
                at=now, actor="sync", verb="exchange.pulled", object_=f"exchange:{exchange.name}",
                detail={
                    "changed": done.changed, "withdrawn": done.withdrawn, "added": done.added, "erased": done.erased,
                    "faults": done.faulty, "whole": done.was_whole,
                },
            )  # fmt: skip
    kit.log.info(
        "exchange_pulled", exchange=exchange.name, records=done.records, changed=done.changed,
        withdrawn=done.withdrawn, added=done.added, erased=done.erased, faults=done.faulty,
    )  # fmt: skip
    for fault in done.faults:
        kit.log.warning("exchange_record_unusable", exchange=exchange.name, fault=fault)


def _settle_failed(kit: Kit, exchange: Exchange, fault: JikimiError) -> None:
    """Step 6: what went wrong is stored with when to try again. The database itself may be what is away."""
    now, chance = kit.clock(), kit.entropy(1)[0] / 255
    pause = pause_after(exchange.failures + 1, exchange.every, chance)
    if isinstance(fault, Unavailable):
        pause = max(pause, timedelta(seconds=fault.retry_after))
    kit.log.error("exchange_failed", exchange=exchange.name, code=fault.code, why=fault.message)
    kit.tally.note("exchange_failed")
    try:
        with kit.store.begin() as tx:
            tx.exchanges.settle(exchange, at=now, error=fault.message, faults=0, next_at=now + pause)
    except JikimiError as error:
        kit.log.error("exchange_not_settled", exchange=exchange.name, code=error.code)


def _fault_of(exchange: Exchange, error: Exception) -> JikimiError:
    """The error in our words. Those of a plug-in may hold anything, so that only its type is told."""
    if isinstance(error, JikimiError):
        return error
    return Broken(
        "exchange_connector_failed",
        f"The connector of {exchange.name} ({exchange.kind}) failed: {type(error).__name__}.",
    )
