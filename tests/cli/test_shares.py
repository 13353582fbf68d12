"""`jikimi share`: what is given back is listed, proposed, agreed to by another person, and tried again."""

from __future__ import annotations

from dataclasses import replace

from jikimi.app import open_kit
from jikimi.engine.pattern import paint
from jikimi.flows.propose import propose_new
from jikimi.model.action import Verb
from jikimi.model.bank import Category
from jikimi.model.decision import Choice, Label
from jikimi.model.ids import CaseId
from jikimi.model.people import Role
from jikimi.model.share import Share, ShareState
from tests.cli.conftest import Command
from tests.flows.programme import connected, decided, listed
from tests.flows.staff import hire
from tests.flows.story import make_bank, upload


def proposed(jikimi: Command, actor: str) -> tuple[CaseId, tuple[Share, ...]]:
    """New signals that somebody has proposed."""
    with open_kit(jikimi.settings) as plain:
        kit, _ = connected(plain, "cli")
        listed(kit, "cli")
        make_bank(kit, "ours", paint(1), category=Category.NCII)
        case_id = upload(kit, paint(1)).case_id
        assert case_id
        decided(kit, hire(kit, Role.LEAD), case_id, Choice(label=Label.NCII, verb=Verb.REMOVE))
        return case_id, propose_new(kit, actor, case_id, "programme")


def test_a_second_person_agrees_or_does_not(jikimi: Command) -> None:
    case_id, (first, second) = proposed(jikimi, "cli:somebody-else")
    found = jikimi("share", "list", "--json").objects
    assert [(one["share"], one["state"], one["exchange"], one["case"]) for one in found] == [
        (second.id, "proposed", "programme", case_id),
        (first.id, "proposed", "programme", case_id),
    ]
    assert first.id in jikimi("share", "list").out
    assert jikimi("share", "list", "--state", "sent", "--json").objects == []
    agreed = jikimi("share", "approve", first.id, "--json").object
    assert (agreed["state"], agreed["approved_by"][:4]) == ("waiting", "cli:")
    assert "refused" in jikimi("share", "refuse", second.id).out
    assert "[share_settled]" in jikimi("share", "approve", second.id, code=2).err
    assert "[share_not_failed]" in jikimi("share", "retry", first.id, code=2).err
    assert "[share_unknown]" in jikimi("share", "retry", "share_gone", code=2).err


def test_who_proposed_it_is_not_the_second_person(jikimi: Command) -> None:
    me = jikimi("share", "approve", proposed(jikimi, "cli:somebody-else")[1][0].id, "--json").object["approved_by"]
    with open_kit(jikimi.settings) as kit, kit.store.begin() as tx:
        second = next(one for one in tx.shares.list(limit=9) if one.state is ShareState.PROPOSED)
        tx.shares.update(replace(second, asked_by=me))
    assert "[second_person_same]" in jikimi("share", "approve", second.id, code=2).err
    assert "[second_person_same]" in jikimi("share", "refuse", second.id, code=2).err


def test_what_failed_is_tried_again_and_what_is_not_allowed_is_not_proposed(jikimi: Command) -> None:
    case_id, (first, _) = proposed(jikimi, "cli:somebody-else")
    with open_kit(jikimi.settings) as kit, kit.store.begin() as tx:
        tx.shares.update(replace(first, state=ShareState.FAILED))
    findings = {one["check"]: one for one in jikimi("doctor", "--json", code=1).objects}
    assert findings["given back"]["finding"].startswith("1 not taken by exchanges")
    assert jikimi("share", "retry", first.id, "--json").object["state"] == "waiting"
    # This command knows no kind of that name, so that nothing may leave by it.
    assert "[share_not_allowed]" in jikimi("share", "propose", case_id, "programme", code=2).err
    assert "[exchange_unknown]" in jikimi("share", "propose", case_id, "nobody", code=2).err
