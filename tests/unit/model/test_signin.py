"""Rules of signing in: sessions, fresh proofs, links, waiting, codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.people import Role
from jikimi.model.signin import (
    FIRST_RUN,
    RECOVERY_BYTES,
    Credentials,
    Invitation,
    Proof,
    Session,
    SignInRules,
    Tries,
    address_key,
    after_failure,
    after_success,
    checked_link,
    is_live,
    may_change_own,
    name_key,
    recovery_code,
    recovery_digest,
    require_fresh,
    spend_code,
    wait_of,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RULES = SignInRules()
SESSION = Session(
    digest="d", person_id=PersonId("person_1"), began_at=NOON, seen_at=NOON, place="", proof=Proof.PASSKEY,
    proved_at=NOON,
)  # fmt: skip
LINK = Invitation(
    digest="d", roles=frozenset({Role.LEAD}), made_by="cli:x", made_at=NOON, expires_at=NOON + timedelta(hours=1)
)


@pytest.mark.parametrize(
    ("changes", "minutes", "lives"),
    [
        ({}, 0, True),
        ({}, 29.9, True),
        ({}, 30, False),
        ({"began_at": NOON - timedelta(hours=11)}, 29, True),
        ({"began_at": NOON - timedelta(hours=11, minutes=45)}, 16, False),
        ({"ended_at": NOON}, 0, False),
    ],
)
def test_how_long_a_session_lives(changes: dict[str, datetime], minutes: float, lives: bool) -> None:
    session = replace(SESSION, **changes)  # type: ignore[arg-type]
    assert is_live(session, NOON + timedelta(minutes=minutes), RULES) is lives


def test_a_proof_is_fresh_for_ten_minutes() -> None:
    require_fresh(SESSION, NOON + timedelta(minutes=10), RULES)
    for session in (replace(SESSION, proved_at=NOON - timedelta(seconds=1)), replace(SESSION, proved_at=None)):
        with pytest.raises(Refused):
            require_fresh(session, NOON + timedelta(minutes=10), RULES)


def test_who_has_nothing_may_add_the_first_shortly_after_signing_in() -> None:
    through = replace(SESSION, proof=Proof.OIDC, proved_at=None)
    may_change_own(through, Credentials(oidc_subject="x"), NOON + timedelta(minutes=10), RULES)
    with pytest.raises(Refused):
        may_change_own(through, Credentials(oidc_subject="x"), NOON + timedelta(minutes=11), RULES)
    with pytest.raises(Refused):
        may_change_own(through, Credentials(password_hash="x", totp_secret="x"), NOON, RULES)


@pytest.mark.parametrize(
    ("link", "is_empty", "works"),
    [
        (LINK, True, True),
        (LINK, False, True),
        (None, True, False),
        (replace(LINK, used_at=NOON), True, False),
        (replace(LINK, expires_at=NOON), True, False),
        (replace(LINK, made_by=FIRST_RUN), True, True),
        (replace(LINK, made_by=FIRST_RUN), False, False),
    ],
)
def test_which_links_work(link: Invitation | None, is_empty: bool, works: bool) -> None:
    if works:
        assert checked_link(link, NOON, is_empty=is_empty) == link
        return
    with pytest.raises(Refused) as refusal:
        checked_link(link, NOON, is_empty=is_empty)
    assert refusal.value.code == "link_unknown"


def test_waits_grow_up_to_a_quarter_of_an_hour_and_are_forgotten_after_a_day() -> None:
    tries, waits = None, []
    for _ in range(14):
        tries = after_failure(tries, NOON)
        waits.append(wait_of(tries, 3, NOON).total_seconds())
    assert waits == [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert wait_of(tries, 3, NOON + timedelta(minutes=5)) == timedelta(minutes=10)
    assert wait_of(tries, 3, NOON + timedelta(hours=25)) == timedelta(0)
    assert after_failure(tries, NOON + timedelta(hours=25)) == Tries(failures=1, last_at=NOON + timedelta(hours=25))


@given(st.integers(min_value=1, max_value=10**6))
def test_a_success_takes_one_failure_back(failures: int) -> None:
    before = Tries(failures=failures, last_at=NOON)
    after = after_success(after_failure(before, NOON))
    assert after == before
    assert after_success(Tries(failures=1, last_at=NOON)) is None


def test_addresses_and_names_are_counted_apart_and_stored_as_digests() -> None:
    assert name_key("192.0.2.1") != address_key("192.0.2.1")
    assert address_key("2001:db8::1") == address_key("2001:db8::2") != address_key("2001:db8:0:1::1")
    assert address_key("testclient") == address_key("")
    assert "192.0.2.1" not in address_key("192.0.2.1")


@given(st.binary(min_size=RECOVERY_BYTES, max_size=RECOVERY_BYTES))
def test_a_recovery_code_is_found_however_it_is_typed_and_used_once(entropy: bytes) -> None:
    code = recovery_code(entropy)
    credentials = Credentials(recovery=(recovery_digest(code),))
    spent = spend_code(credentials, None, f" {code.upper().replace('-', ' ')} ")
    assert spent == Credentials()
    assert spend_code(Credentials(), None, code) is None
    assert spend_code(Credentials(), None, "") is None


def test_a_code_of_the_app_counts_once_and_never_an_older_one() -> None:
    credentials = Credentials(totp_step=100)
    assert spend_code(credentials, 101, "") == replace(credentials, totp_step=101)
    for step in (99, 100):
        assert spend_code(credentials, step, "") is None
