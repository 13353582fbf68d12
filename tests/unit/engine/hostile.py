"""Generators of benign test pictures and of files that are built to hurt a decoder. Nothing is read from disk."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from jikimi.model.media import MediaKind

BOMB_SIDE = 12_000


def texture(width: int = 320, height: int = 240, seed: int = 1) -> Image.Image:
    """Soft coloured blobs: much structure, so that its fingerprint means something, and gentle to lossy codecs."""
    blobs = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    return Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC)


def encode(picture: Image.Image, kind: MediaKind | str, **options: object) -> bytes:
    """Write with Pillow, without threads where the codec would start some."""
    if kind == MediaKind.AVIF:
        options = {"max_threads": 1, "speed": 10, **options}
    file = io.BytesIO()
    picture.save(file, format=kind.upper(), **options)
    return file.getvalue()


def good_files() -> dict[MediaKind, bytes]:
    """One sound picture of each kind."""
    kinds = [kind for kind in MediaKind if kind is not MediaKind.OTHER]
    return {kind: encode(texture(), kind) for kind in kinds}


MAGICS = {
    MediaKind.JPEG: b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    MediaKind.PNG: b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR",
    MediaKind.WEBP: b"RIFF\x00\x10\x00\x00WEBPVP8 ",
    MediaKind.GIF: b"GIF89a",
    MediaKind.AVIF: b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf",
    MediaKind.BMP: b"BM",
    MediaKind.TIFF: b"II*\x00\x08\x00\x00\x00",
}


def noise_behind_magic(kind: MediaKind, seed: int, size: int = 4096) -> bytes:
    """The first bytes of a kind, then chance."""
    return MAGICS[kind] + np.random.default_rng(seed).bytes(size)


def chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG header for that size and whatever chunks are to follow."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def zeros_deflated(size: int) -> bytes:
    """So many zero bytes, compressed about a thousandfold."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(bytes(size & 0xFFFFF)), packer.flush()])


def png_bomb(side: int = BOMB_SIDE) -> bytes:
    """One colour, a file of some 140 kB that unfolds to 144 million pixels."""
    return png(side, side, chunk(b"IDAT", zeros_deflated((side + 1) * side)))


def png_of_promises() -> bytes:
    """A header of 65535 by 65535 pixels, and next to nothing behind it."""
    return png(65_535, 65_535, chunk(b"IDAT", zlib.compress(b"\0")))


def png_text_bomb(chunks: int, size: int) -> bytes:
    """A sound small picture behind texts that unfold to `chunks` times `size` bytes."""
    text = chunk(b"zTXt", b"Comment\0\0" + zeros_deflated(size))
    return png(8, 8, *[text] * chunks, chunk(b"IDAT", zlib.compress(bytes(9 * 8))))


def gif(width: int, height: int, frames: int) -> bytes:
    """So many frames of one changing pixel each on a screen of that size: cheap to store, dear to compose."""
    header = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    pixels = [b"\x02\x02" + bits + b"\x00" for bits in (b"\x44\x01", b"\x4c\x01")]
    image = [b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + data for data in pixels]
    return header + b"".join(image[number % 2] for number in range(frames)) + b";"


def animation(kind: MediaKind, frames: int, width: int = 16, height: int = 12) -> bytes:
    """An animated file, or a TIFF of many pages, in which no two frames are alike."""
    pictures = [texture(width, height, seed) for seed in range(frames)]
    return encode(pictures[0], kind, save_all=True, append_images=pictures[1:])


def tiff(entries: list[tuple[int, int, int, int]], body: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory: (tag, type, count, value) as they are, however absurd."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + directory + bytes(4) + body


def absurd_tiffs() -> Iterator[bytes]:
    """Sizes, counts and offsets that no picture has."""
    sane = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: 8, 279: 64}
    lies = [
        {256: 0xFFFFFFFF, 257: 0xFFFFFFFF},
        {256: 0},
        {258: 0xFFFF},
        {259: 0xFFFF},
        {259: 5, 279: 0xFFFFFFFF},
        {273: 0xFFFFFFF0},
        {277: 0xFFFF},
        {278: 0},
        {259: 5, 278: 0xFFFFFFFF, 279: 0},
    ]
    for lie in lies:
        yield tiff([(tag, 4, 1, value) for tag, value in {**sane, **lie}.items()], bytes(200))
    for count in (0, 0xFFFFFFFF):
        yield tiff([(tag, 4, count if tag == 273 else 1, value) for tag, value in sane.items()], bytes(200))
    yield tiff([(322, 4, 1, 0x7FFFFFFF), (323, 4, 1, 0x7FFFFFFF), *((t, 4, 1, v) for t, v in sane.items())], bytes(200))


def tiff_ring() -> bytes:
    """A page whose next page is itself."""
    page = bytearray(encode(texture(16, 16), MediaKind.TIFF))
    (at,) = struct.unpack_from("<I", page, 4)
    (entries,) = struct.unpack_from("<H", page, at)
    struct.pack_into("<I", page, at + 2 + 12 * entries, at)
    return bytes(page)
