"""An upload that could not be checked for a reason of ours is checked once more, with the same bytes."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO

import pytest

from jikimi.config import Settings
from jikimi.engine.pattern import alter, paint
from jikimi.flows.account import tell_case, verify_audit
from jikimi.flows.recheck import recheck, sweep
from jikimi.flows.scan import RECHECK, blob_name
from jikimi.model.errors import Unavailable
from jikimi.model.ids import JobId
from jikimi.model.job import MAX_TRIES, Job
from jikimi.model.match import Disposition, Ground
from jikimi.model.media import Decoded, MediaKind, Reason
from jikimi.ports import Decoder, Kit
from jikimi.worker import run_due_jobs
from tests.conftest import World, open_world
from tests.flows.story import audit_of, make_bank, upload

KNOWN = paint(1)


class SlowAtFirst:
    """A decoder that answers `timeout` a number of times, as an overloaded machine does, and then does its work."""

    def __init__(self, real: Decoder, times: int) -> None:
        self.real = real
        self.times = times
        self.crashes = 0
        self.restarts = 0

    def decode(self, file: BinaryIO, kind: MediaKind) -> Decoded:
        if self.times:
            self.times -= 1
            return Decoded(faults=(Reason.TIMEOUT,))
        return self.real.decode(file, kind)


def slow_kit(world: World, times: int) -> Kit:
    return replace(world.kit, reader=replace(world.kit.reader, decoder=SlowAtFirst(world.kit.reader.decoder, times)))


def run_jobs(kit: Kit) -> int:
    return run_due_jobs(kit, {RECHECK: recheck})


def jobs(kit: Kit) -> dict[str, int]:
    with kit.store.read() as tx:
        return dict(tx.jobs.counts())


def blobs(kit: Kit) -> list[str]:
    return [name for name, _ in kit.blobs.list(RECHECK)]


def test_a_timeout_is_checked_again_and_the_known_picture_is_found(world: World) -> None:
    make_bank(world.kit, "known", KNOWN)
    kit = slow_kit(world, 1)
    copy = alter(KNOWN)

    first = upload(kit, copy, account="a")

    assert (first.verdict.disposition, first.verdict.reasons) == (Disposition.UNCHECKED, (Reason.TIMEOUT,))
    assert blobs(kit) == [blob_name(first.id)]
    assert run_jobs(kit) == 0
    world.clock.move(seconds=20)
    assert run_jobs(kit) == 1
    with kit.store.read() as tx:
        second = tx.scans.get(first.id)
        assert tx.scans.list(unchecked=True, limit=5) == ()
    assert second is not None
    assert (second.verdict.disposition, second.verdict.reasons) == (Disposition.BLOCK, (Ground.MATCH,))
    assert second.rechecked_at == world.clock.now
    assert second.upload == first.upload
    assert second.case_id is not None
    assert tell_case(kit, second.case_id).case.accounts == ("a",)
    assert [event.verb for event in audit_of(kit, first.id)] == ["scan", "scan.rechecked"]
    assert not verify_audit(kit).mistake
    assert (jobs(kit), blobs(kit)) == ({}, [])


def test_a_timeout_may_turn_out_clear(world: World) -> None:
    kit = slow_kit(world, 1)
    first = upload(kit, KNOWN)
    world.clock.move(seconds=20)
    run_jobs(kit)
    with kit.store.read() as tx:
        second = tx.scans.get(first.id)
    assert second is not None
    assert second.verdict.disposition is Disposition.CLEAR
    assert second.case_id is None


def test_what_never_answers_stays_unchecked_and_is_not_tried_for_ever(world: World) -> None:
    kit = slow_kit(world, 1000)
    first = upload(kit, KNOWN)
    runs = 0
    for _ in range(40):
        world.clock.move(minutes=5)
        runs += run_jobs(kit)
    assert runs == MAX_TRIES
    with kit.store.read() as tx:
        last = tx.scans.get(first.id)
    assert last is not None
    assert last.verdict.reasons == (Reason.TIMEOUT,)
    assert last.rechecked_at is not None
    assert (jobs(kit), blobs(kit)) == ({}, [])


@pytest.mark.parametrize("untrusted_bytes", [b"", b"%PDF", KNOWN[:3000]])
def test_what_the_bytes_are_to_blame_for_is_not_tried_again(world: World, untrusted_bytes: bytes) -> None:
    upload(world.kit, untrusted_bytes)
    assert (jobs(world.kit), blobs(world.kit)) == ({}, [])


def test_bytes_on_another_node_are_left_to_that_node(settings: Settings, world: World) -> None:
    there = world.kit
    first = upload(slow_kit(world, 1), KNOWN)
    with open_world(settings.model_copy(update={"blobs_url": f"file://{settings.data}/elsewhere"})) as here:
        here.clock.move(seconds=20)
        assert run_jobs(here.kit) == 1
        assert jobs(here.kit) == {"waiting": 1}
    world.clock.move(minutes=5)
    assert run_jobs(there) == 1
    with there.store.read() as tx:
        second = tx.scans.get(first.id)
    assert second is not None
    assert second.verdict.disposition is Disposition.CLEAR


def test_bytes_that_wait_are_sealed_for_the_nodes_that_share_a_secret(settings: Settings, world: World) -> None:
    kit = slow_kit(world, 1)
    first = upload(kit, KNOWN)
    blob = kit.blobs.get(blob_name(first.id))
    assert blob is not None
    with blob:
        stored = blob.read()
    assert not any(KNOWN[at : at + 16] in stored for at in range(0, len(KNOWN) - 16, 500))
    theirs = settings.data.parent / "theirs"
    shared = {"data": theirs, "database_url": settings.database, "blobs_url": settings.blobs}
    with open_world(settings.model_copy(update=shared)) as there:
        there.clock.move(seconds=20)
        assert (run_jobs(there.kit), jobs(there.kit)) == (1, {"waiting": 1})
        # Nodes with one place for bytes share the secret as well; their operator copies the file.
        (theirs / "keys" / "recheck.key").write_text((settings.keys / "recheck.key").read_text())
        there.clock.move(minutes=5)
        assert (run_jobs(there.kit), jobs(there.kit)) == (1, {})
        with there.kit.store.read() as tx:
            second = tx.scans.get(first.id)
    assert second is not None
    assert second.verdict.disposition is Disposition.CLEAR


def test_waiting_bytes_that_were_changed_are_no_answer(world: World) -> None:
    kit = slow_kit(world, 2)
    first, second = upload(kit, KNOWN), upload(kit, KNOWN[:-1] + b"x")
    name = blob_name(first.id)
    blob = kit.blobs.get(blob_name(second.id))
    assert blob is not None
    with blob:
        kit.blobs.put(name, blob)
    world.clock.move(seconds=20)
    run_jobs(kit)
    with kit.store.read() as tx:
        after = tx.scans.get(first.id)
    assert after == first
    assert jobs(kit)["dead"] == 1


def test_a_worker_that_dies_leaves_its_job_to_another(world: World) -> None:
    kit = slow_kit(world, 1)
    upload(kit, KNOWN)
    world.clock.move(seconds=20)
    now = world.clock.now
    with kit.store.begin_beside() as tx:
        assert tx.jobs.claim(now, now + timedelta(minutes=5)) is not None
    assert run_jobs(kit) == 0
    world.clock.move(minutes=6)
    assert run_jobs(kit) == 1
    assert jobs(kit) == {}


def test_a_job_that_fails_by_our_fault_is_kept_for_people_to_look_at(world: World) -> None:
    kit = slow_kit(world, 1)
    upload(kit, KNOWN)
    world.clock.move(seconds=20)

    def broken(_kit: Kit, _job: Job) -> None:
        raise ValueError("ours")

    assert run_due_jobs(kit, {RECHECK: broken}) == 1
    assert jobs(kit) == {"dead": 1}
    assert run_jobs(kit) == 0


def test_a_job_whose_scan_is_gone_is_done(world: World) -> None:
    now = world.clock.now
    job = Job(id=JobId("job_1"), kind=RECHECK, key="scan_gone", run_at=now)
    with world.kit.store.begin() as tx:
        tx.jobs.add(job)
    assert run_jobs(world.kit) == 1
    assert jobs(world.kit) == {}


def test_trouble_that_may_pass_is_tried_again_with_growing_pauses(world: World) -> None:
    kit = world.kit
    with kit.store.begin() as tx:
        tx.jobs.add(Job(id=JobId("job_1"), kind=RECHECK, key="x", run_at=world.clock.now))

    def later(_kit: Kit, _job: Job) -> None:
        raise Unavailable("not_now", "Later.")

    pauses = []
    for _ in range(MAX_TRIES):
        start = world.clock.now
        while run_due_jobs(kit, {RECHECK: later}) == 0:
            world.clock.move(seconds=15)
        pauses.append((world.clock.now - start).total_seconds())
    assert pauses == [0, 15, 60, 240, 960]
    assert jobs(kit) == {"dead": 1}


def test_bytes_that_nobody_waits_for_are_swept(world: World) -> None:
    kit = slow_kit(world, 1)
    kept = upload(kit, KNOWN)
    kit.blobs.put(f"{RECHECK}/scan_orphan", io.BytesIO(b"left behind by a crash"))
    # The files' times are the real clock's.
    now = max(written_at for _, written_at in kit.blobs.list(RECHECK))
    world.clock.now = now + timedelta(minutes=59)
    assert sweep(kit) == 0
    world.clock.now = now + timedelta(minutes=61)
    assert sweep(kit) == 1
    assert blobs(kit) == [blob_name(kept.id)]
