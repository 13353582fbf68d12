"""An upload that could not be checked is checked once more.

1  the bytes that were set aside are fetched and opened, in memory
2  they are examined and judged as if they had just arrived
3  if there is still no answer, the job is put back; after the last try the scan stays unchecked
4  evidence is sealed; what was found is stored with its case and its audit event; its signals are kept as any upload's
5  the bytes are deleted; bytes that no job waits for are swept
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO

from jikimi.flows.evidence import secure
from jikimi.flows.scan import RECHECK, blob_name, examine, file_scan, judge, keep_signals
from jikimi.model.errors import Unavailable
from jikimi.model.ids import ScanId
from jikimi.model.job import Job, is_last_try
from jikimi.model.scan import Scan, needs_recheck
from jikimi.ports import Kit

_SWEEP_AFTER = timedelta(hours=1)
"""Bytes are written before the row that names them; younger ones may belong to a row that is still to come."""


def recheck(kit: Kit, job: Job) -> None:
    """Check the scan named by the job's key again; `Unavailable` asks for another try."""
    scan_id = ScanId(job.key)
    with kit.store.read() as tx:
        old = tx.scans.get(scan_id)
    file = _fetch(kit, old) if old else None  # 1
    if old is None or file is None:
        # Bytes may lie on another node's disk, or sealed by another node; that node will claim the job in its turn.
        if old is not None and not is_last_try(job):
            raise Unavailable("recheck_bytes_elsewhere", "The bytes of this scan are another node's.")
        return
    with file:
        examination = examine(kit.reader, file)  # 2
        verdict = judge(kit, examination)
        if needs_recheck(verdict) and not is_last_try(job):  # 3
            raise Unavailable("recheck_undecided", f"Scan {scan_id} could not be checked this time either.")
        now = kit.clock()
        new = replace(old, content=examination.content, verdict=verdict, signals=examination.signals, rechecked_at=now)
        new, sealed = secure(kit, new, file)  # 4
    with kit.store.begin() as tx:
        new = file_scan(kit, tx, new, sealed, verb="scan.rechecked")
        tx.scans.settle(new)
    kit.tally.count(new.upload.source, new.verdict.disposition, new.verdict.reasons, now)
    keep_signals(kit, new, examination)
    kit.blobs.delete(blob_name(scan_id))  # 5


def _fetch(kit: Kit, scan: Scan) -> BinaryIO | None:
    blob = kit.blobs.get(blob_name(scan.id))
    if blob is None:
        return None
    with blob:
        return kit.vault.take_back(blob, scan.content.sha256)


def sweep(kit: Kit) -> int:
    """Step 5 for bytes left behind by a crash; how many were deleted."""
    before = kit.clock() - _SWEEP_AFTER
    swept = 0
    for name, written_at in kit.blobs.list(RECHECK):
        scan_id = name.removeprefix(f"{RECHECK}/")
        with kit.store.read() as tx:
            is_wanted = tx.jobs.exists(RECHECK, scan_id)
        if not is_wanted and written_at < before:
            kit.blobs.delete(name)
            swept += 1
    return swept
