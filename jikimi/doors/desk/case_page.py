"""The page of one case: what a flow has told, laid out for its template. Nothing is read or decided here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.decision_form import FACTS, VERBS
from jikimi.doors.desk.forms import all_of, form_of
from jikimi.doors.desk.language import N_
from jikimi.doors.desk.page import page, translated
from jikimi.doors.desk.words import EVENTS, REFUSALS, word_for
from jikimi.doors.shared.errors import status_of
from jikimi.flows.expose import REVEALS
from jikimi.flows.options import options
from jikimi.flows.review import CaseView, look
from jikimi.model.case import Case, CaseState
from jikimi.model.decision import Label, Says, Tri, asks_second, final_since
from jikimi.model.errors import Refused
from jikimi.model.exposure import refusal_for
from jikimi.model.ids import CaseId, PersonId
from jikimi.model.match import Match
from jikimi.model.people import Permission, Person
from jikimi.model.signal import SIGNAL_KINDS
from jikimi.ports import Kit

REASONS = (
    N_("What is known does not decide it"),
    N_("Second person"),
    N_("Appeal"),
    N_("Somebody may be in danger now"),
)
"""Why somebody looks; the record keeps the English words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a page has to say beside the case: a refusal, which content is previewed, which draft was sent."""

    refusal: Refused | None = None
    previewed: str = ""
    sent: str = ""


def show_case(kit: Kit, request: Request, person: Person, case_id: CaseId, told: Told) -> Response:
    """The whole page."""
    view = look(kit, person, case_id)
    status = status_of(told.refusal) if told.refusal else 200
    entered = form_of(request) if told.refusal else {}
    values = {
        **_standing(kit, view, person),
        **_known(view),
        **_choices(kit, request, view, person),
        **_refusal(request, told),
        "not_shown": _why_not_shown(request, view, person),
        "previewed": told.previewed,
        "sent": told.sent,
        "entered": entered,
        "entered_false": all_of(request, "false_positive") if entered else (),
    }
    return page(request, "case.html", status=status, view=view, case=view.case, **values)


def _standing(kit: Kit, view: CaseView, person: Person) -> dict[str, Any]:
    """Whose it is, what waits for whom, what can still be undone."""
    final, choices = view.final, options(kit, person)
    until = final_since(final) + kit.review.undo_window if final else None
    is_undoable = (
        until is not None
        and kit.clock() <= until
        and view.case.state is CaseState.DECIDED
        and Permission.REVIEW in person.permissions
    )
    proposal = view.proposed
    return {
        "is_mine": view.holder == person.id,
        "holder_name": view.names.get(view.holder, "") if view.holder else "",
        "names": _namer(view.names),
        "colleagues": choices.colleagues,
        "banks": choices.banks,
        "limits": choices.limits,
        "undoable": final if is_undoable else None,
        "undo_until": until,
        "proposal": proposal,
        "may_confirm": proposal and Permission.CONFIRM in person.permissions and proposal.by != person.id,
        "allowance": view.allowance,
        "longest_reveal": int(kit.exposure.longest_reveal.total_seconds()),
    }


def _known(view: CaseView) -> dict[str, Any]:
    same, matches = {case.id for case in view.same_content}, _strongest(view)
    return {
        "matches": matches,
        "banks_matched": [(found[0], found) for found in _by_bank(matches)],
        "contents": view.contents,
        "is_perceptual": is_perceptual,
        "related": (*view.same_content, *(case for case in view.same_entry if case.id not in same)),
        "same_ids": {case.id for case in view.same_content if _is_alike(view, case)},
        "same": tuple(one for one in view.same_content if _is_alike(view, one)),
    }


def _choices(kit: Kit, request: Request, view: CaseView, person: Person) -> dict[str, Any]:
    def say(text: str) -> str:
        return translated(request, text)

    wanted = kit.review.two_person
    reasons = asks_second(view.proposed.choice, kit.review) if view.proposed else frozenset()
    return {
        "labels": tuple(Label),
        "verbs": [(value, say(text), key, cap) for value, text, key, cap in VERBS],
        "fact_names": FACTS,
        "tri": tuple(Tri),
        "says": tuple(Says),
        "levels": REVEALS,
        "reasons": REASONS,
        "asks_second": ", ".join(sorted(say(word_for(one)) for one in wanted)),
        "second_reasons": ", ".join(sorted(say(word_for(one)) for one in reasons)),
        "seen_words": lambda decision: ", ".join(say(level) for level in decision.seen),
        "event_word": lambda verb: say(EVENTS.get(verb) or verb),
    }


def _why_not_shown(request: Request, view: CaseView, person: Person) -> str:
    """Why a picture asked for now would be refused, said before anybody asks; or empty."""
    code = refusal_for(view.allowance, [view.case.kind], person.opt_outs)
    return translated(request, REFUSALS[code]) if code else ""


def _refusal(request: Request, told: Told) -> dict[str, str]:
    if told.refusal is None:
        return {"error": "", "error_in_english": ""}
    known = REFUSALS.get(told.refusal.code)
    if known is None:
        return {"error": told.refusal.message, "error_in_english": ""}
    return {"error": translated(request, known), "error_in_english": told.refusal.message}


def _strongest(view: CaseView) -> tuple[Match, ...]:
    """Each entry once, at its nearest."""
    nearest: dict[int, Match] = {}
    for scan in view.scans:
        for match in scan.verdict.matches:
            known = nearest.get(match.entry_id)
            if known is None or match.distance < known.distance:
                nearest[match.entry_id] = match
    return tuple(sorted(nearest.values(), key=lambda match: (match.distance, match.entry_id)))[:20]


def _by_bank(matches: Sequence[Match]) -> list[list[Match]]:
    """The matches of each bank together, in the order of their nearest."""
    banks: dict[int, list[Match]] = {}
    for match in matches:
        banks.setdefault(match.bank_id, []).append(match)
    return list(banks.values())


def is_perceptual(match: Match) -> bool:
    """Tell whether a distance means anything for this match."""
    return SIGNAL_KINDS[match.type].perceptual


def _is_alike(view: CaseView, other: Case) -> bool:
    return set(other.contents) == set(view.case.contents) and other.state is not CaseState.DECIDED


def _namer(names: Mapping[PersonId, str]) -> Callable[[PersonId], str]:
    return lambda person_id: names.get(person_id, person_id)
