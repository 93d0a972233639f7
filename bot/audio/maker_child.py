"""The child in which sound is made: `python -m bot.audio.maker_child`, at the other end of a socket.

It does what `bot.audio.maker` has in functions: downloads in its loop, the rest in the threads of
`bot.audio.workers`. Samples stay here, under a number, until its parent lets go of what stands for them: in
memory, or where they are many in a file. It ends when the socket does, which its parent holds alone; so none
is left behind, however that one ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import pickle
import signal
import socket
import struct
import sys
import tempfile
from bisect import bisect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from importlib import import_module
from itertools import count
from typing import Any, Final, Literal

from bot.allocator import give_free_memory_back, give_large_blocks_back, keep_read_buffers_small
from bot.audio.sound import SpeechSound
from bot.errors import SpeechBotError
from untrusted.confinement import close_memory

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024
"""No message is longer: twice the WAV of the longest speech."""

READER_BYTES: Final = 1024 * 1024  # what waits in a reader before its socket is read no further
_GIVE_BACK_SECONDS: Final = 1.0  # how often, while there is work: a third of what it holds is free else
_LENGTH: Final = struct.Struct("!I")


Call = tuple[int, Callable[..., Any], tuple[object, ...], dict[str, object]]
"""A number, which the answers bear, and what to call with which arguments."""

Notice = tuple[Literal["cancel", "release"], int]
"""Nobody wants an answer to the call with this number any more, or the sound with this number."""


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Return the next message. Raises `asyncio.IncompleteReadError` at the end, and ValueError."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return await reader.readexactly(length)


async def write_message(writer: asyncio.StreamWriter, message: bytes) -> None:
    """Write a message, and wait while the other end does not read. Raises OSError when it is gone."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(message)} bytes")
    writer.write(_LENGTH.pack(len(message)))
    writer.write(message)
    await writer.drain()


HELD_BYTES: Final = 16 * 1024 * 1024
"""So many bytes of samples stay in memory for the parent: 170 s. What is more waits in a file."""


class _Spool:
    """Spool of samples: a file without a name in ``folder``, which ends with the process."""

    def __init__(self, folder: str | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is there as long as the process
        self._end = 0
        self._free: list[tuple[int, int]] = []  # where, and how many bytes; in order, and no two touch

    def write(self, pcm: bytes) -> tuple[int, int]:
        """Return where ``pcm`` is from now on. Raises OSError."""
        size = len(pcm)
        place = next((index for index, (_, room) in enumerate(self._free) if room >= size), None)
        start, room = (self._end, size) if place is None else self._free[place]
        self._file.seek(start)
        self._file.write(pcm)
        self._file.flush()
        if place is None:
            self._end += size
        elif room > size:
            self._free[place] = (start + size, room - size)
        else:
            del self._free[place]
        return start, size

    def read(self, start: int, size: int) -> bytes:
        """Return what was written there. Raises OSError."""
        self._file.seek(start)
        pcm = self._file.read(size)
        if len(pcm) != size:
            raise OSError("the file of samples has become shorter")
        return pcm

    def release(self, start: int, size: int) -> None:
        """Let others be written there; the file ends behind what is used."""
        at = bisect(self._free, (start, size))
        if at < len(self._free) and self._free[at][0] == start + size:
            size += self._free.pop(at)[1]
        if at and sum(self._free[at - 1]) == start:
            at -= 1
            start, room = self._free.pop(at)
            size += room
        if start + size == self._end:
            self._end = start
            self._file.truncate(start)
        else:
            self._free.insert(at, (start, size))


class _Sounds:
    """Sounds that the parent holds, by number. Beyond `HELD_BYTES` they lie in a file in ``folder``."""

    def __init__(self, folder: str | None) -> None:
        self._numbers = count(1)
        self._folder = folder
        self._spool: _Spool | None = None
        self._held: dict[int, SpeechSound | tuple[int, int]] = {}
        self._bytes = 0
        self._has_complained = False

    def add(self, sound: SpeechSound) -> int:
        number = next(self._numbers)
        if self._bytes + len(sound.pcm) <= HELD_BYTES or not self._write(number, sound):
            self._held[number] = sound
            self._bytes += len(sound.pcm)
        return number

    def get(self, number: int) -> SpeechSound:
        """Return a sound. Raises OSError where its file cannot be read: then the process ends, and others

        know what to do without its samples.
        """
        held = self._held[number]
        if isinstance(held, SpeechSound):
            return held
        assert self._spool is not None, "it was written there"  # noqa: S101
        return SpeechSound(self._spool.read(*held))

    def release(self, number: int) -> None:
        held = self._held.pop(number, None)
        if isinstance(held, SpeechSound):
            self._bytes -= len(held.pcm)
        elif held is not None and self._spool is not None:
            self._spool.release(*held)

    def _write(self, number: int, sound: SpeechSound) -> bool:
        try:
            self._spool = self._spool or _Spool(self._folder)
            self._held[number] = self._spool.write(sound.pcm)
        except OSError as error:
            if not self._has_complained:
                log.warning("samples stay in memory: %s", error.strerror or type(error).__name__)
            self._has_complained = True
            return False
        return True


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, sounds: _Sounds) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._sounds = sounds

    def persistent_id(self, obj: object) -> int | None:
        return self._sounds.add(obj) if isinstance(obj, SpeechSound) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, sounds: _Sounds) -> None:
        super().__init__(file)
        self._sounds = sounds

    def persistent_load(self, pid: int) -> SpeechSound:
        return self._sounds.get(pid)


class _Child:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: str | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._sounds = _Sounds(folder)
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()
        self._has_worked = True

    async def give_memory_back(self) -> None:
        """Give back what lies free, now and then, also behind the last work."""
        while True:
            await asyncio.sleep(_GIVE_BACK_SECONDS)
            if self._has_worked:
                self._has_worked = bool(self._calls)
                give_free_memory_back()

    async def serve(self) -> None:
        """Answer calls until the parent is gone."""
        with contextlib.suppress(OSError):
            await self._send(0, "ready", None)
        while True:
            try:
                data = await read_message(self._reader)
            except (asyncio.IncompleteReadError, OSError):
                return
            message = _Unpickler(io.BytesIO(data), self._sounds).load()
            if message[0] == "release":
                self._sounds.release(message[1])
            elif message[0] == "cancel":
                if task := self._calls.get(message[1]):
                    task.cancel()
            else:
                self._has_worked = True
                self._calls[message[0]] = asyncio.create_task(self._answer(*message))

    async def _answer(
        self, number: int, work: Callable[..., Any], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        try:
            made = work(*args, **kwargs)
            if isinstance(made, AsyncGenerator):
                async with aclosing(made):
                    async for item in made:
                        await self._send(number, "item", item)
                await self._send(number, "end", None)
            else:
                await self._send(number, "end", await made)
        except SpeechBotError as error:
            await self._send(number, "error", (type(error).__name__, str(error)))
        except OSError:
            log.debug("the parent is gone")
        except Exception as error:
            log.exception("a call failed")
            await self._send(number, "error", (type(error).__name__, "see the log"))
        finally:
            del self._calls[number]

    async def _send(self, number: int, kind: str, value: object) -> None:
        async with self._sending:  # else all files that are ready are copied while the parent reads the first
            file = io.BytesIO()
            _Pickler(file, self._sounds).dump((number, kind, value))
            await write_message(self._writer, file.getvalue())


async def _serve(connection: socket.socket, folder: str | None) -> None:
    reader, writer = await asyncio.open_connection(sock=connection, limit=READER_BYTES)
    child = _Child(reader, writer, folder)
    giving_back = asyncio.create_task(child.give_memory_back())
    await child.serve()
    giving_back.cancel()
    os._exit(0)  # nobody is left who wants what is under way, and nothing of it is kept


def _connection(argument: str) -> socket.socket:
    """Return the socket that the parent has handed over: a descriptor, or on Windows what shares it."""
    if argument == "stdin":
        shared: socket.socket = socket.fromshare(  # type: ignore[attr-defined, unused-ignore]
            sys.stdin.buffer.read()
        )
        return shared
    descriptor = int(argument)
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def main() -> None:
    """Serve at the socket that the first argument tells of; import what the others name before that.

    The second is the folder for samples that are too many for memory; empty: the system's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the parent, which ends us
    give_large_blocks_back()
    keep_read_buffers_small()
    close_memory()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every message to a parent that is gone
    connection = _connection(sys.argv[1])
    for module in sys.argv[3:]:
        import_module(module)
    asyncio.run(_serve(connection, sys.argv[2] or None))


if __name__ == "__main__":
    main()
