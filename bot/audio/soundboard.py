"""Speech as a soundboard sound: an MP3 of a few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bot.audio.activity import FRAME_SAMPLES, FRAME_SECONDS, activity, runs
from bot.audio.export import encoded
from bot.audio.info_tags import NO_TAGS
from bot.audio.joins import trimmed
from bot.audio.pydub_sound import sound_of
from bot.audio.workers import on_the_whole
from bot.errors import AudioError
from bot.models import Speech

MAX_CLIP_SECONDS: Final = 5.2
MAX_CLIP_BYTES: Final = 512_000
"""What Discord takes as a soundboard sound."""

_PADDING_SECONDS: Final = 0.072  # an MP3 has up to three frames of 1,152 samples around the sound
_BIT_RATE: Final = 128_000
_SHORTEST_SECONDS: Final = 1.5  # what is cut at a pause before that is hardly worth a button
_SEARCH_SECONDS: Final = 1.0  # at the end, for the quietest moment of somebody who never pauses
_AFTER_SPEECH: Final = 6  # frames that stay after the last word
_FADE_MS: Final = 60


@dataclass(frozen=True, slots=True)
class SoundboardClip:
    """A file for a server's soundboard. ``was_cut``: the speech is longer, and this is its beginning.

    It is an MP3: discord.py 2.7.1 refuses Ogg, although Discord takes it.
    """

    data: bytes = field(repr=False)
    extension: str
    seconds: float
    was_cut: bool


async def soundboard_clip(speech: Speech, *, tags: Mapping[str, str] = NO_TAGS) -> SoundboardClip:
    """Return as much of ``speech`` as a soundboard takes, cut at a pause, its file with ``tags`` as ID3.

    Silence at both ends is trimmed first. ``tags`` go by their INFO names, see `bot.audio.info_tags`.
    Raises AudioError when all is silence, or the encoder fails.
    """
    return await on_the_whole(_clip, await trimmed(speech), tags)


def _clip(speech: Speech, tags: Mapping[str, str]) -> SoundboardClip:
    if not speech.pcm:
        raise AudioError("no sound for a soundboard")
    longest = MAX_CLIP_SECONDS - _PADDING_SECONDS
    was_cut = speech.seconds > longest
    pcm = _beginning(speech.pcm, longest) if was_cut else speech.pcm
    try:
        data = encoded("mp3", "libmp3lame", _BIT_RATE, pcm, tags=tags)
    except av.FFmpegError as error:
        raise AudioError("could not be written as MP3") from error
    if len(data) > MAX_CLIP_BYTES:  # the sound itself takes 84 kB
        raise AudioError(f"a soundboard sound of {len(data)} bytes")
    return SoundboardClip(data, "mp3", len(pcm) / (2 * 48_000), was_cut)


def _beginning(pcm: bytes, seconds: float) -> bytes:
    """Return at most so many seconds, up to a pause if there is one, faded out."""
    samples = np.frombuffer(pcm, "<i2")[: round(seconds * 48_000)]
    end = _cut_before(samples) * FRAME_SAMPLES
    faded: bytes = sound_of(samples[:end].tobytes()).fade_out(_FADE_MS).raw_data
    return faded


def _cut_before(samples: NDArray[np.int16]) -> int:
    """Return the 10-ms frame before which to cut: soon after the last word, or where it is quietest."""
    heard = activity(samples)
    pauses = [pause for pause in runs(~heard.speaking) if pause[0] * FRAME_SECONDS >= _SHORTEST_SECONDS]
    if pauses:
        start, end = pauses[-1]
        return min(start + _AFTER_SPEECH, end)
    search = round(_SEARCH_SECONDS / FRAME_SECONDS)
    first = max(1, len(heard.levels) - search)
    return first + int(heard.levels[first:].argmin())
