"""The store: transactions, and the repositories inside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import monotonic

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jikimi.db.audit import SqlAudit
from jikimi.db.banks import SqlBanks
from jikimi.db.cases import SqlCases
from jikimi.db.counters import SqlCounters
from jikimi.db.enforcement import SqlActions, SqlAppeals
from jikimi.db.engine import WRITES, open_engine
from jikimi.db.entries import SqlEntries
from jikimi.db.evidence import SqlEvidence
from jikimi.db.exchanges import SqlExchanges
from jikimi.db.hma import SqlContents
from jikimi.db.jobs import SqlJobs
from jikimi.db.kept import SqlKept
from jikimi.db.keys import SqlKeys
from jikimi.db.overview import SqlCensus
from jikimi.db.peers import SqlPeers
from jikimi.db.people import SqlPeople
from jikimi.db.replies import SqlReplies
from jikimi.db.review import SqlDecisions, SqlExposures, SqlNotes, SqlSkips
from jikimi.db.scans import SqlScans
from jikimi.db.schema import clocks
from jikimi.db.shares import SqlShares
from jikimi.db.signin import SqlInvitations, SqlQuestions, SqlSessions, SqlTries
from jikimi.db.source_records import SqlSourceRecords
from jikimi.db.user_reports import SqlUserReports
from jikimi.model.bank import Bank
from jikimi.model.errors import Broken, Refused, Unavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITERS_LOCK = 0x6A696B696D69
"""Number of the advisory lock by which writers take turns on PostgreSQL ("jikimi" in ASCII)."""
_RECENT_SECONDS = 0.25
"""How old banks may be for `recent_banks`: what another process changes has to count within a second."""


class SqlTx:
    """One transaction's repositories."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def banks(self) -> SqlBanks:
        """Banks."""
        return SqlBanks(self._connection)

    @cached_property
    def entries(self) -> SqlEntries:
        """Entries of banks."""
        return SqlEntries(self._connection)

    @cached_property
    def scans(self) -> SqlScans:
        """Remembered scans."""
        return SqlScans(self._connection)

    @cached_property
    def cases(self) -> SqlCases:
        """Cases."""
        return SqlCases(self._connection)

    @cached_property
    def audit(self) -> SqlAudit:
        """The chained record."""
        return SqlAudit(self._connection)

    @cached_property
    def jobs(self) -> SqlJobs:
        """Work for later."""
        return SqlJobs(self._connection)

    @cached_property
    def keys(self) -> SqlKeys:
        """Keys of programs."""
        return SqlKeys(self._connection)

    @cached_property
    def replies(self) -> SqlReplies:
        """Answers given under an Idempotency-Key."""
        return SqlReplies(self._connection)

    @cached_property
    def counters(self) -> SqlCounters:
        """Totals."""
        return SqlCounters(self._connection)

    @cached_property
    def people(self) -> SqlPeople:
        """People who sign in."""
        return SqlPeople(self._connection)

    @cached_property
    def sessions(self) -> SqlSessions:
        """Where they are signed in."""
        return SqlSessions(self._connection)

    @cached_property
    def invitations(self) -> SqlInvitations:
        """One-time links."""
        return SqlInvitations(self._connection)

    @cached_property
    def questions(self) -> SqlQuestions:
        """Questions that wait for their answer."""
        return SqlQuestions(self._connection)

    @cached_property
    def tries(self) -> SqlTries:
        """Failed tries to sign in."""
        return SqlTries(self._connection)

    @cached_property
    def evidence(self) -> SqlEvidence:
        """What is kept."""
        return SqlEvidence(self._connection)

    @cached_property
    def decisions(self) -> SqlDecisions:
        """Decisions of cases."""
        return SqlDecisions(self._connection)

    @cached_property
    def exposures(self) -> SqlExposures:
        """The ledger of looks."""
        return SqlExposures(self._connection)

    @cached_property
    def notes(self) -> SqlNotes:
        """What people wrote about cases."""
        return SqlNotes(self._connection)

    @cached_property
    def skips(self) -> SqlSkips:
        """Who skipped which case."""
        return SqlSkips(self._connection)

    @cached_property
    def user_reports(self) -> SqlUserReports:
        """What users of the platform reported."""
        return SqlUserReports(self._connection)

    @cached_property
    def actions(self) -> SqlActions:
        """What the platform is told."""
        return SqlActions(self._connection)

    @cached_property
    def appeals(self) -> SqlAppeals:
        """Appeals against decisions."""
        return SqlAppeals(self._connection)

    @cached_property
    def shares(self) -> SqlShares:
        """What is given back to exchanges."""
        return SqlShares(self._connection)

    @cached_property
    def kept(self) -> SqlKept:
        """Signals of recent uploads."""
        return SqlKept(self._connection)

    @cached_property
    def contents(self) -> SqlContents:
        """Contents of banks, as HMA has them."""
        return SqlContents(self._connection)

    @cached_property
    def census(self) -> SqlCensus:
        """Counts over everything."""
        return SqlCensus(self._connection)

    @cached_property
    def peers(self) -> SqlPeers:
        """Other services that read our banks."""
        return SqlPeers(self._connection)

    @cached_property
    def exchanges(self) -> SqlExchanges:
        """Where banks are filled from."""
        return SqlExchanges(self._connection)

    @cached_property
    def source_records(self) -> SqlSourceRecords:
        """What programmes say."""
        return SqlSourceRecords(self._connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recent:
    """Banks as they were read, and when."""

    banks: tuple[Bank, ...]
    changes: int
    read_at: float


class SqlStore:
    """SQLite or PostgreSQL, with one writer at a time.

    SQLite has one writer by nature. PostgreSQL gets the same rule from an advisory lock, because the audit chain and
    the change number have one end each; a database of the size we serve spends a few milliseconds a turn.
    """

    def __init__(self, url: str) -> None:
        self._engine: Engine = open_engine(url)
        # SQLite's own waiting is polling with growing pauses; a lock in the process is fair and quick.
        self._turn: AbstractContextManager[object] = Lock() if self.is_sqlite else nullcontext()
        self._changes = 0
        """Writing transactions that have ended in this process."""
        self._banks = _Recent(banks=(), changes=-1, read_at=0.0)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether this is SQLite."""
        return self._engine.dialect.name == "sqlite"

    def migrate(self) -> None:
        """Bring the schema to this version; two processes at once do it once."""
        if self._is_current():
            return
        # A third of a command's start would go into importing what it almost never needs.
        from alembic import command
        from alembic.config import Config

        settings = Config()
        settings.set_main_option("script_location", str(_MIGRATIONS))
        with self._writing(all_writers=True) as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")

    def _is_current(self) -> bool:
        """Tell whether the database says that the newest migration has run."""
        newest = max(file.name for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
        try:
            with self._engine.connect() as connection:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        except DBAPIError:  # there is no such table yet, or no database: the migration says what is wrong
            return False
        return [newest.partition("_")[0]] == list(found)

    @contextmanager
    def begin(self) -> Iterator[SqlTx]:
        """Open the writing transaction."""
        try:
            with self._writing(all_writers=True) as connection:
                yield SqlTx(connection)
        finally:
            self._changes += 1

    @contextmanager
    def begin_beside(self) -> Iterator[SqlTx]:
        """Open a writing transaction for jobs or counters."""
        with self._writing(all_writers=False) as connection:
            yield SqlTx(connection)

    @contextmanager
    def read(self) -> Iterator[SqlTx]:
        """Open a reading transaction."""
        with _translated(), self._engine.connect() as plain:
            # Several statements must see one moment. SQLite's transactions always do.
            connection = plain if self.is_sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield SqlTx(connection)

    def recent_banks(self) -> tuple[Bank, ...]:
        """All banks, as `ports.Store` has it: most uploads need nothing else of the database."""
        recent, changes, now = self._banks, self._changes, monotonic()
        if recent.changes == changes and now - recent.read_at < _RECENT_SECONDS:
            return recent.banks
        with self.read() as tx:
            banks = tx.banks.all()
        # Numbered as before the reading: what was changed meanwhile makes it old at once.
        self._banks = _Recent(banks=banks, changes=changes, read_at=now)
        return banks

    def identity(self) -> str:
        """A random name given to this database when it was made."""
        with _translated(), self._engine.connect() as connection:
            return str(connection.execute(select(clocks.c.digest).where(clocks.c.name == "identity")).scalar_one())

    def scrub(self) -> None:
        """Take what was deleted or changed out of SQLite's log too; a reader at work may keep it there for a while.

        PostgreSQL keeps old rows until it vacuums, and in its own log until that is removed: that is for its operator.
        """
        if self.is_sqlite:
            with self._turn, _translated(), self._engine.connect() as connection:
                raw = connection.connection.driver_connection
                assert raw is not None
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _writing(self, *, all_writers: bool) -> Iterator[Connection]:
        with self._turn, _translated(), self._engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: True})
            with connection.begin():
                if all_writers and not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITERS_LOCK})
                yield connection


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours, so that nobody above needs to know the driver."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(
            "store_unavailable",
            "The database cannot be reached or written at the moment; nothing was stored. Try again.",
            detail=str(error),
        ) from error
    except (DataError, UnicodeEncodeError) as error:
        raise Refused(
            "value_unstorable", "A name or text is not Unicode, or holds the character 0; write it otherwise."
        ) from error
    except DBAPIError as error:
        raise Broken(
            "store_failed", "The database refused a statement; nothing was stored. See the log.", detail=str(error)
        ) from error
