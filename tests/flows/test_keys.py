"""A key is made, used and revoked."""

from __future__ import annotations

import pytest

from jikimi.flows.key import authenticate, create_key, revoke_key
from jikimi.model.errors import Refused
from jikimi.model.people import Scope
from tests.conftest import World
from tests.flows.story import OPERATOR, audit_of


def code_of(world: World, secret: str, *scopes: Scope) -> str:
    with pytest.raises(Refused) as refusal:
        authenticate(world.kit, secret, *scopes)
    return refusal.value.code


def test_a_key_from_its_making_to_its_end(world: World) -> None:
    kit = world.kit
    secret = create_key(kit, OPERATOR, "forum", [Scope.SCAN])
    key = authenticate(kit, secret, Scope.SCAN)
    assert (key.name, key.scopes, key.created_at) == ("forum", frozenset({Scope.SCAN}), world.clock.now)
    assert code_of(world, secret, Scope.BANKS) == "scope_missing"
    assert authenticate(kit, secret, Scope.BANKS, Scope.SCAN) == key

    revoke_key(kit, OPERATOR, "forum")
    assert code_of(world, secret, Scope.SCAN) == "key_invalid"
    with pytest.raises(Refused):
        revoke_key(kit, OPERATOR, "forum")
    assert [(event.verb, event.actor) for event in audit_of(kit, "key:forum")] == [
        ("key.created", OPERATOR),
        ("key.revoked", OPERATOR),
    ]


def test_the_secret_is_not_kept(world: World) -> None:
    secret = create_key(world.kit, OPERATOR, "forum", [Scope.SCAN])
    with world.kit.store.read() as tx:
        told = [repr(tx.keys.all()), repr(list(tx.audit.events()))]
    assert not any(secret in text for text in told)


@pytest.mark.parametrize("secret", ["", "jk_", "jk_" + "0" * 64, "\x00", "\udcff", "a" * 100_000])
def test_what_is_no_key_opens_nothing(world: World, secret: str) -> None:
    create_key(world.kit, OPERATOR, "forum", [Scope.SCAN])
    assert code_of(world, secret, Scope.SCAN) == "key_invalid"


def test_a_name_is_used_once_even_after_the_end(world: World) -> None:
    create_key(world.kit, OPERATOR, "forum", [Scope.SCAN])
    revoke_key(world.kit, OPERATOR, "forum")
    with pytest.raises(Refused) as refusal:
        create_key(world.kit, OPERATOR, "forum", [Scope.READ])
    assert refusal.value.code == "key_exists"


@pytest.mark.parametrize(("name", "scopes"), [("", [Scope.SCAN]), ("a b", [Scope.SCAN]), ("forum", [])])
def test_a_key_without_name_or_scope_is_refused(world: World, name: str, scopes: list[Scope]) -> None:
    with pytest.raises(Refused):
        create_key(world.kit, OPERATOR, name, scopes)
    assert audit_of(world.kit) == []
