"""A decision: what a person found, what follows from it, and whether a second person has to agree.

Who may decide, and when, is `case`; carrying it out is `flows.review`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jikimi.model.action import Verb
from jikimi.model.case import Targets
from jikimi.model.errors import Refused
from jikimi.model.ids import AppealId, CaseId, DecisionId, PersonId
from jikimi.model.people import Permission

MAX_NOTE = 4000
"""Characters of a note."""


class Label(StrEnum):
    """What was found. The harms carry the names of the banks' categories."""

    CSAM = "csam"
    CSAM_SYNTHETIC = "csam_synthetic"
    NCII = "ncii"
    NCII_FORGERY = "ncii_forgery"
    TERRORISM = "terrorism"
    OTHER = "other"
    NO_VIOLATION = "no_violation"


class Tri(StrEnum):
    """Yes, no, or nobody knows: a legal fact is never guessed."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Says(StrEnum):
    """Who says that a fact is so."""

    REVIEWER = "reviewer"
    SOURCE = "source"
    """The exchange or list that the matched entry came from."""
    REPORTER = "reporter"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact that laws ask for, with who says so."""

    value: Tri = Tri.UNKNOWN
    says: Says = Says.REVIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts that decide which law applies. Each stands for itself: none follows from another."""

    real_person: Fact = field(default_factory=Fact)
    real_child: Fact = field(default_factory=Fact)
    ai_generated: Fact = field(default_factory=Fact)


class TwoPerson(StrEnum):
    """What may need a second person; the operator's settings say which of these do."""

    LEGAL_HOLD = "legal_hold"
    BANK_ADDITION = "bank_addition"
    IRREVERSIBLE = "irreversible"
    SUSPENSION = "suspension"
    FALSE_POSITIVE = "false_positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRules:
    """What the operator chooses about deciding."""

    two_person: frozenset[TwoPerson] = frozenset(
        {TwoPerson.LEGAL_HOLD, TwoPerson.BANK_ADDITION, TwoPerson.IRREVERSIBLE}
    )
    lease: timedelta = timedelta(minutes=10)
    undo_window: timedelta = timedelta(minutes=30)
    targets: Targets = field(default_factory=Targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person chose on the case page. `verb` is none where nothing has to be done (or where all stays as it is).

    `false_positives` are numbers of bank entries that match what they should not. `bank` names the bank to which the
    case's contents are to be added; empty: none.
    """

    label: Label
    verb: Verb | None
    facts: Facts = field(default_factory=Facts)
    note: str = ""
    irreversible: bool = False
    legal_hold: bool = False
    bank: str = ""
    false_positives: tuple[int, ...] = ()


class DecisionState(StrEnum):
    """How far a decision has come."""

    PROPOSED = "proposed"
    """Waits for a second person; nothing has been done yet."""
    FINAL = "final"
    DECLINED = "declined"
    """The second person did not agree; the case is open again."""
    UNDONE = "undone"
    REPLACED = "replaced"
    """Another decision, made on appeal, holds in its place. A case has at most one that is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A choice with who made it and what became of it. `seen` says what was really looked at, per `exposure.Level`.

    `added` and `withdrawn` are numbers of bank entries that it really added and withdrew, so that undoing it takes
    back that and nothing else.
    """

    id: DecisionId
    case_id: CaseId
    by: PersonId
    at: datetime
    choice: Choice
    state: DecisionState
    seen: tuple[str, ...] = ()
    second: PersonId | None = None
    second_at: datetime | None = None
    second_note: str = ""
    undone_by: PersonId | None = None
    undone_at: datetime | None = None
    appeal_id: AppealId | None = None
    added: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()


def check_choice(choice: Choice) -> None:
    """Refuse a choice that contradicts itself."""
    check_note(choice.note)
    if is_harm(choice.label) and choice.verb is Verb.RESTORE:
        raise Refused("choice_invalid", "What is harmful is not restored: choose another action or another label.")
    if not is_harm(choice.label) and choice.verb not in (None, Verb.RESTORE):
        raise Refused("choice_invalid", "What violates nothing is only restored: choose another action or label.")
    if choice.irreversible and choice.verb is not Verb.REMOVE:
        raise Refused("choice_invalid", "Only a removal can be irreversible: choose the action remove.")


def check_note(untrusted_note: str) -> None:
    """Refuse a note that is too long."""
    if len(untrusted_note) > MAX_NOTE:
        raise Refused("note_too_long", f"A note has at most {MAX_NOTE} characters; this one has {len(untrusted_note)}.")


def check_second(decision: Decision, earlier: Iterable[Decision], person: PersonId) -> None:
    """Refuse to be the second person where one was the first, or has decided what is appealed against."""
    if decision.state is not DecisionState.PROPOSED:
        raise Refused("case_moved", f"This decision is {decision.state} by now; look at the case again.")
    if person == decision.by:
        raise Refused("second_person_same", "You made this decision; somebody else has to agree to it.")
    if decision.appeal_id is not None:
        check_appeal(earlier, person)


def check_appeal(earlier: Iterable[Decision], person: PersonId) -> None:
    """Refuse who has taken part in a decision that is appealed against."""
    counted = (DecisionState.FINAL, DecisionState.REPLACED)
    took_part = {who for one in earlier if one.state in counted for who in (one.by, one.second)}
    if person in took_part:
        raise Refused("appeal_needs_other", "You took part in what is appealed against; somebody else has to look.")


def confirmed(decision: Decision, person: PersonId, note: str, at: datetime) -> Decision:
    """The decision once a second person has agreed."""
    return replace(decision, state=DecisionState.FINAL, second=person, second_note=note, second_at=at)


def declined(decision: Decision, person: PersonId, note: str, at: datetime) -> Decision:
    """The decision once a second person has not agreed; why is asked of them."""
    if not note.strip():
        raise Refused("note_missing", "Say in a note why you do not agree; the first person reads it.")
    return replace(decision, state=DecisionState.DECLINED, second=person, second_note=note, second_at=at)


def undone(decision: Decision, person: PersonId, at: datetime, window: timedelta, *, is_lead: bool) -> Decision:
    """The decision once it was undone: within the window, by a lead, or by who made it final: alone, or as the second.

    What took two people is not taken back by the one who proposed it.
    """
    if decision.state is not DecisionState.FINAL:
        raise Refused("case_moved", f"This decision is {decision.state} by now; look at the case again.")
    if decision.appeal_id is not None:
        raise Refused("undo_appealed", "This was decided on appeal, and the platform was told; it is not undone.")
    if decision.choice.irreversible:
        raise Refused("undo_irreversible", "An irreversible removal was ordered; it cannot be taken back.")
    if person != (decision.second or decision.by) and not is_lead:
        raise Refused("undo_not_yours", "Who made a decision final may undo it, or a lead.")
    if at > final_since(decision) + window:
        raise Refused("undo_too_late", "The time for undoing is over; an appeal decides anew.")
    return replace(decision, state=DecisionState.UNDONE, undone_by=person, undone_at=at)


def final_since(decision: Decision) -> datetime:
    """From when on a final decision holds."""
    return decision.second_at or decision.at


def is_upheld(old: Choice, new: Choice) -> bool:
    """Tell whether a decision on appeal says the same as the one before: nothing has to be done again then."""
    return is_harm(old.label) == is_harm(new.label) and old.verb is new.verb


def as_it_is(choice: Choice, stands: Decision | None) -> Choice:
    """On appeal, no action means that what was ordered stands; say so, because it is what will be repeated."""
    if stands is None or choice.verb is not None or is_harm(choice.label) != is_harm(stands.choice.label):
        return choice
    return replace(choice, verb=stands.choice.verb)


def inherited_verb(choice: Choice) -> Verb | None:
    """What happens by itself to a content that is uploaded again. Nobody's account is closed without a person."""
    return Verb.REMOVE if choice.verb is Verb.SUSPEND else choice.verb


def asks_second(choice: Choice, rules: ReviewRules) -> frozenset[TwoPerson]:
    """Why a second person has to agree to this choice; empty if nobody has to."""
    wants = {
        TwoPerson.LEGAL_HOLD: choice.legal_hold,
        TwoPerson.BANK_ADDITION: bool(choice.bank),
        TwoPerson.IRREVERSIBLE: choice.irreversible,
        TwoPerson.SUSPENSION: choice.verb is Verb.SUSPEND,
        TwoPerson.FALSE_POSITIVE: bool(choice.false_positives),
    }
    return frozenset(reason for reason, is_wanted in wants.items() if is_wanted and reason in rules.two_person)


def needs(choice: Choice) -> frozenset[Permission]:
    """What those who make a choice final have to be allowed to do, between them."""
    wants = {
        Permission.HOLD: choice.legal_hold,
        Permission.BANKS: bool(choice.bank or choice.false_positives),
    }
    return frozenset(permission for permission, is_wanted in wants.items() if is_wanted)


def is_harm(label: Label) -> bool:
    """Tell whether a label says that something is wrong."""
    return label is not Label.NO_VIOLATION


def latest_final(decisions: Iterable[Decision]) -> Decision | None:
    """The decision that holds now, if any does."""
    finals = [decision for decision in decisions if decision.state is DecisionState.FINAL]
    return max(finals, key=lambda decision: (final_since(decision), decision.id), default=None)
