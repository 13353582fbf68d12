"""Fingerprints of a file's exact bytes: SHA-256, SHA-1 and MD5.

SHA-1 and MD5 are computed because hash lists still name files by them. They identify known files and prove nothing:
two files with one MD5 can be made at will, so integrity rests on SHA-256 alone.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from jikimi.model.signal import Signal

_CHUNK = 1 << 20
"""Bytes read at a time: bounded memory for any size of file."""


def digests(file: BinaryIO) -> tuple[Signal, ...]:
    """The SHA-256, SHA-1 and MD5 of `file` from its start, in this order, in one pass. Leaves `file` at its end."""
    running = (
        hashlib.sha256(),
        hashlib.sha1(usedforsecurity=False),
        hashlib.md5(usedforsecurity=False),
    )
    file.seek(0)
    while chunk := file.read(_CHUNK):
        for digest in running:
            digest.update(chunk)
    return tuple(Signal(type=digest.name, value=digest.digest()) for digest in running)
