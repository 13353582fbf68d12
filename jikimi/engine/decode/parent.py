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

import importlib.metadata
import io
import os
import stat
import struct
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import BinaryIO, Self

from PIL import features

from jikimi.engine.decode import native, wire
from jikimi.engine.decode.job import Job
from jikimi.engine.decode.lock import support
from jikimi.engine.decode.records import PictureRecords, Records
from jikimi.engine.decode.server import Keeper, Server, ServerLost
from jikimi.model.errors import Refused
from jikimi.model.media import PICTURES, Decoded, Drawing, Drawn, Limits, MediaKind, Reason

_TRIES = 2
"""A file during which the fork server died is tried once more with another one."""
HEALTH_PICTURE = b"BM" + struct.pack("<IIIIiiHHIIiiII", 70, 0, 54, 40, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0) + bytes(16)
"""A BMP of two by two black pixels; PDQ leaves it at zero, which is all that `health` needs."""


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
            packet = self._packet(kind, self.limits) + wanted
            decoded = self._run(self._general, file.fileno(), packet, lambda: PictureRecords(self.limits, drawing))
        finally:
            slots.release()
        if decoded is None:
            return Drawn(fault=Reason.DECODER_FAILED)
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
        packet, decoded = self._packet(kind, self.limits), None
        if kind is MediaKind.JPEG and self._plain is not None and self.is_plain_native():
            decoded = self._run(self._plain, source, packet, lambda: Records(self.limits, may_decline=True))
        if decoded is None:
            decoded = self._run(self._general, source, packet, lambda: Records(self.limits))
        return decoded or Decoded(faults=(Reason.DECODER_FAILED,))

    def _packet(self, kind: MediaKind, limits: Limits) -> bytes:
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

    def _run(self, keeper: Keeper, source: int, packet: bytes, records: Callable[[], Records]) -> Decoded | None:
        """Have a file decoded; None if the child declined, or if no fork server stays alive."""
        for _ in range(_TRIES):
            server = keeper.living()
            if server is None:
                break
            job = Job(self.limits, records())
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
            usual = Limits()
            packet = self._packet(MediaKind.JPEG, usual)
            decoded = self._run(keeper, file.fileno(), packet, lambda: Records(usual, may_decline=True))
        if decoded is None or decoded.faults or (decoded.width, decoded.height) != (proof.width, proof.height):
            return False
        return [sketch.data for sketch in decoded.sketches] == [proof.sample]

    def _count(self, job: Job) -> None:
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


def codec_versions() -> dict[str, str]:
    """Versions of what reads hostile bytes, for `jikimi doctor`."""
    versions = {name: importlib.metadata.version(name) for name in ("pillow", "numpy")}
    for codec in ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp", "avif"):
        version = features.version(codec)
        if version is not None:
            versions[codec] = version
    return versions
