"""New entries look back: uploads of the last days that one of them knows are found.

1  what is new is read: the next entries, and uploads that were answered just before they could know an entry which has
   been looked back already
2  one node at a time takes its turn; when a turn is lost with its node, another node takes it after 20 s
3  kept pictures near a new entry are proposed by the index of kept signals
4  each of their uploads is judged from its signals, in the same way as when it arrived
5  what only now is known is stored as an upload is: scan, matches, case, audit; of the bytes nothing is here
6  how far this has come is stored in the transaction of the last finding

Every kept upload up to one number knows every entry up to the other (`Looked`). Who is killed between 5 and 6 leaves
findings that the next turn meets again: an upload whose scans list the entry already is not stored twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from jikimi.flows.index import follow, uploads_in
from jikimi.flows.kept import near
from jikimi.flows.scan import file_scan, judge
from jikimi.model.audit import Detail
from jikimi.model.bank import Bank, BankEntry, Category
from jikimi.model.ids import JobId, ScanId
from jikimi.model.job import Job
from jikimi.model.look_back import KeptUpload, Looked, shelves, upload_at
from jikimi.model.match import Verdict, found_later
from jikimi.model.scan import Scan, is_remembered
from jikimi.model.signal import MOST_HITS
from jikimi.ports import Kit, Tx

LOOK_BACK = "look_back"
"""Kind of the job that is there while a node has its turn."""
_ENTRIES_A_TURN = 1000
_UPLOADS_A_TURN = 2000
_UPLOADS_A_READ = 200
_FINDINGS_A_SLICE = 20
"""Stored in one transaction: uploads that are held have to wait for it."""
_MOST = MOST_HITS << 12
"""Values that are proposed for one entry, by day and quality, before looking back says that there may be more: at least
65 536 pictures, in up to eight positions each."""
_LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Step 1: what a turn is about, and how far looking back has come before and after it."""

    before: Looked
    after: Looked
    entries: Mapping[int, BankEntry]
    banks: Mapping[int, Bank]
    late: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Step 4: an upload as it would be answered now, and the entries that it is found by."""

    kept: KeptUpload
    verdict: Verdict
    entries: frozenset[int]


def look_back(kit: Kit) -> int:
    """One turn; how many uploads were found."""
    if not kit.look_back or _read_news(kit) is None:  # 1
        return 0
    turn = _take_turn(kit)  # 2
    if turn is None:
        return 0
    try:
        news = _read_news(kit)  # another node may have had its turn in between
        return _look(kit, news) if news else 0
    finally:
        with kit.store.begin_beside() as tx:
            tx.jobs.finish(turn)


def _look(kit: Kit, news: News) -> int:
    follow(kit)
    follow(kit, uploads_in(kit))
    findings = judged(kit, news, propose(kit, news))  # 3, 4
    found = 0
    while some := list(islice(findings, _FINDINGS_A_SLICE)):
        with kit.store.begin() as tx:
            found += sum(_store(kit, tx, news, finding) for finding in some)  # 5
    with kit.store.begin() as tx:
        if tx.kept.looked() == news.before:  # 6
            tx.kept.look(news.after)
    return found


def _read_news(kit: Kit) -> News | None:
    """Step 1; none if there is nothing new."""
    with kit.store.read() as tx:
        before = tx.kept.looked()
        if before is not None:
            return _news(kit, tx, before)
    with kit.store.begin() as tx:
        if tx.kept.looked() is None:  # the first time: entries that are there now were there for every upload
            tx.kept.look(Looked(entries=tx.entries.sequence(), uploads=0))
    return None


def _news(kit: Kit, tx: Tx, before: Looked) -> News | None:
    late, uploads = tx.kept.late(before.uploads, before.entries, _UPLOADS_A_TURN)
    batches, entries = tx.entries.changes(before.entries, _ENTRIES_A_TURN)
    if not tx.kept.size():
        batches, entries = (), tx.entries.sequence()
    if entries == before.entries and not late and uploads - before.uploads < _UPLOADS_A_TURN:
        return None
    live = tx.entries.live([id_ for batch in batches for id_ in batch.ids], kit.clock())
    banks = {bank.id: bank for bank in tx.banks.all() if _looks_back(bank)}
    return News(
        before=before,
        after=Looked(entries=entries, uploads=uploads),
        entries={id_: entry for id_, entry in live.items() if _acts(entry, banks)},
        banks=banks,
        late=frozenset(late),
    )


def _looks_back(bank: Bank) -> bool:
    return bank.policy.enabled and bank.policy.category not in (Category.ALLOW, Category.CANARY)


def _acts(entry: BankEntry, banks: Mapping[int, Bank]) -> bool:
    bank = banks.get(entry.bank_id)
    return bank is not None and bank.effect_of(entry.standing) is not None


def _take_turn(kit: Kit) -> Job | None:
    """Step 2: the job is there for as long as the turn lasts."""
    now = kit.clock()
    with kit.store.begin() as tx:
        tx.jobs.add(Job(id=JobId(kit.ids("job")), kind=LOOK_BACK, key="", run_at=now))
        return tx.jobs.claim(now, now + _LEASE, {LOOK_BACK})


def propose(kit: Kit, news: News) -> set[int]:
    """Step 3: kept uploads with a picture near a new entry, or with its digest."""
    alike: dict[tuple[int, int], list[BankEntry]] = defaultdict(list)
    for entry in news.entries.values():
        policy = news.banks[entry.bank_id].policy
        alike[policy.max_distance, policy.quality_floor].append(entry)
    now = kit.clock()
    found: set[int] = set()
    for (distance, floor), entries in alike.items():
        radii = dict.fromkeys(shelves(now - kit.look_back, now, floor), distance)
        hits, cut = near(kit, [entry.signal for entry in entries], radii, _MOST)
        found.update(upload_at(hit.entry_id) for some in hits for hit in some)
        if cut:
            kit.tally.note("look_back_cut")
            kit.log.warning("look_back_cut", entries=cut, why="near more kept pictures than are judged at once")
    return found


def judged(kit: Kit, news: News, proposed: Collection[int]) -> Iterator[Finding]:
    """Step 4: those of the uploads that a new entry is listed for now. One that came late may be new to any entry."""
    wanted = sorted(news.late.union(proposed))
    for start in range(0, len(wanted), _UPLOADS_A_READ):
        with kit.store.read() as tx:
            uploads = tx.kept.some(wanted[start : start + _UPLOADS_A_READ])
        for kept in uploads:
            if kept.upload.received_at < kit.clock() - kit.look_back:
                continue
            verdict = judge(kit, kept.examination)
            listed = frozenset(match.entry_id for match in verdict.matches)
            new = listed if kept.id in news.late else listed & news.entries.keys()
            if new and is_remembered(verdict):
                yield Finding(kept=kept, verdict=found_later(verdict), entries=new)


def _store(kit: Kit, tx: Tx, news: News, finding: Finding) -> bool:
    """Step 5; false if the upload is known to all of these entries already."""
    kept, content = finding.kept, finding.kept.examination.content
    new = finding.entries - tx.scans.entries_of(kept.upload, content.sha256)
    if not new:
        return False
    now = kit.clock()
    answer = Scan(
        id=ScanId(kit.ids("scan")),
        upload=kept.upload,
        content=content,
        verdict=finding.verdict,
        signals=kept.examination.signals,
        rechecked_at=now,
    )
    answer = file_scan(kit, tx, answer, None, verb="look_back", also=_why(tx, news, kept, new, now))
    tx.scans.add(answer)
    kit.tally.note("look_back_found")
    return True


def _why(tx: Tx, news: News, kept: KeptUpload, new: frozenset[int], now: datetime) -> Detail:
    """What the record says beside the usual: when it was uploaded, and which entries came when."""
    entries = {**news.entries, **tx.entries.live(new - news.entries.keys(), now)}
    came = [entries[id_] for id_ in sorted(new) if id_ in entries]
    return {
        "received_at": kept.upload.received_at.isoformat(),
        "entries": [f"{entry.id} {entry.added_at.isoformat()}" for entry in came],
    }
