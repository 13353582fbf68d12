"""People are let in, get other roles, are disabled; links work once; somebody always remains who can let people in."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest

from jikimi.engine.pattern import paint
from jikimi.flows import me, people, session, welcome
from jikimi.model.bank import Category
from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import PERMISSIONS, Permission, Role
from jikimi.model.signin import Signed
from tests.conftest import World
from tests.flows.signing import (
    HABITS,
    HERE,
    MACHINE,
    PASSWORD,
    administrator,
    code_now,
    colleague,
    come_with_passkey,
    come_with_password,
    device,
    secret_of,
    sign_in,
    with_password,
)
from tests.flows.story import audit_of, make_bank, upload


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        call()
    return refusal.value.code


# The first link


def test_the_first_who_comes_in_can_decide_a_case_and_invite(world: World) -> None:
    ada = administrator(world.kit).signed.person
    assert ada.roles == {Role.ADMINISTRATOR, Role.LEAD}
    assert {Permission.REVIEW, Permission.CONFIRM, Permission.PEOPLE} <= ada.permissions
    assert (ada.language, ada.time_zone) == ("ko", "Asia/Seoul")
    assert people.first_link(world.kit) is None


def test_of_two_first_links_one_counts(world: World) -> None:
    """Two nodes that start at once print one each."""
    first, second = people.first_link(world.kit), people.first_link(world.kit)
    come_with_passkey(world.kit, second, "Ada")
    assert code_of(lambda: come_with_passkey(world.kit, first, "Eve")) == "link_unknown"
    assert [one.person.name for one in people.staff(world.kit, MACHINE).colleagues] == ["Ada"]


def test_two_people_who_open_links_at_the_same_moment_are_one(world: World) -> None:
    kit = world.kit
    links = [people.first_link(kit) for _ in range(4)]
    answers = []
    for number, link in enumerate(links):
        options = welcome.ask_passkey(kit, secret_of(link), f"Ada {number}")
        answers.append(device(kit).create(options))

    def come(answer: str) -> str:
        try:
            welcome.accept_with_passkey(kit, answer, HABITS, HERE)
        except Refused as refusal:
            return refusal.code
        return "in"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(come, answers)) == ["in", "link_unknown", "link_unknown", "link_unknown"]


def test_a_link_is_known_by_its_digest_only(world: World) -> None:
    link = people.first_link(world.kit)
    secret = secret_of(link)
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in repr(link)
    with world.kit.store.read() as tx:
        assert secret not in repr(tx.invitations.waiting(world.clock.now))
    assert link is not None
    assert code_of(lambda: welcome.look(world.kit, link.invitation.digest)) == "link_unknown"


@pytest.mark.parametrize("secret", ["", "x", "0" * 64, "\udcff", "a" * 100_000])
def test_what_is_no_link_opens_nothing(world: World, secret: str) -> None:
    people.first_link(world.kit)
    assert code_of(lambda: welcome.look(world.kit, secret)) == "link_unknown"


# Invitations


def test_an_invitation_works_once_and_until_it_expires(world: World) -> None:
    kit = world.kit
    ada = administrator(kit).signed
    link = people.invite(kit, ada, [Role.REVIEWER, Role.LEGAL], "  Bob \n from Seoul ")
    assert link.invitation.label == "Bob from Seoul"
    welcome.look(kit, secret_of(link))
    bob = come_with_passkey(kit, link, "Bob").signed.person
    assert bob.roles == {Role.REVIEWER, Role.LEGAL}
    assert bob.pseudonym.startswith("reviewer-")
    assert "bob" not in bob.pseudonym
    assert code_of(lambda: come_with_passkey(kit, link, "Eve")) == "link_unknown"

    late = people.invite(kit, ada, [Role.REVIEWER])
    world.clock.move(hours=72)
    assert code_of(lambda: welcome.look(kit, secret_of(late))) == "link_unknown"
    verbs = [(event.verb, event.actor) for event in audit_of(kit) if event.object.startswith("invitation:")]
    assert verbs == [("person.invited", f"person:{ada.person.id}")] * 2


def test_an_invitation_can_be_taken_back(world: World) -> None:
    link = people.invite(world.kit, MACHINE, [Role.AUDITOR])
    (waiting,) = people.staff(world.kit, MACHINE).invitations
    people.withdraw_invitation(world.kit, MACHINE, waiting.digest[: people.HANDLE])
    assert code_of(lambda: welcome.look(world.kit, secret_of(link))) == "link_unknown"
    handle = waiting.digest[: people.HANDLE]
    assert code_of(lambda: people.withdraw_invitation(world.kit, MACHINE, handle)) == "invitation_unknown"


def test_a_name_is_taken_however_it_is_written(world: World) -> None:
    administrator(world.kit)
    for name in ("ada", "ＡＤＡ", "  Ada "):
        link = people.invite(world.kit, MACHINE, [Role.REVIEWER])
        assert code_of(lambda link=link, name=name: come_with_passkey(world.kit, link, name)) == "person_exists"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", " ", "x", "a" * 65, "line\x00", "tab\u202e"])
def test_a_name_that_cannot_be_shown_is_refused(world: World, name: str) -> None:
    link = people.first_link(world.kit)
    assert code_of(lambda: come_with_passkey(world.kit, link, name)) == "person_name_invalid"


def test_a_passkey_that_was_asked_for_one_link_is_none_for_another(world: World) -> None:
    """The question remembers its link: an answer cannot be carried to a link with other roles."""
    kit = world.kit
    ada = administrator(kit).signed
    options = welcome.ask_passkey(kit, secret_of(people.invite(kit, ada, [Role.AUDITOR])), "Bob")
    answer = device(kit).create(options)
    assert code_of(lambda: me.add_passkey(kit, ada, answer, "stolen")) == "question_stale"
    bob = device(kit).create(welcome.ask_passkey(kit, secret_of(people.invite(kit, ada, [Role.AUDITOR])), "Bob"))
    assert welcome.accept_with_passkey(kit, bob, HABITS, HERE).signed.person.roles == {Role.AUDITOR}


@pytest.mark.parametrize("password", ["short", "password1234", "Ada Lovelace 1815", "aaaaaaaaaaaaaaaa", "x" * 257])
def test_a_password_that_is_guessed_first_is_refused_and_can_be_mended(world: World, password: str) -> None:
    kit = world.kit
    setup = welcome.ask_codes(kit, secret_of(people.first_link(kit)), "Ada Lovelace")
    code = pyotp.TOTP(setup.secret).at(world.clock.now)
    refused = code_of(lambda: welcome.accept_with_password(kit, setup.token, password, code, HABITS, HERE))
    assert refused in ("password_length", "password_common")
    assert welcome.again(kit, setup.token) == setup
    assert code_of(lambda: welcome.accept_with_password(kit, setup.token, PASSWORD, "1", HABITS, HERE)) == "code_wrong"
    come = welcome.accept_with_password(kit, setup.token, PASSWORD, code, HABITS, HERE)
    assert come.signed.person.name == "Ada Lovelace"


# Lost everything


def test_a_new_link_replaces_all_that_somebody_had(world: World) -> None:
    kit = world.kit
    ada = administrator(kit)
    bob = come_with_password(world, people.invite(kit, ada.signed, [Role.REVIEWER]), "Bob")
    link = people.new_link(kit, ada.signed, bob.signed.person.id)
    assert session.session_of(kit, bob.signed.secret) == bob.signed.person
    assert welcome.look(kit, secret_of(link)).name == "Bob"
    again = come_with_passkey(kit, link, "whatever is typed")
    assert again.signed.person == bob.signed.person
    assert code_of(lambda: session.session_of(kit, bob.signed.secret)) == "signed_out"
    world.clock.move(seconds=31)
    assert code_of(lambda: with_password(world, bob)) == "sign_in_failed"
    assert sign_in(kit, again).person.name == "Bob"


def test_the_machine_lets_the_last_administrator_in_again(world: World) -> None:
    ada = administrator(world.kit)
    link = people.new_link(world.kit, MACHINE, people.named(world.kit, "ADA").id)
    again = come_with_passkey(world.kit, link, "")
    assert again.signed.person == ada.signed.person
    verbs = [event.verb for event in audit_of(world.kit, f"person:{ada.signed.person.id}")]
    assert verbs == ["person.joined", "session.began", "person.link_made", "person.renewed", "session.began"]


# Roles, disabling


_STORIES: dict[str, Callable[[World, Signed, Signed], object]] = {
    "invite": lambda world, by, whom: people.invite(world.kit, by, [Role.REVIEWER]),
    "new_link": lambda world, by, whom: people.new_link(world.kit, by, whom.person.id),
    "withdraw": lambda world, by, whom: people.withdraw_invitation(world.kit, by, "0" * 16),
    "change_roles": lambda world, by, whom: people.change_roles(world.kit, by, whom.person.id, [Role.LEAD]),
    "disable": lambda world, by, whom: people.disable(world.kit, by, whom.person.id),
    "enable": lambda world, by, whom: people.enable(world.kit, by, whom.person.id),
    "end_sessions": lambda world, by, whom: people.end_sessions(world.kit, by, whom.person.id),
}


@pytest.mark.parametrize("story", _STORIES)
def test_people_are_managed_with_the_permission_and_a_fresh_proof_only(world: World, story: str) -> None:
    kit = world.kit
    ada = administrator(kit).signed
    others = {role: colleague(kit, role.value, role).signed for role in Role}
    victim = colleague(kit, "victim", Role.REVIEWER).signed
    before = len(audit_of(kit))
    for role, by in others.items():
        if Permission.PEOPLE not in PERMISSIONS[role]:
            assert code_of(lambda by=by: _STORIES[story](world, by, victim)) == "permission_missing"  # type: ignore[misc]
    stale = replace(ada, session=replace(ada.session, proved_at=world.clock.now - timedelta(minutes=11)))
    assert code_of(lambda: _STORIES[story](world, stale, victim)) == "proof_stale"
    assert len(audit_of(kit)) == before
    if story == "withdraw":
        assert code_of(lambda: _STORIES[story](world, ada, victim)) == "invitation_unknown"
    else:
        _STORIES[story](world, ada, victim)
        assert len(audit_of(kit)) == before + 1


def test_the_list_of_people_needs_the_permission(world: World) -> None:
    bob = colleague(world.kit, "Bob", Role.LEAD).signed
    assert code_of(lambda: people.staff(world.kit, bob)) == "permission_missing"


def test_roles_count_from_the_next_request_on(world: World) -> None:
    ada = administrator(world.kit).signed
    bob = colleague(world.kit, "Bob", Role.REVIEWER).signed
    people.change_roles(world.kit, ada, bob.person.id, [Role.AUDITOR])
    assert session.session_of(world.kit, bob.secret).permissions == PERMISSIONS[Role.AUDITOR]
    assert code_of(lambda: people.change_roles(world.kit, ada, bob.person.id, [])) == "roles_missing"


def test_the_last_administrator_stays(world: World) -> None:
    kit = world.kit
    ada = administrator(kit).signed
    colleague(kit, "Bob", Role.LEAD)
    assert code_of(lambda: people.disable(kit, ada, ada.person.id)) == "last_administrator"
    assert code_of(lambda: people.disable(kit, MACHINE, ada.person.id)) == "last_administrator"
    assert code_of(lambda: people.change_roles(kit, ada, ada.person.id, [Role.LEAD])) == "last_administrator"
    assert session.session_of(kit, ada.secret) == ada.person
    carol = colleague(kit, "Carol", Role.ADMINISTRATOR).signed
    people.disable(kit, carol, ada.person.id)
    assert code_of(lambda: people.disable(kit, carol, carol.person.id)) == "last_administrator"


def test_two_administrators_cannot_remove_each_other_at_once(world: World) -> None:
    kit = world.kit
    ada, bob = administrator(kit).signed, colleague(kit, "Bob", Role.ADMINISTRATOR).signed

    def remove(pair: tuple[Signed, Signed]) -> str:
        try:
            people.disable(kit, pair[0], pair[1].person.id)
        except Refused as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, [(ada, bob), (bob, ada)])) == ["done", "last_administrator"]


def test_who_is_disabled_is_out_at_once_and_their_cases_are_free(world: World) -> None:
    kit = world.kit
    ada = administrator(kit).signed
    bob = colleague(kit, "Bob", Role.REVIEWER)
    make_bank(kit, "known", paint(1))
    upload(kit, paint(1))
    with kit.store.begin() as tx:
        (case,) = tx.cases.list(limit=1)
        taken = replace(case, assignee=bob.signed.person.id, lease_until=world.clock.now, version=case.version + 1)
        tx.cases.update(taken)
    reset = people.new_link(kit, ada, bob.signed.person.id)

    people.disable(kit, ada, bob.signed.person.id)
    assert code_of(lambda: session.session_of(kit, bob.signed.secret)) == "signed_out"
    assert code_of(lambda: sign_in(kit, bob)) == "sign_in_failed"
    assert code_of(lambda: welcome.look(kit, secret_of(reset))) == "link_unknown"
    assert code_of(lambda: people.new_link(kit, ada, bob.signed.person.id)) == "person_disabled"
    with kit.store.read() as tx:
        (case,) = tx.cases.list(limit=1)
    assert (case.assignee, case.lease_until, case.version) == (None, None, taken.version + 1)

    people.enable(kit, ada, bob.signed.person.id)
    assert code_of(lambda: session.session_of(kit, bob.signed.secret)) == "signed_out"
    assert sign_in(kit, bob).person.name == "Bob"


def test_nobody_is_nobody(world: World) -> None:
    assert code_of(lambda: people.named(world.kit, "Nobody")) == "person_unknown"
    nobody = PersonId("person_0")
    assert code_of(lambda: people.disable(world.kit, MACHINE, nobody)) == "person_unknown"


# One's own things


def test_ones_sessions_are_seen_and_ended(world: World) -> None:
    kit = world.kit
    ada = administrator(kit)
    elsewhere = sign_in(kit, ada, replace(HERE, place="Safari on iPhone"))
    seen = me.mine(kit, ada.signed)
    assert {one.place for one in seen.sessions} == {"Firefox on Linux", "Safari on iPhone"}
    me.end_session(kit, ada.signed, elsewhere.session.digest[: me.HANDLE])
    assert code_of(lambda: session.session_of(kit, elsewhere.secret)) == "signed_out"
    bob = colleague(kit, "Bob", Role.ADMINISTRATOR).signed
    handle = ada.signed.session.digest[: me.HANDLE]
    assert code_of(lambda: me.end_session(kit, bob, handle)) == "session_unknown"


def test_the_last_way_to_sign_in_stays(world: World) -> None:
    kit = world.kit
    ada = administrator(kit)
    (only,) = me.mine(kit, ada.signed).passkeys
    assert code_of(lambda: me.remove_passkey(kit, ada.signed, only.credential_id)) == "last_credential"
    options = me.ask_passkey(kit, ada.signed)
    assert [one["id"] for one in json.loads(options)["excludeCredentials"]]
    me.add_passkey(kit, ada.signed, device(kit).create(options), " Blue  key ")
    assert [one.label for one in me.mine(kit, ada.signed).passkeys][-1] == "Blue key"
    me.remove_passkey(kit, ada.signed, only.credential_id)
    assert code_of(lambda: sign_in(kit, ada)) == "sign_in_failed"


def test_ways_to_sign_in_change_under_a_fresh_proof_only(world: World) -> None:
    kit = world.kit
    ada = administrator(kit).signed
    world.clock.move(minutes=11)
    assert code_of(lambda: me.ask_passkey(kit, ada)) == "proof_stale"
    assert code_of(lambda: me.ask_codes(kit, ada)) == "proof_stale"
    assert code_of(lambda: me.remove_passkey(kit, ada, b"x")) == "proof_stale"


def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    kit = world.kit
    ada = administrator(kit)
    elsewhere = sign_in(kit, ada)
    setup = me.ask_codes(kit, ada.signed)
    code = code_now(world, replace(ada, totp=setup.secret))
    assert len(me.set_password(kit, ada.signed, setup.token, PASSWORD, code)) == 10
    assert code_of(lambda: session.session_of(kit, elsewhere.secret)) == "signed_out"
    assert session.session_of(kit, ada.signed.secret) == ada.signed.person
    assert me.mine(kit, ada.signed).has_password


def test_opt_outs_are_ones_own_and_leave_no_trace_of_which(world: World) -> None:
    kit = world.kit
    world.clock.now = world.clock.now.replace(hour=1)  # ten in the morning where she is
    ada = administrator(kit).signed
    me.opt_out(kit, ada, [Category.TERRORISM, Category.CANARY, Category.ALLOW])
    assert session.session_of(kit, ada.secret).opt_outs == {Category.TERRORISM}
    assert "terrorism" not in repr(audit_of(kit))
    me.choose(kit, ada, "en", "Europe/Berlin")
    person = session.session_of(kit, ada.secret)
    assert (person.language, person.time_zone, person.opt_outs) == (
        "en",
        "Europe/Berlin",
        frozenset({Category.TERRORISM}),
    )
    assert code_of(lambda: me.choose(kit, ada, "tlh", "UTC")) == "language_invalid"
    assert code_of(lambda: me.choose(kit, ada, "ko", "../../etc/passwd")) == "time_zone_invalid"
