"""The vault: content in, sealed bytes and a wrapped key out; and back, where the private key is.

Decided here: how a content key lives. That of evidence is drawn for one object, wrapped to the present evidence key,
and forgotten. That of bytes which wait for a second check comes out of the node's own secret and a random salt before
the sealed bytes, because a node that only scans has to open them again. Not decided here: what is kept, who may open
it, where the sealed bytes lie.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from tempfile import TemporaryFile
from typing import BinaryIO

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.evidence import EvidenceItem, Sealed
from jikimi.vault.frames import KEY_BYTES, open_frames, seal_frames
from jikimi.vault.keys import KeyFolder
from jikimi.vault.pair import PublicKey

_NAME_BYTES = 16
_NODE_NAME_BYTES = 8
_SALT_BYTES = 32


class Vault:
    """Seals to the present evidence key of this node; opens with the private keys that are on it."""

    def __init__(self, keys: KeyFolder, entropy: Callable[[int], bytes]) -> None:
        self.keys = keys
        self._entropy = entropy

    @property
    def recipient(self) -> str:
        """The fingerprint of the key to which this node seals; empty before there is one."""
        public = self.keys.public
        return public.fingerprint if public else ""

    def seal(self, file: BinaryIO, sha256: str) -> tuple[Sealed, BinaryIO]:
        """Seal what the file holds: what to remember of it, and the sealed bytes in an anonymous file of their own."""
        public = self._present()
        key = self._entropy(KEY_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        out = _written(seal_frames(key, sha256, file))
        sealed = Sealed(
            blob=f"evidence/{sha256}/{self._entropy(_NAME_BYTES).hex()}",
            wrapped_key=public.wrap(key, sha256),
            recipient=public.fingerprint,
            size=size,
        )
        return sealed, out

    def open(self, item: EvidenceItem, blob: BinaryIO) -> BinaryIO:
        """Return the content in memory that no disk ever sees; `Refused` where the key is not, `Broken` if damaged."""
        return _in_memory(open_frames(self._unwrap(item), item.sha256, blob))

    def set_aside(self, file: BinaryIO, sha256: str) -> BinaryIO:
        """Seal what the file holds so that this node can open it again, or one that has a copy of its `recheck.key`."""
        secret, salt = self.keys.node_key(), self._entropy(_SALT_BYTES)
        file.seek(0)
        head = _name_of(secret) + salt
        return _written(chain([head], seal_frames(_derive(secret, salt), sha256, file)))

    def take_back(self, blob: BinaryIO, sha256: str) -> BinaryIO | None:
        """Open what was set aside; none if that was by a node with another secret."""
        secret = self.keys.node_key()
        if blob.read(_NODE_NAME_BYTES) != _name_of(secret):
            return None
        return _in_memory(open_frames(_derive(secret, blob.read(_SALT_BYTES)), sha256, blob))

    def check(self, item: EvidenceItem, blob: BinaryIO) -> None:
        """Open frame by frame and keep nothing: raises what `open` would raise."""
        for _ in open_frames(self._unwrap(item), item.sha256, blob):
            pass

    def rewrap(self, item: EvidenceItem) -> EvidenceItem:
        """Wrap the item's key to the present evidence key; its sealed bytes stay as they are."""
        public = self._present()
        wrapped = public.wrap(self._unwrap(item), item.sha256)
        return replace(item, sealed=replace(item.sealed, wrapped_key=wrapped, recipient=public.fingerprint))

    def _unwrap(self, item: EvidenceItem) -> bytes:
        return self.keys.private(item.sealed.recipient).unwrap(item.sealed.wrapped_key, item.sha256)

    def _present(self) -> PublicKey:
        public = self.keys.public
        if public is None:
            raise Refused("vault_without_key", "This node has no evidence key to seal to; run `jikimi vault init`.")
        return public


def _written(pieces: Iterator[bytes]) -> BinaryIO:
    """Sealed bytes in an anonymous file."""
    out = TemporaryFile()
    try:
        for piece in pieces:
            out.write(piece)
        out.seek(0)
    except OSError as error:
        out.close()
        raise Unavailable("vault_full", "There is no room to seal bytes now; make room in TMPDIR.") from error
    return out


def _in_memory(pieces: Iterator[bytes]) -> BinaryIO:
    """Opened bytes in memory that looks like a file: decoders want a file, and no disk may see these."""
    content = open(os.memfd_create("jikimi-vault"), "w+b")
    try:
        for piece in pieces:
            content.write(piece)
        content.seek(0)
    except BaseException:
        content.close()
        raise
    return content


def _derive(secret: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt, b"jikimi recheck 1").derive(secret)


def _name_of(secret: bytes) -> bytes:
    return hashlib.sha256(b"jikimi recheck 1 name" + secret).digest()[:_NODE_NAME_BYTES]
