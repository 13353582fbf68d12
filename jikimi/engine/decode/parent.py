"""The decoder that the rest of the service sees: bytes in an open file to sketches, through a locked child.

Decided here: which fork server gets a file, how many children run at once, when one is given up, and what each way to
end means for the file. JPEGs go to the native one (`native`) where it is installed and sees what Pillow sees; what its
child declines, and everything else, goes to the general one (`box`). Every byte from a child is untrusted: a hostile
picture may have taken the child over. Not decided here: how pixels are read (`upright`), what a child may do (`lock`).

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
import sys
import tempfile
import threading
import time
import weakref
from typing import BinaryIO, Self

import numpy as np
from PIL import features

from jikimi.engine.decode import native, wire
from jikimi.engine.decode.lock import support
from jikimi.engine.decode.server import Keeper, Server, ServerLost
from jikimi.model.errors import Refused
from jikimi.model.media import PICTURES, Decoded, Limits, MediaKind, Reason, Sketch

GRACE_SECONDS = 1.0
"""Above `Limits.seconds`: the child's own timer starts a little later and should strike first."""
KILL_SECONDS = 5.0
"""How long the fork server may take to report a child that it was told to kill."""
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


class Decoder:
    """Decodes from many threads at once, at most `workers` files at a time. Raises Refused if it cannot lock children.

    Safe across `os.fork`: the forked process starts fork servers of its own at first use. If this process dies in any
    way, fork servers and children vanish.
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
        self.crashes = 0
        """Children that a signal ended, timeouts not counted."""
        self.largest_child_bytes = 0
        """Largest resident size that any child had, pages shared with the fork server included."""
        self._workers = workers
        self._sandbox = sandbox
        self._wait_seconds = wait_seconds
        self._renew()
        self._general = Keeper(lambda: Server([sys.executable, "-P", "-m", "jikimi.engine.decode.box"]))
        self._plain = _plain()
        self._is_plain_proven: bool | None = None
        _decoders.add(self)

    @property
    def restarts(self) -> int:
        """Fork servers that had to be replaced because they died."""
        return sum(keeper.restarts for keeper in self._keepers())

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

    def health(self) -> bool:
        """Send one tiny picture all the way through; being busy counts as well."""
        descriptor = os.memfd_create("jikimi-health")
        with open(descriptor, "w+b", buffering=0) as file:
            file.write(HEALTH_PICTURE)
            faults = self.decode(file, MediaKind.BMP).faults
        return faults in ((), (Reason.BUSY,))

    def is_plain_native(self) -> bool:
        """Tell whether plain JPEGs are decoded by the native fork server, which is tried out at the first call."""
        if self._plain is None:
            return False
        with self._proving:
            if self._is_plain_proven is None:
                self._is_plain_proven = all(self._sees_as_pillow(self._plain, proof) for proof in native.proofs())
                if not self._is_plain_proven:
                    self._plain.close()
            return self._is_plain_proven

    def close(self) -> None:
        """End the fork servers; what is being decoded ends as `decoder_failed`."""
        for keeper in self._keepers():
            keeper.close()

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
        decoded = None
        if kind is MediaKind.JPEG and self._plain is not None and self.is_plain_native():
            decoded = self._ask(self._plain, source, kind, self.limits)
        if decoded is None:
            decoded = self._ask(self._general, source, kind, self.limits)
        return decoded or Decoded(faults=(Reason.DECODER_FAILED,))

    def _ask(self, keeper: Keeper, source: int, kind: MediaKind, limits: Limits) -> Decoded | None:
        """Have a file decoded; None if the child declined, or if no fork server stays alive."""
        packet = wire.JOB.pack(
            kind.encode(),
            limits.max_bytes,
            limits.max_pixels,
            limits.max_frames,
            limits.max_total_pixels,
            limits.memory_bytes,
            limits.seconds,
            self._sandbox,
        )
        for _ in range(_TRIES):
            server = keeper.living()
            if server is None:
                break
            job = _Job(limits, may_decline=keeper is self._plain)
            try:
                decoded = job.run(server, packet, source)
            except ServerLost:
                keeper.replace(server)
            else:
                self._count(job)
                return decoded
        return None

    def _sees_as_pillow(self, keeper: Keeper, proof: native.Proof) -> bool:
        with open(os.memfd_create("jikimi-proof"), "w+b", buffering=0) as file:
            file.write(proof.jpeg)
            decoded = self._ask(keeper, file.fileno(), MediaKind.JPEG, Limits())
        if decoded is None or decoded.faults or (decoded.width, decoded.height) != (proof.width, proof.height):
            return False
        return [sketch.data for sketch in decoded.sketches] == [proof.sample]

    def _count(self, job: _Job) -> None:
        with self._counting:
            self.crashes += job.has_crashed
            self.largest_child_bytes = max(self.largest_child_bytes, job.peak_bytes)

    def _keepers(self) -> list[Keeper]:
        return [self._general] if self._plain is None else [self._general, self._plain]

    def _renew(self) -> None:
        self._counting, self._proving = threading.Lock(), threading.Lock()
        self._slots = threading.BoundedSemaphore(self._workers)

    def _leave_to_parent(self) -> None:
        self._renew()
        for keeper in self._keepers():
            keeper.leave_to_parent()


def _plain() -> Keeper | None:
    program = native.program()
    return None if program is None else Keeper(lambda: native.start(program))


_decoders: weakref.WeakSet[Decoder] = weakref.WeakSet()


def _after_fork() -> None:
    for decoder in list(_decoders):
        decoder._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)


class _Nonsense(Exception):  # noqa: N818
    """A child wrote what no honest child writes."""


class _Job:
    """One file on its way through one child. Afterwards `peak_bytes` and `has_crashed` say how the child fared."""

    def __init__(self, limits: Limits, *, may_decline: bool = False) -> None:
        self._limits = limits
        self._records = _Records(limits, may_decline=may_decline)
        self.peak_bytes = 0
        self.has_crashed = False

    def run(self, server: Server, packet: bytes, source: int) -> Decoded | None:
        """Have the job done and follow it to its end; None if the child declined."""
        output, child_output = os.pipe()
        status, child_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with status:
            try:
                with child_status, contextlib.closing(_Descriptor(child_output)):
                    server.send(packet, [source, child_output, child_status.fileno()])
                return self._follow(output, status)
            finally:
                os.close(output)

    def _follow(self, output: int, status: socket.socket) -> Decoded | None:
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

    def _judge(self, status: socket.socket) -> Decoded | None:
        how, code = self._receive(status)
        if how == wire.EXITED:
            if code == 0 and self._records.has_declined:
                return None
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
            raise ServerLost from error
        if len(packet) != wire.STATUS.size:
            raise ServerLost
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

    def __init__(self, limits: Limits, *, may_decline: bool = False) -> None:
        self._limits = limits
        self._may_decline = may_decline
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
            if length > MAX_RECORD_BYTES:
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
        elif untrusted_tag == wire.DECLINED_TAG:
            self._take_declined(untrusted_payload)
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

    def _take_declined(self, untrusted_payload: bytes) -> None:
        if not self._may_decline or self._width or untrusted_payload:
            raise _Nonsense
        self.has_ended = self.has_declined = True


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
