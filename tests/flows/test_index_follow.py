"""Every process follows the database, and no file of an index is believed more than the database."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.engine.pattern import alter, paint
from jikimi.flows.bank import add_entries, delete_bank, entries_of_file, show_bank, withdraw_entry
from jikimi.flows.index import follow, publish, renew
from jikimi.model.bank import NewEntry
from jikimi.model.match import Disposition
from jikimi.model.signal import Signal
from jikimi.ports import Kit
from tests.conftest import World, open_world
from tests.flows.story import OPERATOR, make_bank, tamper, upload

KNOWN, OTHER = paint(1), paint(2)


@contextmanager
def another_node(settings: Settings) -> Iterator[World]:
    """A second process on the same database; with PostgreSQL on a machine of its own, with its own data folder."""
    own = {"data": settings.data.with_name("elsewhere")} if settings.database_url else {}
    with open_world(settings.model_copy(update=own)) as world:
        yield world


def snapshots(settings: Settings) -> list[Path]:
    return sorted((settings.data / "index").glob("*.snapshot"))


def is_blocked(kit: Kit, picture: bytes) -> bool:
    return upload(kit, picture).verdict.disposition is Disposition.BLOCK


def md5(number: int) -> NewEntry:
    return NewEntry(signal=Signal(type="md5", value=number.to_bytes(16, "big")))


def test_what_one_process_adds_the_other_finds(settings: Settings) -> None:
    copy = alter(KNOWN)
    with open_world(settings) as here, another_node(settings) as there:
        assert not is_blocked(there.kit, copy)
        make_bank(here.kit, "known", KNOWN)
        assert is_blocked(here.kit, copy)
        follow(there.kit)
        assert is_blocked(there.kit, copy)
        # What is withdrawn is gone everywhere at once: the database has the last word.
        with here.kit.store.read() as tx:
            entries = list(tx.entries.export(show_bank(here.kit, "known").bank))
        for entry in entries:
            withdraw_entry(there.kit, OPERATOR, "known", entry.signal)
        assert not is_blocked(here.kit, copy)
        assert not is_blocked(there.kit, copy)
        # And what comes back is found again.
        add_entries(there.kit, OPERATOR, "known", [NewEntry(signal=entry.signal) for entry in entries])
        follow(here.kit)
        assert is_blocked(here.kit, copy)
        delete_bank(here.kit, OPERATOR, "known")
        assert not is_blocked(there.kit, copy)


def test_following_takes_up_everything_in_many_steps(settings: Settings) -> None:
    with open_world(settings) as here, another_node(settings) as there:
        there.kit.index.sizes()
        make_bank(here.kit, "known")
        for first in range(0, 45_000, 15_000):
            add_entries(here.kit, OPERATOR, "known", [md5(number) for number in range(first, first + 15_000)])
        follow(there.kit)
        assert there.kit.index.sizes()["md5"] == 45_000
        assert there.kit.index.sequence == here.kit.index.sequence


def test_a_snapshot_spares_reading_the_database_and_changes_after_it_are_added(settings: Settings) -> None:
    with open_world(settings) as world:
        make_bank(world.kit, "known", KNOWN)
        publish(world.kit)
        make_bank(world.kit, "more", OTHER)
        assert len(snapshots(settings)) == 1
    with open_world(settings) as world:
        assert world.kit.index.sizes() == {"sha256": 2, "sha1": 0, "md5": 0, "pdq": 2}
        assert is_blocked(world.kit, KNOWN)
        assert is_blocked(world.kit, OTHER)


def test_a_new_snapshot_takes_the_place_of_the_old_one(settings: Settings) -> None:
    with open_world(settings) as world:
        make_bank(world.kit, "known", KNOWN)
        publish(world.kit)
        (old,) = snapshots(settings)
        make_bank(world.kit, "more", OTHER)
        publish(world.kit)
        (new,) = snapshots(settings)
        assert old != new
        assert is_blocked(world.kit, KNOWN)


def test_much_that_is_only_in_memory_is_written_down(settings: Settings) -> None:
    with open_world(settings) as world:
        kit = world.kit
        kit.index.sizes()
        make_bank(kit, "known")
        renew(kit)
        assert snapshots(settings) == []
        add_entries(kit, OPERATOR, "known", [md5(number) for number in range(50_000)])
        renew(kit)
        assert len(snapshots(settings)) == 1
        assert not kit.snapshots.is_due()
        assert not kit.snapshots.is_behind()
        assert kit.index.sizes()["md5"] == 50_000


def test_while_much_comes_in_snapshots_do_not_follow_each_other_at_once(settings: Settings) -> None:
    with open_world(settings) as world:
        kit = world.kit
        kit.index.sizes()
        make_bank(kit, "known")
        add_entries(kit, OPERATOR, "known", [md5(number) for number in range(50_000)])
        renew(kit)
        (first,) = snapshots(settings)
        add_entries(kit, OPERATOR, "known", [md5(number) for number in range(50_000, 110_000)])
        renew(kit)
        assert snapshots(settings) == [first]
        os.utime(first, (time.time() - 31, time.time() - 31))
        renew(kit)
        assert snapshots(settings) != [first]
        assert kit.index.sizes()["md5"] == 110_000


@pytest.mark.parametrize("damage", ["changed", "cut short", "empty", "grown"])
def test_a_damaged_snapshot_is_put_aside_made_anew_logged_and_counted(settings: Settings, damage: str) -> None:
    with open_world(settings) as world:
        make_bank(world.kit, "known", KNOWN)
        publish(world.kit)
    (file,) = snapshots(settings)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "cut short": whole[:-1],
            "empty": b"",
            "grown": whole + b"\0",
        }[damage]
    )
    lines: list[tuple[str, str]] = []
    with open_kit(settings, Lines(lines)) as kit:
        assert is_blocked(kit, alter(KNOWN))
        assert kit.tally.totals().events["index_snapshot_damaged"] == 1
        assert kit.index.sizes()["pdq"] == 1
    assert [path.suffix for path in (settings.data / "index").iterdir() if path.stem == file.stem].count(
        ".damaged"
    ) == 1
    assert file.read_bytes() == whole
    assert ("error", "index_snapshot_damaged") in lines
    with open_world(settings) as world:
        assert is_blocked(world.kit, alter(KNOWN))
        assert world.kit.tally.totals().events == {}


class Lines:
    """A log that can be read."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self.lines = lines

    def info(self, event: str, **keys: object) -> object:
        self.lines.append(("info", event))
        return None

    def warning(self, event: str, **keys: object) -> object:
        self.lines.append(("warning", event))
        return None

    def error(self, event: str, **keys: object) -> object:
        self.lines.append(("error", event))
        return None


def test_a_database_restored_to_an_older_state_is_followed_not_the_snapshot(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path / "data", decode_workers=1)
    file, backup = settings.data / "jikimi.db", tmp_path / "backup.db"
    with open_world(settings) as world:
        make_bank(world.kit, "known", KNOWN)
    shutil.copy(file, backup)
    with open_world(settings) as world:
        make_bank(world.kit, "more", OTHER)
        publish(world.kit)
        assert is_blocked(world.kit, OTHER)
    (ahead,) = snapshots(settings)
    shutil.copy(backup, file)
    with open_world(settings) as world:
        assert is_blocked(world.kit, KNOWN)
        assert not is_blocked(world.kit, OTHER)
        assert not ahead.exists()
        # What is added from here on is found, though its change numbers were used before.
        make_bank(world.kit, "again", OTHER)
        assert is_blocked(world.kit, OTHER)
    with open_world(settings) as world:
        assert is_blocked(world.kit, OTHER)


def test_the_snapshot_of_another_database_is_not_looked_at(settings: Settings, tmp_path: Path) -> None:
    other = Settings.load(data=tmp_path / "other", decode_workers=1)
    with open_world(other) as world:
        make_bank(world.kit, "known", KNOWN)
        publish(world.kit)
    (strange,) = snapshots(other)
    with open_world(settings) as world:
        shutil.copy(strange, settings.data / "index" / strange.name)
        assert not is_blocked(world.kit, KNOWN)
        make_bank(world.kit, "more", OTHER)
        assert is_blocked(world.kit, OTHER)


def test_strange_files_in_the_folder_disturb_nobody(settings: Settings) -> None:
    with open_world(settings) as world:
        make_bank(world.kit, "known", KNOWN)
        publish(world.kit)
    (file,) = snapshots(settings)
    identity = file.stem.rpartition("-")[0]
    for name in (f"{identity}-x.snapshot", f"{identity}-.snapshot", "notes.txt", f"{identity}-²5.snapshot"):
        (settings.data / "index" / name).write_bytes(b"strange")
    with open_world(settings) as world:
        assert is_blocked(world.kit, KNOWN)
        assert world.kit.tally.totals().events == {}


def test_two_processes_do_not_write_the_same_snapshot_twice(settings: Settings) -> None:
    with open_world(settings) as here:
        make_bank(here.kit, "known", KNOWN)
        with open_world(settings) as there:
            publish(there.kit)
            publish(here.kit)
            assert len(snapshots(settings)) == 1
            assert is_blocked(there.kit, KNOWN)


RESTORED_EMPTY = ("DELETE FROM entries", "UPDATE clocks SET number = 0 WHERE name = 'entries'")


def test_a_running_node_notices_that_the_database_was_restored(settings: Settings) -> None:
    with open_world(settings) as here, another_node(settings) as there:
        make_bank(here.kit, "known", KNOWN, OTHER)
        assert is_blocked(here.kit, alter(OTHER))
        tamper(settings, *RESTORED_EMPTY)
        follow(here.kit)
        assert here.kit.index.sizes()["pdq"] == 0
        add_entries(there.kit, OPERATOR, "known", entries_of(there.kit, KNOWN))
        follow(here.kit)
        assert is_blocked(here.kit, alter(KNOWN))
        assert not is_blocked(here.kit, alter(OTHER))


def test_a_snapshot_of_another_history_is_not_believed(settings: Settings) -> None:
    with open_world(settings) as here:
        make_bank(here.kit, "known", OTHER)
        publish(here.kit)
        tamper(settings, *RESTORED_EMPTY)
    with open_world(settings) as here:
        # By now the numbers are the same as in the snapshot, and mean something else.
        add_entries(here.kit, OPERATOR, "known", entries_of(here.kit, KNOWN))
    with open_world(settings) as here:
        assert is_blocked(here.kit, alter(KNOWN))
        assert not is_blocked(here.kit, alter(OTHER))


def entries_of(kit: Kit, picture: bytes) -> tuple[NewEntry, ...]:
    return entries_of_file(kit, io.BytesIO(picture), show_bank(kit, "known").bank.policy).entries
