"""Somebody looks after their own things: sessions, ways to sign in, language, and kinds of harm they are never given.

Nobody else can do any of this, administrators included. Ways to sign in change only under a fresh proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from zoneinfo import available_timezones

from jikimi.flows.question import ask, take
from jikimi.flows.welcome import CodeSetup, check_password, set_up_codes
from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.exposure import DAY, check_move, zone_of
from jikimi.model.people import NO_HARM, Permission, Person, checked_choice
from jikimi.model.signin import (
    Credentials,
    Passkey,
    Purpose,
    Session,
    Signed,
    is_live,
    may_change_own,
)
from jikimi.ports import Kit, Tx

_LABEL = 64
HANDLE = 16
"""So many digits of a session's digest name it on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """What somebody sees of themselves."""

    person: Person
    session: Session
    sessions: tuple[Session, ...]
    passkeys: tuple[Passkey, ...]
    has_password: bool
    recovery_left: int
    is_bound: bool


def mine(kit: Kit, by: Signed) -> Mine:
    """Everything on one's own page."""
    now = kit.clock()
    with kit.store.read() as tx:
        credentials = tx.people.credentials(by.person.id)
        sessions = tx.sessions.of(by.person.id)
    return Mine(
        person=by.person,
        session=by.session,
        sessions=tuple(one for one in sessions if is_live(one, now, kit.sign_in)),
        passkeys=credentials.passkeys,
        has_password=credentials.has_password,
        recovery_left=len(credentials.recovery),
        is_bound=bool(credentials.oidc_subject),
    )


def end_session(kit: Kit, by: Signed, untrusted_handle: str) -> None:
    """End one of one's sessions."""
    with kit.store.begin() as tx:
        found = [one for one in tx.sessions.of(by.person.id) if one.digest[:HANDLE] == untrusted_handle]
        if not found:
            raise Refused("session_unknown", "This session has ended already.")
        tx.sessions.end(found[0].digest, kit.clock())
        _audit(kit, tx, by, "session.ended", place=found[0].place)


def ask_passkey(kit: Kit, by: Signed) -> str:
    """Ask for one more passkey; what the browser's script needs for that, as JSON."""
    known = _changeable(kit, by).passkeys
    challenge = ask(kit, Purpose.REGISTER, person_id=by.person.id)
    return kit.prover.passkeys.registration(by.person.id, by.person.name, challenge, known)


def add_passkey(kit: Kit, by: Signed, untrusted_answer: str, untrusted_label: str) -> None:
    """Add a passkey."""
    claim = kit.prover.passkeys.claim(untrusted_answer)
    question = take(kit, Purpose.REGISTER, claim.challenge)
    if question.person_id != by.person.id or question.data.get("link"):
        raise Refused("question_stale", "This was asked of somebody else; begin again.")
    made = kit.prover.passkeys.registered(untrusted_answer, claim.challenge)
    label = " ".join(untrusted_label.split())[:_LABEL] or by.session.place
    with kit.store.begin() as tx:
        tx.people.add_passkey(
            Passkey(
                credential_id=made.credential_id, person_id=by.person.id, public_key=made.public_key, uses=made.uses,
                label=label, added_at=kit.clock(),
            )
        )  # fmt: skip
        _audit(kit, tx, by, "passkey.added", label=label)


def remove_passkey(kit: Kit, by: Signed, untrusted_id: bytes) -> None:
    """Remove a passkey; the last way to sign in stays."""
    with kit.store.begin() as tx:
        credentials = tx.people.credentials(by.person.id)
        may_change_own(by.session, credentials, kit.clock(), kit.sign_in)
        found = [one for one in credentials.passkeys if one.credential_id == untrusted_id]
        if not found:
            raise Refused("passkey_unknown", "There is no such passkey any more.")
        if len(credentials.passkeys) == 1 and not credentials.has_password and not credentials.oidc_subject:
            raise Refused(
                "last_credential", "You could not sign in without it; first add another passkey or a password."
            )
        tx.people.remove_passkey(by.person.id, untrusted_id)
        _audit(kit, tx, by, "passkey.removed", label=found[0].label)


def ask_codes(kit: Kit, by: Signed) -> CodeSetup:
    """Begin to set a password with its codes, the first or a new one."""
    _changeable(kit, by)
    return set_up_codes(kit, by.person.id, by.person.name, link="")


def set_password(
    kit: Kit, by: Signed, untrusted_token: str, untrusted_password: str, untrusted_code: str
) -> tuple[str, ...]:
    """Set a password with its codes; recovery codes to show once. All other sessions end."""
    _changeable(kit, by)
    new = check_password(kit, untrusted_token, untrusted_password, untrusted_code)
    if new.question.person_id != by.person.id or new.question.data["link"]:
        raise Refused("question_stale", "This was asked of somebody else; begin again.")
    with kit.store.begin() as tx:
        bound = tx.people.credentials(by.person.id).oidc_subject
        tx.people.set_credentials(by.person.id, replace(new.credentials, oidc_subject=bound))
        for session in tx.sessions.of(by.person.id):
            if session.digest != by.session.digest:
                tx.sessions.end(session.digest, kit.clock())
        _audit(kit, tx, by, "password.set")
    return new.recovery


def choose(kit: Kit, by: Signed, untrusted_language: str, untrusted_zone: str) -> Person:
    """Choose language and time zone; the zone not while the limits of the day are running, which go by it."""
    checked_choice(untrusted_language, untrusted_zone, available_timezones())
    with kit.store.begin() as tx:
        _check_move(kit, tx, by, untrusted_zone)
        return _change(kit, tx, by, "person.chose", language=untrusted_language, time_zone=untrusted_zone)


def opt_out(kit: Kit, by: Signed, kinds: Iterable[Category]) -> Person:
    """Say which kinds of harm one is never to be given; no reason is asked for, and no kind is written down."""
    with kit.store.begin() as tx:
        return _change(kit, tx, by, "person.opted", opt_outs=frozenset(kinds) - NO_HARM)


def _check_move(kit: Kit, tx: Tx, by: Signed, zone: str) -> None:
    person = _stored(tx, by)
    if zone != person.time_zone and Permission.REVEAL in person.permissions:
        looks = tx.exposures.of_person(person.id, kit.clock() - DAY)
        check_move(looks, kit.exposure, kit.clock(), zone_of(person.time_zone))


def _change(kit: Kit, tx: Tx, by: Signed, verb: str, **changes: str | frozenset[Category]) -> Person:
    person = replace(_stored(tx, by), **changes)  # type: ignore[arg-type]
    tx.people.update(person)
    _audit(kit, tx, by, verb)
    return person


def _stored(tx: Tx, by: Signed) -> Person:
    stored = tx.people.get(by.person.id)
    assert stored is not None, "people are never deleted"
    return stored


def _changeable(kit: Kit, by: Signed) -> Credentials:
    with kit.store.read() as tx:
        credentials = tx.people.credentials(by.person.id)
    may_change_own(by.session, credentials, kit.clock(), kit.sign_in)
    return credentials


def _audit(kit: Kit, tx: Tx, by: Signed, verb: str, **detail: str) -> None:
    actor = f"person:{by.person.id}"
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=actor, detail=detail)
