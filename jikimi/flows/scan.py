"""An upload is checked and answered.

    1  its size, kind and digests are taken from the bytes
    2  it is decoded in a locked child process, as far as that goes
    3  each picture in it becomes a perceptual signal
    4  all signals are looked up among the bank entries; only what the index proposes is asked of the database
    5  what is found is weighed into a verdict
    6  a clear upload is counted; nothing else of it stays but what step 9 keeps
    7  bytes of a held or blocked upload are sealed as evidence; bytes that a second check may help are sealed and
       set aside
    8  scan, matches, case, evidence, job and audit event are stored together, before the answer
    9  while look-back is on, its signals and the caller's references are kept for some days, whatever the answer; they
       wait in memory for up to a second (see `flows.kept`)

Whatever goes wrong with the bytes becomes a reason in the verdict. Whatever goes wrong with us becomes an error, which
no caller may read as clear. One thing that goes wrong with us is no error: bytes that cannot be sealed. The verdict is
worth more than they are, so it stands and says so.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from jikimi.flows.evidence import keep, secure
from jikimi.flows.join import open_or_join
from jikimi.model.audit import Detail
from jikimi.model.bank import DEFAULT_QUALITY_FLOOR, Bank, BankEntry
from jikimi.model.case import opens_case
from jikimi.model.evidence import Sealed
from jikimi.model.ids import JobId, ScanId
from jikimi.model.job import Job, next_try
from jikimi.model.look_back import KeptUpload
from jikimi.model.match import (
    Coverage,
    Match,
    Verdict,
    View,
    after_flood,
    decide,
    is_featureless,
    match_of,
    strongest_by_bank,
    weighed_again,
)
from jikimi.model.media import SNIFF_BYTES, MediaKind, Reason, sniff
from jikimi.model.scan import Content, Examination, Scan, Seen, Upload, is_canary, is_remembered, needs_recheck
from jikimi.model.signal import MOST_HITS, Hit, Signal, Variant
from jikimi.ports import Kit, Reader, Tx

RECHECK = "recheck"
"""Kind of the job, and first part of the blob's name, for bytes that were set aside."""


def scan(kit: Kit, upload: Upload, file: BinaryIO, *, for_people: bool = False) -> Scan:
    """Check a file that can be read and sought; the answer is stored as far as it has to be.

    `for_people`: somebody has asked people to look, so it is remembered whatever the answer.
    """
    examination = examine(kit.reader, file)
    verdict = judge(kit, examination)
    answer = Scan(
        id=ScanId(kit.ids("scan")),
        upload=upload,
        content=examination.content,
        verdict=verdict,
        signals=examination.signals,
        elapsed_ms=_milliseconds(upload.received_at, kit.clock()),
    )
    answer, sealed = secure(kit, answer, file, for_people=for_people)  # 7
    kept = needs_recheck(verdict)
    if kept:
        with kit.vault.set_aside(file, answer.content.sha256) as blob:
            kit.blobs.put(blob_name(answer.id), blob)
    answer = _conclude(kit, answer, sealed, recheck=kept, for_people=for_people)
    keep_signals(kit, answer, examination)  # 9
    return answer


def scan_unread(kit: Kit, upload: Upload, *, size: int, reason: Reason) -> Scan:
    """Answer for a file whose bytes were not read to their end: too large, or not readable where it should be."""
    examination = unread(size, reason)
    verdict = judge(kit, examination)
    return _conclude(kit, Scan(id=ScanId(kit.ids("scan")), upload=upload, content=examination.content, verdict=verdict))


def examine(reader: Reader, file: BinaryIO) -> Examination:
    """Steps 1 to 3, for every story that starts from a file."""
    size = file.seek(0, os.SEEK_END)  # 1
    file.seek(0)
    kind = sniff(file.read(SNIFF_BYTES))
    if size == 0:
        return unread(size, Reason.EMPTY, kind)
    if size > reader.limits.max_bytes:
        return unread(size, Reason.TOO_LARGE, kind)
    digests = reader.signals.digests(file)
    file.seek(0)
    decoded = reader.decoder.decode(file, kind)  # 2
    seen = tuple(  # 3
        Seen(
            view=View(signal=reader.signals.fingerprint(sketch), flattened=sketch.flattened),
            variants=reader.signals.variants(sketch),
        )
        for sketch in decoded.sketches
    )
    by_type = {signal.type: signal.text for signal in digests}
    return Examination(
        content=Content(kind=kind, size=size, width=decoded.width, height=decoded.height, **by_type),
        digests=digests,
        seen=_distinct(seen),
        frames=decoded.frames,
        faults=decoded.faults,
    )


def digested(reader: Reader, file: BinaryIO) -> Examination:
    """Step 1 alone, for who wants no more: the file is not decoded, and no picture of it is seen."""
    size = file.seek(0, os.SEEK_END)
    digests = reader.signals.digests(file)
    content = Content(kind=MediaKind.OTHER, size=size)
    return Examination(content=content, digests=digests, seen=(), frames=0, faults=())


def judge(kit: Kit, examination: Examination) -> Verdict:
    """Steps 4 and 5: look everything up and weigh it. Nothing is stored."""
    version = kit.index.sequence
    asked = _queries(examination)
    banks = _enabled(kit.store.recent_banks())
    matches: list[Match] = []
    if any(kit.index.search([query.signal for query in asked], _radii(banks), most=1)):
        with kit.store.read() as tx:
            banks = _enabled(tx.banks.all())
            matches = _nearest(_matches(kit, tx, asked, banks))
    views = [seen.view for seen in examination.seen]
    floor = max((bank.policy.quality_floor for bank in banks.values()), default=DEFAULT_QUALITY_FLOOR)
    faults = [*examination.faults, *([Reason.QUALITY_LOW] if is_featureless(views, floor) else [])]
    coverage = Coverage(
        signals=tuple(dict.fromkeys(signal.type for signal in (*examination.digests, *(v.signal for v in views)))),
        frames=examination.frames,
        quality=max((view.signal.quality for view in views if view.signal.quality is not None), default=None),
        index_version=version,
    )
    return decide(matches, faults, coverage)  # 5


def look_up_signals(
    kit: Kit, signals: Sequence[Signal], *, all_banks: bool = False, at: datetime | None = None
) -> list[tuple[Match, ...]]:
    """Look up signals that somebody else computed: the matches of each, nearest first. Nothing is stored.

    `all_banks`: disabled ones too; `at`: entries that sleep count as they will then.
    """
    asked = [_Query(View(signal=signal), Variant.AS_IS, signal) for signal in signals]
    with kit.store.read() as tx:
        banks = _by_id(tx.banks.all()) if all_banks else _enabled(tx.banks.all())
        return [tuple(found) for found in _matches(kit, tx, asked, banks, at)]


def look_up_examined(kit: Kit, examination: Examination, *, all_banks: bool = False) -> list[Match]:
    """Look up everything that a file shows, each picture in all positions: of each entry the nearest match."""
    asked = _queries(examination)
    with kit.store.read() as tx:
        banks = _by_id(tx.banks.all()) if all_banks else _enabled(tx.banks.all())
        return _nearest(_matches(kit, tx, asked, banks))


def keep_signals(kit: Kit, answer: Scan, examination: Examination) -> None:
    """Step 9: what a later entry is compared with. No bytes, no file name, and nothing of the canary."""
    if not kit.look_back or not examination.signals or is_canary(answer.verdict):
        return
    version = answer.verdict.coverage.index_version
    kept = KeptUpload(upload=replace(answer.upload, filename=""), examination=examination, version=version)
    if not kit.kept.add(kept):
        kit.tally.note("signals_not_kept")


def file_scan(kit: Kit, tx: Tx, answer: Scan, sealed: Sealed | None, *, verb: str, also: Detail | None = None) -> Scan:
    """Step 8 but for the scan's own row: flood watch, case, evidence, audit. Returns the scan as it is to be stored.

    `also` is what the audit event says beside the usual.
    """
    now = kit.clock()
    answer = replace(answer, verdict=_watch_flood(kit, tx, answer.verdict, now))
    if opens_case(answer.verdict):
        answer = replace(answer, case_id=open_or_join(kit, tx, answer, now))
    if sealed is not None:
        keep(kit, tx, answer.content, sealed)
    verdict = answer.verdict
    tx.audit.append(
        at=now,
        actor=answer.upload.source,
        verb=verb,
        object_=answer.id,
        detail={
            "disposition": verdict.disposition.value,
            "reasons": list(verdict.reasons),
            "sha256": answer.content.sha256,
            "banks": sorted({match.bank for match in verdict.matches}),
            "case": answer.case_id or "",
            **(also or {}),
        },
    )
    return answer


def blob_name(scan_id: ScanId) -> str:
    """Where the bytes of a scan lie while they wait for a second check."""
    return f"{RECHECK}/{scan_id}"


def _conclude(
    kit: Kit, answer: Scan, sealed: Sealed | None = None, *, recheck: bool = False, for_people: bool = False
) -> Scan:
    """Steps 6 and 8: count, and store what has to be remembered."""
    if for_people or is_remembered(answer.verdict):
        with kit.store.begin() as tx:  # 8
            answer = file_scan(kit, tx, answer, sealed, verb="scan")
            tx.scans.add(answer)
            if recheck:
                job = Job(id=JobId(kit.ids("job")), kind=RECHECK, key=answer.id, run_at=kit.clock())
                tx.jobs.add(replace(job, run_at=next_try(job, job.run_at)))
    verdict = answer.verdict
    kit.tally.count(answer.upload.source, verdict.disposition, verdict.reasons, answer.upload.received_at)  # 6
    return answer


@dataclass(frozen=True, slots=True)
class _Query:
    """One signal to look up, and what it stands for."""

    view: View
    variant: Variant
    signal: Signal


def _by_id(banks: Sequence[Bank]) -> dict[int, Bank]:
    return {bank.id: bank for bank in banks}


def _enabled(banks: Sequence[Bank]) -> dict[int, Bank]:
    return {bank.id: bank for bank in banks if bank.policy.enabled}


def _radii(banks: Mapping[int, Bank]) -> dict[int, int]:
    return {bank.id: bank.policy.max_distance for bank in banks.values()}


def _queries(examination: Examination) -> list[_Query]:
    """Everything that is looked up: the digests, and each picture in all its positions."""
    asked = [_Query(View(signal=digest), Variant.AS_IS, digest) for digest in examination.digests]
    for seen in examination.seen:
        asked += [_Query(seen.view, variant, signal) for variant, signal in seen.variants]
    return asked


def _nearest(found_by_query: Sequence[Sequence[Match]]) -> list[Match]:
    """Of one entry only the nearest match counts in each view."""
    nearest: dict[tuple[int, int, bool], Match] = {}
    for found in found_by_query:
        for match in found:
            key = (match.entry_id, match.frame, match.flattened)
            if key not in nearest or match.distance < nearest[key].distance:
                nearest[key] = match
    return list(nearest.values())


def _matches(
    kit: Kit, tx: Tx, asked: Sequence[_Query], banks: dict[int, Bank], at: datetime | None = None
) -> list[list[Match]]:
    """Step 4: the index proposes, the database confirms, the bank's own rules decide."""
    radii = _radii(banks)
    most = MOST_HITS
    while True:
        proposed = kit.index.search([query.signal for query in asked], radii, most)
        entries = tx.entries.live({hit.entry_id for hits in proposed for hit in hits}, at or kit.clock())
        if not any(_may_hide_more(hits, entries, most) for hits in proposed):
            break
        most *= 16
    found: list[list[Match]] = []
    for query, hits in zip(asked, proposed, strict=True):
        confirmed = [
            match_of(query.view, query.variant, hit.distance, entries[hit.entry_id], banks[hit.bank_id])
            for hit in hits
            if hit.entry_id in entries
        ]
        found.append([match for match in confirmed if match is not None])
    return found


def _may_hide_more(hits: Sequence[Hit], entries: Mapping[int, BankEntry], most: int) -> bool:
    """Tell whether all that was proposed of some bank has been withdrawn, so that what counts may lie behind it."""
    if len(hits) < most:
        return False
    proposed = Counter(hit.bank_id for hit in hits)
    live = {hit.bank_id for hit in hits if hit.entry_id in entries}
    return any(count >= most and bank_id not in live for bank_id, count in proposed.items())


def _watch_flood(kit: Kit, tx: Tx, verdict: Verdict, now: datetime) -> Verdict:
    """Hold a blocking bank when one of its entries suddenly matches very often, and weigh the matches anew."""
    flooded: set[int] = set()
    for match in strongest_by_bank(verdict.matches):
        bank = tx.banks.get(match.bank)
        if bank is None:
            continue
        if bank.flooded_at is not None:  # since this was weighed
            flooded.add(bank.id)
            continue
        uploads = tx.scans.count_matches(match.entry_id, kit.flood.since(now, bank)) + 1
        if not kit.flood.is_broken(uploads):
            continue
        flooded.add(bank.id)
        tx.banks.update(replace(bank, flooded_at=now))
        tx.audit.append(
            at=now, actor="jikimi", verb="bank.flooded", object_=f"bank:{match.bank}", detail={"entry": match.entry_id}
        )
        kit.tally.note("bank_flooded")
        kit.log.warning("bank_flooded", bank=match.bank, entry=match.entry_id)
    if not flooded:
        return verdict
    matches = [after_flood(match) if match.bank_id in flooded else match for match in verdict.matches]
    return weighed_again(verdict, matches)


def _milliseconds(begin: datetime, end: datetime) -> int:
    return int((end - begin).total_seconds() * 1000)


def _distinct(seen: Sequence[Seen]) -> tuple[Seen, ...]:
    """Leave out pictures that repeat an earlier one bit for bit: animations often do."""
    first: dict[bytes, Seen] = {}
    for one in seen:
        first.setdefault(one.view.signal.value, one)
    return tuple(first.values())


def unread(size: int, reason: Reason, kind: MediaKind = MediaKind.OTHER) -> Examination:
    """What can be said of a file that was not looked into."""
    return Examination(content=Content(kind=kind, size=size), digests=(), seen=(), frames=0, faults=(reason,))
