"""What a child writes, read with suspicion: each record is believed only as far as it was checked.

Every byte is untrusted: a hostile picture may have taken the child over. What does not follow the protocol of `wire` to
the letter is `Nonsense`. What an end means for the file is decided in `job`.
"""

from __future__ import annotations

import numpy as np

from jikimi.engine.decode import wire
from jikimi.model.media import Decoded, Drawing, Limits, Reason, Sketch

MAX_END_BYTES = 256
"""An end record: four bytes and at most a few reasons."""
MAX_RECORD_BYTES = wire.SKETCH.size + wire.SKETCH_DATA_BYTES
LUMA_RANGE = (-1.0, 256.0)
"""Brightness is 0 to 255; running sums in float32 may pass that by a fraction."""
_FAULTS_OF_A_CHILD = frozenset(
    {
        Reason.UNSUPPORTED,
        Reason.UNDECODABLE,
        Reason.TOO_MANY_PIXELS,
        Reason.TOO_MANY_FRAMES,
        Reason.MEMORY,
        Reason.UNREADABLE,
    }
)


class Nonsense(Exception):  # noqa: N818
    """A child wrote what no honest child writes."""


class Records:
    """The records of one child, believed only as far as each was checked."""

    def __init__(self, limits: Limits, *, may_decline: bool = False) -> None:
        self._limits = limits
        self._may_decline = may_decline
        self._longest = MAX_RECORD_BYTES
        self._buffer = bytearray()
        self._width = self._height = self._frames = 0
        self._sketches: list[Sketch] = []
        self._faults: tuple[Reason, ...] = ()
        self.has_ended = False
        self.has_declined = False

    def decoded(self, fault: Reason | None) -> Decoded:
        """What is known so far; `fault` overrules a child that calls itself faultless."""
        faults = self._faults if fault is None else (fault,)
        frames = self._frames if self.has_ended else sum(not sketch.flattened for sketch in self._sketches)
        return Decoded(
            width=self._width, height=self._height, frames=frames, sketches=tuple(self._sketches), faults=faults
        )

    def feed(self, untrusted_bytes: bytes) -> None:
        """Take the next bytes of the pipe and read the records that are complete."""
        self._buffer += untrusted_bytes
        while len(self._buffer) >= wire.RECORD.size:
            tag, length = wire.RECORD.unpack_from(self._buffer)
            if length > self._longest:
                raise Nonsense
            end = wire.RECORD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[wire.RECORD.size : end])
            del self._buffer[:end]
            self._take(tag, payload)

    def _take(self, untrusted_tag: bytes, untrusted_payload: bytes) -> None:
        if self.has_ended:
            raise Nonsense
        if untrusted_tag == wire.SIZE_TAG:
            self._take_size(untrusted_payload)
        elif untrusted_tag == wire.SKETCH_TAG:
            self._take_sketch(untrusted_payload)
        elif untrusted_tag == wire.END_TAG:
            self._take_end(untrusted_payload)
        elif untrusted_tag == wire.DECLINED_TAG:
            self._take_declined(untrusted_payload)
        else:
            raise Nonsense

    def _take_size(self, untrusted_payload: bytes) -> None:
        if self._width or len(untrusted_payload) != wire.SIZE.size:
            raise Nonsense
        width, height = wire.SIZE.unpack(untrusted_payload)
        if not 0 < width * height <= self._limits.max_pixels:
            raise Nonsense
        self._width, self._height = width, height

    def _take_sketch(self, untrusted_payload: bytes) -> None:
        if not self._width or len(untrusted_payload) != MAX_RECORD_BYTES:
            raise Nonsense
        frame, flattened, type_ = wire.SKETCH.unpack_from(untrusted_payload)
        data = untrusted_payload[wire.SKETCH.size :]
        if type_.rstrip(b"\0") != b"pdq" or not self._is_next(frame, flattened) or not _is_luma(data):
            raise Nonsense
        self._sketches.append(Sketch(type="pdq", frame=frame, flattened=flattened, data=data))

    def _is_next(self, frame: int, flattened: bool) -> bool:
        """Frames come in order from 0; a flattened view follows the plain view of the same frame."""
        last = self._sketches[-1] if self._sketches else None
        if flattened:
            return last is not None and not last.flattened and last.frame == frame
        return frame == (0 if last is None else last.frame + 1) and frame < self._limits.max_frames

    def _take_end(self, untrusted_payload: bytes) -> None:
        if not wire.END.size <= len(untrusted_payload) <= MAX_END_BYTES:
            raise Nonsense
        (frames,) = wire.END.unpack_from(untrusted_payload)
        faults = _read_faults(untrusted_payload[wire.END.size :])
        plain = sum(not sketch.flattened for sketch in self._sketches)
        # A frame is checked when all its views are, so a fault may leave one view more than frames.
        if frames != plain and not (faults and frames == plain - 1):
            raise Nonsense
        if frames == 0 and not faults:
            raise Nonsense
        self._frames, self._faults, self.has_ended = frames, faults, True

    def _take_declined(self, untrusted_payload: bytes) -> None:
        if not self._may_decline or self._width or untrusted_payload:
            raise Nonsense
        self.has_ended = self.has_declined = True


class PictureRecords(Records):
    """The records of a child that draws: one picture and an end, or an end with a reason."""

    def __init__(self, limits: Limits, drawing: Drawing) -> None:
        super().__init__(limits)
        self._side = drawing.side
        self._channels = 1 if drawing.grey else 3
        self._longest = max(wire.PICTURE.size + self._channels * drawing.side**2, MAX_END_BYTES)

    def _take(self, untrusted_tag: bytes, untrusted_payload: bytes) -> None:
        if untrusted_tag == wire.END_TAG:
            super()._take(untrusted_tag, untrusted_payload)
        elif untrusted_tag == wire.PICTURE_TAG and not self._sketches and not self.has_ended:
            self._take_picture(untrusted_payload)
        else:
            raise Nonsense

    def _take_picture(self, untrusted_payload: bytes) -> None:
        if len(untrusted_payload) < wire.PICTURE.size:
            raise Nonsense
        width, height, channels = wire.PICTURE.unpack_from(untrusted_payload)
        pixels = untrusted_payload[wire.PICTURE.size :]
        if not (0 < width <= self._side and 0 < height <= self._side and channels == self._channels):
            raise Nonsense
        if len(pixels) != width * height * channels:
            raise Nonsense
        self._width, self._height = width, height
        self._sketches.append(Sketch(type="pixels", frame=0, flattened=False, data=pixels))


def _is_luma(untrusted_data: bytes) -> bool:
    """Every value is a number that brightness can have (a comparison with NaN is false)."""
    values = np.frombuffer(untrusted_data, np.dtype("<f4"))
    low, high = LUMA_RANGE
    return bool(((values >= low) & (values <= high)).all())


def _read_faults(untrusted_text: bytes) -> tuple[Reason, ...]:
    if not untrusted_text:
        return ()
    try:
        faults = tuple(Reason(word) for word in untrusted_text.decode("ascii").split(","))
    except ValueError:
        raise Nonsense from None
    if not _FAULTS_OF_A_CHILD.issuperset(faults):
        raise Nonsense
    return faults
