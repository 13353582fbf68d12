"""Somebody signs in: with a passkey, or with a password and a code. And proves again that it is them.

Whatever does not hold is refused in the same words and after the same work, so that nobody learns which names there
are. Nothing that was typed is written to the log or to the record.
"""

from __future__ import annotations

from dataclasses import replace

from jikimi.flows.question import ask, take
from jikimi.flows.session import begin_session
from jikimi.flows.tries import count_try, take_back
from jikimi.model.errors import Refused
from jikimi.model.people import Person
from jikimi.model.signin import (
    Credentials,
    Passkey,
    Proof,
    Purpose,
    Signed,
    Visitor,
    spend_code,
)
from jikimi.ports import Kit, Tx


def ask_passkey(kit: Kit) -> str:
    """Ask for any passkey of ours; what the browser's script needs for that, as JSON."""
    return kit.prover.passkeys.question(ask(kit, Purpose.SIGN_IN), ())


def sign_in_with_passkey(kit: Kit, untrusted_answer: str, visitor: Visitor) -> Signed:
    """Sign in with a passkey; nobody types a name.

    1. Count the try against the address.
    2. Take the question that the answer names: no answer counts twice.
    3. Check the signature with the passkey it names; its counter has to have grown.
    4. Begin a session.
    """
    # 1
    count_try(kit, address=visitor.address)
    # 2
    claim = kit.prover.passkeys.claim(untrusted_answer)
    take(kit, Purpose.SIGN_IN, claim.challenge)
    with kit.store.begin() as tx:
        # 3
        passkey = tx.people.passkey(claim.credential_id)
        person = tx.people.get(passkey.person_id) if passkey else None
        if passkey is None or person is None or person.disabled_at or claim.person_id != person.id:
            raise _failed()
        _use(kit, tx, passkey, untrusted_answer, claim.challenge)
        # 4
        take_back(tx, address=visitor.address)
        return begin_session(kit, tx, person, Proof.PASSKEY, visitor)


def sign_in_with_password(
    kit: Kit, untrusted_name: str, untrusted_password: str, untrusted_code: str, visitor: Visitor
) -> Signed:
    """Sign in with a password and a code of the authenticator app, or a recovery code.

    1. Count the try against name and address.
    2. Check the password; for a name that there is not, against a hash that nobody has the password of.
    3. Take the code, which counts once; the credentials must be those that were checked.
    4. Begin a session.
    """
    name = untrusted_name[:256]
    # 1
    count_try(kit, address=visitor.address, name=name)
    # 2
    with kit.store.read() as tx:
        person = tx.people.named(name)
        before = tx.people.credentials(person.id) if person else Credentials()
    is_right = kit.prover.passwords.matches(before.password_hash, untrusted_password)
    with kit.store.begin() as tx:
        # 3
        person = tx.people.named(name)
        credentials = tx.people.credentials(person.id) if person else Credentials()
        is_same = credentials.password_hash == before.password_hash
        spent = _spent(kit, credentials, untrusted_code)
        if person is None or person.disabled_at or spent is None or not (is_right and is_same):
            raise _failed()
        _store_spent(kit, tx, person, credentials, spent)
        # 4
        take_back(tx, address=visitor.address, name=name)
        return begin_session(kit, tx, person, Proof.PASSWORD, visitor)


def ask_again(kit: Kit, by: Signed) -> str:
    """Ask somebody who is signed in for one of their passkeys."""
    with kit.store.read() as tx:
        known = tx.people.credentials(by.person.id).passkeys
    if not known:
        raise Refused("passkey_unknown", "You have no passkey; use a code, or add a passkey on your own page.")
    return kit.prover.passkeys.question(ask(kit, Purpose.PROVE, person_id=by.person.id), known)


def prove_with_passkey(kit: Kit, by: Signed, untrusted_answer: str) -> Signed:
    """Prove again with a passkey, for what needs a fresh proof."""
    claim = kit.prover.passkeys.claim(untrusted_answer)
    question = take(kit, Purpose.PROVE, claim.challenge)
    with kit.store.begin() as tx:
        passkey = tx.people.passkey(claim.credential_id)
        if passkey is None or passkey.person_id != by.person.id or question.person_id != by.person.id:
            raise _failed()
        _use(kit, tx, passkey, untrusted_answer, claim.challenge)
        return _proved(kit, tx, by, Proof.PASSKEY)


def prove_with_code(kit: Kit, by: Signed, untrusted_code: str) -> Signed:
    """Prove again with a code; tries are counted against the name as at signing in."""
    count_try(kit, name=by.person.name)
    with kit.store.begin() as tx:
        credentials = tx.people.credentials(by.person.id)
        spent = _spent(kit, credentials, untrusted_code)
        if spent is None:
            raise _failed()
        _store_spent(kit, tx, by.person, credentials, spent)
        take_back(tx, name=by.person.name)
        return _proved(kit, tx, by, Proof.PASSWORD)


def _use(kit: Kit, tx: Tx, passkey: Passkey, untrusted_answer: str, challenge: bytes) -> None:
    uses = kit.prover.passkeys.proven(untrusted_answer, challenge, passkey)
    tx.people.used_passkey(passkey.credential_id, uses, kit.clock())


def _spent(kit: Kit, credentials: Credentials, untrusted_code: str) -> Credentials | None:
    step = kit.prover.codes.step(credentials.totp_secret, untrusted_code, kit.clock())
    return spend_code(credentials, step, untrusted_code)


def _store_spent(kit: Kit, tx: Tx, person: Person, before: Credentials, spent: Credentials) -> None:
    tx.people.set_credentials(person.id, spent)
    if spent.recovery != before.recovery:
        actor = f"person:{person.id}"
        detail = {"left": len(spent.recovery)}
        tx.audit.append(at=kit.clock(), actor=actor, verb="recovery.used", object_=actor, detail=detail)


def _proved(kit: Kit, tx: Tx, by: Signed, proof: Proof) -> Signed:
    now = kit.clock()
    tx.sessions.proved(by.session.digest, now)
    actor = f"person:{by.person.id}"
    tx.audit.append(at=now, actor=actor, verb="session.proved", object_=actor, detail={"proof": proof.value})
    return replace(by, session=replace(by.session, seen_at=now, proved_at=now))


def _failed() -> Refused:
    return Refused(
        "sign_in_failed", "This does not fit together; check the name, the password and the code, or use a passkey."
    )
