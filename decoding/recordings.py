"""Turns a stranger's recording into samples, in a child process with limits.

FFmpeg reads foreign bytes in memory-unsafe code. So it never does that here: every recording gets a
process of its own, without environment, without files, with bounded memory, time and output (`child.py`),
and only its PCM comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from decoding.formats import recording_format

MAX_RECORDING_BYTES: Final = 10 * 1024 * 1024
"""Discord's upload limit for most people, and vLLM-Omni's for references."""

AT_ONCE: Final = 2
"""Child processes of one event loop; who comes later waits, and that is not part of any time limit."""

_CHILD: Final = Path(__file__).with_name("child.py")
_FORM: Final = struct.Struct("<BI")
_NO_SOUND: Final = 3
_CUT: Final = 5
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class Refusal(Enum):
    """Why a recording was not decoded."""

    TOO_LARGE = auto()  # in bytes; the decoder has not seen it
    UNKNOWN_KIND = auto()  # the first bytes are those of no kind of recording we read
    UNREADABLE = auto()  # broken, or not what its first bytes say
    NO_SOUND = auto()  # a film without sound, or nothing behind the header
    TOO_SLOW = auto()


class DecodingError(Exception):
    """A recording was not decoded; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


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


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Samples of 16 bits, a row of one or two channels for each moment, at the rate that was asked for.

    ``channels`` and ``rate`` (Hz) are those of the file; of more than two channels a stereo mix was made.
    ``is_cut``: the recording is longer than the limit, and these samples are its beginning.
    """

    samples: NDArray[np.int16]
    channels: int
    rate: int
    is_cut: bool


async def decode(
    data: bytes, *, rate: int, most_channels: int = 1, limits: DecodeLimits = DEFAULT_LIMITS
) -> Decoded:
    """Return the sound of ``data``, an audio file of any kind and any content.

    ``rate`` is in Hz, ``most_channels`` is 1 for a mono mix or 2. Raises DecodingError.
    """
    if len(data) > limits.max_bytes:
        raise DecodingError(Refusal.TOO_LARGE)
    container_format = recording_format(data)
    if container_format is None:
        raise DecodingError(Refusal.UNKNOWN_KIND)
    arguments = (container_format, rate, most_channels, limits.seconds, limits.megabytes, limits.cpu_seconds)
    max_bytes = _FORM.size + 2 * most_channels * rate * limits.seconds
    async with _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        output, exit_code = await _run_child(data, arguments, max_bytes, limits.wall_seconds)
    if exit_code == _NO_SOUND:
        raise DecodingError(Refusal.NO_SOUND)
    if exit_code not in (0, _CUT):
        raise DecodingError(Refusal.UNREADABLE)
    return _decoded(output, most_channels, is_cut=exit_code == _CUT)


def _decoded(output: bytearray, most_channels: int, *, is_cut: bool) -> Decoded:
    """Take the child's output apart, without trust: it has read the foreign bytes."""
    if len(output) < _FORM.size:
        raise DecodingError(Refusal.UNREADABLE)
    channels, rate = _FORM.unpack_from(output)
    given = min(channels, most_channels)
    if not given or (len(output) - _FORM.size) % (2 * given):
        raise DecodingError(Refusal.UNREADABLE)
    samples = np.frombuffer(output, "<i2", offset=_FORM.size).reshape(-1, given)
    if not len(samples):
        raise DecodingError(Refusal.NO_SOUND)
    return Decoded(samples, channels, rate, is_cut)


async def _run_child(
    data: bytes, arguments: tuple[object, ...], max_bytes: int, wall_seconds: float
) -> tuple[bytearray, int]:
    """Return what a child process wrote, and its exit code. Raises DecodingError when it takes too long."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_CHILD),
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_child_environment(),
    )
    try:
        async with asyncio.timeout(wall_seconds):
            output = await _talk(child, data, max_bytes)
    except TimeoutError:
        raise DecodingError(Refusal.TOO_SLOW) from None
    finally:
        await _end(child)
    assert child.returncode is not None  # noqa: S101 - it has ended
    return output, child.returncode


async def _talk(child: asyncio.subprocess.Process, data: bytes, max_bytes: int) -> bytearray:
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


async def _receive(child: asyncio.subprocess.Process, max_bytes: int) -> bytearray:
    assert child.stdout is not None  # noqa: S101 - it was opened as a pipe
    output = bytearray()
    while chunk := await child.stdout.read(65_536):
        output += chunk
        if len(output) > max_bytes:  # never more than was asked for, unless it is taken over
            child.kill()
            break
    return output


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
