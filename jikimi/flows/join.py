"""An upload that is held or blocked finds its case.

    1  what would it be, as a case of its own?
    2  a case has the same content and waits for people: it joins that one
    3  a case with the same content was decided, and nothing new speaks against the upload: it joins that one, and what
       was decided for the content happens to the upload as well; nobody has to see the picture again
    4  an open case has the same account, and nobody works on it at the moment: it joins that one
    5  otherwise a new case is opened

The verdict stays what the banks say, whatever was decided. Something new in step 3 is a graver kind of harm than the
case's, or, where no violation was found, a bank entry that did not match when that was decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from jikimi.flows.enforce import order
from jikimi.model.action import Target
from jikimi.model.bank import Category, OnMatch
from jikimi.model.case import Case, CaseState, is_graver, join, open_case
from jikimi.model.decision import Decision, final_since, inherited_verb, is_harm, latest_final
from jikimi.model.ids import CaseId
from jikimi.model.match import Match
from jikimi.model.scan import Scan
from jikimi.ports import Kit, Tx

AGAIN = "reupload"
"""Second reason of an action that followed by itself; the first is what was found."""


def open_or_join(kit: Kit, tx: Tx, answer: Scan, now: datetime) -> CaseId:
    """The case of an upload, opened if there is none."""
    new = open_case(
        CaseId(kit.ids("case")), answer.upload, answer.content, answer.verdict, now, kit.review.targets
    )  # 1
    old = tx.cases.holding(answer.content.sha256) if answer.content.sha256 else None
    holds = latest_final(tx.decisions.of_case(old.id)) if old else None
    if old and _is_waiting(old, new):  # 2
        case, verb = join_case(tx, old, new), "case.joined"
    elif old and holds and old.state is CaseState.DECIDED and _is_nothing_new(tx, old, new, holds, answer):  # 3
        case, verb = join_case(tx, old, replace(new, kind=old.kind)), "case.repeated"
    elif open_one := tx.cases.open_for(contents=(), accounts=new.accounts, now=now):  # 4
        case, verb, holds = join_case(tx, open_one, new), "case.joined", None
    else:  # 5
        case, verb, holds = new, "case.opened", None
        tx.cases.add(case)
    facts = {"scan": answer.id, "kind": case.kind.value, "disposition": answer.verdict.disposition.value}
    tx.audit.append(at=now, actor=answer.upload.source, verb=verb, object_=case.id, detail=facts)
    if holds and not (answer.recognised_at and tx.scans.is_in_case(answer.upload, case.id)):
        repeat(kit, tx, case, holds, target_of(answer))
    return case.id


def join_case(tx: Tx, old: Case, new: Case) -> Case:
    """Put what a newer case would have held into an older one; what the older one has already is not read."""
    has_new_content = tx.cases.link(replace(new, id=old.id)) > 0
    case = join(old, new, has_new_content=has_new_content)
    if case.version == old.version:
        tx.cases.keep(case)
    else:
        tx.cases.update(case)
    return case


def repeat(kit: Kit, tx: Tx, case: Case, decision: Decision, target: Target) -> None:
    """Do to one more upload of a content what was decided for the content."""
    verb = inherited_verb(decision.choice)
    if verb is None or not target.content_id:
        return
    order(
        kit, tx, case=case, decision=decision, verb=verb, targets=[target],
        reasons=[decision.choice.label.value, AGAIN],
    )  # fmt: skip
    kit.tally.note("action_repeated")


def target_of(answer: Scan) -> Target:
    """An upload in the platform's own names."""
    upload = answer.upload
    return Target(
        content_id=upload.content_id, account_id=upload.account_id, url=upload.url, sha256=answer.content.sha256
    )


def acting(matches: Iterable[Match]) -> frozenset[int]:
    """The entries that speak against an upload."""
    return frozenset(
        match.entry_id
        for match in matches
        if match.effect in (OnMatch.BLOCK, OnMatch.HOLD) and match.category is not Category.ALLOW
    )


def _is_waiting(old: Case, new: Case) -> bool:
    """Who was asked to agree must not find a graver case under their hands; it becomes a case of its own."""
    if old.state is CaseState.PROPOSED:
        return not is_graver(new.kind, than=old.kind)
    return old.state in (CaseState.OPEN, CaseState.APPEALED)


def _is_nothing_new(tx: Tx, old: Case, new: Case, decision: Decision, answer: Scan) -> bool:
    if is_graver(new.kind, than=old.kind):
        return False
    if is_harm(decision.choice.label):
        return True
    known = tx.scans.entries_known(old.id, answer.content.sha256, final_since(decision))
    return acting(answer.verdict.matches) <= known
