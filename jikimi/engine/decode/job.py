"""One file on its way through one child: handed over, followed, given up when it takes too long, judged by its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time

from jikimi.engine.decode import wire
from jikimi.engine.decode.records import Nonsense, Records
from jikimi.engine.decode.server import Server, ServerLost
from jikimi.model.media import Decoded, Limits, Reason

GRACE_SECONDS = 1.0
"""Above `Limits.seconds`: the child's own timer starts a little later and should strike first."""
KILL_SECONDS = 5.0
"""How long the fork server may take to report a child that it was told to kill."""
READ_BYTES = 64 * 1024
"""One read from the output pipe: its usual capacity."""
_TIMEOUTS = (signal.SIGALRM, signal.SIGXCPU)


class Job:
    """One file on its way through one child. Afterwards `peak_bytes` and `has_crashed` say how the child fared."""

    def __init__(self, limits: Limits, records: Records) -> None:
        self._limits = limits
        self._records = records
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
        except Nonsense:
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
