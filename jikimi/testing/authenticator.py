"""A software authenticator: makes passkeys and signs with them, as a security key or a telephone does.

It plays browser and authenticator together: options go in as JSON, the answer comes out as JSON. What a broken or a
hostile one would do can be set.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass(slots=True, kw_only=True)
class _Key:
    private: ec.EllipticCurvePrivateKey
    user: bytes
    host: str


@dataclass(slots=True, kw_only=True)
class Authenticator:
    """One authenticator in one browser. `uses` is its counter; without `verifies` it asks for no finger and no PIN."""

    origin: str
    verifies: bool = True
    counts: bool = True
    uses: int = 0
    keys: dict[bytes, _Key] = field(default_factory=dict)

    def create(self, options: str) -> str:
        """Answer `navigator.credentials.create`."""
        asked = json.loads(options)
        credential_id = secrets.token_bytes(32)
        key = _Key(
            private=ec.generate_private_key(ec.SECP256R1()),
            user=base64url_to_bytes(asked["user"]["id"]),
            host=asked["rp"]["id"],
        )
        self.keys[credential_id] = key
        attested = bytes(16) + struct.pack(">H", len(credential_id)) + credential_id + _cose(key.private)
        data = self._data(key.host, _ATTESTED) + attested
        statement = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", asked["challenge"])
        return _answer(credential_id, clientDataJSON=client, attestationObject=statement)

    def get(self, options: str, credential_id: bytes = b"") -> str:
        """Answer `navigator.credentials.get` with a passkey of that host, the newest unless one is named."""
        asked = json.loads(options)
        allowed = {base64url_to_bytes(one["id"]) for one in asked.get("allowCredentials", ())}
        fitting = [
            one for one, key in self.keys.items() if key.host == asked["rpId"] and (not allowed or one in allowed)
        ]
        credential_id = credential_id or fitting[-1]
        key = self.keys[credential_id]
        data = self._data(key.host)
        client = self._client("webauthn.get", asked["challenge"])
        signature = key.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return _answer(
            credential_id, clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=key.user
        )

    def _data(self, host: str, flags: int = 0) -> bytes:
        self.uses += self.counts
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        return hashlib.sha256(host.encode()).digest() + struct.pack(">BI", flags, self.uses)

    def _client(self, type_: str, challenge: str) -> bytes:
        said = {"type": type_, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()


def _answer(credential_id: bytes, **response: bytes) -> str:
    name = bytes_to_base64url(credential_id)
    fields: dict[str, Any] = {key: bytes_to_base64url(value) for key, value in response.items()}
    return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": fields})


def _cose(private: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    return encode_cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
