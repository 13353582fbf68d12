"""A session begins, is recognised by its cookie, and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from jikimi.model.errors import Refused
from jikimi.model.people import Person, digest_of
from jikimi.model.signin import SECRET_BYTES, Proof, Session, Signed, Visitor, is_live
from jikimi.ports import Kit, Tx

_SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last use is known: one write a minute and session, not one a page."""

_KEPT = timedelta(days=30)
"""How long ended sessions and spent links stay: until then somebody may ask why they were signed out."""


def begin_session(kit: Kit, tx: Tx, person: Person, proof: Proof, visitor: Visitor) -> Signed:
    """Begin a session under a new secret; the one that the browser had until now ends."""
    now = kit.clock()
    secret = kit.entropy(SECRET_BYTES).hex()
    session = Session(
        digest=digest_of(secret),
        person_id=person.id,
        began_at=now,
        seen_at=now,
        place=visitor.place,
        proof=proof,
        proved_at=None if proof is Proof.OIDC else now,
    )
    if visitor.secret:
        tx.sessions.end(digest_of(visitor.secret), now)
    tx.sessions.add(session)
    tx.audit.append(
        at=now, actor=f"person:{person.id}", verb="session.began", object_=f"person:{person.id}",
        detail={"proof": proof.value, "place": visitor.place},
    )  # fmt: skip
    return Signed(person=person, session=session, secret=secret)


def session_of(kit: Kit, untrusted_secret: str) -> Person:
    """The person whose cookie this is; `Refused` if they are not signed in any more."""
    return signed(kit, untrusted_secret).person


def signed(kit: Kit, untrusted_secret: str) -> Signed:
    """The person whose cookie this is, with their session.

    1. Find the session and its person as they are now: roles that were taken away are gone at once.
    2. Refuse what has ended, was idle too long, is too old, or belongs to somebody who was disabled.
    3. Remember that it was used, if that was not done within the last minute.
    """
    now = kit.clock()
    # 1
    with kit.store.read() as tx:
        session = tx.sessions.by_digest(digest_of(untrusted_secret))
        person = tx.people.get(session.person_id) if session else None
    # 2
    if session is None or person is None or person.disabled_at or not is_live(session, now, kit.sign_in):
        raise _signed_out()
    # 3
    if now - session.seen_at >= _SEEN_EVERY:
        session = replace(session, seen_at=now)
        with kit.store.begin() as tx:
            tx.sessions.seen(session.digest, now)
    return Signed(person=person, session=session, secret=untrusted_secret)


def sign_out(kit: Kit, untrusted_secret: str) -> None:
    """End the session of this cookie; if there is none, there is nothing to do."""
    now = kit.clock()
    with kit.store.begin() as tx:
        session = tx.sessions.by_digest(digest_of(untrusted_secret))
        if session is None or session.ended_at is not None:
            return
        tx.sessions.end(session.digest, now)
        person = f"person:{session.person_id}"
        tx.audit.append(at=now, actor=person, verb="session.ended", object_=person, detail={"place": session.place})


def forget_ended(kit: Kit) -> int:
    """Forget sessions and links that have been of no use for a month; the record keeps that there were such."""
    before = kit.clock() - _KEPT
    with kit.store.begin() as tx:
        return tx.sessions.purge(before, before - kit.sign_in.longest) + tx.invitations.purge(before)


def _signed_out() -> Refused:
    return Refused("signed_out", "You are not signed in, or not any more; sign in again.")
