"""The page of a case that looking back has opened says when it was recognised, and why there is no file."""

from __future__ import annotations

from pathlib import Path

from jikimi.engine.pattern import alter, paint
from jikimi.flows.kept import write_kept
from jikimi.flows.look_back import look_back
from tests.doors.desk import open_desk
from tests.doors.test_deliveries import knock
from tests.flows.story import make_bank, upload


def test_the_case_says_when_it_was_recognised_and_that_there_is_no_file(tmp_path: Path) -> None:
    with open_desk(tmp_path / "data") as desk:
        look_back(desk.kit)
        uploaded = upload(desk.kit, alter(paint(77)), name="post/1", account="somebody")
        assert uploaded.case_id is None
        write_kept(desk.kit)
        desk.clock.move(minutes=30)
        make_bank(desk.kit, "newest", paint(77))
        assert look_back(desk.kit) == 1
        with desk.kit.store.read() as tx:
            (scan,) = tx.scans.of_reference("post/1", 10)
        assert scan.recognised_at is not None
        answer = knock(desk, desk.staff.reviewer, "GET", f"/desk/cases/{scan.case_id}")
        page = answer.data.decode()
        assert answer.status == 200
        assert uploaded.upload.received_at.isoformat() in page
        assert f'recognised later: <time datetime="{scan.recognised_at.isoformat()}"' in page
        assert "Only its signals were kept" in page
        assert "/reveal/" not in page
        # Where a person asks what the new entry has matched, it was not blocked at the upload either.
        (match,) = scan.verdict.matches
        listed = knock(desk, desk.staff.lead, "GET", f"/desk/entries/{match.entry_id}").data.decode()
        assert uploaded.upload.received_at.isoformat() in listed
        assert f'recognised later: <time datetime="{scan.recognised_at.isoformat()}"' in listed
