"""Every step can be accounted for: the audit chain is walked, totals are written down, one case is told whole."""

from __future__ import annotations

from dataclasses import dataclass

from jikimi.model.audit import AuditEvent, AuditHead, ChainReport, verify
from jikimi.model.case import Case
from jikimi.model.errors import Broken, Refused
from jikimi.model.ids import CaseId
from jikimi.model.scan import Scan
from jikimi.ports import Kit

_SCANS_OF_A_CASE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStory:
    """A case with its newest scans and everything that happened to it."""

    case: Case
    scans: tuple[Scan, ...]
    events: tuple[AuditEvent, ...]


def verify_audit(kit: Kit) -> ChainReport:
    """Walk the whole chain and report the first mistake."""
    with kit.store.read() as tx:
        head = tx.audit.head()
        try:
            return verify(tx.audit.events(), head)
        except Broken as error:
            return ChainReport(events=0, head=AuditHead(), mistake=error.message)


def tell_case(kit: Kit, case_id: CaseId) -> CaseStory:
    """One case; `Refused` if there is none."""
    with kit.store.read() as tx:
        case = tx.cases.get(case_id)
        if case is None:
            raise Refused(
                "case_unknown", f"There is no case {str(case_id)[:40]!r}; `jikimi case list` shows the newest."
            )
        return CaseStory(
            case=case,
            scans=tx.scans.of_case(case_id, _SCANS_OF_A_CASE),
            events=tuple(tx.audit.events(case_id)),
        )


def write_totals(kit: Kit) -> None:
    """Write down what was counted since the last time; if that fails, it is written next time."""
    taken = kit.tally.take()
    if not taken:
        return
    try:
        with kit.store.begin_beside() as tx:
            tx.counters.add(taken)
    except Exception:
        kit.tally.give_back(taken)
        raise
