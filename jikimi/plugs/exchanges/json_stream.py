"""Reading objects out of a JSON text of any size, one at a time.

Programmes nest their records differently: at the top, under a name, under a case. So the place is not asked for but
found: it is where the first object lies that has one of the keys that make a record.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO

import ijson

from jikimi.model.errors import Refused
from jikimi.plugs.exchanges.whole_list import broken_off

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
_NESTED = ("alternativehashes", "mediafiles", "exifs")
"""Parts of a record that have such keys too."""


def plain_name(name: str) -> str:
    """A name without what differs between programmes: case, spaces, hyphens."""
    return _NOT_IN_NAMES.sub("", name.lower())


def read_objects(file: BinaryIO, keys: Collection[str]) -> Iterator[Any]:
    """Give all objects of the kind whose first one has one of these keys (plain names), in bounded memory."""
    begin = _after_mark(file)
    prefix = _found(lambda: _events(file, begin), keys)
    if prefix is None:
        return
    file.seek(begin)
    with _Broken():
        yield from ijson.items(file, prefix, use_float=True, multiple_values=True)


class _Broken:
    """Turns what a reader of JSON says of a broken text into our words, in which no value is quoted."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, ijson.JSONError | UnicodeError | OverflowError | RecursionError):
            raise broken_off() from None


def _after_mark(file: BinaryIO) -> int:
    """Where the text begins: some programs write a byte order mark first."""
    head = file.read(3)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused("list_encoding", "The list is in UTF-16; convert it to UTF-8, for example with iconv.")
    return 3 if head == codecs.BOM_UTF8 else 0


def _events(file: BinaryIO, begin: int) -> Iterator[tuple[str, str, Any]]:
    file.seek(begin)
    with _Broken():
        yield from ijson.parse(file, use_float=True, multiple_values=True)


def _found(events: Callable[[], Iterator[tuple[str, str, Any]]], keys: Collection[str]) -> str | None:
    """The place of the records; none in a text that is whole and has no record."""
    has_list = False
    for prefix, event, value in events():
        if event == "map_key" and plain_name(value) in keys and not _is_nested(prefix):
            return prefix
        has_list |= event == "start_array"
    if not has_list:
        raise broken_off()
    return None


def _is_nested(prefix: str) -> bool:
    return plain_name(prefix.removesuffix(".item")).endswith(_NESTED)
