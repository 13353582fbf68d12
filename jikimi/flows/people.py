"""People are let in, get other roles, and are disabled.

Each step: 1. may this be done by whoever asks; 2. does somebody remain who can let people in; 3. store the change with
its audit event. From the pages it needs the permission and a fresh proof; from the command line, the machine itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import Permission, Person, Role, allow, checked_roles, digest_of, keep_an_administrator
from jikimi.model.signin import (
    FIRST_ROLES,
    FIRST_RUN,
    SECRET_BYTES,
    Invitation,
    Operator,
    Signed,
    is_live,
    require_fresh,
)
from jikimi.ports import Kit, Tx

_LABEL = 120
HANDLE = 16
"""So many digits of a link's digest name it on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A one-time link that was just made. Its address is shown once and not kept."""

    address: str = field(repr=False)
    invitation: Invitation


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """A person, how they can sign in, and in how many places they are signed in now."""

    person: Person
    passkeys: int
    has_password: bool
    is_bound: bool
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Everybody, and the invitations that wait."""

    colleagues: tuple[Colleague, ...]
    invitations: tuple[Invitation, ...]


def first_link(kit: Kit) -> Link | None:
    """A link for the first administrator; none if there is somebody. Two processes make two; one of them is used."""
    with kit.store.begin() as tx:
        if tx.people.all():
            return None
        return _make_link(kit, tx, FIRST_RUN, FIRST_ROLES, kit.sign_in.first_link, label="")


def staff(kit: Kit, by: Signed | Operator) -> Staff:
    """Everybody, for those who let people in."""
    if isinstance(by, Signed):
        allow(by.person, Permission.PEOPLE)
    now = kit.clock()
    with kit.store.read() as tx:
        return Staff(
            colleagues=tuple(_colleague(kit, tx, person) for person in tx.people.all()),
            invitations=tx.invitations.waiting(now),
        )


def invite(kit: Kit, by: Signed | Operator, roles: Iterable[Role], label: str = "") -> Link:
    """Make a one-time link for a new colleague; who opens it chooses name and way to sign in."""
    actor = _may(kit, by)
    found = checked_roles(roles)
    with kit.store.begin() as tx:
        link = _make_link(kit, tx, actor, found, kit.sign_in.link, label=" ".join(label.split())[:_LABEL])
        _audit(kit, tx, actor, "person.invited", _named(link.invitation), roles=sorted(found))
    return link


def new_link(kit: Kit, by: Signed | Operator, person_id: PersonId) -> Link:
    """Make a one-time link for somebody who has lost everything; using it takes away what they had before."""
    actor = _may(kit, by)
    with kit.store.begin() as tx:
        person = _somebody(tx, person_id)
        if person.disabled_at is not None:
            raise Refused("person_disabled", f"{person.name} is disabled; enable them first.")
        link = _make_link(kit, tx, actor, person.roles, kit.sign_in.link, label=person.name, person_id=person.id)
        _audit(kit, tx, actor, "person.link_made", f"person:{person.id}")
    return link


def withdraw_invitation(kit: Kit, by: Signed | Operator, untrusted_handle: str) -> None:
    """Take a link back before it is used."""
    actor = _may(kit, by)
    now = kit.clock()
    with kit.store.begin() as tx:
        found = [one for one in tx.invitations.waiting(now) if one.digest[:HANDLE] == untrusted_handle]
        if not found:
            raise Refused("invitation_unknown", "This invitation was used, has expired or was taken back.")
        tx.invitations.used(found[0].digest, now)
        _audit(kit, tx, actor, "person.uninvited", _named(found[0]))


def change_roles(kit: Kit, by: Signed | Operator, person_id: PersonId, roles: Iterable[Role]) -> Person:
    """Give somebody other roles; they count from the next request on."""
    actor = _may(kit, by)
    found = checked_roles(roles)
    with kit.store.begin() as tx:
        before = _somebody(tx, person_id)
        person = replace(before, roles=found)
        keep_an_administrator(tx.people.all(), person)
        tx.people.update(person)
        _audit(kit, tx, actor, "person.roles", f"person:{person.id}", before=sorted(before.roles), after=sorted(found))
    return person


def disable(kit: Kit, by: Signed | Operator, person_id: PersonId) -> Person:
    """Disable somebody.

    1. Ask whether this may be done, and whether somebody remains who can let people in.
    2. Sessions end at once; open links to set up signing in anew are taken back.
    3. Cases they had taken are free for others.
    """
    # 1
    actor = _may(kit, by)
    now = kit.clock()
    with kit.store.begin() as tx:
        person = replace(_somebody(tx, person_id), disabled_at=now)
        keep_an_administrator(tx.people.all(), person)
        tx.people.update(person)
        # 2
        ended = tx.sessions.end_all(person.id, now)
        for link in tx.invitations.waiting(now):
            if link.person_id == person.id:
                tx.invitations.used(link.digest, now)
        # 3
        freed = tx.cases.assigned_to(person.id)
        for case in freed:
            tx.cases.update(replace(case, assignee=None, lease_until=None, updated_at=now, version=case.version + 1))
        _audit(kit, tx, actor, "person.disabled", f"person:{person.id}", sessions=ended, cases=len(freed))
    return person


def enable(kit: Kit, by: Signed | Operator, person_id: PersonId) -> Person:
    """Let somebody in again, with the roles and ways to sign in that they had."""
    actor = _may(kit, by)
    with kit.store.begin() as tx:
        person = replace(_somebody(tx, person_id), disabled_at=None)
        tx.people.update(person)
        _audit(kit, tx, actor, "person.enabled", f"person:{person.id}")
    return person


def end_sessions(kit: Kit, by: Signed | Operator, person_id: PersonId) -> int:
    """End all sessions of somebody, as after a lost laptop; how many there were."""
    actor = _may(kit, by)
    with kit.store.begin() as tx:
        person = _somebody(tx, person_id)
        ended = tx.sessions.end_all(person.id, kit.clock())
        _audit(kit, tx, actor, "person.signed_out", f"person:{person.id}", sessions=ended)
    return ended


def named(kit: Kit, untrusted_name: str) -> Person:
    """The person with this name, for the command line."""
    with kit.store.read() as tx:
        person = tx.people.named(untrusted_name)
    if person is None:
        raise Refused("person_unknown", "There is nobody of this name; `jikimi person list` shows who there is.")
    return person


def _may(kit: Kit, by: Signed | Operator) -> str:
    """Who acts, for the record; `Refused` without the permission or a fresh proof."""
    if isinstance(by, Operator):
        return by.actor
    allow(by.person, Permission.PEOPLE)
    require_fresh(by.session, kit.clock(), kit.sign_in)
    return f"person:{by.person.id}"


def _make_link(
    kit: Kit, tx: Tx, actor: str, roles: frozenset[Role], life: timedelta, *, label: str,
    person_id: PersonId | None = None,
) -> Link:  # fmt: skip
    secret = kit.entropy(SECRET_BYTES).hex()
    now = kit.clock()
    invitation = Invitation(
        digest=digest_of(secret), roles=roles, made_by=actor, made_at=now, expires_at=now + life, label=label,
        person_id=person_id,
    )  # fmt: skip
    tx.invitations.add(invitation)
    return Link(address=f"{kit.prover.origin}/desk/welcome/{secret}", invitation=invitation)


def _colleague(kit: Kit, tx: Tx, person: Person) -> Colleague:
    credentials = tx.people.credentials(person.id)
    now = kit.clock()
    return Colleague(
        person=person,
        passkeys=len(credentials.passkeys),
        has_password=credentials.has_password,
        is_bound=bool(credentials.oidc_subject),
        sessions=sum(is_live(one, now, kit.sign_in) for one in tx.sessions.of(person.id)),
    )


def _somebody(tx: Tx, person_id: PersonId) -> Person:
    person = tx.people.get(person_id)
    if person is None:
        raise Refused("person_unknown", "There is nobody of this name; `jikimi person list` shows who there is.")
    return person


def _named(invitation: Invitation) -> str:
    return f"invitation:{invitation.digest[:HANDLE]}"


def _audit(kit: Kit, tx: Tx, actor: str, verb: str, object_: str, **detail: str | int | list[str]) -> None:
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=object_, detail=detail)
