"""What is kept of answered uploads so that entries which come later can find them, and how it is looked for.

Signals and the caller's own references, for some days; never bytes, never a file name. New entries are looked up among
the kept signals: what is found there only proposes, each upload is then judged from its signals as it was when it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from jikimi.model.scan import Examination, Upload

_QUALITIES = 128
"""Numbers a day has: one for each quality of 0 to 100, and the last for signals that have none."""
_UNKNOWN = _QUALITIES - 1
_BEST = 100
_PICTURES = 1 << 16
"""Pictures that one upload may have here; more are refused long before (`max_frames`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptUpload:
    """An answered upload without its bytes.

    `version` is the change number of the entries it was compared with; `id` is 0 until it has been written down.
    """

    upload: Upload
    examination: Examination
    version: int
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How far looking back has come: every kept upload up to one number knows every entry up to the other."""

    entries: int
    uploads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How look-back stands: uploads kept, and changes of entries that have not been looked back yet."""

    kept: int
    behind: int


def shelf_of(received_at: datetime, quality: int | None) -> int:
    """Where a signal stands in the index of kept signals: days and qualities can be asked for by themselves."""
    day = received_at.astimezone(UTC).toordinal()
    return day * _QUALITIES + (_UNKNOWN if quality is None else min(quality, _BEST))


def shelves(first: datetime, last: datetime, floor: int) -> Iterator[int]:
    """All places of these days with signals of at least this quality; digests are among them.

    The day after the last is one of them: another node's clock may be ahead.
    """
    for day in range(first.astimezone(UTC).toordinal(), last.astimezone(UTC).toordinal() + 2):
        yield from range(day * _QUALITIES + floor, day * _QUALITIES + _BEST + 1)
        yield day * _QUALITIES + _UNKNOWN


def place_of(upload: int, picture: int) -> int:
    """The number under which the index knows a picture of an upload."""
    return upload * _PICTURES + picture


def upload_at(place: int) -> int:
    """The upload that such a number belongs to."""
    return place // _PICTURES
