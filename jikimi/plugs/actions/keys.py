"""The keys that sign webhooks: given in the settings, or kept in a file with one key a line, newest first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jikimi.model.errors import Refused

KEY_BYTES = 32
_PREFIX = "jkw_"
_SHORTEST = 16
_FILE = "file:"
_KEPT = 2
"""Keys that sign while one is being replaced."""


class WebhookKeys:
    """Where the keys are; they are read anew every time they are asked for."""

    def __init__(self, said: str, data: Path, entropy: Callable[[int], bytes]) -> None:
        self._said = [part.strip() for part in said.split(",") if part.strip()]
        self._own = data / "webhook.keys"
        self._entropy = entropy

    def __call__(self) -> tuple[str, ...]:
        """All keys that sign, newest first; `Refused` if there is none, or one that is too short."""
        if not self._said:
            return self._read(self._own if self._own.exists() else self._make())
        found = [key for part in self._said for key in self._of(part)]
        return _checked(tuple(found))

    @property
    def file(self) -> Path:
        """The one file that all keys are in; `Refused` if the settings hold them otherwise."""
        files = [Path(part.removeprefix(_FILE)) for part in self._said if part.startswith(_FILE)]
        if not self._said:
            return self._own
        if len(files) != 1 or len(self._said) != 1:
            raise Refused(
                "webhook_keys_set",
                "The keys stand in the settings; change webhook_keys there: the new key first, the old one behind it.",
            )
        return files[0]

    def rotate(self) -> tuple[str, ...]:
        """Put a new key before the present one; both sign from now on."""
        self()
        return self._write([self._new(), *self._read(self.file)][:_KEPT])

    def retire(self) -> tuple[str, ...]:
        """Leave only the newest key."""
        self()
        return self._write(list(self._read(self.file)[:1]))

    def _of(self, part: str) -> tuple[str, ...]:
        return self._read(Path(part.removeprefix(_FILE))) if part.startswith(_FILE) else (part,)

    def _read(self, file: Path) -> tuple[str, ...]:
        try:
            return _checked(tuple(file.read_text().split()))
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(
                "webhook_keys_invalid", f"{file} cannot be read; it should hold one key a line, newest first."
            ) from error

    def _make(self) -> Path:
        """Make the first key. Whoever is second finds the file there and keeps it."""
        fresh = self._fresh([self._new()])
        with suppress(FileExistsError):
            os.link(fresh, self._own)
        fresh.unlink()
        return self._own

    def _write(self, keys: list[str]) -> tuple[str, ...]:
        """Replace the file in one step: no reader sees half of it."""
        self._fresh(keys).replace(self.file)
        return tuple(keys)

    def _fresh(self, keys: list[str]) -> Path:
        fresh = self.file.with_name(f".{self.file.name}.{self._entropy(4).hex()}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write("\n".join(keys) + "\n")
            out.flush()
            os.fsync(out.fileno())
        return fresh

    def _new(self) -> str:
        return _PREFIX + self._entropy(KEY_BYTES).hex()


def _checked(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys or any(len(key) < _SHORTEST for key in keys):
        raise Refused(
            "webhook_keys_invalid",
            f"A key that signs has {_SHORTEST} characters or more; `jikimi webhook rotate` makes one.",
        )
    return keys
