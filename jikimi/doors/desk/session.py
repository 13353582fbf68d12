"""Who is asking: the person behind a session cookie."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from jikimi.model.people import Person
from jikimi.ports import Kit

COOKIE = "jikimi_session"


def person_of(kit: Kit, request: Request) -> Person | None:
    """The person who is signed in, or nobody."""
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        return None
    with kit.store.read() as tx:
        session = tx.sessions.by_digest(hashlib.sha256(secret.encode()).hexdigest())
        if session is None or session.ended_at is not None:
            return None
        person = tx.people.get(session.person_id)
    return person if person is not None and person.disabled_at is None else None
