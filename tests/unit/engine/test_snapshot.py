"""Snapshot files: what is written comes back, and nothing damaged or hostile does."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jikimi.engine import kernel, snapshot
from jikimi.model.errors import Broken

_HEAD = 64
_PAGE = 4096


@pytest.fixture
def columns() -> dict[str, snapshot.Column]:
    return {
        "pdq.values": np.arange(64, dtype=np.uint8).reshape(2, 32),
        "pdq.order": np.arange(3000, dtype=np.uint32).reshape(2, 1500),
        "empty": np.empty((0, 20), np.uint8),
        "keys": np.array([0, 2**64 - 1], np.uint64),
        "ids": np.array([-(2**63), 2**63 - 1, 5], np.int64),
    }


@pytest.fixture
def path(tmp_path: Path, columns: dict[str, snapshot.Column]) -> Path:
    path = tmp_path / "index.snapshot"
    snapshot.write(path, sequence=77, columns=columns)
    return path


def test_what_is_written_comes_back(path: Path, columns: dict[str, snapshot.Column]) -> None:
    found = snapshot.read(path)
    assert found.sequence == 77
    assert list(found.columns) == list(columns)
    for name, column in columns.items():
        assert found.columns[name].dtype == column.dtype
        assert np.array_equal(found.columns[name], column)


def test_columns_are_mapped_on_pages_and_read_only(path: Path) -> None:
    for column in snapshot.read(path).columns.values():
        assert not column.size or column.ctypes.data % _PAGE == 0
        with pytest.raises(ValueError, match="read-only"):
            column[...] = 0


def test_no_columns_at_all(tmp_path: Path) -> None:
    snapshot.write(tmp_path / "nothing", sequence=0, columns={})
    assert snapshot.read(tmp_path / "nothing") == snapshot.Snapshot(sequence=0, columns={})


def test_columns_in_any_layout_and_byte_order(tmp_path: Path) -> None:
    columns: dict[str, snapshot.Column] = {
        "swapped": np.arange(5).astype(">i8"),
        "transposed": np.arange(12, dtype=np.uint32).reshape(3, 4).T,
        "strided": np.arange(100, dtype=np.uint8)[::7],
    }
    snapshot.write(tmp_path / "file", sequence=1, columns=columns)
    found = snapshot.read(tmp_path / "file").columns
    assert all(np.array_equal(found[name], column) for name, column in columns.items())


@pytest.mark.parametrize("column", [np.zeros(3, np.float64), np.zeros((1, 1, 1), np.uint8), np.array([object()])])
def test_other_columns_are_not_written(tmp_path: Path, column: snapshot.Column) -> None:
    with pytest.raises(ValueError, match="no columns"):
        snapshot.write(tmp_path / "file", sequence=1, columns={"x": column})
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole_and_an_old_map_lives_on(path: Path) -> None:
    old = snapshot.read(path)
    snapshot.write(path, sequence=78, columns={"ids": np.zeros(1, np.int64)})
    assert old.columns["pdq.values"][1, 31] == 63
    assert snapshot.read(path).sequence == 78
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_failed_write_leaves_the_old_file_and_no_other(path: Path) -> None:
    folder = path.parent / "folder"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        snapshot.write(folder, sequence=2, columns={})
    assert sorted(file.name for file in path.parent.iterdir()) == ["folder", path.name]


def test_two_writers_at_once_leave_one_whole_file(path: Path) -> None:
    def write(sequence: int) -> None:
        for _ in range(5):
            snapshot.write(path, sequence=sequence, columns={"ids": np.full(9000, sequence)})

    threads = [threading.Thread(target=write, args=(sequence,)) for sequence in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = snapshot.read(path)
    assert (found.columns["ids"] == found.sequence).all()


def test_a_missing_file_is_not_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        snapshot.read(tmp_path / "none")


def test_a_flipped_bit_is_noticed_wherever_it_is(path: Path) -> None:
    good = path.read_bytes()
    length = struct.unpack_from("<I", good, 12)[0]
    dense = range(_HEAD + length + 8)
    sparse = range(dense.stop, len(good), 97)
    for place in [*dense, *sparse, len(good) - 1]:
        damaged = bytearray(good)
        damaged[place] ^= 1 << (place % 8)
        assert_damaged(path, bytes(damaged))


def test_a_cut_or_grown_file_is_noticed(path: Path) -> None:
    good = path.read_bytes()
    for size in [0, 1, 8, 63, 64, 65, 200, _PAGE, _PAGE + 1, len(good) - 1]:
        assert_damaged(path, good[:size])
    assert_damaged(path, good + b"\0")
    assert_damaged(path, good + good)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_damage(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    assert_damaged(path, content)
    assert_damaged(path, signed(content))


HOSTILE: list[object] = [
    [],
    None,
    {},
    {"sequence": 1},
    {"columns": {}},
    {"sequence": -1, "columns": {}},
    {"sequence": 2**62, "columns": {}},
    {"sequence": True, "columns": {}},
    {"sequence": 1.0, "columns": {}},
    {"sequence": 1, "columns": []},
    {"sequence": 1, "columns": {"a": []}},
    {"sequence": 1, "columns": {"a": {"dtype": "u1"}}},
]


def entry(dtype: object = "u1", shape: object = (4,)) -> dict[str, Any]:
    return {"sequence": 1, "columns": {"a": {"dtype": dtype, "shape": shape}}}


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"sequence": ' + b"9" * 5000 + b', "columns": {}}',
        b'{"sequence": NaN, "columns": {}}',
        *(
            json.dumps(content).encode()
            for content in [
                *HOSTILE,
                entry(dtype="O"),
                entry(dtype="|O8"),
                entry(dtype=["u1"]),
                entry(dtype={}),
                entry(dtype="f8"),
                entry(dtype="u1,u1"),
                entry(shape=4),
                entry(shape="4"),
                entry(shape=[]),
                entry(shape=[1, 1, 1]),
                entry(shape=[-4]),
                entry(shape=[-2, -2]),
                entry(shape=[4.0]),
                entry(shape=[True]),
                entry(shape=[2**61]),
                entry(shape=[2**40, 2**40]),
                entry(shape=[2**70]),
                entry(shape=[5000]),
            ]
        ),
    ],
)
def test_a_hostile_table_with_a_right_checksum_is_damage(tmp_path: Path, table: bytes) -> None:
    assert_damaged(tmp_path / "file", signed(table, padded_to=_PAGE + 4))


def test_the_signed_form_used_here_is_that_of_the_format(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(signed(json.dumps(entry()).encode(), padded_to=_PAGE + 4))
    assert snapshot.read(tmp_path / "file").columns["a"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        lambda head: struct.pack_into("<I", head, 8, 3),
        lambda head: struct.pack_into("<I", head, 12, 2**32 - 1),
        lambda head: struct.pack_into("<I", head, 12, 1 << 17),
        lambda head: struct.pack_into("<Q", head, 16, 2**64 - 1),
        lambda head: struct.pack_into("<Q", head, 16, 0),
        lambda head: struct.pack_into("8s", head, 0, b"JIKIMIXX"),
    ],
)
def test_absurd_head_values_are_damage(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    length = struct.unpack_from("<I", content, 12)[0]
    sums = len(content) - 16 * 4  # four columns that are not empty, each below a MiB
    content[32:64] = hashlib.sha256(content[:32] + content[64 : 64 + length] + content[sums:]).digest()
    assert_damaged(path, bytes(content))


def signed(table: bytes, padded_to: int = 0) -> bytes:
    """A file with any table, a plausible head and right checksums, if its columns are one of less than a MiB of zeros.

    The sums of zeros do not depend on the column's length as long as its words are as many as here.
    """
    body = table.ljust(max(padded_to - _HEAD, 0), b"\0")
    body += bytes(-len(body) % 8)
    sums = kernel.checksum(np.zeros(4, np.uint8)).tobytes() if padded_to else b""
    head = struct.pack("<8sIIQ8x", b"JIKIMISN", 2, len(table), _HEAD + len(body) + len(sums))
    return head + hashlib.sha256(head + table + sums).digest() + body + sums


def assert_damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Broken) as caught:
        snapshot.read(path)
    assert caught.value.code == "snapshot_damaged"
