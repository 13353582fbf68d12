"""What closed sets are called on the pages, and what refusals say there; translated where they are shown."""

from __future__ import annotations

from enum import StrEnum

from jikimi.doors.desk.language import N_
from jikimi.model.action import ActionState, Verb
from jikimi.model.appeal import AppealState
from jikimi.model.bank import Category, OnMatch
from jikimi.model.case import CaseState, Origin
from jikimi.model.decision import DecisionState, Label, Says, Tri, TwoPerson
from jikimi.model.exchange import Feedback, Health, Opinion, Trust
from jikimi.model.exposure import Level
from jikimi.model.match import Disposition
from jikimi.model.people import Role
from jikimi.model.share import ShareState
from jikimi.model.signal import Variant

WORDS: dict[type[StrEnum], dict[str, str]] = {
    Category: {
        Category.CSAM: N_("Child abuse"),
        Category.CSAM_SYNTHETIC: N_("Child abuse, synthetic"),
        Category.NCII: N_("Intimate, without consent"),
        Category.NCII_FORGERY: N_("Intimate forgery"),
        Category.TERRORISM: N_("Terrorism"),
        Category.OTHER: N_("Other harm"),
        Category.ALLOW: N_("Allowed"),
        Category.CANARY: N_("Canary"),
    },
    CaseState: {
        CaseState.OPEN: N_("Open"),
        CaseState.PROPOSED: N_("Awaits second person"),
        CaseState.DECIDED: N_("Decided"),
        CaseState.APPEALED: N_("Appealed"),
    },
    Origin: {
        Origin.MATCH: N_("Match"),
        Origin.REPORT: N_("User report"),
        Origin.PLATFORM: N_("Platform"),
    },
    OnMatch: {OnMatch.BLOCK: N_("blocks"), OnMatch.HOLD: N_("holds"), OnMatch.LOG: N_("only logs")},
    Disposition: {
        Disposition.CLEAR: N_("clear"),
        Disposition.HOLD: N_("hold"),
        Disposition.BLOCK: N_("block"),
        Disposition.UNCHECKED: N_("unchecked"),
    },
    Label: {
        Label.CSAM: N_("Child abuse"),
        Label.CSAM_SYNTHETIC: N_("Child abuse, synthetic"),
        Label.NCII: N_("Intimate, without consent"),
        Label.NCII_FORGERY: N_("Intimate forgery"),
        Label.TERRORISM: N_("Terrorism"),
        Label.OTHER: N_("Other harm"),
        Label.NO_VIOLATION: N_("No violation"),
    },
    Tri: {Tri.YES: N_("Yes"), Tri.NO: N_("No"), Tri.UNKNOWN: N_("Unknown")},
    Says: {
        Says.REVIEWER: N_("I say so"),
        Says.SOURCE: N_("the list's source"),
        Says.REPORTER: N_("who reported it"),
        Says.AUTHORITY: N_("an authority"),
    },
    Verb: {
        Verb.REMOVE: N_("Remove"),
        Verb.RESTRICT: N_("Restrict"),
        Verb.RESTORE: N_("Restore"),
        Verb.SUSPEND: N_("Suspend the account"),
    },
    ActionState: {
        ActionState.WAITING: N_("waiting"),
        ActionState.DELIVERED: N_("delivered"),
        ActionState.CONFIRMED: N_("done"),
        ActionState.REJECTED: N_("refused by the platform"),
        ActionState.DEAD: N_("given up"),
    },
    Feedback: {
        Feedback.SEEN: N_("Seen here"),
        Feedback.TRUE_POSITIVE: N_("Right"),
        Feedback.FALSE_POSITIVE: N_("Wrong"),
        Feedback.NEW_SIGNAL: N_("New signal"),
    },
    ShareState: {
        ShareState.PROPOSED: N_("Awaits second person"),
        ShareState.WAITING: N_("waiting"),
        ShareState.SENT: N_("given"),
        ShareState.FAILED: N_("not taken"),
        ShareState.REFUSED: N_("Declined"),
        ShareState.WITHDRAWN: N_("taken back"),
    },
    DecisionState: {
        DecisionState.PROPOSED: N_("Awaits second person"),
        DecisionState.FINAL: N_("Final"),
        DecisionState.DECLINED: N_("Declined"),
        DecisionState.UNDONE: N_("Undone"),
        DecisionState.REPLACED: N_("Replaced on appeal"),
    },
    TwoPerson: {
        TwoPerson.LEGAL_HOLD: N_("Legal hold"),
        TwoPerson.BANK_ADDITION: N_("Addition to a bank"),
        TwoPerson.IRREVERSIBLE: N_("Irreversible removal"),
        TwoPerson.SUSPENSION: N_("Suspension of an account"),
        TwoPerson.FALSE_POSITIVE: N_("False positive"),
    },
    AppealState: {
        AppealState.OPEN: N_("Open"),
        AppealState.UPHELD: N_("Upheld"),
        AppealState.OVERTURNED: N_("Overturned"),
    },
    Level: {
        Level.METADATA: N_("no picture"),
        Level.BLURRED: N_("blurred"),
        Level.GREY: N_("Grey"),
        Level.SPOT: N_("Spot"),
        Level.FULL: N_("Colour"),
    },
    Role: {
        Role.REVIEWER: N_("Reviewer"),
        Role.LEAD: N_("Lead"),
        Role.LEGAL: N_("Legal"),
        Role.AUDITOR: N_("Auditor"),
        Role.ADMINISTRATOR: N_("Administrator"),
    },
    Health: {
        Health.OK: N_("as it should be"),
        Health.WAITING: N_("not yet pulled"),
        Health.PULLING: N_("being pulled"),
        Health.FAILING: N_("the last pull failed"),
        Health.OVERDUE: N_("too old"),
        Health.DISABLED: N_("not pulled"),
    },
    Opinion: {
        Opinion.POSITIVE: N_("undisputed"),
        Opinion.DISPUTED: N_("disputed"),
        Opinion.NEGATIVE: N_("denied"),
    },
    Trust: {Trust.CONFIRMED: N_("confirmed"), Trust.UNCONFIRMED: N_("unconfirmed")},
    Variant: {
        Variant.AS_IS: N_("as it is"),
        Variant.ROTATE_90: N_("turned by 90°"),
        Variant.ROTATE_180: N_("turned by 180°"),
        Variant.ROTATE_270: N_("turned by 270°"),
        Variant.FLIP_X: N_("upside down"),
        Variant.FLIP_Y: N_("mirrored"),
        Variant.FLIP_PLUS_1: N_("mirrored and turned"),
        Variant.FLIP_MINUS_1: N_("mirrored and turned"),
    },
}
"""By enumeration and value."""


def word_for(value: StrEnum) -> str:
    """What a value is called, in English; the value itself if it has no other name."""
    return WORDS.get(type(value), {}).get(value, value.replace("_", " "))


REFUSALS = {
    "signed_out": N_("You are signed out. Sign in again, then repeat what you did."),
    "permission_missing": N_("Your roles do not allow this. Ask an administrator if they should."),
    "path_unknown": N_("There is no page at this address."),
    "method_not_allowed": N_("This address does not take what was sent."),
    "form_invalid": N_("The form could not be read. Go back, reload the page and send it again."),
    "body_too_large": N_("The form is too long. Go back and shorten what you wrote."),
    "cross_site": N_("This did not come from our own pages, so nothing was changed. Open the desk and try again."),
    "fault": N_("Something of ours went wrong, and nothing was stored. The reason is in the service's log."),
    "store_unavailable": N_("The database cannot be reached at the moment. Nothing was stored; try again shortly."),
    "case_unknown": N_("There is no such case."),
    "case_taken": N_("Somebody else works on this case now. Take another."),
    "case_moved": N_("This case has changed since you opened it. Look again, then decide."),
    "lease_expired": N_("Your time with this case is over. Take the case again and send it once more."),
    "exposure_cap": N_("You have seen enough pictures for today. Cases can still be decided without them."),
    "break_due": N_("A break is due. Pictures can be shown again after it."),
    "after_hours": N_("No pictures are shown at this hour. Cases can still be decided without them."),
    "opted_out": N_("You have chosen not to be given this kind of harm."),
    "choice_invalid": N_("Label and action contradict each other. Choose another of the two."),
    "note_missing": N_("Write a note that says why; the first person reads it."),
    "note_too_long": N_("The note is too long. Shorten it."),
    "second_person_same": N_("You made this decision. Somebody else has to agree to it."),
    "share_settled": N_("This has been settled meanwhile. Look at the list again."),
    "share_not_failed": N_("Only what was not taken can be tried again."),
    "share_needs_decision": N_("Only what a person has confirmed is given. Decide the case first."),
    "share_not_allowed": N_("This exchange is given no new signals. Its settings have to allow it."),
    "share_other_harm": N_("This exchange is about another harm than the case. Choose another one."),
    "nothing_to_share": N_(
        "Nothing of this case can be proposed. It has to be in a bank of ours, not on that list, not proposed before."
    ),
    "exchange_unknown": N_("There is no such exchange."),
    "action_outdated": N_("The platform has been told something newer about this content. Sending this would undo it."),
    "action_in_flight": N_("Messages of this case are being sent just now. Try again in a minute."),
    "appeal_needs_other": N_("You took part in what is appealed against. Somebody else has to look."),
    "undo_too_late": N_("The time for undoing is over. An appeal decides anew."),
    "undo_not_yours": N_("Who made or confirmed a decision may undo it, or a lead."),
    "undo_appealed": N_("There is an appeal against it. Decide the appeal instead."),
    "undo_irreversible": N_("An irreversible removal was ordered. It cannot be taken back."),
    "evidence_unknown": N_("Nothing is kept of this content, so there is no picture to show."),
    "exchange_exists": N_("There is an exchange of this name already. Choose another name."),
    "exchange_every_invalid": N_("An exchange is pulled every minute at most, and every 7 days at least."),
    "exchange_pulling": N_("It is being pulled just now, and no other pull will begin. Try again in a moment."),
    "exchange_keeps_nothing": N_(
        "What this list withdraws has to be erased, so nothing can be kept without it. You can stop pulling it instead."
    ),
    "exchange_large": N_("It is too large to be removed from this page. Run `jikimi exchange remove` instead."),
    "not_confirmed": N_("Type the name as it is shown."),
    "bank_unknown": N_("There is no such bank. For a new one, say what it holds and what a match does."),
    "vault_locked": N_("The evidence key is not on this machine, so no picture can be shown here."),
}
"""By the code of the error, where the flow's own English message is not the whole of it."""

EVENTS = {
    "case.opened": N_("Case opened"),
    "case.joined": N_("Another upload joined"),
    "case.taken": N_("Taken"),
    "case.skipped": N_("Skipped"),
    "case.handed_over": N_("Handed over"),
    "case.noted": N_("Note written"),
    "case.appealed": N_("Appealed"),
    "case.repeated": N_("Uploaded again, done as before"),
    "decision.made": N_("Decided"),
    "decision.proposed": N_("Decision proposed"),
    "decision.confirmed": N_("Second person agreed"),
    "decision.declined": N_("Second person did not agree"),
    "decision.undone": N_("Decision undone"),
    "decision.replaced": N_("Decision replaced"),
    "action.ordered": N_("Platform told"),
    "action.delivered": N_("Message delivered"),
    "action.replayed": N_("Message sent again"),
    "action.confirmed": N_("Platform has done it"),
    "action.rejected": N_("Platform refused"),
    "action.dead": N_("Message given up"),
    "share.ordered": N_("To be given back to an exchange"),
    "share.proposed": N_("New signals proposed to an exchange"),
    "share.approved": N_("Second person agreed to giving a signal"),
    "share.refused": N_("Second person did not agree to giving a signal"),
    "share.sent": N_("Given back to an exchange"),
    "share.failed": N_("Exchange did not take it"),
    "share.retried": N_("To be given back once more"),
    "share.withdrawn": N_("Not given back after all"),
    "appeal.announced": N_("Platform told the outcome of the appeal"),
    "appeal.upheld": N_("Appeal: the decision stands"),
    "appeal.overturned": N_("Appeal: the decision was wrong"),
    "evidence.sealed": N_("Evidence sealed"),
    "evidence.opened": N_("Evidence opened"),
    "evidence.held": N_("Legal hold set"),
    "evidence.released": N_("Legal hold lifted"),
    "evidence.destroyed": N_("Evidence destroyed"),
    "exposure.previewed": N_("Blurred preview looked at"),
    "exposure.ended": N_("Picture looked at"),
}
"""By the verb of the record; a verb that is not here is shown as it is."""
