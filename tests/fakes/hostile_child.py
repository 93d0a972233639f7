"""What a recording does that has taken over the decoder: every way out, tried in a child of the bot.

Run by `besieged_bot.py`. With `walls` it is behind those of the real decoder, put up by the same function;
with `old-kernel` it is where system calls cannot be filtered; with `bare` it shows that the attacks are real.
Prints a JSON object: what each attack got, or null where it was refused.
"""

from __future__ import annotations

import ctypes
import encodings.idna  # noqa: F401 - an address needs it, and behind the walls nothing is loaded
import json
import mmap
import os
import platform
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    # x86-64 and ARM64, of calls that the C library has no function for, or hides
    "clone": (56, 220), "clone3": (435, 435), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434), "prlimit64": (302, 261), "memfd_create": (319, 279),
    "io_uring_setup": (425, 425), "shmget": (29, 194), "unshare": (272, 97), "tgkill": (234, 131),
    "sched_setaffinity": (203, 122), "setpriority": (141, 140), "openat2": (437, 437), "bpf": (321, 280),
    "userfaultfd": (323, 282), "open_by_handle_at": (304, 265), "keyctl": (250, 219), "mount": (165, 40),
}  # fmt: skip
COLUMN = 1 if platform.machine() == "aarch64" else 0
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x4000_0000

Attack = Callable[[], object]


def call(name: str, *arguments: int | ctypes.Array[ctypes.c_char] | bytes) -> int:
    """Make a system call; raises OSError if the kernel refuses it."""
    given = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(LIBC.syscall(ctypes.c_long(NUMBERS[name][COLUMN]), *given))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


class Attacks:
    """The ways out. ``address`` is where the bot's secret lies in its memory."""

    def __init__(self, address: int, length: int, port: int, listener: Path) -> None:
        self.bot = os.getppid()
        self.address, self.length, self.port, self.listener = address, length, port, listener

    def all(self) -> dict[str, Attack]:
        return {
            "read the bot's environment": lambda: self._read("environ"),
            "read the bot's memory map": lambda: self._read("maps"),
            "read the bot's memory": self._read_memory,
            "read the bot's memory by a call": self._read_by_call,
            "read a file": lambda: Path("/etc/hostname").read_bytes() or b"empty",
            "write a file": lambda: os.open(self.listener.parent / "file", os.O_CREAT | os.O_WRONLY),
            "list a folder": lambda: next(Path("/").iterdir()),
            "open after closing stdin": self._close_and_open,
            "connect by TCP": lambda: socket.create_connection(("127.0.0.1", self.port), 5),
            "send by UDP": lambda: _udp().sendto(b"secret", ("127.0.0.1", self.port)),
            "connect to a local socket": lambda: _local().connect(str(self.listener)),
            "make a pair of sockets": socket.socketpair,
            "make a pipe": os.pipe,
            "fork": _fork,
            "clone": lambda: _in_child(call("clone", signal.SIGCHLD, 0, 0, 0, 0)),
            "signal the bot": lambda: os.kill(self.bot, signal.SIGUSR1),
            "signal a thread of the bot": lambda: call("tgkill", self.bot, self.bot, signal.SIGUSR1),
            "hold the bot": lambda: call("pidfd_open", self.bot, 0),
            "change the bot's limits": self._change_limits,
            "slow the bot down": lambda: call("setpriority", 0, self.bot, 19),
            "become root": lambda: os.setuid(0) if os.getuid() else "is root",
            "raise its own limits": _raise_limits,
            "make a file in memory": lambda: call("memfd_create", b"x\0", 0),
            "have memory that runs": _memory_that_runs,
            "share memory": lambda: LIBC.shmctl(call("shmget", 0, 4096, 0o1600), 0, None),
            "trace the bot": self._trace,
            "be root of a world of its own": lambda: call("unshare", 0x1000_0000),
            "run a program": lambda: os.execv("/bin/echo", ["echo", '"run"']),  # the last: it does not return
        }

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.bot}/{name}").read_bytes().decode(errors="replace")

    def _read_memory(self) -> str:
        with Path(f"/proc/{self.bot}/mem").open("rb", buffering=0) as memory:
            memory.seek(self.address)
            return memory.read(self.length).decode()

    def _read_by_call(self) -> str:
        here = ctypes.create_string_buffer(self.length)
        to = (ctypes.c_size_t * 2)(ctypes.addressof(here), self.length)
        of = (ctypes.c_size_t * 2)(self.address, self.length)
        call("process_vm_readv", self.bot, ctypes.addressof(to), 1, ctypes.addressof(of), 1, 0)
        return here.raw.decode()

    def _trace(self) -> str:
        call("ptrace", PTRACE_SEIZE, self.bot, 0, 0)
        call("ptrace", PTRACE_INTERRUPT, self.bot, 0, 0)
        os.waitpid(self.bot, WALL)
        call("ptrace", PTRACE_DETACH, self.bot, 0, 0)
        return "traced"

    def _change_limits(self) -> str:
        limits = (ctypes.c_uint64 * 2)(1_000, 1_000)
        call("prlimit64", self.bot, resource.RLIMIT_NOFILE, ctypes.addressof(limits), 0)
        return "changed"

    def _close_and_open(self) -> int:
        os.close(0)
        return os.open("/dev/null", os.O_RDONLY)


def _udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _local() -> socket.socket:
    return socket.socket(socket.AF_UNIX)


def _fork() -> str:
    return _in_child(os.fork())


def _in_child(process: int) -> str:
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)
    return "forked"


def _raise_limits() -> str:
    resource.setrlimit(resource.RLIMIT_NPROC, (50, 50))
    resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
    return "raised"


def _memory_that_runs() -> str:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    return "had"


def attack(walls: str, address: int, length: int, port: int, listener: Path) -> None:
    """Put up the walls, try every way, and print what came of it."""
    attacks = Attacks(address, length, port, listener).all()
    if walls != "bare":
        sys.path.append(str(Path(__file__).parents[2]))
        from untrusted import confinement, decoder_child

        if walls == "old-kernel":
            confinement._filter_calls = lambda: False
        decoder_child.load_and_confine(megabytes=768, cpu_seconds=10)
    got: dict[str, str | None] = {}
    for name, attempt in attacks.items():
        if name == "run a program":
            print(json.dumps(got), flush=True)  # no more can be said if it succeeds
        try:
            got[name] = str(attempt())
        except (OSError, ValueError):
            got[name] = None


if __name__ == "__main__":
    where, length, port = map(int, sys.argv[2:5])
    attack(sys.argv[1], where, length, port, Path(sys.argv[5]))
