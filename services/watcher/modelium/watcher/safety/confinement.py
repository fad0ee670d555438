"""Takes from this process, for good, whatever reading a model's files does not need.

Called by the analysis' own process once it knows what to read. Landlock leaves it the folders it
names, to be read; seccomp the system calls that reading takes; the limits of the kernel bound
memory, time and open files. Code that took the process over would have that much, and its answer.
"""

import contextlib
import errno
import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import landlockpy

try:
    import pyseccomp
except RuntimeError:  # there is no libseccomp
    pyseccomp = None

_READ: Final = landlockpy.AccessFS.READ_FILE | landlockpy.AccessFS.READ_DIR
_NICENESS: Final = 10
"""Requests go first."""
_OPEN_FILES: Final = 256
_STACK_BYTES: Final = 8 << 20
_WRITING: Final = 0o1 | 0o2 | 0o100 | 0o1000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC."""
_SHARED_OR_NEW: Final = 0x01 | 0x20
"""MAP_SHARED and MAP_ANONYMOUS: memory that is both is not counted as this process' own."""
_THREAD: Final = 0x00010000
"""CLONE_THREAD: a thread of this process, not another process."""

# Reading files, memory, threads and time of this process; nothing that reaches another one.
_ALLOWED: Final = """
access arch_prctl brk clock_getres clock_gettime clock_nanosleep close close_range dup dup2 dup3
exit exit_group faccessat faccessat2 fadvise64 fcntl fstat fstatfs futex futex_wait
futex_waitv futex_wake getcpu getcwd getdents64 getegid geteuid getgid getgroups getpid getppid
getrandom getresgid getresuid getrlimit getrusage gettid gettimeofday getuid lseek lstat madvise
membarrier mincore mprotect mremap munmap nanosleep newfstatat poll ppoll pread64
preadv preadv2 read readahead readlink readlinkat readv restart_syscall rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigreturn rt_sigtimedwait sched_getaffinity sched_getparam
sched_getscheduler sched_get_priority_max sched_get_priority_min sched_yield set_robust_list
set_tid_address sigaltstack stat statfs statx sysinfo uname write writev
""".split()  # noqa: SIM905 a name a line would take pages


@dataclass(frozen=True)
class Bounds:
    """What the process may take."""

    seconds: int
    """Of computing; the parent bounds the time that passes."""
    memory_bytes: int
    """Of its own: what is mapped from files is not counted."""


def confine(readable: Iterable[Path], bounds: Bounds) -> None:
    """Give up everything else, each part as far as this machine has it; `probe.py` tells."""
    os.nice(_NICENESS)
    _limit(bounds)
    # A container may forbid what its kernel has.
    with contextlib.suppress(landlockpy.LandlockError):
        if landlockpy.supported():
            _hide_files(readable)
    if pyseccomp is not None:
        with contextlib.suppress(OSError):
            _filter_calls()


def _limit(bounds: Bounds) -> None:
    for what, most in (
        (resource.RLIMIT_CPU, bounds.seconds),
        (resource.RLIMIT_DATA, bounds.memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_STACK, _STACK_BYTES),
    ):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def _hide_files(readable: Iterable[Path]) -> None:
    scopes = landlockpy.Scope.SIGNAL | landlockpy.Scope.ABSTRACT_UNIX_SOCKET
    with landlockpy.Ruleset(scoped=scopes) as rules:
        for path in readable:
            rights = _READ if path.is_dir() else landlockpy.AccessFS.READ_FILE
            rules.allow_path(path, rights)
        rules.restrict()


def _filter_calls() -> None:
    """What is not allowed does not exist, as on an old kernel: libraries know how to go on."""
    calls = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))
    for name in _ALLOWED:
        _allow(calls, name)
    _allow(calls, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _THREAD, _THREAD))
    for kind in (0x00, 0x01, 0x20):
        only = pyseccomp.Arg(3, pyseccomp.MASKED_EQ, _SHARED_OR_NEW, kind)
        _allow(calls, "mmap", only)
    for name, flags in (("openat", 2), ("open", 1)):
        _allow(calls, name, pyseccomp.Arg(flags, pyseccomp.MASKED_EQ, _WRITING, 0))
    # Its own limits may be read, and not be raised again.
    _allow(calls, "prlimit64", pyseccomp.Arg(2, pyseccomp.EQ, 0))
    calls.load()


def _allow(calls: "pyseccomp.SyscallFilter", name: str, *when: "pyseccomp.Arg") -> None:
    """Names differ by architecture: one that is not there needs no rule."""
    try:
        calls.add_rule(pyseccomp.ALLOW, name, *when)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EDOM, errno.ESRCH, errno.EFAULT):
            raise
