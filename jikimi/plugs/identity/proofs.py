"""All proofs together. Their libraries take half a second to load, so each is loaded when it is needed first."""

from __future__ import annotations

from functools import cached_property

from jikimi.plugs.identity.client import ProviderSettings, client_of
from jikimi.ports.signin import Codes, Passkeys, Passwords, Provider


class Proofs:
    """Everything by which people prove who they are, for the pages under one origin."""

    def __init__(self, origin: str, provider: ProviderSettings) -> None:
        self._origin = origin
        self._client = client_of(origin, provider)

    @property
    def origin(self) -> str:
        """Under which browsers reach the pages."""
        return self._origin

    @cached_property
    def passkeys(self) -> Passkeys:
        """Passkeys."""
        from jikimi.plugs.identity.passkeys import WebAuthn

        return WebAuthn(self._origin)

    @cached_property
    def passwords(self) -> Passwords:
        """Password hashes."""
        from jikimi.plugs.identity.passwords import Argon2

        return Argon2()

    @cached_property
    def codes(self) -> Codes:
        """Codes of an authenticator app."""
        from jikimi.plugs.identity.codes import Totp

        return Totp()

    @cached_property
    def provider(self) -> Provider | None:
        """The identity provider, if one is configured."""
        if self._client is None:
            return None
        from jikimi.plugs.identity.oidc import OpenIdConnect

        return OpenIdConnect(self._client)
