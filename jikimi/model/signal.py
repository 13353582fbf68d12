"""A fingerprint of a file: its type, its value and how far it can be trusted as evidence.

Computing fingerprints happens in `engine.signals`; comparing many of them in `engine.index`.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import StrEnum

from jikimi.model.errors import Refused


class Variant(StrEnum):
    """How the picture was turned before it was compared (the dihedral group of the square)."""

    AS_IS = "as_is"
    ROTATE_90 = "rotate_90"
    ROTATE_180 = "rotate_180"
    ROTATE_270 = "rotate_270"
    FLIP_X = "flip_x"
    FLIP_Y = "flip_y"
    FLIP_PLUS_1 = "flip_plus_1"
    FLIP_MINUS_1 = "flip_minus_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalKind:
    """What is fixed about a type of signal: its name, its length in bytes, and whether nearness means likeness."""

    name: str
    length: int
    perceptual: bool


SIGNAL_KINDS = {
    kind.name: kind
    for kind in (
        SignalKind(name="sha256", length=32, perceptual=False),
        SignalKind(name="sha1", length=20, perceptual=False),
        SignalKind(name="md5", length=16, perceptual=False),
        SignalKind(name="pdq", length=32, perceptual=True),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One fingerprint. `value` is the raw bytes, most significant first; `quality` is 0 to 100 or unknown."""

    type: str
    value: bytes
    quality: int | None = None
    frame: int = 0
    variant: Variant = Variant.AS_IS

    @property
    def text(self) -> str:
        """The value as lower-case hexadecimal."""
        return self.value.hex()


def parse_signal(untrusted_type: str, untrusted_value: str) -> Signal:
    """Read a signal from its type and its hexadecimal text (either case); `Refused` says what is wrong with it."""
    kind = SIGNAL_KINDS.get(untrusted_type.strip().lower())
    if kind is None:
        known = ", ".join(SIGNAL_KINDS)
        raise Refused("signal_type_unknown", f"{untrusted_type[:40]!r} is not a signal type; use one of {known}.")
    text = untrusted_value.strip()
    try:
        value = bytes.fromhex(text) if len(text) == 2 * kind.length else b""
    except ValueError:
        value = b""
    if len(value) != kind.length:
        raise Refused(
            "signal_value_invalid", f"A {kind.name} value is {2 * kind.length} hexadecimal digits, not {text[:80]!r}."
        )
    return Signal(type=kind.name, value=value)


def parse_typed_signal(untrusted_text: str) -> Signal:
    """Read a signal written as `TYPE:VALUE`."""
    type_, colon, value = untrusted_text.partition(":")
    if not colon:
        raise Refused("signal_form_invalid", f"Write a signal as TYPE:VALUE, like pdq:f8f8…, not {type_[:40]!r}.")
    return parse_signal(type_, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryBatch:
    """Many bank entries of one signal type as columns: the form in which thousands travel to the index.

    `ids` and `bank_ids` are signed 64-bit arrays; `values` holds the raw values one after another in the same order.
    `Refused` if the type is unknown or the columns differ in length.
    """

    type: str
    ids: array[int]
    bank_ids: array[int]
    values: bytes

    def __post_init__(self) -> None:
        kind = SIGNAL_KINDS.get(self.type)
        if kind is None:
            raise Refused("signal_type_unknown", f"{self.type[:40]!r} is not a signal type.")
        if self.ids.typecode != "q" or self.bank_ids.typecode != "q":
            raise Refused("entry_batch_invalid", "The numbers of a batch are arrays of type 'q'.")
        if len(self.bank_ids) != len(self.ids) or len(self.values) != kind.length * len(self.ids):
            raise Refused(
                "entry_batch_invalid",
                f"{len(self.ids)} ids, {len(self.bank_ids)} bank ids and {len(self.values)} bytes of {kind.name} "
                "do not belong together.",
            )

    def __len__(self) -> int:
        return len(self.ids)


MOST_HITS = 128
"""Entries of one bank that are proposed for one signal, the nearest ones. Lists come from outside: without a bound, a
list of a million look-alikes would make every upload like them cost minutes. What decides is the nearest anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry near a signal, as the index proposes it: `distance` is in bits, 0 for exact types."""

    entry_id: int
    bank_id: int
    distance: int
