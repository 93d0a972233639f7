"""A channel that is read aloud: who writes in it, what was made for that, and what a listener heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bot.library.starters import STARTERS
from rehearsal.likeness import RATE, likeness
from rehearsal.people import Person
from rehearsal.records import Channel, Message
from rehearsal.stage import pcm_of_wav
from rehearsal.voice.listener import Listener
from tests.scenes import DEADLINE, Scene, until, words_of
from tts_gateway.engines.offline import OfflineEngine

SAMPLE_BYTES = 2
_APART = 0.05  # seconds by which two sounds that follow each other may seem to overlap

SAMPLES = {starter.sample for starter in STARTERS}
"""What starter voices say when they are made."""


@dataclass
class KeepingEngine:
    """The offline engine; it keeps what it has made, and lets texts wait until they are released."""

    made: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    waits: dict[str, asyncio.Event] = field(default_factory=dict)
    """Texts that are held back until their event is set."""
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._engine = OfflineEngine()

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        return await self._engine.speak(text, cfg_value=cfg_value, dit_steps=dit_steps)

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        self.asked.append(text)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if text in self.waits:
                await self.waits[text].wait()
            wav = await self._engine.clone(text, reference, prompt_text=prompt_text)
        finally:
            self.at_once -= 1
        self.made.append((text, wav))
        return wav

    async def aclose(self) -> None:
        await self._engine.aclose()


class Read:
    """A scene in which ``channel`` is read aloud where ``listener`` sits."""

    def __init__(self, scene: Scene, engine: KeepingEngine, listener: Listener) -> None:
        self.scene = scene
        self.engine = engine
        self.listener = listener
        self.channel: Channel = scene.general

    @property
    def asked(self) -> list[str]:
        """What was asked for, in the order in which the TTS gateway heard of it."""
        return self.engine.asked

    async def write(self, who: Person, text: str = "", **more: Any) -> Message:
        """Let somebody write, and the bot hear of it."""
        message = await who.say(self.channel, text, **more)
        await self.caught_up()
        return message

    async def caught_up(self) -> None:
        """Wait until the bot has taken in what was written."""
        await self.scene.rehearsal.caught_up()
        readers = self.scene.bot.readers
        await until(lambda: not any(readers._at_the_door.values()))

    async def until_asked(self, text: str) -> None:
        """Wait until ``text`` was asked for."""
        await until(lambda: text in self.asked, within=DEADLINE)

    async def until_silent(self) -> None:
        """Wait until nothing more is to be read."""
        reader = self.scene.bot.readers._readers.get(self.scene.guild.id)
        await until(lambda: reader is None or not (reader._in_hand or reader._backlog), within=DEADLINE)
        if self.listener.speech():  # what was stopped at once may have sent silence alone
            await self.listener.wait_for_silence(seconds=0.5, timeout=DEADLINE)

    def heard(self) -> list[str]:
        """Return what the listener heard of what was made, in order."""
        return [text for _, text in sorted(self.places())]

    def places(self) -> list[tuple[float, str]]:
        """Return where in the recording each text begins that was heard whole, in seconds.

        Of two that would have been heard at once it is the likelier one: a text with the author's name in
        front of it is much like the text alone.
        """
        pcm = self.listener.pcm()
        sounds = [(text, pcm_of_wav(wav)) for text, wav in self.engine.made]
        found = [(likeness(sound, pcm), len(sound) / SAMPLE_BYTES / RATE, text) for text, sound in sounds]
        heard: list[tuple[float, float, str]] = []
        for match, seconds, text in sorted(found, key=lambda one: -one[0].correlation):
            begin, end = match.delay, match.delay + seconds
            if match.correlation > 0.8 and not any(
                begin < until - _APART and since + _APART < end for since, until, _ in heard
            ):
                heard.append((begin, end, text))
        return [(begin, text) for begin, _, text in heard]


async def read_here(scene: Scene, engine: KeepingEngine) -> Read:
    """Let Bob and Alice sit in Perch, and Alice have #general read there."""
    await scene.bob.join(scene.perch)
    listener = await scene.alice.join(scene.perch)
    answer = await scene.alice.slash(scene.general, "read here")
    assert (await words_of(answer)).startswith(
        f"I read <#{scene.general.id}> aloud in <#{scene.perch.id}>, everyone there"
    )
    return Read(scene, engine, listener)
