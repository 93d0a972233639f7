"""The starter voices offline: eight speakers that nobody takes for each other, also when they are cloned."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pytest

from bot.audio.quality import find_defect
from bot.audio.stream import speech_from_wav
from bot.audio.wav import COMMENT, SUBJECT, TITLE, write_wav
from bot.library.starters import STARTERS, Starter
from rehearsal.likeness import pitch_of, semitones
from tests.audio.voices import WOMAN, speech
from tts_gateway.engines.descriptions import description_in
from tts_gateway.engines.offline import OfflineEngine

TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps in the warm sun."


@dataclass(frozen=True)
class Sounding:
    """How a voice sounds: its pitch in Hz, 0 for a whisper, its length for `TEXT`, its spectrum in bands."""

    pitch: float
    seconds: float
    bands: tuple[float, ...]

    def differs_from(self, other: Sounding) -> bool:
        """Return whether anybody hears the difference: in pitch, in pace, or in colour."""
        pitch = semitones(self.pitch, other.pitch)
        pace = max(self.seconds, other.seconds) / min(self.seconds, other.seconds)
        colour = float(np.abs(np.subtract(self.bands, other.bands)).mean())
        return pitch > 2.5 or pace > 1.25 or colour > 6.0


async def recorded(engine: OfflineEngine, starter: Starter) -> bytes:
    """Return the recording of a starter as the bot keeps it."""
    wav = await engine.speak(f"({starter.style}){starter.sample}")
    made = await speech_from_wav(wav, text=starter.sample)
    assert await find_defect(made, starter.sample) is None
    return write_wav(made.pcm, tags={COMMENT: "AI-generated voice", SUBJECT: starter.style})


async def sounding(engine: OfflineEngine, reference: bytes, starter: Starter) -> Sounding:
    """Return how `TEXT` sounds in the voice of a recording."""
    wav = await engine.clone(TEXT, reference, prompt_text=starter.sample)
    made = await speech_from_wav(wav, text=TEXT)
    assert await find_defect(made, TEXT) is None
    samples = np.frombuffer(made.pcm, "<i2").astype(np.float64)
    powers = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / 48_000)
    edges = np.geomspace(100, 8_000, 17)
    bands = [powers[(frequencies >= a) & (frequencies < b)].sum() for a, b in pairwise(edges)]
    levels = 10 * np.log10(np.array(bands) / sum(bands) + 1e-9)
    return Sounding(pitch_of(made.pcm), made.seconds, tuple(levels.tolist()))


@pytest.mark.slow
async def test_the_eight_are_eight_speakers() -> None:
    engine = OfflineEngine()
    heard = {one.name: await sounding(engine, await recorded(engine, one), one) for one in STARTERS}

    alike = [(a, b) for a, b in combinations(heard, 2) if not heard[a].differs_from(heard[b])]
    assert alike == [], heard


async def test_a_whisper_and_a_robot_are_spoken_on_by_the_speaker_who_made_their_recording() -> None:
    engine = OfflineEngine()
    for starter in (STARTERS[5], STARTERS[7]):
        reference = await recorded(engine, starter)

        cloned = await engine.clone(TEXT, reference, prompt_text=starter.sample)

        assert cloned == await engine.speak(f"({starter.style}){TEXT}")


@pytest.mark.parametrize("subject", ["", "a recording made at home", "Grüße"])
async def test_a_subject_that_describes_no_speaker_changes_nothing(subject: str) -> None:
    engine = OfflineEngine()
    pcm = speech(WOMAN).pcm

    plain = await engine.clone("Hello there.", write_wav(pcm))
    tagged = await engine.clone("Hello there.", write_wav(pcm, tags={SUBJECT: subject}))

    assert tagged == plain


@pytest.mark.parametrize("style", ["an old man", "eine Frau, tief", "Ünïcode", "x" * 119])
def test_the_description_is_read_where_it_was_written(style: str) -> None:
    tags = {TITLE: "A title", COMMENT: "odd", SUBJECT: style}
    assert description_in(write_wav(bytes(9_600), tags=tags)) == style


def test_what_is_no_wav_or_broken_has_no_description() -> None:
    whole = write_wav(bytes(960), tags={SUBJECT: "an old man"})
    place = whole.index(b"ISBJ")
    broken = [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"OggS" + whole[4:], whole[:place], whole[: place + 6]]
    broken += [whole[: place + 4] + b"\xff\xff\xff\xff", whole[:16] + b"\xff\xff\xff\xff" + whole[20:]]
    for data in broken:
        assert (description_in(data) or "") in ("", "an old man")
