"""What programmes answer and can be told, in the same words for every programme."""

from __future__ import annotations

from collections.abc import Sequence

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import Feedback
from jikimi.ports.exchanges import Got, Opined


def body_of(got: Got, who: str) -> bytes:
    """The body of an answer that says yes.

    Who does not know us will not know us in a minute either: that is `Refused`, and a person has to look. Messages
    name the programme and the status, never what was sent or said.
    """
    if 200 <= got.status < 300:
        return got.body
    if got.status in (401, 403):
        raise Refused(
            "exchange_denied",
            f"{who} answers {got.status}: it does not accept our credentials. Set them anew, or ask the programme.",
        )
    raise Unavailable("exchange_answer", f"{who} answers {got.status}, which was not expected; it is asked again.")


def unreadable(who: str, why: str) -> Unavailable:
    """A page cannot be read, even when asked for again: nothing is taken from it, and the pull ends."""
    return Unavailable(
        "exchange_page_broken", f"A page of {who} cannot be read: {why}. What came before it counts; it is asked again."
    )


def check_given(opined: Sequence[Opined], gives: frozenset[Feedback]) -> None:
    """Refuse what a programme does not take, before any of it is sent."""
    ungiven = sorted({one.feedback for one in opined} - gives)
    if ungiven:
        raise Refused(
            "feedback_not_taken", f"This kind of exchange takes no {', '.join(ungiven)}; take it out of its feedback."
        )
