"""The only file that knows every class: it builds the kit, the doors and the worker from the settings."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import structlog

from jikimi.config import Settings
from jikimi.db.counters import MemoryTally
from jikimi.db.kept import MemoryKept
from jikimi.db.tx import SqlStore
from jikimi.engine.decode.parent import Decoder
from jikimi.engine.decode.picture import Renderer
from jikimi.engine.folder import SnapshotFolder
from jikimi.engine.index import Index
from jikimi.engine.matcher import SignalTypes
from jikimi.engine.on_demand import IndexOnDemand
from jikimi.engine.pattern import alter, paint
from jikimi.flows.account import write_totals
from jikimi.flows.canary import Canary, Sighting, is_fresh, prepare, send
from jikimi.flows.enforce import deliver
from jikimi.flows.evidence import sweep_orphans
from jikimi.flows.evidence_key import rewrap, settle_key
from jikimi.flows.expose import close_looks
from jikimi.flows.index import follow, open_index, renew, uploads_in
from jikimi.flows.kept import expire, write_kept
from jikimi.flows.look_back import look_back
from jikimi.flows.once import forget
from jikimi.flows.parcel import send as send_parcel
from jikimi.flows.peer import wake
from jikimi.flows.recheck import recheck, sweep
from jikimi.flows.scan import RECHECK
from jikimi.flows.session import forget_ended
from jikimi.flows.sync import due
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.ids import ENTROPY_BYTES, new_id
from jikimi.model.job import ENFORCE, SHARE
from jikimi.plugs.actions.keys import WebhookKeys
from jikimi.plugs.actions.webhook import Webhook
from jikimi.plugs.blobs.objects import ObjectBlobs
from jikimi.plugs.exchanges.installed import Installed
from jikimi.plugs.front_door import ask_front_door
from jikimi.plugs.identity.client import ProviderSettings
from jikimi.plugs.identity.proofs import Proofs
from jikimi.plugs.peer_key import PeerKeyFile
from jikimi.plugs.pulls import Pulls
from jikimi.plugs.web.client import WebClient
from jikimi.plugs.web.fetch import Fetcher
from jikimi.plugs.web.wire import trusted
from jikimi.ports import Kit, Log, Reader
from jikimi.vault.keys import KeyFolder
from jikimi.vault.safe import KeySafe
from jikimi.vault.seal import Vault
from jikimi.worker import Task, Worker, run_due_jobs

VERSION = version("jikimi")

_FOLLOW_SECONDS = 0.2
"""How often changes made by other processes are looked for; they must count within a second."""
_SWITCH_SECONDS = 0.0001
"""How long a thread of ours may compute while another waits for its turn: an upload waits some twenty times."""
_STALE = timedelta(seconds=15)
"""An index that could not be compared with the database for so long is no longer trusted."""
_RENEW_SECONDS = 5.0
_JOBS_SECONDS = 2.0
_WAKE_SECONDS = 15.0
_LOOKS_SECONDS = 15.0
_SWEEP_SECONDS = 3600.0
_LOOK_BACK_SECONDS = 1.0
"""How long looking back rests between a thousand entries and the next: uploads need the processors as well."""
_EXPIRE_SECONDS = 60.0
_ENFORCE_SECONDS = 1.0
_PULLS_SECONDS = 3.0
_SHARES_SECONDS = 5.0
_ENFORCERS = 6
"""Threads that may wait for the platform at once."""
_KEY_SECONDS = 60.0
"""How often a node looks whether evidence is to be sealed to another key."""


@contextmanager
def open_reader(settings: Settings) -> Iterator[Reader]:
    """Build what looks at files: no records, no folder."""
    with _make_decoder(settings) as decoder:
        yield Reader(decoder=decoder, signals=SignalTypes(), limits=settings.limits)


@contextmanager
def open_kit(settings: Settings, log: Log | None = None) -> Iterator[Kit]:
    """Build the kit: folder, schema, decoder, vault, and an index that opens at its first search; closed at the end."""
    _make_folder(settings.data)
    with ExitStack() as stack:
        store = SqlStore(settings.database)
        stack.callback(store.close)
        store.migrate()
        index, recent = Index(), Index()
        decoder = stack.enter_context(_make_decoder(settings))
        keys = KeyFolder(settings.keys, secrets.token_bytes, settings.passphrase_file)
        kit = Kit(
            reader=Reader(decoder=decoder, signals=SignalTypes(), limits=settings.limits),
            store=store,
            blobs=ObjectBlobs(settings.blobs),
            vault=Vault(keys, secrets.token_bytes),
            renderer=Renderer(decoder),
            index=IndexOnDemand(index, lambda: open_index(kit)),
            snapshots=SnapshotFolder(settings.data / "index", store.identity(), index),
            kept=MemoryKept(),
            recent=IndexOnDemand(recent, lambda: open_index(kit, uploads_in(kit))),
            recent_snapshots=SnapshotFolder(settings.data / "recent", store.identity(), recent),
            look_back=settings.look_back,
            tally=MemoryTally(),
            flood=settings.flood,
            prover=Proofs(
                settings.origin,
                ProviderSettings(
                    issuer=settings.oidc_issuer,
                    client_id=settings.oidc_client_id,
                    client_secret_file=settings.oidc_client_secret_file,
                    name=settings.oidc_name,
                ),
            ),
            sign_in=settings.sign_in,
            peer_key=peer_key_of(settings),
            review=settings.review,
            exposure=settings.exposure,
            clock=_now,
            ids=lambda prefix: new_id(prefix, _now(), secrets.token_bytes(ENTROPY_BYTES)),
            entropy=secrets.token_bytes,
            log=log or make_log(settings),
            safe=KeySafe(settings.secrets_key, secrets.token_bytes),
            connectors=installed(settings),
            fetch=fetcher_of(settings),
            platform=webhook_of(settings),
        )
        stack.callback(write_totals, kit)
        stack.callback(write_kept, kit)
        with suppress(JikimiError):  # a node that cannot keep a key still checks uploads; the task says what is wrong
            settle_key(kit)
        yield kit


def installed(settings: Settings) -> Installed:
    """Build what knows the kinds of exchange."""
    return Installed(settings.plugs, lambda hosts: web_for(settings, hosts), _now)


def web_for(settings: Settings, hosts: frozenset[str]) -> WebClient:
    """Build what asks a programme: HTTP that reaches these hosts only."""
    return WebClient(hosts, trust=trusted(settings.outgoing_ca_file), clock=_now, proxy=settings.outgoing_proxy)


def fetcher_of(settings: Settings) -> Fetcher | None:
    """Build what fetches a picture by its address; nothing where no host is allowed."""
    if not settings.hma_url_hosts:
        return None
    return Fetcher(settings.hma_url_hosts, most=settings.limits.max_bytes, trust=trusted(settings.outgoing_ca_file))


def webhook_of(settings: Settings) -> Webhook | None:
    """Build what tells the platform; nothing where no webhook is set."""
    if not settings.webhook_url:
        return None
    return Webhook(
        url=settings.webhook_url,
        keys=webhook_keys_of(settings),
        seconds=settings.webhook_timeout_seconds,
        clock=_now,
    )


def webhook_keys_of(settings: Settings) -> WebhookKeys:
    """Build what knows the keys that sign webhooks."""
    _make_folder(settings.data)
    return WebhookKeys(settings.webhook_keys, settings.data, secrets.token_bytes)


def peer_key_of(settings: Settings) -> PeerKeyFile:
    """Build what signs for peers."""
    _make_folder(settings.data)
    return PeerKeyFile(settings.peer_key, secrets.token_bytes)


def _make_decoder(settings: Settings) -> Decoder:
    return Decoder(
        settings.limits,
        workers=settings.workers,
        sandbox=settings.sandbox,
        wait_seconds=settings.decode_wait_seconds,
    )


@dataclass(slots=True)
class _Vitals:
    """What the running service knows about itself."""

    followed_at: datetime
    sighting: Sighting | None = None


class Service:
    """A running service: the front door with the worker behind it."""

    def __init__(self, settings: Settings, kit: Kit, listening: socket.socket, *more: socket.socket) -> None:
        self._settings = settings
        self._kit = kit
        self._listening = (listening, *more)
        self._vitals = _Vitals(followed_at=kit.clock())
        self._canary: Canary | None = None
        self.address = _address(listening)
        self.hma_addresses = [_address(one) for one in more]
        if settings.hma_prefix:
            self.hma_addresses.append(f"{self.address}{settings.hma_prefix}")
        self._name = f"{_node(settings.data)}:{listening.getsockname()[1]}"
        import uvicorn

        from jikimi.doors.api.app import build_api
        from jikimi.doors.desk.app import beside, build_desk
        from jikimi.doors.protocols.hma.app import beside_hma, build_hma
        from jikimi.doors.shared.heads import BoundedProtocol

        ours = beside(build_desk(kit), build_api(kit, self.problems, VERSION))
        hma = build_hma(kit, settings.hma, self.problems)
        self._server = uvicorn.Server(
            uvicorn.Config(
                beside_hma(hma, ours, port=settings.hma_port, prefix=settings.hma_prefix),
                http=BoundedProtocol,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=20,
                lifespan="off",
            )
        )
        self._pulls = Pulls(settings.data, kit.log, kit.tally.note)
        self.worker = Worker(
            kit,
            [
                Task(name="follow", every=_FOLLOW_SECONDS, run=self._follow),
                Task(name="totals", every=1.0, run=lambda: write_totals(kit)),
                Task(name="kept", every=1.0, run=lambda: write_kept(kit)),
                Task(name="look_back", every=_LOOK_BACK_SECONDS, run=lambda: look_back(kit)),
                Task(name="expire", every=_EXPIRE_SECONDS, run=lambda: expire(kit)),
                Task(name="canary", every=settings.canary_seconds, run=self._send_canary),
                Task(name="jobs", every=_JOBS_SECONDS, run=lambda: run_due_jobs(kit, {RECHECK: recheck})),
                Task(name="wake", every=_WAKE_SECONDS, run=lambda: wake(kit)),
                Task(name="looks", every=_LOOKS_SECONDS, run=lambda: close_looks(kit)),
                Task(name="renew", every=_RENEW_SECONDS, run=lambda: renew(kit)),
                Task(name="forget", every=_SWEEP_SECONDS, run=lambda: forget(kit)),
                Task(name="sessions", every=_SWEEP_SECONDS, run=lambda: forget_ended(kit)),
                Task(name="sweep", every=_SWEEP_SECONDS, run=lambda: sweep(kit)),
                *enforcers(kit),
                Task(name="pulls", every=_PULLS_SECONDS, run=lambda: self._pulls.start(due(kit))),
                Task(name="shares", every=_SHARES_SECONDS, run=lambda: run_due_jobs(kit, {SHARE: send_parcel})),
                Task(name="orphans", every=_SWEEP_SECONDS, run=lambda: sweep_orphans(kit)),
                Task(name="evidence_key", every=_KEY_SECONDS, run=lambda: settle_key(kit)),
                Task(name="rewrap", every=_SWEEP_SECONDS, run=lambda: rewrap(kit)),
            ],
        )

    def run(self) -> None:
        """Serve until a signal says to stop."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._kit.index.sizes()  # opens it, before the first caller has to wait for that
        _ = self._kit.prover.passkeys  # loads its library, for the same reason
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again would hold everything up for 60 ms each time
        self.worker.start()
        # The server hands the signal that stopped it back to us: leave in order, not by dying of it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)
        try:
            self._server.run(sockets=list(self._listening))
        except SystemExit:
            self._kit.log.info("stopped")
        finally:
            self.worker.stop()
            self._pulls.stop()

    def problems(self) -> dict[str, str]:
        """What keeps the service from being ready, by part; empty if it is."""
        now = self._kit.clock()
        found = {}
        if now - self._vitals.followed_at > _STALE:
            found["index"] = "has not been compared with the database lately"
        sighting = self._vitals.sighting
        if not is_fresh(sighting, now, timedelta(seconds=self._settings.canary_seconds)):
            found["canary"] = (sighting.problem if sighting else "") or "has not been seen lately"
        try:
            with self._kit.store.read() as tx:
                tx.entries.sequence()
        except JikimiError as error:
            found["database"] = error.message
        return found

    def _follow(self) -> None:
        follow(self._kit)
        self._vitals.followed_at = self._kit.clock()

    def _send_canary(self) -> None:
        if self._canary is None:
            self._canary = prepare(self._kit, paint, alter, self._name)
        self._vitals.sighting = send(
            self._kit, self._canary, lambda picture, key: ask_front_door(self.address, picture, key)
        )


def enforcers(kit: Kit) -> list[Task]:
    """Tasks that tell the platform, several so that a slow answer holds up one case only; none without a webhook."""
    if kit.platform is None:
        return []
    return [
        Task(name=f"enforce-{number}", every=_ENFORCE_SECONDS, run=lambda: run_due_jobs(kit, {ENFORCE: deliver}))
        for number in range(_ENFORCERS)
    ]


def listen(host: str, port: int, setting: str = "--port") -> socket.socket:
    """Take the address to serve on; `Refused` if somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise Refused(
            "address_taken", f"{host}:{port} cannot be listened on ({error.strerror}); choose another with {setting}."
        ) from error
    return listening


@contextmanager
def listen_for_hma(settings: Settings) -> Iterator[tuple[socket.socket, ...]]:
    """Take the port for programs written for HMA, if they have one."""
    if not settings.hma_port:
        yield ()
        return
    with listen(settings.host, settings.hma_port, "hma_port") as listening:
        yield (listening,)


class _LineLogger(structlog.PrintLogger):
    """Writes lines. On a full disk a line is lost, and not what it is about."""

    def msg(self, message: str) -> None:
        """Write one line, if there is room."""
        with suppress(OSError):
            super().msg(message)

    info = warning = error = msg


def make_log(settings: Settings, *, quiet: bool = False) -> Log:
    """Log lines to stderr, if quiet only those that somebody should act on; they carry events, never content."""
    last: structlog.typing.Processor
    if settings.log_format == "json":
        last = structlog.processors.JSONRenderer()
    else:
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    log: Log = structlog.wrap_logger(
        _LineLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
    )
    return log


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if data.stat().st_uid == os.getuid():
            data.chmod(0o700)
    except OSError as error:
        raise Refused(
            "data_unusable", f"{data} cannot be used as data folder ({error.strerror}); choose another with --data."
        ) from error


def _leave(number: int, _frame: object) -> None:
    sys.exit(0)


def _node(data: Path) -> str:
    """The random name of this data folder: nodes of one database may well listen on the same address each."""
    file = data / "node"
    if not file.exists():
        file.write_text(secrets.token_hex(4))
    return file.read_text()


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where to reach ourselves
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _now() -> datetime:
    return datetime.now(UTC)
