"""Walking through what is done with saved voices: how they are looked at and held against each other."""

from __future__ import annotations

import json
from typing import Final

from rehearsal.messages import Message
from rehearsal.people import Person
from rehearsal.pitch import pitch_of, semitones
from rehearsal.stage import pcm_of_wav
from rehearsal.walk import Given, Walk, check

SAME_VOICE: Final = 3.0
"""Semitones between two takes of one voice at most; the recordings here are an octave and more apart."""

TO_FILE: Final = "here, as a file"
"""A choice of /speak for what need not be heard; hearing takes as long as it lasts."""


class VoiceWalk(Walk):
    """A walk whose steps are about saved voices. What these print and check is the same in all of them."""

    async def speak(self, person: Person, **options: object) -> Given:
        """Let somebody type /speak, and return their take, heard unless it is for a file only."""
        packets = None if options.get("to") == TO_FILE else self.packets
        return await self.given(await self.type(person, "speak", **options), packets)

    async def proposed(self, person: Person) -> list[str]:
        """Return the voices that /speak proposes to somebody."""
        found = await person.autocomplete(self._stage.general, "speak", "voice", "", text="Hello")
        names = sorted(name for name, _ in found)
        print(f"   /speak proposes to {person.name}: {', '.join(names)}")
        return names

    async def recording(self, person: Person, name: str) -> bytes:
        """Return the recording of a voice as /voice info gives it."""
        info = await person.slash(self._stage.general, "voice info", name=name)
        return (await self._stage.file_of(info)).data

    async def recorded_pitch(self, person: Person, name: str) -> float:
        """Return the pitch of a voice's recording in Hz."""
        return pitch_of(pcm_of_wav(await self.recording(person, name)))

    async def kept_about(self, person: Person) -> list[str]:
        """Return the names of somebody's voices in what /privacy export gives them."""
        answer = await self.type(person, "privacy export")
        file = await self._stage.file_of(answer)
        print(f"   file:   {await self._stage.save(file.name, file.data)}")
        return [voice["name"] for voice in json.loads(file.data)["voices"]]

    def recordings_of(self, name: str) -> list[Message]:
        """Return the messages in #general in which the bot has put the recording of a voice."""
        begins = f"The recording of the voice {name}"
        return [message for message in self._stage.general.history if message.content.startswith(begins)]

    def check_credit(self, given: Given, voice: str, asker: Person) -> None:
        """Raise `StepFailedError` unless both the answer and the file say whose voice it is, and for whom."""
        words, tag = f"{voice}, for {asker.mention}", f"{voice}, for {asker.name}"
        check(words in given.answer.content, f"the answer does not say: {words}")
        check(tag.encode() in given.file.data, f"the file does not say: {tag}")

    def check_same_voice(self, what: str, pitch: float, wanted: float) -> None:
        """Raise `StepFailedError` unless ``what`` has the pitch that is ``wanted``, both in Hz."""
        apart = semitones(pitch, wanted)
        check(apart <= SAME_VOICE, f"{what} is at {pitch:.0f} Hz, and the voice at {wanted:.0f} Hz")


def pitch_in(given: Given) -> float:
    """Return the pitch of a take in Hz."""
    return pitch_of(pcm_of_wav(given.file.data))
