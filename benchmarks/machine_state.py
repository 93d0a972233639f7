"""What a process takes of the machine, and how busy the machine is with others."""

from __future__ import annotations

import os

import psutil


def load() -> str:
    """Return how many processes wanted a core in the last minute, our own among them."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known here"


def resident_megabytes(pid: int | None = None) -> float:
    """Return what a process (this one, if None) holds in memory, in units of a million bytes."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def allow_many_sockets() -> None:
    """Let this process have as many sockets as its user may have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
