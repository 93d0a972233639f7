"""The border to the library: it fails loudly, and forgets everything between two calls."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tts_gateway.engines.base import EngineError
from tts_gateway.engines.espeak import SAMPLE_RATE, Passage, SoundTooLongError, VoiceSettings, say

HELLO = [Passage("gmw/en-US", "Hello there, how are you?")]


def test_an_unknown_language_is_an_error_and_not_the_voice_before() -> None:
    with pytest.raises(EngineError, match="no language"):
        say([Passage("gmw/klingon", "Qapla")], VoiceSettings(), max_seconds=9)


def test_synthesis_stops_where_the_caller_set_the_limit() -> None:
    with pytest.raises(SoundTooLongError):
        say([Passage("gmw/en-US", "word " * 200)], VoiceSettings(), max_seconds=2)


def test_the_limit_counts_all_passages_together() -> None:
    seconds = len(say(HELLO, VoiceSettings(), max_seconds=9)[0]) / SAMPLE_RATE

    with pytest.raises(SoundTooLongError):
        say(HELLO * 4, VoiceSettings(), max_seconds=3 * seconds)


def test_equal_calls_give_equal_samples_whatever_was_said_in_between() -> None:
    breathy = VoiceSettings(variant="whisper")
    first = [say(HELLO, settings, max_seconds=9)[0] for settings in (VoiceSettings(), breathy)]

    for words in range(1, 4):
        say([Passage("gmw/de", "Etwas anderes. " * words)], VoiceSettings(150, 200), max_seconds=30)
        again = [say(HELLO, settings, max_seconds=9)[0] for settings in (VoiceSettings(), breathy)]

        assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.slow
def test_the_noise_of_breath_does_not_depend_on_the_time_of_day() -> None:
    breathy = VoiceSettings(variant="whisper")
    first, seconds = say(HELLO, breathy, max_seconds=9)[0], {int(time.time())}

    while len(seconds) < 3:
        again = say(HELLO, breathy, max_seconds=9)[0]
        seconds.add(int(time.time()))

        assert np.array_equal(first, again)
