"""The key that signs what peers get (Ed25519): one file, made at the first use, and what peers check it with."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jikimi.model.errors import Broken, Unavailable
from jikimi.model.peer import PUBLIC_PREFIX, public_bytes

_SEED_BYTES = 32
_PRIVATE_PREFIX = "jkps_"


class PeerKeyFile:
    """The key in its file; nodes that answer as one installation share it."""

    def __init__(self, file: Path, entropy: Callable[[int], bytes]) -> None:
        self.file = file
        self._entropy = entropy
        self._read: Ed25519PrivateKey | None = None

    @property
    def is_private(self) -> bool:
        """Nobody else on this machine can read it, or it was not made yet."""
        return not self.file.exists() or not stat.S_IMODE(self.file.stat().st_mode) & 0o077

    @property
    def public(self) -> str:
        """What peers know this installation by."""
        return PUBLIC_PREFIX + self._key().public_key().public_bytes_raw().hex()

    def sign(self, text: bytes) -> bytes:
        """Sign."""
        return self._key().sign(text)

    def _key(self) -> Ed25519PrivateKey:
        if self._read is None:
            if not self.file.exists():
                self._make()
            self._read = Ed25519PrivateKey.from_private_bytes(self._seed())
        return self._read

    def _seed(self) -> bytes:
        try:
            text = self.file.read_text().strip()
            seed = bytes.fromhex(text.removeprefix(_PRIVATE_PREFIX))
        except (OSError, ValueError) as error:
            raise self._damaged() from error
        if not text.startswith(_PRIVATE_PREFIX) or len(seed) != _SEED_BYTES:
            raise self._damaged()
        return seed

    def _make(self) -> None:
        """Make the key. Whoever is second finds the file there and keeps it; nobody sees half of it."""
        fresh = self.file.with_name(f".{self.file.name}.{self._entropy(4).hex()}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(_PRIVATE_PREFIX + self._entropy(_SEED_BYTES).hex() + "\n")
                out.flush()
                os.fsync(out.fileno())
            with suppress(FileExistsError):
                os.link(fresh, self.file)
            fresh.unlink()
        except OSError as error:
            raise Unavailable(
                "peer_key_unwritable",
                "The key that signs for peers cannot be made; make room for it, or set peer_key_file.",
                detail=f"{self.file}: {error.strerror}",
            ) from error

    def _damaged(self) -> Broken:
        return Broken(
            "peer_key_damaged",
            "The key that signs for peers cannot be read. Bring the file back from a backup, or see to its rights.",
            detail=str(self.file),
        )


def is_signed(text: bytes, signature: bytes, public_key: str) -> bool:
    """Tell whether the owner of a public key has signed this."""
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes(public_key)).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True
