"""When no picture may be shown, the page says why before anybody asks for one, and has no broken picture on it."""

from __future__ import annotations

from pathlib import Path

from scripts.desk_world import known_picture, upload
from tests.doors.desk import open_desk
from tests.doors.test_deliveries import knock

_WHY = "No pictures are shown at this hour."
_PREVIEW = 'class="preview"'


def test_after_hours_the_page_says_so_instead_of_a_broken_picture(tmp_path: Path) -> None:
    with open_desk(tmp_path / "data") as desk:
        case_id = upload(desk.kit, known_picture(0, 0, is_altered=True), account="somebody", name="a.jpg")
        with desk.kit.store.read() as tx:
            (scan,) = tx.scans.of_case(case_id, 10)
        assert scan.content is not None
        case = f"/desk/cases/{case_id}"
        preview = f"{case}/preview/{scan.content.sha256}"
        by_day = knock(desk, desk.staff.reviewer, "POST", preview).data.decode()
        assert _PREVIEW in by_day
        assert _WHY not in by_day
        desk.clock.move(hours=8)
        for method, path in (("GET", case), ("POST", preview)):
            late = knock(desk, desk.staff.reviewer, method, path).data.decode()
            assert _WHY in late
            assert _PREVIEW not in late
