"""What `jikimi doctor` looks at: the machine, the decoder, the records, the index."""

from __future__ import annotations

import platform
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_bytes

from jikimi.app import VERSION, installed, open_kit
from jikimi.config import Settings
from jikimi.engine import kernel
from jikimi.engine.decode import native, straight
from jikimi.engine.decode.lock import support
from jikimi.engine.decode.parent import Decoder, codec_versions
from jikimi.engine.signals import pdq
from jikimi.flows.account import verify_audit
from jikimi.flows.enforce import outbox
from jikimi.flows.evidence_key import key_states
from jikimi.flows.exchange import vital_signs
from jikimi.model.action import ActionState
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.exchange import NEED_ATTENTION, Health
from jikimi.model.share import ShareState
from jikimi.plugs.peer_key import PeerKeyFile
from jikimi.ports import Kit
from jikimi.vault.safe import KeySafe

_FREE_BYTES = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check and its outcome."""

    check: str
    ok: bool
    finding: str


def examine_installation(settings: Settings) -> list[Finding]:
    """Run all checks."""
    findings = [
        *_machine(settings), _folder(settings), *_secrets_key(settings), *_peer_key(settings), *_plugs(settings),
    ]  # fmt: skip
    try:
        with open_kit(settings) as kit:
            findings += _records(kit)
    except JikimiError as error:
        findings.append(Finding(check="records", ok=False, finding=error.message))
    return findings


def _machine(settings: Settings) -> Iterator[Finding]:
    yield Finding(check="jikimi", ok=True, finding=f"{VERSION}, Python {platform.python_version()}")
    lock = support()
    if not settings.sandbox:
        yield Finding(check="sandbox", ok=False, finding="switched off in the settings: hostile files can do harm")
    else:
        found = f"seccomp and Landlock {lock.landlock_abi}" if lock.seccomp else lock.reason
        yield Finding(check="sandbox", ok=lock.seccomp, finding=found)
    versions = ", ".join(f"{name} {number}" for name, number in codec_versions().items())
    yield Finding(check="codecs", ok=True, finding=versions)
    yield Finding(check="kernel", ok=True, finding=_kernel())
    yield Finding(check="pictures", ok=True, finding=f"PDQ {pdq.name()}, {straight.name()}")
    yield Finding(check="plain JPEGs", ok=True, finding=_plain_jpegs(settings))


def _plain_jpegs(settings: Settings) -> str:
    """Try the native fork server out, as the first JPEG would."""
    if native.program() is None:
        return "in the general fork server: there is no native one"
    try:
        with Decoder(settings.limits, workers=1, sandbox=settings.sandbox) as decoder:
            is_used = decoder.is_plain_native()
    except Refused as error:
        return error.message
    return "in the native fork server" if is_used else "in the general fork server: the native one sees other pixels"


def _kernel() -> str:
    name = kernel.name()
    if name != "numpy":
        return name
    return f"{name}: slower; the native kernel is not installed, or not asked for"


def _plugs(settings: Settings) -> Iterator[Finding]:
    """Kinds of exchange that the settings name, or that ship with us, and that cannot be used."""
    broken = (plug for plug in installed(settings).plugs() if plug.fault)
    return (Finding(check=f"plug-in {plug.name}", ok=False, finding=plug.fault) for plug in broken)


def _folder(settings: Settings) -> Finding:
    folder = settings.data
    if not folder.exists():
        return Finding(check="data folder", ok=True, finding=f"{folder} is made at the first start")
    mode = stat.S_IMODE(folder.stat().st_mode)
    free = shutil.disk_usage(folder).free
    if mode & 0o077:
        return Finding(
            check="data folder", ok=False, finding=f"{folder} has mode {mode:o}; others may read it: chmod 700"
        )
    if free < _FREE_BYTES:
        return Finding(check="data folder", ok=False, finding=f"{folder}: only {free // 1024**2} MiB are free")
    return Finding(check="data folder", ok=True, finding=f"{folder}, {free // 1024**3} GiB free")


def _secrets_key(settings: Settings) -> Iterator[Finding]:
    """Told only once there is a key: the first credential makes it."""
    safe = KeySafe(settings.secrets_key, token_bytes)
    if not safe.file.exists():
        return
    finding = f"{safe.file}; keep a copy: without it credentials have to be entered again"
    if not safe.is_private:
        finding = f"{safe.file} can be read by others: chmod 600"
    yield Finding(check="secrets key", ok=safe.is_private, finding=finding)


def _peer_key(settings: Settings) -> Iterator[Finding]:
    """Told only once there is a key: the first peer makes it."""
    key = PeerKeyFile(settings.peer_key, token_bytes)
    if not key.file.exists():
        return
    finding = f"{key.file}; keep a copy: without it every peer has to be told another identity"
    if not key.is_private:
        finding = f"{key.file} can be read by others: chmod 600"
    yield Finding(check="peer key", ok=key.is_private, finding=finding)


def _records(kit: Kit) -> Iterator[Finding]:
    with kit.store.read() as tx:
        banks, jobs = tx.banks.all(), tx.jobs.counts()
        refused = tx.shares.counts().get(ShareState.FAILED, 0)
    yield from _enforcement(kit)
    flooded = [bank.policy.name for bank in banks if bank.flooded_at]
    yield Finding(check="records", ok=True, finding=f"{len(banks)} banks, {jobs.get('waiting', 0)} jobs waiting")
    yield Finding(check="dead jobs", ok=not jobs.get("dead"), finding=f"{jobs.get('dead', 0)}")
    if flooded:
        yield Finding(check="banks", ok=False, finding=f"held, because they matched too often: {', '.join(flooded)}")
    sizes = ", ".join(f"{count} {type_}" for type_, count in kit.index.sizes().items())
    yield Finding(check="index", ok=True, finding=f"{sizes}; change {kit.index.sequence}")
    yield from _exchanges(kit)
    if refused:
        finding = f"{refused} not taken by exchanges; `jikimi share list --state failed` shows them"
        yield Finding(check="given back", ok=False, finding=finding)
    yield _evidence_key(kit)
    report = verify_audit(kit)
    yield Finding(
        check="audit", ok=not report.mistake, finding=report.mistake or f"{report.events} events, the chain holds"
    )


def _enforcement(kit: Kit) -> Iterator[Finding]:
    standing = outbox(kit)
    waiting, dead = (standing.counts.get(state, 0) for state in (ActionState.WAITING, ActionState.DEAD))
    since = f", the oldest since {standing.oldest_waiting:%Y-%m-%d %H:%M} UTC" if standing.oldest_waiting else ""
    if standing.is_connected:
        yield Finding(check="webhook", ok=True, finding=f"{waiting} actions wait{since}")
    else:
        told = "no webhook_url is set: the platform is told nothing"
        yield Finding(check="webhook", ok=not waiting, finding=f"{told}; {waiting} actions wait{since}")
    if dead:
        yield Finding(check="dead actions", ok=False, finding=f"{dead}; `jikimi action list --state dead` shows them")


def _exchanges(kit: Kit) -> Iterator[Finding]:
    for sign in vital_signs(kit):
        minutes = sign.age.total_seconds() / 60
        found = (
            f"{sign.health}; pulled {minutes:.0f} minutes ago" if sign.health != Health.WAITING else "not yet pulled"
        )
        error = f"; {sign.error}" if sign.error else ""
        yield Finding(check=f"exchange {sign.name}", ok=sign.health not in NEED_ATTENTION, finding=found + error)


def _evidence_key(kit: Kit) -> Finding:
    states = key_states(kit)
    stranded = sum(state.items for state in states if not state.is_present)
    present = states[-1]
    place = "this node can open" if present.is_here else "this node seals only"
    if not present.was_written_down:
        place += "; on no paper yet: jikimi vault recovery"
    if stranded:
        place += f"; {stranded} items at an older key: jikimi vault rotate --finish"
    return Finding(check="evidence key", ok=not stranded, finding=f"{present.fingerprint}, {place}")
