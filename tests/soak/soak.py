"""A soak: members who do everything for a while, with faults in between, and a verdict at the end.

Myna is in a process of its own, so that what it holds can be told from what the rehearsal holds.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.child import Child, running
from benchmarks.machine_state import of_children, proportional_megabytes
from bot.library.engine import DATABASE_FILE
from bot.library.recording_folder import RECORDING_FOLDER, RecordingFolder
from cogs.ui import MAX_OPEN_PER_MEMBER
from rehearsal.errors import RehearsalError
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.permissions import Permission
from rehearsal.server import Rehearsal
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import tts_gateway_for, until
from tests.soak.faults import Troublemaker
from tests.soak.members import Asked, Crowd, Server

ANSWER_SECONDS: Final = 180.0
"""After the last command every answer must be final within this long; queues are emptied before."""

_SETTLE_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 2.0
_OPEN_ITEM: Final = "BaseView.__timeout_task_impl"
"""The task of discord.py with which a question or a form waits."""

_KEPT_MESSAGES: Final = 300
_KEPT_BYTES: Final = 128 * 1024 * 1024

MARGIN_MEGABYTES: Final = 40.0
MARGIN_IN_USE: Final = 10.0
MARGIN_DESCRIPTORS: Final = 12
MARGIN_THREADS: Final = 6
MARGIN_TASKS: Final = 4
"""How much more than after the warm-up may be held at the end: a heap that the largest moments have left
with free blocks between used ones, caches that were not full yet, connections that are not closed yet.
What is in use of the bot's own heap is told apart: a leak shows there first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How long and how hard, in seconds; the same ``seed`` makes the same members and faults.

    ``acknowledge_seconds`` are Discord's 3; more where the machine is busy with others.
    """

    warm_up: float
    seconds: float
    seed: int
    servers: int = 2
    members: int = 5
    pause: float = 1.0
    fault_pause: float = 3.0
    acknowledge_seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the bot and its children hold; ``megabytes`` are of all, ``in_children`` those of them."""

    megabytes: float
    descriptors: int
    threads: int
    tasks: Counter[str]
    open_items: int
    """Questions and forms that wait for somebody, a quarter of an hour each."""
    in_children: float = 0.0
    in_use: float = 0.0
    """Megabytes of the bot's own heap that are allocated; the rest of it is free, or Python's own."""
    objects: Counter[str] = field(default_factory=Counter, repr=False)
    """What the garbage collector knows of in the bot itself, by type: says what memory went to."""

    def excess_over(self, before: Held) -> list[str]:
        """Return what is held beyond the margins, in words."""
        found = []
        for what, more, margin in (
            ("MB of memory", self.megabytes - before.megabytes, MARGIN_MEGABYTES),
            ("MB in use", self.in_use - before.in_use, MARGIN_IN_USE),
            ("descriptors", self.descriptors - before.descriptors, MARGIN_DESCRIPTORS),
            ("threads", self.threads - before.threads, MARGIN_THREADS),
            ("tasks", self.tasks.total() - before.tasks.total(), MARGIN_TASKS),
        ):
            if more > margin:
                found.append(f"{more:.0f} more {what} than after the warm-up")
        if self.tasks.total() - before.tasks.total() > MARGIN_TASKS:
            found.append(f"tasks that have come: {dict(self.tasks - before.tasks)}")
        return found


@dataclass(slots=True)
class Verdict:
    """What was done, and what was wrong; nothing ``wrong``: the soak is passed."""

    asked: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    impossible: Counter[str] = field(default_factory=Counter)
    unreachable: int = 0
    """Commands that Discord could not tell the bot of, because the main socket was down."""
    calls: int = 0
    voices: int = 0
    before: Held | None = None
    after: Held | None = None
    logged: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Soak:
    """The stage, the bot in its process, and what is known of both."""

    def __init__(
        self, wishes: Wishes, rehearsal: Rehearsal, script: FaultScript, child: Child, folder: Path
    ) -> None:
        rng = random.Random(wishes.seed)
        self._wishes = wishes
        self.rehearsal = rehearsal
        self._script = script
        self._process = psutil.Process(child.pid)
        self._folder = folder
        self.servers: list[Server] = []
        self.crowd = Crowd(rehearsal, self.servers, rng)
        self._trouble = Troublemaker(self.crowd, script, child.pid, folder / "data", rng)
        self._cloned_texts: list[str] = []
        self.verdict = Verdict(faults=self._trouble.count, impossible=self.crowd.impossible)

    async def run(self) -> Verdict:
        """Return what became of it; the bot is still at work then."""
        await self._turn_cloning_on()
        await self._busy(self._wishes.warm_up)
        await self._quiet()
        self.verdict.before = await self._held_at_rest(None)
        await self._busy(self._wishes.seconds)
        await self._quiet()
        self.verdict.after = await self._held_at_rest(self.verdict.before)
        self.judge()
        return self.verdict

    async def _turn_cloning_on(self) -> None:
        for server in self.servers:
            moderator = server.moderator
            answer = await moderator.slash(server.general, "myna cloning", state="on")
            await until(lambda answer=answer: bool(answer.buttons), within=ANSWER_SECONDS)  # type: ignore[misc]
            await moderator.press(answer, answer.buttons[0])

    async def _busy(self, seconds: float) -> None:
        living = [
            asyncio.create_task(self.crowd.live(server, person, self._wishes.pause))
            for server in self.servers
            for person in server.people
        ]
        living.append(asyncio.create_task(self._trouble.make(self._wishes.fault_pause)))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline and self._process.is_running():
            await asyncio.wait(living, timeout=min(_LOOK_SECONDS, max(0.0, deadline - loop.time())))
            self._take_note()
            if any(one.done() for one in living):
                break
        for one in living:
            one.cancel()
        for ended in await asyncio.gather(*living, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    def _take_note(self) -> None:
        """Take in what has happened, and forget it: an hour of it does not fit into memory."""
        self.crowd.settle()
        for request in self._script.requests:
            with suppress(ValueError):
                self.note_call(request.json)
        self.verdict.calls += len(self._script.requests)
        self._script.requests.clear()
        self._script.downloads.clear()
        for unknown in self.rehearsal.router.unknown_requests:
            self.verdict.wrong.append(f"Discord has no {unknown.method} {unknown.path}")
        self.rehearsal.requests.clear()
        self.rehearsal.main_socket.received.clear()
        self.rehearsal.cdn.served.clear()
        for server in self.servers:
            messages = server.general.messages
            for message_id in list(messages)[:-_KEPT_MESSAGES]:
                del messages[message_id]
        while self.rehearsal.cdn.total_bytes > _KEPT_BYTES:
            self.rehearsal.cdn.forget(self.rehearsal.cdn.oldest())

    def note_call(self, asked: dict[str, Any]) -> None:
        """Note what the TTS gateway was asked to say, if it was in the voice of a recording."""
        if "reference_audio_url" in asked:
            self._cloned_texts.append(str(asked.get("text", "")).lower())

    async def _quiet(self) -> None:
        """Let the bot come to rest: nobody speaks, every answer is there, everybody has left."""
        self._script.clear()
        self.rehearsal.router.misbehaviours.clear()
        with suppress(TimeoutError):
            await self.rehearsal.main_socket.until_ready()
        for server in self.servers:
            with suppress(RehearsalError):
                await server.moderator.join(server.guild.bot_channel or server.voice[0])
                for command in ("resume", "stop"):
                    await server.moderator.slash(server.general, command)
        with suppress(TimeoutError):
            await until(self._all_is_answered, within=ANSWER_SECONDS)
        for server in self.servers:
            await server.moderator.slash(server.general, "leave")
            for person in server.people:
                await person.leave()
        self._take_note()

    def _all_is_answered(self) -> bool:
        self.crowd.settle()
        return all(asked.is_final for asked in self.crowd.log)

    async def _held_at_rest(self, before: Held | None) -> Held:
        """Return what the bot holds when it holds no less any more, or no more than ``before``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLE_SECONDS
        held = await self._held()
        while loop.time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            last, held = held, await self._held()
            if before is not None and not held.excess_over(before):
                return held
            if before is None and not last.excess_over(held) and last.megabytes - held.megabytes < 1:
                return held
        return held

    async def _held(self) -> Held:
        file = self._folder / "census.json"
        file.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        await until(file.exists, within=60)
        census: dict[str, Any] = json.loads(file.read_text("utf-8"))
        tasks = Counter(census["tasks"])
        open_items = tasks.pop(_OPEN_ITEM, 0)
        own = proportional_megabytes(self._process)
        theirs = sum(of_children(self._process, proportional_megabytes))
        descriptors = [self._process.num_fds(), *of_children(self._process, psutil.Process.num_fds)]
        return Held(
            own + theirs,
            sum(descriptors),
            census["threads"],
            tasks,
            open_items,
            theirs,
            census["in_use"],
            Counter(census["objects"]),
        )

    # -- the verdict ------------------------------------------------------------------------------

    def judge(self) -> None:
        """Look at the answers that are not final, at what was said, and at what the bot holds."""
        verdict = self.verdict
        verdict.asked, verdict.answers = self.crowd.count, self.crowd.ended
        for asked in self.crowd.log:
            self._judge_answer(asked)
        for opening in self.crowd.truth.silent:
            if any(opening in text for text in self._cloned_texts):
                verdict.wrong.append(f"a voice that was taken back was made to say: {opening}")
        if verdict.before is not None and verdict.after is not None:
            verdict.wrong += verdict.after.excess_over(verdict.before)
            members = sum(len(server.people) for server in self.servers)
            if verdict.after.open_items > 3 * MAX_OPEN_PER_MEMBER * members:
                verdict.wrong.append(f"{verdict.after.open_items} questions and forms are open")

    def _judge_answer(self, asked: Asked) -> None:
        if not self._trouble.could_reach_the_bot(asked.at):
            self.verdict.unreachable += 1
        elif asked.answer.acknowledged_after is None:
            self.verdict.wrong.append(f"{asked.what} was never acknowledged, after {asked.during}")
        else:
            shown = asked.answer.failure or asked.answer.content or asked.answer.state.value
            self.verdict.wrong.append(f"{asked.what} got no final answer, after {asked.during}: {shown[:80]}")

    def judge_data(self) -> None:
        """Look at what the bot has left on the disk, once it has ended."""
        data = self._folder / "data"
        with closing(sqlite3.connect(data / DATABASE_FILE)) as database:
            (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
            rows = database.execute("SELECT guild_id, name, recording FROM voices").fetchall()
        if state != "ok":
            self.verdict.wrong.append(f"the database is damaged: {state}")
        there = {(guild_id, name): recording for guild_id, name, recording in rows}
        folder = RecordingFolder(data / RECORDING_FOLDER)
        for name, guild in self.crowd.truth.saved.items():
            recording = there.get((guild.id, name))
            if recording is None:
                self.verdict.wrong.append(f"{name} was said to be saved, and is not there")
            elif not folder.has(recording):
                self.verdict.wrong.append(f"{name} has lost its recording")
        self.verdict.voices = len(rows)
        for line in (self._folder / "log.jsonl").read_text("utf-8").splitlines():
            with suppress(ValueError):  # written while the disk was full
                self._note_logged(json.loads(line))

    def _note_logged(self, record: dict[str, Any]) -> None:
        level, message = record.get("level", "").lower(), str(record.get("message", ""))
        trace = record.get("exception") or record.get("traceback")
        if level in ("error", "critical") and trace:
            last = str(trace).strip().splitlines()[-1]
            self.verdict.logged[f"{message[:80]} | {last[:120]}"] += 1


def add_servers(rehearsal: Rehearsal, wishes: Wishes) -> list[Server]:
    """Return new servers with their members; the application belongs to somebody in the first."""
    servers = []
    for number in range(wishes.servers):
        guild = rehearsal.world.add_guild(f"Server {number}")
        general = guild.add_text_channel("general")
        voice = guild.add_voice_channel("Perch"), guild.add_voice_channel("Cellar")
        people = [rehearsal.world.add_person(f"Member {number}.{one}") for one in range(wishes.members)]
        for person in people:
            guild.add_member(person)
        guild.add_role(
            "Moderators",
            Permission.MANAGE_GUILD | Permission.MANAGE_MESSAGES | Permission.MUTE_MEMBERS,
            people[0],
        )
        servers.append(Server(guild, general, voice, people))
    operator = rehearsal.world.add_person("Operator")
    servers[0].guild.add_member(operator)
    rehearsal.world.give_application_to(operator)
    return servers


@asynccontextmanager
async def _staged(wishes: Wishes, folder: Path) -> AsyncIterator[Soak]:
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        rehearsal.interactions.acknowledge_seconds = wishes.acknowledge_seconds
        servers = add_servers(rehearsal, wishes)
        script = FaultScript()
        address = await parts.enter_async_context(tts_gateway_for(rehearsal, BabbleEngine(), script))
        said = {
            "port": rehearsal.port,
            "ca_file": str(rehearsal.ca_file),
            "token": rehearsal.token,
            "data_dir": str(folder / "data"),
            "tts_base_url": address,
            "log": str(folder / "log.jsonl"),
            "census": str(folder / "census.json"),
        }
        child = await parts.enter_async_context(running("tests.soak.bot", [json.dumps(said)]))
        soak = Soak(wishes, rehearsal, script, child, folder)
        soak.servers += servers
        yield soak


async def soak(wishes: Wishes) -> Verdict:
    """Run one soak, and return its verdict."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        async with _staged(wishes, Path(name)) as staged:
            verdict = await staged.run()
        staged.judge_data()
    return verdict
