"""Keys: a secret is shown once, a digest is kept, a scope opens a door."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Refused
from jikimi.model.people import KEY_BYTES, Key, Scope, checked_name, digest_of, require, secret_from

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_KEY = Key(name="forum", scopes=frozenset({Scope.SCAN}), created_at=_NOON)


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES))
def test_a_secret_holds_all_its_chance_and_its_digest_tells_nothing(entropy: bytes) -> None:
    secret = secret_from(entropy)
    assert secret == "jk_" + entropy.hex()
    assert secret not in digest_of(secret)
    assert len(digest_of(secret)) == 64


@given(st.text(alphabet=st.characters()))
def test_any_text_has_a_digest(secret: str) -> None:
    assert len(digest_of(secret)) == 64


@given(st.text(max_size=70))
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        assert checked_name(name) == name
    except Refused as refusal:
        assert refusal.code == "key_name_invalid"


def test_one_of_the_scopes_is_enough() -> None:
    require(_KEY, [Scope.SCAN])
    require(_KEY, [Scope.READ, Scope.SCAN])


@pytest.mark.parametrize("scopes", [[], [Scope.READ], [Scope.READ, Scope.BANKS]])
def test_a_key_without_the_scope_is_refused(scopes: list[Scope]) -> None:
    with pytest.raises(Refused) as refusal:
        require(_KEY, scopes)
    assert refusal.value.code == "scope_missing"


def test_a_revoked_key_opens_nothing() -> None:
    with pytest.raises(Refused):
        require(replace(_KEY, revoked_at=_NOON), [Scope.SCAN])
