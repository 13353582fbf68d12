"""People who sign in, their credentials, sessions and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jikimi.db.schema import invitations, passkeys, people, sessions
from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import Person, Role
from jikimi.model.signin import Credentials, Invitation, Passkey, Session

_NO_CREDENTIALS = {"password_hash": "", "totp_secret": "", "totp_step": 0, "oidc_subject": ""}


class SqlPeople:
    """People in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, person: Person) -> None:
        """Store a new person; `Refused` if the name or the pseudonym is taken."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(people).values({**_columns(person), **_NO_CREDENTIALS}))
        except IntegrityError as error:
            raise Refused(
                "person_exists", f"There is somebody called {person.name} already; choose another."
            ) from error

    def update(self, person: Person) -> None:
        """Store what was changed of a person."""
        self._connection.execute(update(people).where(people.c.id == person.id).values(_columns(person)))

    def get(self, person_id: PersonId) -> Person | None:
        """One person."""
        row = self._connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
        return None if row is None else _person(row)

    def named(self, name: str) -> Person | None:
        """The person with this name."""
        row = self._connection.execute(select(people).where(people.c.name == name)).one_or_none()
        return None if row is None else _person(row)

    def all(self) -> tuple[Person, ...]:
        """Everybody, by name."""
        return tuple(_person(row) for row in self._connection.execute(select(people).order_by(people.c.name)))

    def credentials(self, person_id: PersonId) -> Credentials:
        """What a person can sign in with."""
        row = self._connection.execute(select(people).where(people.c.id == person_id)).one()
        keys = select(passkeys).where(passkeys.c.person_id == person_id).order_by(passkeys.c.added_at)
        return Credentials(
            password_hash=row.password_hash,
            totp_secret=row.totp_secret,
            totp_step=row.totp_step,
            oidc_subject=row.oidc_subject,
            passkeys=tuple(_passkey(one) for one in self._connection.execute(keys)),
        )

    def set_credentials(self, person_id: PersonId, credentials: Credentials) -> None:
        """Store all but the passkeys."""
        values = {name: getattr(credentials, name) for name in _NO_CREDENTIALS}
        self._connection.execute(update(people).where(people.c.id == person_id).values(values))

    def add_passkey(self, passkey: Passkey) -> None:
        """Store a passkey; `Refused` if it is registered already."""
        try:
            with self._connection.begin_nested():
                values = {name: getattr(passkey, name) for name in passkeys.c.keys()}  # noqa: SIM118 - columns
                self._connection.execute(insert(passkeys).values(values))
        except IntegrityError as error:
            raise Refused("passkey_exists", "This passkey is registered already; use another.") from error

    def passkey(self, credential_id: bytes) -> Passkey | None:
        """One passkey."""
        found = select(passkeys).where(passkeys.c.credential_id == credential_id)
        row = self._connection.execute(found).one_or_none()
        return None if row is None else _passkey(row)

    def used_passkey(self, credential_id: bytes, uses: int, at: datetime) -> None:
        """Remember the counter of the last use."""
        self._connection.execute(
            update(passkeys).where(passkeys.c.credential_id == credential_id).values(uses=uses, used_at=at)
        )

    def remove_passkey(self, person_id: PersonId, credential_id: bytes) -> None:
        """Forget a passkey."""
        self._connection.execute(
            delete(passkeys).where(passkeys.c.credential_id == credential_id, passkeys.c.person_id == person_id)
        )


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

    def update(self, session: Session) -> None:
        """Store when it was seen last."""
        values = {"seen_at": session.seen_at, "place": session.place}
        self._connection.execute(update(sessions).where(sessions.c.digest == session.digest).values(values))

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
        """Remember that a link was used: it cannot be again."""
        self._connection.execute(update(invitations).where(invitations.c.digest == digest).values(used_at=at))

    def waiting(self, now: datetime) -> tuple[Invitation, ...]:
        """Links that can still be used, oldest first."""
        found = select(invitations).where(invitations.c.used_at.is_(None), invitations.c.expires_at > now)
        return tuple(_invitation(row) for row in self._connection.execute(found.order_by(invitations.c.made_at)))


def _columns(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "pseudonym": person.pseudonym,
        "roles": sorted(person.roles),
        "language": person.language,
        "time_zone": person.time_zone,
        "opt_outs": sorted(person.opt_outs),
        "created_at": person.created_at,
        "disabled_at": person.disabled_at,
    }


def _person(row: Row[Any]) -> Person:
    return Person(
        id=PersonId(row.id),
        name=row.name,
        pseudonym=row.pseudonym,
        roles=frozenset(Role(role) for role in row.roles),
        created_at=row.created_at,
        language=row.language,
        time_zone=row.time_zone,
        opt_outs=frozenset(Category(kind) for kind in row.opt_outs),
        disabled_at=row.disabled_at,
    )


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        credential_id=row.credential_id,
        person_id=PersonId(row.person_id),
        public_key=row.public_key,
        uses=row.uses,
        label=row.label,
        added_at=row.added_at,
        used_at=row.used_at,
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        digest=row.digest,
        person_id=PersonId(row.person_id),
        began_at=row.began_at,
        seen_at=row.seen_at,
        place=row.place,
        proof=row.proof,
        ended_at=row.ended_at,
    )


def _invitation(row: Row[Any]) -> Invitation:
    return Invitation(
        digest=row.digest,
        roles=frozenset(Role(role) for role in row.roles),
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        person_id=None if row.person_id is None else PersonId(row.person_id),
        used_at=row.used_at,
    )
