"""The vault: content in, sealed bytes and a wrapped key out; and back, where the private key is.

Decided here: how a content key lives. It is drawn for one object, wrapped to the present evidence key, and forgotten.
Not decided here: what is kept, who may open it, where the sealed bytes lie.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from tempfile import TemporaryFile
from typing import BinaryIO

from jikimi.model.errors import Refused
from jikimi.model.evidence import EvidenceItem, Sealed
from jikimi.vault.frames import KEY_BYTES, open_frames, seal_frames
from jikimi.vault.keys import KeyFolder
from jikimi.vault.pair import PublicKey

_NAME_BYTES = 16


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
        out = TemporaryFile()
        try:
            for piece in seal_frames(key, sha256, file):
                out.write(piece)
            out.seek(0)
        except BaseException:
            out.close()
            raise
        sealed = Sealed(
            blob=f"evidence/{sha256}/{self._entropy(_NAME_BYTES).hex()}",
            wrapped_key=public.wrap(key, sha256),
            recipient=public.fingerprint,
            size=size,
        )
        return sealed, out

    def open(self, item: EvidenceItem, blob: BinaryIO) -> BinaryIO:
        """Return the content in memory that no disk ever sees; `Refused` where the key is not, `Broken` if damaged."""
        key = self._unwrap(item)
        content = open(os.memfd_create("jikimi-evidence"), "w+b")
        try:
            for piece in open_frames(key, item.sha256, blob):
                content.write(piece)
            content.seek(0)
        except BaseException:
            content.close()
            raise
        return content

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
