"""Walls between processes of one machine: around a decoder, and around who holds our secrets.

Each wall is one that Linux has; `confine` puts up as many as the system allows, and `open_ways` says which
ways out are left. Nothing here imports a library of others: the decoder's child uses it before it decodes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import resource

_NOBODY: Final = 65_534  # the user and the group that own nothing, on every Linux and in every user namespace

# linux/prctl.h, linux/seccomp.h, linux/audit.h, linux/filter.h
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_SET_MODE_FILTER: Final = 1
_SECCOMP_FILTER_FLAG_TSYNC: Final = 1
_KILL_PROCESS: Final = 0x8000_0000
_REFUSE: Final = 0x0005_0001  # the call returns EPERM
_ALLOW: Final = 0x7FFF_0000
_LOAD: Final = 0x20  # a word of `struct seccomp_data`
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_PROT_EXEC: Final = 4

_SYSTEMS: Final = {  # the number of seccomp(2), the name in linux/audit.h, and its calls below
    "x86_64": (317, 0xC000_003E),
    "aarch64": (277, 0xC000_00B7),
}
_CALLS: Final = {
    # What a decoder does once everything is loaded: it reads, reckons and writes. Numbers from
    # arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "close": (3, 57),
    "lseek": (8, 62), "fstat": (5, 80), "munmap": (11, 215), "mremap": (25, 216), "brk": (12, 214),
    "madvise": (28, 233), "futex": (202, 98), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "getpid": (39, 172), "gettid": (186, 178), "getrusage": (98, 165), "times": (100, 153),
    "sysinfo": (99, 179), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "nanosleep": (35, 101), "restart_syscall": (219, 128),
    "getrandom": (318, 278), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
_MAPPING_CALLS: Final = {"mmap": (9, 222), "mprotect": (10, 226)}  # allowed for memory that is not run

_START_OF_ENVIRONMENT: Final = 50  # the fields of /proc/PID/stat, see proc_pid_stat(5)
_END_OF_ENVIRONMENT: Final = 51
_FIRST_FIELD_BEHIND_THE_NAME: Final = 3


def close_memory() -> None:
    """Let no other process of the same user read this one's memory and environment; on Linux only.

    The system does not write it to a core dump then either.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def wipe_environment(names: Iterable[str]) -> None:
    """Take these variables out of the environment, and out of what `/proc/PID/environ` shows of it.

    Deleting them is not enough: there stands what the process was started with, for as long as it runs.
    """
    for name in names:
        os.environ.pop(name, None)  # noqa: TID251 - nothing is read
        if sys.platform == "linux":
            _overwrite(name)


def _overwrite(name: str) -> None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = (
            int(fields[number - _FIRST_FIELD_BEHIND_THE_NAME])
            for number in (_START_OF_ENVIRONMENT, _END_OF_ENVIRONMENT)
        )
        if not 0 < start < end:
            return
        begins = name.encode() + b"="
        at = start
        for variable in ctypes.string_at(start, end - start).split(b"\0"):
            if variable.startswith(begins):
                ctypes.memset(at + len(begins), 0, len(variable) - len(begins))
            at += len(variable) + 1


def confine(*, megabytes: int, cpu_seconds: int) -> None:
    """Give up for good what a decoder does not need; to be called when everything is loaded.

    Memory and processor time are bounded. No file is opened, no connection and no process is made any more,
    no other process is read or signalled, and of root nothing is left. Where the system lacks a wall the
    others stand all the same; `open_ways` tells.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        os.nice(10)
    if os.geteuid() == 0:
        _become_nobody()
    _set_limits(megabytes, cpu_seconds)
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1):
            _filter_calls()


def _become_nobody() -> None:
    """Stop being root, for whom some limits do not count; a container may forbid even that."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        os.setgroups([])
    with contextlib.suppress(OSError, AttributeError):  # macOS has other names for it
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    with contextlib.suppress(OSError, AttributeError):
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _set_limits(megabytes: int, cpu_seconds: int) -> None:
    if sys.platform == "win32":
        return
    for limit, value in (
        (resource.RLIMIT_AS, megabytes * 1024 * 1024),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),  # those that are open stay usable; a closed one is not had again
        (resource.RLIMIT_NPROC, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def _prctl(option: int, value: int) -> bool:
    arguments = (ctypes.c_ulong(argument) for argument in (value, 0, 0, 0))
    return bool(ctypes.CDLL(None).prctl(option, *arguments) == 0)


def _filter_calls() -> bool:
    """Let the kernel refuse every system call but those above, in all threads; return whether it does."""
    machine = os.uname().machine if sys.platform != "win32" else ""
    if machine not in _SYSTEMS or sys.maxsize < 2**32:
        return False
    column = list(_SYSTEMS).index(machine)
    number, architecture = _SYSTEMS[machine]
    code = _program(
        architecture,
        [numbers[column] for numbers in _CALLS.values()],
        [numbers[column] for numbers in _MAPPING_CALLS.values()],
    )
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions))  # struct sock_fprog
    flags = (ctypes.c_ulong(flag) for flag in (_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC))
    return bool(ctypes.CDLL(None).syscall(ctypes.c_long(number), *flags, ctypes.c_char_p(program)) == 0)


def _program(architecture: int, allowed: list[int], not_to_be_run: list[int]) -> bytes:
    """Return the filter: a program for the kernel's packet filter, which judges each call by its number."""
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),  # the calls of another architecture have other numbers
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for number in allowed:
        lines += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in not_to_be_run:
        lines += [
            (_JUMP_IF_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS_AT + 2 * 8),  # the lower half of the third argument
            (_JUMP_IF_ANY_BIT, 1, 0, _PROT_EXEC),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _REFUSE),
        ]
    lines.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def open_ways() -> list[str]:
    """Return what this process can still do, in words, by trying it; nothing is left behind.

    To be called in a child that has been confined, for its parent to be told; `socket` is imported before.
    """
    ways: tuple[tuple[str, Callable[[], None]], ...] = (
        ("open files", _open_a_file),
        ("make connections", _make_a_socket),
        ("start processes", _start_a_process),
        ("signal the bot", _signal_the_parent),
        ("act as root", _act_as_root),
    )
    return [what for what, way in ways if _goes(way)]


def _goes(way: Callable[[], None]) -> bool:
    try:
        way()
    except (OSError, AttributeError):  # refused, or there is no such thing on this system
        return False
    return True


def _open_a_file() -> None:
    os.close(os.open(os.devnull, os.O_RDONLY))


def _make_a_socket() -> None:
    import socket  # a decoder has no other use for it

    socket.socket().close()


def _start_a_process() -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


def _signal_the_parent() -> None:
    if sys.platform == "win32":
        raise OSError("there 0 is Ctrl-C")
    os.kill(os.getppid(), 0)


def _act_as_root() -> None:
    os.setuid(0)
