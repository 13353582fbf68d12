"""A case: what people have to decide about content and accounts that belong together, and how it moves.

The moves are a table. Who may make a move is asked of the person (`people`); a move that is not in the table is
refused, however it was asked for. Whoever decides holds the case by a lease. `version` guards against two tabs: it
grows with every move and with every content that joins, and a decision made on an old version is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jikimi.model.bank import Category, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, NoteId, PersonId
from jikimi.model.match import Disposition, Verdict
from jikimi.model.scan import Content, Upload

SEVERITY = {
    Category.CSAM: 5,
    Category.CSAM_SYNTHETIC: 4,
    Category.NCII: 3,
    Category.NCII_FORGERY: 3,
    Category.TERRORISM: 3,
    Category.OTHER: 1,
}
"""Order of the queue, 5 first: real children before all else. These are the kinds a case can have."""


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    """Waits for somebody to decide."""
    PROPOSED = "proposed"
    """Somebody has decided; a second person has to agree."""
    DECIDED = "decided"
    APPEALED = "appealed"
    """Decided, and somebody else has to look again."""


WAITING = (CaseState.OPEN, CaseState.PROPOSED, CaseState.APPEALED)
"""Where a case waits for a person."""


class Move(StrEnum):
    """What can happen to a case."""

    PROPOSE = "propose"
    """Decide, where a second person has to agree."""
    DECIDE = "decide"
    CONFIRM = "confirm"
    DECLINE = "decline"
    UNDO = "undo"
    APPEAL = "appeal"


MOVES = {
    (CaseState.OPEN, Move.PROPOSE): CaseState.PROPOSED,
    (CaseState.OPEN, Move.DECIDE): CaseState.DECIDED,
    (CaseState.PROPOSED, Move.CONFIRM): CaseState.DECIDED,
    (CaseState.PROPOSED, Move.DECLINE): CaseState.OPEN,
    (CaseState.DECIDED, Move.UNDO): CaseState.OPEN,
    (CaseState.DECIDED, Move.APPEAL): CaseState.APPEALED,
    (CaseState.APPEALED, Move.PROPOSE): CaseState.PROPOSED,
    (CaseState.APPEALED, Move.DECIDE): CaseState.DECIDED,
}
"""Every move there is. What is declined while an appeal is open goes back to the appeal instead (`moved`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """By when the operator wants cases to be decided, by severity. No law says this."""

    by_severity: Mapping[int, timedelta] = field(
        default_factory=lambda: {5: timedelta(hours=4), 4: timedelta(hours=12), 3: timedelta(hours=24)}
    )
    otherwise: timedelta = timedelta(hours=72)

    def after(self, opened_at: datetime, severity: int) -> datetime:
        """When a case of this severity is due."""
        return opened_at + self.by_severity.get(severity, self.otherwise)


class Origin(StrEnum):
    """What a case began with."""

    MATCH = "match"
    REPORT = "report"
    """A user of the platform reported something."""
    PLATFORM = "platform"
    """The platform itself asked for a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Contents (sha256, hexadecimal) and accounts that are decided together.

    `assignee` works on it until `lease_until`; after that it is anybody's. `target_at` is what the operator has set
    as a target, which is not a deadline of any law.
    """

    id: CaseId
    kind: Category
    severity: int
    state: CaseState
    opened_at: datetime
    updated_at: datetime
    contents: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    version: int = 1
    origin: Origin = Origin.MATCH
    assignee: PersonId | None = None
    lease_until: datetime | None = None
    target_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote about a case. It is never changed and never deleted."""

    id: NoteId
    case_id: CaseId
    by: PersonId
    at: datetime
    text: str


def opens_case(verdict: Verdict) -> bool:
    """Tell whether people have to look: something is held or blocked."""
    return verdict.disposition in (Disposition.HOLD, Disposition.BLOCK)


def open_case(
    case_id: CaseId, upload: Upload, content: Content, verdict: Verdict, at: datetime, targets: Targets
) -> Case:
    """Open a case for an upload that is held or blocked."""
    return new_case(
        case_id,
        kind=gravest(match.category for match in verdict.matches if match.effect is not OnMatch.LOG),
        origin=Origin.MATCH,
        at=at,
        targets=targets,
        contents=(content.sha256,),
        accounts=(upload.account_id,),
    )


def new_case(
    case_id: CaseId,
    *,
    kind: Category,
    origin: Origin,
    at: datetime,
    targets: Targets,
    contents: Iterable[str] = (),
    accounts: Iterable[str] = (),
) -> Case:
    """Open a case, due when the operator's target says. Empty names of contents and accounts are left out."""
    if kind not in SEVERITY:
        raise Refused("case_kind_invalid", f"A case is about one of {', '.join(SEVERITY)}, not {kind}.")
    return Case(
        id=case_id,
        kind=kind,
        severity=SEVERITY[kind],
        state=CaseState.OPEN,
        opened_at=at,
        updated_at=at,
        contents=tuple(filter(None, contents)),
        accounts=tuple(filter(None, accounts)),
        origin=origin,
        target_at=targets.after(at, SEVERITY[kind]),
    )


def join(case: Case, newer: Case, *, has_new_content: bool = True) -> Case:
    """Put what a newer case would have held into one that is already there; the graver kind and earlier target win.

    Only what may change a decision moves the version on: a content that was not there, or a graver kind. Otherwise
    nobody could ever decide a case whose picture is posted again every second.
    """
    kind = gravest((case.kind, newer.kind))
    moves_on = has_new_content or kind is not case.kind
    return replace(
        case,
        kind=kind,
        severity=SEVERITY[kind],
        updated_at=newer.updated_at,
        contents=tuple(dict.fromkeys((*case.contents, *newer.contents))),
        accounts=tuple(dict.fromkeys((*case.accounts, *newer.accounts))),
        version=case.version + moves_on,
        target_at=min((at for at in (case.target_at, newer.target_at) if at), default=None),
    )


def is_graver(kind: Category, than: Category) -> bool:
    """Tell whether one kind of harm comes before another."""
    return SEVERITY.get(kind, 0) > SEVERITY.get(than, 0)


def moved(case: Case, move: Move, at: datetime, *, to_appeal: bool = False) -> Case:
    """Make a move from the table; the case is nobody's afterwards. `to_appeal`: a decline goes back to the appeal."""
    state = MOVES.get((case.state, move))
    if state is None:
        raise Refused("case_moved", f"This case is {case.state} by now; look at it again before you {move} anything.")
    if move is Move.DECLINE and to_appeal:
        state = CaseState.APPEALED
    return replace(case, state=state, updated_at=at, version=case.version + 1, assignee=None, lease_until=None)


def holder(case: Case, now: datetime) -> PersonId | None:
    """Who works on the case now."""
    is_live = case.lease_until is not None and now < case.lease_until
    return case.assignee if is_live else None


def taken(case: Case, person: PersonId, now: datetime, lease: timedelta, *, held_by: str = "") -> Case:
    """Give a case to a person for a while, or longer if it is theirs; `held_by` is what to call who has it."""
    if case.state is CaseState.DECIDED:
        raise Refused("case_moved", "This case was decided meanwhile; nothing is left to do.")
    if holder(case, now) not in (None, person):
        raise Refused("case_taken", f"{held_by or 'Somebody else'} works on this case now; take another.")
    return replace(case, assignee=person, lease_until=now + lease)


def released(case: Case, person: PersonId, now: datetime) -> Case:
    """Give a case back, if this person has it still."""
    if holder(case, now) != person:
        raise Refused("lease_expired", "This case is not yours any more; take it again if you need it.")
    return replace(case, assignee=None, lease_until=None)


def check_hold(case: Case, person: PersonId, version: int, now: datetime) -> None:
    """Refuse whoever decides without holding the case, or on what it was before."""
    if case.version != version or case.state not in WAITING:
        raise Refused(
            "case_moved", "This case has changed since you opened it. What you wrote is kept: look again, then decide."
        )
    if holder(case, now) != person:
        raise Refused(
            "lease_expired",
            "Your time with this case is over. What you wrote is kept: take the case again, then decide.",
        )


def gravest(kinds: Iterable[Category]) -> Category:
    """The kind that comes first; `other` if there is none."""
    return max((kind for kind in kinds if kind in SEVERITY), key=SEVERITY.__getitem__, default=Category.OTHER)
