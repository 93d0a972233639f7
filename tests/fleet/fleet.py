"""A fleet: several processes of the bot on one PostgreSQL, thousands of servers, and members who ask."""

from __future__ import annotations

import asyncio
import re
import signal
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bot.settings import child_environment
from rehearsal.answers import AnswerState
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.records import Channel
from rehearsal.server import Rehearsal
from tests.bot_process import ROOT, discord_for
from tests.fakes.babble_engine import BabbleEngine
from tests.library.postgresql import PostgreSQL
from tests.scenes import tts_gateway_for

LONG_SECONDS = 300.0
"""More than any change of the fleet takes, on a busy machine too."""

_LOOK_SECONDS = 0.25
_PAUSE_SECONDS = 2.0
_UNANSWERED_SECONDS = 30.0


@dataclass
class Asked:
    """What members got who asked in one phase."""

    answered: int = 0
    unanswered: int = 0
    failed: list[str] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.acknowledged:
            return f"{self.answered} answered, {self.unanswered} not"
        late = statistics.quantiles(self.acknowledged, n=100)[98] if len(self.acknowledged) > 1 else 0.0
        median = statistics.median(self.acknowledged)
        return (
            f"{self.answered} answered, {self.unanswered} not, {len(self.failed)} with a sentence; "
            f"acknowledged after {1_000 * median:.0f} ms (p50), {1_000 * late:.0f} ms (p99)"
        )


class Fleet:
    """A rehearsal with so many servers, and processes that share them. Enter it by `open_fleet`."""

    def __init__(self, rehearsal: Rehearsal, url: str, settings: dict[str, str], folder: Path) -> None:
        self.rehearsal = rehearsal
        self._url = url
        self._settings = settings
        self._folder = folder
        self.processes: dict[int, asyncio.subprocess.Process] = {}
        self._members: list[tuple[int, Callable[[str], Awaitable[None]]]] = []
        self.asked = Asked()

    @property
    def shards(self) -> int:
        """Return how many shards the servers are on."""
        return self.rehearsal.main_socket.shards

    def populate(self, servers: int, members: int) -> None:
        """Have so many servers, and in some of them a member who asks, evenly over the shards."""
        for number in range(servers):
            guild = self.rehearsal.world.add_guild(f"Server {number}")
            channel = guild.add_text_channel("general")
            guild.add_voice_channel("Voice")
            if number < members:
                person = self.rehearsal.world.add_person(f"Member {number}")
                guild.add_member(person)
                self._members.append(((guild.id >> 22) % self.shards, _asker(self, person, channel)))

    # -- processes --------------------------------------------------------------------------------

    async def start(self, number: int) -> None:
        """Start a process in a folder of its own."""
        folder = self._folder / f"process {number}"
        folder.mkdir(exist_ok=True)
        with (folder / "log").open("ab") as log:
            self.processes[number] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot"),
                cwd=folder,
                env={**child_environment(), **self._settings, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )

    async def kill(self, number: int) -> None:
        """Kill a process, so that it can put nothing in order."""
        process = self.processes.pop(number)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def stop(self, number: int) -> None:
        """Tell a process to end, and wait until it has."""
        process = self.processes.pop(number)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), LONG_SECONDS)

    async def shares(self) -> Counter[str]:
        """Return how many shards each process has whose session is there."""
        connection = await asyncpg.connect(self._url)
        try:
            rows = await connection.fetch(
                "SELECT id, holder FROM shards WHERE until > clock_timestamp() AND heir IS NULL"
            )
        except asyncpg.UndefinedTableError:
            rows = []
        finally:
            await connection.close()
        connected = {
            session.shard_id
            for session in self.rehearsal.main_socket.sessions.values()
            if session.connection is not None
        }
        return Counter(row["holder"] for row in rows if row["id"] in connected)

    async def settled(self) -> float:
        """Return the seconds after which all shards were shared evenly among the processes that run."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(LONG_SECONDS):
            while True:
                each = list((await self.shares()).values())
                is_even = len(each) == len(self.processes) and max(each) - min(each) <= 1
                if is_even and sum(each) == self.shards:
                    return loop.time() - began
                await asyncio.sleep(_LOOK_SECONDS)

    async def served(self) -> float:
        """Return the seconds after which every shard had a session, whoever has it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(LONG_SECONDS):
            while sum((await self.shares()).values()) < self.shards:  # noqa: ASYNC110 - others' doing
                await asyncio.sleep(_LOOK_SECONDS)
        return loop.time() - began

    def megabytes(self) -> list[float]:
        """Return the memory of each process."""
        return [_resident(process.pid) for process in self.processes.values()]

    def complaints(self) -> list[str]:
        """Return what processes have logged of what must not happen."""
        found = []
        for log in self._folder.glob("*/log"):
            text = log.read_text("utf-8", "replace")
            found += re.findall(r"^.*(?:Traceback|ERROR|bug in it).*$", text, re.MULTILINE)
        return found

    # -- members ----------------------------------------------------------------------------------

    @contextmanager
    def asking(self) -> Iterator[Asked]:
        """Let members ask again and again; the value says what they got."""
        self.asked = Asked()
        tasks = [asyncio.create_task(_again_and_again(ask)) for _, ask in self._members]
        try:
            yield self.asked
        finally:
            for task in tasks:
                task.cancel()


def _asker(fleet: Fleet, person: object, channel: Channel) -> Callable[[str], Awaitable[None]]:
    async def ask(text: str) -> None:
        asked = fleet.asked
        answer = await person.slash(channel, "speak", text=text, output="here")  # type: ignore[attr-defined]
        ended = (AnswerState.REPLIED, AnswerState.FAILED)
        try:
            await answer.until(lambda shown: shown.state in ended, timeout=_UNANSWERED_SECONDS)
        except TimeoutError:
            asked.unanswered += 1
            return
        if answer.failure is not None:
            asked.unanswered += 1
        elif answer.files:
            asked.answered += 1
        else:
            asked.failed.append(answer.content)
        if answer.acknowledged_after is not None:
            asked.acknowledged.append(answer.acknowledged_after)

    return ask


async def _again_and_again(ask: Callable[[str], Awaitable[None]]) -> None:
    number = 0
    while True:
        number += 1
        await ask(f"This is number {number}, and it is short.")
        await asyncio.sleep(_PAUSE_SECONDS)


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@asynccontextmanager
async def open_fleet(
    postgresql: PostgreSQL, url: str, folder: Path, *, shards: int, identify_seconds: float = 5.0
) -> AsyncIterator[Fleet]:
    """Yield a fleet without processes and servers; on leaving all that runs is ended."""
    assert postgresql is not None
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        rehearsal.main_socket.shards, rehearsal.main_socket.identify_seconds = shards, identify_seconds
        base_url = await parts.enter_async_context(tts_gateway_for(rehearsal, BabbleEngine(), FaultScript()))
        discord = await parts.enter_async_context(discord_for(rehearsal))
        settings = {
            **discord,
            "TTS_BASE_URL": base_url,
            "DATABASE_URL": url,
            "SOUND_PROCESS": "off",
            "DATA_DIR": "data",
            "NO_PROXY": "127.0.0.1",
        }
        fleet = Fleet(rehearsal, url, settings, folder)
        try:
            yield fleet
        finally:
            for number in list(fleet.processes):
                await fleet.kill(number)
