"""What `jikimi doctor` looks at: the machine, the decoder, the records, the index."""

from __future__ import annotations

import platform
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from jikimi.app import VERSION, open_kit
from jikimi.config import Settings
from jikimi.engine import kernel
from jikimi.engine.decode import straight
from jikimi.engine.decode.lock import support
from jikimi.engine.decode.parent import codec_versions
from jikimi.engine.signals import pdq
from jikimi.flows.account import verify_audit
from jikimi.model.errors import JikimiError
from jikimi.ports import Kit

_FREE_BYTES = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check and its outcome."""

    check: str
    ok: bool
    finding: str


def examine_installation(settings: Settings) -> list[Finding]:
    """Run all checks."""
    findings = [*_machine(settings), _folder(settings)]
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


def _kernel() -> str:
    name = kernel.name()
    if name != "numpy":
        return name
    return f"{name}: slower; the native kernel is not installed, or not asked for"


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


def _records(kit: Kit) -> Iterator[Finding]:
    with kit.store.read() as tx:
        banks, jobs = tx.banks.all(), tx.jobs.counts()
    flooded = [bank.policy.name for bank in banks if bank.flooded_at]
    yield Finding(check="records", ok=True, finding=f"{len(banks)} banks, {jobs.get('waiting', 0)} jobs waiting")
    yield Finding(check="dead jobs", ok=not jobs.get("dead"), finding=f"{jobs.get('dead', 0)}")
    if flooded:
        yield Finding(check="banks", ok=False, finding=f"held, because they matched too often: {', '.join(flooded)}")
    sizes = ", ".join(f"{count} {type_}" for type_, count in kit.index.sizes().items())
    yield Finding(check="index", ok=True, finding=f"{sizes}; change {kit.index.sequence}")
    report = verify_audit(kit)
    yield Finding(
        check="audit", ok=not report.mistake, finding=report.mistake or f"{report.events} events, the chain holds"
    )
