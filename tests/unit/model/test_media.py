"""A file is what its first bytes say."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jikimi.model.media import PICTURES, RETRYABLE, SNIFF_BYTES, MediaKind, Reason, sniff


@pytest.mark.parametrize(
    ("format_", "kind"),
    [
        ("JPEG", MediaKind.JPEG),
        ("PNG", MediaKind.PNG),
        ("WEBP", MediaKind.WEBP),
        ("GIF", MediaKind.GIF),
        ("AVIF", MediaKind.AVIF),
        ("BMP", MediaKind.BMP),
        ("TIFF", MediaKind.TIFF),
    ],
)
def test_every_kind_is_known_by_its_head(format_: str, kind: MediaKind) -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (20, 90, 160)).save(out, format_)
    assert sniff(out.getvalue()[:SNIFF_BYTES]) is kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", MediaKind.OTHER),
        (b"\xff\xd8", MediaKind.OTHER),
        (b"MM\x00*", MediaKind.TIFF),
        (b"II*\x00", MediaKind.TIFF),
        (b"GIF87a", MediaKind.GIF),
        (b"GIF88a", MediaKind.OTHER),
        (b"RIFF\x00\x00\x00\x00WAVE", MediaKind.OTHER),
        (b"%PDF-1.7", MediaKind.OTHER),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", MediaKind.OTHER),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", MediaKind.OTHER),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", MediaKind.AVIF),
        (b"\x00\x00\x00\x1cftypavis\x00\x00\x00\x00msf1iso8", MediaKind.AVIF),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"avif", MediaKind.OTHER),
        (b"\x00\x00\x00\x08ftyp", MediaKind.OTHER),
    ],
)
def test_heads_on_the_edge(head: bytes, kind: MediaKind) -> None:
    assert sniff(head) is kind


@given(st.binary(max_size=80))
def test_any_bytes_have_a_kind(head: bytes) -> None:
    assert sniff(head) in MediaKind


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"]), st.binary(max_size=40))
def test_what_follows_the_head_changes_nothing(head: bytes, rest: bytes) -> None:
    assert sniff(head + rest) is sniff(head)


def test_only_pictures_can_be_decoded_and_only_our_own_troubles_are_tried_again() -> None:
    assert frozenset(MediaKind) - PICTURES == {MediaKind.OTHER}
    assert frozenset({Reason.TIMEOUT, Reason.BUSY, Reason.DECODER_FAILED}) == RETRYABLE
