"""An identity provider by OpenID Connect: authorization code flow with PKCE, found by discovery.

1. Read the provider's description once an hour; its issuer has to be the one configured.
2. Send the browser there with state, nonce and the digest of a verifier.
3. Exchange the code, check the ID token's signature, issuer, audience, times and nonce; the subject is who came.
"""

from __future__ import annotations

import time
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from jikimi.model.errors import Refused, Unavailable
from jikimi.plugs.identity.client import Client, is_safe_address
from jikimi.ports.signin import Visit

_SECONDS = 10.0
_KEEP_SECONDS = 3600.0
_LEEWAY_SECONDS = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
"""Signatures by a key that only the provider has: never `none`, never one made with our own secret."""


class OpenIdConnect:
    """The configured provider."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._found: dict[str, Any] = {}
        self._found_at = 0.0

    @property
    def name(self) -> str:
        """What people call the provider."""
        return self._client.name

    def address(self, visit: Visit) -> str:
        """Where to send the browser."""
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._endpoint("authorization_endpoint"),
                state=visit.state, code_verifier=visit.verifier, nonce=visit.nonce,
            )  # fmt: skip
        return str(url)

    def subject(self, visit: Visit, untrusted_code: str) -> str:
        """Who came back with this code: issuer and subject."""
        try:
            with self._session() as session:
                token = session.fetch_token(
                    self._endpoint("token_endpoint"),
                    code=untrusted_code, code_verifier=visit.verifier, grant_type="authorization_code",
                    allow_redirects=False,
                )  # fmt: skip
            claims = self._claims(str(token["id_token"]), visit.nonce, str(token.get("access_token", "")))
        except requests.RequestException as error:
            raise _unreachable(error) from error
        except (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError) as error:
            raise Refused(
                "proof_invalid", "The identity provider's answer does not hold; sign in again.", detail=repr(error)
            ) from error
        return f"{self._client.issuer} {claims['sub']}"

    def _claims(self, id_token: str, nonce: str, access_token: str) -> CodeIDToken:
        keys = KeySet.import_key_set(_get(self._endpoint("jwks_uri")))
        token = jwt.decode(id_token, key=keys, registry=JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False))
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self._client.issuer},
                "aud": {"essential": True, "value": self._client.id},
                "sub": {"essential": True, "allow_blank": False},
            },
            {"nonce": nonce, "client_id": self._client.id, "access_token": access_token},
        )
        claims.validate(leeway=_LEEWAY_SECONDS)
        return claims

    def _session(self) -> OAuth2Session:
        client = self._client
        return OAuth2Session(
            client.id,
            client.secret,
            scope="openid",
            redirect_uri=client.redirect,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if client.secret else "none",
            default_timeout=_SECONDS,
        )

    def _endpoint(self, name: str) -> str:
        if time.monotonic() - self._found_at > _KEEP_SECONDS or not self._found:
            found = _get(f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._client.issuer:
                raise _unreachable(ValueError("the description names another issuer"))
            self._found, self._found_at = found, time.monotonic()
        address = str(self._found.get(name, ""))
        if not is_safe_address(address):
            raise _unreachable(ValueError(f"{name} is missing or not https"))
        return address


def _get(address: str) -> Any:
    try:
        answer = requests.get(address, timeout=_SECONDS, allow_redirects=False)
        answer.raise_for_status()
        return answer.json()
    except requests.RequestException as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> Unavailable:
    return Unavailable(
        "provider_unavailable",
        "The identity provider cannot be reached at the moment; try again, or use another way to sign in.",
        detail=str(error),
    )
