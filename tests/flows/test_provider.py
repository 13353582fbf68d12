"""Somebody comes through the identity provider: a real one in a process of its own, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from jikimi.config import Settings
from jikimi.flows import me, people, provider, session
from jikimi.model.errors import JikimiError, Refused
from jikimi.model.people import Role
from jikimi.model.signin import Proof, Signed
from jikimi.testing.oidc import ProviderSimulator
from tests.conftest import World, open_world
from tests.flows.signing import HABITS, HERE, MACHINE, colleague, device, secret_of


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


@pytest.fixture
def world(tmp_path: Path, database_url: str, simulator: ProviderSimulator) -> Iterator[World]:
    secret = tmp_path / "secret"
    secret.write_text(simulator.client_secret + "\n")
    settings = Settings.load(
        data=tmp_path / "data",
        database_url=database_url or None,
        decode_workers=1,
        oidc_issuer=simulator.issuer,
        oidc_client_id=simulator.client_id,
        oidc_client_secret_file=secret,
        oidc_name="Example ID",
    )
    with open_world(settings) as world:
        yield world


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(JikimiError) as refusal:
        call()
    return refusal.value.code


def come(world: World, simulator: ProviderSimulator, link: people.Link | None = None, name: str = "Ada") -> Signed:
    if link is None:
        departure = provider.depart(world.kit)
    else:
        departure = provider.depart_from_link(world.kit, secret_of(link), name)
    state, code = simulator.visit(departure.address)
    assert state == departure.state
    return provider.come_back(world.kit, state, code, HABITS, HERE)


def test_a_link_binds_the_subject_and_from_then_on_it_signs_in(world: World, simulator: ProviderSimulator) -> None:
    ada = come(world, simulator, people.first_link(world.kit))
    assert ada.person.roles == {Role.ADMINISTRATOR, Role.LEAD}
    assert ada.session.proof is Proof.OIDC
    again = come(world, simulator)
    assert again.person == ada.person
    assert me.mine(world.kit, again).is_bound


def test_whom_nobody_has_invited_the_provider_cannot_let_in(world: World, simulator: ProviderSimulator) -> None:
    simulator.spoil = {"roles": ["administrator"], "groups": ["administrator"], "email": "ada@example.org"}
    assert code_of(lambda: come(world, simulator)) == "not_invited"
    come(world, simulator, people.first_link(world.kit))
    simulator.subject = "subject-2"
    assert code_of(lambda: come(world, simulator)) == "not_invited"


def test_roles_are_ours_and_not_the_providers(world: World, simulator: ProviderSimulator) -> None:
    simulator.spoil = {"roles": ["administrator"]}
    bob = come(world, simulator, people.invite(world.kit, MACHINE, [Role.REVIEWER]), "Bob")
    assert bob.person.roles == {Role.REVIEWER}
    assert code_of(lambda: people.staff(world.kit, bob)) == "permission_missing"


def test_one_subject_is_one_person(world: World, simulator: ProviderSimulator) -> None:
    come(world, simulator, people.first_link(world.kit))
    link = people.invite(world.kit, MACHINE, [Role.REVIEWER])
    assert code_of(lambda: come(world, simulator, link, "Bob")) == "subject_exists"
    assert [one.person.name for one in people.staff(world.kit, MACHINE).colleagues] == ["Ada"]


def test_who_is_disabled_is_not_let_in_by_the_provider(world: World, simulator: ProviderSimulator) -> None:
    colleague(world.kit, "Carol", Role.ADMINISTRATOR)
    bob = come(world, simulator, people.invite(world.kit, MACHINE, [Role.REVIEWER]), "Bob")
    people.disable(world.kit, MACHINE, bob.person.id)
    assert code_of(lambda: come(world, simulator)) == "not_invited"


def test_the_provider_alone_is_no_proof_for_managing_people(world: World, simulator: ProviderSimulator) -> None:
    """Until a passkey is added, which is possible shortly after signing in."""
    kit = world.kit
    ada = come(world, simulator, people.first_link(kit))
    assert code_of(lambda: people.invite(kit, ada, [Role.REVIEWER])) == "proof_stale"
    me.add_passkey(kit, ada, device(kit).create(me.ask_passkey(kit, ada)), "key")
    assert code_of(lambda: me.ask_passkey(kit, ada)) == "proof_stale"


@pytest.mark.parametrize(
    "spoil",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another client"},
        {"nonce": "another visit"},
        {"exp": 1_000_000_000},
        {"sub": ""},
        {"azp": "another client"},
    ],
)
def test_a_token_that_is_not_for_us_now_is_refused(
    world: World, simulator: ProviderSimulator, spoil: dict[str, Any]
) -> None:
    come(world, simulator, people.first_link(world.kit))
    simulator.spoil = spoil
    assert code_of(lambda: come(world, simulator)) == "proof_invalid"


def test_a_token_that_somebody_else_has_signed_is_refused(world: World, simulator: ProviderSimulator) -> None:
    come(world, simulator, people.first_link(world.kit))
    simulator.signing_key = ECKey.generate_key("P-256", {"kid": "one"}, private=True)
    assert code_of(lambda: come(world, simulator)) == "proof_invalid"


def test_a_code_and_a_state_count_once(world: World, simulator: ProviderSimulator) -> None:
    come(world, simulator, people.first_link(world.kit))
    departure = provider.depart(world.kit)
    state, code = simulator.visit(departure.address)
    provider.come_back(world.kit, state, code, HABITS, HERE)
    assert code_of(lambda: provider.come_back(world.kit, state, code, HABITS, HERE)) == "question_stale"
    other = provider.depart(world.kit)
    assert code_of(lambda: provider.come_back(world.kit, other.state, code, HABITS, HERE)) == "proof_invalid"


def test_a_code_that_was_stolen_on_its_way_is_of_no_use(world: World, simulator: ProviderSimulator) -> None:
    """PKCE: the code belongs to the visit that it was given to."""
    come(world, simulator, people.first_link(world.kit))
    _, stolen = simulator.visit(provider.depart(world.kit).address)
    thief = provider.depart(world.kit)
    assert code_of(lambda: provider.come_back(world.kit, thief.state, stolen, HABITS, HERE)) == "proof_invalid"


def test_a_provider_that_is_down_is_told_apart_from_a_wrong_answer(world: World, simulator: ProviderSimulator) -> None:
    simulator.is_down = True
    assert code_of(lambda: provider.depart(world.kit)) == "provider_unavailable"


def test_a_provider_that_calls_itself_another_is_not_trusted(world: World, simulator: ProviderSimulator) -> None:
    simulator.spoil = {"issuer": "https://elsewhere.example"}
    assert code_of(lambda: provider.depart(world.kit)) == "provider_unavailable"


def test_the_address_tells_no_secret(world: World, simulator: ProviderSimulator) -> None:
    departure = provider.depart(world.kit)
    assert simulator.client_secret not in departure.address
    assert departure.state not in repr(replace(departure, address=""))
    assert "code_challenge_method=S256" in departure.address


def test_a_provider_over_plain_http_elsewhere_is_refused(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path / "data", oidc_issuer="http://id.example", oidc_client_id="jikimi")
    with pytest.raises(Refused, match="https"), open_world(settings):
        pass


def test_a_session_through_the_provider_ends_like_any_other(world: World, simulator: ProviderSimulator) -> None:
    ada = come(world, simulator, people.first_link(world.kit))
    world.clock.move(minutes=31)
    assert code_of(lambda: session.session_of(world.kit, ada.secret)) == "signed_out"
