"""A case: what people will have to decide about content and accounts that belong together.

Here a case is opened or joined. Decisions and moves between states are not made here yet: every case is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from jikimi.model.bank import Category, OnMatch
from jikimi.model.ids import CaseId
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Contents (sha256, hexadecimal) and accounts that are decided together. `version` guards against two writers."""

    id: CaseId
    kind: Category
    severity: int
    state: CaseState
    opened_at: datetime
    updated_at: datetime
    contents: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    version: int = 1


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
