"""What a simulated programme lists: records with hashes of nothing, each with a number, and the order of their changes.

Seven changes share a second, as happens when a programme publishes many at once; every call begins a new second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

BEGIN = 1_750_000_000
"""The programme's first second, since 1970."""
A_SECOND = 7
"""Changes that share a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The last change of one record. `place` counts all changes of the programme, `at` is in seconds since 1970."""

    place: int
    at: int
    number: int
    is_gone: bool


def value(type_: str, number: int) -> str:
    """A hash of a record, as text; nothing has this hash but the record's number."""
    algorithm = {"md5": "md5", "sha1": "sha1"}.get(type_, "sha256")
    return hashlib.new(algorithm, f"{type_} of record {number}".encode(), usedforsecurity=False).hexdigest()


class Shelf:
    """The list of one programme."""

    def __init__(self) -> None:
        self._log: list[int] = []
        self._last: dict[int, int] = {}
        self._gone: set[int] = set()
        self._born = 0

    def publish(self, count: int) -> None:
        """Put so many more records on the list."""
        self._begin_second()
        for number in range(self._born + 1, self._born + count + 1):
            self._note(number)
        self._born += count

    def withdraw(self, count: int) -> None:
        """Take so many off again, the oldest first."""
        self._begin_second()
        for number in list(self.live())[:count]:
            self._gone.add(number)
            self._note(number)

    def live(self) -> Iterator[int]:
        """The numbers of what is on the list now."""
        return (number for number in range(1, self._born + 1) if number not in self._gone)

    def changes(self, place: int, limit: int) -> list[Change]:
        """Last changes of records from a place on."""
        found: list[Change] = []
        while place < len(self._log) and len(found) < limit:
            number = self._log[place]
            if self._last.get(number) == place:
                at = BEGIN + place // A_SECOND
                found.append(Change(place=place, at=at, number=number, is_gone=number in self._gone))
            place += 1
        return found

    def _note(self, number: int) -> None:
        self._last[number] = len(self._log)
        self._log.append(number)

    def _begin_second(self) -> None:
        self._log += [0] * (-len(self._log) % A_SECOND)
