"""Somebody opens a one-time link and sets up how they sign in.

The same story for the first administrator, for a new colleague, and for somebody who has lost everything: the link says
which. Looking at the page uses nothing up; the link is used by the transaction that stores the first way to sign in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import available_timezones

from jikimi.flows.question import ask, peek, take
from jikimi.flows.session import begin_session
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.password import checked_password
from jikimi.model.people import LANGUAGES, Person, checked_person_name, digest_of, pseudonym_from
from jikimi.model.signin import (
    RECOVERY_BYTES,
    RECOVERY_CODES,
    Credentials,
    Invitation,
    Passkey,
    Proof,
    Purpose,
    Question,
    Signed,
    Visitor,
    checked_link,
    recovery_code,
    recovery_digest,
)
from jikimi.ports import Kit, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """A link that can be used; `name` is given for somebody who is here already."""

    invitation: Invitation
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSetup:
    """What an authenticator app needs, and the token by which the answer finds its question."""

    token: str
    name: str
    secret: str = field(repr=False)
    drawing: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """A password with its codes, checked but not stored yet; `recovery` are the codes in clear."""

    question: Question
    credentials: Credentials = field(repr=False)
    recovery: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Somebody who has come in, with recovery codes that are shown once."""

    signed: Signed
    recovery: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a browser says of the person before it; what it says wrongly is not taken."""

    language: str = "en"
    time_zone: str = "UTC"


def look(kit: Kit, untrusted_secret: str) -> Welcome:
    """The link with this secret, if it can be used."""
    with kit.store.read() as tx:
        invitation = _link(kit, tx, digest_of(untrusted_secret))
        person = tx.people.get(invitation.person_id) if invitation.person_id else None
    return Welcome(invitation=invitation, name=person.name if person else "")


def ask_passkey(kit: Kit, untrusted_secret: str, untrusted_name: str) -> str:
    """Ask for a new passkey; what the browser's script needs for that, as JSON."""
    person_id, name = who_is_welcome(kit, untrusted_secret, untrusted_name)
    data = {"link": digest_of(untrusted_secret), "name": name}
    challenge = ask(kit, Purpose.REGISTER, person_id=person_id, data=data)
    return kit.prover.passkeys.registration(person_id, name, challenge, ())


def accept_with_passkey(kit: Kit, untrusted_answer: str, habits: Habits, visitor: Visitor) -> Admitted:
    """Come in with a new passkey.

    1. Take the question; check the passkey.
    2. Use the link, store person and passkey, begin a session: all or nothing.
    """
    # 1
    claim = kit.prover.passkeys.claim(untrusted_answer)
    question = take(kit, Purpose.REGISTER, claim.challenge)
    made = kit.prover.passkeys.registered(untrusted_answer, claim.challenge)
    # 2
    with kit.store.begin() as tx:
        person = admit(kit, tx, question, habits)
        tx.people.add_passkey(
            Passkey(
                credential_id=made.credential_id, person_id=person.id, public_key=made.public_key, uses=made.uses,
                label=visitor.place, added_at=kit.clock(),
            )
        )  # fmt: skip
        return Admitted(signed=begin_session(kit, tx, person, Proof.PASSKEY, visitor))


def ask_codes(kit: Kit, untrusted_secret: str, untrusted_name: str) -> CodeSetup:
    """Make the secret of an authenticator app; it is stored with the person only once a code of it was shown."""
    person_id, name = who_is_welcome(kit, untrusted_secret, untrusted_name)
    return set_up_codes(kit, person_id, name, link=digest_of(untrusted_secret))


def set_up_codes(kit: Kit, person_id: PersonId, name: str, *, link: str) -> CodeSetup:
    """Ask for a code of a new secret."""
    codes = kit.prover.codes
    secret = codes.new_secret()
    token = ask(kit, Purpose.CODES, person_id=person_id, data={"link": link, "name": name, "secret": secret})
    return _setup(kit, token.hex(), name, secret)


def again(kit: Kit, untrusted_token: str) -> CodeSetup:
    """The same once more, for somebody who has mistyped."""
    question = peek(kit, Purpose.CODES, token_bytes(untrusted_token))
    return _setup(kit, untrusted_token, question.data["name"], question.data["secret"])


def accept_with_password(
    kit: Kit, untrusted_token: str, untrusted_password: str, untrusted_code: str, habits: Habits, visitor: Visitor
) -> Admitted:
    """Come in with a password and the first code of the app.

    1. Check the password, then the code: a mistake can be mended on the same page.
    2. Use the link, store person and credentials, begin a session: all or nothing.
    """
    # 1
    new = check_password(kit, untrusted_token, untrusted_password, untrusted_code)
    # 2
    with kit.store.begin() as tx:
        person = admit(kit, tx, new.question, habits)
        tx.people.set_credentials(person.id, new.credentials)
        return Admitted(signed=begin_session(kit, tx, person, Proof.PASSWORD, visitor), recovery=new.recovery)


def check_password(kit: Kit, untrusted_token: str, untrusted_password: str, untrusted_code: str) -> NewPassword:
    """Check a new password with its first code; the question is taken when all is well."""
    token = token_bytes(untrusted_token)
    question = peek(kit, Purpose.CODES, token)
    password = checked_password(untrusted_password, question.data["name"])
    step = kit.prover.codes.step(question.data["secret"], untrusted_code, kit.clock())
    if step is None:
        raise Refused("code_wrong", "The code is not right; type the six digits that the app shows now.")
    take(kit, Purpose.CODES, token)
    recovery = tuple(recovery_code(kit.entropy(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES))
    credentials = Credentials(
        password_hash=kit.prover.passwords.hash(password),
        totp_secret=question.data["secret"],
        totp_step=step,
        recovery=tuple(recovery_digest(one) for one in recovery),
    )
    return NewPassword(question=question, credentials=credentials, recovery=recovery)


def admit(kit: Kit, tx: Tx, question: Question, habits: Habits) -> Person:
    """Use the link of a question: store a new person, or take from somebody everything they could sign in with."""
    invitation = _link(kit, tx, question.data.get("link", ""))
    tx.invitations.used(invitation.digest, kit.clock())
    if invitation.person_id is not None:
        return _renew(kit, tx, invitation.person_id)
    person = Person(
        id=question.person_id or PersonId(kit.ids("person")),
        name=question.data["name"],
        pseudonym=pseudonym_from(kit.entropy(6)),
        roles=invitation.roles,
        created_at=kit.clock(),
        language=habits.language if habits.language in LANGUAGES else "en",
        time_zone=habits.time_zone if habits.time_zone in available_timezones() else "UTC",
    )
    tx.people.add(person)
    _audit(kit, tx, person, "person.joined", roles=sorted(person.roles), invited_by=invitation.made_by)
    return person


def token_bytes(untrusted_token: str) -> bytes:
    """The bytes of a token; a text that is none leads to no question."""
    try:
        return bytes.fromhex(untrusted_token[:128])
    except ValueError:
        return b""


def _renew(kit: Kit, tx: Tx, person_id: PersonId) -> Person:
    person = tx.people.get(person_id)
    if person is None or person.disabled_at:
        raise Refused("link_unknown", "This link belongs to somebody who was disabled; ask an administrator.")
    for passkey in tx.people.credentials(person_id).passkeys:
        tx.people.remove_passkey(person_id, passkey.credential_id)
    tx.people.set_credentials(person_id, Credentials())
    ended = tx.sessions.end_all(person_id, kit.clock())
    _audit(kit, tx, person, "person.renewed", sessions_ended=ended)
    return person


def _link(kit: Kit, tx: Tx, digest: str) -> Invitation:
    return checked_link(tx.invitations.by_digest(digest), kit.clock(), is_empty=not tx.people.all())


def who_is_welcome(kit: Kit, untrusted_secret: str, untrusted_name: str) -> tuple[PersonId, str]:
    """Who is about to come in, under which name; `Refused` early if the name is taken."""
    welcome = look(kit, untrusted_secret)
    if welcome.invitation.person_id is not None:
        return welcome.invitation.person_id, welcome.name
    name = checked_person_name(untrusted_name)
    with kit.store.read() as tx:
        if tx.people.named(name) is not None:
            raise Refused("person_exists", f"There is somebody called {name} already; choose another name.")
    return PersonId(kit.ids("person")), name


def _setup(kit: Kit, token: str, name: str, secret: str) -> CodeSetup:
    codes = kit.prover.codes
    return CodeSetup(token=token, name=name, secret=secret, drawing=codes.drawing(codes.address(secret, name)))


def _audit(kit: Kit, tx: Tx, person: Person, verb: str, **detail: str | int | list[str]) -> None:
    actor = f"person:{person.id}"
    tx.audit.append(at=kit.clock(), actor=actor, verb=verb, object_=actor, detail=detail)
