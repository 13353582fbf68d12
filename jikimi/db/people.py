"""People who sign in, and what they prove themselves with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jikimi.db.schema import passkeys, people
from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import Person, Role, folded
from jikimi.model.signin import Credentials, Passkey

_NO_CREDENTIALS = {"password_hash": "", "totp_secret": "", "totp_step": 0, "recovery": (), "oidc_subject": ""}


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
            raise _taken(person) from error

    def update(self, person: Person) -> None:
        """Store what was changed of a person; `Refused` if the new name is taken."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(update(people).where(people.c.id == person.id).values(_columns(person)))
        except IntegrityError as error:
            raise _taken(person) from error

    def get(self, person_id: PersonId) -> Person | None:
        """One person."""
        row = self._connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
        return None if row is None else _person(row)

    def named(self, name: str) -> Person | None:
        """The person with this name, however it is written."""
        row = self._connection.execute(select(people).where(people.c.folded == folded(name))).one_or_none()
        return None if row is None else _person(row)

    def bound_to(self, oidc_subject: str) -> Person | None:
        """The person whom the identity provider knows as this subject."""
        row = self._connection.execute(select(people).where(people.c.oidc_subject == oidc_subject)).one_or_none()
        return None if row is None or not oidc_subject else _person(row)

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
            recovery=tuple(row.recovery),
            oidc_subject=row.oidc_subject,
            passkeys=tuple(_passkey(one) for one in self._connection.execute(keys)),
        )

    def set_credentials(self, person_id: PersonId, credentials: Credentials) -> None:
        """Store all but the passkeys; `Refused` if the provider's subject belongs to somebody else."""
        values = {name: getattr(credentials, name) for name in _NO_CREDENTIALS}
        try:
            with self._connection.begin_nested():
                self._connection.execute(update(people).where(people.c.id == person_id).values(values))
        except IntegrityError as error:
            raise Refused(
                "subject_exists", "Somebody else signs in with this account of the provider; take another."
            ) from error

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


def _taken(person: Person) -> Refused:
    return Refused("person_exists", f"There is somebody called {person.name} already; choose another name.")


def _columns(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "folded": folded(person.name),
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
