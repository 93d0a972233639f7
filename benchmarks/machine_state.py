"""What a process takes of the machine, and how busy the machine is with others."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

T = TypeVar("T")


def load() -> str:
    """Return how many processes wanted a core in the last minute, our own among them."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known here"


def resident_megabytes(pid: int | None = None) -> float:
    """Return what a process (this one, if None) holds in memory, in units of a million bytes."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def proportional_megabytes(process: psutil.Process) -> float:
    """Return what a process holds in memory, in units of a million bytes; of what it shares, its part."""
    info = process.memory_full_info()
    return float(getattr(info, "pss", info.uss)) / 1e6


def of_children(process: psutil.Process, look: Callable[[psutil.Process], T]) -> list[T]:
    """Return what ``look`` sees of each child of ``process`` and of theirs, unless it ends meanwhile."""
    seen = []
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            seen.append(look(child))
    return seen


def allow_many_sockets() -> None:
    """Let this process have as many sockets as its user may have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
