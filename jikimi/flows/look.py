"""A case is looked at and written about: everything that is known, and not one picture.

1  the case, its contents with whether their bytes are kept, and its newest uploads with what matched
2  what belongs near it: cases with the same content or the same bank entry, and what else its accounts were in
3  what people decided and wrote, what was ordered, what was appealed and reported, in the order it happened
4  what this person may still look at today
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jikimi.flows.decide import audit, known_case
from jikimi.flows.expose import allowance_of
from jikimi.flows.join import acting
from jikimi.flows.queue import names_of
from jikimi.model.action import Action
from jikimi.model.appeal import Appeal
from jikimi.model.audit import AuditEvent
from jikimi.model.bank import Bank, BankEntry
from jikimi.model.case import Case, Note, holder
from jikimi.model.decision import Decision, check_note
from jikimi.model.errors import Refused
from jikimi.model.exposure import Allowance
from jikimi.model.ids import CaseId, NoteId, PersonId
from jikimi.model.peer import Said
from jikimi.model.people import Permission, Person, allow
from jikimi.model.scan import Scan
from jikimi.model.user_report import UserReport
from jikimi.ports import Kit, Tx

SHOWN = 50
"""Uploads, contents, accounts, related cases, reports and actions on one page; a case can have thousands."""
_EVENTS = 500
_PERSON = "person:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentView:
    """One content of a case: its newest upload there, and whether its bytes are kept."""

    sha256: str
    scan: Scan | None
    has_evidence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """One account of a case, and the other cases it is in, newest first."""

    account_id: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """One thing that happened; `who` is a colleague's name, or what the record calls the program."""

    at: datetime
    who: str
    verb: str
    event: AuditEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """Everything that the page of a case shows. `names` are those of all colleagues in it."""

    case: Case
    uploads: int
    scans: tuple[Scan, ...]
    contents: tuple[ContentView, ...]
    same_content: tuple[Case, ...]
    same_entry: tuple[Case, ...]
    accounts: tuple[AccountView, ...]
    decisions: tuple[Decision, ...]
    notes: tuple[Note, ...]
    actions: tuple[Action, ...]
    appeals: tuple[Appeal, ...]
    user_reports: tuple[UserReport, ...]
    timeline: tuple[TimelineEvent, ...]
    names: Mapping[PersonId, str]
    allowance: Allowance
    holder: PersonId | None

    @property
    def proposed(self) -> Decision | None:
        """The decision that waits for a second person."""
        return next((one for one in self.decisions if one.state == "proposed"), None)

    @property
    def final(self) -> Decision | None:
        """The decision that holds."""
        return next((one for one in self.decisions if one.state == "final"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMatches:
    """What else an entry matched, and what else its bank did, newest first: is it the entry that is wrong, or more?"""

    entry: BankEntry
    bank: Bank
    of_entry: tuple[Scan, ...]
    of_bank: tuple[Scan, ...]
    said: tuple[Said, ...] = ()
    """By peers that read the bank."""


def look(kit: Kit, person: Person, case_id: CaseId) -> CaseView:
    """Steps 1 to 4."""
    allow(person, Permission.QUEUE)
    now = kit.clock()
    with kit.store.read() as tx:
        case = known_case(tx, case_id)
        scans = tx.scans.of_case(case_id, SHOWN)
        summary = tx.scans.summaries([case_id])[case_id]
        decisions, notes = tx.decisions.of_case(case_id), tx.notes.of_case(case_id)
        events = tx.audit.newest(case_id, _EVENTS)
        held_by = holder(case, now)
        names = names_of(tx, _everybody(decisions, notes, events) | {held_by})
        return CaseView(
            case=case,
            uploads=summary.uploads,
            scans=scans,
            contents=tuple(_content(tx, case, sha256) for sha256 in case.contents[:SHOWN]),
            same_content=tx.cases.sharing(case, SHOWN),
            same_entry=_same_entry(tx, case, scans),
            accounts=tuple(_account(tx, case, account) for account in case.accounts[:SHOWN]),
            decisions=decisions,
            notes=notes,
            actions=tx.actions.newest_of_case(case_id, SHOWN),
            appeals=tx.appeals.of_case(case_id),
            user_reports=tx.user_reports.of_case(case_id, SHOWN),
            timeline=tuple(_named(event, names) for event in events),
            names=names,
            allowance=allowance_of(kit, tx, person),
            holder=held_by,
        )


def note(kit: Kit, person: Person, case_id: CaseId, text: str) -> Note:
    """Write something about a case, whoever works on it; it stays for ever."""
    allow(person, Permission.QUEUE)
    check_note(text)
    if not text.strip():
        raise Refused("note_missing", "The note is empty; write something.")
    with kit.store.begin() as tx:
        case = known_case(tx, case_id)
        written = Note(id=NoteId(kit.ids("note")), case_id=case.id, by=person.id, at=kit.clock(), text=text)
        tx.notes.add(written)
        audit(kit, tx, person, "case.noted", case.id, note=written.id)
    return written


def other_matches(kit: Kit, person: Person, entry_id: int) -> OtherMatches:
    """What else would be affected if an entry were withdrawn."""
    allow(person, Permission.BANKS)
    with kit.store.read() as tx:
        entry = tx.entries.get(entry_id)
        bank = next((one for one in tx.banks.all() if entry and one.id == entry.bank_id), None)
        if entry is None or bank is None:
            raise Refused("entry_unknown", f"There is no entry {entry_id}; its bank may have been deleted.")
        return OtherMatches(
            entry=entry,
            bank=bank,
            of_entry=tx.scans.of_entry(entry_id, SHOWN),
            of_bank=tx.scans.of_bank(bank.id, SHOWN),
            said=tx.peers.said([entry_id]),
        )


def _content(tx: Tx, case: Case, sha256: str) -> ContentView:
    has_evidence = tx.evidence.of_content(sha256) is not None
    return ContentView(sha256=sha256, scan=tx.scans.of_content(case.id, sha256), has_evidence=has_evidence)


def _account(tx: Tx, case: Case, account: str) -> AccountView:
    others = tuple(one for one in tx.cases.of_account(account, SHOWN) if one.id != case.id)
    return AccountView(account_id=account, cases=others)


def _same_entry(tx: Tx, case: Case, scans: Sequence[Scan]) -> tuple[Case, ...]:
    """Cases with another file that looks like the same known picture."""
    entries = acting(match for scan in scans for match in scan.verdict.matches)
    ids = [one for one in tx.scans.cases_matched_by(entries, SHOWN) if one != case.id] if entries else []
    return tx.cases.some(ids) if ids else ()


def _everybody(
    decisions: Sequence[Decision], notes: Sequence[Note], events: Sequence[AuditEvent]
) -> set[PersonId | None]:
    in_decisions = {who for one in decisions for who in (one.by, one.second, one.undone_by)}
    in_events = {PersonId(one.actor.removeprefix(_PERSON)) for one in events if one.actor.startswith(_PERSON)}
    return in_decisions | in_events | {one.by for one in notes}


def _named(event: AuditEvent, names: Mapping[PersonId, str]) -> TimelineEvent:
    who = names.get(PersonId(event.actor.removeprefix(_PERSON)), event.actor)
    return TimelineEvent(at=event.at, who=who, verb=event.verb, event=event)
