"""Mutated pictures against the real decoder: whatever the bytes, it answers in time, and no child ends by a signal."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator

from jikimi.engine.decode.job import GRACE_SECONDS
from jikimi.engine.decode.parent import Decoder
from jikimi.engine.matcher import SignalTypes
from jikimi.model.media import Limits, MediaKind, Reason, sniff
from tests.fuzz.mutate import mutated
from tests.unit.engine import hostile

_LIMITS = Limits()
_SLACK_SECONDS = 1.0
_GIGABYTE = 1024**3
_TIFF_PACKERS = ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")


class Pictures:
    """One decoder, and the good files that inputs are made from."""

    name = "picture"

    def __init__(self) -> None:
        small = hostile.texture(48, 40)
        kinds = [kind for kind in MediaKind if kind is not MediaKind.OTHER]
        animated = [MediaKind.GIF, MediaKind.PNG, MediaKind.WEBP, MediaKind.AVIF, MediaKind.TIFF]
        self._good = [
            *(hostile.encode(small, kind) for kind in kinds),
            *(hostile.animation(kind, 4) for kind in animated),
            *(hostile.encode(small.convert(mode), "tiff") for mode in ("1", "L", "P", "CMYK", "RGBA", "LAB")),
            *(hostile.encode(small.convert(mode), "png") for mode in ("1", "L", "P", "RGBA", "I;16")),
            *(
                hostile.encode(small, "tiff", compression=how)
                for how in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")
            ),
            hostile.encode(small.convert("CMYK"), "jpeg"),
            hostile.encode(small, "jpeg", progressive=True),
            hostile.encode(small, "webp", lossless=True),
            *hostile.absurd_tiffs(),
            hostile.png_text_bomb(2, 1 << 16),
        ]
        self._signals = SignalTypes()
        self._decoder = Decoder(_LIMITS, workers=1)

    def inputs(self, chance: random.Random) -> Iterator[bytes]:
        """Good files, changed."""
        while True:
            yield mutated(chance, chance.choice(self._good), self._good)

    def problem_with(self, content: bytes) -> str:
        """What is wrong with how these bytes were read; empty if nothing is."""
        crashes, restarts = self._decoder.crashes, self._decoder.restarts
        began = time.monotonic()
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            decoded = self._decoder.decode(file, sniff(content))
        for sketch in decoded.sketches:
            self._signals.fingerprint(sketch)
            self._signals.variants(sketch)
        signs = {
            "a child was ended by a signal": self._decoder.crashes > crashes,
            "the fork server died": self._decoder.restarts > restarts,
            "the decoder spoke nonsense": Reason.DECODER_FAILED in decoded.faults,
            "neither a picture nor a fault": not decoded.frames and not decoded.faults,
            "it took too long": time.monotonic() - began > _LIMITS.seconds + GRACE_SECONDS + _SLACK_SECONDS,
            "it took too much memory": self._decoder.largest_child_bytes > _GIGABYTE,
        }
        return ", ".join(sign for sign, is_so in signs.items() if is_so)

    def close(self) -> None:
        """End the decoder."""
        self._decoder.close()
