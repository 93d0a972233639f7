"""Decoder: a stranger's recording becomes samples in a child process with limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

MAX_RECORDING_BYTES: Final = 10 * 1024 * 1024
"""Discord's upload limit for most people, and vLLM-Omni's for references."""

AT_ONCE: Final = 2
"""Child processes of one event loop; who comes later waits, and that is not part of any time limit."""

PIECE_BYTES: Final = 64 * 1024
"""What is read at once of a recording that comes in pieces; a pipe of Linux holds as much."""

_CHILD: Final = Path(__file__).with_name("decoder_child.py")
_FORM: Final = struct.Struct("<BIB?32s32s")
_CUT: Final = 5
_TRY: Final = "try"
_MAX_NAME_CHARS: Final = 32
_NAME: Final = re.compile(r"[\w .,+-]+", re.ASCII)
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class Refusal(Enum):
    """Why a recording was not decoded."""

    TOO_LARGE = auto()  # in bytes; the decoder has not seen it
    UNKNOWN_KIND = auto()  # the bytes are those of no kind of recording we read
    UNKNOWN_CODEC = auto()  # it is a recording, in a codec that cannot be decoded
    UNUSABLE_FORM = auto()  # of a rate, or a number of channels, that no microphone has
    UNREADABLE = auto()  # broken, or not what its first bytes say
    NO_SOUND = auto()  # a film without sound, or nothing behind the header
    TOO_MUCH = auto()  # decoding it takes more memory than there is
    TOO_LATE = auto()  # its bytes did not all come in time
    TOO_SLOW = auto()  # they did, but decoding them took too long
    NO_PROCESS = auto()  # this machine starts no process for it now


class DecodingError(Exception):
    """A recording was not decoded; ``refusal`` says why, ``codec`` what its sound is in, if that is known."""

    def __init__(self, refusal: Refusal, codec: str | None = None) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal
        self.codec = codec


_REFUSALS: Final = {
    3: Refusal.NO_SOUND,
    6: Refusal.UNKNOWN_KIND,
    7: Refusal.UNKNOWN_CODEC,
    8: Refusal.UNUSABLE_FORM,
    9: Refusal.TOO_MUCH,
    -9: Refusal.TOO_SLOW,  # SIGKILL and SIGXCPU: its processor time was used up
    -24: Refusal.TOO_SLOW,
}
"""By the child's exit code; any other is `Refusal.UNREADABLE`."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one recording may cost. ``seconds`` is sound, beyond which it is cut off.

    ``arrival_seconds`` is for its bytes to come, ``wall_seconds`` for decoding them afterwards.
    """

    max_bytes: int = MAX_RECORDING_BYTES
    arrival_seconds: float = 30.0
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
    ``is_cut``: the recording is longer than the limit, and these samples are its beginning. ``container`` and
    ``codec`` are FFmpeg's names, ``track`` counts the tracks with sound from 0. ``needs_care``: a reader that
    is less patient gets less of it, because there is junk in front, or something changes on the way.
    """

    samples: NDArray[np.int16]
    channels: int
    rate: int
    is_cut: bool
    container: str
    codec: str
    track: int
    needs_care: bool


async def decode(
    recording: bytes | AsyncIterable[bytes],
    *,
    rate: int,
    most_channels: int = 1,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Decoded:
    """Return the sound of ``recording``, an audio file of any kind and any content, whole or in pieces.

    ``rate`` is in Hz, ``most_channels`` is 1 for a mono mix or 2. Nothing is asked of the pieces before there
    is a place for a child process. Raises DecodingError, and what ``recording`` raises.
    """
    if isinstance(recording, bytes):
        if len(recording) > limits.max_bytes:
            raise DecodingError(Refusal.TOO_LARGE)
        recording = _pieces_of(recording)
    async with _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        output, exit_code = await _decode_pieces(_bounded(recording, limits), rate, most_channels, limits)
    if exit_code not in (0, _CUT):
        raise DecodingError(_REFUSALS.get(exit_code, Refusal.UNREADABLE), _name(output))
    return _decoded(output, most_channels, is_cut=exit_code == _CUT)


async def _pieces_of(recording: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(recording), PIECE_BYTES):
        yield recording[start : start + PIECE_BYTES]


async def _bounded(pieces: AsyncIterable[bytes], limits: DecodeLimits) -> AsyncGenerator[bytes, None]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limits.max_bytes:
            raise DecodingError(Refusal.TOO_LARGE)
        yield piece


async def _decode_pieces(
    pieces: AsyncGenerator[bytes, None], rate: int, most_channels: int, limits: DecodeLimits
) -> tuple[bytearray, int]:
    """Return what a child process made of ``pieces``, and its exit code. Raises DecodingError."""
    in_time = asyncio.get_running_loop().time() + limits.arrival_seconds
    async with contextlib.aclosing(pieces):
        with _refusing(Refusal.TOO_LATE):
            async with asyncio.timeout_at(in_time):
                beginning = await anext(pieces, b"")
        child = await _start_child(
            *(rate, most_channels, limits.seconds, limits.megabytes, limits.cpu_seconds)
        )
        try:
            with _refusing(Refusal.TOO_LATE):
                async with asyncio.timeout_at(in_time):
                    await _feed(child, beginning, pieces)
            with _refusing(Refusal.TOO_SLOW):
                async with asyncio.timeout(limits.wall_seconds):
                    output = await _receive(child, _FORM.size + 2 * most_channels * rate * limits.seconds)
                    return output, await child.wait()
        finally:
            await _end(child)


@contextlib.contextmanager
def _refusing(refusal: Refusal) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise DecodingError(refusal) from None


def _decoded(output: bytearray, most_channels: int, *, is_cut: bool) -> Decoded:
    """Take the child's output apart, without trust: it has read the foreign bytes."""
    end = len(output) - _FORM.size
    if end < 0:
        raise DecodingError(Refusal.UNREADABLE)
    channels, rate, track, needs_care, container, codec = _FORM.unpack_from(output, end)
    given = min(channels, most_channels)
    if not given or end % (2 * given):
        raise DecodingError(Refusal.UNREADABLE)
    samples = np.frombuffer(memoryview(output)[:end], "<i2").reshape(-1, given)
    if not len(samples):
        raise DecodingError(Refusal.NO_SOUND)
    names = (_name(container.rstrip(b"\0")) or "", _name(codec.rstrip(b"\0")) or "")
    return Decoded(samples, channels, rate, is_cut, *names, track, needs_care)


def _name(output: bytes | bytearray) -> str | None:
    """Return the name that the child has written, if it is one."""
    name = output[:_MAX_NAME_CHARS].decode("ascii", "replace").strip()
    return name if _NAME.fullmatch(name) else None


async def _start_child(*arguments: object) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_CHILD),
            *map(str, arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_child_environment(),
        )
    except OSError as error:  # no descriptors, memory or processes left
        log.warning("no decoder could be started: %s. Are too many processes running?", error.strerror)
        raise DecodingError(Refusal.NO_PROCESS) from error


async def _feed(
    child: asyncio.subprocess.Process, beginning: bytes, pieces: AsyncGenerator[bytes, None]
) -> None:
    assert child.stdin is not None  # noqa: S101 - it was opened as a pipe
    child.stdin.write(beginning)
    async for piece in pieces:
        child.stdin.write(piece)
        try:
            await child.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            break  # it ended early; its exit code says why
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


async def open_ways() -> list[str]:
    """Return what a decoder could still do here if a recording took it over, in words; best nothing.

    It depends on the system: see `untrusted.confinement`. Raises DecodingError if the decoder does not work
    here at all.
    """
    child = await _start_child(_TRY)
    try:
        with _refusing(Refusal.TOO_SLOW):
            async with asyncio.timeout(DEFAULT_LIMITS.wall_seconds):
                output = await _receive(child, PIECE_BYTES)
                exit_code = await child.wait()
    finally:
        await _end(child)
    if exit_code != 0:
        raise DecodingError(Refusal.UNREADABLE)
    return output.decode("ascii", "replace").split("\n")[:-1]


def _child_environment() -> dict[str, str]:
    """Return nothing, so that no secret reaches a decoder; Windows cannot start Python without this one."""
    if sys.platform != "win32":
        return {}
    return {"SYSTEMROOT": os.environ["SYSTEMROOT"]}  # noqa: TID251 - not a setting of ours
