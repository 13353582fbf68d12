"""A decision: what a person found, what follows from it, and whether a second person has to agree.

Who may decide, and when, is `case`; carrying it out is `flows.review`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from jikimi.model.action import Verb
from jikimi.model.ids import AppealId, CaseId, DecisionId, PersonId

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A choice with who made it and what became of it. `seen` says what was really looked at, per `exposure.Level`."""

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


def is_harm(label: Label) -> bool:
    """Tell whether a label says that something is wrong."""
    return label is not Label.NO_VIOLATION


def latest_final(decisions: Iterable[Decision]) -> Decision | None:
    """The decision that holds now, if any does."""
    finals = [decision for decision in decisions if decision.state is DecisionState.FINAL]
    return max(finals, key=lambda decision: (decision.second_at or decision.at, decision.id), default=None)
