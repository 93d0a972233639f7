"""Workers: processes that hold one model each, because native code blocks, crashes, and cannot be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import struct
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

import numpy as np

from tts_gateway.engines.base import EngineError, EngineMissing, TextRefused
from tts_gateway.engines.espeak import Samples

log = logging.getLogger(__name__)

HEAD: Final = struct.Struct("!II")
"""In front of each message: the lengths of its fields, as JSON, and of its sound, as 32-bit floats."""

Fields = dict[str, Any]

_START_SECONDS: Final = 120.0
_GRACE_SECONDS: Final = 1.0  # a sentence is made sooner than a model is loaded
_LONGEST_FIELDS: Final = 1024 * 1024
_LONGEST_SOUND: Final = 256 * 1024 * 1024
_NO_SOUND: Final = np.zeros(0, np.float32)


class WorkerPool:
    """Pool of ``count`` processes of ``module``, each started with ``settings``.

    One does one thing at a time. A call that is cancelled ends its process, unless that is done within
    ``grace_seconds``, and so does one that breaks; another is started in its place at once, and no other call
    is touched.
    """

    def __init__(
        self,
        module: str,
        settings: Mapping[str, object],
        count: int,
        *,
        grace_seconds: float = _GRACE_SECONDS,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._arguments = (sys.executable, "-m", module, json.dumps(settings))
        self._workers = [_Worker(self._arguments) for _ in range(count)]
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        self._recovering: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start all, one after the other, so that memory fills once. Raises EngineMissing."""
        for worker in self._workers:
            try:
                await worker.start()
            except EngineError as error:
                await self.aclose()
                raise EngineMissing(str(error)) from error
            self._free.put_nowait(worker)

    @property
    def process_ids(self) -> list[int]:
        """The processes that run now."""
        return [worker.process_id for worker in self._workers if worker.process_id is not None]

    async def call(self, fields: Fields, sound: Samples = _NO_SOUND) -> tuple[Fields, Samples]:
        """Return what a process answers, waiting for a free one.

        Raises EngineError, TextRefused if the model cannot say it.
        """
        worker = await self._free.get()
        try:
            if worker.process_id is None:
                await worker.start()
        except BaseException:
            self._recover(worker)
            raise
        exchange = asyncio.create_task(worker.exchange(fields, sound))
        try:
            answer, made = await asyncio.shield(exchange)
        except BaseException:
            self._recover(worker, exchange)
            raise
        self._free.put_nowait(worker)
        if "refused" in answer:
            raise TextRefused(str(answer["refused"]))
        if "failed" in answer:
            raise EngineError(str(answer["failed"]))
        return answer, made

    async def aclose(self) -> None:
        """End all processes."""
        for task in self._recovering:
            task.cancel()
        await asyncio.gather(*self._recovering, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._workers))

    def _recover(self, worker: _Worker, exchange: asyncio.Task[tuple[Fields, Samples]] | None = None) -> None:
        if exchange is not None:
            exchange.add_done_callback(_look_at_error)
        task = asyncio.create_task(self._usable_again(worker, exchange))
        self._recovering.add(task)
        task.add_done_callback(self._recovering.discard)

    async def _usable_again(
        self, worker: _Worker, exchange: asyncio.Task[tuple[Fields, Samples]] | None
    ) -> None:
        try:
            if exchange is not None:
                await asyncio.wait([exchange], timeout=self._grace_seconds)
                if exchange.done() and not exchange.cancelled() and exchange.exception() is None:
                    return
                exchange.cancel()
            await worker.end()
            await worker.start()
        except EngineError as error:  # the next call tries it again
            log.error("%s", error)
        finally:
            self._free.put_nowait(worker)


def _look_at_error(exchange: asyncio.Task[tuple[Fields, Samples]]) -> None:
    if not exchange.cancelled():  # nobody waits for it, so nobody else will
        exchange.exception()


class _Worker:
    """Place of one process."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process_id(self) -> int | None:
        """Its process id, if it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Return once its model is loaded. Raises EngineError."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise EngineError(f"no process can be started for the model: {error.strerror}") from error
        try:
            async with asyncio.timeout(_START_SECONDS):
                answer, _ = await self._read()
        except TimeoutError:
            await self.end()
            raise EngineError(f"the model was not loaded within {_START_SECONDS:.0f} s") from None
        except BaseException:
            await self.end()
            raise
        if "failed" in answer:
            await self.end()
            raise EngineError(str(answer["failed"]))

    async def exchange(self, fields: Fields, sound: Samples) -> tuple[Fields, Samples]:
        """Send a message and return the answer. Raises EngineError if the process dies of it."""
        process = self._process
        if process is None or process.stdin is None:
            raise EngineError("the process of the model has ended")
        try:
            process.stdin.write(packed(fields, sound))
            await process.stdin.drain()
        except OSError:
            raise EngineError("the process of the model has ended") from None
        return await self._read()

    async def end(self) -> None:
        """Kill it, and return when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    async def _read(self) -> tuple[Fields, Samples]:
        stream = self._process.stdout if self._process else None
        if stream is None:
            raise EngineError("the process of the model has ended")
        try:
            lengths = HEAD.unpack(await stream.readexactly(HEAD.size))
            _check(lengths)
            fields, sound = [await stream.readexactly(length) for length in lengths]
        except (asyncio.IncompleteReadError, ValueError):
            raise EngineError("the process of the model ended in the middle of its work") from None
        return json.loads(fields), np.frombuffer(sound, "<f4")


def packed(fields: Fields, sound: Samples = _NO_SOUND) -> bytes:
    """Return a message as bytes."""
    head, body = json.dumps(fields).encode(), np.ascontiguousarray(sound, "<f4").tobytes()
    return HEAD.pack(len(head), len(body)) + head + body


def _check(lengths: tuple[int, ...]) -> None:
    fields, sound = lengths
    if fields > _LONGEST_FIELDS or sound > _LONGEST_SOUND or sound % 4:
        raise ValueError("that is no message")


Answering = Callable[[Fields, Samples], tuple[Fields, Samples]]


def serve_model(load: Callable[[Fields], Answering]) -> None:
    """Be such a process: load a model as the settings on the command line say, then answer until stdin ends.

    What the model's library prints is not heard once it is loaded: it likes to repeat what was to be said.
    """
    source = os.fdopen(os.dup(0), "rb")
    drain = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    try:
        answer = load(json.loads(sys.argv[1]))
    except Exception as error:
        _send(drain, {"failed": f"the model cannot be loaded: {error}"})
        return
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    _send(drain, {"ready": True})
    while message := _receive(source):
        try:
            fields, sound = answer(*message)
        except TextRefused as error:
            fields, sound = {"refused": str(error)}, _NO_SOUND
        except Exception as error:
            fields, sound = {"failed": f"the model failed: {type(error).__name__}"}, _NO_SOUND
        _send(drain, fields, sound)


def _send(drain: IO[bytes], fields: Fields, sound: Samples = _NO_SOUND) -> None:
    drain.write(packed(fields, sound))
    drain.flush()


def _receive(source: IO[bytes]) -> tuple[Fields, Samples] | None:
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    lengths = HEAD.unpack(head)
    fields, sound = (source.read(length) for length in lengths)
    if len(fields) < lengths[0] or len(sound) < lengths[1]:
        return None
    return json.loads(fields), np.frombuffer(sound, "<f4")
