"""Speaker encoder, the judge of clones: it tells people apart, whatever they say."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from benchmarks.recogniser import SENTENCES, JudgeMissingError
from benchmarks.reference_voices import reference_voices
from benchmarks.speaker_encoder import SpeakerEncoder
from rehearsal.recordings import RECORDINGS
from tts_gateway.engines.clips import ClipMaker
from tts_gateway.engines.sherpa import SherpaEngine
from tts_gateway.engines.sound import resampled, wav_bytes

STRANGERS = 0.75
"""Two people come to 0.40 to 0.70 with it, two clips of one to 0.9."""


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    """The judge of `python -m benchmarks voices`."""
    try:
        return SpeakerEncoder()
    except JudgeMissingError as error:
        pytest.skip(str(error))


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other)


async def test_two_halves_of_a_recording_are_liker_than_two_recordings_in_the_room(encoder: SpeakerEncoder):
    clips = ClipMaker()
    halves = []
    for recording in RECORDINGS:
        clip = await clips.clip_of(recording.path.read_bytes())
        halves.append(
            [encoder.vector(wav_bytes(resampled(half, 24_000))) for half in np.array_split(clip.samples, 2)]
        )

    for number, (first, second) in enumerate(halves):
        strangers = [_likeness(first, other[1]) for at, other in enumerate(halves) if at != number]
        assert _likeness(first, second) > max(strangers) + 0.1


async def test_a_neural_voice_is_known_by_another_sentence_and_is_nobody_of_the_room(
    encoder: SpeakerEncoder, sherpa: SherpaEngine
):
    one, other = [
        encoder.vector(await sherpa.speak(" ".join(SENTENCES[first : first + 3]))) for first in (0, 3)
    ]
    clips = ClipMaker()
    for recording in RECORDINGS:
        clip = await clips.clip_of(recording.path.read_bytes())
        stranger = encoder.vector(wav_bytes(resampled(clip.samples, 24_000)))
        assert _likeness(one, stranger) < STRANGERS < _likeness(one, other)


async def test_of_eighteen_speakers_each_is_found_again_by_what_it_says_next(encoder: SpeakerEncoder):
    voices = await asyncio.to_thread(reference_voices)
    known = np.array([encoder.vector(voice.first_half) for voice in voices])
    heard = np.array([encoder.vector(voice.second_half) for voice in voices])

    likeness = heard @ known.T
    own = likeness.diagonal()
    best_other = np.where(np.eye(len(voices), dtype=bool), -1, likeness).max(axis=1)

    assert np.mean(own > best_other) >= 0.9
