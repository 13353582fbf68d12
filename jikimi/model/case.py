"""A case: what people have to decide about content and accounts that belong together, and how it moves.

The moves are a table. Who may make a move is asked of the person (`people`); a move that is not in the table is
refused, however it was asked for. `version` guards against two tabs: a move made on an old version is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from jikimi.model.bank import Category, OnMatch
from jikimi.model.ids import CaseId, PersonId
from jikimi.model.match import Disposition, Verdict
from jikimi.model.scan import Content, Upload

_SEVERITY = {
    Category.CSAM: 5,
    Category.CSAM_SYNTHETIC: 4,
    Category.NCII: 3,
    Category.NCII_FORGERY: 3,
    Category.TERRORISM: 3,
    Category.OTHER: 1,
}
"""Order of the queue, 5 first: real children before all else."""


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    """Waits for somebody to decide."""
    PROPOSED = "proposed"
    """Somebody has decided; a second person has to agree."""
    DECIDED = "decided"
    APPEALED = "appealed"
    """Decided, and somebody else has to look again."""


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


def opens_case(verdict: Verdict) -> bool:
    """Tell whether people have to look: something is held or blocked."""
    return verdict.disposition in (Disposition.HOLD, Disposition.BLOCK)


def open_case(case_id: CaseId, upload: Upload, content: Content, verdict: Verdict, at: datetime) -> Case:
    """Open a case for an upload that is held or blocked."""
    kind = _gravest(match.category for match in verdict.matches if match.effect is not OnMatch.LOG)
    return Case(
        id=case_id,
        kind=kind,
        severity=_SEVERITY[kind],
        state=CaseState.OPEN,
        opened_at=at,
        updated_at=at,
        contents=(content.sha256,),
        accounts=(upload.account_id,) if upload.account_id else (),
    )


def join(case: Case, newer: Case) -> Case:
    """Put what a newer case would have held into one that is already open; the graver kind wins."""
    kind = _gravest((case.kind, newer.kind))
    return replace(
        case,
        kind=kind,
        severity=_SEVERITY[kind],
        updated_at=newer.updated_at,
        contents=tuple(dict.fromkeys((*case.contents, *newer.contents))),
        accounts=tuple(dict.fromkeys((*case.accounts, *newer.accounts))),
        version=case.version + 1,
    )


def _gravest(kinds: Iterable[Category]) -> Category:
    return max((kind for kind in kinds if kind in _SEVERITY), key=_SEVERITY.__getitem__, default=Category.OTHER)
