"""Many servers that say something at once: the whole bot in a process of its own, and what became of it.

The rehearsal is in this process, but for the UDP port of its voice server (`benchmarks.voice_watch`), which
is where everything that is heard is measured. The TTS gateway (`benchmarks.counted_tts_gateway`) is a third.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from benchmarks.arrivals import (
    Packet,
    held_up_seconds,
    lateness,
    longest_silence,
    lost,
    spoken_seconds,
)
from benchmarks.bot_child import bot_in
from benchmarks.counted_tts_gateway import (
    CALL_SECONDS,
    Call,
    CallCounter,
    answer_times,
    counted_tts_gateway,
)
from benchmarks.far_line import SILENT_BYTES
from benchmarks.machine_state import of_children, proportional_megabytes
from benchmarks.sentences import SENTENCES
from benchmarks.statement_count import StatementCount, read_count
from benchmarks.voice_watch import VoiceWatch, voice_watch
from bot.allocator import keep_read_buffers_small
from bot.text.speaking_time import speaking_seconds
from rehearsal.answers import Answer, AnswerState
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.server import Rehearsal
from rehearsal.voice.listener import Listener

_FIRST: Final = (
    *("Amber", "Birch", "Cedar", "Dahlia", "Ember", "Fern", "Ginger", "Hazel", "Indigo", "Juniper"),
    *("Kelp", "Laurel", "Maple", "Nettle", "Olive", "Poppy", "Quince", "Rowan", "Saffron", "Thistle"),
)
_SECOND: Final = (
    *("albatross", "bunting", "curlew", "dunlin", "egret", "finch", "goshawk", "heron", "ibis", "jackdaw"),
    *("kestrel", "lapwing", "magpie", "nightjar", "oriole", "plover", "quail", "raven", "siskin", "teal"),
    *("umbrella bird", "vireo", "warbler", "xenops", "yellowhammer", "zebra finch"),
)

_END_SECONDS: Final = 6.0
_LOOK_SECONDS: Final = 0.25
_QUIET_SECONDS: Final = 1.2
_BUSY_SECONDS: Final = 3.0
_BUSY_STEP_SECONDS: Final = 0.1
"""Nobody speaks any more after this long without a packet. Longer than from an answer to what it is about."""


def openings() -> Iterator[str]:
    """Yield the first words of texts: no two are alike, and none begins with another."""
    for second, first in itertools.product(_SECOND, _FIRST):
        yield f"{first} {second},"


def text_after(opening: str, seconds: float, rng: random.Random) -> str:
    """Return a text that is about ``seconds`` long, a quarter more at most, and begins with ``opening``."""
    text = opening
    while (left := seconds - speaking_seconds(text)) > 0:
        fitting = [one for one in SENTENCES["en"] if speaking_seconds(one) < left + seconds / 4]
        begin = rng.choice(fitting or [min(SENTENCES["en"], key=speaking_seconds)])
        text += f" {begin[0].lower()}{begin[1:]}" if text == opening else f" {begin}"
    return text


@dataclass(slots=True)
class Server:
    """A server of the rehearsal, and who is in its voice channel."""

    guild: Guild
    text_channel: Channel
    voice_channel: Channel
    people: list[Person]
    listener: Listener


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody types: /speak with this text, which begins with ``opening``."""

    server: Server
    person: Person
    opening: str
    text: str


@dataclass(frozen=True, slots=True)
class _Sent:
    order: Order
    at: float
    answer: Answer

    @property
    def is_final(self) -> bool:
        shown = self.answer
        return shown.state is AnswerState.FAILED or (
            shown.state is AnswerState.REPLIED and not shown.content.endswith(" …")
        )

    @property
    def is_spoken(self) -> bool:
        return self.answer.failure is None and "AI voice" in self.answer.content


@dataclass(slots=True)
class Round:
    """What became of orders that were sent at once. Times are in seconds.

    ``first_packets`` are from a server's first order to its first packet, less what one call takes; one for
    each server, and the patience of the round where nothing was ``heard``. ``after_answers`` are from the
    first answer of the TTS gateway to any of its texts. ``refusals`` are final answers without speech.
    """

    orders: int
    patience: float
    sending: float = 0.0
    acknowledged: list[float] = field(default_factory=list)
    unanswered: int = 0
    refusals: list[str] = field(default_factory=list)
    unfinished: int = 0
    first_packets: list[float] = field(default_factory=list)
    after_answers: list[float] = field(default_factory=list)
    unheard: int = 0
    late: list[float] = field(default_factory=list)
    held_up: float = 0.0
    silences: list[float] = field(default_factory=list)
    cores: tuple[float, float] = (0.0, 0.0)
    lost: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    counted: StatementCount = field(default_factory=StatementCount)
    calls: list[Call] = field(default_factory=list)


class ManyServers:
    """The servers, and the bot that is in all of them. ``openings`` are for texts; each is used once."""

    def __init__(
        self,
        rehearsal: Rehearsal,
        servers: list[Server],
        watch: VoiceWatch,
        tts_gateway: CallCounter,
        bot_pid: int,
        count_file: Path,
    ) -> None:
        self.servers = servers
        self.bot_pid = bot_pid
        self.undecryptable = 0
        self.decrypted = 0
        self._rehearsal = rehearsal
        self._watch = watch
        self._tts_gateway = tts_gateway
        self._count_file = count_file
        self._openings = openings()
        self._rng = random.Random(1)

    def order(self, server: Server, seconds: float, *, member: int = 0, word: str = "") -> Order:
        """Return an order for a new text of this length, with ``word`` in it."""
        opening = next(self._openings)
        text = text_after(f"{opening} {word}," if word else opening, seconds, self._rng)
        return Order(server, server.people[member], opening.rstrip(","), text)

    async def round(self, orders: Sequence[Order], *, patience: float) -> Round:
        """Send ``orders`` as fast as can be and wait until everything is said, or ``patience`` seconds."""
        await self._forget()
        found = Round(len(orders), patience)
        cpu, counted, began = cpu_seconds(self.bot_pid), read_count(self._count_file), time.monotonic()
        busy = asyncio.create_task(_busy_cores(self.bot_pid))
        sent = [await self.send(order) for order in orders]
        found.sending = time.monotonic() - began
        await self._settle(sent, began + patience)
        found.cpu = cpu_seconds(self.bot_pid) - cpu
        now = read_count(self._count_file)
        found.counted = StatementCount(*(new - old for new, old in zip(now, counted, strict=True)))
        found.calls = await self._tts_gateway.take()
        await self._judge(found, sent)
        half = sorted(found.first_packets)[len(orders) // 2 : len(orders) // 2 + 1]
        found.cores = _until(await busy, half[0] + CALL_SECONDS if half else math.inf)
        return found

    async def send(self, order: Order) -> _Sent:
        """Send one order, and wait for nothing."""
        at = time.monotonic()
        answer = await order.person.slash(order.server.text_channel, "speak", text=order.text)
        await asyncio.sleep(0)
        return _Sent(order, at, answer)

    async def calls_that_hang(self, *, patience: float) -> int:
        """Return how many calls are under way: some, and no more come, or ``patience`` seconds are over."""
        before, deadline = -1, time.monotonic() + patience
        while True:
            now = sum(not call.status for call in await self._tts_gateway.take())
            if time.monotonic() > deadline or (now and now == before):
                return now
            before = now
            await asyncio.sleep(2 * CALL_SECONDS)

    async def listen(self, server: Server) -> None:
        """Let those who are in this server's voice channel hear what is said there from now on."""
        ssrc = self._ssrc(server)
        if ssrc is not None:
            await self._watch.listen(ssrc)

    async def _forget(self) -> None:
        await self._tts_gateway.take()
        for ssrc in await self._watch.newest():
            await self._watch.take(ssrc)

    async def _settle(self, sent: Sequence[_Sent], deadline: float) -> None:
        while time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            if not all(one.is_final for one in sent):
                continue
            newest = await self._watch.newest()
            speaking = {self._ssrc(one.order.server) for one in sent if one.is_spoken}
            quiet_since = time.monotonic() - _QUIET_SECONDS
            if speaking <= newest.keys() and all(newest[ssrc].at < quiet_since for ssrc in speaking if ssrc):
                return

    async def _judge(self, found: Round, sent: Sequence[_Sent]) -> None:
        for one in sent:
            if one.answer.acknowledged_after is None:
                found.unanswered += 1
            else:
                found.acknowledged.append(one.answer.acknowledged_after)
            if not one.is_final:
                found.unfinished += 1
            elif not one.is_spoken:
                found.refusals.append(one.answer.failure or one.answer.content or "no answer")
        answered = answer_times([one.order.opening for one in sent], found.calls)
        first: dict[int, tuple[_Sent, float | None]] = {}
        for one, at in zip(sent, answered, strict=True):
            before, soonest = first.get(one.order.server.guild.id, (one, at))
            known = [moment for moment in (soonest, at) if moment is not None]
            first[one.order.server.guild.id] = before, min(known, default=None)
        for one, at in first.values():
            # What comes before any answer belongs to what was said before.
            packets = [packet for packet in await self._take(one.order.server) if packet.at >= (at or one.at)]
            if not packets:
                found.unheard += 1
                found.first_packets.append(found.patience)
                continue
            found.first_packets.append(packets[0].at - one.at - CALL_SECONDS)
            if at is not None:
                found.after_answers.append(packets[0].at - at)
            found.late += lateness(packets)
            found.held_up += held_up_seconds(packets)
            found.silences.append(longest_silence(packets, silent_bytes=SILENT_BYTES))
            found.lost += lost(packets)
            found.seconds += spoken_seconds(packets, silent_bytes=SILENT_BYTES)
        listener = self.servers[0].listener
        self.undecryptable, self.decrypted = listener.undecryptable, len(listener.speech())

    async def _take(self, server: Server) -> list[Packet]:
        ssrc = self._ssrc(server)
        return [] if ssrc is None else await self._watch.take(ssrc)

    def _ssrc(self, server: Server) -> int | None:
        connection = self._rehearsal.voice.connection(server.guild.id)
        return None if connection is None else connection.ssrc


@asynccontextmanager
async def many_servers(
    count: int, *, members: int = 1, manner: str = "takes all"
) -> AsyncIterator[ManyServers]:
    """Run a bot in ``count`` new servers, with ``members`` in a voice channel of each."""
    keep_read_buffers_small()
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        watch = await parts.enter_async_context(voice_watch(rehearsal.voice.packets.address[1]))
        rehearsal.voice.packets.address = watch.address
        servers = [await _server(rehearsal, number, members) for number in range(count)]
        operator = rehearsal.world.add_person("Operator")
        servers[0].guild.add_member(operator)  # a bot can write to nobody whom it shares no server with
        rehearsal.world.give_application_to(operator)
        tts_gateway = await parts.enter_async_context(counted_tts_gateway(manner))
        data_dir = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-bot-")))
        count_file = data_dir.with_suffix(".count")
        parts.callback(count_file.unlink, missing_ok=True)
        bot = await parts.enter_async_context(
            bot_in(rehearsal, data_dir, tts_gateway.base_url, end_seconds=_END_SECONDS, count_file=count_file)
        )
        yield ManyServers(rehearsal, servers, watch, tts_gateway, bot.pid, count_file)


async def _server(rehearsal: Rehearsal, number: int, members: int) -> Server:
    """Return a server whose people are in its voice channel already: the bot is told nothing later."""
    guild = rehearsal.world.add_guild(f"Server {number}")
    text_channel, voice_channel = guild.add_text_channel("general"), guild.add_voice_channel("Perch")
    people = [rehearsal.world.add_person(f"Member {member}") for member in range(members)]
    for person in people:
        guild.add_member(person)
    listeners = [await person.join(voice_channel) for person in people]
    return Server(guild, text_channel, voice_channel, people, listeners[0])


def cpu_seconds(pid: int) -> float:
    """Return what a process and its children have taken of the cores, those that have ended among them."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    children = of_children(process, psutil.Process.cpu_times)
    ended = own.children_user + own.children_system
    return float(ended + sum(times.user + times.system for times in (own, *children)))


async def _busy_cores(bot_pid: int) -> list[tuple[float, float, float]]:
    """Return, for some seconds from now on: when, and what the bot and all others have taken by then."""
    bot = psutil.Process(bot_pid)
    theirs = [bot, *bot.children(recursive=True)]
    us = psutil.Process()
    others = [us, *(child for child in us.children(recursive=True) if child not in theirs)]
    began, samples = time.monotonic(), []
    while time.monotonic() < began + _BUSY_SECONDS:
        samples.append((time.monotonic() - began, _taken(theirs), _taken(others)))
        await asyncio.sleep(_BUSY_STEP_SECONDS)
    return samples


def _taken(processes: Sequence[psutil.Process]) -> float:
    seconds = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def _until(samples: Sequence[tuple[float, float, float]], seconds: float) -> tuple[float, float]:
    """Return how many cores the bot and all others kept busy in the first ``seconds``."""
    first = samples[0]
    last = next((one for one in samples if one[0] >= seconds), samples[-1])
    took = max(last[0] - first[0], 1e-9)
    return (last[1] - first[1]) / took, (last[2] - first[2]) / took


@dataclass(frozen=True, slots=True)
class Footprint:
    """Threads, and memory in MB (shared pages in part), of a process and its children."""

    threads: int
    megabytes: float


def footprint(pid: int) -> Footprint:
    """Return what a process and its children hold now."""
    process = psutil.Process(pid)
    threads = [process.num_threads(), *of_children(process, psutil.Process.num_threads)]
    megabytes = [proportional_megabytes(process), *of_children(process, proportional_megabytes)]
    return Footprint(sum(threads), sum(megabytes))
