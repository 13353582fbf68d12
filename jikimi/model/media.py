"""What a file is: its kind, the limits it must keep, and why a file could not be checked.

Decided from bytes, never from a name or a declared type. Decoding happens elsewhere (`engine.decode`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SNIFF_BYTES = 64
"""How many leading bytes `sniff` wants to see; it works with fewer."""


class MediaKind(StrEnum):
    """The kinds of file that can be told apart; those in `PICTURES` can be decoded."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    AVIF = "avif"
    BMP = "bmp"
    TIFF = "tiff"
    OTHER = "other"


PICTURES = frozenset(MediaKind) - {MediaKind.OTHER}


class Reason(StrEnum):
    """Why an upload, or a part of it, could not be checked. The values are stable: integrations switch on them."""

    EMPTY = "empty"
    """No bytes at all."""
    UNSUPPORTED = "unsupported"
    """Not one of the kinds in `PICTURES`, or a variety of it that cannot be turned into 8-bit RGB."""
    UNDECODABLE = "undecodable"
    """Looks like a picture, but it is damaged or cut short."""
    TOO_LARGE = "too_large"
    """More bytes than `Limits.max_bytes`."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """The header announces more pixels than `Limits.max_pixels`."""
    TOO_MANY_FRAMES = "too_many_frames"
    """More frames than `Limits.max_frames`; those before the limit were checked."""
    QUALITY_LOW = "quality_low"
    """Too little structure for a perceptual signal to be evidence; exact digests were still compared."""
    TIMEOUT = "timeout"
    """Decoding took longer than `Limits.seconds`; frames before that moment were checked."""
    MEMORY = "memory"
    """Decoding wanted more memory than `Limits.memory_bytes`."""
    BUSY = "busy"
    """No decoder became free in time."""
    DECODER_FAILED = "decoder_failed"
    """The decoder process died or could not be started."""
    UNREADABLE = "unreadable"
    """The file could not be read from where it was said to be."""


RETRYABLE = frozenset({Reason.TIMEOUT, Reason.BUSY, Reason.DECODER_FAILED})
"""Reasons that may vanish when the same bytes are checked again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost. Sizes in bytes, time in seconds of wall clock and of processor each."""

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 64_000_000
    """Pixels of one frame; 64 million is above today's 50-megapixel phones."""
    max_frames: int = 100
    """Frames of one animated file or pages of one TIFF."""
    max_total_pixels: int = 256_000_000
    """Pixels over all frames; reaching it counts as `too_many_frames`."""
    seconds: float = 4.0
    memory_bytes: int = 768 * 1024 * 1024
    """What the decoder may take on top of what it holds when idle (about 60 MB)."""


def sniff(untrusted_head: bytes) -> MediaKind:
    """Tell the kind of a file from its first bytes (`SNIFF_BYTES` of them are enough)."""
    head = untrusted_head
    if head.startswith(b"\xff\xd8\xff"):
        return MediaKind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaKind.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return MediaKind.WEBP
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return MediaKind.GIF
    if head[4:8] == b"ftyp" and _has_avif_brand(head):
        return MediaKind.AVIF
    if head.startswith(b"BM"):
        return MediaKind.BMP
    if head[:4] in (b"II*\x00", b"MM\x00*"):
        return MediaKind.TIFF
    return MediaKind.OTHER


def _has_avif_brand(head: bytes) -> bool:
    """Look for an AVIF brand in the `ftyp` box (ISO/IEC 14496-12 section 4.3: major brand, version, compatibles)."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]
    return any(brand in (b"avif", b"avis") for brand in brands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What a decoder hands over of one frame instead of its pixels: the raw material of one type of signal."""

    type: str
    frame: int
    flattened: bool
    """False: alpha was dropped. True: the second view of a transparent frame, laid on white."""
    data: bytes
    """For `pdq`: 64 rows of 64 little-endian 32-bit floats, the reduced brightness of the upright frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What decoding one file gave. With any fault the file is not fully checked; the sketches stay valid."""

    width: int = 0
    """Of the first frame, upright; 0 if no frame was decoded."""
    height: int = 0
    frames: int = 0
    """Frames that were fully checked."""
    sketches: tuple[Sketch, ...] = ()
    faults: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What to draw: the longer side in pixels, which frame, with or without colours, alpha dropped or on white."""

    side: int
    frame: int = 0
    grey: bool = False
    flattened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture as a child drew it: rows of 8-bit pixels, checked to be as many as it says; or why there is none."""

    width: int = 0
    height: int = 0
    is_grey: bool = False
    pixels: bytes = b""
    fault: Reason | None = None
