"""Lock the calling process before it touches hostile bytes. Linux on x86_64 and aarch64, ctypes only.

Decided here: what a decoder may still ask of the kernel. Not decided here: what happens when it asks for more, or how
much memory and time one file may cost (`model.media.Limits`). In the order they are put on, and why:

1. Resource limits: address space (memory bombs), processor seconds (second clock), file size 0 (no byte of any regular
   file can be written), core dumps 0 (pixels never reach a disk), and at the end open files 0 (no new descriptor).
2. A wall-clock timer whose SIGALRM has its default action: set before the filter, which has no call to stop it.
3. No new privileges, not dumpable (no ptrace by the same user), dies with its parent.
4. Landlock with no rule at all: no path, no TCP, no abstract socket, no signal outside. The kernel may lack it; it is
   a second wall behind the filter.
5. seccomp, an allow-list. What decoding every kind really calls is `write` (allowed to the one output pipe), `mmap`
   (allowed if private and not executable), `munmap`, `brk`, `madvise`, `exit_group`. Two more are allowed unproven:
   `mremap`, else growing a large block copies it and needs twice the memory; `futex`, else a C library that calls it
   without need would abort. There is no `read`, `open` or `close` (the file is in memory), no `mprotect` (so nothing
   becomes executable), no signal or timer call. Everything else answers EPERM, so that a codec which only probes, for
   threads or processors, carries on. Calls that no decoder makes and every exploit wants (`execve`, `ptrace`,
   `socket`, ...) kill the process, and so do calls through a foreign architecture, x32 included.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import math
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSupport:
    """What this kernel can do for us. `reason` is empty, or says why decoding is refused."""

    seccomp: bool
    landlock_abi: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of one architecture: AUDIT_ARCH of <linux/audit.h> and the calls of <asm/unistd.h>."""

    audit: int
    write: int
    mmap: int
    allowed: tuple[int, ...]
    deadly: tuple[int, ...]
    foreign_from: int | None = None


# allowed: munmap brk mremap madvise futex exit_group
# deadly: execve execveat ptrace process_vm_readv process_vm_writev socket bpf userfaultfd io_uring_setup
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        write=1,
        mmap=9,
        allowed=(11, 12, 25, 28, 202, 231),
        deadly=(59, 322, 101, 310, 311, 41, 321, 323, 425),
        foreign_from=0x40000000,  # x32: the same AUDIT_ARCH, other numbers
    ),
    "aarch64": _Machine(
        0xC00000B7,
        write=64,
        mmap=222,
        allowed=(215, 214, 216, 233, 98, 94),
        deadly=(221, 281, 117, 270, 271, 198, 280, 282, 425),
    ),
}

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL, _DENY = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_PROT_EXEC, _MAP_TYPE, _MAP_PRIVATE = 4, 3, 2
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Landlock: how many file rights (bits from 0) each ABI knows; later ones know what 5 knows."""
_CPU_SLACK = 1
"""Seconds between the soft limit (SIGXCPU, reads as a timeout) and the hard one (SIGKILL)."""

_libc = ctypes.CDLL(None, use_errno=True)


def support() -> LockSupport:
    """Ask the kernel without changing anything in this process."""
    if platform.machine() not in _MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return LockSupport(
            seccomp=False, landlock_abi=_landlock_abi(), reason=f"no filter is written for {platform.machine()}"
        )
    # A null program is looked at last: EFAULT means that the kernel has filters and lets us set one.
    _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), None, 0, 0)
    refused = ctypes.get_errno()
    if refused != errno.EFAULT:
        return LockSupport(
            seccomp=False, landlock_abi=_landlock_abi(), reason=f"the kernel refuses seccomp: {os.strerror(refused)}"
        )
    return LockSupport(seccomp=True, landlock_abi=_landlock_abi(), reason="")


def lock_down(*, parent: int, memory_bytes: int, seconds: float, output: int, sandbox: bool = True) -> None:
    """Lock this process for good; only `output` can be written to. Without `sandbox`, only limits and timers apply.

    The caller has closed every descriptor that hostile code must not have. Raises OSError if anything is refused, or
    if `parent` is gone already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError(errno.ESRCH, "the parent died before the lock")
    _limit(memory_bytes, seconds)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.setitimer(signal.ITIMER_REAL, seconds)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    if sandbox:
        _forbid_files_and_network()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if sandbox:
        _filter_calls(output)


def _limit(memory_bytes: int, seconds: float) -> None:
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    pages = int(os.read(statm, 32).split()[0])
    os.close(statm)
    space = pages * resource.getpagesize() + memory_bytes
    cpu = math.ceil(seconds)
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + _CPU_SLACK))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} refused")


def _syscall(number: int, *arguments: object) -> int:
    return int(_libc.syscall(ctypes.c_long(number), *arguments))


@functools.cache
def _landlock_abi() -> int:
    return max(_syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1)), 0)


def landlock_rules() -> bytes:
    """What Landlock is to forbid, all that this kernel's one can; empty if it has none."""
    abi = _landlock_abi()
    rights = (1 << _FS_RIGHTS.get(abi, 16)) - 1
    fields = struct.pack("<QQQ", rights, 0b11, 0b11)  # files; TCP bind and connect; abstract sockets and signals
    return fields[: 0 if abi == 0 else 8 if abi < 4 else 16 if abi < 6 else 24]


def _forbid_files_and_network() -> None:
    rules = landlock_rules()
    if not rules:
        return
    ruleset = _syscall(_CREATE_RULESET, ctypes.c_char_p(rules), ctypes.c_size_t(len(rules)), ctypes.c_uint(0))
    if ruleset < 0 or _syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0)) != 0:
        raise OSError(ctypes.get_errno(), "Landlock refused")
    os.close(ruleset)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def prepare(output: int) -> None:
    """Work out, in the process that will fork, what does not change from child to child."""
    if platform.machine() in _MACHINES:
        filter_code(output)
    _landlock_abi()


@functools.cache
def filter_code(output: int) -> bytes:
    """The seccomp program of this architecture, in the kernel's own form."""
    return b"".join(struct.pack("<HBBI", *step) for step in _steps(_MACHINES[platform.machine()], output))


def _filter_calls(output: int) -> None:
    code = filter_code(output)
    program = _Program(len(code) // _STEP_BYTES, code)
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp refused")


_STEP_BYTES = 8
_Step = tuple[int, int, int, int]
"""One classic BPF instruction: operation, steps to skip if true, steps to skip if false, operand."""


def _steps(machine: _Machine, output: int) -> Iterator[_Step]:
    """Spell the filter over `struct seccomp_data`: number at 0, architecture at 4, low half of argument n at 16+8n."""
    yield (_LOAD, 0, 0, 4)
    yield (_EQUAL, 1, 0, machine.audit)
    yield (_RETURN, 0, 0, _KILL)
    yield (_LOAD, 0, 0, 0)
    if machine.foreign_from is not None:
        yield (_AT_LEAST, 0, 1, machine.foreign_from)
        yield (_RETURN, 0, 0, _KILL)
    yield from _answer(machine.allowed, _ALLOW)
    yield from _answer(machine.deadly, _KILL)
    yield from (
        (_EQUAL, 0, 4, machine.write),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 0, 1, output),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
        (_EQUAL, 0, 6, machine.mmap),
        (_LOAD, 0, 0, 32),
        (_ANY_BIT, 4, 0, _PROT_EXEC),
        (_LOAD, 0, 0, 40),
        (_AND, 0, 0, _MAP_TYPE),
        (_EQUAL, 0, 1, _MAP_PRIVATE),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    )


def _answer(numbers: Iterable[int], verdict: int) -> Iterator[_Step]:
    for number in numbers:
        yield (_EQUAL, 0, 1, number)
        yield (_RETURN, 0, 0, verdict)
