"""The decision's form: from fields that a page sent to a choice, and back when it could not be taken."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request

from jikimi.doors.desk.forms import all_of, form_of
from jikimi.doors.desk.language import N_
from jikimi.model.action import Verb
from jikimi.model.decision import Choice, Fact, Facts, Label, Says, Tri
from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId

FACTS = (
    ("real_person", N_("A real person is depicted")),
    ("real_child", N_("A real child is depicted")),
    ("ai_generated", N_("Made or altered by AI")),
)
"""Fields of `Facts`, with what is asked."""
VERBS = (
    ("nothing", N_("Nothing"), "none", "A"),
    (Verb.RESTRICT.value, N_("Restrict"), "restrict", "R"),
    (Verb.REMOVE.value, N_("Remove"), "remove", "X"),
    (Verb.SUSPEND.value, N_("Suspend the account"), "", ""),
    (Verb.RESTORE.value, N_("Restore"), "", ""),
)
"""What can be ordered: the field's value, its word, and its key."""

_Closed = TypeVar("_Closed", bound=StrEnum)


def choice_of(request: Request) -> Choice:
    """Read the choice; `Refused` where the form says what no page of ours offers."""
    form = form_of(request)
    verb = form.get("verb", "")
    return Choice(
        label=_one_of(Label, form, "label"),
        verb=None if verb == "nothing" else _one_of(Verb, form, "verb"),
        facts=Facts(**{name: _fact(form, name) for name, _ in FACTS}),
        note=form.get("note", "").strip(),
        irreversible=form.get("irreversible") == "yes",
        legal_hold=form.get("legal_hold") == "yes",
        bank=form.get("bank", ""),
        false_positives=_numbers(all_of(request, "false_positive")),
    )


def version_of(request: Request) -> int:
    """The version of the case that the page showed; 0, which no case has, if the form does not say."""
    said = form_of(request).get("version", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0


def same_of(request: Request) -> tuple[CaseId, ...]:
    """Further cases that the same choice is for."""
    return tuple(CaseId(value) for value in all_of(request, "same"))


def _fact(form: Mapping[str, str], name: str) -> Fact:
    if not form.get(name):
        return Fact()
    return Fact(value=_one_of(Tri, form, name), says=_one_of(Says, form, f"{name}_says"))


def _one_of(values: type[_Closed], form: Mapping[str, str], name: str) -> _Closed:
    said = form.get(name, "")
    if said not in set(values):
        raise Refused("choice_missing", f"Choose a value for {name}: one of {', '.join(values)}.")
    return values(said)


def _numbers(untrusted: tuple[str, ...]) -> tuple[int, ...]:
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in untrusted):
        raise Refused("choice_missing", "An entry is named by its number.")
    return tuple(int(text) for text in untrusted)
