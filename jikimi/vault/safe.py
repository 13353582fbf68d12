"""Seals small secrets, such as an exchange's credentials, with a key that is a file of this installation.

A sealed secret: version, fingerprint of the key, nonce, then AES-256-GCM, which vouches for all of it. The file has one
key a line in hex, newest first: the first one seals, and each one opens what was sealed with it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jikimi.model.errors import Refused, Unavailable

KEY_BYTES = 32
_VERSION = b"\x01"
_MARK_BYTES, _NONCE_BYTES = 8, 12
_HEAD_BYTES = len(_VERSION) + _MARK_BYTES


class KeySafe:
    """A `Safe` over one file of keys, which is made when something is sealed for the first time."""

    def __init__(self, file: Path, entropy: Callable[[int], bytes]) -> None:
        self.file = file
        self._entropy = entropy

    def seal(self, text: str) -> bytes:
        """Seal a text; no two are the same."""
        if not self.file.exists():
            self._make()
        key = self._keys()[0]
        head, nonce = _VERSION + _mark(key), self._entropy(_NONCE_BYTES)
        return head + nonce + AESGCM(key).encrypt(nonce, text.encode(), head)

    def open(self, sealed: bytes) -> str:
        """Open what was sealed here; `Refused` if the key for it is not in the file."""
        head, nonce, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:][:_NONCE_BYTES], sealed[_HEAD_BYTES:]
        keys = self._keys() if self.file.exists() else ()
        key = next((key for key in keys if _VERSION + _mark(key) == head), None)
        if key is None:
            raise self._other()
        try:
            return AESGCM(key).decrypt(nonce, rest[_NONCE_BYTES:], head).decode()
        except (InvalidTag, ValueError) as error:
            raise self._other() from error

    @property
    def is_private(self) -> bool:
        """Nobody else on this machine can read the keys, or there are none yet."""
        return not self.file.exists() or not stat.S_IMODE(self.file.stat().st_mode) & 0o077

    def _keys(self) -> tuple[bytes, ...]:
        try:
            keys = tuple(bytes.fromhex(line) for line in self.file.read_text().split())
        except (OSError, ValueError):
            keys = ()
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise Refused(
                "secrets_key_invalid", f"{self.file} should hold one key a line, each {2 * KEY_BYTES} hex digits."
            )
        return keys

    def _make(self) -> None:
        """Make the first key. Whoever is second finds the file there and keeps it."""
        fresh = self.file.with_name(f".{self.file.name}.{self._entropy(4).hex()}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(self._entropy(KEY_BYTES).hex() + "\n")
                out.flush()
                os.fsync(out.fileno())
            with suppress(FileExistsError):
                os.link(fresh, self.file)
            fresh.unlink()
        except OSError as error:
            raise Unavailable(
                "secrets_key_unwritable", f"{self.file} cannot be written ({error.strerror}); make room for it."
            ) from error

    def _other(self) -> Refused:
        return Refused(
            "secret_unreadable",
            f"A stored secret was sealed with another key than those in {self.file}. Bring that installation's key "
            "file here, or enter the secret again.",
        )


def _mark(key: bytes) -> bytes:
    """What tells keys apart without telling anything about them."""
    return hashlib.sha256(b"jikimi-secrets-1" + key).digest()[:_MARK_BYTES]
