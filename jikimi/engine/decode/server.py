"""A fork server as its parent holds it: started at first use, replaced when it dies, gone when its parent is.

Two programs are run this way, and both speak `wire`: the general one (`box`) and the native one for plain JPEGs
(`native`). Not decided here: what is asked of them, and what their answers mean (`parent`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import weakref
from collections.abc import Callable

from jikimi.engine.decode import wire

START_SECONDS = 30.0
"""A fork server that is not warm by then is broken; it takes half a second on an idle machine."""
SEND_SECONDS = 5.0
PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "JIKIMI_KERNEL_LEVEL")
"""Of our environment a fork server gets only these: the rest may hold passwords, and codecs need none of it."""
CODEC_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""No thread can start under the lock. Huge pages spare a child most page faults of large pictures (5 ms of 40 at 1.6
megapixels); C libraries that do not know the setting ignore it."""


class ServerLost(Exception):  # noqa: N818 - a fact that `parent` acts on, not a failure that leaves this package
    """The fork server is dead or deaf; whether the job ran is unknown, and does not matter: decoding has no effects."""


class Server:
    """One fork server: its process and the socket that keeps it alive."""

    def __init__(self, command: list[str], setup: bytes = b"") -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | CODEC_ENVIRONMENT
        with theirs:
            try:
                self.process = subprocess.Popen(  # noqa: S603 - our own program, no shell, nothing from outside
                    [*command, str(theirs.fileno())],
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
        self._setup = setup
        self._warming = threading.Lock()
        self._is_warm = False
        self.end = weakref.finalize(self, _end, self.process, ours, os.getpid())
        """End the fork server; done at the latest when this object or the interpreter goes."""

    def send(self, packet: bytes, descriptors: list[int]) -> None:
        """Hand over a job, after waiting for the warm-up if need be."""
        try:
            self._wait_until_warm()
            socket.send_fds(self._socket, [packet], descriptors)
        except OSError as error:
            raise ServerLost from error

    def abandon(self) -> None:
        """Forget it without touching the process, which is not our child."""
        self.end.detach()
        self.process.returncode = 0  # Popen must not wait for another process's child
        self._socket.close()

    def _wait_until_warm(self) -> None:
        with self._warming:
            if self._is_warm:
                return
            self._socket.settimeout(START_SECONDS)
            if self._setup:
                self._socket.send(self._setup)
            if self._socket.recv(len(wire.READY)) != wire.READY:
                raise ServerLost
            self._socket.settimeout(SEND_SECONDS)
            self._is_warm = True


def _end(process: subprocess.Popen[bytes], control: socket.socket, owner: int) -> None:
    control.close()
    if os.getpid() != owner:
        return
    process.kill()  # its children die with it (PDEATHSIG)
    process.wait()


class Keeper:
    """Sees to it that there is one fork server of a kind, from its first use on."""

    def __init__(self, start: Callable[[], Server]) -> None:
        self.server: Server | None = None
        self.restarts = 0
        """Fork servers that had to be replaced because they died."""
        self._start = start
        self._is_closed = False
        self._lock = threading.Lock()

    def living(self) -> Server | None:
        """The fork server; none after `close`, or if none can be started."""
        with self._lock:
            if self.server is None and not self._is_closed:
                self.server = self._started()
            return self.server

    def replace(self, lost: Server) -> None:
        """Start another fork server, once, however many threads saw this one die."""
        with self._lock:
            if self.server is not lost or self._is_closed:
                return
            self.restarts += 1
            self.server = self._started()
        lost.end()

    def close(self) -> None:
        """End the fork server for good."""
        with self._lock:
            self._is_closed = True
            server, self.server = self.server, None
        if server is not None:
            server.end()

    def leave_to_parent(self) -> None:
        """In a process just forked: let go of the fork server that belongs to the parent."""
        self._lock = threading.Lock()
        server, self.server = self.server, None
        if server is not None:
            server.abandon()

    def _started(self) -> Server | None:
        try:
            return self._start()
        except OSError:
            return None
