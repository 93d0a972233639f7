"""Decoder: a stranger's recording becomes samples in a child process with limits."""

from __future__ import annotations

import asyncio
import contextlib
import os
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

_SIGNATURES: Final = (
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"\x1aE\xdf\xa3", "matroska"),  # WebM as well
    (b"ID3", "mp3"),
)


def recording_format(data: bytes) -> str | None:
    """Return FFmpeg's name for the container, or None when these bytes are no recording we read."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] == b"ftyp":
        return "mov"  # MP4 and M4A as well
    return _bare_frames(data)


def _bare_frames(data: bytes) -> str | None:
    """Return the format of a stream that starts with a frame header and no container at all."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    layer = (data[1] >> 1) & 0b11
    if layer == 0 and data[1] & 0xF0 == 0xF0:
        return "aac"  # ADTS
    bitrate, rate = data[2] >> 4, (data[2] >> 2) & 0b11
    return "mp3" if layer != 0 and bitrate != 0b1111 and rate != 0b11 else None


MAX_RECORDING_BYTES: Final = 10 * 1024 * 1024
"""Discord's upload limit for most people, and vLLM-Omni's for references."""

AT_ONCE: Final = 2
"""Child processes of one event loop; who comes later waits, and that is not part of any time limit."""

PIECE_BYTES: Final = 64 * 1024
"""What is read at once of a recording that comes in pieces; a pipe of Linux holds as much."""

_SIGNATURE_BYTES: Final = 64  # more than `recording_format` looks at
_CHILD: Final = Path(__file__).with_name("decoder_child.py")
_HEADER: Final = struct.Struct("<BI")
_NO_SOUND: Final = 3
_CUT: Final = 5
_TRY: Final = "try"
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class Refusal(Enum):
    """Why a recording was not decoded."""

    TOO_LARGE = auto()  # in bytes; the decoder has not seen it
    UNKNOWN_KIND = auto()  # the first bytes are those of no kind of recording we read
    UNREADABLE = auto()  # broken, or not what its first bytes say
    NO_SOUND = auto()  # a film without sound, or nothing behind the header
    TOO_LATE = auto()  # its bytes did not all come in time
    TOO_SLOW = auto()  # they did, but decoding them took too long


class DecodingError(Exception):
    """A recording was not decoded; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


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
    ``is_cut``: the recording is longer than the limit, and these samples are its beginning.
    """

    samples: NDArray[np.int16]
    channels: int
    rate: int
    is_cut: bool


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
        if recording_format(recording) is None:
            raise DecodingError(Refusal.UNKNOWN_KIND)
        recording = _pieces_of(recording)
    async with _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        output, exit_code = await _decode_pieces(_bounded(recording, limits), rate, most_channels, limits)
    if exit_code == _NO_SOUND:
        raise DecodingError(Refusal.NO_SOUND)
    if exit_code not in (0, _CUT):
        raise DecodingError(Refusal.UNREADABLE)
    return _decoded(output, most_channels, is_cut=exit_code == _CUT)


async def _pieces_of(recording: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(recording), PIECE_BYTES):
        yield recording[start : start + PIECE_BYTES]


async def _bounded(pieces: AsyncIterable[bytes], limits: DecodeLimits) -> AsyncGenerator[bytes, None]:
    """Yield ``pieces``, the first of them long enough to tell what kind of recording they are."""
    beginning = b""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limits.max_bytes:
            raise DecodingError(Refusal.TOO_LARGE)
        beginning += piece
        if size >= _SIGNATURE_BYTES:
            yield beginning
            beginning = b""
    yield beginning


async def _decode_pieces(
    pieces: AsyncGenerator[bytes, None], rate: int, most_channels: int, limits: DecodeLimits
) -> tuple[bytearray, int]:
    """Return what a child process made of ``pieces``, and its exit code. Raises DecodingError."""
    in_time = asyncio.get_running_loop().time() + limits.arrival_seconds
    async with contextlib.aclosing(pieces):
        with _refusing(Refusal.TOO_LATE):
            async with asyncio.timeout_at(in_time):
                beginning = await anext(pieces)
        container_format = recording_format(beginning)
        if container_format is None:
            raise DecodingError(Refusal.UNKNOWN_KIND)
        child = await _start_child(
            *(container_format, rate, most_channels),
            *(limits.seconds, limits.megabytes, limits.cpu_seconds),
        )
        try:
            with _refusing(Refusal.TOO_LATE):
                async with asyncio.timeout_at(in_time):
                    await _feed(child, beginning, pieces)
            with _refusing(Refusal.TOO_SLOW):
                async with asyncio.timeout(limits.wall_seconds):
                    output = await _receive(child, _HEADER.size + 2 * most_channels * rate * limits.seconds)
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
    if len(output) < _HEADER.size:
        raise DecodingError(Refusal.UNREADABLE)
    channels, rate = _HEADER.unpack_from(output)
    given = min(channels, most_channels)
    if not given or (len(output) - _HEADER.size) % (2 * given):
        raise DecodingError(Refusal.UNREADABLE)
    samples = np.frombuffer(output, "<i2", offset=_HEADER.size).reshape(-1, given)
    if not len(samples):
        raise DecodingError(Refusal.NO_SOUND)
    return Decoded(samples, channels, rate, is_cut)


async def _start_child(*arguments: object) -> asyncio.subprocess.Process:
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

    It depends on the system: see `untrusted.confinement`. Raises OSError if no process can be started, and
    DecodingError if the decoder does not work here at all.
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
