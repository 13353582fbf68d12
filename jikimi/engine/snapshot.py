"""A file of named columns, written once and memory-mapped often.

Decided here: the format, its checksum and how a file replaces another without ever being half there. Not decided here:
which columns there are and what they mean (`engine.index`). There is no pickle in it, and every header value is
treated as hostile: the checksum finds damage, the header checks find malice.

Format 2, little-endian. 64 bytes: magic (8), format version (uint32), bytes of the table (uint32), bytes of the file
(uint64), zeros (8), SHA-256 of the head without these 32 bytes, the table and the sums. Then the table as JSON
`{"sequence": n, "columns": {name: {"dtype": "u1" | "u2" | "u4" | "u8" | "i8", "shape": [..]}}}`, then the columns in
the order of the table, each at the next multiple of 4096 bytes; the gaps are zeros. At the end, at the next multiple
of 8, the sums: for each column `engine.kernel.checksum`, 16 bytes per MiB.

A flipped bit in a value is a known picture that is no longer found, without any sign of it. So every byte is checked
before the first search, not some of them and not later. That has to be quick, or a service could not start within a
moment: a SHA-256 of ten million entries takes a second, these sums run at the speed of memory on all cores. They find
every change within one word, and any other but for one in 2^32 or fewer; who can write the file can forge them as they
could a SHA-256, which is what the checks of head and table, and of the columns in `engine.index`, are for.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from jikimi.engine import kernel
from jikimi.model.errors import Broken

Column = npt.NDArray[Any]

_MAGIC = b"JIKIMISN"
_VERSION = 2
_HEAD = struct.Struct("<8sIIQ8x32s")
_DIGEST_AT = _HEAD.size - 32
_PAGE = 4096
_DTYPES = ("u1", "u2", "u4", "u8", "i8")
_SUM_BYTES = 16

_POPULATE: int = getattr(mmap, "MAP_POPULATE", 0)
"""Linux: map all pages at once. Else each is mapped when it is first touched, which costs more than to check it."""

_LONGEST_TABLE = 1 << 16
"""Bytes of JSON that are read at all: hundreds of columns."""

_MOST_DIMENSIONS = 2
_LARGEST = 1 << 62
"""Above every sequence number, length and product of lengths that can be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a file holds: read-only columns that stay mapped for as long as any of them is referenced."""

    sequence: int
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a column lies in the file."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where everything lies; the sums are at `sums_at`, and `size` is the length of the file."""

    sequence: int
    places: Mapping[str, _Place]
    sums_at: int

    @property
    def size(self) -> int:
        blocks = sum(-(-place.size // kernel.SUM_BLOCK) for place in self.places.values())
        return self.sums_at + blocks * _SUM_BYTES


def write(path: Path, *, sequence: int, columns: Mapping[str, Column]) -> None:
    """Put a complete file at `path`, replacing another at once; after return it survives a power cut.

    Columns are arrays of uint8, 16, 32 or 64 or int64 with one or two dimensions. Needs no memory beyond them.
    `OSError` if the disk refuses; then `path` is as it was.
    """
    arrays = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    entries = {name: {"dtype": _dtype(array), "shape": list(array.shape)} for name, array in arrays.items()}
    table = json.dumps({"sequence": sequence, "columns": entries}).encode()
    layout = _layout(table)
    head = _HEAD.pack(_MAGIC, _VERSION, len(table), layout.size, bytes(32))
    sums = bytearray()
    with _replacing(path) as file:
        file.write(head)
        file.write(table)
        for name, place in layout.places.items():
            flat = _flat(arrays[name].astype(place.dtype, copy=False))
            sums += kernel.checksum(flat, _threads()).astype("<u8").tobytes()
            file.write(bytes(place.offset - file.tell()))
            file.write(flat.data)
        file.write(bytes(layout.sums_at - file.tell()))
        file.write(sums)
        file.seek(_DIGEST_AT)
        file.write(_digest(head, table, sums))


def read(path: Path) -> Snapshot:
    """Check all bytes of the file at `path` and map its columns, read-only.

    It may be replaced or deleted afterwards, but must not be written to: the check is not repeated.
    `Broken` with code `snapshot_damaged` if anything about it is not as written; `OSError` if it cannot be opened.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head, table = _head_and_table(file, size)
        layout = _layout(table)
        if size != layout.size:
            raise _damaged(f"{size} bytes instead of {layout.size}")
        mapped = mmap.mmap(file.fileno(), size, flags=mmap.MAP_SHARED | _POPULATE, prot=mmap.PROT_READ)
    _check(mapped, head, table, layout)
    columns = {name: _column(mapped, place) for name, place in layout.places.items()}
    return Snapshot(sequence=layout.sequence, columns=columns)


def _check(mapped: mmap.mmap, head: bytes, table: bytes, layout: _Layout) -> None:
    """Compare every byte with the sums, and the sums with the head."""
    sums = mapped[layout.sums_at :]
    if _digest(head, table, sums) != head[_DIGEST_AT:]:
        raise _damaged("wrong checksum of the head")
    expected = np.frombuffer(sums, "<u8").reshape(-1, 2)
    at, block = _HEAD.size + len(table), 0
    for name, place in layout.places.items():
        found = kernel.checksum(_flat(_column(mapped, place)), _threads())
        if any(mapped[at : place.offset]) or not np.array_equal(found, expected[block : block + len(found)]):
            raise _damaged(f"wrong checksum of {name}")
        at, block = place.offset + place.size, block + len(found)
    if any(mapped[at : layout.sums_at]):
        raise _damaged("bytes between the columns")


def _digest(head: bytes, table: bytes, sums: bytes | bytearray) -> bytes:
    return hashlib.sha256(head[:_DIGEST_AT] + table + sums).digest()


def _flat(column: Column) -> kernel.Values:
    flat: kernel.Values = column.reshape(-1).view(np.uint8)
    return flat


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _dtype(array: Column) -> str:
    name = array.dtype.str[1:]
    if name not in _DTYPES or not 1 <= array.ndim <= _MOST_DIMENSIONS:
        raise ValueError(f"a snapshot has no columns of {array.dtype} with {array.ndim} dimensions")
    return name


def _head_and_table(file: BinaryIO, size: int) -> tuple[bytes, bytes]:
    """The head, if it is plausible, and the JSON table after it."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise _damaged("shorter than its head")
    magic, version, length, stated_size, _ = _HEAD.unpack(head)
    if magic != _MAGIC or version != _VERSION:
        raise _damaged("not a snapshot of this version")
    if stated_size != size or length > min(_LONGEST_TABLE, size - _HEAD.size):
        raise _damaged("cut off or grown")
    return head, file.read(length)


def _layout(untrusted_table: bytes) -> _Layout:
    """Read a table; where its columns lie follows from it."""
    if len(untrusted_table) > _LONGEST_TABLE:
        raise _damaged("table too long")
    try:
        content = json.loads(untrusted_table)
        entries, sequence = content["columns"].items(), content["sequence"]
        places: dict[str, _Place] = {}
        end = _HEAD.size + len(untrusted_table)
        for name, entry in entries:
            places[name] = _place(entry["dtype"], entry["shape"], -(-end // _PAGE) * _PAGE)
            end = places[name].offset + places[name].size
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged("table unreadable") from error
    if not _is_count(sequence):
        raise _damaged("sequence out of range")
    return _Layout(sequence=sequence, places=places, sums_at=-(-end // 8) * 8)


def _place(untrusted_dtype: object, untrusted_shape: object, offset: int) -> _Place:
    if untrusted_dtype not in _DTYPES or not isinstance(untrusted_dtype, str):
        raise _damaged("unknown column type")
    if not isinstance(untrusted_shape, list) or not 1 <= len(untrusted_shape) <= _MOST_DIMENSIONS:
        raise _damaged("wrong number of dimensions")
    if not all(_is_count(length) for length in untrusted_shape) or math.prod(untrusted_shape) >= _LARGEST:
        raise _damaged("length out of range")
    return _Place(dtype="<" + untrusted_dtype, shape=tuple(untrusted_shape), offset=offset)


def _is_count(untrusted: object) -> bool:
    return type(untrusted) is int and 0 <= untrusted < _LARGEST


def _column(mapped: mmap.mmap, place: _Place) -> Column:
    count = math.prod(place.shape)
    flat = np.frombuffer(mapped, place.dtype, count, place.offset) if count else np.empty(0, place.dtype)
    column = flat.reshape(place.shape)
    column.flags.writeable = False
    return column


def _damaged(detail: str) -> Broken:
    return Broken("snapshot_damaged", "The index file is damaged; build it again from the database.", detail=detail)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when it is complete and on disk, and vanishes if it fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
