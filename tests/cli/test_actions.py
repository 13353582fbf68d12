"""`jikimi action` and `jikimi webhook`: what waits is seen, sent again, and the way is tried."""

from __future__ import annotations

from jikimi.app import open_kit
from jikimi.model.people import Role
from jikimi.testing.platform import Platform
from tests.cli.conftest import Command, Said
from tests.flows.enforced import SECRET, case_of, decide, only_action
from tests.flows.staff import hire


def ordered(jikimi: Command) -> str:
    """An action that waits."""
    with open_kit(jikimi.settings) as kit:
        case = case_of(kit, 1)
        decide(kit, hire(kit, Role.LEAD), case)
        return only_action(kit, case)


def test_what_waits_is_seen_and_the_doctor_says_why(jikimi: Command) -> None:
    action_id = ordered(jikimi)
    (listed,) = jikimi("action", "list", "--json").objects
    assert (listed["action_id"], listed["state"], listed["action"]) == (action_id, "waiting", "remove")
    assert action_id in jikimi("action", "list").out
    assert jikimi("action", "list", "--state", "dead", "--json").objects == []
    shown = jikimi("action", "show", action_id, "--json").object
    assert (shown["action"], shown["deliveries"]) == (listed, [])
    assert "post 1" in jikimi("action", "show", action_id).out
    findings = {one["check"]: one for one in jikimi("doctor", "--json", code=1).objects}
    assert not findings["webhook"]["ok"]
    assert "no webhook_url is set" in findings["webhook"]["finding"]
    assert "1 actions wait" in findings["webhook"]["finding"]
    connected = jikimi("doctor", "--json", JIKIMI_WEBHOOK_URL="https://forum.example/jikimi")
    findings = {one["check"]: one for one in connected.objects}
    assert findings["webhook"]["ok"]


def test_an_action_is_sent_again(jikimi: Command) -> None:
    action_id = ordered(jikimi)
    assert jikimi("action", "replay", action_id, "--json").object["state"] == "waiting"
    assert action_id in jikimi("action", "replay", action_id).out
    assert "[action_unknown]" in jikimi("action", "replay", "act_gone", code=2).err
    assert "[action_unknown]" in jikimi("action", "show", "act_gone", code=2).err


def test_the_way_to_the_platform_is_tried(jikimi: Command) -> None:
    def try_it(*options: str, code: int = 0) -> Said:
        return jikimi(
            "webhook", "test", *options, code=code, JIKIMI_WEBHOOK_URL=platform.url, JIKIMI_WEBHOOK_KEYS=SECRET
        )

    assert "[webhook_missing]" in jikimi("webhook", "test", code=75).err
    with Platform([SECRET]) as platform:
        assert try_it("--json").object["status"] == 200
        assert try_it().out.startswith("answered 200 in ")
        platform.answers(500)
        assert try_it("--json", code=1).object["status"] == 500
    assert [message.event for message in platform.received] == ["ping"] * 3
    assert try_it(code=1).out.startswith("no answer: ")


def test_a_key_is_replaced(jikimi: Command) -> None:
    (old,) = jikimi("webhook", "keys", "--json").object["keys"]
    new, kept = jikimi("webhook", "rotate").out.split()
    assert kept == old != new
    assert jikimi("webhook", "rotate", "--finish", "--json").object == {"keys": [new]}
    assert jikimi("webhook", "keys").out.split() == [new]
    refused = jikimi("webhook", "rotate", code=2, JIKIMI_WEBHOOK_KEYS=SECRET)
    assert "[webhook_keys_set]" in refused.err
