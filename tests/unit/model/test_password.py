"""Which passwords are taken."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Refused
from jikimi.model.password import MAX_LENGTH, MIN_LENGTH, checked_password, normalised


@pytest.mark.parametrize(
    "password",
    [
        "heron under the seventh bridge", "정류장 옆 파란 우산 하나", "kT9#vq2Lm!zR", "correct horse battery staple",
        "ﾊﾝｶｸｶﾅﾊﾟｽﾜｰﾄﾞﾃﾞｽ",
    ],
)  # fmt: skip
def test_words_of_ones_own_are_taken(password: str) -> None:
    assert checked_password(password, "Ada Lovelace") == normalised(password)


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "P@ssw0rd!2026", "qwertyuiop123", "Administrator1", "iloveyou1234", "Summer2026!!",
        "123456789012", "aaaaaaaaaaaa", "abababababab", "dkssudgktpdy1", "jikimijikimi1", "Welcome2Jikimi",
        "abcdefghijkl", "Ada Lovelace!", "lovelace-1815-x", "p a s s w o r d 1 2",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(Refused) as refusal:
        checked_password(password, "Ada Lovelace")
    assert refusal.value.code == "password_common"
    assert password not in refusal.value.message


@pytest.mark.parametrize("length", [0, 1, MIN_LENGTH - 1, MAX_LENGTH + 1])
def test_too_short_and_too_long_are_refused(length: int) -> None:
    with pytest.raises(Refused) as refusal:
        checked_password("x" * length, "Ada")
    assert refusal.value.code == "password_length"


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_taken_in_its_one_form_or_refused(password: str, name: str) -> None:
    with suppress(Refused):
        assert checked_password(password, name) == normalised(password)
