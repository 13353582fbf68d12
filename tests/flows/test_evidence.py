"""Evidence: sealed with the verdict, kept with the row, shown only as drawn anew, held, destroyed, never half."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import BinaryIO

import numpy as np
import psycopg
import pytest
from PIL import Image
from psycopg.sql import SQL, Identifier

from jikimi.app import open_kit
from jikimi.config import Settings
from jikimi.engine.pattern import alter, paint
from jikimi.flows.bank import add_entries
from jikimi.flows.evidence import PREFIX, destroy, hold, release, render, sweep_orphans
from jikimi.flows.evidence_key import inspect, key_states, restore, rewrap, rotate, settle_key, write_down
from jikimi.flows.scan import scan
from jikimi.model.bank import NewEntry, OnMatch
from jikimi.model.errors import Broken, Refused, Unavailable
from jikimi.model.evidence import EvidenceItem
from jikimi.model.exposure import Level
from jikimi.model.ids import CaseId, EvidenceId
from jikimi.model.match import Disposition, Ground
from jikimi.model.people import Role
from jikimi.model.scan import Scan, Upload
from jikimi.model.signal import parse_signal
from jikimi.ports import Blobs, Kit
from tests.conftest import World, open_world
from tests.flows.staff import hire
from tests.flows.story import OPERATOR, audit_of, make_bank, tamper, upload

KNOWN, OTHER = paint(1), paint(2)
COPY = alter(KNOWN)
CASE = CaseId("case_1")


def blobs(kit: Kit) -> list[str]:
    return sorted(name for name, _ in kit.blobs.list(PREFIX))


def kept(kit: Kit, answer: Scan) -> EvidenceItem:
    with kit.store.read() as tx:
        item = tx.evidence.of_content(answer.content.sha256)
    assert item is not None
    return item


def blocked(kit: Kit, picture: bytes = COPY) -> EvidenceItem:
    """A picture that is known is uploaded; what is kept of it."""
    with kit.store.read() as tx:
        is_new = tx.banks.get("known") is None
    if is_new:
        make_bank(kit, "known", KNOWN, OTHER)
    return kept(kit, upload(kit, picture))


def blob_of(kit: Kit, item: EvidenceItem) -> bytes:
    file = kit.blobs.get(item.sealed.blob)
    assert file is not None
    with file:
        return file.read()


def opened(kit: Kit, item: EvidenceItem) -> bytes:
    with kit.vault.open(item, io.BytesIO(blob_of(kit, item))) as content:
        return content.read()


class FullDisk:
    """A store for bytes that takes nothing, while the rest of the machine works."""

    def __init__(self, real: Blobs) -> None:
        self.real = real

    def put(self, name: str, file: BinaryIO) -> None:
        raise Unavailable("blobs_unavailable", "Full.")

    def get(self, name: str) -> BinaryIO | None:
        return self.real.get(name)

    def delete(self, name: str) -> None:
        self.real.delete(name)

    def list(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        return self.real.list(prefix)

    def tidy(self, before: datetime) -> int:
        return self.real.tidy(before)


@pytest.mark.parametrize("effect", [OnMatch.BLOCK, OnMatch.HOLD])
def test_what_is_held_or_blocked_is_sealed_and_can_be_opened_again(world: World, effect: OnMatch) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN, on_match=effect)

    answer = upload(kit, COPY)

    assert answer.verdict.reasons == (Ground.MATCH,)
    item = kept(kit, answer)
    assert (item.sha256, item.kind, item.sealed.size) == (answer.content.sha256, answer.content.kind, len(COPY))
    assert item.sealed.recipient == kit.vault.recipient == settle_key(kit)
    assert blobs(kit) == [item.sealed.blob]
    assert item.sealed.blob.startswith(f"evidence/{item.sha256}/")
    assert opened(kit, item) == COPY
    assert [event.verb for event in audit_of(kit, item.id)] == ["evidence.sealed"]


def test_what_is_clear_logged_or_unchecked_is_not_kept(world: World) -> None:
    kit = world.kit
    make_bank(kit, "logs", KNOWN, on_match=OnMatch.LOG)
    assert upload(kit, OTHER).verdict.disposition is Disposition.CLEAR
    assert upload(kit, KNOWN).verdict.reasons == (Ground.LOGGED,)
    assert upload(kit, b"%PDF").verdict.disposition is Disposition.UNCHECKED
    assert blobs(kit) == []


def test_the_same_content_is_kept_once(world: World) -> None:
    first = blocked(world.kit)
    again = blocked(world.kit)
    assert again == first
    assert len(blobs(world.kit)) == 1


def test_a_failure_to_seal_changes_no_verdict_and_is_said(world: World) -> None:
    kit = replace(world.kit, blobs=FullDisk(world.kit.blobs))
    make_bank(kit, "known", KNOWN)

    answer = upload(kit, COPY)

    assert answer.verdict.disposition is Disposition.BLOCK
    assert answer.verdict.reasons == (Ground.MATCH, Ground.EVIDENCE_UNSEALED)
    assert answer.case_id is not None
    with kit.store.read() as tx:
        assert tx.scans.get(answer.id) == answer
        assert tx.evidence.of_content(answer.content.sha256) is None
    assert kit.tally.totals().events == {"evidence_unsealed": 1}
    # The next upload of the same content is sealed, once there is room again.
    assert upload(world.kit, COPY).verdict.reasons == (Ground.MATCH,)
    assert blobs(world.kit) != []


def test_a_flood_does_not_hide_that_nothing_was_sealed(settings: Settings) -> None:
    with open_world(settings.model_copy(update={"flood_limit": 1})) as world:
        kit = replace(world.kit, blobs=FullDisk(world.kit.blobs))
        make_bank(kit, "known", KNOWN)
        upload(kit, COPY)
        flooded = upload(kit, COPY)
    assert flooded.verdict.reasons == (Ground.MATCH, Ground.BANK_FLOODED, Ground.EVIDENCE_UNSEALED)


def test_bytes_come_before_the_row_and_orphans_are_swept(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    item = blocked(kit)
    # A process that dies between the two leaves bytes that no row names, as a transaction that fails does.
    tamper(world.settings, "ALTER TABLE scans RENAME TO scans_away")
    with pytest.raises((Broken, Unavailable)):
        scan(kit, Upload(source="forum", received_at=kit.clock()), io.BytesIO(KNOWN))
    tamper(world.settings, "ALTER TABLE scans_away RENAME TO scans")
    assert len(blobs(kit)) == 2
    now = max(written_at for _, written_at in kit.blobs.list(PREFIX))
    world.clock.now = now + timedelta(minutes=59)
    assert sweep_orphans(kit) == 0
    world.clock.now = now + timedelta(minutes=61)
    assert sweep_orphans(kit) == 1
    assert blobs(kit) == [item.sealed.blob]
    assert opened(kit, item) == COPY


def test_a_look_is_drawn_anew_and_on_record(world: World) -> None:
    kit = world.kit
    item = blocked(kit)
    person = hire(kit, Role.REVIEWER)

    shown = {level: render(kit, person, item, level=level, case_id=CASE, reason="doubt") for level in
             (Level.BLURRED, Level.GREY, Level.SPOT, Level.FULL)}  # fmt: skip

    images = {level: Image.open(io.BytesIO(one.data)) for level, one in shown.items()}
    assert {level: (image.format, image.mode) for level, image in images.items()} == {
        Level.BLURRED: ("WEBP", "RGB"), Level.GREY: ("WEBP", "RGB"), Level.SPOT: ("WEBP", "RGB"),
        Level.FULL: ("WEBP", "RGB"),
    }  # fmt: skip
    assert images[Level.BLURRED].size == (160, 120)
    assert images[Level.FULL].size == (shown[Level.FULL].width, shown[Level.FULL].height) == (480, 360)
    assert {level: _colours(image) > 3 for level, image in images.items()} == {
        Level.BLURRED: False,
        Level.GREY: False,
        Level.SPOT: True,
        Level.FULL: True,
    }
    small = images[Level.GREY].resize((160, 120))
    assert _edges(images[Level.BLURRED]) < _edges(small) / 3
    for one in shown.values():
        assert not any(COPY[at : at + 16] in one.data for at in range(700, len(COPY) - 16, 64))
    events = [event for event in audit_of(kit, item.id) if event.verb == "evidence.opened"]
    assert [event.detail["level"] for event in events] == ["blurred", "grey", "spot", "full"]
    assert {(event.actor, event.detail["case"], event.detail["reason"]) for event in events} == {
        (f"person:{person.id}", CASE, "doubt")
    }


def test_who_may_not_look_sees_nothing_and_opens_nothing(world: World) -> None:
    kit = world.kit
    item = blocked(kit)
    for role in (Role.AUDITOR, Role.ADMINISTRATOR):
        with pytest.raises(Refused, match="permission"):
            render(kit, hire(kit, role), item, level=Level.BLURRED, case_id=CASE, reason="")
    with pytest.raises(Refused) as no_picture:
        render(kit, hire(kit, Role.REVIEWER), item, level=Level.METADATA, case_id=CASE, reason="")
    assert no_picture.value.code == "level_without_picture"
    assert [event.verb for event in audit_of(kit, item.id)] == ["evidence.sealed"]


def test_a_file_that_cannot_be_drawn_is_refused_with_its_reason(world: World) -> None:
    kit = world.kit
    damaged = KNOWN[:5000]
    make_bank(kit, "files")
    digest = parse_signal("sha256", upload(kit, damaged).content.sha256)
    add_entries(kit, OPERATOR, "files", [NewEntry(signal=digest)])
    item = kept(kit, upload(kit, damaged))
    with pytest.raises(Refused, match="undecodable") as refusal:
        render(kit, hire(kit, Role.REVIEWER), item, level=Level.FULL, case_id=CASE, reason="")
    assert refusal.value.code == "picture_undrawable"


def test_a_legal_hold_keeps_an_item_from_being_destroyed(world: World) -> None:
    kit = world.kit
    item = blocked(kit)
    for case in (CASE, CaseId("case_2")):
        with kit.store.begin() as tx:
            hold(kit, tx, [item.sha256, "00" * 32], case)
    with kit.store.begin() as tx:
        release(kit, tx, [item.sha256], CASE)
    with pytest.raises(Refused, match="case_2") as refusal:
        destroy(kit, OPERATOR, item.id, "expired")
    assert refusal.value.code == "evidence_held"
    assert opened(kit, item) == COPY
    with kit.store.begin() as tx:
        release(kit, tx, [item.sha256], CaseId("case_2"))
    destroy(kit, OPERATOR, item.id, "expired")
    assert [event.verb for event in audit_of(kit, item.id)] == [
        "evidence.sealed", "evidence.held", "evidence.held", "evidence.released", "evidence.released",
        "evidence.destroyed",
    ]  # fmt: skip


def test_what_is_destroyed_is_gone_even_with_the_private_key(world: World) -> None:
    kit = world.kit
    item = blocked(kit)
    stolen = blob_of(kit, item)
    destroy(kit, OPERATOR, item.id, "expired")
    assert blobs(kit) == []
    with kit.store.read() as tx:
        gone = tx.evidence.get(item.id)
    assert gone is not None
    assert (gone.sealed.wrapped_key, gone.destroyed_at) == (b"", world.clock.now)
    # Even somebody who has kept the sealed bytes, and has the private key, has no key to them.
    with pytest.raises(Broken):
        kit.vault.open(gone, io.BytesIO(stolen))
    if not world.settings.database_url:
        files = b"".join(file.read_bytes() for file in world.settings.data.glob("jikimi.db*"))
        assert item.sealed.wrapped_key not in files
    with pytest.raises(Refused, match="was destroyed"):
        destroy(kit, OPERATOR, item.id, "again")
    with pytest.raises(Refused, match="There is no evidence"):
        destroy(kit, OPERATOR, EvidenceId("ev_none"), "")
    # The same content may come again, and is evidence again.
    assert blocked(kit).id != item.id


def test_a_swapped_cut_or_changed_blob_is_refused(world: World) -> None:
    kit = world.kit
    first, second = blocked(kit, KNOWN), blocked(kit, OTHER)
    ours, theirs = blob_of(kit, first), blob_of(kit, second)
    person = hire(kit, Role.REVIEWER)
    flipped = bytearray(ours)
    flipped[len(ours) // 2] ^= 1
    for bad in (theirs, ours[:-1], ours[: len(ours) // 2], b"", bytes(flipped), ours + b"\0"):
        kit.blobs.put(first.sealed.blob, io.BytesIO(bad))
        with pytest.raises(Broken) as refusal:
            render(kit, person, first, level=Level.FULL, case_id=CASE, reason="")
        assert refusal.value.code == "evidence_damaged"
    found = inspect(kit, OPERATOR)
    assert (found.sound, found.locked, [(one.item.id, one.code) for one in found.damaged]) == (
        1, 0, [(first.id, "evidence_damaged")],
    )  # fmt: skip
    kit.blobs.delete(first.sealed.blob)
    assert [one.code for one in inspect(kit, OPERATOR).damaged] == ["evidence_missing"]
    kit.blobs.put(first.sealed.blob, io.BytesIO(ours))
    assert inspect(kit, OPERATOR).damaged == ()


def test_rows_that_changed_keys_are_refused(world: World) -> None:
    kit = world.kit
    first, second = blocked(kit, KNOWN), blocked(kit, OTHER)
    crossed = replace(first, sealed=replace(first.sealed, wrapped_key=second.sealed.wrapped_key))
    with pytest.raises(Broken):
        kit.vault.open(crossed, io.BytesIO(blob_of(kit, first)))
    # Not even with the bytes that this key belongs to: they were sealed as another content.
    with pytest.raises(Broken):
        kit.vault.open(crossed, io.BytesIO(blob_of(kit, second)))


def test_a_rotation_wraps_keys_anew_and_touches_no_bytes(world: World) -> None:
    kit = world.kit
    items = [blocked(kit, KNOWN), blocked(kit, OTHER)]
    before = dict(kit.blobs.list(PREFIX))
    old = kit.vault.recipient

    assert rotate(kit, OPERATOR).done == 2

    assert kit.vault.recipient != old
    assert dict(kit.blobs.list(PREFIX)) == before
    for item in items:
        with kit.store.read() as tx:
            again = tx.evidence.get(item.id)
        assert again is not None
        assert again.sealed.recipient == kit.vault.recipient
        assert again.sealed.wrapped_key != item.sealed.wrapped_key
        assert opened(kit, again) in (KNOWN, OTHER)
    # The old key opens nothing any more and may go.
    (world.settings.keys / f"evidence-{old}.key").unlink()
    assert inspect(kit, OPERATOR).sound == 2
    assert [(one.is_present, one.is_here, one.items) for one in key_states(kit)] == [(False, False, 0), (True, True, 2)]
    assert audit_of(kit, f"evidence_key:{kit.vault.recipient}")[0].verb == "evidence_key.rotated"


def test_a_rotation_that_died_half_way_is_finished(world: World) -> None:
    kit = world.kit
    item = blocked(kit)
    rotate(kit, OPERATOR)
    # As if it had been killed before it came to this item, or another node had not heard of it.
    with kit.store.begin() as tx:
        tx.evidence.update(item)
    assert (rewrap(kit).done, rewrap(kit).done) == (1, 0)
    assert opened(kit, blocked(kit)) == COPY


def test_a_node_with_the_public_key_alone_seals_and_cannot_open(settings: Settings, world: World) -> None:
    there = world.kit
    blocked(there, KNOWN)
    scanning = settings.model_copy(
        update={
            "data": settings.data.parent / "scanning",
            "database_url": settings.database,
            "blobs_url": settings.blobs,
        }
    )
    with open_world(scanning) as node:
        here = node.kit
        assert sorted(file.name for file in scanning.keys.iterdir()) == ["evidence.pub"]
        assert here.vault.recipient == there.vault.recipient
        item = blocked(here, OTHER)
        with pytest.raises(Refused) as refusal:
            render(here, hire(here, Role.REVIEWER), item, level=Level.BLURRED, case_id=CASE, reason="")
        assert refusal.value.code == "vault_locked"
        assert inspect(here, OPERATOR).locked == 2
        with pytest.raises(Refused, match="not on this node"):
            write_down(here, OPERATOR)
        # It follows a rotation that happens elsewhere.
        rotate(there, OPERATOR)
        settle_key(here)
        assert here.vault.recipient == there.vault.recipient
    assert opened(there, blocked(there, OTHER)) == OTHER


def test_a_lost_key_comes_back_from_its_sheet(world: World) -> None:
    kit = world.kit
    item = blocked(kit)
    sheet = write_down(kit, OPERATOR)
    fingerprint = kit.vault.recipient
    (world.settings.keys / f"evidence-{fingerprint}.key").unlink()
    with open_kit(world.settings) as after:
        with pytest.raises(Refused, match="not on this node"):
            opened(after, item)
        assert restore(after, OPERATOR, sheet) == fingerprint
        assert opened(after, item) == COPY
        assert [event.verb for event in audit_of(after, f"evidence_key:{fingerprint}")] == [
            "evidence_key.written_down", "evidence_key.restored",
        ]  # fmt: skip
        assert key_states(after)[0].was_written_down


def test_the_sheet_of_a_stranger_is_refused(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_kit(Settings.load(data=tmp_path_factory.mktemp("stranger"), decode_workers=1)) as stranger:
        sheet = write_down(stranger, OPERATOR)
    with pytest.raises(Refused, match="never used here"):
        restore(world.kit, OPERATOR, sheet)
    assert len(world.kit.vault.keys.held()) == 1


def test_without_the_private_key_evidence_is_lost_and_said_so(world: World) -> None:
    kit = world.kit
    blocked(kit)
    (world.settings.keys / f"evidence-{kit.vault.recipient}.key").unlink()
    after = rotate(kit, OPERATOR)
    assert (after.done, after.left) == (0, 1)
    assert inspect(kit, OPERATOR).locked == 1
    assert inspect(kit, OPERATOR).sound == 0
    blocked(kit, OTHER)
    assert inspect(kit, OPERATOR).sound == 1


def test_whoever_steals_database_and_blobs_has_no_picture(settings: Settings) -> None:
    """Neither bytes of the file, nor a thumbnail of it, nor the sketch its signal was made of, lie anywhere."""
    with open_world(settings) as world:
        kit = world.kit
        item = blocked(kit)
        person = hire(kit, Role.REVIEWER)
        shown = [
            render(kit, person, item, level=level, case_id=CASE, reason="") for level in (Level.BLURRED, Level.FULL)
        ]
        decoded = kit.reader.decoder.decode(io.BytesIO(COPY), item.kind)
        rows = b"" if not settings.database_url else _dump(settings)
    stolen = [
        file.read_bytes() for file in settings.data.rglob("*") if file.is_file() and settings.keys not in file.parents
    ]
    stolen.append(rows)
    assert any(len(one) >= len(COPY) for one in stolen)
    known = [COPY, *(one.data for one in shown), *(sketch.data for sketch in decoded.sketches)]
    for secret in known:
        runs = [secret[at : at + 24] for at in range(len(secret) // 4, len(secret) - 24, 997)]
        assert runs
        assert not [run for run in runs for one in stolen if run in one]


def _dump(settings: Settings) -> bytes:
    """Every row of every table, as text and as it is."""
    with psycopg.connect(settings.database_url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        out = b""
        for (name,) in names:
            with connection.cursor().copy(SQL("COPY {} TO STDOUT (FORMAT binary)").format(Identifier(name))) as rows:
                out += b"".join(bytes(row) for row in rows)
    return out


def _colours(image: Image.Image) -> float:
    pixels = np.asarray(image).astype(float)
    return float(np.ptp(pixels, axis=2).max())


def _edges(image: Image.Image) -> float:
    pixels = np.asarray(image.convert("L")).astype(float)
    return float(np.abs(np.diff(pixels, axis=1)).mean())
