"""A key is made, used and revoked."""

from __future__ import annotations

from collections.abc import Iterable

from jikimi.model.errors import Refused
from jikimi.model.people import KEY_BYTES, Key, Scope, checked_name, digest_of, require, secret_from
from jikimi.ports import Kit, Tx


def create_key(kit: Kit, actor: str, name: str, scopes: Iterable[Scope]) -> str:
    """Make a key and return its secret, which is not kept; `Refused` if the name is taken."""
    with kit.store.begin() as tx:
        return new_key(kit, tx, actor, name, scopes)


def new_key(kit: Kit, tx: Tx, actor: str, name: str, scopes: Iterable[Scope]) -> str:
    """Make a key together with what it is for."""
    key = Key(name=checked_name(name), scopes=frozenset(scopes), created_at=kit.clock())
    if not key.scopes:
        raise Refused("scope_missing", f"Say what the key opens: {', '.join(Scope)}.")
    secret = secret_from(kit.entropy(KEY_BYTES))
    tx.keys.create(key, digest_of(secret))
    tx.audit.append(
        at=key.created_at, actor=actor, verb="key.created", object_=f"key:{name}",
        detail={"scopes": sorted(key.scopes)},
    )  # fmt: skip
    return secret


def revoke_key(kit: Kit, actor: str, name: str) -> Key:
    """Revoke a key: no call with it succeeds from now on."""
    with kit.store.begin() as tx:
        key = tx.keys.get(name)
        if key is None or key.revoked_at is not None:
            raise Refused("key_unknown", f"There is no key {name[:64]!r} that could be revoked.")
        tx.keys.revoke(name, kit.clock())
        tx.audit.append(at=kit.clock(), actor=actor, verb="key.revoked", object_=f"key:{name}", detail={})
    return key


def authenticate(kit: Kit, untrusted_secret: str, *scopes: Scope) -> Key:
    """The key with this secret, if it opens one of these scopes; otherwise `Refused`."""
    with kit.store.read() as tx:
        key = tx.keys.by_digest(digest_of(untrusted_secret))
    if key is None:
        raise Refused("key_invalid", "Send a valid key as `Authorization: Bearer jk_…`; `jikimi key create` makes one.")
    require(key, scopes)
    return key
