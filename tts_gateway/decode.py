"""Turns a stranger's recording into samples, in a child process with limits.

FFmpeg reads foreign bytes in memory-unsafe code. So it never does that here: every recording gets a
process of its own, without environment, without files, with bounded memory, time and output
(`decode_child.py`), and only its PCM comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tts_gateway.decode_formats import recording_format
from tts_gateway.engines.base import ReferenceRefused

MAX_RECORDING_BYTES: Final = 10 * 1024 * 1024
"""Discord's upload limit for most people, and vLLM-Omni's for references."""

_CHILD: Final = Path(__file__).with_name("decode_child.py")
_NO_SOUND: Final = 3
_NOT_READABLE: Final = "this is not a recording we can read; send WAV, MP3, Ogg, Opus, FLAC, M4A, AAC or WebM"


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one recording may cost. ``seconds`` is sound, beyond which it is cut off."""

    max_bytes: int = MAX_RECORDING_BYTES
    seconds: int = 90
    wall_seconds: float = 15.0
    cpu_seconds: int = 10
    megabytes: int = 768


DEFAULT_LIMITS: Final = DecodeLimits()
"""Enough for a minute and a half of anything, on a slow machine."""


async def decode_recording(
    data: bytes, *, rate: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> npt.NDArray[np.float32]:
    """Return the recording as mono samples at ``rate``, full scale ±1.

    Raises ReferenceRefused, with a reason for people, when it is too large or cannot be read.
    """
    if len(data) > limits.max_bytes:
        raise ReferenceRefused(f"the recording is larger than {limits.max_bytes // 1024 // 1024} MiB")
    container_format = recording_format(data)
    if container_format is None:
        raise ReferenceRefused(_NOT_READABLE)
    pcm = await _run_child(data, container_format, rate, limits)
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


async def _run_child(data: bytes, container_format: str, rate: int, limits: DecodeLimits) -> bytes:
    numbers = (rate, limits.seconds, limits.megabytes, limits.cpu_seconds)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_CHILD),
        container_format,
        *map(str, numbers),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_child_environment(),
    )
    try:
        async with asyncio.timeout(limits.wall_seconds):
            pcm = await _talk(child, data, max_bytes=2 * rate * limits.seconds)
    except TimeoutError:
        raise ReferenceRefused("reading the recording took too long") from None
    finally:
        await _end(child)
    if child.returncode == _NO_SOUND:
        raise ReferenceRefused("there is no sound in the recording")
    if child.returncode != 0 or not pcm:
        raise ReferenceRefused(_NOT_READABLE)
    return pcm


async def _talk(child: asyncio.subprocess.Process, data: bytes, *, max_bytes: int) -> bytes:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_feed(child, data), name="feed-decoder")
        received = tasks.create_task(_receive(child, max_bytes), name="read-decoder")
    await child.wait()
    return received.result()


async def _feed(child: asyncio.subprocess.Process, data: bytes) -> None:
    assert child.stdin is not None  # noqa: S101 - it was opened as a pipe
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended early; its exit code says why
        child.stdin.write(data)
        await child.stdin.drain()
    child.stdin.close()


async def _receive(child: asyncio.subprocess.Process, max_bytes: int) -> bytes:
    assert child.stdout is not None  # noqa: S101 - it was opened as a pipe
    pcm = bytearray()
    while len(pcm) < max_bytes and (chunk := await child.stdout.read(min(65_536, max_bytes - len(pcm)))):
        pcm += chunk
    if len(pcm) >= max_bytes and await child.stdout.read(
        1
    ):  # never more than was asked for, unless it is taken over
        child.kill()
    return bytes(pcm)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Leave neither a process nor a zombie, even when we are being cancelled."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.shield(child.wait())


def _child_environment() -> dict[str, str]:
    """Return nothing, so that no secret reaches a decoder; Windows cannot start Python without this one."""
    if sys.platform != "win32":
        return {}
    return {"SYSTEMROOT": os.environ["SYSTEMROOT"]}  # noqa: TID251 - not a setting of ours
