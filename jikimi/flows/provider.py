"""Somebody comes through the identity provider.

The provider says who somebody is; what they may do is decided here. A subject that nobody has bound opens nothing: it
is bound when somebody uses their one-time link by way of the provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jikimi.flows.question import ask, take
from jikimi.flows.session import begin_session
from jikimi.flows.tries import count_try, take_back
from jikimi.flows.welcome import Habits, admit, token_bytes, who_is_welcome
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import digest_of
from jikimi.model.signin import SECRET_BYTES, Credentials, Proof, Purpose, Signed, Visitor
from jikimi.ports import Kit, Provider, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser goes, and the state that its cookie keeps until it comes back."""

    address: str
    state: str = field(repr=False)


def depart(kit: Kit) -> Departure:
    """Send a browser to the provider to sign in."""
    return _depart(kit, None, {})


def depart_from_link(kit: Kit, untrusted_secret: str, untrusted_name: str) -> Departure:
    """Send a browser to the provider to use a one-time link."""
    person_id, name = who_is_welcome(kit, untrusted_secret, untrusted_name)
    return _depart(kit, person_id, {"link": digest_of(untrusted_secret), "name": name})


def come_back(kit: Kit, untrusted_state: str, untrusted_code: str, habits: Habits, visitor: Visitor) -> Signed:
    """Take in a browser that the provider has sent back.

    1. Count the try; take the question that belongs to the state.
    2. Ask the provider who this is.
    3. With a link: bind the subject to the person that the link lets in. Without: find whom it is bound to.
    4. Begin a session.
    """
    # 1
    count_try(kit, address=visitor.address)
    question = take(kit, Purpose.OIDC, token_bytes(untrusted_state))
    # 2
    visit = Visit(state=untrusted_state, nonce=question.data["nonce"], verifier=question.data["verifier"])
    subject = _provider(kit).subject(visit, untrusted_code)
    # 3
    with kit.store.begin() as tx:
        if question.data.get("link"):
            person = admit(kit, tx, question, habits)
            tx.people.set_credentials(person.id, Credentials(oidc_subject=subject))
        else:
            found = tx.people.bound_to(subject)
            if found is None or found.disabled_at:
                raise Refused(
                    "not_invited", "The provider knows you, but nobody has invited you here; ask an administrator."
                )
            person = found
        # 4
        take_back(tx, address=visitor.address)
        return begin_session(kit, tx, person, Proof.OIDC, visitor)


def _depart(kit: Kit, person_id: PersonId | None, data: dict[str, str]) -> Departure:
    provider = _provider(kit)
    secrets = {"nonce": kit.entropy(SECRET_BYTES).hex(), "verifier": kit.entropy(SECRET_BYTES).hex()}
    state = ask(kit, Purpose.OIDC, person_id=person_id, data={**data, **secrets}).hex()
    visit = Visit(state=state, nonce=secrets["nonce"], verifier=secrets["verifier"])
    return Departure(address=provider.address(visit), state=state)


def _provider(kit: Kit) -> Provider:
    if kit.prover.provider is None:
        raise Refused("provider_missing", "No identity provider is set up here; use another way to sign in.")
    return kit.prover.provider
