"""A question is asked, and answered once."""

from __future__ import annotations

from collections.abc import Mapping

from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import digest_of
from jikimi.model.signin import SECRET_BYTES, Purpose, Question
from jikimi.ports import Kit


def ask(
    kit: Kit, purpose: Purpose, *, person_id: PersonId | None = None, data: Mapping[str, str] | None = None
) -> bytes:
    """Remember a question; the bytes that its answer has to name."""
    challenge = kit.entropy(SECRET_BYTES)
    now = kit.clock()
    question = Question(
        digest=digest_of(challenge.hex()),
        purpose=purpose,
        expires_at=now + kit.sign_in.question,
        person_id=person_id,
        data=data or {},
    )
    with kit.store.begin() as tx:
        tx.questions.ask(question, now)
    return challenge


def take(kit: Kit, purpose: Purpose, untrusted_challenge: bytes) -> Question:
    """The question that an answer names. It is gone with that, whatever the answer turns out to be."""
    with kit.store.begin() as tx:
        return _found(tx.questions.take(digest_of(untrusted_challenge.hex()), purpose, kit.clock()))


def peek(kit: Kit, purpose: Purpose, untrusted_challenge: bytes) -> Question:
    """The question that an answer names; it stays, for somebody who mistypes."""
    with kit.store.read() as tx:
        return _found(tx.questions.peek(digest_of(untrusted_challenge.hex()), purpose, kit.clock()))


def _found(question: Question | None) -> Question:
    if question is None:
        raise Refused("question_stale", "This page has waited too long or was answered already; begin again.")
    return question
