"""`jikimi peer`."""

from __future__ import annotations

import stat

from jikimi.app import open_kit
from jikimi.flows.key import authenticate
from jikimi.flows.peer import Opinioned, take_feedback
from jikimi.model.exchange import Feedback
from jikimi.model.people import Scope
from tests.cli.conftest import Command


def test_a_peer_from_its_key_to_its_end(jikimi: Command) -> None:
    for name in ("house", "more"):
        jikimi("bank", "create", name, "--category", "other", "--on-match", "block")
    jikimi("bank", "add", "house", "--signal", "md5:" + "5a" * 16)
    made = jikimi("peer", "allow", "them", "--bank", "house", "--json").object
    assert {**made, "key": ""} == {"name": "them", "banks": ["house"], "with_lists": False, "key": ""}
    assert jikimi("peer", "allow", "them", "--bank", "more", "--with-lists").out.startswith("them: may read more")
    listed = jikimi("peer", "list", "--json")
    assert [(one["name"], one["bank"], one["with_lists"]) for one in listed.objects] == [
        ("them", "house", False),
        ("them", "more", True),
    ]
    assert made["key"] not in listed.out + jikimi("peer", "list").out + jikimi("key", "list").out

    with open_kit(jikimi.settings) as kit:
        key = authenticate(kit, made["key"], Scope.PEER)
        opinion = Opinioned(entry_id=1, feedback=Feedback.FALSE_POSITIVE, at=kit.clock())
        assert take_feedback(kit, key, "house", [opinion]) == 1
    (said,) = jikimi("peer", "feedback", "--json").objects
    assert {**said, "at": ""} == {"peer": "them", "bank": "house", "entry": 1, "feedback": "false_positive", "at": ""}
    assert "false_positive" in jikimi("peer", "feedback").out

    assert jikimi("peer", "revoke", "them", "--json").object == {"name": "them", "revoked": True}
    assert "[peer_unknown]" in jikimi("peer", "revoke", "them", code=2).err
    assert "[key_exists]" in jikimi("peer", "allow", "them", "--bank", "house", code=2).err
    assert "[bank_unknown]" in jikimi("peer", "allow", "others", "--bank", "none", code=2).err
    assert jikimi("peer", "list", "--json").objects == []


def test_the_identity_stays_and_can_live_elsewhere(jikimi: Command) -> None:
    public = jikimi("peer", "identity").out.strip()
    assert public.startswith("jkp_")
    assert jikimi("peer", "identity", "--json").object == {"public_key": public}
    assert stat.S_IMODE((jikimi.settings.data / "peer.key").stat().st_mode) == 0o600
    (jikimi.settings.data / "peer.key").chmod(0o644)
    findings = {one["check"]: one for one in jikimi("doctor", "--json", code=1).objects}
    assert findings["peer key"]["ok"] is False
    elsewhere = jikimi.folder / "shared.key"
    (jikimi.settings.data / "peer.key").rename(elsewhere)
    assert jikimi("peer", "identity", JIKIMI_PEER_KEY_FILE=str(elsewhere)).out.strip() == public
    assert jikimi("peer", "identity").out.strip() != public
