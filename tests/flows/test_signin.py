"""Somebody signs in, stays signed in for a while, and is slowed down when they guess."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

import pytest

from jikimi.flows import me, people, session, signin
from jikimi.flows.account import verify_audit
from jikimi.model.errors import Refused
from jikimi.model.people import Role
from jikimi.model.signin import FREE_BY_ADDRESS, FREE_BY_NAME, Proof, Signed, Visitor
from jikimi.testing.authenticator import Authenticator
from tests.conftest import World
from tests.flows.signing import (
    HERE,
    MACHINE,
    PASSWORD,
    Member,
    administrator,
    code_now,
    colleague,
    come_with_passkey,
    come_with_password,
    from_elsewhere,
    sign_in,
    with_password,
)
from tests.flows.story import audit_of


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        call()
    return refusal.value.code


# Passkeys


def test_a_passkey_signs_in_without_a_name(world: World) -> None:
    ada = administrator(world.kit)
    options = json.loads(signin.ask_passkey(world.kit))
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"
    signed = sign_in(world.kit, ada)
    assert session.session_of(world.kit, signed.secret) == ada.signed.person
    assert signed.session.proof is Proof.PASSKEY


def test_an_answer_counts_once(world: World) -> None:
    ada = administrator(world.kit)
    answer = ada.authenticator.get(signin.ask_passkey(world.kit))
    signin.sign_in_with_passkey(world.kit, answer, HERE)
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, answer, HERE)) == "question_stale"


def test_a_question_that_waited_too_long_is_no_question(world: World) -> None:
    ada = administrator(world.kit)
    answer = ada.authenticator.get(signin.ask_passkey(world.kit))
    world.clock.move(minutes=11)
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, answer, HERE)) == "question_stale"


def test_a_question_for_one_thing_is_no_question_for_another(world: World) -> None:
    ada = administrator(world.kit)
    answer = ada.authenticator.get(signin.ask_passkey(world.kit))
    assert code_of(lambda: signin.prove_with_passkey(world.kit, ada.signed, answer)) == "question_stale"
    again = ada.authenticator.get(signin.ask_again(world.kit, ada.signed))
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, again, HERE)) == "question_stale"


def spoiled(ada: Member, world: World, how: str) -> str:
    device = ada.authenticator
    options = signin.ask_passkey(world.kit)
    if how == "not verified":
        return replace(device, verifies=False).get(options)
    if how == "another origin":
        return replace(device, origin="http://localhost:1").get(options)
    if how == "counter went back":
        return replace(device, uses=-1).get(options)
    answer = json.loads(device.get(options))
    if how == "another person":
        answer["response"]["userHandle"] = "cGVyc29uXzA"
    if how == "signature":
        answer["response"]["signature"] = answer["response"]["signature"][:-4] + "AAAA"
    if how == "unknown passkey":
        answer["id"] = answer["rawId"] = "bm9uZQ"
    return json.dumps(answer)


@pytest.mark.parametrize(
    "how", ["not verified", "another origin", "counter went back", "another person", "signature", "unknown passkey"]
)
def test_what_does_not_hold_does_not_sign_in(world: World, how: str) -> None:
    ada = administrator(world.kit)
    sign_in(world.kit, ada)
    answer = spoiled(ada, world, how)
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, answer, HERE)) in ("proof_invalid", "sign_in_failed")


@pytest.mark.parametrize("answer", ["", "{}", "[]", "null", "{" * 5000, '{"response":{}}', "x" * 100_000])
def test_what_is_no_answer_is_refused(world: World, answer: str) -> None:
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, answer, HERE)) == "proof_invalid"


def test_a_synced_passkey_without_counter_is_taken(world: World) -> None:
    ada = administrator(world.kit)
    ada.authenticator.counts = False
    ada.authenticator.uses = 0
    options = me.ask_passkey(world.kit, ada.signed)
    me.add_passkey(world.kit, ada.signed, ada.authenticator.create(options), "telephone")
    assert sign_in(world.kit, ada).person == ada.signed.person
    assert sign_in(world.kit, ada).person == ada.signed.person


def test_a_passkey_of_another_installation_is_unknown(world: World) -> None:
    administrator(world.kit)
    stranger = Authenticator(origin=world.kit.prover.origin)
    options = {"user": {"id": "cGVyc29uXzA"}, "rp": {"id": "localhost"}, "challenge": "AAAA"}
    stranger.create(json.dumps(options))
    answer = stranger.get(signin.ask_passkey(world.kit))
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, answer, HERE)) == "sign_in_failed"


# Passwords and codes


def test_password_and_code_sign_in_and_each_code_once(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "Ada Lovelace")
    # The code by which the app was set up has been used.
    assert code_of(lambda: with_password(world, ada)) == "sign_in_failed"
    world.clock.move(seconds=31)
    code = code_now(world, ada)
    assert with_password(world, ada, code=code).session.proof is Proof.PASSWORD
    assert code_of(lambda: with_password(world, ada, code=code)) == "sign_in_failed"
    world.clock.move(seconds=31)
    with_password(world, ada, code=code_now(world, ada)[:3] + " " + code_now(world, ada)[3:])


def test_a_name_is_found_however_it_is_typed(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "  김 지수 Ａ ")
    assert ada.signed.person.name == "김 지수 A"
    world.clock.move(seconds=31)
    signed = signin.sign_in_with_password(world.kit, "김 지수 a", PASSWORD, code_now(world, ada), HERE)
    assert signed.person.name == "김 지수 A"


def test_a_recovery_code_stands_in_for_the_app_once(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "Ada")
    assert len(set(ada.recovery)) == 10
    typed = ada.recovery[3].upper().replace("-", " ")
    with_password(world, ada, code=typed)
    assert code_of(lambda: with_password(world, ada, code=typed)) == "sign_in_failed"
    assert me.mine(world.kit, ada.signed).recovery_left == 9


def test_wrong_is_wrong_in_one_voice(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "Ada")
    bob = come_with_password(world, people.invite(world.kit, MACHINE, [Role.REVIEWER]), "Bob")
    people.disable(world.kit, MACHINE, bob.signed.person.id)
    world.clock.move(seconds=31)

    def voice(name: str, password: str, code: str) -> str:
        with pytest.raises(Refused) as refusal:
            signin.sign_in_with_password(world.kit, name, password, code, HERE)
        return f"{refusal.value.code} {refusal.value.message}"

    voices = {
        voice("Nobody", PASSWORD, "000000"),
        voice("Ada", "wrong wrong wrong", code_now(world, ada)),
        voice("Ada", PASSWORD, "abc"),
        voice("Bob", PASSWORD, code_now(world, bob)),
    }
    assert len(voices) == 1
    assert "Nobody" not in voices.pop()


def test_a_name_that_there_is_not_takes_as_long(world: World) -> None:
    come_with_password(world, people.first_link(world.kit), "Ada")
    took: dict[str, list[float]] = {"Ada": [], "Nobody": []}
    for number in range(6):
        for name, times in took.items():
            began = time.perf_counter()
            with pytest.raises(Refused):
                signin.sign_in_with_password(world.kit, name, "wrong wrong wrong", "000000", from_elsewhere(number))
            times.append(time.perf_counter() - began)
            world.clock.move(minutes=16)
    there, not_there = median(took["Ada"][1:]), median(took["Nobody"][1:])
    assert not_there > 0.01, "no password hash was computed"
    assert 0.4 < there / not_there < 2.5


# Throttling


def test_guessing_is_stopped_and_the_right_one_waits_too(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "Ada")
    world.clock.move(seconds=31)
    for number in range(FREE_BY_NAME):
        with pytest.raises(Refused):
            with_password(world, ada, password="wrong wrong wrong", visitor=from_elsewhere(number))
    assert code_of(lambda: with_password(world, ada)) == "too_many_tries"
    assert sign_in_by_passkey_is_free(world, ada)
    world.clock.move(seconds=3)
    with_password(world, ada)
    # A success starts the name afresh.
    assert code_of(lambda: with_password(world, ada, password="wrong wrong wrong")) == "sign_in_failed"


def sign_in_by_passkey_is_free(world: World, member: Member) -> bool:
    """Nobody can lock out somebody else's passkey by guessing under their name."""
    options = me.ask_passkey(world.kit, member.signed)
    me.add_passkey(world.kit, member.signed, member.authenticator.create(options), "key")
    return sign_in(world.kit, member).person == member.signed.person


def test_names_that_there_are_not_are_slowed_the_same(world: World) -> None:
    for number in range(FREE_BY_NAME):
        with pytest.raises(Refused):
            signin.sign_in_with_password(world.kit, "Nobody", "x", "x", from_elsewhere(number))
    assert code_of(lambda: signin.sign_in_with_password(world.kit, "NOBODY", "x", "x", HERE)) == "too_many_tries"


def test_an_address_that_fails_under_many_names_has_to_wait(world: World) -> None:
    for number in range(FREE_BY_ADDRESS):
        with pytest.raises(Refused):
            signin.sign_in_with_password(world.kit, f"name {number}", "x", "x", HERE)
    assert code_of(lambda: signin.sign_in_with_password(world.kit, "fresh", "x", "x", HERE)) == "too_many_tries"
    assert code_of(lambda: signin.sign_in_with_passkey(world.kit, "{}", HERE)) == "too_many_tries"
    elsewhere = from_elsewhere(9)
    assert code_of(lambda: signin.sign_in_with_password(world.kit, "fresh", "x", "x", elsewhere)) == "sign_in_failed"


def test_an_office_that_signs_in_well_is_not_slowed(world: World) -> None:
    ada = administrator(world.kit)
    for _ in range(FREE_BY_ADDRESS * 2):
        sign_in(world.kit, ada)


def test_many_tries_at_once_are_many_tries(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "Ada")

    def guess(number: int) -> str:
        return code_of(lambda: with_password(world, ada, password="wrong wrong wrong", visitor=from_elsewhere(number)))

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(guess, range(16)))
    assert codes.count("sign_in_failed") == FREE_BY_NAME
    assert codes.count("too_many_tries") == 16 - FREE_BY_NAME


# Sessions


def test_a_session_ends_when_it_is_idle_and_in_any_case_after_a_day_of_work(world: World) -> None:
    kit = world.kit
    signed = administrator(kit).signed
    for _ in range(28):
        world.clock.move(minutes=25)
        session.session_of(kit, signed.secret)
    world.clock.move(minutes=25)
    assert code_of(lambda: session.session_of(kit, signed.secret)) == "signed_out"
    ada = administrator_again(world)
    world.clock.move(minutes=31)
    assert code_of(lambda: session.session_of(kit, ada.secret)) == "signed_out"


def test_sessions_and_links_of_no_use_are_forgotten_after_a_month(world: World) -> None:
    kit = world.kit
    ada = administrator(kit)
    session.sign_out(kit, sign_in(kit, ada).secret)
    world.clock.move(days=29)
    now = sign_in(kit, ada)
    assert session.forget_ended(kit) == 0
    world.clock.move(days=1, hours=23)
    kept = sign_in(kit, ada)
    world.clock.move(minutes=1)
    assert session.forget_ended(kit) == 3, "the link she came with, the session that began with it, the one she ended"
    assert session.session_of(kit, kept.secret) == ada.signed.person
    with kit.store.read() as tx:
        assert {one.digest for one in tx.sessions.of(ada.signed.person.id)} == {
            now.session.digest, kept.session.digest,
        }  # fmt: skip


def administrator_again(world: World) -> Signed:
    person = people.named(world.kit, "Ada")
    link = people.new_link(world.kit, MACHINE, person.id)
    return come_with_passkey(world.kit, link, "").signed


def test_signing_in_ends_the_session_that_the_browser_had(world: World) -> None:
    ada = administrator(world.kit)
    again = sign_in(world.kit, ada, replace(HERE, secret=ada.signed.secret))
    assert again.secret != ada.signed.secret
    assert code_of(lambda: session.session_of(world.kit, ada.signed.secret)) == "signed_out"
    session.session_of(world.kit, again.secret)


def test_signing_out_ends_it_for_good(world: World) -> None:
    ada = administrator(world.kit)
    session.sign_out(world.kit, ada.signed.secret)
    session.sign_out(world.kit, ada.signed.secret)
    session.sign_out(world.kit, "never was")
    assert code_of(lambda: session.session_of(world.kit, ada.signed.secret)) == "signed_out"
    verbs = [event.verb for event in audit_of(world.kit, f"person:{ada.signed.person.id}")]
    assert verbs == ["person.joined", "session.began", "session.ended"]


@pytest.mark.parametrize("secret", ["", "0" * 64, "\x00", "\udcff", "a" * 100_000])
def test_what_is_no_cookie_of_ours_signs_nobody_in(world: World, secret: str) -> None:
    administrator(world.kit)
    assert code_of(lambda: session.session_of(world.kit, secret)) == "signed_out"


def test_a_proof_is_fresh_for_ten_minutes_and_can_be_given_again(world: World) -> None:
    kit = world.kit
    ada = come_with_password(world, people.first_link(kit), "Ada")
    bob = colleague(kit, "Bob", Role.REVIEWER)
    people.change_roles(kit, ada.signed, bob.signed.person.id, [Role.LEGAL])
    world.clock.move(minutes=11)
    stale = session.signed(kit, ada.signed.secret)
    assert code_of(lambda: people.change_roles(kit, stale, bob.signed.person.id, [Role.LEAD])) == "proof_stale"
    assert code_of(lambda: signin.prove_with_code(kit, stale, "000000")) == "sign_in_failed"
    signin.prove_with_code(kit, stale, code_now(world, ada))
    fresh = session.signed(kit, ada.signed.secret)
    people.change_roles(kit, fresh, bob.signed.person.id, [Role.LEAD])

    world.clock.move(minutes=11)
    answer = bob.authenticator.get(signin.ask_again(kit, bob.signed))
    assert code_of(lambda: signin.prove_with_passkey(kit, fresh, answer)) == "sign_in_failed"


# What is kept


def test_no_secret_stands_in_the_database_or_the_record(world: World) -> None:
    ada = come_with_password(world, people.first_link(world.kit), "Ada")
    world.clock.move(seconds=31)
    signed = with_password(world, ada)
    told = [repr(event) for event in audit_of(world.kit)] + [repr(signed), repr(ada.signed)]
    secrets = (signed.secret, ada.signed.secret, PASSWORD, ada.totp, *ada.recovery)
    assert not [secret for secret in secrets for text in told if secret in text]
    with world.kit.store.read() as tx:
        stored = repr(tx.people.credentials(signed.person.id)) + repr(tx.sessions.of(signed.person.id))
    assert not [secret for secret in (signed.secret, PASSWORD, *ada.recovery) if secret in stored]
    assert not verify_audit(world.kit).mistake


def test_a_stolen_row_of_a_session_is_no_cookie(world: World) -> None:
    ada = administrator(world.kit)
    assert code_of(lambda: session.session_of(world.kit, ada.signed.session.digest)) == "signed_out"


def test_old_tries_are_forgotten(world: World) -> None:
    for _ in range(FREE_BY_NAME):
        with pytest.raises(Refused):
            signin.sign_in_with_password(world.kit, "Nobody", "x", "x", HERE)
    world.clock.move(hours=25)
    assert code_of(lambda: signin.sign_in_with_password(world.kit, "Nobody", "x", "x", HERE)) == "sign_in_failed"


def test_an_ipv6_network_is_one_address(world: World) -> None:
    for number in range(FREE_BY_ADDRESS):
        visitor = Visitor(address=f"2001:db8::{number:x}", place="")
        with pytest.raises(Refused):
            signin.sign_in_with_password(world.kit, f"name {number}", "x", "x", visitor)
    same, other = Visitor(address="2001:db8::ffff", place=""), Visitor(address="2001:db8:0:1::1", place="")
    assert code_of(lambda: signin.sign_in_with_password(world.kit, "fresh", "x", "x", same)) == "too_many_tries"
    assert code_of(lambda: signin.sign_in_with_password(world.kit, "fresh", "x", "x", other)) == "sign_in_failed"
