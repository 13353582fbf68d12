"""The decoder that the rest of the service sees: bytes in an open file to sketches, through a locked child.

Decided here: how many children run at once, when one is given up, and what each way to end means for the file. Every
byte from a child is untrusted: a hostile picture may have taken the child over. Not decided here: how pixels are read
(`upright`) and what a child may do (`lock`).

How a child ends, and what it means. SIGALRM, SIGXCPU, or given up by us: `timeout`. An end record that says so, or a
SIGKILL that was not ours (the kernel's out-of-memory killer): `memory`. Any other signal, SIGSYS of the lock included:
`undecodable`, because these bytes crash the codec and will again; it is counted in `crashes`, which deserves an alarm.
Nonsense in a record, or an end without an end record: `decoder_failed`. Records that came before stay valid.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Self

import numpy as np
from PIL import features

from jikimi.engine.decode import wire
from jikimi.engine.decode.draw import Drawing
from jikimi.engine.decode.lock import support
from jikimi.model.errors import Refused
from jikimi.model.media import PICTURES, Decoded, Limits, MediaKind, Reason, Sketch

START_SECONDS = 30.0
"""A fork server that is not warm by then is broken; it takes half a second on an idle machine."""
GRACE_SECONDS = 1.0
"""Above `Limits.seconds`: the child's own timer starts a little later and should strike first."""
KILL_SECONDS = 5.0
"""How long the fork server may take to report a child that it was told to kill."""
SEND_SECONDS = 5.0
_TRIES = 2
"""A file during which the fork server died is tried once more with another one."""
READ_BYTES = 64 * 1024
"""One read from the output pipe: its usual capacity."""
MAX_END_BYTES = 256
"""An end record: four bytes and at most a few reasons."""
MAX_RECORD_BYTES = wire.SKETCH.size + wire.SKETCH_DATA_BYTES
LUMA_RANGE = (-1.0, 256.0)
"""Brightness is 0 to 255; running sums in float32 may pass that by a fraction."""
HEALTH_PICTURE = b"BM" + struct.pack("<IIIIiiHHIIiiII", 70, 0, 54, 40, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0) + bytes(16)
"""A BMP of two by two black pixels; PDQ leaves it at zero, which is all that `health` needs."""
_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "JIKIMI_KERNEL_LEVEL")
"""Of our environment the fork server gets only these: the rest may hold passwords, and codecs need none of it."""
_CODEC_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""No thread can start under the lock. Huge pages spare a child most page faults of large pictures (5 ms of 40 at 1.6
megapixels); C libraries that do not know the setting ignore it."""
_TIMEOUTS = (signal.SIGALRM, signal.SIGXCPU)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture as a child drew it: rows of 8-bit pixels, checked to be as many as it says; or why there is none."""

    width: int = 0
    height: int = 0
    is_grey: bool = False
    pixels: bytes = b""
    fault: Reason | None = None


class Decoder:
    """Decodes from many threads at once, at most `workers` files at a time. Raises Refused if it cannot lock children.

    Safe across `os.fork`: the forked process starts a fork server of its own at first use. If this process dies in
    any way, fork server and children vanish.
    """

    def __init__(self, limits: Limits, *, workers: int, sandbox: bool = True, wait_seconds: float = 30.0) -> None:
        lock = support()
        if sandbox and not lock.seccomp:
            raise Refused(
                "sandbox_unavailable",
                "Hostile pictures cannot be decoded safely on this machine; set sandbox = false to take that risk.",
                detail=lock.reason,
            )
        self.limits = limits
        self.restarts = 0
        """Fork servers that had to be replaced because they died."""
        self.crashes = 0
        """Children that a signal ended, timeouts not counted."""
        self.largest_child_bytes = 0
        """Largest resident size that any child had, pages shared with the fork server included."""
        self._workers = workers
        self._sandbox = sandbox
        self._wait_seconds = wait_seconds
        self._is_closed = False
        self._renew()
        self._server: _Server | None = None  # started at first use: most commands decode nothing
        _decoders.add(self)

    def decode(self, file: BinaryIO, kind: MediaKind) -> Decoded:
        """Decode a regular file from its start, whatever its offset, which stays where it is. Never raises for content.

        The caller has flushed what it wrote. A file that shrinks meanwhile is decoded as far as it goes. Bytes in
        memory (a file object without a descriptor) are copied into an anonymous file first.
        """
        if isinstance(file, io.BytesIO):
            with tempfile.TemporaryFile() as copy:
                copy.write(file.getbuffer())
                copy.flush()
                return self.decode(copy, kind)
        fault = self._refusal(file, kind)
        if fault is not None:
            return Decoded(faults=(fault,))
        slots = self._slots
        if not slots.acquire(timeout=self._wait_seconds):
            return Decoded(faults=(Reason.BUSY,))
        try:
            return self._decode(file.fileno(), kind)
        finally:
            slots.release()

    def draw(self, file: BinaryIO, kind: MediaKind, drawing: Drawing) -> Drawn:
        """Draw one picture of a regular file. Never raises for content."""
        fault = self._refusal(file, kind)
        if fault is not None:
            return Drawn(fault=fault)
        slots = self._slots
        if not slots.acquire(timeout=self._wait_seconds):
            return Drawn(fault=Reason.BUSY)
        try:
            wanted = wire.DRAWING.pack(drawing.side, drawing.frame, drawing.grey, drawing.flattened)
            decoded = self._run(file.fileno(), self._packet(kind) + wanted, lambda: _Picture(self.limits, drawing))
        finally:
            slots.release()
        if decoded.faults:
            return Drawn(fault=decoded.faults[0])
        return Drawn(width=decoded.width, height=decoded.height, is_grey=drawing.grey, pixels=decoded.sketches[0].data)

    def health(self) -> bool:
        """Send one tiny picture all the way through; being busy counts as well."""
        descriptor = os.memfd_create("jikimi-health")
        with open(descriptor, "w+b", buffering=0) as file:
            file.write(HEALTH_PICTURE)
            faults = self.decode(file, MediaKind.BMP).faults
        return faults in ((), (Reason.BUSY,))

    def close(self) -> None:
        """End the fork server; what is being decoded ends as `decoder_failed`."""
        with self._lock:
            self._is_closed = True
            server, self._server = self._server, None
        if server is not None:
            server.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refusal(self, file: BinaryIO, kind: MediaKind) -> Reason | None:
        """Answer without a child where the file's own size or kind already is the answer."""
        if kind not in PICTURES:
            return Reason.UNSUPPORTED
        try:
            facts = os.fstat(file.fileno())
        except OSError:
            return Reason.UNREADABLE
        if not stat.S_ISREG(facts.st_mode):
            return Reason.UNREADABLE
        if facts.st_size == 0:
            return Reason.EMPTY
        return Reason.TOO_LARGE if facts.st_size > self.limits.max_bytes else None

    def _decode(self, source: int, kind: MediaKind) -> Decoded:
        return self._run(source, self._packet(kind), lambda: _Records(self.limits))

    def _packet(self, kind: MediaKind) -> bytes:
        limits = self.limits
        return wire.JOB.pack(
            kind.encode(),
            limits.max_bytes,
            limits.max_pixels,
            limits.max_frames,
            limits.max_total_pixels,
            limits.memory_bytes,
            limits.seconds,
            self._sandbox,
        )

    def _run(self, source: int, packet: bytes, records: Callable[[], _Records]) -> Decoded:
        for _ in range(_TRIES):
            server = self._living_server()
            if server is None:
                break
            job = _Job(self.limits, records())
            try:
                decoded = job.run(server, packet, source)
            except _ServerLost:
                self._replace(server)
            else:
                self._count(job)
                return decoded
        return Decoded(faults=(Reason.DECODER_FAILED,))

    def _count(self, job: _Job) -> None:
        with self._lock:
            self.crashes += job.has_crashed
            self.largest_child_bytes = max(self.largest_child_bytes, job.peak_bytes)

    def _start_server(self) -> _Server | None:
        try:
            return _Server()
        except OSError:
            return None

    def _living_server(self) -> _Server | None:
        with self._lock:
            if self._server is None and not self._is_closed:
                self._server = self._start_server()
            return self._server

    def _replace(self, lost: _Server) -> None:
        """Start another fork server, once, however many threads saw this one die."""
        with self._lock:
            if self._server is not lost or self._is_closed:
                return
            self.restarts += 1
            self._server = self._start_server()
        lost.end()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(self._workers)

    def _leave_to_parent(self) -> None:
        """In a process just forked: let go of the fork server that belongs to the parent."""
        self._renew()
        server, self._server = self._server, None
        if server is not None:
            server.abandon()


_decoders: weakref.WeakSet[Decoder] = weakref.WeakSet()


def _after_fork() -> None:
    for decoder in list(_decoders):
        decoder._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)


class _ServerLost(Exception):  # noqa: N818 - a fact that `Decoder` acts on, not a failure that leaves this file
    """The fork server is dead or deaf; whether the job ran is unknown, and does not matter: decoding has no effects."""


class _Nonsense(Exception):  # noqa: N818
    """A child wrote what no honest child writes."""


class _Server:
    """One fork server: its process and the socket that keeps it alive."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= _CODEC_ENVIRONMENT
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell, nothing from outside
                    [sys.executable, "-P", "-m", "jikimi.engine.decode.box", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=environment,
                    start_new_session=True,  # Ctrl-C is for us; we then close the socket
                )
            except OSError:
                ours.close()
                raise
        self._socket = ours
        self._warming = threading.Lock()
        self._is_warm = False
        self.end = weakref.finalize(self, _end, self._process, ours, os.getpid())
        """End the fork server; done at the latest when this object or the interpreter goes."""

    def send(self, packet: bytes, descriptors: list[int]) -> None:
        """Hand over a job, after waiting for the warm-up if need be."""
        try:
            self._wait_until_warm()
            socket.send_fds(self._socket, [packet], descriptors)
        except OSError as error:
            raise _ServerLost from error

    def abandon(self) -> None:
        """Forget it without touching the process, which is not our child."""
        self.end.detach()
        self._process.returncode = 0  # Popen must not wait for another process's child
        self._socket.close()

    def _wait_until_warm(self) -> None:
        with self._warming:
            if self._is_warm:
                return
            self._socket.settimeout(START_SECONDS)
            if self._socket.recv(len(wire.READY)) != wire.READY:
                raise _ServerLost
            self._socket.settimeout(SEND_SECONDS)
            self._is_warm = True


def _end(process: subprocess.Popen[bytes], control: socket.socket, owner: int) -> None:
    control.close()
    if os.getpid() != owner:
        return
    process.kill()  # its children die with it (PDEATHSIG)
    process.wait()


class _Job:
    """One file on its way through one child. Afterwards `peak_bytes` and `has_crashed` say how the child fared."""

    def __init__(self, limits: Limits, records: _Records) -> None:
        self._limits = limits
        self._records = records
        self.peak_bytes = 0
        self.has_crashed = False

    def run(self, server: _Server, packet: bytes, source: int) -> Decoded:
        output, child_output = os.pipe()
        status, child_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with status:
            try:
                with child_status, contextlib.closing(_Descriptor(child_output)):
                    server.send(packet, [source, child_output, child_status.fileno()])
                return self._follow(output, status)
            finally:
                os.close(output)

    def _follow(self, output: int, status: socket.socket) -> Decoded:
        """Read until the child is gone. End of file proves nothing: a fork of ours may hold the pipe's other end."""
        deadline = time.monotonic() + self._limits.seconds + GRACE_SECONDS
        os.set_blocking(output, False)
        waiting = select.poll()
        waiting.register(output, select.POLLIN)
        waiting.register(status, select.POLLIN)
        try:
            while time.monotonic() < deadline:
                ready = dict(waiting.poll(max(deadline - time.monotonic(), 0) * 1000))
                if output in ready and not self._read(output):
                    waiting.unregister(output)
                if status.fileno() in ready:
                    while self._read(output):
                        pass  # the child is gone, so what the pipe holds now is all there is
                    return self._judge(status)
        except _Nonsense:
            return self._give_up(status, Reason.DECODER_FAILED)
        return self._give_up(status, Reason.TIMEOUT)

    def _read(self, output: int) -> bool:
        """Take what the pipe holds; False if that is nothing, which after a poll means that it has ended."""
        try:
            untrusted_bytes = os.read(output, READ_BYTES)
        except BlockingIOError:
            return False
        self._records.feed(untrusted_bytes)
        return bool(untrusted_bytes)

    def _judge(self, status: socket.socket) -> Decoded:
        how, code = self._receive(status)
        if how == wire.EXITED:
            has_ended = code == 0 and self._records.has_ended
            return self._records.decoded(None if has_ended else Reason.DECODER_FAILED)
        if how == wire.NOT_STARTED:
            return self._records.decoded(Reason.DECODER_FAILED)
        if code in _TIMEOUTS:
            return self._records.decoded(Reason.TIMEOUT)
        self.has_crashed = True
        return self._records.decoded(Reason.MEMORY if code == signal.SIGKILL else Reason.UNDECODABLE)

    def _give_up(self, status: socket.socket, reason: Reason) -> Decoded:
        """Have the child killed, and wait for it to be gone, so that no more than `workers` ever run."""
        status.shutdown(socket.SHUT_WR)
        status.settimeout(KILL_SECONDS)
        self._receive(status)
        return self._records.decoded(reason)

    def _receive(self, status: socket.socket) -> tuple[bytes, int]:
        try:
            packet = status.recv(wire.STATUS.size)
        except OSError as error:
            raise _ServerLost from error
        if len(packet) != wire.STATUS.size:
            raise _ServerLost
        how, code, self.peak_bytes = wire.STATUS.unpack(packet)
        return how, code


class _Descriptor:
    """A descriptor that can be closed once."""

    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


class _Records:
    """The records of one child, believed only as far as each was checked."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._longest = MAX_RECORD_BYTES
        self._buffer = bytearray()
        self._width = self._height = self._frames = 0
        self._sketches: list[Sketch] = []
        self._faults: tuple[Reason, ...] = ()
        self.has_ended = False

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
                raise _Nonsense
            end = wire.RECORD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[wire.RECORD.size : end])
            del self._buffer[:end]
            self._take(tag, payload)

    def _take(self, untrusted_tag: bytes, untrusted_payload: bytes) -> None:
        if self.has_ended:
            raise _Nonsense
        if untrusted_tag == wire.SIZE_TAG:
            self._take_size(untrusted_payload)
        elif untrusted_tag == wire.SKETCH_TAG:
            self._take_sketch(untrusted_payload)
        elif untrusted_tag == wire.END_TAG:
            self._take_end(untrusted_payload)
        else:
            raise _Nonsense

    def _take_size(self, untrusted_payload: bytes) -> None:
        if self._width or len(untrusted_payload) != wire.SIZE.size:
            raise _Nonsense
        width, height = wire.SIZE.unpack(untrusted_payload)
        if not 0 < width * height <= self._limits.max_pixels:
            raise _Nonsense
        self._width, self._height = width, height

    def _take_sketch(self, untrusted_payload: bytes) -> None:
        if not self._width or len(untrusted_payload) != MAX_RECORD_BYTES:
            raise _Nonsense
        frame, flattened, type_ = wire.SKETCH.unpack_from(untrusted_payload)
        data = untrusted_payload[wire.SKETCH.size :]
        if type_.rstrip(b"\0") != b"pdq" or not self._is_next(frame, flattened) or not _is_luma(data):
            raise _Nonsense
        self._sketches.append(Sketch(type="pdq", frame=frame, flattened=flattened, data=data))

    def _is_next(self, frame: int, flattened: bool) -> bool:
        """Frames come in order from 0; a flattened view follows the plain view of the same frame."""
        last = self._sketches[-1] if self._sketches else None
        if flattened:
            return last is not None and not last.flattened and last.frame == frame
        return frame == (0 if last is None else last.frame + 1) and frame < self._limits.max_frames

    def _take_end(self, untrusted_payload: bytes) -> None:
        if not wire.END.size <= len(untrusted_payload) <= MAX_END_BYTES:
            raise _Nonsense
        (frames,) = wire.END.unpack_from(untrusted_payload)
        faults = _read_faults(untrusted_payload[wire.END.size :])
        plain = sum(not sketch.flattened for sketch in self._sketches)
        # A frame is checked when all its views are, so a fault may leave one view more than frames.
        if frames != plain and not (faults and frames == plain - 1):
            raise _Nonsense
        if frames == 0 and not faults:
            raise _Nonsense
        self._frames, self._faults, self.has_ended = frames, faults, True


class _Picture(_Records):
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
            raise _Nonsense

    def _take_picture(self, untrusted_payload: bytes) -> None:
        if len(untrusted_payload) < wire.PICTURE.size:
            raise _Nonsense
        width, height, channels = wire.PICTURE.unpack_from(untrusted_payload)
        pixels = untrusted_payload[wire.PICTURE.size :]
        if not (0 < width <= self._side and 0 < height <= self._side and channels == self._channels):
            raise _Nonsense
        if len(pixels) != width * height * channels:
            raise _Nonsense
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
        raise _Nonsense from None
    if not _FAULTS_OF_A_CHILD.issuperset(faults):
        raise _Nonsense
    return faults


def codec_versions() -> dict[str, str]:
    """Versions of what reads hostile bytes, for `jikimi doctor`."""
    versions = {name: importlib.metadata.version(name) for name in ("pillow", "numpy")}
    for codec in ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp", "avif"):
        version = features.version(codec)
        if version is not None:
            versions[codec] = version
    return versions
