"""From files and sketches to signals: the signal types of this installation behind one door."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from jikimi.engine.signals import exact, pdq
from jikimi.model.media import Sketch
from jikimi.model.signal import Signal, Variant

_SIDE = 64


class SignalTypes:
    """Digests of the bytes, and PDQ of each picture."""

    def digests(self, file: BinaryIO) -> tuple[Signal, ...]:
        """SHA-256, SHA-1 and MD5 of a file, from its start."""
        return exact.digests(file)

    def fingerprint(self, sketch: Sketch) -> Signal:
        """The signal of one picture with its quality."""
        value, quality = pdq.fingerprint(_sample(sketch))
        return Signal(type=sketch.type, value=value, quality=quality, frame=sketch.frame)

    def variants(self, sketch: Sketch) -> tuple[tuple[Variant, Signal], ...]:
        """The signals of one picture in all eight positions."""
        return tuple(
            (variant, Signal(type=sketch.type, value=value, frame=sketch.frame, variant=variant))
            for variant, value in pdq.dihedral(_sample(sketch)).items()
        )


def _sample(sketch: Sketch) -> pdq.Floats:
    return np.frombuffer(sketch.data, "<f4").reshape(_SIDE, _SIDE)
