"""The evidence keys of one node, as files in a folder of mode 700.

- `evidence.pub`: the public key to which this node seals. A node that only scans needs no other file.
- `evidence-FINGERPRINT.key`: a private key, mode 600; several after a rotation. With a passphrase the seed in it is
  locked (Argon2id, then AES-256-GCM); without one, whoever can read the file can open the evidence.

Files are written whole, made durable and then renamed, so that a crash leaves the old file or the new one. Which key is
the present one of an installation is not decided here: the database says it (`flows.evidence_key`).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jikimi.model.errors import Broken, Refused
from jikimi.vault.pair import SEED_BYTES, PrivateKey, PublicKey
from jikimi.vault.sheet import read_sheet, write_sheet

_PUBLIC_FILE = "evidence.pub"
_PRIVATE_FILE = re.compile(r"evidence-([0-9a-f]{20})\.key")
_PUBLIC, _PLAIN, _LOCKED = "jikimi-evidence-1-public", "jikimi-evidence-1-private", "jikimi-evidence-1-locked"
_SALT_BYTES, _NONCE_BYTES = 16, 12
_ARGON = {"time_cost": 3, "memory_cost": 64 * 1024, "parallelism": 4}
"""RFC 9106, section 4, second recommended option: 64 MiB."""


class KeyFolder:
    """The keys in one folder. Cheap to ask: a private key is unlocked once and then kept in memory."""

    def __init__(self, folder: Path, entropy: Callable[[int], bytes], passphrase_file: Path | None = None) -> None:
        self._folder = folder
        self._entropy = entropy
        self._passphrase_file = passphrase_file
        self._unlocked: dict[str, PrivateKey] = {}

    @property
    def public(self) -> PublicKey | None:
        """The key to which this node seals; none before there is one. Read anew, as another process may change it."""
        try:
            text = (self._folder / _PUBLIC_FILE).read_text()
        except FileNotFoundError:
            return None
        return PublicKey(data=_decode(text, _PUBLIC)[0])

    def present(self) -> bytes:
        """The public key as bytes; empty before there is one."""
        public = self.public
        return public.data if public else b""

    def fingerprint_of(self, public: bytes) -> str:
        """The name of a key."""
        return PublicKey(data=public).fingerprint

    def held(self) -> tuple[str, ...]:
        """The fingerprints of the private keys on this node."""
        if not self._folder.is_dir():
            return ()
        found = (_PRIVATE_FILE.fullmatch(file.name) for file in self._folder.iterdir())
        return tuple(sorted(match[1] for match in found if match))

    def make(self) -> bytes:
        """Make a key and store its private part; returns the public part. What is sealed does not change yet."""
        return self._store(PrivateKey(self._entropy(SEED_BYTES))).data

    def adopt(self, public: bytes) -> None:
        """Seal to this key from now on."""
        key = PublicKey(data=public)
        if self.public != key:
            self._write(_PUBLIC_FILE, f"{_PUBLIC} {_encode(key.data)}\n")

    def private(self, fingerprint: str) -> PrivateKey:
        """The private key of this name; `Refused` where it is not on this node, or locked."""
        file = self._file(fingerprint)
        try:
            text = file.read_text()
        except FileNotFoundError:
            raise Refused(
                "vault_locked",
                f"The private evidence key {fingerprint} is not on this node: work on the one that has it, or bring it "
                "here with `jikimi vault restore`.",
            ) from None
        if fingerprint not in self._unlocked:
            key = PrivateKey(self._seed(text, fingerprint))
            if key.public.fingerprint != fingerprint:
                raise _damaged(file.name)
            self._unlocked[fingerprint] = key
        return self._unlocked[fingerprint]

    def sheet(self, fingerprint: str) -> str:
        """The key written for paper. Whoever has the paper has the key."""
        return write_sheet(self.private(fingerprint).seed, fingerprint)

    def read(self, untrusted_sheet: str) -> bytes:
        """The public part of the key on a recovery sheet; nothing is stored."""
        return PrivateKey(read_sheet(untrusted_sheet)).public.data

    def restore(self, untrusted_sheet: str) -> bytes:
        """Store the private key that a recovery sheet holds; returns its public part."""
        return self._store(PrivateKey(read_sheet(untrusted_sheet))).data

    def _store(self, key: PrivateKey) -> PublicKey:
        fingerprint, passphrase = key.public.fingerprint, self._passphrase()
        if passphrase is None:
            words = [_PLAIN, _encode(key.seed)]
        else:
            salt, nonce = self._entropy(_SALT_BYTES), self._entropy(_NONCE_BYTES)
            box = AESGCM(_stretch(passphrase, salt)).encrypt(nonce, key.seed, fingerprint.encode())
            words = [_LOCKED, _encode(salt), _encode(nonce), _encode(box)]
        self._write(self._file(fingerprint).name, " ".join(words) + "\n")
        return key.public

    def _seed(self, text: str, fingerprint: str) -> bytes:
        if not text.startswith(_LOCKED):
            return _decode(text, _PLAIN)[0]
        salt, nonce, box = _decode(text, _LOCKED, parts=3)
        passphrase = self._passphrase()
        if passphrase is None:
            raise Refused(
                "passphrase_missing",
                f"Evidence key {fingerprint} is locked: name the file with its passphrase in evidence_passphrase_file.",
            )
        try:
            return AESGCM(_stretch(passphrase, salt)).decrypt(nonce, box, fingerprint.encode())
        except InvalidTag:
            raise Refused(
                "passphrase_wrong", f"The passphrase does not open evidence key {fingerprint}; put the right one there."
            ) from None

    def _passphrase(self) -> bytes | None:
        if self._passphrase_file is None:
            return None
        try:
            passphrase = self._passphrase_file.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise Refused(
                "passphrase_unreadable", f"{self._passphrase_file} cannot be read ({error.strerror})."
            ) from error
        if not passphrase:
            raise Refused("passphrase_unreadable", f"{self._passphrase_file} is empty: put the passphrase there.")
        return passphrase

    def _file(self, fingerprint: str) -> Path:
        return self._folder / f"evidence-{fingerprint}.key"

    def _write(self, name: str, text: str) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_whole(self._folder / name, text)
        except OSError as error:
            raise Refused(
                "keys_unwritable", f"Keys cannot be kept in {self._folder} ({error.strerror}); set evidence_folder."
            ) from error


def _write_whole(path: Path, text: str) -> None:
    descriptor, written = tempfile.mkstemp(dir=path.parent)  # mode 600
    with open(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(written).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _stretch(passphrase: bytes, salt: bytes) -> bytes:
    return hash_secret_raw(passphrase, salt, hash_len=32, type=Type.ID, **_ARGON)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str, kind: str, parts: int = 1) -> list[bytes]:
    words = text.split()
    if words[:1] != [kind] or len(words) != parts + 1:
        raise _damaged(kind)
    try:
        return [base64.b64decode(word, validate=True) for word in words[1:]]
    except binascii.Error as error:
        raise _damaged(kind) from error


def _damaged(what: str) -> Broken:
    return Broken("evidence_key_damaged", f"A key file is damaged ({what}); restore it from the recovery sheet.")
