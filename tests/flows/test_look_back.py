"""A new entry looks back: uploads of the last days that it knows are found, as if they had just arrived."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from jikimi.config import Settings
from jikimi.engine.pattern import alter, paint
from jikimi.flows.account import tell_case, verify_audit
from jikimi.flows.bank import add_entries, change_bank, entries_of_file, show_bank, withdraw_entry
from jikimi.flows.exchange import remove_exchange
from jikimi.flows.index import follow, publish, uploads_in
from jikimi.flows.kept import expire, forget_signals, near, renew_recent, standing, write_kept
from jikimi.flows.look_back import LOOK_BACK, look_back
from jikimi.flows.scan import examine, scan
from jikimi.flows.sync import sync
from jikimi.model.bank import Category, NewEntry, OnMatch
from jikimi.model.errors import Broken, Unavailable
from jikimi.model.exchange import Page, SourceRecord, Trust
from jikimi.model.ids import JobId
from jikimi.model.job import Job
from jikimi.model.look_back import shelves, upload_at
from jikimi.model.match import Disposition, FloodRule, Ground
from jikimi.model.people import Role
from jikimi.model.scan import Scan, Upload
from jikimi.model.signal import MOST_HITS, Signal
from jikimi.ports import Kit
from tests.conftest import World, bridge, open_world
from tests.flows.listing import listed_world
from tests.flows.staff import hire
from tests.flows.story import OPERATOR, audit_of, make_bank, tamper, upload
from tests.flows.test_index_follow import another_node
from tests.flows.test_review import actions_of, case_of, decided

KNOWN, OTHER, THIRD = paint(1), paint(2), paint(3)
COPY = alter(KNOWN)


def add(kit: Kit, name: str, *pictures: bytes, only: str = "") -> None:
    """Pictures come to a bank that is there, with all their signals or with one type."""
    policy = show_bank(kit, name).bank.policy
    for one in pictures:
        offered = entries_of_file(kit, io.BytesIO(one), policy).entries
        add_entries(kit, OPERATOR, name, [entry for entry in offered if only in ("", entry.signal.type)])


def looked_back(kit: Kit) -> int:
    """What waits is written down, and turns are taken until nothing is new."""
    write_kept(kit)
    found = look_back(kit)
    while standing(kit).behind:
        found += look_back(kit)
    return found


def scans_in(kit: Kit) -> tuple[Scan, ...]:
    with kit.store.read() as tx:
        return tx.scans.list(unchecked=False, limit=500)


def kept_in(kit: Kit) -> int:
    with kit.store.read() as tx:
        return len(tx.kept.some(range(1, tx.kept.sequence() + 1)))


def files_in(settings: Settings) -> list[Path]:
    return list((settings.data / "recent").glob("*.snapshot"))


def pdq_of(kit: Kit, one: bytes) -> Signal:
    (signal,) = (signal for signal in examine(kit.reader, io.BytesIO(one)).signals if signal.type == "pdq")
    return Signal(type="pdq", value=signal.value)


@pytest.fixture
def kit(world: World) -> Kit:
    """An installation where looking back has begun, with an empty bank that blocks."""
    make_bank(world.kit, "known")
    look_back(world.kit)
    return world.kit


def test_an_upload_is_found_when_an_entry_comes_later(world: World, kit: Kit) -> None:
    uploaded_at = world.clock.now
    before = upload(kit, COPY, account="a@example", name="post/1")
    assert before.verdict.disposition is Disposition.CLEAR
    upload(kit, OTHER, account="b@example", name="post/2")
    world.clock.move(days=3)
    add(kit, "known", KNOWN)
    added_at = world.clock.now
    world.clock.move(minutes=1)

    assert looked_back(kit) == 1

    (scan,) = scans_in(kit)
    assert scan.upload == before.upload
    assert scan.upload.received_at == uploaded_at
    assert scan.recognised_at == world.clock.now
    assert scan.content == before.content
    assert scan.signals == before.signals
    assert scan.verdict.disposition is Disposition.BLOCK
    assert scan.verdict.reasons == (Ground.MATCH, Ground.FOUND_LATER)
    # What was found is what the upload itself would find now.
    assert scan.verdict.matches == upload(kit, COPY).verdict.matches
    assert scan.case_id is not None
    story = tell_case(kit, scan.case_id)
    assert story.case.opened_at == world.clock.now
    assert (story.case.contents, story.case.accounts) == ((scan.content.sha256,), ("a@example",))
    (event,) = audit_of(kit, scan.id)
    (match,) = scan.verdict.matches
    assert event.verb == "look_back"
    assert event.detail["received_at"] == uploaded_at.isoformat()
    assert event.detail["entries"] == [f"{match.entry_id} {added_at.isoformat()}"]
    assert not verify_audit(kit).mistake
    assert looked_back(kit) == 0
    assert kit.tally.totals().events["look_back_found"] == 1


def forms() -> list[bytes]:
    """The bridge altered, turned, mirrored, as one frame of an animation, and with a transparent ground."""
    altered = [bridge(path.name) for folder in ("bridge-mods", "dihedral") for path in _pictures(folder)]
    known = Image.open(io.BytesIO(bridge("aaa-orig.jpg"))).convert("RGB").resize((320, 240))
    other = Image.open(io.BytesIO(OTHER)).convert("RGB").resize((320, 240))
    animation, clear = io.BytesIO(), io.BytesIO()
    other.save(animation, "GIF", save_all=True, append_images=[known, other.rotate(90), known.rotate(180)])
    ghost = known.convert("RGBA")
    ghost.putalpha(Image.linear_gradient("L").resize(known.size))
    ghost.save(clear, "PNG")
    return [*altered, animation.getvalue(), clear.getvalue()]


def _pictures(folder: str) -> list[Path]:
    return sorted((Path(__file__).parents[1] / "data" / "threatexchange" / folder).iterdir())


def test_looking_back_finds_exactly_what_the_upload_itself_would_find(kit: Kit) -> None:
    pictures = forms()
    uploads = [upload(kit, one, name=f"post/{number}") for number, one in enumerate(pictures)]
    assert {answer.verdict.disposition for answer in uploads} == {Disposition.CLEAR}
    add(kit, "known", bridge("aaa-orig.jpg"))

    looked_back(kit)

    found = {scan.upload.content_id: scan for scan in scans_in(kit)}
    for number, one in enumerate(pictures):
        now = upload(kit, one)
        scan = found.get(f"post/{number}")
        if now.verdict.disposition is Disposition.CLEAR:
            assert scan is None
            continue
        assert scan is not None, number
        assert scan.verdict.matches == now.verdict.matches
        assert scan.verdict.reasons == (*now.verdict.reasons, Ground.FOUND_LATER)
        assert replace(scan.verdict.coverage, index_version=0) == replace(now.verdict.coverage, index_version=0)
        assert (scan.content, scan.signals) == (now.content, now.signals)
    assert len(found) >= len(pictures) - 2


def test_a_digest_alone_finds_the_same_bytes(kit: Kit) -> None:
    pictures = {"sha256": KNOWN, "sha1": OTHER, "md5": THIRD}
    for type_, one in pictures.items():
        upload(kit, one, name=type_)
    upload(kit, COPY, name="copy")
    for type_, one in pictures.items():
        digests = examine(kit.reader, io.BytesIO(one)).digests
        add_entries(kit, OPERATOR, "known", [NewEntry(signal=digest) for digest in digests if digest.type == type_])
    assert looked_back(kit) == 3
    found = {scan.upload.content_id: [match.type for match in scan.verdict.matches] for scan in scans_in(kit)}
    assert found == {type_: [type_] for type_ in pictures}


def test_what_an_allow_bank_knows_is_found_and_opens_no_case(kit: Kit) -> None:
    make_bank(kit, "ours", KNOWN, category=Category.ALLOW)
    upload(kit, KNOWN, name="post/1")
    add(kit, "known", KNOWN)
    assert looked_back(kit) == 1
    (scan, *_) = scans_in(kit)
    assert scan.verdict.disposition is Disposition.CLEAR
    assert scan.verdict.reasons == (Ground.ALLOWED, Ground.FOUND_LATER)
    assert scan.case_id is None


def test_what_comes_to_an_allow_bank_finds_nothing(kit: Kit) -> None:
    upload(kit, KNOWN)
    make_bank(kit, "ours", KNOWN, category=Category.ALLOW)
    assert looked_back(kit) == 0
    assert scans_in(kit) == ()


def test_what_a_list_disputes_is_held(world: World, kit: Kit) -> None:
    upload(kit, COPY)
    add(kit, "known", KNOWN)
    tamper(
        world.settings,
        "INSERT INTO exchanges (id, name, kind, bank_id, settings, enabled, shares, every_seconds, created_at, "
        "checkpoint, generation, unfinished, last_error, failures, faults, lease) SELECT 1, 'list', 'list', id, '{}', "
        "1, '[]', 900, '2026-11-22T12:00:00+00:00', '', 0, 0, '', 0, 0, '' FROM banks WHERE name = 'known'",
        "INSERT INTO source_records (id, exchange_id, key, generation, opinion, trust, labels, detail, changed_at) "
        "VALUES (1, 1, 'a', 0, 'disputed', 'confirmed', '[]', '{}', '2026-11-22T12:00:00+00:00')",
        "INSERT INTO holdings (record_id, entry_id) SELECT 1, id FROM entries",
        "UPDATE entries SET by_hand = ''",
    )
    assert looked_back(kit) == 1
    (scan,) = scans_in(kit)
    assert scan.verdict.disposition is Disposition.HOLD
    assert scan.case_id is not None


def test_withdrawn_sleeping_and_disabled_entries_find_nothing(world: World, kit: Kit) -> None:
    make_bank(kit, "off")
    change_bank(kit, OPERATOR, "off", lambda policy: replace(policy, enabled=False))
    for one in (KNOWN, OTHER, THIRD):
        upload(kit, one)
    add(kit, "known", KNOWN)
    for entry in entries_of_file(kit, io.BytesIO(KNOWN), show_bank(kit, "known").bank.policy).entries:
        withdraw_entry(kit, OPERATOR, "known", entry.signal)
    add(kit, "off", OTHER)
    add(kit, "known", THIRD)
    tamper(world.settings, "UPDATE entries SET asleep_until = '2027-01-01T00:00:00+00:00' WHERE withdrawn_at IS NULL")
    assert looked_back(kit) == 0
    assert scans_in(kit) == ()


def test_entries_that_were_there_at_the_first_turn_are_not_looked_back(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN, on_match=OnMatch.LOG)
    upload(kit, COPY)
    before = scans_in(kit)
    assert looked_back(kit) == 0
    assert looked_back(kit) == 0
    assert scans_in(kit) == before


def test_an_upload_that_was_held_before_is_stored_again_only_for_a_new_entry(kit: Kit) -> None:
    add(kit, "known", KNOWN)
    first = upload(kit, COPY, name="post/1")
    assert first.case_id is not None
    assert looked_back(kit) == 0
    make_bank(kit, "second", KNOWN, category=Category.TERRORISM)
    assert looked_back(kit) == 1
    again, old = scans_in(kit)
    assert old == first
    assert again.case_id == first.case_id
    assert {match.bank for match in again.verdict.matches} == {"known", "second"}


class _KilledError(BaseException):
    """What ends a turn in the middle."""


def test_a_turn_that_ends_in_the_middle_loses_nothing_and_doubles_nothing(world: World, kit: Kit) -> None:
    for number in range(120):
        upload(kit, COPY, name=f"post/{number}")
        world.clock.move(seconds=1)
    add(kit, "known", KNOWN)
    write_kept(kit)
    given = 0

    def ids(prefix: str) -> str:
        nonlocal given
        given += prefix == "scan"
        if given > 70:
            raise _KilledError
        return kit.ids(prefix)

    with pytest.raises(_KilledError):
        look_back(replace(kit, ids=ids))
    assert len(scans_in(kit)) == 60
    assert looked_back(kit) == 60
    found = [scan.upload.content_id for scan in scans_in(kit)]
    assert sorted(found) == sorted(f"post/{number}" for number in range(120))
    assert not verify_audit(kit).mistake


def test_a_turn_is_one_nodes_and_comes_free_after_a_while(world: World, kit: Kit) -> None:
    upload(kit, COPY)
    add(kit, "known", KNOWN)
    write_kept(kit)
    with kit.store.begin() as tx:  # a node has its turn, and is killed
        tx.jobs.add(Job(id=JobId("job_other"), kind=LOOK_BACK, key="", run_at=world.clock.now))
        assert tx.jobs.claim(world.clock.now, world.clock.now + timedelta(seconds=20), {LOOK_BACK})
    assert look_back(kit) == 0
    world.clock.move(seconds=21)
    assert look_back(kit) == 1
    with kit.store.read() as tx:
        assert tx.jobs.counts() == {}


def test_two_nodes_find_each_others_uploads_once(settings: Settings) -> None:
    with open_world(settings) as here, another_node(settings) as there:
        make_bank(here.kit, "known")
        look_back(here.kit)
        for number in range(10):
            upload((here, there)[number % 2].kit, COPY, name=f"post/{number}")
        add(here.kit, "known", KNOWN)
        for world in (here, there):
            write_kept(world.kit)
        assert looked_back(there.kit) == 10
        assert looked_back(here.kit) == 0
        assert len({scan.upload.content_id for scan in scans_in(here.kit)}) == 10


def test_an_upload_that_is_written_down_after_its_entry_was_looked_back_is_found(settings: Settings) -> None:
    with open_world(settings) as here, another_node(settings) as there:
        make_bank(here.kit, "known")
        upload(here.kit, OTHER)
        looked_back(here.kit)
        there.kit.index.sizes()
        add(here.kit, "known", KNOWN)  # the other node has not heard of it yet
        assert upload(there.kit, COPY, name="post/1").verdict.disposition is Disposition.CLEAR
        assert looked_back(here.kit) == 0
        write_kept(there.kit)
        assert looked_back(here.kit) == 1
        assert looked_back(there.kit) == 0


def test_a_popular_picture_is_found_wherever_it_is(world: World, kit: Kit) -> None:
    for number in range(300):
        upload(kit, COPY, name=f"post/{number}")
        world.clock.move(minutes=7)
    add(kit, "known", KNOWN)
    assert looked_back(kit) == 300
    # All of it is one content, and what was uploaded days ago says nothing about how often it is uploaded now.
    assert len({scan.case_id for scan in scans_in(kit)}) == 1
    assert show_bank(kit, "known").bank.flooded_at is None
    watched = replace(kit, flood=FloodRule(limit=3, window=timedelta(minutes=10)))
    assert upload(watched, COPY).verdict.disposition is Disposition.BLOCK


def test_what_was_weighed_before_its_bank_was_flooded_is_held_too(world: World, kit: Kit) -> None:
    """Findings are stored by the slice: the rest of one must not block after its bank was found flooded."""
    for number in range(12):
        upload(kit, COPY, name=f"post/{number}")
        world.clock.move(seconds=1)
    add(kit, "known", KNOWN)
    watched = replace(kit, flood=FloodRule(limit=3, window=timedelta(minutes=10)))
    assert looked_back(watched) == 12
    stored = [scan.verdict.disposition for scan in reversed(scans_in(kit))]
    assert stored == [Disposition.BLOCK] * 3 + [Disposition.HOLD] * 9


def test_only_the_window_is_looked_at_and_the_rest_is_forgotten(world: World, kit: Kit) -> None:
    upload(kit, COPY, name="old")
    world.clock.move(days=3)
    upload(kit, COPY, name="new")
    write_kept(kit)
    follow(kit, uploads_in(kit))
    publish(kit, uploads_in(kit))
    (old_file,) = files_in(world.settings)
    assert expire(kit) == 0
    world.clock.move(days=5)
    add(kit, "known", KNOWN)
    assert looked_back(kit) == 1
    assert [scan.upload.content_id for scan in scans_in(kit)] == ["new"]
    assert kept_in(kit) == 2
    assert expire(kit) == 1
    assert kept_in(kit) == 1
    assert not old_file.exists()
    world.clock.move(days=8)
    assert expire(kit) == 1
    assert standing(kit).kept == 0


def test_what_a_wrong_clock_dated_years_ahead_is_not_kept_for_years(world: World, kit: Kit) -> None:
    upload(kit, COPY, name="now")
    world.clock.move(days=6)
    upload(kit, COPY, name="another node's clock")
    world.clock.move(days=3000)
    upload(kit, COPY, name="wrong clock")
    write_kept(kit)
    world.clock.move(days=-3006)
    assert expire(kit) == 1
    assert kept_in(kit) == 2
    assert expire(kit) == 0


def test_switched_off_nothing_is_kept_and_what_was_kept_goes(world: World, kit: Kit) -> None:
    upload(kit, COPY, name="before")
    write_kept(kit)
    publish(kit, uploads_in(kit))
    off = replace(kit, look_back=timedelta(0))
    upload(off, COPY, name="after")
    write_kept(off)
    assert kept_in(kit) == 1
    assert expire(off) == 1
    assert kept_in(kit) == 0
    assert files_in(world.settings) == []
    add(kit, "known", KNOWN)
    assert look_back(off) == 0
    # Switched on again, it begins with what comes then.
    upload(kit, OTHER)
    assert looked_back(kit) == 0
    assert scans_in(kit) == ()


def test_neither_bytes_nor_file_names_nor_the_canary_are_kept(world: World, kit: Kit) -> None:
    make_bank(kit, "canary", THIRD, category=Category.CANARY)
    upload(kit, THIRD)
    said = Upload(source="forum", received_at=world.clock.now, content_id="post/1", filename="holiday-with-anna.png")
    scan(kit, said, io.BytesIO(KNOWN))
    write_kept(kit)
    with kit.store.read() as tx:
        (kept,) = tx.kept.some(range(10))
    assert kept.upload == replace(said, filename="")
    assert kept.examination == examine(kit.reader, io.BytesIO(KNOWN))
    publish(kit, uploads_in(kit))
    stored = b"".join(path.read_bytes() for path in world.settings.data.rglob("*") if path.is_file())
    assert b"holiday-with-anna" not in stored
    assert KNOWN[64:128] not in stored


def test_a_withdrawn_signal_is_taken_out_of_all_that_is_kept(world: World, kit: Kit) -> None:
    for name, one in (("known", KNOWN), ("copy", COPY), ("other", OTHER)):
        upload(kit, one, name=name)
    write_kept(kit)
    gone = pdq_of(kit, KNOWN)
    follow(kit, uploads_in(kit))
    publish(kit, uploads_in(kit))
    upload(kit, KNOWN, name="known/2")  # not in the index when it is asked
    write_kept(kit)
    (old_file,) = files_in(world.settings)
    assert gone.value in old_file.read_bytes()

    with kit.store.begin() as tx:
        assert forget_signals(kit, tx, [gone]) == 2
    renew_recent(kit)

    assert not old_file.exists()
    with kit.store.read() as tx:
        kept = {one.upload.content_id: one.examination for one in tx.kept.some(range(10))}
        assert forget_signals(kit, tx, [gone]) == 0
    assert {name: len(one.seen) for name, one in kept.items()} == {"known": 0, "copy": 1, "other": 1, "known/2": 0}
    assert kept["other"] == examine(kit.reader, io.BytesIO(OTHER))
    add(kit, "known", KNOWN, OTHER, only="pdq")
    looked_back(kit)
    assert {scan.upload.content_id for scan in scans_in(kit)} == {"copy", "other"}


def test_a_digest_can_be_taken_out_as_well(kit: Kit) -> None:
    upload(kit, KNOWN)
    write_kept(kit)
    whole = examine(kit.reader, io.BytesIO(KNOWN))
    follow(kit, uploads_in(kit))
    with kit.store.begin() as tx:
        assert forget_signals(kit, tx, [whole.digests[0]]) == 1
    with kit.store.read() as tx:
        (kept,) = tx.kept.some([1])
    assert kept.examination.digests == whole.digests[1:]
    assert kept.examination.content == replace(whole.content, sha256="")
    assert kept.examination.seen == whole.seen


def test_a_database_that_has_gone_back_is_looked_at_from_its_beginning(world: World, kit: Kit) -> None:
    for number in range(5):
        upload(kit, OTHER, name=f"lost/{number}")
    looked_back(kit)
    publish(kit, uploads_in(kit))
    tamper(
        world.settings,
        "DELETE FROM kept_uploads WHERE id > 1",
        "UPDATE clocks SET number = 1 WHERE name IN ('kept', 'looked_uploads')",
    )
    upload(kit, COPY, name="post/1")
    write_kept(kit)
    renew_recent(kit)
    add(kit, "known", KNOWN)
    assert looked_back(kit) == 1
    with open_world(world.settings) as again:
        add(again.kit, "known", OTHER)
        assert looked_back(again.kit) == 1


def test_what_could_not_be_written_waits_and_a_full_buffer_says_so(world: World, kit: Kit) -> None:
    upload(kit, COPY, name="post/1")
    tamper(world.settings, "ALTER TABLE kept_uploads RENAME TO elsewhere")
    with pytest.raises((Unavailable, Broken)):
        write_kept(kit)
    tamper(world.settings, "ALTER TABLE elsewhere RENAME TO kept_uploads")
    upload(kit, OTHER, name="post/2")
    write_kept(kit)
    with kit.store.read() as tx:
        assert [one.upload.content_id for one in tx.kept.some(range(10))] == ["post/1", "post/2"]


def test_a_name_that_no_database_takes_keeps_no_other_upload_out(kit: Kit) -> None:
    for name in ("post/1", "half a \ud800 pair", "post/2"):
        upload(kit, COPY, name=name)
    write_kept(kit)
    with kit.store.read() as tx:
        assert [one.upload.content_id for one in tx.kept.some(range(10))] == ["post/1", "post/2"]
    assert kit.tally.totals().events["signals_not_kept"] == 1


def test_what_waits_is_written_down_when_a_process_ends_in_order(settings: Settings) -> None:
    with open_world(settings) as world:
        make_bank(world.kit, "known")
        upload(world.kit, COPY)
    with open_world(settings) as world:
        assert kept_in(world.kit) == 1


def test_what_was_decided_happens_to_what_is_found_and_not_twice_to_the_same_upload(kit: Kit) -> None:
    upload(kit, KNOWN, name="post/0")
    add(kit, "known", KNOWN)
    case = case_of(kit, name="post/1")
    decided(kit, hire(kit, Role.REVIEWER), case)
    assert looked_back(kit) == 1
    assert [action.targets[0].content_id for action in actions_of(kit, case)] == ["post/1", "post/0"]
    # Another list knows both by now. Nothing is left to be done to them.
    make_bank(kit, "second", KNOWN, category=Category.OTHER)
    assert looked_back(kit) == 2
    assert len(actions_of(kit, case)) == 2
    assert {scan.case_id for scan in scans_in(kit)} == {case.id}


def test_more_than_is_looked_at_is_never_cut_off_in_silence(world: World, kit: Kit) -> None:
    for number in range(40):
        upload(kit, KNOWN, name=f"post/{number}")
    write_kept(kit)
    radii = dict.fromkeys(shelves(world.clock.now, world.clock.now, 0), 31)
    signals = [pdq_of(kit, KNOWN), pdq_of(kit, OTHER)]
    (found, nothing), cut = near(kit, signals, radii, MOST_HITS)
    assert (len(found), nothing, cut) == (40, [], 1)
    (found, _), cut = near(kit, signals, radii)
    assert (len({upload_at(hit.entry_id) for hit in found}), cut) == (40, 0)


@pytest.mark.parametrize("how", ["withdrawn", "removed"])
def test_what_a_programme_forgets_is_taken_out_of_kept_uploads_in_the_same_moment(settings: Settings, how: str) -> None:
    with listed_world(settings, "forgetting") as (world, programme):
        kit = world.kit
        upload(kit, KNOWN, name="post/1")
        upload(kit, OTHER, name="post/2")
        write_kept(kit)
        publish(kit, uploads_in(kit))
        (file,) = files_in(settings)
        said = SourceRecord(key="a", signals=(pdq_of(kit, KNOWN),), trust=Trust.CONFIRMED)
        programme.steps[""] = [Page(records=(said,), checkpoint="1")]
        programme.steps["1"] = [Page(records=(SourceRecord(key="a", withdrawn=True),), checkpoint="2")]
        sync(kit, "feed")
        assert pdq_of(kit, KNOWN).value in file.read_bytes()
        if how == "withdrawn":
            sync(kit, "feed")
        else:
            remove_exchange(kit, OPERATOR, "feed", keep=False)
        with kit.store.read() as tx:
            known, other = tx.kept.some(range(1, 10))
        assert (len(known.examination.seen), len(other.examination.seen)) == (0, 1)
        assert not file.exists()
