"""NCMEC's and StopNCII's simulators as the conformance suite wants them: lists that grow and shrink by numbers.

Both have a clock of their own, which stands still while it is asked and moves on by an hour with every change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Self

from jikimi.testing.ncmec import Entry, Ncmec
from jikimi.testing.shelf import value
from jikimi.testing.stopncii import KEYS, StopNcii

_WORD = "a-password-of-nobody"
_STEP = 3600
_LATE = 600
"""Seconds before the clock that a change is dated: programmes give nothing that is too new."""


class _Numbers:
    """Numbers of records, and a clock; `at` is when the present change happened."""

    def __init__(self) -> None:
        self.now = time.time() - 30 * 24 * _STEP
        self.live: dict[int, None] = {}
        self._born = 0

    @property
    def at(self) -> int:
        return int(self.now) - _LATE

    def born(self, count: int) -> list[int]:
        """So many new ones."""
        self.now += _STEP
        numbers = list(range(self._born + 1, self._born + count + 1))
        self._born += count
        self.live |= dict.fromkeys(numbers)
        return numbers

    def gone(self, count: int) -> list[int]:
        """The oldest ones, which are no more."""
        self.now += _STEP
        numbers = list(self.live)[:count]
        for number in numbers:
            del self.live[number]
        return numbers


class NcmecTrial(Ncmec):
    """NCMEC's list of one member, with an `md5` each; all of one publication share a second."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        super().__init__(password=_WORD, clock=lambda: self._numbers.now, page=400)

    @property
    def settings(self) -> Mapping[str, object]:
        """What leads the connector here."""
        return {
            "environment": "https://hashsharing-test.ncmec.org/npo",
            "user": "user",
            "password": _WORD,
            "address": self.url,
            "negative_reason": "Bad hash",
        }

    def publish(self, count: int) -> None:
        """Put so many more on the list."""
        numbers = self._numbers.born(count)
        prints = [(f"e{number}", {"md5": value("md5", number)}) for number in numbers]
        self._set(
            [Entry(member=42, id=id_, at=self._numbers.at, classification="A1", fingerprints=of) for id_, of in prints]
        )

    def withdraw(self, count: int) -> None:
        """Leave so many tombstones."""
        for number in self._numbers.gone(count):
            self.delete(42, f"e{number}", at=self._numbers.at)

    def listed(self) -> frozenset[str]:
        """What is on the list now."""
        return frozenset(f"md5:{value('md5', number)}" for number in self._numbers.live)


class StopNciiTrial:
    """StopNCII's list of pictures."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._server = StopNcii(clock=lambda: self._numbers.now)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)

    @property
    def settings(self) -> Mapping[str, object]:
        """What leads the connector here."""
        keys = {f"{use}_key": use for use in KEYS.values()}
        return {"subscription_key": "subscription", **keys, "page_size": 400, "address": self._server.url}

    def publish(self, count: int) -> None:
        """Put so many more on the list."""
        for number in self._numbers.born(count):
            self._server.put(at=self._numbers.at, value=value("pdq", number))

    def withdraw(self, count: int) -> None:
        """The oldest are taken back by the persons in them."""
        for number in self._numbers.gone(count):
            self._server.withdraw(value("pdq", number), at=self._numbers.at)

    def listed(self) -> frozenset[str]:
        """What is on the list now."""
        return frozenset(f"pdq:{value('pdq', number)}" for number in self._numbers.live)
