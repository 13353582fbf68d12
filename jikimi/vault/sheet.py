"""The recovery sheet: a private evidence key as text for paper, and back.

The seed of 32 bytes is written in four rows; a row is 8 bytes in Crockford's base 32 (13 digits) and three check digits
(15 bits of SHA-256 over the row's number and its bytes). So a mistyped row is named, and rows cannot change places.
Letters that look alike are read as the digit that is meant.
"""

from __future__ import annotations

import hashlib
import re

from jikimi.model.errors import Refused

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_ROWS, _ROW_BYTES, _DATA_DIGITS, _CHECK_DIGITS = 4, 8, 13, 3
_ROW = re.compile(r"^\s*([1-4])\s*[:.)]?\s+((?:[0-9A-Za-z]{4}[\s-]*){4})\s*$", re.MULTILINE)


def write_sheet(seed: bytes, fingerprint: str) -> str:
    """The text to print."""
    rows = []
    for number in range(1, _ROWS + 1):
        data = seed[(number - 1) * _ROW_BYTES : number * _ROW_BYTES]
        digits = _digits(int.from_bytes(data, "big"), _DATA_DIGITS) + _check(number, data)
        rows.append(f"    {number}:  " + "  ".join(digits[at : at + 4] for at in range(0, len(digits), 4)))
    return (
        f"Recovery sheet of evidence key {fingerprint}\n\n"
        + "\n".join(rows)
        + "\n\nWhoever has these four rows can open all evidence sealed to this key, and without the key nobody can.\n"
        "Print this page or copy it by hand, put it into a safe, and keep no file of it.\n"
        "To bring the key back: `jikimi vault restore`, then type the rows.\n"
    )


def read_sheet(untrusted_text: str) -> bytes:
    """The seed on a sheet, or on the rows of it that somebody typed; `Refused` names the row that is wrong."""
    found = {int(number): _plain(digits) for number, digits in _ROW.findall(untrusted_text)}
    missing = [str(number) for number in range(1, _ROWS + 1) if number not in found]
    if missing:
        raise Refused(
            "sheet_incomplete",
            f"Row {', '.join(missing)} of the recovery sheet is missing: type all four, each as its number and four "
            "groups of four.",
        )
    return b"".join(_read_row(number, found[number]) for number in sorted(found))


def _read_row(number: int, digits: str) -> bytes:
    values = [_ALPHABET.find(digit) for digit in digits[:_DATA_DIGITS]]
    value = 0
    for one in values:
        value = value << 5 | one
    if -1 not in values and value < 1 << (8 * _ROW_BYTES):
        data = value.to_bytes(_ROW_BYTES, "big")
        if _check(number, data) == digits[_DATA_DIGITS:]:
            return data
    raise Refused("sheet_mistyped", f"Row {number} of the recovery sheet is mistyped; compare it digit by digit.")


def _check(number: int, data: bytes) -> str:
    digest = hashlib.sha256(bytes([number]) + data).digest()
    return _digits(int.from_bytes(digest[:2], "big") >> 1, _CHECK_DIGITS)


def _digits(value: int, count: int) -> str:
    return "".join(_ALPHABET[(value >> (5 * at)) & 31] for at in range(count - 1, -1, -1))


def _plain(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed).upper().translate(_LOOK_ALIKE)
