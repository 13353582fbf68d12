"""A picture is looked at: counted at the server, capped, and written down, whichever door it is asked at.

1  the person may look at all, now, and at this kind of harm
2  a look begins, with its reason; one that is still open ends first
3  the picture is drawn anew at the level that was asked for, and handed out once; from then on it counts
4  the look ends when the key is let go, or at the longest after which it counts as that long
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jikimi.flows.decide import known_case
from jikimi.flows.evidence import render
from jikimi.model.bank import Category
from jikimi.model.case import Case
from jikimi.model.errors import Refused
from jikimi.model.evidence import EvidenceItem, Rendered
from jikimi.model.exposure import (
    PREVIEW,
    Allowance,
    Exposure,
    Level,
    Total,
    check_allowance,
    check_reason,
    day_began,
    ended,
    length,
    shown,
    weighted,
    zone_of,
)
from jikimi.model.exposure import (
    allowance as allowance_from,
)
from jikimi.model.ids import CaseId, PersonId, RevealId
from jikimi.model.people import Permission, Person, allow
from jikimi.model.signal import SIGNAL_KINDS
from jikimi.ports import Kit, Tx

REVEALS = (Level.GREY, Level.SPOT, Level.FULL)
"""Levels that are seen while a key or button is held."""
_LOOK_BACK = timedelta(hours=6)
"""How far before midnight looks are read: a stretch without a break may have begun there."""
_WEEK = timedelta(days=7)


def preview(kit: Kit, person: Person, case_id: CaseId, sha256: str) -> Rendered:
    """Steps 1 to 3 for the small, grey, blurred picture; it counts as `PREVIEW`, however long its page stays open."""
    allow(person, Permission.REVEAL)
    with kit.store.begin() as tx:
        case, item = _wanted(tx, case_id, sha256)
        check_allowance(allowance_of(kit, tx, person), _kinds(tx, case, sha256), person.opt_outs)  # 1
        look = _begin(kit, person, case, sha256, Level.BLURRED, "preview")
        tx.exposures.add(_as_preview(look))  # 2
        _write_down(tx, _as_preview(look), "exposure.previewed")
        frame, flattened = _matched_view(tx, case_id, sha256)
    return render(  # 3
        kit, person, item, level=Level.BLURRED, case_id=case_id, reason=look.reason, frame=frame, flattened=flattened
    )


def start_reveal(kit: Kit, person: Person, case_id: CaseId, sha256: str, level: Level, reason: str) -> Exposure:
    """Steps 1 and 2: the key is held."""
    allow(person, Permission.REVEAL)
    if level not in REVEALS:
        raise Refused("level_invalid", f"A picture is revealed as {', '.join(REVEALS)}, not as {level}.")
    why = check_reason(reason)
    with kit.store.begin() as tx:
        case, _ = _wanted(tx, case_id, sha256)
        _end_open(kit, tx, person)
        check_allowance(allowance_of(kit, tx, person), _kinds(tx, case, sha256), person.opt_outs)  # 1
        look = _begin(kit, person, case, sha256, level, why)  # 2
        tx.exposures.add(look)
    return look


def revealed(kit: Kit, person: Person, reveal_id: RevealId) -> Rendered:
    """Step 3: the picture, once. It counts from when it is ready; none is sent after the release."""
    allow(person, Permission.REVEAL)
    with kit.store.begin() as tx:
        look = shown(_mine(tx, person, reveal_id), kit.clock(), kit.exposure.longest_reveal)
        case, item = _wanted(tx, look.case_id, look.sha256)
        check_allowance(allowance_of(kit, tx, person), _kinds(tx, case, look.sha256), person.opt_outs)
        tx.exposures.update(look)
        frame, flattened = _matched_view(tx, look.case_id, look.sha256)
    picture = render(
        kit, person, item, level=look.level, case_id=look.case_id, reason=look.reason, frame=frame, flattened=flattened
    )
    with kit.store.begin() as tx:
        if _mine(tx, person, reveal_id).ended_at is not None:
            raise Refused("reveal_over", "The key was let go before the picture came; hold it again.")
        tx.exposures.update(replace(look, shown_at=kit.clock()))
    return picture


def end_reveal(kit: Kit, person: Person, reveal_id: RevealId) -> Exposure:
    """Step 4: the key was let go. Saying it twice changes nothing."""
    allow(person, Permission.REVEAL)
    with kit.store.begin() as tx:
        return _end(kit, tx, _mine(tx, person, reveal_id))


def close_looks(kit: Kit) -> int:
    """Step 4 for pages that never said that the key was let go; how many there were."""
    before = kit.clock() - kit.exposure.longest_reveal
    with kit.store.read() as tx:
        if not tx.exposures.open_since(before):
            return 0
    with kit.store.begin() as tx:
        return len([_end(kit, tx, look) for look in tx.exposures.open_since(before)])


def allowance(kit: Kit, person: Person) -> Allowance:
    """What this person has used today, and what is left."""
    allow(person, Permission.QUEUE)
    with kit.store.read() as tx:
        return allowance_of(kit, tx, person)


def allowance_of(kit: Kit, tx: Tx, person: Person) -> Allowance:
    """The same within a transaction."""
    now, zone = kit.clock(), zone_of(person.time_zone)
    looks = tx.exposures.of_person(person.id, day_began(now, zone, kit.exposure.day_begins) - _LOOK_BACK)
    return allowance_from(looks, kit.exposure, now, zone)


def totals(kit: Kit, person: Person) -> tuple[Total, ...]:
    """What everybody was exposed to, by name: a lead cares for people, and ranks nobody."""
    allow(person, Permission.OVERVIEW)
    now, by_person = kit.clock(), defaultdict[PersonId, list[Exposure]](list)
    with kit.store.read() as tx:
        for look in tx.exposures.since(now - _WEEK):
            by_person[look.person_id].append(look)
        people = [one for one in tx.people.all() if one.id in by_person]
    return tuple(_total(kit, one, by_person[one.id], now) for one in people)


def _total(kit: Kit, person: Person, looks: Sequence[Exposure], now: datetime) -> Total:
    longest = kit.exposure.longest_reveal
    began = day_began(now, zone_of(person.time_zone), kit.exposure.day_begins)
    by_level, by_severity = defaultdict[Level, timedelta](timedelta), defaultdict[int, timedelta](timedelta)
    for look in looks:
        by_level[look.level] += length(look, now, longest)
        by_severity[look.severity] += length(look, now, longest)
    return Total(
        person_id=person.id,
        name=person.name,
        today=weighted((look for look in looks if look.started_at >= began), now, longest),
        week=weighted(looks, now, longest),
        week_by_level=dict(by_level),
        week_by_severity=dict(by_severity),
    )


def _wanted(tx: Tx, case_id: CaseId, sha256: str) -> tuple[Case, EvidenceItem]:
    case = known_case(tx, case_id)
    item = tx.evidence.of_content(sha256) if sha256 in case.contents else None
    if item is None:
        raise Refused("evidence_unknown", "Of this content no bytes are kept for this case; decide without a picture.")
    return case, item


def _matched_view(tx: Tx, case_id: CaseId, sha256: str) -> tuple[int, bool]:
    """The frame that matched, and whether laid on white: what was found is what is looked at."""
    scan = tx.scans.of_content(case_id, sha256)
    matches = scan.verdict.matches if scan else ()
    seen = next((match for match in matches if SIGNAL_KINDS[match.type].perceptual), None)
    return (seen.frame, seen.flattened) if seen else (0, False)


def _kinds(tx: Tx, case: Case, sha256: str) -> set[Category]:
    """What a picture may be: a case is of the gravest kind in it, and this picture may be of another."""
    scan = tx.scans.of_content(case.id, sha256)
    return {case.kind, *(match.category for match in scan.verdict.matches)} if scan else {case.kind}


def _mine(tx: Tx, person: Person, reveal_id: RevealId) -> Exposure:
    look = tx.exposures.get(reveal_id)
    if look is None or look.person_id != person.id:
        raise Refused("reveal_unknown", "There is no such look of yours; hold the key again.")
    return look


def _begin(kit: Kit, person: Person, case: Case, sha256: str, level: Level, reason: str) -> Exposure:
    return Exposure(
        id=RevealId(kit.ids("reveal")),
        person_id=person.id,
        case_id=case.id,
        sha256=sha256,
        level=level,
        severity=case.severity,
        reason=reason,
        started_at=kit.clock(),
    )


def _as_preview(look: Exposure) -> Exposure:
    return replace(
        look,
        shown_at=look.started_at,
        ended_at=look.started_at + PREVIEW,
        milliseconds=int(PREVIEW.total_seconds() * 1000),
    )


def _end_open(kit: Kit, tx: Tx, person: Person) -> None:
    """Nobody looks at two pictures at once; a page that was left did not say so."""
    for look in tx.exposures.open_since(kit.clock() + timedelta(microseconds=1)):
        if look.person_id == person.id:
            _end(kit, tx, look)


def _end(kit: Kit, tx: Tx, look: Exposure) -> Exposure:
    done = ended(look, kit.clock(), kit.exposure.longest_reveal)
    if done != look:
        tx.exposures.update(done)
        _write_down(tx, done, "exposure.ended")
    return done


def _write_down(tx: Tx, look: Exposure, verb: str) -> None:
    assert look.ended_at is not None
    tx.audit.append(
        at=look.ended_at if verb == "exposure.ended" else look.started_at,
        actor=f"person:{look.person_id}",
        verb=verb,
        object_=look.case_id,
        detail={"sha256": look.sha256, "level": look.level.value, "ms": look.milliseconds, "reason": look.reason},
    )
