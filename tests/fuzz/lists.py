"""Mutated lists and signals against their readers: a line becomes sound entries or a mistake, no error of ours."""

from __future__ import annotations

import random
from collections.abc import Iterator

from jikimi.model.bank import MAX_TEXT
from jikimi.model.errors import Refused
from jikimi.model.listfile import BadLine, read_list
from jikimi.model.signal import SIGNAL_KINDS, Signal, parse_typed_signal
from tests.fuzz.mutate import mutated

_PDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
_GOOD = [
    f"pdq:{_PDQ}\nmd5 {_MD5}\n# words\n{_MD5}\nsha256:{_PDQ}\n",
    f"type,value,note,quality\npdq,{_PDQ},a note,100\nmd5,{_MD5},,\n",
    f'pdq,md5,note\n{_PDQ},{_MD5},"a, b"\n{_PDQ},,\n',
    f'{{"type": "pdq", "value": "{_PDQ}", "quality": 80, "note": "사진"}}\n{{"md5": "{_MD5}"}}\n',
    f'{{"path": "a", "sha256": "{_PDQ}", "signals": [{{"type": "pdq", "value": "{_PDQ}", "quality": 7}}]}}\n',
]


class Lists:
    """Lists as `bank import` reads them."""

    name = "list"

    def __init__(self) -> None:
        self._good = [text.encode() for text in _GOOD]

    def inputs(self, chance: random.Random) -> Iterator[bytes]:
        """Good lists, changed; now and then one long line of them."""
        while True:
            good = chance.choice(self._good)
            if chance.random() < 0.05:
                good = good.replace(b"\n", b" ") * 200
            yield mutated(chance, good, self._good)

    def problem_with(self, content: bytes) -> str:
        """What is wrong with how this list was read; empty if nothing is."""
        lines = content.decode("utf-8", "replace").splitlines(keepends=True)
        for type_ in ("", "pdq"):
            for line in read_list(lines, type_=type_):
                if isinstance(line, BadLine):
                    continue
                entry = line.entry
                if not is_sound(entry.signal) or len(entry.note) > MAX_TEXT:
                    return f"line {line.number} gave an unsound entry"
        for text in lines:
            try:
                signal = parse_typed_signal(text)
            except Refused:
                continue
            if not is_sound(signal):
                return f"{text!r} gave an unsound signal"
        return ""

    def close(self) -> None:
        """Nothing is held."""


def is_sound(signal: Signal) -> bool:
    """Whether a signal is what its type says."""
    has_length = len(signal.value) == SIGNAL_KINDS[signal.type].length
    return has_length and (signal.quality is None or 0 <= signal.quality <= 100)
