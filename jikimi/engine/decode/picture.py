"""Pictures for people: drawn in the locked child, then blurred and written anew here, from numbers that we trust.

What a browser gets has never been part of the file: no byte of it, no metadata, no profile. It is WebP because JPEG
saved again with the same settings comes out nearly the same, byte for byte.
"""

from __future__ import annotations

import io
from typing import BinaryIO, Protocol

from PIL import Image, ImageFilter

from jikimi.engine.decode.draw import Drawing
from jikimi.engine.decode.parent import Drawn
from jikimi.model.errors import Refused, Unavailable
from jikimi.model.evidence import Look, Rendered
from jikimi.model.media import RETRYABLE, MediaKind

_BLUR_PART = 27
"""The radius of the blur is the longer side divided by this: at 160 pixels 6, and faces cannot be told apart."""
_QUALITY = 82
_EFFORT = 2
"""Of 6: a page is waiting, and the picture is looked at once."""


class Draws(Protocol):
    """What draws in the locked child."""

    def draw(self, file: BinaryIO, kind: MediaKind, drawing: Drawing) -> Drawn:
        """Draw one picture."""


class Renderer:
    """Renders through a decoder, and shares its places with the uploads that wait for it."""

    def __init__(self, decoder: Draws) -> None:
        self._decoder = decoder

    def render(
        self, file: BinaryIO, kind: MediaKind, look: Look, *, frame: int = 0, flattened: bool = False
    ) -> Rendered:
        """Render one frame as WebP; `Refused` if there is nothing to see, `Unavailable` if another try may help."""
        drawing = Drawing(side=look.side, frame=frame, grey=look.grey, flattened=flattened)
        drawn = self._decoder.draw(file, kind, drawing)
        if drawn.fault in RETRYABLE:
            raise Unavailable("picture_unavailable", f"The picture cannot be drawn now ({drawn.fault}); try again.")
        if drawn.fault is not None:
            raise Refused("picture_undrawable", f"Nothing can be shown of this file ({drawn.fault}); decide without.")
        image = Image.frombytes("L" if drawn.is_grey else "RGB", (drawn.width, drawn.height), drawn.pixels)
        if look.blur:
            image = image.filter(ImageFilter.GaussianBlur(max(image.size) / _BLUR_PART))
        return Rendered(media_type="image/webp", data=_webp(image), width=image.width, height=image.height)


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    return out.getvalue()
