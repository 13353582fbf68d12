"""The lock holds: what a process may still do after `lock_down`, shown in a forked process of its own."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jikimi.engine.decode.lock import lock_down, support

Probe = Callable[[int], object]
"""Gets a descriptor that is open for reading and writing besides the output; what it returns is written there."""

MEGABYTE = 1024 * 1024
TOO_MUCH = 1024 * MEGABYTE
"""Far above the limit of a locked process: the memory that the test process has freed before counts as there."""
_libc = ctypes.CDLL(None, use_errno=True)


def locked(probe: Probe, *, sandbox: bool = True, seconds: float = 5.0) -> tuple[bytes, int]:
    """Run `probe` in a locked process; return what it wrote and the signal that ended it (0 if none)."""
    parent = os.getpid()
    result, output = os.pipe()
    other = os.memfd_create("other")
    os.write(other, bytes(8192))
    pid = os.fork()
    if pid == 0:
        try:
            lock_down(parent=parent, memory_bytes=64 * MEGABYTE, seconds=seconds, output=output, sandbox=sandbox)
            os.write(output, str(probe(other)).encode())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test wants to see it
            os.write(output, f"{type(error).__name__} {getattr(error, 'errno', '')}".encode())
        finally:
            os._exit(0)
    os.close(output)
    os.close(other)
    with open(result, "rb") as stream:
        written = stream.read()
    _, ended = os.waitpid(pid, 0)
    return written, os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0


def mprotect_executable(_: int) -> int:
    page = _libc.mmap
    page.restype = ctypes.c_void_p
    address = page(None, ctypes.c_size_t(4096), 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, ctypes.c_long(0))
    if _libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), 5) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    return 0


REFUSED: dict[str, Probe] = {
    "open": lambda _: os.open("/etc/passwd", os.O_RDONLY),
    "open for writing": lambda _: os.open("/tmp/jikimi-lock-test", os.O_WRONLY | os.O_CREAT),  # noqa: S108
    "stat": lambda _: Path("/").stat(),
    "fork": lambda _: os.fork(),
    "write elsewhere": lambda other: os.write(other, b"x"),
    "read": lambda other: os.read(other, 1),
    "kill": lambda _: os.kill(os.getppid(), 0),
    "dup": lambda other: os.dup(other),
    "pipe": lambda _: os.pipe(),
    "executable memory": lambda _: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "shared memory": lambda _: mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS),
    "memory made executable": mprotect_executable,
    "stop the timer": lambda _: signal.setitimer(signal.ITIMER_REAL, 0),
    "ignore the timer": lambda _: signal.signal(signal.SIGALRM, signal.SIG_IGN),
    "block the timer": lambda _: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}),
    "more memory": lambda _: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_an_error(name: str) -> None:
    # setrlimit: Python turns EPERM into a ValueError without a number
    answers = [b"PermissionError 1", b"itimer_error 1", b"ValueError "]
    assert locked(REFUSED[name]) in [(answer, 0) for answer in answers]


DEADLY: dict[str, Probe] = {
    "socket": lambda _: socket.socket(),
    "unix socket": lambda _: socket.socket(socket.AF_UNIX),
    "execve": lambda _: os.execv("/bin/true", ["true"]),  # noqa: S606
    "ptrace": lambda _: _libc.ptrace(0, 0, 0, 0),
    "read another process": lambda _: _libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0),
}


@pytest.mark.parametrize("name", DEADLY)
def test_answered_with_death(name: str) -> None:
    assert locked(DEADLY[name]) == (b"", signal.SIGSYS)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 exists on x86_64 only")
def test_the_x32_numbers_of_allowed_calls_are_deadly() -> None:
    assert locked(lambda _: _libc.syscall(ctypes.c_long(0x40000000 + 12), 0)) == (b"", signal.SIGSYS)


def test_ordinary_work_goes_on() -> None:
    assert locked(lambda _: len(bytes(32 * MEGABYTE))) == (str(32 * MEGABYTE).encode(), 0)


def test_memory_ends_at_the_limit() -> None:
    assert locked(lambda _: len(bytes(TOO_MUCH))) == (b"MemoryError ", 0)


def spin(_: int) -> None:
    while True:
        time.monotonic()


def test_time_ends_at_the_limit() -> None:
    began = time.monotonic()
    assert locked(spin, seconds=0.3) == (b"", signal.SIGALRM)
    assert time.monotonic() - began < 3


def test_without_sandbox_limits_stay() -> None:
    assert locked(lambda _: len(bytes(TOO_MUCH)), sandbox=False) == (b"MemoryError ", 0)
    assert locked(spin, sandbox=False, seconds=0.3) == (b"", signal.SIGALRM)
    assert locked(lambda other: os.write(other, b"x"), sandbox=False) == (b"OSError 27", 0)
    assert locked(lambda _: os.open("/etc/passwd", os.O_RDONLY), sandbox=False) == (b"OSError 24", 0)


def test_landlock_alone_forbids_files_too() -> None:
    if support().landlock_abi == 0:
        pytest.skip("this kernel has no Landlock")

    def probe() -> bytes:
        from jikimi.engine.decode import lock

        lock._prctl(lock._PR_SET_NO_NEW_PRIVS, 1)
        lock._forbid_files_and_network()
        try:
            os.open("/etc/passwd", os.O_RDONLY)
        except PermissionError:
            return b"refused"
        return b"opened"

    result, output = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(output, probe())
        os._exit(0)
    os.close(output)
    os.waitpid(pid, 0)
    with open(result, "rb") as stream:
        assert stream.read() == b"refused"


def test_support_tells_what_this_machine_has() -> None:
    found = support()
    assert found.seccomp == (found.reason == "")
    assert found.landlock_abi >= 0
    assert "Seccomp:\t0" in Path("/proc/self/status").read_text()
