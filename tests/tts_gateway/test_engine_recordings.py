"""The recordings that come with the rehearsal: readable, small, and clearly different voices."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rehearsal.recordings import RECORDINGS, SampleRecording
from tests.tts_gateway.listening import semitones
from tts_gateway.engines.espeak import SAMPLE_RATE
from tts_gateway.engines.reference import decode_recording, measure_reference


@pytest.mark.slow
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_recording_is_short_small_and_voiced(recording: SampleRecording) -> None:
    data = recording.path.read_bytes()

    sound = await decode_recording(data, rate=SAMPLE_RATE)

    assert len(data) < (700_000 if recording.path.suffix == ".wav" else 150_000)
    assert 5 < len(sound) / SAMPLE_RATE < 10
    assert measure_reference(sound).melody.voiced_seconds > 2
    assert recording.transcript in (recording.path.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
async def test_the_voices_are_clearly_different() -> None:
    sounds = [await decode_recording(one.path.read_bytes(), rate=SAMPLE_RATE) for one in RECORDINGS]
    pitches = sorted(measure_reference(sound).melody.f0_hz for sound in sounds)

    assert all(semitones(high, low) > 6 for low, high in pairwise(pitches))
