"""The fork server and its locked children: `python -m jikimi.engine.decode.box DESCRIPTOR`.

The fork server imports and warms up the codecs once, then forks one child per job that arrives on its socket. It never
looks at a byte of any file, reports how each child ended, kills a child whose job was given up (its status socket was
shut), and ends when its own socket closes. A child reads the file into memory, locks itself (`lock`), decodes
(`upright`), writes a sketch of each frame as soon as it is done, or draws one picture (`draw`), and exits; nothing of
one file survives to the next.
What an end of a child means for the file is decided in `parent`.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import warnings
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from jikimi.engine.decode import upright, warm, wire
from jikimi.engine.decode.draw import Drawing, draw
from jikimi.engine.decode.lock import lock_down, prepare
from jikimi.model.media import Limits, MediaKind, Reason

EXIT_DONE, EXIT_FAULT = 0, 70
_PACKETS = (wire.JOB.size, wire.JOB.size + wire.DRAWING.size)
OUTPUT = 3
"""Where a child keeps its output pipe; 0 to 2 are /dev/null and nothing else is open."""


@dataclass(frozen=True, slots=True)
class _Job:
    kind: MediaKind
    limits: Limits
    sandbox: bool
    drawing: Drawing | None


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    pidfd: int
    status: socket.socket


def main() -> None:
    """Warm up, say so, and serve until the socket that was inherited closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    control = socket.socket(fileno=int(sys.argv[1]))
    warm.run()
    prepare(OUTPUT)
    gc.collect()
    gc.freeze()  # the collector must not touch, and so copy, pages that children share with us
    try:
        control.send(wire.READY)
    except BrokenPipeError:
        return  # the parent is gone already
    _Server(control).serve()


class _Server:
    """The loop of the fork server; one thread, no file bytes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._watched = select.poll()
        self._watched.register(control, select.POLLIN)
        self._by_pidfd: dict[int, _Child] = {}
        self._by_status: dict[int, _Child] = {}

    def serve(self) -> None:
        """Answer until the parent is gone; what still runs then dies with us."""
        while True:
            ready = {descriptor for descriptor, _ in self._watched.poll()}
            for descriptor in ready:
                if descriptor in self._by_pidfd:
                    self._bury(self._by_pidfd[descriptor])
                elif descriptor in self._by_status:
                    self._kill(self._by_status[descriptor])
            # New jobs last: they may reuse descriptor numbers that are in `ready` for a child just buried.
            if self._control.fileno() in ready and not self._take_job():
                return

    def _take_job(self) -> bool:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, max(_PACKETS), wire.JOB_DESCRIPTORS)
        except ConnectionResetError:
            return False  # the parent left without having read that we are ready
        if not packet:
            return False
        if len(packet) in _PACKETS and len(descriptors) == wire.JOB_DESCRIPTORS:
            source, output, status = descriptors
            self._start(packet, source, output, socket.socket(fileno=status))
        return True

    def _start(self, packet: bytes, source: int, output: int, status: socket.socket) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            _send(status, wire.NOT_STARTED, 0, 0)
            status.close()
        else:
            if pid == 0:
                _live(packet, source, output, server)
            child = _Child(pid, os.pidfd_open(pid), status)
            self._by_pidfd[child.pidfd] = self._by_status[status.fileno()] = child
            self._watched.register(child.pidfd, select.POLLIN)
            self._watched.register(status, select.POLLIN)
        finally:
            os.close(source)
            os.close(output)

    def _kill(self, child: _Child) -> None:
        self._forget_status(child)
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

    def _bury(self, child: _Child) -> None:
        _, ended, usage = os.wait4(child.pid, 0)
        how = wire.SIGNALLED if os.WIFSIGNALED(ended) else wire.EXITED
        code = os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else os.WEXITSTATUS(ended)
        _send(child.status, how, code, usage.ru_maxrss * 1024)
        self._forget_status(child)
        self._watched.unregister(child.pidfd)
        del self._by_pidfd[child.pidfd]
        os.close(child.pidfd)
        child.status.close()

    def _forget_status(self, child: _Child) -> None:
        if self._by_status.pop(child.status.fileno(), None) is not None:
            self._watched.unregister(child.status)


def _send(status: socket.socket, how: bytes, code: int, peak_bytes: int) -> None:
    try:
        status.send(wire.STATUS.pack(how, code, peak_bytes))
    except OSError:
        return  # the one who asked is gone


def _live(packet: bytes, source: int, output: int, server: int) -> NoReturn:
    """Be a child, from the fork to the end."""
    code = EXIT_FAULT
    try:
        _run(_unpack(packet), source, output, server)
        code = EXIT_DONE
    finally:
        os._exit(code)


def _run(job: _Job, source: int, output: int, server: int) -> None:
    untrusted_bytes = _read(source, job.limits.max_bytes)
    os.dup2(0, 2)
    os.dup2(output, OUTPUT)
    os.closerange(OUTPUT + 1, os.sysconf("SC_OPEN_MAX"))
    lock_down(
        parent=server,
        memory_bytes=max(job.limits.memory_bytes - len(untrusted_bytes or b""), 0),
        seconds=job.limits.seconds,
        output=OUTPUT,
        sandbox=job.sandbox,
    )
    if untrusted_bytes is None:
        _write_end(0, [Reason.UNREADABLE])
    elif job.drawing is not None:
        _draw(untrusted_bytes, job, job.drawing)
    else:
        _decode(untrusted_bytes, job)


def _read(source: int, max_bytes: int) -> bytes | None:
    """Read the whole file without moving the offset that we share with the parent; None if the disk says no."""
    size = min(os.fstat(source).st_size, max_bytes)
    parts = []
    done = 0
    try:
        while part := os.pread(source, size - done, done):
            parts.append(part)
            done += len(part)
    except OSError:
        return None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decode(untrusted_bytes: bytes, job: _Job) -> None:
    done = 0
    faults = []
    try:
        for frame in upright.frames(untrusted_bytes, job.kind, job.limits):
            if done == 0:
                _write(wire.SIZE_TAG, wire.SIZE.pack(frame.width, frame.height))
            _write_sketch(frame, flattened=False)
            if frame.is_transparent:
                _write_sketch(frame, flattened=True)
            done += 1
    except Exception as error:  # noqa: BLE001 - codecs raise anything; each becomes a reason that the parent records
        faults.append(upright.reason_for(error))
    _write_end(done, faults)


def _draw(untrusted_bytes: bytes, job: _Job, drawing: Drawing) -> None:
    faults = []
    try:
        image = draw(untrusted_bytes, job.kind, job.limits, drawing)
        head = wire.PICTURE.pack(image.width, image.height, len(image.getbands()))
        _write(wire.PICTURE_TAG, head + image.tobytes())
    except Exception as error:  # noqa: BLE001 - as in `_decode`
        faults.append(upright.reason_for(error))
    _write_end(0 if faults else 1, faults)


def _write_sketch(frame: upright.Frame, *, flattened: bool) -> None:
    sketch = frame.sample(flattened=flattened)
    _write(
        wire.SKETCH_TAG, wire.SKETCH.pack(frame.number, flattened, b"pdq") + sketch.astype(np.dtype("<f4")).tobytes()
    )


def _write_end(frames: int, faults: list[Reason]) -> None:
    _write(wire.END_TAG, wire.END.pack(frames) + ",".join(faults).encode())


def _write(tag: bytes, payload: bytes) -> None:
    rest = memoryview(wire.RECORD.pack(tag, len(payload)) + payload)
    while rest:
        rest = rest[os.write(OUTPUT, rest) :]


def _unpack(packet: bytes) -> _Job:
    kind, max_bytes, max_pixels, max_frames, max_total_pixels, memory, seconds, sandbox = wire.JOB.unpack_from(packet)
    limits = Limits(
        max_bytes=max_bytes,
        max_pixels=max_pixels,
        max_frames=max_frames,
        max_total_pixels=max_total_pixels,
        seconds=seconds,
        memory_bytes=memory,
    )
    drawing = None
    if len(packet) > wire.JOB.size:
        side, frame, grey, flattened = wire.DRAWING.unpack_from(packet, wire.JOB.size)
        drawing = Drawing(side=side, frame=frame, grey=grey, flattened=flattened)
    return _Job(MediaKind(kind.rstrip(b"\0").decode()), limits, sandbox, drawing)


if __name__ == "__main__":
    main()
