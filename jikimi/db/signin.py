"""Sessions, one-time links, questions that wait for an answer, and failed tries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from jikimi.db.schema import invitations, questions, sessions, sign_in_tries
from jikimi.model.ids import PersonId
from jikimi.model.people import Role
from jikimi.model.signin import Invitation, Proof, Purpose, Question, Session, Tries


class SqlSessions:
    """Sessions in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: Session) -> None:
        """Store a new session."""
        values = {name: getattr(session, name) for name in sessions.c.keys()}  # noqa: SIM118 - columns
        self._connection.execute(insert(sessions).values(values))

    def by_digest(self, digest: str) -> Session | None:
        """The session whose secret has this digest, ended ones too."""
        row = self._connection.execute(select(sessions).where(sessions.c.digest == digest)).one_or_none()
        return None if row is None else _session(row)

    def seen(self, digest: str, at: datetime) -> None:
        """Store when it was used last."""
        self._connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=at))

    def proved(self, digest: str, at: datetime) -> None:
        """Store when its owner proved again who they are."""
        self._connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=at, proved_at=at))

    def of(self, person_id: PersonId) -> tuple[Session, ...]:
        """The sessions of a person that have not been ended, newest first."""
        found = select(sessions).where(sessions.c.person_id == person_id, sessions.c.ended_at.is_(None))
        return tuple(_session(row) for row in self._connection.execute(found.order_by(sessions.c.began_at.desc())))

    def end(self, digest: str, at: datetime) -> None:
        """End one session."""
        self._connection.execute(
            update(sessions).where(sessions.c.digest == digest, sessions.c.ended_at.is_(None)).values(ended_at=at)
        )

    def end_all(self, person_id: PersonId, at: datetime) -> int:
        """End all sessions of a person; how many there were."""
        live = update(sessions).where(sessions.c.person_id == person_id, sessions.c.ended_at.is_(None))
        return self._connection.execute(live.values(ended_at=at)).rowcount

    def purge(self, ended_before: datetime, seen_before: datetime) -> int:
        """Forget sessions that were ended, or used last, before these times; how many there were."""
        old = or_(sessions.c.ended_at < ended_before, sessions.c.seen_at < seen_before)
        return self._connection.execute(delete(sessions).where(old)).rowcount


class SqlInvitations:
    """One-time links in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, invitation: Invitation) -> None:
        """Store a new link."""
        values = {name: getattr(invitation, name) for name in invitations.c.keys()}  # noqa: SIM118 - columns
        self._connection.execute(insert(invitations).values({**values, "roles": sorted(invitation.roles)}))

    def by_digest(self, digest: str) -> Invitation | None:
        """The link whose secret has this digest, used ones too."""
        row = self._connection.execute(select(invitations).where(invitations.c.digest == digest)).one_or_none()
        return None if row is None else _invitation(row)

    def used(self, digest: str, at: datetime) -> None:
        """Remember that a link was used or taken back: it cannot be used again."""
        self._connection.execute(update(invitations).where(invitations.c.digest == digest).values(used_at=at))

    def waiting(self, now: datetime) -> tuple[Invitation, ...]:
        """Links that can still be used, oldest first."""
        found = select(invitations).where(invitations.c.used_at.is_(None), invitations.c.expires_at > now)
        return tuple(_invitation(row) for row in self._connection.execute(found.order_by(invitations.c.made_at)))

    def purge(self, before: datetime) -> int:
        """Forget links that were used, or could be used last, before a time; how many there were."""
        old = or_(invitations.c.used_at < before, invitations.c.expires_at < before)
        return self._connection.execute(delete(invitations).where(old)).rowcount


class SqlQuestions:
    """Questions in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, question: Question, now: datetime) -> None:
        """Remember a question, and forget those that nobody has answered in time."""
        self._connection.execute(delete(questions).where(questions.c.expires_at <= now))
        values = {name: getattr(question, name) for name in questions.c.keys()}  # noqa: SIM118 - columns
        self._connection.execute(insert(questions).values({**values, "data": dict(question.data)}))

    def take(self, digest: str, purpose: Purpose, now: datetime) -> Question | None:
        """The question with this digest, which is gone with that: there is one answer."""
        found = self.peek(digest, purpose, now)
        if found is not None:
            self._connection.execute(delete(questions).where(questions.c.digest == digest))
        return found

    def peek(self, digest: str, purpose: Purpose, now: datetime) -> Question | None:
        """The question with this digest, which stays."""
        live = (questions.c.digest == digest, questions.c.purpose == purpose, questions.c.expires_at > now)
        row = self._connection.execute(select(questions).where(*live)).one_or_none()
        return None if row is None else _question(row)


class SqlTries:
    """Failed tries in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> Tries | None:
        """How often it failed."""
        row = self._connection.execute(select(sign_in_tries).where(sign_in_tries.c.key == key)).one_or_none()
        return None if row is None else Tries(failures=row.failures, last_at=row.last_at)

    def put(self, key: str, tries: Tries) -> None:
        """Remember how often it failed."""
        self.clear(key)
        values = {"key": key, "failures": tries.failures, "last_at": tries.last_at}
        self._connection.execute(insert(sign_in_tries).values(values))

    def clear(self, key: str) -> None:
        """Forget that it failed."""
        self._connection.execute(delete(sign_in_tries).where(sign_in_tries.c.key == key))

    def purge(self, before: datetime) -> int:
        """Forget what was long ago; how many keys that were."""
        return self._connection.execute(delete(sign_in_tries).where(sign_in_tries.c.last_at < before)).rowcount


def _session(row: Row[Any]) -> Session:
    return Session(
        digest=row.digest,
        person_id=PersonId(row.person_id),
        began_at=row.began_at,
        seen_at=row.seen_at,
        place=row.place,
        proof=Proof(row.proof),
        proved_at=row.proved_at,
        ended_at=row.ended_at,
    )


def _invitation(row: Row[Any]) -> Invitation:
    return Invitation(
        digest=row.digest,
        roles=frozenset(Role(role) for role in row.roles),
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        label=row.label,
        person_id=None if row.person_id is None else PersonId(row.person_id),
        used_at=row.used_at,
    )


def _question(row: Row[Any]) -> Question:
    return Question(
        digest=row.digest,
        purpose=Purpose(row.purpose),
        expires_at=row.expires_at,
        person_id=None if row.person_id is None else PersonId(row.person_id),
        data=row.data,
    )
