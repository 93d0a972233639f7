"""The tour in which three members talk by text for two minutes, and are heard in a voice channel."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from bot.playback.voice_client import SpeechVoiceClient
from bot.text.speaking_time import speaking_seconds
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.likeness import likeness
from rehearsal.people import Person
from rehearsal.records import Message
from rehearsal.stage import ANSWER_SECONDS, TourStage, pcm_of_wav
from rehearsal.tours import TO_FILE
from rehearsal.voice.listener import HeardPacket
from rehearsal.walk import Step, Walk, check

ALIKE: Final = 0.8
"""What was heard of a message correlates with the speech that is kept of it at least so."""

MOST_SILENCE: Final = 1.0
"""Seconds without a sound where there was something to say."""

_AHEAD_SECONDS: Final = 3.0
"""People begin with so much at once, and go on as fast as it is read: there is always something to say."""

_SPEEDS: Final = (None, 1.2, 1.4)
"""How fast it may be read where more waits than that."""

_WATCH_SECONDS: Final = 0.1
_A_BREATH: Final = 0.15  # seconds; between two words of an utterance there may be so much
_PICTURE: Final = SentFile("sunset.png", b"\x89PNG\r\n\x1a\n", "image/png")
_HIDDEN: Final = SentFile("SPOILER_end.png", b"\x89PNG\r\n\x1a\n", "image/png")


@dataclass(frozen=True)
class Cue:
    """What somebody writes, and what is heard of it; "" for what nobody hears.

    ``edited`` is what they make of it a moment later; ``is_deleted``: it is gone before it was heard.
    """

    who: str
    text: str
    heard: str | None = None
    files: tuple[SentFile, ...] = ()
    stickers: tuple[str, ...] = ()
    edited: str = ""
    is_deleted: bool = False
    forwards: bool = False

    @property
    def said(self) -> str:
        """What is heard of it, without a name."""
        if self.is_deleted:
            return ""
        return self.edited or (self.text if self.heard is None else self.heard)


_SCRIPT: Final = (
    Cue("Alice", "Hello everybody, it is good to have you all here this evening."),
    Cue("Bob", "Guten Abend, ich bin auch da und freue mich auf das Spiel."),
    Cue("Carol", "Bonsoir, je suis là aussi, mais je ne peux pas parler ce soir."),
    Cue("Alice", "No problem at all, the bird reads what we write."),
    Cue("Alice", "Look at the sky over here.", "Look at the sky over here. an image", files=(_PICTURE,)),
    Cue("Bob", "Das ist wirklich schön, wo hast du das aufgenommen?"),
    Cue("Alice", "From my window, two minutes ago."),
    Cue("Carol", "C'est magnifique, on dirait une peinture.", stickers=("Wave",),
         heard="C'est magnifique, on dirait une peinture. autocollant : Wave"),
    Cue("Bob", "; das hier soll niemand hören", ""),
    Cue("Bob", "Wollen wir nachher noch eine Runde spielen?"),
    Cue("Alice", "Yes, but I have to be back at nine o'clock."),
    Cue("Carol", "Moi aussi, alors commençons mantenant.", edited="Moi aussi, alors commençons maintenant."),
    Cue("Bob", "Einen Moment, ich muss noch etwas essen."),
    Cue("Alice", "Take your time, we are not in a hurry."),
    Cue("Carol", "Ce message ne sera jamais entendu.", is_deleted=True),
    Cue("Carol", "J'ai trouvé une page pour nous : https://www.example.org/regles",
         "J'ai trouvé une page pour nous: lien vers example point org"),
    Cue("Bob", "Danke, das lese ich mir gleich durch."),
    Cue("Alice", "The end of the film was so sad: ||the bird flies away||",
         "The end of the film was so sad: spoiler"),
    Cue("Bob", "Nein, sag doch so etwas nicht, ich habe ihn noch nicht gesehen!"),
    Cue("Alice", "Oh, hahahahaha, sorry for that!", "Oh, hahaha, sorry for that!"),
    Cue("Carol", "Voici la fin du film.", "Voici la fin du film. masqué : une image", files=(_HIDDEN,)),
    Cue("Bob", "Gut, ich bin jetzt satt und bereit."),
    Cue("Alice", "Somebody has to read the rules to me once more."),
    Cue("Carol", "D'accord, je les ai sous les yeux."),
    Cue("Bob", "Wer beginnt?"),
    Cue("Alice", "You do, and then it goes around the table."),
    Cue("Carol", "Je passe mon tour, je veux d'abord regarder."),
    Cue("Bob", "", "forwarded", forwards=True),
    Cue("Alice", "That is a good one, I had forgotten about it."),
    Cue("Bob", "Dann fange ich an und nehme die rote Karte."),
    Cue("Carol", "Et moi, je prends la bleue, comme toujours."),
    Cue("Alice", "This is going to be a long evening, and I am looking forward to it."),
    Cue("Bob", "Bis später, ich hole mir noch schnell ein Glas Wasser."),
    Cue("Carol", "À tout de suite, nous ne bougeons pas d'ici."),
)  # fmt: skip

_VOICES: Final = {"Alice": "Warm", "Bob": "Narrator", "Carol": "Bright"}


@dataclass
class HeardCue:
    """A line that is to be heard: whose, when it was written, and where it stands in the recording."""

    line: Cue
    text: str
    written_at: float
    delay: float = 0.0
    seconds: float = 0.0
    correlation: float = field(default=0.0)


class _StandStills:
    """How long playing was held up by a busy machine: a silence of that kind is not the bot's."""

    def __init__(self) -> None:
        self._noted: list[tuple[float, float]] = []  # when, and how many seconds in all

    async def watch(self) -> None:
        """Take note, for as long as this runs."""
        while True:
            self._noted.append((time.monotonic(), SpeechVoiceClient.scheduler.skipped_seconds))
            await asyncio.sleep(_WATCH_SECONDS)

    def between(self, begin: float, end: float) -> float:
        """Return how many seconds that were."""
        first, last = (bisect_left(self._noted, (at, 0.0)) for at in (begin, end))
        noted = self._noted[max(0, first - 1) : last + 1]
        return noted[-1][1] - noted[0][1] if noted else 0.0


class ReadingTour(Walk):
    """Three members who talk by text, in three languages and voices; what is heard is kept and checked."""

    def __init__(self, stage: TourStage) -> None:
        super().__init__(stage)
        self._stand_stills = _StandStills()
        self._people: dict[str, Person] = {one.name: one for one in (stage.alice, stage.bob, stage.carol)}
        self._spoken: list[HeardCue] = []

    @property
    def steps(self) -> Sequence[Step]:
        """From their voices to the end of what was heard."""
        return [self._choose_voices, self._begin, self._talk, self._listen_to_all, self._stop]

    async def run(self) -> bool:
        """Walk it, and watch the machine meanwhile."""
        watching = asyncio.create_task(self._stand_stills.watch(), name="stand-stills")
        try:
            return await super().run()
        finally:
            watching.cancel()

    async def _choose_voices(self) -> None:
        """Alice, Bob and Carol sit down in Perch and choose a voice each. Each says a word in it."""
        for name, person in self._people.items():
            listener = await person.join(self._stage.perch)
            self._listener = self._listener or listener
            words = await self.told(await self.type(person, "voice choose", name=_VOICES[name]))
            check(_VOICES[name] in words, f"{name} has not got the voice {_VOICES[name]}")
            packets = self.packets
            await self.delivered(await self.type(person, "speak", text=f"This is {name}."), packets)

    async def _begin(self) -> None:
        """Alice has #general read aloud."""
        words = await self.told(await self.type(self._stage.alice, "read here"))
        check(words.startswith("I read #general aloud in #Perch,"), "nothing is read")

    async def _talk(self) -> None:
        """They talk for two minutes, with edits, deletions, a sticker, a link, a spoiler and a forward."""
        before, first = "", self._stage.general.history[-1]
        for line in _SCRIPT:
            said = line.said
            if line.forwards:
                said = f"weitergeleitet: {_SCRIPT[0].text}"
            shown = line.text or "(forwards the first message)"
            print(f"   {line.who}: {shown}{' (deleted)' if line.is_deleted else ''}")
            written_at = time.monotonic()
            first = await self._write(line, first)
            if said:
                text = f"{line.who}: {said}" if line.who != before else said
                before = line.who
                self._spoken.append(HeardCue(line, text, written_at))
                await asyncio.sleep(
                    speaking_seconds(text) - (_AHEAD_SECONDS if len(self._spoken) == 1 else 0.0)
                )

    async def _write(self, line: Cue, first: Message) -> Message:
        person, general = self._people[line.who], self._stage.general
        if line.forwards:
            person.forward(first, general)
            return first
        message = await person.say(general, line.text, line.files, stickers=line.stickers)
        if line.edited:
            person.edit(message, line.edited)
        if line.is_deleted:
            person.delete(message)
        return message if line is _SCRIPT[0] else first

    async def _listen_to_all(self) -> None:
        """All of it is heard in order and whole, and without a silence where there was something to say."""
        listener = self.listener
        await listener.wait_for_silence(seconds=6.0, timeout=4 * ANSWER_SECONDS, after=0)
        path = await self._stage.save_heard("conversation.wav", await self._stage.hear(listener))
        print(f"   heard:  {path}")
        pcm = _thinned(listener.pcm())
        for one in self._spoken:
            for speed in _SPEEDS:
                kept = await self._kept(one, speed)
                match = await asyncio.to_thread(likeness, _thinned(kept), pcm)
                one.delay, one.correlation, one.seconds = match.delay, match.correlation, len(kept) / 96_000
                if one.correlation >= ALIKE:
                    break
        missing = [one.text for one in self._spoken if one.correlation < ALIKE]
        check(not missing, f"not heard as it was made: {missing}")
        order = [one.text for one in sorted(self._spoken, key=lambda one: one.delay)]
        check(order == [one.text for one in self._spoken], "it was heard in another order")
        silent, longest = self._silences(listener.speech())
        print(f"   {len(order)} messages in order, the longest silence between them {longest:.2f} s")
        check(not silent, f"silences of more than {MOST_SILENCE:g} s: {silent}")

    async def _kept(self, one: HeardCue, speed: float | None) -> bytes:
        """Return what was made of a line: the same words in the same voice are kept, and free."""
        person = self._people[one.line.who]
        options = {"voice": _VOICES[person.name], "output": TO_FILE, "speed": speed}
        answer: Answer = await person.slash(self._stage.general, "speak", text=one.text, **options)
        return pcm_of_wav((await self._stage.file_of(answer)).data)

    def _silences(self, packets: Sequence[HeardPacket]) -> tuple[list[str], float]:
        """Return the silences that are too long although something waited, and how long the longest was.

        What was written less than two seconds before a silence began may still have been made, and while the
        machine lets nobody play it is not the bot that is silent.
        """
        found, longest = [], 0.0
        for before, after in pairwise(packets):
            seconds = after.arrival - before.arrival
            waiting = [one for one in self._spoken if before.arrival - 2.0 > one.written_at]
            heard = sum(one.seconds for one in self._spoken[: len(waiting)])
            so_far = sum(1 for packet in packets if packet.arrival <= before.arrival) * 0.02
            if seconds < _A_BREATH or so_far >= heard - 0.5:
                continue
            seconds -= self._stand_stills.between(before.arrival, after.arrival)
            longest = max(longest, seconds)
            if seconds > MOST_SILENCE:
                found.append(f"{seconds:.1f} s")
        return found, longest

    async def _stop(self) -> None:
        """Bob stops it, and what Alice writes then is not heard."""
        words = await self.told(await self.type(self._stage.bob, "read stop"))
        check("I've stopped reading" in words, "it was not stopped")
        packets = self.packets
        await self._stage.alice.say(self._stage.general, "Is anybody still listening?")
        await self.told(await self.type(self._stage.alice, "queue"))
        check(self.packets == packets, "something was heard after the end")


def _thinned(pcm: bytes) -> bytes:
    """Return every sixth sample or so: 8 kHz are enough to find an utterance in two minutes, and quick."""
    samples = np.frombuffer(pcm, "<i2")
    thinned: bytes = samples[: len(samples) // 6 * 6].reshape(-1, 6).mean(axis=1).astype("<i2").tobytes()
    return thinned
