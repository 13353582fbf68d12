"""A list that the operator keeps or was given: CSV, NDJSON or plain lines, from a file or an address.

How lines are read is told in `model.listfile`. The list is read whole each time: what it does not name any more is
withdrawn. Nothing can be given back to a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import BinaryIO, ClassVar

from jikimi.model.exchange import MAX_LABEL, Feedback, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.listfile import MAX_LINE, BadLine, GoodLine, read_list
from jikimi.plugs.exchanges.answers import check_given
from jikimi.plugs.exchanges.whole_list import Fault, Place, broken_off, digest_key, hosts_of, read_whole
from jikimi.ports.exchanges import Opined, Web


@dataclass(frozen=True, slots=True, kw_only=True)
class ListConfig(Place):
    """Settings of one list."""

    type: str = setting("Type of values that do not say it, such as pdq; needed for bare 64 digits.", default="")
    confirmed: bool = setting("You vouch that people have looked at what is on the list.", default=True)


class List:
    """Your own lists: CSV, NDJSON or plain lines, from a file or an address."""

    Config: ClassVar[type] = ListConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset()
    forgets: ClassVar[bool] = False
    is_whole = True

    def __init__(self, config: ListConfig, web: Web, now: datetime) -> None:
        self._config, self._web = config, web

    @staticmethod
    def hosts(config: ListConfig) -> frozenset[str]:
        """The host of the address, if it is one."""
        return hosts_of(config)

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give the whole list, unless it is the same as last time."""
        trust = Trust.CONFIRMED if self._config.confirmed else Trust.UNCONFIRMED
        read = partial(records_of, type_=self._config.type, trust=trust)
        return read_whole(self._config, self._web, checkpoint, read)

    def push(self, opined: Sequence[Opined]) -> None:
        """Refuse: a list takes nothing back."""
        check_given(opined, self.gives)


def records_of(file: BinaryIO, *, type_: str, trust: Trust) -> Iterator[SourceRecord | Fault]:
    """Read a list line by line; a line may give several records."""
    text = ""

    def texts() -> Iterator[str]:
        nonlocal text
        for text in lines_of(file):  # noqa: UP028 - the loop is what keeps the last line
            yield text

    line = None
    for line in read_list(texts(), type_=type_):
        yield f"line {line.number}: {line.code}" if isinstance(line, BadLine) else _record(line, trust)
    if isinstance(line, BadLine) and not text.endswith("\n"):
        raise broken_off()


def lines_of(file: BinaryIO) -> Iterator[str]:
    """Lines of text; what is too long to mean anything is cut, so that no line fills the memory."""
    longest = 4 * MAX_LINE
    while raw := file.readline(longest):
        yield raw.decode("utf-8", "replace")
        while len(raw) == longest and not raw.endswith(b"\n"):
            raw = file.readline(longest)


def _record(line: GoodLine, trust: Trust) -> SourceRecord:
    signal, note = line.entry.signal, line.entry.note
    key = digest_key(f"{signal.type}:{signal.text}")
    return SourceRecord(key=key, signals=(signal,), trust=trust, labels=(note[:MAX_LABEL],) if note else ())
