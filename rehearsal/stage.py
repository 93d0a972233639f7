"""The stage of a rehearsal: a server with three people in it, and a bot at work."""

from __future__ import annotations

import asyncio
import re
import time
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import ShownFile
from rehearsal.likeness import Likeness, likeness
from rehearsal.permissions import Permission
from rehearsal.server import Rehearsal
from rehearsal.voice.listener import Listener, wav_of

ANSWER_SECONDS: Final = 60.0
"""How long a person here waits for an answer before they call it a failure."""


QUIET_SECONDS: Final = 1.0
"""An answer that has not changed for so long is taken for the last word."""

_MESSAGE_LINK: Final = re.compile(r"https://discord\.com/channels/\d+/\d+/\d+")
_ESCAPED: Final = re.compile(r"\\([^0-9A-Za-z\s])")  # as the app takes it
_MOMENT: Final = re.compile(r"<t:(-?\d+)(?::[A-Za-z])?>")
_NO_STEM: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class HeardSpeech:
    """What a listener heard of one utterance: 48 kHz mono 16-bit PCM, and how many frames of it."""

    pcm: bytes
    frames: int
    undecryptable: int

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return len(self.pcm) / (2 * 48_000)


class TourStage:
    """A server called The Aviary: #general, the voice channel Perch, Alice, Bob and Carol.

    Carol is a moderator, and so is Alice at first.
    """

    def __init__(self, rehearsal: Rehearsal, output: Path) -> None:
        world = rehearsal.world
        self.rehearsal = rehearsal
        self.output = output
        self.guild = world.add_guild("The Aviary")
        self.general = self.guild.add_text_channel("general")
        self.perch = self.guild.add_voice_channel("Perch")
        self.alice = world.add_person("Alice")
        self.bob = world.add_person("Bob")
        self.carol = world.add_person("Carol")
        self._people = (self.alice, self.bob, self.carol)
        for person in self._people:
            self.guild.add_member(person)
        powers = Permission.MANAGE_GUILD | Permission.MANAGE_MESSAGES | Permission.CREATE_GUILD_EXPRESSIONS
        self.moderators = self.guild.add_role("Moderators", powers, self.alice, self.carol)
        self._files = 0

    def move_to(self, name: str) -> None:
        """Go on in another server, in which the bot is not yet. Carol alone is a moderator there."""
        self.guild = self.rehearsal.world.add_guild(name, with_bot=False)
        self.general = self.guild.add_text_channel("general")
        self.perch = self.guild.add_voice_channel("Perch")
        for person in self._people:
            self.guild.add_member(person)
        self.moderators = self.guild.add_role("Moderators", Permission.MANAGE_GUILD, self.carol)

    async def file_of(self, answer: Answer) -> ShownFile:
        """Wait for the file under ``answer``; raises `TimeoutError` or `StepFailedError` without one."""
        async for _words in self.watch(answer):
            pass
        if not answer.files:
            raise StepFailedError(answer.failure or answer.content)
        return answer.files[0]

    async def watch(self, answer: Answer) -> AsyncIterator[str]:
        """Yield what ``answer`` says, each time it says something else, until it has a file or stays so.

        Like anybody who reads it we take an ellipsis for a promise of more. Raises `TimeoutError` when
        nothing comes within `ANSWER_SECONDS`.
        """
        said = ""
        await answer.until(lambda shown: shown.state is not AnswerState.WAITING, timeout=ANSWER_SECONDS)
        while True:
            words = self.readable(answer.failure or answer.content)
            if words != said:
                yield words
                said = words
            promised = answer.state is AnswerState.THINKING or said.endswith(" …")
            if answer.files or not await answer.changes.next(ANSWER_SECONDS if promised else QUIET_SECONDS):
                break
        if promised:
            raise TimeoutError(f"still no answer after {ANSWER_SECONDS:g} s")

    async def hear(self, listener: Listener, *, after: int = 0) -> HeardSpeech:
        """Return what ``listener`` hears from its ``after``-th packet on, once it is silent again."""
        await listener.wait_for_silence(seconds=1.0, timeout=ANSWER_SECONDS, after=after)
        packets = listener.packets[after:]
        undecryptable = sum(packet.opus is None for packet in packets)
        return HeardSpeech(listener.pcm(after=after), len(packets), undecryptable)

    def readable(self, text: str) -> str:
        """Return ``text`` about as Discord's app shows it: with names where mentions stand."""
        for channel in self.guild.channels.values():
            text = text.replace(f"<#{channel.id}>", f"#{channel.name}")
        for person in self._people:
            text = text.replace(person.mention, f"@{person.name}")
        text = _MOMENT.sub(_from_now, _MESSAGE_LINK.sub("(a link to that message)", text))
        return _ESCAPED.sub(r"\1", text)

    async def save(self, name: str, data: bytes) -> Path:
        """Write ``data`` into the output folder under a numbered name and return its path."""
        self._files += 1
        stem = _NO_STEM.sub("-", name).strip("-")
        path = self.output / f"{self._files:02d}-{stem}"
        await asyncio.to_thread(_write, path, data)
        return path

    async def save_heard(self, name: str, heard: HeardSpeech) -> Path:
        """Write what was heard as a WAV and return its path."""
        return await self.save(name, wav_of(heard.pcm))


class StepFailedError(Exception):
    """Something did not go as a person may expect; the text says what they saw instead."""


def pcm_of_wav(data: bytes) -> bytes:
    """Return the samples of a 48 kHz mono 16-bit WAV; raises `StepFailedError` if it is none."""
    try:
        with wave.open(BytesIO(data)) as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            pcm: bytes = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise StepFailedError(f"the file under the answer is no WAV: {error}") from None
    if shape != (1, 2, 48_000):
        raise StepFailedError(f"the WAV under the answer is not 48 kHz mono 16-bit but {shape}")
    return pcm


def alike(file: bytes, heard: HeardSpeech) -> Likeness:
    """Return how alike the WAV under an answer and what was heard of it are."""
    return likeness(pcm_of_wav(file), heard.pcm)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _from_now(moment: re.Match[str]) -> str:
    """Return how long ago a moment was, or is ahead, as coarsely as Discord's app says it."""
    seconds = int(moment[1]) - time.time()
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = round(abs(seconds) / length)
        if count:
            words = f"{count} {name}{'s' if count > 1 else ''}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "in a moment" if seconds > 0 else "a moment ago"
