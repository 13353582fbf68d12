"""The native fork server: the answers of the general one, or a refusal to answer; the same lock; the same deaths."""

from __future__ import annotations

import io
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jikimi.engine.decode import native, upright, wire
from jikimi.engine.decode.lock import filter_code, landlock_rules
from jikimi.engine.decode.parent import Decoder
from jikimi.engine.decode.records import Nonsense, Records
from jikimi.engine.decode.server import CODEC_ENVIRONMENT, PASSED_ON, Keeper, Server, ServerLost
from jikimi.model.media import Decoded, Limits, MediaKind, Reason
from tests.fuzz.mutate import mutated
from tests.unit.engine.hostile import encode, texture
from tests.unit.engine.test_decode import gone, is_alive, wait_for_child
from tests.unit.engine.test_straight import pictures

PROGRAM = native.program()
if PROGRAM is None:
    pytest.skip("built without the native fork server", allow_module_level=True)

PATIENT = Limits(seconds=30.0)
LARGE = encode(texture(5000, 4000), "jpeg", progressive=True)
"""Takes long enough to be caught in the act."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(), workers=2) as it:
        assert it.is_plain_native()
        yield it
        assert it.restarts == 0
        assert it.crashes == 0


@pytest.fixture
def patient() -> Iterator[Decoder]:
    with Decoder(PATIENT, workers=2) as it:
        assert it.is_plain_native()
        yield it


def ask(decoder: Decoder, keeper: Keeper, source: int, limits: Limits) -> Decoded | None:
    packet = decoder._packet(MediaKind.JPEG, limits)
    return decoder._run(keeper, source, packet, lambda: Records(limits, may_decline=True))


def natively(decoder: Decoder, content: bytes, limits: Limits | None = None) -> Decoded | None:
    """What the native fork server alone says; nothing if it declines."""
    assert decoder._plain is not None
    with open(os.memfd_create("test"), "w+b", buffering=0) as file:
        file.write(content)
        return ask(decoder, decoder._plain, file.fileno(), limits or decoder.limits)


def generally(content: bytes, limits: Limits | None = None) -> tuple[int, int, bytes] | Reason:
    """Size and sample of the first frame as `upright` and Pillow see them, in this process."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            all_frames = [
                (frame.width, frame.height, frame.sample().tobytes())
                for frame in upright.frames(content, MediaKind.JPEG, limits or Limits())
            ]
    except Exception as error:  # noqa: BLE001 - whatever Pillow says of damaged bytes
        return upright.reason_for(error)
    return all_frames[0] if len(all_frames) == 1 else Reason.TOO_MANY_FRAMES


def seen(decoded: Decoded) -> tuple[int, int, bytes]:
    (sketch,) = decoded.sketches
    assert (decoded.faults, decoded.frames, sketch.frame, sketch.flattened) == ((), 1, 0, False)
    return decoded.width, decoded.height, sketch.data


def rich(orientation: int | None = None, xmp: bytes = b"", **options: object) -> bytes:
    """A JPEG with the segments that cameras and editors write."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", "Model of a camera", "2026:11:25 12:00:00"
    exif[0x011A], exif[0x011B], exif[0x0128] = (72.0, 72.0, 2)
    if orientation is not None:
        exif[0x0112] = orientation
    profile = bytes(range(200))
    if xmp:
        options["xmp"] = xmp
    return encode(texture(90, 60), "jpeg", exif=exif, icc_profile=profile, comment=b"words", dpi=(72, 72), **options)


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def with_segment(content: bytes, marker: int, payload: bytes) -> bytes:
    """Behind the start of the image."""
    return content[:2] + segment(marker, payload) + content[2:]


def exif_of(entries: bytes, *, count: int = 1, tail: bytes = bytes(4)) -> bytes:
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, count) + entries + tail


PLAIN = encode(texture(90, 60), "jpeg")
TURNED = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
PHOTOSHOP = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", 3) + b"abc\0"

TAKEN = {
    "plain": PLAIN,
    "grey": encode(texture(90, 60).convert("L"), "jpeg"),
    "progressive": encode(texture(90, 60), "jpeg", progressive=True),
    "restart markers": encode(texture(90, 60), "jpeg", restart_marker_rows=1),
    "one pixel": encode(texture(1, 1), "jpeg"),
    "from a camera": rich(1),
    "without orientation": rich(),
    "xmp without orientation": rich(xmp=b"<x:xmpmeta/>"),
    "xmp that EXIF overrules": rich(6, xmp=b'tiff:Orientation="3"'),
    "photoshop": with_segment(PLAIN, 0xED, PHOTOSHOP),
    "flashpix": with_segment(PLAIN, 0xE2, b"FPXR\0"),
    "bytes behind the end": PLAIN + b"anything" * 100,
    "orientations that mean nothing": rich(9, xmp=b'tiff:Orientation="3"'),
    "orientation zero": rich(0),
    "turned, other byte order": with_segment(PLAIN, 0xE1, exif_of(TURNED)),
    **{f"turned {orientation}": rich(orientation) for orientation in range(1, 9)},
    **{f"quality {quality}": encode(texture(90, 60), "jpeg", quality=quality) for quality in (1, 50, 100)},
    **{
        f"chroma {layout}": encode(texture(91, 61), "jpeg", subsampling=layout)
        for layout in ("4:4:4", "4:2:2", "4:2:0")
    },
}


@pytest.mark.parametrize("name", TAKEN)
def test_plain_pictures_are_read_as_pillow_reads_them(decoder: Decoder, name: str) -> None:
    decoded = natively(decoder, TAKEN[name])
    assert decoded is not None
    assert seen(decoded) == generally(TAKEN[name])


@pytest.mark.parametrize("path", sorted(Path("tests/data").rglob("*.jpg")), ids=lambda path: path.stem)
def test_the_reference_pictures(decoder: Decoder, path: Path) -> None:
    decoded = natively(decoder, path.read_bytes())
    assert decoded is not None
    assert seen(decoded) == generally(path.read_bytes())


def test_many_sizes_qualities_and_layouts(decoder: Decoder) -> None:
    taken = 0
    for content in pictures(80, 500):
        decoded = natively(decoder, content)
        assert decoded is None or seen(decoded) == generally(content)
        taken += decoded is not None
    assert taken > 70


DECLINED = {
    "cmyk": encode(texture(90, 60).convert("CMYK"), "jpeg"),
    "rgb": encode(texture(90, 60), "jpeg", keep_rgb=True),
    "two pictures": encode(texture(64, 48), "MPO", save_all=True, append_images=[texture(64, 48, 2)]),
    "announced pictures": with_segment(PLAIN, 0xE2, b"MPF\0garbage"),
    "orientation in xmp": rich(xmp=b'tiff:Orientation="6"'),
    "orientation as a long": with_segment(PLAIN, 0xE1, exif_of(struct.pack(">HHII", 0x0112, 4, 1, 6))),
    "orientation twice": with_segment(PLAIN, 0xE1, exif_of(TURNED * 2, count=2)),
    "exif twice": with_segment(rich(6), 0xE1, exif_of(TURNED)),
    "exif that ends early": with_segment(PLAIN, 0xE1, exif_of(TURNED, tail=b"")),
    "exif that points outside": with_segment(
        PLAIN, 0xE1, exif_of(struct.pack(">HHII", 0x010F, 2, 200, 9999) + TURNED, count=2)
    ),
    "exif garbage": with_segment(PLAIN, 0xE1, b"Exif\0\0garbage"),
    "resolution over nothing": with_segment(
        PLAIN, 0xE1, exif_of(struct.pack(">HHII", 0x011A, 5, 1, 26), tail=bytes(4) + struct.pack(">II", 1, 0))
    ),
    "short JFIF": with_segment(PLAIN, 0xE0, b"JFIF\0"),
    "short Adobe": with_segment(PLAIN, 0xEE, b"Adobe"),
    "short profile": with_segment(PLAIN, 0xE2, b"ICC_PROFILE\0"),
    "photoshop cut off": with_segment(PLAIN, 0xED, PHOTOSHOP[:20]),
    "padding": PLAIN[:2] + b"\xff" + PLAIN[2:],
    "junk": PLAIN[:2] + b"junk" + PLAIN[2:],
    "no picture": b"\xff\xd8\xff\xe0",
    "png": encode(texture(64, 48), "png"),
    "half": PLAIN[: len(PLAIN) // 2],
    "without its end": PLAIN[:-2],
}


@pytest.mark.parametrize("name", DECLINED)
def test_the_rest_is_left_to_the_general_way(decoder: Decoder, name: str) -> None:
    assert natively(decoder, DECLINED[name]) is None


@pytest.mark.parametrize("name", DECLINED)
def test_and_gets_its_answer_there(decoder: Decoder, name: str) -> None:
    decoded = decoder.decode(io.BytesIO(DECLINED[name]), MediaKind.JPEG)
    expected = generally(DECLINED[name])
    if isinstance(expected, tuple):
        assert seen(decoded) == expected
    else:
        assert decoded.faults == (expected,) or (expected, decoded.frames) == (Reason.TOO_MANY_FRAMES, 2)


def test_of_damaged_files_nothing_is_said_that_pillow_does_not_say(decoder: Decoder) -> None:
    chance = random.Random(7)
    good = [rich(6), rich(xmp=b'tiff:Orientation="6"'), with_segment(PLAIN, 0xED, PHOTOSHOP), *TAKEN.values()]
    taken = 0
    for _ in range(1500):
        content = mutated(chance, chance.choice(good), good)
        if not content:
            continue
        decoded = natively(decoder, content)
        if decoded is not None:
            assert seen(decoded) == generally(content)
            taken += 1
    assert taken > 40


def test_limits_are_those_of_the_general_way(decoder: Decoder) -> None:
    for limit in (90 * 60 - 1, 90 * 60, 90 * 60 + 1):
        decoded = natively(decoder, PLAIN, Limits(max_pixels=limit))
        assert (decoded is not None) == (generally(PLAIN, Limits(max_pixels=limit)) is not Reason.TOO_MANY_PIXELS)
    assert natively(decoder, PLAIN, Limits(max_frames=0)) is None
    assert natively(decoder, LARGE, Limits(memory_bytes=1 << 20)) is None
    assert natively(decoder, PLAIN, Limits(max_bytes=len(PLAIN) - 10)) is None


def test_a_phone_picture_of_64_megapixels_fits(decoder: Decoder) -> None:
    content = encode(texture(9216, 6912), "jpeg", exif=b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + TURNED + bytes(4))
    decoded = natively(decoder, content, PATIENT)
    assert decoded is not None
    assert (decoded.faults, decoded.width, decoded.height) == ((), 6912, 9216)


def test_too_little_time_is_a_timeout() -> None:
    with Decoder(Limits(seconds=0.02), workers=1) as hurried:
        assert hurried.is_plain_native()
        assert hurried.decode(io.BytesIO(LARGE), MediaKind.JPEG).faults == (Reason.TIMEOUT,)
        assert hurried.crashes == 0
        assert hurried._general.server is None


class Held:
    """A file whose child was stopped in the middle of it."""

    def __init__(self, decoder: Decoder) -> None:
        assert decoder._plain is not None
        assert decoder._plain.server is not None
        self.answer: list[Decoded] = []
        self.server = decoder._plain.server.process.pid
        self._thread = threading.Thread(
            target=lambda: self.answer.append(decoder.decode(io.BytesIO(LARGE), MediaKind.JPEG))
        )
        self._thread.start()
        self.child = wait_for_child(self.server)
        os.kill(self.child, signal.SIGSTOP)

    def result(self) -> Decoded:
        self._thread.join(30)
        return self.answer[0]


@pytest.mark.parametrize(
    ("number", "reason", "crashes"),
    [
        (signal.SIGALRM, Reason.TIMEOUT, 0),
        (signal.SIGXCPU, Reason.TIMEOUT, 0),
        (signal.SIGKILL, Reason.MEMORY, 1),
        (signal.SIGSYS, Reason.UNDECODABLE, 1),
        (signal.SIGSEGV, Reason.UNDECODABLE, 1),
    ],
)
def test_how_a_child_dies_is_told(patient: Decoder, number: int, reason: Reason, crashes: int) -> None:
    held = Held(patient)
    os.kill(held.child, number)
    os.kill(held.child, signal.SIGCONT)
    assert held.result().faults == (reason,)
    assert patient.crashes == crashes
    assert patient.restarts == 0


def test_a_stopped_child_is_given_up_and_killed() -> None:
    with Decoder(Limits(seconds=0.5), workers=1) as decoder:
        assert decoder.is_plain_native()
        held = Held(decoder)
        assert held.result().faults == (Reason.TIMEOUT,)
        assert gone(held.child)


def test_a_dead_fork_server_is_replaced_and_the_file_tried_again(patient: Decoder) -> None:
    held = Held(patient)
    os.kill(held.server, signal.SIGKILL)
    assert held.result().faults == ()
    assert patient.restarts == 1
    assert gone(held.child)
    assert patient._general.server is None


def test_without_any_fork_server_that_lives_the_general_way_is_taken(patient: Decoder) -> None:
    assert patient._plain is not None
    patient._plain.close()
    assert seen(patient.decode(io.BytesIO(PLAIN), MediaKind.JPEG)) == generally(PLAIN)


def test_the_lock_is_the_same(patient: Decoder) -> None:
    held = Held(patient)
    folder = Path(f"/proc/{held.child}")
    status = (folder / "status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "Threads:\t1" in status
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (folder / "limits").read_text().splitlines()[1:]}
    assert limits["Max file size"] == limits["Max core file size"] == limits["Max open files"] == ["0", "0"]
    assert limits["Max cpu time"] == ["30", "31"]
    space = int(limits["Max address space"][0])
    assert 0 <= space - PATIENT.memory_bytes < 64 << 20
    opened = {int(number.name): str(number.readlink()) for number in (folder / "fd").iterdir()}
    assert sorted(opened) == [0, 1, 2, 3]
    assert [opened[number] for number in range(3)] == ["/dev/null"] * 3
    assert opened[3].startswith("pipe:")
    os.kill(held.child, signal.SIGCONT)
    assert held.result().faults == ()


def test_a_child_that_asks_for_what_is_deadly_dies(decoder: Decoder) -> None:
    """The filter is the one it was told: in this one the write that every child ends with is deadly."""
    assert PROGRAM is not None
    code, rules = filter_code(wire.OUTPUT), landlock_rules()
    (architecture,) = struct.unpack_from("<I", code, 12)
    kill = b"".join(
        struct.pack("<HBBI", *step)
        for step in [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, 0x80000000), (0x20, 0, 0, 0)]
    )
    write = {0xC000003E: 1, 0xC00000B7: 64}[architecture]
    deadly = kill + struct.pack("<HBBIHBBI", 0x15, 0, 1, write, 0x06, 0, 0, 0x80000000) + code[4 * 8 :]
    setup = wire.SETUP.pack(wire.OUTPUT, len(rules), rules) + deadly
    keeper = Keeper(lambda: Server([os.fspath(PROGRAM)], setup))
    try:
        before = decoder.crashes
        with open(os.memfd_create("test"), "w+b", buffering=0) as file:
            file.write(PLAIN)
            decoded = ask(decoder, keeper, file.fileno(), Limits())
        assert decoded == Decoded(faults=(Reason.UNDECODABLE,))
        assert decoder.crashes == before + 1
        decoder.crashes = before
    finally:
        keeper.close()


@pytest.mark.parametrize("setup", [b"", b"short", wire.SETUP.pack(3, 99, b"")])
def test_without_a_set_up_it_does_not_serve(setup: bytes) -> None:
    assert PROGRAM is not None
    server = Server([os.fspath(PROGRAM)], setup or b"\0")
    with pytest.raises(ServerLost):
        server.send(b"job", [])
    server.end()


def test_without_a_filter_nothing_is_decoded(decoder: Decoder) -> None:
    assert PROGRAM is not None
    keeper = Keeper(lambda: Server([os.fspath(PROGRAM)], wire.SETUP.pack(wire.OUTPUT, 0, b"")))
    try:
        with open(os.memfd_create("test"), "w+b", buffering=0) as file:
            file.write(PLAIN)
            decoded = ask(decoder, keeper, file.fileno(), Limits())
        assert decoded == Decoded(faults=(Reason.DECODER_FAILED,))
    finally:
        keeper.close()


def test_it_has_its_own_session_and_little_environment(decoder: Decoder) -> None:
    assert decoder._plain is not None
    assert decoder._plain.server is not None
    pid = decoder._plain.server.process.pid
    assert os.getsid(pid) == pid
    names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if entry}
    assert names <= {name.encode() for name in (*CODEC_ENVIRONMENT, *PASSED_ON)}


def test_it_ends_with_its_decoder() -> None:
    decoder = Decoder(Limits(), workers=1)
    assert decoder.is_plain_native()
    assert decoder._plain is not None
    assert decoder._plain.server is not None
    pid = decoder._plain.server.process.pid
    assert is_alive(pid)
    del decoder
    assert gone(pid)


def test_a_forked_process_has_its_own(patient: Decoder) -> None:
    pid = os.fork()
    if pid == 0:
        is_fresh = patient._plain is not None and patient._plain.server is None
        is_same = is_fresh and seen(patient.decode(io.BytesIO(PLAIN), MediaKind.JPEG)) == generally(PLAIN)
        patient.close()
        os._exit(0 if is_same else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert seen(patient.decode(io.BytesIO(PLAIN), MediaKind.JPEG)) == generally(PLAIN)
    assert patient.restarts == 0


def test_many_threads_at_once(decoder: Decoder) -> None:
    expected = {name: generally(content) for name, content in TAKEN.items()}
    wrong: list[str] = []

    def work() -> None:
        for name, content in TAKEN.items():
            if seen(decoder.decode(io.BytesIO(content), MediaKind.JPEG)) != expected[name]:
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_proved_is_that_it_sees_what_pillow_sees(decoder: Decoder) -> None:
    assert decoder._plain is not None
    for proof in native.proofs():
        assert decoder._sees_as_pillow(decoder._plain, proof)
        one_off = np.frombuffer(proof.sample, "<f4").copy()
        one_off[100] += 1 / 16
        assert not decoder._sees_as_pillow(decoder._plain, replace(proof, sample=one_off.tobytes()))
        assert not decoder._sees_as_pillow(decoder._plain, replace(proof, width=proof.width + 1))


SWITCHED_OFF = """
import io
from jikimi.engine.decode.parent import Decoder
from jikimi.model.media import Limits, MediaKind
from tests.unit.engine.hostile import encode, texture
with Decoder(Limits(), workers=1) as decoder:
    assert not decoder.is_plain_native()
    assert decoder.decode(io.BytesIO(encode(texture(90, 60), "jpeg")), MediaKind.JPEG).faults == ()
"""


def test_it_can_be_switched_off() -> None:
    environment = {**os.environ, "JIKIMI_KERNEL_LEVEL": "numpy"}
    subprocess.run([sys.executable, "-c", SWITCHED_OFF], env=environment, check=True, timeout=60)


def declined() -> bytes:
    return wire.RECORD.pack(wire.DECLINED_TAG, 0)


@pytest.mark.parametrize(
    "untrusted_bytes",
    [
        wire.RECORD.pack(wire.DECLINED_TAG, 1) + b"x",
        declined() * 2,
        wire.RECORD.pack(wire.SIZE_TAG, 8) + wire.SIZE.pack(8, 8) + declined(),
    ],
)
def test_a_refusal_is_the_whole_answer(untrusted_bytes: bytes) -> None:
    with pytest.raises(Nonsense):
        Records(Limits(), may_decline=True).feed(untrusted_bytes)


def test_the_general_way_must_not_decline() -> None:
    with pytest.raises(Nonsense):
        Records(Limits()).feed(declined())


def test_the_proof_costs_little() -> None:
    began = time.process_time()
    with Decoder(Limits(), workers=1) as decoder:
        assert decoder.is_plain_native()
    assert time.process_time() - began < 1
