"""The workplace of the Maker in a process of its own: started here, fed, and started again when it dies.

What goes there are calls of the functions in `bot.audio.maker`; frames and values come back, samples stay.
It is read only what its answers may be: bytes, numbers, and the values named here.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import pickle
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final, ParamSpec, Self, TypeVar

from bot import errors
from bot.audio.formats import AudioFile, SoundboardClip, VoiceMessage
from bot.audio.live_gain import GainMemory
from bot.audio.maker import Arrival, CheckedSpeech, Maker, Part, SoundLostError
from bot.audio.maker_child import READER_BYTES, Call, Notice, read_message, write_message
from bot.errors import AudioError, SpeechBotError, TTSFetchError
from bot.models import Speech
from bot.settings import child_environment

log = logging.getLogger(__name__)

TRIES: Final = 2
"""So often one call is made: what has killed two children is not given to a third."""

MIN_CORES: Final = 2
MIN_MEMORY_BYTES: Final = 768 * 1024**2
"""With less it is not worthwhile: it takes up to 200 MB, and on one core it only stands in the bot's way."""

_VALUES: Final = {
    (one.__module__, one.__qualname__): one
    for one in (Arrival, AudioFile, CheckedSpeech, GainMemory, Part, SoundboardClip, Speech, VoiceMessage)
}
_ROOT: Final = Path(__file__).parents[2]
_MODULE: Final = "bot.audio.maker_child"
_STEADY_SECONDS: Final = 60.0  # after this long a death is a new one, and the back-off starts anew
_PATIENCE: Final = (3.0, 1.0, 1.0)  # seconds after closing its socket, after terminate, after kill
_QUIET_LEVELS: Final = ("DEBUG ", "INFO ")

P = ParamSpec("P")
T = TypeVar("T")


class _DiedError(Exception):
    """The child has died before its answer. It never leaves this module."""


class _RemoteSound:
    """Samples that lie in ``child``; when nothing refers to this any more they go."""

    __slots__ = ("__weakref__", "child", "number")

    def __init__(self, child: _Child, number: int) -> None:
        self.child = child
        self.number = number
        weakref.finalize(self, child.release, number).atexit = False


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, child: _Child) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._child = child

    def persistent_id(self, obj: object) -> int | None:
        if not isinstance(obj, _RemoteSound):
            return None
        if obj.child is not self._child:
            raise SoundLostError
        return obj.number

    def reducer_override(self, obj: object) -> Any:
        """Send samples, which are there already, or frames: what listeners hear of samples that are gone."""
        if not isinstance(obj, Speech | Part) or not isinstance(obj.sound, _RemoteSound):
            return NotImplemented
        is_there = obj.sound.child is self._child
        sent = replace(obj, frames=()) if is_there else replace(obj, sound=None)
        return sent.__reduce_ex__(pickle.HIGHEST_PROTOCOL)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, child: _Child) -> None:
        super().__init__(file)
        self._child = child

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _VALUES:
            raise pickle.UnpicklingError(f"an answer with a {module}.{name}")
        return _VALUES[module, name]

    def persistent_load(self, pid: int) -> _RemoteSound:
        return _RemoteSound(self._child, pid)


class _Child:
    """One child, and the calls that it has not answered yet."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.is_ready = asyncio.Event()
        self._process = process
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._calls: dict[int, asyncio.Queue[tuple[str, Any]]] = {}
        self.has_died = False
        self._reading = asyncio.create_task(self._read(reader), name="maker-answers")
        self._listening = asyncio.create_task(self._hear(), name="maker-log")

    @classmethod
    async def start(cls, modules: Sequence[str], folder: Path | None) -> Self:
        """Start one, which imports ``modules`` before anything else. Raises OSError."""
        ours, theirs = socket.socketpair()
        is_windows = sys.platform == "win32"
        with contextlib.ExitStack() as unless_started, theirs:
            unless_started.callback(ours.close)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", _MODULE, "stdin" if is_windows else str(theirs.fileno())),
                *(str(folder or ""), *modules),
                stdin=subprocess.PIPE if is_windows else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(),
                pass_fds=() if is_windows else (theirs.fileno(),),
                # Ctrl-C in a terminal is for us; we end the child in our own order.
                start_new_session=not is_windows,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            if process.stdin is not None:
                process.stdin.write(theirs.share(process.pid))  # type: ignore[attr-defined, unused-ignore]
                process.stdin.close()
                await process.stdin.wait_closed()
            unless_started.pop_all()
        return cls(process, *await asyncio.open_connection(sock=ours, limit=READER_BYTES))

    @property
    def process_id(self) -> int:
        """Its process id."""
        return self._process.pid

    async def stream(
        self, work: Callable[..., Any], args: Sequence[object], kwargs: dict[str, object]
    ) -> AsyncGenerator[tuple[str, Any]]:
        """Yield the answers to this call: items, then its end. Raises what it raises, and `_DiedError`."""
        number = next(self._numbers)
        file = io.BytesIO()
        call: Call = (number, work, tuple(args), kwargs)
        _Pickler(file, self).dump(call)
        answers = self._calls[number] = asyncio.Queue()
        kind = ""
        try:
            await self._send(file.getvalue())
            while kind != "end":
                kind, value = await answers.get()
                if kind == "died":
                    raise _DiedError
                if kind == "error":
                    raise _error_of(*value)
                yield kind, value
        finally:
            del self._calls[number]
            if kind not in ("end", "error", "died"):
                self._tell(("cancel", number))

    def release(self, number: int) -> None:
        """Let it forget the sound with this number; from any thread, whenever an object is collected."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the child has ended with it
            self._loop.call_soon_threadsafe(self._tell, ("release", number))

    async def ended(self) -> int:
        """Wait until it has ended and what it said was read; return its status."""
        status = await self._process.wait()
        await asyncio.wait([self._reading, self._listening], timeout=_PATIENCE[-1])
        return status

    async def end(self) -> None:
        """End it: politely, then firmly, then by force. What it has not answered ends too."""
        self._writer.close()
        for seconds, stop in zip(_PATIENCE, (self._process.terminate, self._process.kill, None), strict=True):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended(), seconds)
                return
            if stop is not None:
                with contextlib.suppress(ProcessLookupError):
                    stop()
        log.error("the process that makes sound, %d, does not end", self.process_id)

    def _tell(self, message: Notice) -> None:
        if not self.has_died and not self._writer.is_closing():
            data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
            self._writer.write(len(data).to_bytes(4, "big") + data)

    async def _send(self, message: bytes) -> None:
        if self.has_died:
            raise _DiedError
        try:
            await write_message(self._writer, message)
        except OSError:
            self.has_died = True  # its end is not read yet
            raise _DiedError from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                data = await read_message(reader)
                number, kind, value = _Unpickler(io.BytesIO(data), self).load()
                if kind == "ready":
                    self.is_ready.set()
                elif number in self._calls:
                    self._calls[number].put_nowait((kind, value))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except (ValueError, TypeError, pickle.UnpicklingError) as error:
            log.error("an answer that is none of the process that makes sound: %s", error)
            self._process.kill()
        finally:
            self.has_died = True
            self._writer.close()
            for answers in self._calls.values():
                answers.put_nowait(("died", None))

    async def _hear(self) -> None:
        while self._process.stderr is not None:
            try:
                line = await self._process.stderr.readline()
            except ValueError:  # longer than the reader's buffer, which it has thrown away
                continue
            if not line:
                return
            said = line.decode("utf-8", "replace").rstrip()
            quiet = said.startswith(_QUIET_LEVELS)
            log.log(logging.DEBUG if quiet else logging.WARNING, "making sound: %s", said)


def _error_of(name: str, text: str) -> Exception:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, SpeechBotError):
        return kind(text)
    return RuntimeError(f"{name} in the process that makes sound: {text}")


def _environment() -> dict[str, str]:
    environment = child_environment()
    paths = [str(_ROOT), environment.get("PYTHONPATH", "")]
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


class _HandedOn:
    """What was handed on of one generation: a later try repeats it, and it is left out.

    The frames that are repeated may differ in a bit, as sound reckoned in other pieces does. So it is the
    source that is compared.
    """

    def __init__(self) -> None:
        self._frames = self._repeated = 0
        self._blocks: list[bytes] = []
        self._blocks_again: list[bytes] = []

    def begin(self) -> None:
        """Note that a try begins."""
        self._repeated, self._blocks_again = 0, []

    def rest_of(self, arrival: Arrival) -> Arrival:
        """Return what is new in ``arrival``. Raises `TTSFetchError` if what it repeats is not the same."""
        self._blocks_again += arrival.blocks
        known = min(len(self._blocks), len(self._blocks_again))
        if self._blocks[:known] != self._blocks_again[:known]:
            raise TTSFetchError("another recording after the process that makes sound has died")
        self._blocks += self._blocks_again[len(self._blocks) :]
        known = min(len(arrival.frames), self._frames - self._repeated)
        self._repeated += len(arrival.frames)
        self._frames = max(self._frames, self._repeated)
        return replace(arrival, frames=arrival.frames[known:])

    def end(self) -> None:
        """Note that a try came to its end. Raises `TTSFetchError` if an earlier one brought more."""
        if self._repeated < self._frames:
            raise TTSFetchError("a shorter recording after the process that makes sound has died")


def is_worthwhile() -> bool:
    """Return whether there is a core for it, and the memory, for a process of its own here."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores: float = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = _limit_of_group("cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, int(quota) / int(period))
    memory = _limit_of_group("memory.max")
    return cores >= MIN_CORES and not (memory.isdigit() and int(memory) < MIN_MEMORY_BYTES)


async def build_maker(choice: str, folder: Path | None = None) -> Maker:
    """Return the maker whose workplace is a process of its own, with ``choice`` "on", or "auto" where that is
    worthwhile; else it is in threads, also where the system starts no process.
    """
    if choice == "on" or (choice == "auto" and is_worthwhile()):
        process = MakerProcess(modules=("bot.tts.download",), folder=folder)
        try:
            await process.start()
        except OSError as error:
            log.warning("sound is made in threads, for no process can be started: %s", error.strerror)
        else:
            return Maker(process)
    return Maker()


def _limit_of_group(name: str) -> str:
    """Return what Linux lets our container use, as it writes it; nothing where there is no limit."""
    try:
        return Path("/sys/fs/cgroup", name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


class MakerProcess:
    """Workplace in a process of its own, for a `bot.audio.maker.Maker`.

    When it dies it is started again, and what was under way there is done anew: a generation is fetched again
    from where it lies and goes on behind what was heard of it; of a finished speech its frames are left.
    Nothing of it asks the TTS gateway for anything. ``modules`` are imported there before the first call.
    Samples that are too many for memory wait in a file without a name in ``folder``; None: the system's for
    such files.
    ``restart_delay`` and ``max_restart_delay`` bound the wait before it is started again, should it die
    young; ``start_seconds`` is how long a call waits for that.
    """

    def __init__(
        self,
        *,
        modules: Sequence[str] = (),
        folder: Path | None = None,
        start_seconds: float = 30.0,
        restart_delay: float = 0.25,
        max_restart_delay: float = 30.0,
    ) -> None:
        self._modules = tuple(modules)
        self._folder = folder
        self._start_seconds = start_seconds
        self._restart_delay = restart_delay
        self._max_restart_delay = max_restart_delay
        self._child: _Child | None = None
        self._is_there = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The process id; None while there is no process."""
        return None if self._child is None else self._child.process_id

    async def start(self) -> None:
        """Start it; calls wait until it is ready. Raises OSError if the system starts no process."""
        if self._keeper is None:
            self._child = await _Child.start(self._modules, self._folder)
            self._keeper = asyncio.create_task(self._keep_running(self._child), name="maker-process")
            self._is_there.set()

    async def run(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what `bot.audio.maker.Workplace` says. Raises AudioError too if the process dies of it."""
        for _ in range(TRIES):
            child = await self._ready_child()
            if child is None:
                break
            with contextlib.suppress(_DiedError):
                async with aclosing(child.stream(work, args, kwargs)) as answers:
                    async for _kind, value in answers:
                        made: T = value
                return made
        raise AudioError("the process that makes sound has died")

    async def stream(
        self,
        work: Callable[P, AsyncGenerator[Arrival | CheckedSpeech]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncGenerator[Arrival | CheckedSpeech]:
        """Do what `bot.audio.maker.Workplace` says. Raises `TTSFetchError` too if the process dies of it."""
        handed_on = _HandedOn()
        for _ in range(TRIES):
            child = await self._ready_child()
            if child is None:
                break
            handed_on.begin()
            with contextlib.suppress(_DiedError):
                async with aclosing(child.stream(work, args, kwargs)) as answers:
                    async for kind, value in answers:
                        if isinstance(value, Arrival):
                            yield handed_on.rest_of(value)
                        elif kind == "item":
                            handed_on.end()
                            yield value
                return
        raise TTSFetchError("the process that makes sound has died")

    async def aclose(self) -> None:
        """End the process and wait until it is gone; what is under way there fails."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        child, self._child = self._child, None
        self._start_seconds = 0.0  # nobody waits for another
        self._is_there.clear()
        if child is not None:
            await child.end()

    async def _ready_child(self) -> _Child | None:
        """Return a child that takes calls, None if there is none for too long."""
        if self._child is not None and self._child.has_died:
            self._is_there.clear()  # until the next one is there
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._is_there.wait()
        except TimeoutError:
            if self._keeper is not None:
                log.warning("there is no process that makes sound")
            return None
        return self._child

    async def _keep_running(self, child: _Child) -> None:
        deaths, started = 0, time.monotonic()
        while True:
            status = await child.ended()
            self._is_there.clear()
            self._child = None
            log.warning("the process that makes sound ended with status %d; it is started again", status)
            if time.monotonic() - started > _STEADY_SECONDS:
                deaths = 0
            if deaths:
                await asyncio.sleep(min(self._max_restart_delay, self._restart_delay * 2.0**deaths))
            deaths = min(deaths + 1, 30)
            started = time.monotonic()
            while True:
                try:
                    self._child = child = await _Child.start(self._modules, self._folder)
                    break
                except OSError as error:
                    log.error("the process that makes sound does not start: %s", error.strerror)
                    await asyncio.sleep(self._max_restart_delay)
            self._is_there.set()
