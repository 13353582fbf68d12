"""Decoding: every kind, every variety, the same picture gives the same sketch, and the promises about processes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from jikimi.engine.decode import server
from jikimi.engine.decode.parent import Decoder, codec_versions
from jikimi.engine.signals import pdq
from jikimi.model.media import PICTURES, Decoded, Limits, MediaKind, Reason, Sketch, sniff
from tests.unit.engine import hostile
from tests.unit.engine.hostile import encode, texture

PATIENT = Limits(seconds=30.0, max_frames=100_000, max_total_pixels=10**12)
SLOW_FILE = hostile.gif(2000, 1500, 5000)
"""Under PATIENT limits this takes far longer than any test."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(), workers=2) as it:
        yield it


def decode(decoder: Decoder, content: bytes, kind: MediaKind | None = None) -> Decoded:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return decoder.decode(file, sniff(content[:64]) if kind is None else kind)


def sample(sketch: Sketch) -> npt.NDArray[np.float32]:
    return np.frombuffer(sketch.data, "<f4").reshape(64, 64)


def expected(picture: Image.Image) -> npt.NDArray[np.float32]:
    """The sketch of an RGB or grey picture, made without the room under test."""
    pixels = np.asarray(picture)
    return pdq.reduce(pdq.luma(pixels) if pixels.ndim == 3 else pixels.astype(np.float32))


def distance(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> int:
    bits = [np.unpackbits(np.frombuffer(pdq.fingerprint(each)[0], np.uint8)) for each in (one, other)]
    return int((bits[0] != bits[1]).sum())


def only(decoded: Decoded) -> npt.NDArray[np.float32]:
    assert decoded.faults == ()
    assert decoded.frames == len(decoded.sketches) == 1
    return sample(decoded.sketches[0])


@pytest.mark.parametrize("kind", sorted(PICTURES))
def test_every_kind_decodes(decoder: Decoder, kind: MediaKind) -> None:
    content = encode(texture(), kind)
    assert sniff(content[:64]) is kind
    decoded = decode(decoder, content)
    assert (decoded.width, decoded.height) == (320, 240)
    assert distance(only(decoded), expected(texture())) <= 12


LOSSLESS = {
    "png": encode(texture(), "png"),
    "png interlaced by hand": encode(texture(), "png", compress_level=1),
    "bmp": encode(texture(), "bmp"),
    "webp": encode(texture(), "webp", lossless=True),
    **{f"tiff {name}": encode(texture(), "tiff", compression=name) for name in ("raw", "tiff_lzw", "tiff_deflate")},
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_kinds_give_the_very_same_sketch(decoder: Decoder, name: str) -> None:
    np.testing.assert_array_equal(only(decode(decoder, LOSSLESS[name])), expected(texture()))


VARIETIES = {
    "palette png": encode(texture().quantize(64), "png"),
    "palette png, octree": encode(texture().quantize(64, Image.Quantize.FASTOCTREE), "png"),
    "palette tiff": encode(texture().quantize(64), "tiff"),
    "palette bmp": encode(texture().quantize(64), "bmp"),
    "gif": encode(texture().quantize(64), "gif"),
    "cmyk jpeg": encode(texture().convert("CMYK"), "jpeg", quality=92),
    "cmyk tiff": encode(texture().convert("CMYK"), "tiff"),
    "lab tiff": encode(texture().convert("LAB"), "tiff"),
    "ycbcr tiff": encode(texture().convert("YCbCr"), "tiff"),
    "jpeg in tiff": encode(texture(), "tiff", compression="jpeg"),
    "progressive jpeg": encode(texture(), "jpeg", progressive=True, quality=92),
    "grey jpeg": encode(texture().convert("L"), "jpeg", quality=92),
    "avif 4:4:4": encode(texture(), MediaKind.AVIF, subsampling="4:4:4"),
    "webp": encode(texture(), "webp"),
}


@pytest.mark.parametrize("name", VARIETIES)
def test_the_same_picture_matches_in_every_variety(decoder: Decoder, name: str) -> None:
    assert distance(only(decode(decoder, VARIETIES[name])), expected(texture())) <= 16


def grey() -> Image.Image:
    return texture().convert("L")


def deep(mode: str) -> Image.Image:
    """The grey texture in 16 bits; the low byte must not matter."""
    values = np.asarray(grey()).astype(np.int32) * 256 + 255
    return Image.fromarray(values.astype({"I": "<i4", "I;16": "<u2", "I;16B": ">u2"}[mode]))


GREYS = {
    "png": encode(grey(), "png"),
    "16-bit png": encode(deep("I;16"), "png"),
    "16-bit tiff": encode(deep("I;16"), "tiff"),
    "16-bit tiff, other byte order": encode(deep("I;16B"), "tiff"),
    "32-bit tiff of 16-bit values": encode(deep("I"), "tiff"),
    "grey and opaque alpha": encode(grey().convert("LA"), "png"),
}


@pytest.mark.parametrize("name", GREYS)
def test_grey_stays_grey(decoder: Decoder, name: str) -> None:
    np.testing.assert_allclose(only(decode(decoder, GREYS[name])), expected(grey()), atol=1e-4)


def test_one_bit_is_black_and_white(decoder: Decoder) -> None:
    dithered = texture().convert("1")
    np.testing.assert_array_equal(only(decode(decoder, encode(dithered, "png"))), expected(dithered.convert("L")))


def test_sixteen_bits_per_channel_keep_the_high_byte(decoder: Decoder) -> None:
    rows = np.asarray(texture())
    deep_rows = np.stack([rows, np.full_like(rows, 200)], axis=-1).reshape(240, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in deep_rows))
    content = hostile.png(320, 240, hostile.chunk(b"IDAT", data), depth=16, colour=2)
    np.testing.assert_array_equal(only(decode(decoder, content)), expected(texture()))


@pytest.mark.parametrize("values", [[-1, 5], [0, 70_000]])
def test_integers_that_are_no_sixteen_bits_are_refused(decoder: Decoder, values: list[int]) -> None:
    picture = Image.fromarray(np.array([values * 8] * 16, np.int32))
    assert decode(decoder, encode(picture, "tiff")).faults == (Reason.UNSUPPORTED,)


def test_floating_point_is_refused(decoder: Decoder) -> None:
    assert decode(decoder, encode(texture().convert("F"), "tiff")).faults == (Reason.UNSUPPORTED,)


STORED_AS = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""How a camera stores an upright picture under each EXIF orientation (the inverse of what a viewer does)."""


def turned(picture: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    for step in STORED_AS[orientation]:
        picture = picture.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture, exif


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("kind", [MediaKind.JPEG, MediaKind.PNG, MediaKind.WEBP, MediaKind.TIFF, MediaKind.AVIF])
def test_orientation_is_applied(decoder: Decoder, kind: MediaKind, orientation: int) -> None:
    stored, exif = turned(texture(), orientation)
    options = {"lossless": True} if kind is MediaKind.WEBP else {}
    decoded = decode(decoder, encode(stored, kind, exif=exif, **options))
    assert (decoded.width, decoded.height) == (320, 240)
    if kind in (MediaKind.JPEG, MediaKind.AVIF):
        assert distance(only(decoded), expected(texture())) <= 8
    else:
        np.testing.assert_array_equal(only(decoded), expected(texture()))


def test_orientation_behind_the_pixels_of_a_png_counts(decoder: Decoder) -> None:
    stored, exif = turned(texture(), 6)
    plain = encode(stored, "png")
    late = plain[:-12] + hostile.chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    np.testing.assert_array_equal(only(decode(decoder, late)), expected(texture()))


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*" + bytes(9)])
def test_broken_exif_hides_no_picture(decoder: Decoder, exif: bytes) -> None:
    assert distance(only(decode(decoder, encode(texture(), "jpeg", exif=exif))), expected(texture())) <= 8


def see_through() -> Image.Image:
    picture = texture()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


ALPHAS = {
    "png": encode(see_through(), "png"),
    "webp": encode(see_through(), "webp", lossless=True, exact=True),
    "tiff": encode(see_through(), "tiff"),
}


@pytest.mark.parametrize("name", ALPHAS)
def test_alpha_is_dropped_and_seen_on_white_as_well(decoder: Decoder, name: str) -> None:
    decoded = decode(decoder, ALPHAS[name])
    assert decoded.faults == ()
    assert decoded.frames == 1
    assert [sketch.flattened for sketch in decoded.sketches] == [False, True]
    white = Image.alpha_composite(Image.new("RGBA", (320, 240), "white"), see_through()).convert("RGB")
    np.testing.assert_array_equal(sample(decoded.sketches[0]), expected(texture()))
    np.testing.assert_allclose(sample(decoded.sketches[1]), expected(white), atol=0.75)


def test_opaque_alpha_is_one_view(decoder: Decoder) -> None:
    np.testing.assert_array_equal(only(decode(decoder, encode(texture().convert("RGBA"), "png"))), expected(texture()))


def few_colours() -> Image.Image:
    return texture().quantize(16)


KEYED = {
    "rgb png": (texture(), encode(texture(), "png", transparency=texture().getpixel((0, 0)))),
    "grey png": (grey(), encode(grey(), "png", transparency=grey().getpixel((0, 0)))),
    "16-bit png": (grey(), encode(deep("I;16"), "png", transparency=deep("I;16").getpixel((0, 0)))),
    "palette png": (few_colours(), encode(few_colours(), "png", transparency=3)),
    "palette png, several": (few_colours(), encode(few_colours(), "png", transparency=bytes([255, 0, 128, 9]))),
    "gif": (few_colours(), encode(few_colours(), "gif", transparency=3)),
}


@pytest.mark.parametrize("name", KEYED)
def test_transparency_by_colour_has_two_views(decoder: Decoder, name: str) -> None:
    picture, content = KEYED[name]
    decoded = decode(decoder, content)
    assert decoded.faults == ()
    assert [sketch.flattened for sketch in decoded.sketches] == [False, True]
    np.testing.assert_allclose(sample(decoded.sketches[0]), expected(picture.convert("RGB")), atol=1e-4)


def test_a_colour_key_that_no_pixel_has_is_one_view(decoder: Decoder) -> None:
    picture = Image.new("P", (64, 64), 2)
    only(decode(decoder, encode(picture, "png", transparency=9)))


@pytest.mark.parametrize("kind", [MediaKind.PNG, MediaKind.WEBP, MediaKind.GIF, MediaKind.TIFF, MediaKind.AVIF])
def test_every_frame_is_checked(decoder: Decoder, kind: MediaKind) -> None:
    decoded = decode(decoder, hostile.animation(kind, 4, 120, 90))
    assert decoded.faults == ()
    assert decoded.frames == 4
    assert [sketch.frame for sketch in decoded.sketches] == [0, 1, 2, 3]
    for seed, sketch in enumerate(decoded.sketches):
        assert distance(sample(sketch), expected(texture(120, 90, seed))) <= 24


def test_pages_of_other_sizes(decoder: Decoder) -> None:
    pages = [texture(100, 80), texture(300, 20, 2), texture(7, 9, 3)]
    decoded = decode(decoder, encode(pages[0], "tiff", save_all=True, append_images=pages[1:]))
    assert (decoded.width, decoded.height, decoded.frames, decoded.faults) == (100, 80, 3, ())
    for page, sketch in zip(pages, decoded.sketches, strict=True):
        np.testing.assert_array_equal(sample(sketch), expected(page))


def mpo() -> bytes:
    return encode(texture(), "mpo", save_all=True, append_images=[texture(seed=2)])


def test_both_pictures_of_an_mpo(decoder: Decoder) -> None:
    decoded = decode(decoder, mpo())
    assert (decoded.frames, decoded.faults) == (2, ())
    for seed, sketch in enumerate(decoded.sketches, 1):
        assert distance(sample(sketch), expected(texture(seed=seed))) <= 12


def test_a_second_picture_that_was_cut_off_is_no_fault(decoder: Decoder) -> None:
    first = mpo().rindex(b"\xff\xd8\xff")
    assert distance(only(decode(decoder, mpo()[:first])), expected(texture())) <= 12


def test_a_second_picture_that_is_damaged_is_a_fault(decoder: Decoder) -> None:
    first = mpo().rindex(b"\xff\xd8\xff")
    decoded = decode(decoder, mpo()[: first + 900])
    assert (decoded.frames, decoded.faults) == (1, (Reason.UNDECODABLE,))


def test_tiles_of_very_wide_pictures(decoder: Decoder) -> None:
    picture = texture(300_000, 8)
    np.testing.assert_array_equal(only(decode(decoder, encode(picture, "png", compress_level=1))), expected(picture))


def test_a_phone_picture_of_64_megapixels_fits() -> None:
    """Progressive and without subsampling: the decoder then holds all coefficients besides the pixels."""
    content = encode(Image.new("RGB", (9200, 6900), "teal"), "jpeg", progressive=True, subsampling=0)
    with Decoder(Limits(seconds=20.0), workers=1) as decoder:
        decoded = decode(decoder, content)
        assert (decoded.width, decoded.height, decoded.faults) == (9200, 6900, ())
        assert decoder.largest_child_bytes < 900 * 1024 * 1024


def test_answers_without_a_child(decoder: Decoder) -> None:
    assert decode(decoder, b"").faults == (Reason.UNSUPPORTED,)
    assert decode(decoder, b"", MediaKind.PNG).faults == (Reason.EMPTY,)
    assert decode(decoder, b"hello, world", MediaKind.OTHER).faults == (Reason.UNSUPPORTED,)
    with Decoder(Limits(max_bytes=100), workers=1) as strict:
        assert decode(strict, encode(texture(), "png")).faults == (Reason.TOO_LARGE,)


def test_what_is_no_file_is_unreadable(decoder: Decoder) -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        assert decoder.decode(pipe, MediaKind.PNG).faults == (Reason.UNREADABLE,)


def test_the_offset_of_the_file_does_not_matter_and_stays(decoder: Decoder) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(encode(texture(), "png"))
        file.seek(7)
        assert decoder.decode(file, MediaKind.PNG).faults == ()
        assert file.tell() == 7


def test_health_and_versions(decoder: Decoder) -> None:
    assert decoder.health()
    assert {"pillow", "numpy", "avif", "webp", "libtiff"} <= codec_versions().keys()


def test_many_threads_at_once(decoder: Decoder) -> None:
    contents = [(seed, encode(texture(200, 150, seed), "png")) for seed in range(4)]
    wrong: list[int] = []

    def run(seed: int, content: bytes) -> None:
        for _ in range(5):
            is_right = np.array_equal(only(decode(decoder, content)), expected(texture(200, 150, seed)))
            wrong.extend([] if is_right else [seed])

    threads = [threading.Thread(target=run, args=each) for each in contents * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Running:
    """A decode that goes on in a thread, and the processes it uses."""

    def __init__(self, decoder: Decoder, content: bytes = SLOW_FILE) -> None:
        assert decoder.health()  # which starts the fork server
        self.answer: list[Decoded] = []
        self._thread = threading.Thread(target=lambda: self.answer.append(decode(decoder, content)))
        self._thread.start()
        assert decoder._general.server is not None
        self.server = decoder._general.server.process.pid
        self.child = wait_for_child(self.server)

    def result(self) -> Decoded:
        self._thread.join(20)
        return self.answer[0]


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def wait_for_child(pid: int) -> int:
    """The first child that has locked itself (it lives in its own filter, Seccomp: 2)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for child in children(pid):
            if "Seccomp:\t2" in Path(f"/proc/{child}/status").read_text():
                return child
        time.sleep(0.01)
    raise AssertionError("no child")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def patient() -> Iterator[Decoder]:
    with Decoder(PATIENT, workers=2, wait_seconds=0.2) as it:
        yield it


@pytest.mark.parametrize(
    ("number", "reason", "crashes"),
    [
        (signal.SIGSEGV, Reason.UNDECODABLE, 1),
        (signal.SIGSYS, Reason.UNDECODABLE, 1),
        (signal.SIGABRT, Reason.UNDECODABLE, 1),
        (signal.SIGKILL, Reason.MEMORY, 1),
        (signal.SIGALRM, Reason.TIMEOUT, 0),
        (signal.SIGXCPU, Reason.TIMEOUT, 0),
    ],
)
def test_how_a_child_dies_is_told(patient: Decoder, number: int, reason: Reason, crashes: int) -> None:
    running = Running(patient)
    os.kill(running.child, number)
    assert running.result().faults == (reason,)
    assert patient.crashes == crashes
    assert patient.health()
    assert patient.restarts == 0


def test_a_timeout_keeps_earlier_frames() -> None:
    with Decoder(Limits(seconds=1.0, max_frames=100_000, max_total_pixels=10**12), workers=1) as decoder:
        began = time.monotonic()
        decoded = decode(decoder, SLOW_FILE)
        assert time.monotonic() - began < 4
        assert decoded.faults == (Reason.TIMEOUT,)
        assert decoded.frames == len(decoded.sketches) > 1
        assert decoder.health()


def test_a_stopped_child_is_given_up_and_killed() -> None:
    with Decoder(Limits(seconds=1.0, max_frames=100_000, max_total_pixels=10**12), workers=1) as decoder:
        running = Running(decoder)
        os.kill(running.child, signal.SIGSTOP)
        assert running.result().faults == (Reason.TIMEOUT,)
        assert gone(running.child)
        assert decoder.health()
        assert decoder.restarts == 0


def test_too_little_memory_is_told() -> None:
    with Decoder(Limits(memory_bytes=40 * 1024 * 1024), workers=1) as decoder:
        large = Image.new("RGB", (5000, 4000))
        # Baseline JPEG needs only a few rows at a time; progressive has to be held whole.
        for content in (encode(large, "png"), encode(large, "tiff"), encode(large, "jpeg", progressive=True)):
            assert decode(decoder, content).faults == (Reason.MEMORY,)
        assert decoder.health()


def test_busy_when_no_child_becomes_free(patient: Decoder) -> None:
    running = [Running(patient), Running(patient)]
    assert decode(patient, encode(texture(), "png")).faults == (Reason.BUSY,)
    assert patient.health()
    for pid in children(running[0].server):
        os.kill(pid, signal.SIGALRM)
    assert [each.result().faults for each in running] == [(Reason.TIMEOUT,)] * 2


def test_a_dead_fork_server_is_replaced_and_the_file_tried_again(patient: Decoder) -> None:
    content = hostile.gif(2000, 1500, 25)
    running = Running(patient, content)
    os.kill(running.server, signal.SIGKILL)
    decoded = running.result()
    assert (decoded.frames, decoded.faults) == (25, ())
    assert patient.restarts == 1
    assert gone(running.child)


def test_a_fork_server_killed_between_files_is_replaced(patient: Decoder) -> None:
    assert patient.health()
    assert patient._general.server is not None
    os.kill(patient._general.server.process.pid, signal.SIGKILL)
    assert patient.health()
    assert patient.restarts == 1


def test_after_close_nothing_is_decoded_and_nothing_lives(patient: Decoder) -> None:
    running = Running(patient)
    patient.close()
    assert running.result().faults == (Reason.DECODER_FAILED,)
    assert gone(running.server)
    assert gone(running.child)
    assert not patient.health()
    assert patient.restarts == 0


def test_a_decoder_that_is_dropped_takes_its_fork_server_along() -> None:
    decoder = Decoder(Limits(), workers=1)
    assert decoder.health()
    assert decoder._general.server is not None
    pid = decoder._general.server.process.pid
    del decoder
    assert gone(pid)


def test_the_fork_server_has_its_own_session_and_little_environment(decoder: Decoder) -> None:
    assert decoder.health()
    assert decoder._general.server is not None
    pid = decoder._general.server.process.pid
    assert os.getsid(pid) == pid
    names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if entry}
    assert names <= {b"OPENBLAS_NUM_THREADS", b"GLIBC_TUNABLES", *(name.encode() for name in server.PASSED_ON)}


def test_a_forked_process_has_its_own_fork_server(patient: Decoder) -> None:
    running = Running(patient)
    pid = os.fork()
    if pid == 0:
        healthy = patient._general.server is None and patient.health() and patient.restarts == 0
        patient.close()
        os._exit(0 if healthy else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert is_alive(running.server)
    os.kill(running.child, signal.SIGALRM)
    assert running.result().faults == (Reason.TIMEOUT,)
    assert patient.health()
    assert patient.restarts == 0


ORPHAN_MAKER = """
import os, sys, time
from tests.unit.engine.test_decode import PATIENT, Decoder, Running
decoder = Decoder(PATIENT, workers=1)
running = Running(decoder)
if os.fork() == 0:
    os.close(1)
    time.sleep(30)
    os._exit(0)
print(running.server, running.child, flush=True)
time.sleep(30)
"""


def test_when_the_parent_is_killed_everything_vanishes() -> None:
    process = subprocess.Popen([sys.executable, "-c", ORPHAN_MAKER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        server, child = (int(word) for word in process.stdout.readline().split())
    forked = [pid for pid in children(process.pid) if pid != server]
    assert is_alive(server)
    assert is_alive(child)
    process.kill()
    process.wait()
    assert [is_alive(pid) for pid in forked] == [True]
    assert gone(server)
    assert gone(child)
    os.kill(forked[0], signal.SIGKILL)


def test_bytes_in_memory_are_decoded_like_a_file(decoder: Decoder) -> None:
    content = encode(texture(200, 150, 5), "PNG")
    assert decoder.decode(io.BytesIO(content), MediaKind.PNG) == decode(decoder, content)
