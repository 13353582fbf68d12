"""Password hashes: Argon2id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from secrets import token_hex
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from jikimi.model.errors import Unavailable
from jikimi.model.password import MAX_LENGTH, normalised

_AT_ONCE = 2
"""Each takes 64 MiB: whoever tries many passwords at once must not take the machine's memory."""
_WAIT_SECONDS = 10.0


class Argon2:
    """Argon2id with the second recommended parameters of RFC 9106: 64 MiB, 3 passes, 4 lanes."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """The hash to store, with salt and parameters in it."""
        with self._turn():
            return self._hasher.hash(normalised(password))

    def matches(self, password_hash: str, untrusted_password: str) -> bool:
        """Tell whether this is the password. Without a hash it takes as long, and the answer is no."""
        password = normalised(untrusted_password[: MAX_LENGTH + 1])
        with self._turn():
            return self._verify(password_hash, password)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return bool(password_hash)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("sign_in_busy", "Too many people sign in at this moment; try again.")
        try:
            yield
        finally:
            self._turns.release()

    @cached_property
    def _nobody(self) -> str:
        """The hash of a password that nobody has."""
        return self._hasher.hash(token_hex())
