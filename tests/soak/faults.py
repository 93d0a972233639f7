"""Faults of a soak: of the TTS gateway, Discord, the voice servers, the database, the disk and the machine.

Each lasts a few seconds at most and ends by itself, and one comes after another.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Final

import psutil

from bot.library.engine import DATABASE_FILE
from rehearsal.faulty_tts_gateway import catalog
from rehearsal.faulty_tts_gateway.faults import Cut, Delay, Drip, Fault, Reset, Respond
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.rest.call import Misbehaviour, late
from rehearsal.voice.protocol import CloseCode
from tests.soak.members import Crowd

_POSTS: Final[tuple[Fault, ...]] = (
    Respond(500),
    Respond(503),
    Respond(503, headers={"Retry-After": "1"}),
    Respond(429, headers={"Retry-After": "1"}),
    Delay(3),
    Reset(),
    Cut(0.5),
    catalog.BROKEN_SUCCESSES["html"],
)
_DOWNLOADS: Final[tuple[Fault, ...]] = (
    Respond(404),
    Respond(503),
    Cut(0.5),
    Drip(16_384, 0.1),
    catalog.NAMED["silent"],
    catalog.NAMED["html"],
)
_CLOSES: Final = (
    CloseCode.SESSION_NO_LONGER_VALID,
    CloseCode.SESSION_TIMEOUT,
    CloseCode.DISCONNECTED,
    CloseCode.SERVER_CRASHED,
)
_JUST_BEFORE_SECONDS: Final = 1.0
"""What Discord sends so long before the main socket breaks need not have arrived."""

_BACK_SECONDS: Final = 60.0
_NO_BYTES: Final = 0
_SPARE_DESCRIPTORS: Final = 3


class Troublemaker:
    """Makes trouble for the bot with process id ``pid``, whose data is in ``data_dir``."""

    def __init__(
        self, crowd: Crowd, script: FaultScript, pid: int, data_dir: Path, rng: random.Random
    ) -> None:
        self.count: Counter[str] = Counter()
        self._crowd = crowd
        self._rehearsal = crowd.rehearsal
        self._script = script
        self._process = psutil.Process(pid)
        self._database = data_dir / DATABASE_FILE
        self._rng = rng
        self._cut_off: list[tuple[float, float]] = []

    async def make(self, pause: float) -> None:
        """Make one trouble after another, until cancelled; afterwards everything behaves again."""
        kinds: list[Callable[[], AbstractAsyncContextManager[None]]] = [
            self._tts_gateway,
            self._tts_gateway,
            self._sounds,
            self._discord,
            self._discord,
            self._discord,
            self._main_socket,
            self._voice,
            self._voice,
            self._locked_database,
            self._full_disk,
            self._few_descriptors,
            self._killed_child,
        ]
        while True:
            await asyncio.sleep(self._rng.uniform(0, 2 * pause))
            kind = self._rng.choice(kinds)
            self._crowd.fault = kind.__name__.strip("_").replace("_", " ")
            async with kind():
                self.count[self._crowd.fault.partition(":")[0]] += 1
                await asyncio.sleep(self._rng.uniform(1, 4))

    def could_reach_the_bot(self, at: float) -> bool:
        """Return whether Discord could tell the bot at ``at``, by the loop's clock, that somebody asks."""
        return not any(begin - _JUST_BEFORE_SECONDS <= at <= end for begin, end in self._cut_off)

    @asynccontextmanager
    async def _tts_gateway(self) -> AsyncIterator[None]:
        self._script.every_post = self._rng.choice(_POSTS)
        try:
            yield
        finally:
            self._script.clear()

    @asynccontextmanager
    async def _sounds(self) -> AsyncIterator[None]:
        self._script.every_download = self._rng.choice(_DOWNLOADS)
        try:
            yield
        finally:
            self._script.clear()

    @asynccontextmanager
    async def _discord(self) -> AsyncIterator[None]:
        """Let Discord fail or be slow for some calls of one kind; acknowledgements fail once at a time."""
        rng = self._rng
        troubles = rng.choice([
            [Misbehaviour("POST", "/callback", status=500)],
            [Misbehaviour("POST", "/callback", cuts=True)],
            [Misbehaviour("POST", "/callback", cuts=True, carried_out=True)],
            [late("POST", "/callback", 1.0, times=5)],
            [Misbehaviour("PATCH", "/webhooks/", status=status, times=rng.randint(1, 4))
             for status in (rng.choice((429, 500, 502, 503)),)],
            [Misbehaviour("PATCH", "/webhooks/", cuts=True, carried_out=rng.random() < 0.5, times=2)],
            [Misbehaviour("PATCH", "/webhooks/", status=413, only_files=True, times=2,
                          body={"message": "Request entity too large", "code": 40005})],
            [Misbehaviour("POST", "/webhooks/", status=503, times=2)],
            [Misbehaviour("POST", "/messages", status=503, times=2)],
            [Misbehaviour("GET", "/members/", status=503, times=3)],
            [late("GET", "/members/", 3.0, times=3)],
            [late("PATCH", "/webhooks/", 2.0, times=5)],
            [Misbehaviour("DELETE", "/", status=503, times=2)],
        ])  # fmt: skip
        self._crowd.fault = f"discord: {troubles[0]}"
        self._rehearsal.misbehave(*troubles)
        try:
            yield
        finally:
            for trouble in troubles:
                with suppress(ValueError):
                    self._rehearsal.router.misbehaviours.remove(trouble)

    @asynccontextmanager
    async def _main_socket(self) -> AsyncIterator[None]:
        socket, loop = self._rehearsal.main_socket, asyncio.get_running_loop()
        before, began = socket.resumed + socket.identified, loop.time()
        how = self._rng.choice([socket.drop, socket.ask_to_reconnect, socket.invalidate])
        self._crowd.fault = f"main socket: {how.__name__}"
        try:
            await how()
            await socket.until(lambda: socket.resumed + socket.identified > before, timeout=_BACK_SECONDS)
            await socket.until_ready()
        finally:
            self._cut_off.append((began, loop.time()))
        yield

    @asynccontextmanager
    async def _voice(self) -> AsyncIterator[None]:
        server = self._rng.choice(self._crowd.servers)
        guild = server.guild
        if guild.bot_channel is None:
            yield
            return
        what = self._rng.randrange(5)
        if what == 0:
            await self._rehearsal.voice.close_bot(guild.id, self._rng.choice(_CLOSES))
        elif what == 1:
            await guild.change_voice_server()
        elif what == 2:
            await guild.kick_bot_from_voice()
        elif what == 3:
            await guild.move_bot(self._rng.choice(server.voice))
        else:
            await guild.mute_bot()
        try:
            yield
        finally:
            if what == 4 and guild.bot_channel is not None:
                await guild.mute_bot(False)

    @asynccontextmanager
    async def _locked_database(self) -> AsyncIterator[None]:
        """Let another program hold the file of the database, as a copy of it does."""
        with closing(sqlite3.connect(self._database, timeout=5, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # the bot is in the middle of something
                yield
                return
            try:
                yield
            finally:
                other.execute("ROLLBACK")

    def _full_disk(self) -> AbstractAsyncContextManager[None]:
        """Let the bot write nothing into any file."""
        return self._limited("RLIMIT_FSIZE", _NO_BYTES)

    def _few_descriptors(self) -> AbstractAsyncContextManager[None]:
        """Let it open hardly anything more than it has open."""
        return self._limited("RLIMIT_NOFILE", self._process.num_fds() + _SPARE_DESCRIPTORS)

    @asynccontextmanager
    async def _limited(self, name: str, soft: int) -> AsyncIterator[None]:
        if sys.platform != "linux":  # elsewhere nobody can limit another process
            yield
            return
        limit = getattr(psutil, name)
        before = self._process.rlimit(limit)
        self._process.rlimit(limit, (soft, before[1]))
        try:
            yield
        finally:
            with suppress(psutil.NoSuchProcess):
                self._process.rlimit(limit, before)

    @asynccontextmanager
    async def _killed_child(self) -> AsyncIterator[None]:
        """Kill the process that makes sound, if the bot has one."""
        for child in self._process.children():
            with suppress(psutil.NoSuchProcess):
                if any("maker_child" in word for word in child.cmdline()):
                    child.send_signal(signal.SIGKILL)
        yield
