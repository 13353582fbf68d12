"""A signal is read from text strictly, and refused with a reason."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.errors import Refused
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch, Signal, parse_signal, parse_typed_signal


@given(st.sampled_from(list(SIGNAL_KINDS.values())).flatmap(lambda k: st.tuples(st.just(k.name), st.binary(min_size=k.length, max_size=k.length))))  # fmt: skip
def test_what_is_written_is_read(signal: tuple[str, bytes]) -> None:
    type_, value = signal
    assert parse_signal(type_.upper(), f" {value.hex().upper()}\n") == Signal(type=type_, value=value)
    assert parse_typed_signal(f"{type_}:{value.hex()}") == Signal(type=type_, value=value)


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_any_text_is_a_signal_or_refused(type_: str, value: str) -> None:
    for read in (lambda: parse_signal(type_, value), lambda: parse_typed_signal(type_)):
        try:
            signal = read()
        except Refused as refusal:
            assert refusal.code.startswith("signal_")
        else:
            assert len(signal.value) == SIGNAL_KINDS[signal.type].length


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pdq", "signal_form_invalid"),
        ("phash:00", "signal_type_unknown"),
        ("md5:00", "signal_value_invalid"),
        ("md5:" + "zz" * 16, "signal_value_invalid"),
        ("md5:" + "0 " * 16, "signal_value_invalid"),
        ("md5:" + "٣٣" * 16, "signal_value_invalid"),
    ],
)
def test_what_is_wrong_is_said(text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_typed_signal(text)
    assert refusal.value.code == code


def test_a_batch_whose_columns_do_not_belong_together_is_refused() -> None:
    assert len(EntryBatch(type="md5", ids=array("q", [1]), bank_ids=array("q", [1]), values=bytes(16))) == 1
    for type_, ids, banks, values in (
        ("phash", array("q"), array("q"), b""),
        ("md5", array("q", [1]), array("q"), bytes(16)),
        ("md5", array("q", [1]), array("q", [1]), bytes(15)),
        ("md5", array("l", [1]), array("q", [1]), bytes(16)),
    ):
        with pytest.raises(Refused):
            EntryBatch(type=type_, ids=ids, bank_ids=banks, values=values)
