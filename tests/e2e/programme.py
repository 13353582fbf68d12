"""A programme for tests, as a package of its own beside the interpreter's others: a kind `numbers` of exchange.

It says the numbers from 1 on, each as a record with one signal, in pages, as slowly as its settings say.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from jikimi.model.exchange import Feedback, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.signal import Signal
from jikimi.ports.exchanges import Opined, Web

POINT = "[jikimi.exchanges.v1]\nnumbers = tests.e2e.programme:Numbers\n"
METADATA = "Metadata-Version: 2.1\nName: numbers-for-tests\nVersion: 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersConfig:
    """How many numbers there are, how large a page is, how long it takes."""

    last: int = setting("The last number.")
    gone: int = setting("Numbers up to this one have been withdrawn.", default=0)
    page: int = setting("Records a page.", default=1000)
    pause: float = setting("Seconds before each page.", default=0.0)
    two: bool = setting("Every second record has an md5 as well.", default=False)
    token: str = setting("A secret.", default="", secret=True)


class Numbers:
    """Numbers, for tests."""

    Config: ClassVar[type] = NumbersConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset()
    forgets: ClassVar[bool] = False
    is_whole = False

    def __init__(self, config: NumbersConfig, web: Web, now: datetime) -> None:
        self._config = config

    @staticmethod
    def hosts(config: NumbersConfig) -> frozenset[str]:
        return frozenset()

    def pull(self, checkpoint: str) -> Iterator[Page]:
        done = int(checkpoint or 0)
        for start in range(done, self._config.last, self._config.page):
            time.sleep(self._config.pause)
            stop = min(start + self._config.page, self._config.last)
            numbers = range(start + 1, stop + 1)
            yield Page(records=tuple(self._record(number) for number in numbers), checkpoint=str(stop))

    def push(self, opined: Sequence[Opined]) -> None:
        raise AssertionError("nothing is given back here")

    def _record(self, number: int) -> SourceRecord:
        signals = (pdq(number), md5(number)) if self._config.two and number % 2 else (pdq(number),)
        is_gone = number <= self._config.gone
        key = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
        return SourceRecord(key=key, signals=() if is_gone else signals, withdrawn=is_gone, trust=Trust.CONFIRMED)


def pdq(number: int) -> Signal:
    """The signal that stands for a number."""
    return Signal(type="pdq", value=hashlib.sha256(b"%d" % number).digest())


def md5(number: int) -> Signal:
    """Its other signal."""
    return Signal(type="md5", value=pdq(number).value[:16])


def install(folder: Path) -> Path:
    """Make the package's metadata in a folder that is to stand on the interpreter's path."""
    about = folder / "numbers_for_tests-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(METADATA)
    (about / "entry_points.txt").write_text(POINT)
    return folder
