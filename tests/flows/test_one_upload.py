"""One upload, from the bytes to the answer and to the records: section 7.1 of the design, told as stories."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from PIL import Image

from jikimi.config import Settings
from jikimi.engine.pattern import alter, paint
from jikimi.flows.account import tell_case, verify_audit, write_totals
from jikimi.flows.bank import add_entries, change_bank
from jikimi.flows.scan import look_up_signals, scan_unread
from jikimi.model.bank import Category, NewEntry, OnMatch
from jikimi.model.errors import Broken, Unavailable
from jikimi.model.match import Disposition, Ground
from jikimi.model.media import MediaKind, Reason
from jikimi.model.scan import Upload
from jikimi.model.signal import Variant, parse_signal
from jikimi.ports import Tallied
from tests.conftest import World, open_world
from tests.flows.story import audit_of, make_bank, tamper, upload

KNOWN, OTHER = paint(1), paint(2)
COPY = alter(KNOWN)


def flat_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(out, "PNG")
    return out.getvalue()


def test_a_known_picture_is_blocked_however_it_was_altered(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN, category=Category.CSAM)

    answer = upload(kit, COPY, account="a@example", name="post/1")

    # The answer: which bank, how near, in which position.
    assert answer.verdict.disposition is Disposition.BLOCK
    assert answer.verdict.reasons == (Ground.MATCH,)
    (match,) = answer.verdict.matches
    assert (match.bank, match.category, match.effect, match.type) == ("known", Category.CSAM, OnMatch.BLOCK, "pdq")
    assert match.distance <= 31
    assert match.variant is Variant.FLIP_Y
    # What was looked at.
    assert answer.content.kind is MediaKind.JPEG
    assert (answer.content.width, answer.content.height) == (480, 360)
    assert answer.verdict.coverage.signals == ("sha256", "sha1", "md5", "pdq")
    assert answer.verdict.coverage.frames == 1
    # The facts: the scan as it was answered, the case, and an unbroken chain of events.
    with kit.store.read() as tx:
        assert tx.scans.get(answer.id) == answer
    assert answer.case_id is not None
    story = tell_case(kit, answer.case_id)
    assert story.scans == (answer,)
    assert (story.case.kind, story.case.severity) == (Category.CSAM, 5)
    assert (story.case.contents, story.case.accounts) == ((answer.content.sha256,), ("a@example",))
    assert [(event.verb, event.actor) for event in story.events] == [("case.opened", "forum")]
    (event,) = audit_of(kit, answer.id)
    assert (event.verb, event.actor) == ("scan", "forum")
    assert event.detail == {
        "disposition": "block",
        "reasons": ["match"],
        "sha256": answer.content.sha256,
        "banks": ["known"],
        "case": answer.case_id,
    }
    assert not verify_audit(kit).mistake


def test_a_clear_upload_is_counted_and_leaves_no_record(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    before = len(audit_of(kit))

    answer = upload(kit, OTHER, account="a@example")

    assert answer.verdict.disposition is Disposition.CLEAR
    assert (answer.verdict.reasons, answer.verdict.matches, answer.case_id) == ((), (), None)
    write_totals(kit)
    with kit.store.read() as tx:
        assert tx.scans.list(unchecked=False, limit=10) == ()
        assert tx.cases.list(limit=10) == ()
        assert tx.counters.all() == (
            Tallied(day=world.clock.now.date(), source="forum", disposition=Disposition.CLEAR, count=1),
        )
    assert len(audit_of(kit)) == before


def test_the_first_entry_of_an_empty_installation_matches(world: World) -> None:
    assert upload(world.kit, KNOWN).verdict.disposition is Disposition.CLEAR
    make_bank(world.kit, "known", KNOWN)
    answer = upload(world.kit, KNOWN)
    assert answer.verdict.disposition is Disposition.BLOCK
    assert sorted((match.type, match.distance) for match in answer.verdict.matches) == [("pdq", 0), ("sha256", 0)]


@pytest.mark.parametrize(
    ("untrusted_bytes", "kind", "reason"),
    [
        (b"", MediaKind.OTHER, Reason.EMPTY),
        (b"%PDF-1.7 something else", MediaKind.OTHER, Reason.UNSUPPORTED),
        (paint(1)[:5000], MediaKind.PNG, Reason.UNDECODABLE),
        (flat_picture(), MediaKind.PNG, Reason.QUALITY_LOW),
    ],
    ids=["empty", "unsupported", "undecodable", "quality_low"],
)
def test_what_could_not_be_checked_is_unchecked_and_stored(
    world: World, untrusted_bytes: bytes, kind: MediaKind, reason: Reason
) -> None:
    kit = world.kit

    answer = upload(kit, untrusted_bytes)

    assert answer.verdict.disposition is Disposition.UNCHECKED
    assert answer.verdict.reasons == (reason,)
    assert answer.content.kind is kind
    assert answer.case_id is None
    with kit.store.read() as tx:
        assert tx.scans.list(unchecked=True, limit=10) == (answer,)
    assert kit.tally.totals().reasons == {("forum", reason): 1}
    assert [event.verb for event in audit_of(kit, answer.id)] == ["scan"]


def test_too_large_and_too_many_pixels(settings: Settings) -> None:
    small = settings.model_copy(update={"max_upload_mib": 1, "max_pixels": 20_000})
    with open_world(small) as world:
        assert upload(world.kit, KNOWN).verdict.reasons == (Reason.TOO_MANY_PIXELS,)
        answer = upload(world.kit, KNOWN + bytes(1024 * 1024))
        assert answer.verdict.reasons == (Reason.TOO_LARGE,)
        assert answer.content.sha256 == ""
        unread = scan_unread(
            world.kit,
            Upload(source="forum", received_at=world.kit.clock()),
            size=10**10,
            reason=Reason.TOO_LARGE,
        )
        assert (unread.verdict.disposition, unread.content.size) == (Disposition.UNCHECKED, 10**10)


def test_exact_digests_count_even_where_the_picture_cannot_be_decoded(world: World) -> None:
    damaged = KNOWN[:5000]
    digest = parse_signal("sha256", upload(world.kit, damaged).content.sha256)
    make_bank(world.kit, "files")
    add_entries(world.kit, "cli:tester", "files", [NewEntry(signal=digest)])

    answer = upload(world.kit, damaged)

    assert answer.verdict.disposition is Disposition.BLOCK
    assert answer.verdict.reasons == (Ground.MATCH, Reason.UNDECODABLE)
    assert [match.type for match in answer.verdict.matches] == ["sha256"]


def test_a_bank_holds_or_only_logs(world: World) -> None:
    kit = world.kit
    make_bank(kit, "log", KNOWN, on_match=OnMatch.LOG)
    logged = upload(kit, COPY)
    assert (logged.verdict.disposition, logged.verdict.reasons) == (Disposition.CLEAR, (Ground.LOGGED,))
    assert [match.bank for match in logged.verdict.matches] == ["log"]
    assert logged.case_id is None
    with kit.store.read() as tx:
        assert tx.scans.get(logged.id) == logged

    make_bank(kit, "hold", KNOWN, on_match=OnMatch.HOLD, category=Category.NCII)
    held = upload(kit, COPY)
    assert (held.verdict.disposition, held.verdict.reasons) == (Disposition.HOLD, (Ground.MATCH, Ground.LOGGED))
    assert held.case_id is not None
    assert tell_case(kit, held.case_id).case.kind is Category.NCII


def test_an_allowed_picture_is_let_through_and_remembered(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    assert upload(kit, COPY).verdict.disposition is Disposition.BLOCK
    make_bank(kit, "ours", COPY, category=Category.ALLOW, on_match=OnMatch.BLOCK)

    answer = upload(kit, COPY)

    assert (answer.verdict.disposition, answer.verdict.reasons) == (Disposition.CLEAR, (Ground.ALLOWED,))
    assert {match.bank for match in answer.verdict.matches} == {"known", "ours"}
    assert upload(kit, KNOWN).verdict.disposition is Disposition.BLOCK


def test_a_banks_distance_and_switch_count_from_the_next_upload_on(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    distance = upload(kit, COPY).verdict.matches[0].distance
    assert distance > 0
    for change, disposition in (
        ({"max_distance": distance - 1}, Disposition.CLEAR),
        ({"max_distance": distance}, Disposition.BLOCK),
        ({"enabled": False}, Disposition.CLEAR),
        ({"enabled": True, "on_match": OnMatch.HOLD}, Disposition.HOLD),
    ):
        change_bank(kit, "cli:tester", "known", lambda policy, change=change: replace(policy, **change))  # type: ignore[misc]
        assert upload(kit, COPY).verdict.disposition is disposition


def test_uploads_of_one_content_or_one_account_are_one_case(world: World) -> None:
    kit = world.kit
    make_bank(kit, "mild", KNOWN, category=Category.OTHER)
    make_bank(kit, "grave", OTHER, category=Category.CSAM)
    first = upload(kit, KNOWN, account="a")
    world.clock.move(minutes=5)
    same_content = upload(kit, KNOWN, account="b")
    same_account = upload(kit, OTHER, account="b")
    apart = upload(kit, COPY, account="c")

    assert first.case_id == same_content.case_id == same_account.case_id != apart.case_id
    assert first.case_id is not None
    story = tell_case(kit, first.case_id)
    assert (story.case.kind, story.case.version) == (Category.CSAM, 2)  # a known content changes nothing to decide
    assert set(story.case.contents) == {first.content.sha256, same_account.content.sha256}
    assert story.case.accounts == ("a", "b")
    assert story.case.updated_at - story.case.opened_at == timedelta(minutes=5)
    assert {scan.id for scan in story.scans} == {first.id, same_content.id, same_account.id}
    assert [event.verb for event in story.events] == ["case.opened", "case.joined", "case.joined"]


def test_an_animation_is_checked_frame_by_frame(world: World) -> None:
    make_bank(world.kit, "known", KNOWN)
    frames = [Image.open(io.BytesIO(one)).convert("RGB") for one in (paint(3), KNOWN, paint(4))]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], quality=80)

    answer = upload(world.kit, out.getvalue())

    assert answer.verdict.disposition is Disposition.BLOCK
    assert [match.frame for match in answer.verdict.matches] == [1]
    assert answer.verdict.coverage.frames == 3


def test_signals_that_somebody_else_computed_are_looked_up_and_nothing_is_stored(world: World) -> None:
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    answer = upload(kit, KNOWN)
    digest = parse_signal("sha256", answer.content.sha256)
    found = look_up_signals(kit, [digest, parse_signal("md5", "00" * 16)])
    assert [[match.bank for match in matches] for matches in found] == [["known"], []]


def test_when_nothing_can_be_stored_there_is_no_answer(world: World) -> None:
    """A fault of ours is an error; it never reads as clear."""
    kit = world.kit
    make_bank(kit, "known", KNOWN)
    tamper(world.settings, "ALTER TABLE matches RENAME TO gone")
    with pytest.raises((Broken, Unavailable), match="nothing was stored"):
        upload(kit, KNOWN)
    with kit.store.read() as tx:
        assert tx.cases.list(limit=1) == ()
        assert tx.scans.list(unchecked=True, limit=1) == ()
