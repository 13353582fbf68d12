"""An evidence key: the pair of keys, its fingerprint, and how a content key is wrapped to it (HPKE, RFC 9180).

The key encapsulation is ML-KEM-768 with X25519 (X-Wing): evidence lives for years, and what is copied today must not
be opened by a quantum computer later; if ML-KEM fails, X25519 still holds. Both halves come out of one seed of 32 bytes
by SHAKE-256, as X-Wing does it (draft-connolly-cfrg-xwing-kem, section 5.2), so that a key fits on a sheet of paper.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from jikimi.model.errors import Broken
from jikimi.vault.frames import damaged

SEED_BYTES = 32
_LATTICE_SEED, _LATTICE_PUBLIC, _CURVE = 64, 1184, 32
PUBLIC_BYTES = _LATTICE_PUBLIC + _CURVE
WRAPPED_BYTES = 1168
"""A wrapped content key: 1088 + 32 bytes of encapsulation, 32 of key, 16 of tag."""
_FINGERPRINT_BYTES = 10
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_PURPOSE = b"jikimi evidence key 1\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What evidence is sealed to."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != PUBLIC_BYTES:
            raise Broken("evidence_key_damaged", "A public evidence key is damaged; copy evidence.pub anew.")

    @property
    def fingerprint(self) -> str:
        """The key's name: 80 bits of SHA-256, hexadecimal."""
        return hashlib.sha256(_PURPOSE + self.data).hexdigest()[: 2 * _FINGERPRINT_BYTES]

    def wrap(self, content_key: bytes, sha256: str) -> bytes:
        """Wrap the key of one content, so that it opens for the private key and that content alone."""
        return _SUITE.encrypt(content_key, _public(self.data), _purpose(sha256))


class PrivateKey:
    """What opens evidence. Its representation does not show the seed, so that no log can."""

    def __init__(self, seed: bytes) -> None:
        long = hashlib.shake_256(seed).digest(_LATTICE_SEED + _CURVE)
        self.seed = seed
        lattice = MLKEM768PrivateKey.from_seed_bytes(long[:_LATTICE_SEED])
        curve = X25519PrivateKey.from_private_bytes(long[_LATTICE_SEED:])
        self._key = hpke.MLKEM768X25519PrivateKey(lattice, curve)
        self.public = PublicKey(data=lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw())

    def unwrap(self, untrusted_wrapped: bytes, sha256: str) -> bytes:
        """The content key; `Broken` if it was wrapped to another key, for another content, or changed since."""
        try:
            return _SUITE.decrypt(untrusted_wrapped, self._key, _purpose(sha256))
        except (InvalidTag, ValueError) as error:
            raise damaged() from error


def _public(data: bytes) -> hpke.MLKEM768X25519PublicKey:
    lattice = MLKEM768PublicKey.from_public_bytes(data[:_LATTICE_PUBLIC])
    return hpke.MLKEM768X25519PublicKey(lattice, X25519PublicKey.from_public_bytes(data[_LATTICE_PUBLIC:]))


def _purpose(sha256: str) -> bytes:
    return _PURPOSE + bytes.fromhex(sha256)
