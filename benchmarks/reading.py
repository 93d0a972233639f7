"""Reading aloud: how soon a message is heard, what is between two, and a channel with 20 people in it.

The rehearsal, the bot and the TTS gateway are in this process. Voices are made before anything is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import load
from benchmarks.model_tts_gateway import ModelEngine
from benchmarks.sentences import SENTENCES
from benchmarks.sounds import speech_wav
from bot.playback.queue import UtteranceState
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.answers import AnswerState
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.room.on_call import BotOnCall
from rehearsal.server import Rehearsal
from rehearsal.voice.listener import Listener
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tts_gateway.fetch import Endpoint, FetchOptions
from tts_gateway.server import ServerOptions, create_app, serving

_CALL_SECONDS: Final = 0.2
_PER_SECOND: Final = 0.1
_MESSAGES: Final = 10
_PEOPLE: Final = 20
_CROWD_SECONDS: Final = 60.0
_CROWD_MESSAGES: Final = 60
_LONGEST_WAIT: Final = 60.0
_FIRST_SOUND_MS: Final = 350.0
_GAP_SECONDS: Final = 1.0
_A_BREATH: Final = 0.1  # seconds; within an utterance packets are nearer to each other
_LOOK_SECONDS: Final = 0.02
_PATIENCE: Final = 120.0


class _TimedEngine(ModelEngine):
    """A model that remembers when it has answered with which text."""

    def __init__(self, speech: bytes) -> None:
        super().__init__(speech, _CALL_SECONDS, _PER_SECOND)
        self.answered: dict[str, float] = {}

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        """Answer as a model does, and remember when."""
        wav = await super().clone(text, reference, prompt_text=prompt_text)
        self.answered[text] = time.monotonic()
        return wav


@dataclass
class _Channel:
    """A channel that is read aloud, and who listens."""

    rehearsal: Rehearsal
    bot: SpeechBot
    engine: _TimedEngine
    guild: Guild
    general: Channel
    people: list[Person]
    listener: Listener
    began: dict[str, float] = field(default_factory=dict)

    async def quiet(self) -> None:
        """Wait until everything was read."""
        async with asyncio.timeout(_PATIENCE):
            await self.rehearsal.caught_up()
            await asyncio.sleep(5 * _LOOK_SECONDS)  # what was heard of is looked at
            while self.bot.readers.behind(self.guild.id).messages or self._player_is_busy():  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_SECONDS)

    def _player_is_busy(self) -> bool:
        player = self.bot.players.get(self.guild.id)
        return player is not None and bool(player.utterances())

    async def watch(self) -> None:
        """Note when what begins to be said."""
        while True:
            player = self.bot.players.get(self.guild.id)
            for entry in player.utterances()[:1] if player is not None else ():
                if entry.state is UtteranceState.PLAYING:
                    self.began.setdefault(entry.title, time.monotonic())
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def _channel(people: int) -> AsyncIterator[_Channel]:
    """Yield a channel in which so many people sit, with their voices made."""
    async with AsyncExitStack() as parts:
        folder = parts.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-reading-"))
        rehearsal = await parts.enter_async_context(Rehearsal())
        rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
        guild = rehearsal.world.add_guild("The Aviary")
        general, perch = guild.add_text_channel("general"), guild.add_voice_channel("Perch")
        crowd = [rehearsal.world.add_person(f"Member {chr(65 + number)}") for number in range(people)]
        for person in crowd:
            guild.add_member(person)
        engine = _TimedEngine(await speech_wav(60.0))
        cdn = Endpoint("127.0.0.1", rehearsal.port)
        fetch = FetchOptions(resolve={"cdn.discordapp.com": cdn}, ca_file=rehearsal.ca_file)
        options = ServerOptions(fetch=fetch, engine_places=16, waiting_places=64)
        base_url = await parts.enter_async_context(serving(create_app(engine, options=options)))
        settings = Settings(tts_base_url=base_url, data_dir=Path(folder))
        bots: list[SpeechBot] = []

        def make_bot() -> SpeechBot:
            bots.append(SpeechBot(settings, connector=rehearsal.connector()))
            return bots[-1]

        on_call = BotOnCall(rehearsal, make_bot)
        parts.push_async_callback(on_call.aclose)
        await on_call.start()
        listener = await crowd[0].join(perch)
        for person in crowd[1:]:
            await person.join(perch)
        answer = await crowd[0].slash(general, "read here")
        await answer.until(lambda shown: shown.state is AnswerState.REPLIED, timeout=_PATIENCE)
        channel = _Channel(rehearsal, bots[-1], engine, guild, general, crowd, listener)
        for person in crowd:  # one after the other: each voice is made once
            await person.say(general, f"Good evening from {person.name}.")
            await asyncio.sleep(0.1)
        await channel.quiet()
        yield channel


async def _first_sound() -> list[Figure]:
    milliseconds = []
    async with _channel(1) as channel:
        for number in range(_MESSAGES):
            text, heard = f"Short message {number + 1}.", len(channel.listener.packets)
            await channel.people[0].say(channel.general, text)
            packet = await channel.listener.wait_for_speech(timeout=_PATIENCE, after=heard)
            milliseconds.append(1_000 * (packet.arrival - channel.engine.answered[text]))
            await channel.quiet()
    name = "short message: TTS gateway has answered → first packet with sound"
    return [Figure(name, milliseconds, "ms", Goal(_FIRST_SOUND_MS))]


async def _following() -> list[Figure]:
    async with _channel(2) as channel:
        heard = len(channel.listener.packets)
        for number in range(2 * _MESSAGES):
            person = channel.people[number // 2 % 2]
            await person.say(channel.general, f"{SENTENCES['en'][number % len(SENTENCES['en'])]} {number}")
        await channel.quiet()
        packets = channel.listener.speech(after=heard)
    gaps = [after.arrival - before.arrival for before, after in pairwise(packets)]
    between = [gap for gap in gaps if gap > _A_BREATH]
    name = "messages behind each other: silence between two"
    return [
        Figure(name, between, "s"),
        Figure(f"{name}, the longest", [max(between)], "s", Goal(_GAP_SECONDS)),
    ]


async def _crowd() -> list[Figure]:
    async with _channel(_PEOPLE) as channel:
        written: dict[str, float] = {}
        by_author: defaultdict[str, list[str]] = defaultdict(list)
        watching = asyncio.create_task(channel.watch())
        for number in range(_CROWD_MESSAGES):
            person = channel.people[number % _PEOPLE]
            text = f"Message {number + 1}: {SENTENCES['en'][number % len(SENTENCES['en'])]}"
            written[text] = time.monotonic()
            by_author[person.name].append(text)
            await person.say(channel.general, text)
            await asyncio.sleep(_CROWD_SECONDS / _CROWD_MESSAGES)
        await channel.quiet()
        watching.cancel()
        began = {
            text: at
            for text in written
            for title, at in channel.began.items()
            if text.startswith(title.rstrip("…"))
        }
    waits = [began[text] - written[text] for text in began]
    unordered = sum(
        began[one] > began[other]
        for texts in by_author.values()
        for one, other in pairwise([text for text in texts if text in began])
    )
    counts = [sum(text in began for text in texts) for texts in by_author.values()]
    what = f"{_PEOPLE} people, {_CROWD_MESSAGES} messages in a minute"
    return [
        Figure(f"{what}: wait of what is read", waits, "s"),
        Figure(f"{what}: the longest wait", [max(waits, default=_PATIENCE)], "s", Goal(_LONGEST_WAIT)),
        Figure(f"{what}: read", [float(len(began))], "messages"),
        Figure(f"{what}: out of an author's order", [float(unordered)], "messages", Goal(0.0)),
        Figure(f"{what}: most of one author less fewest", [float(max(counts) - min(counts))], "messages"),
    ]


PARTS: Final = {"first": _first_sound, "following": _following, "crowd": _crowd}


def run(part: str) -> Benchmark:
    """Measure one part; in up to three minutes."""
    figures = asyncio.run(PARTS[part]())
    return Benchmark(f"Reading aloud: {part}", figures, [f"load while measuring: {load()}"])
