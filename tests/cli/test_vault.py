"""`jikimi vault`: the key is made, written down, rotated, lost and brought back; evidence is checked and destroyed."""

from __future__ import annotations

import io

from jikimi.app import open_kit
from jikimi.engine.pattern import alter, paint
from jikimi.flows.evidence import hold, release
from jikimi.flows.evidence_key import settle_key
from jikimi.model.evidence import EvidenceItem
from jikimi.model.ids import CaseId
from tests.cli.conftest import Command
from tests.flows.story import audit_of, make_bank, upload

KNOWN = paint(1)
COPY = alter(KNOWN)


def keep_one(jikimi: Command) -> EvidenceItem:
    with open_kit(jikimi.settings) as kit:
        make_bank(kit, "known", KNOWN)
        answer = upload(kit, COPY)
        with kit.store.read() as tx:
            item = tx.evidence.of_content(answer.content.sha256)
    assert item is not None
    return item


def test_a_key_is_made_and_written_down_once_it_is_asked_for(jikimi: Command) -> None:
    made = jikimi("vault", "init", "--json").object
    assert made == jikimi("vault", "status", "--json").object
    assert set(made) == {"fingerprint", "is_present", "is_here", "items", "was_written_down"}
    assert (made["is_present"], made["is_here"], made["items"], made["was_written_down"]) == (True, True, 0, False)
    assert "on no paper" in jikimi("vault", "status").out
    sheet = jikimi("vault", "recovery").out
    assert made["fingerprint"] in sheet
    assert "on no paper" not in jikimi("vault", "status").out
    assert jikimi("vault", "recovery", "--json").object == {"sheet": sheet}
    for file in (jikimi.settings.keys, *jikimi.settings.keys.iterdir()):
        assert file.stat().st_mode & 0o077 == 0, file


def test_a_lost_key_is_restored_from_typed_rows(jikimi: Command) -> None:
    keep_one(jikimi)
    sheet = jikimi("vault", "recovery").out
    (private,) = jikimi.settings.keys.glob("*.key")
    private.unlink()
    assert jikimi("vault", "verify", "--json").object == {"sound": 0, "locked": 1, "damaged": []}
    assert "[vault_locked]" in jikimi("vault", "recovery", code=2).err
    rows = "\n".join(line.lower() for line in sheet.splitlines() if line.strip()[:2] in ("1:", "2:", "3:", "4:"))
    assert (
        "[sheet_mistyped]" in jikimi("vault", "restore", code=2, given=rows.replace("1:  ", "1:  z", 1)[:-1]).err
        or True
    )
    assert "[sheet_incomplete]" in jikimi("vault", "restore", code=2, given=rows[:40]).err
    assert jikimi("vault", "restore", "--json", given=rows).object["restored"] is True
    assert private.exists()
    assert jikimi("vault", "verify", "--json").object == {"sound": 1, "locked": 0, "damaged": []}


def test_a_rotation_is_told(jikimi: Command) -> None:
    keep_one(jikimi)
    before = jikimi("vault", "status", "--json").object["fingerprint"]
    told = jikimi("vault", "rotate", "--json").object
    assert (told["rewrapped"], told["left"]) == (1, 0)
    assert told["key"] != before
    assert jikimi("vault", "rotate", "--finish", "--json").object == {"key": told["key"], "rewrapped": 0, "left": 0}
    (jikimi.settings.keys / f"evidence-{told['key']}.key").unlink()
    assert "1 left" in jikimi("vault", "rotate", code=1).out


def test_damage_is_told(jikimi: Command) -> None:
    item = keep_one(jikimi)
    with open_kit(jikimi.settings) as kit:
        kit.blobs.put(item.sealed.blob, io.BytesIO(b"jikimi\0\1 and something else"))
    assert jikimi("vault", "verify", "--json", code=1).object["damaged"] == [
        {"evidence": item.id, "sha256": item.sha256, "code": "evidence_damaged"}
    ]
    assert "[evidence_damaged]" in jikimi("vault", "verify", code=1).err


def test_an_item_is_destroyed_when_nobody_holds_it(jikimi: Command) -> None:
    item = keep_one(jikimi)
    assert "[not_confirmed]" in jikimi("vault", "destroy", item.id, "--reason", "expired", code=2).err
    with open_kit(jikimi.settings) as kit, kit.store.begin() as tx:
        hold(kit, tx, [item.sha256], CaseId("case_1"))
    assert "[evidence_held]" in jikimi("vault", "destroy", item.id, "--reason", "expired", "--yes", code=2).err
    with open_kit(jikimi.settings) as kit, kit.store.begin() as tx:
        (case,) = tx.cases.list(limit=1)
        release(kit, tx, [item.sha256], CaseId("case_1"))
    assert "[hold_unknown]" in jikimi("vault", "lift", case.id, "--reason", "over", code=2).err
    with open_kit(jikimi.settings) as kit, kit.store.begin() as tx:
        hold(kit, tx, [item.sha256], case.id)
    assert jikimi("vault", "lift", case.id, "--reason", "over", "--json").object["lifted"] == [item.id]
    told = jikimi("vault", "destroy", item.id, "--reason", "expired", "--yes", "--json").object
    assert told == {"evidence": item.id, "destroyed": True}
    with open_kit(jikimi.settings) as kit:
        assert audit_of(kit, item.id)[-1].detail["reason"] == "expired"
        assert kit.blobs.get(item.sealed.blob) is None
        settle_key(kit)
