"""Small changes to good bytes, by chance from a seed: most of what is made still gets past a reader's first checks."""

from __future__ import annotations

import random

_INTERESTING = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00", b"\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff",
                b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x01\x00\x00\x00", b"\x00\x00\x00\x01")  # fmt: skip
_HEAD_BYTES = 200
"""Headers stand here, and lies in them go further than lies in pixels."""
_MAX_CHANGES = 8
_MAX_RUN = 64


def mutated(chance: random.Random, good: bytes, others: list[bytes]) -> bytes:
    """A changed copy; a part of another input may be put in."""
    content = bytearray(good)
    for _ in range(chance.randint(1, _MAX_CHANGES)):
        _change(chance, content, chance.choice(others))
    return bytes(content)


def _change(chance: random.Random, content: bytearray, other: bytes) -> None:
    at = _place(chance, len(content))
    run = slice(at, at + chance.randint(1, _MAX_RUN))
    match chance.randrange(7):
        case 0 if content:
            content[at] ^= 1 << chance.randrange(8)
        case 1:
            some = chance.choice(_INTERESTING)
            content[at : at + len(some)] = some
        case 2:
            content[run] = chance.randbytes(run.stop - run.start)
        case 3:
            del content[run]
        case 4:
            content[at:at] = content[run] * chance.randint(1, 4)
        case 5:
            start = _place(chance, len(other))
            content[run] = other[start : start + chance.randint(1, 10 * _MAX_RUN)]
        case _:
            del content[chance.randint(0, len(content)) :]


def _place(chance: random.Random, size: int) -> int:
    end = size if chance.random() < 0.5 else min(size, _HEAD_BYTES)
    return chance.randrange(max(end, 1))
