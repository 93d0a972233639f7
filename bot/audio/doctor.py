"""The reference doctor: looks a recording over before a voice is cloned from it, and mends what can be."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.activity import FRAME_SAMPLES, Activity, activity
from bot.audio.best_part import SHORTEST_SECONDS, BestPart, Shares, best_part
from bot.audio.channels import one_channel
from bot.audio.loudness import SPEECH_LUFS, loudness, samples_at, to_pcm
from bot.audio.pydub_sound import FADE_MS, sound_of
from bot.audio.recording import SILENT, Recording, check_speech, decode_recording
from bot.audio.take import clipped_share
from bot.audio.wav import write_wav
from bot.audio.workers import on_the_whole
from bot.errors import AudioError, RecordingError

Samples = NDArray[np.int16]

NOISY_SNR_DB: Final = 20.0
"""Below it the noise is heard in the cloned voice as well."""

HOPELESS_SNR_DB: Final = 4.0
"""Below it the noise is nearly as loud as the voice, and a clone would be noise."""

CLIPPED_SHARE: Final = 0.002
HOPELESS_CLIPPED_SHARE: Final = 0.2
"""Of the samples, in flat tops: above the first it is harsh, above the second hardly a voice."""

DULL_RATE: Final = 16_000
"""A recording with fewer samples a second than this in Hz has no consonants to speak of: a telephone's."""

_MENTION_SILENCE_SECONDS: Final = 0.5
_MENTION_GAIN_DB: Final = 6.0
_MAX_LIFT_DB: Final = 45.0  # from the quietest that passes as speech, and some; its noise was judged before
_AT_TOP: Final = 0.995
_FRAMES_AT_ONCE: Final = 2_000  # bounds the memory, whatever the length
_BETTER: Final = "Record it again"


@dataclass(frozen=True, slots=True)
class Examined:
    """A recording made fit to clone a voice from.

    ``wav`` is mono, 16 bit, 48 kHz, at the loudness of all our speech, without idle time, of the best part
    where it was long. ``findings`` are sentences for the member, in the order of what was done. ``part``:
    where the best part lies in the recording, in seconds, if some of its words were left out; a transcript
    of the whole does not fit any more then. ``sha256`` is that of ``wav``, in hexadecimal digits.
    """

    wav: bytes = field(repr=False)
    seconds: float
    findings: tuple[str, ...]
    part: tuple[float, float] | None
    sha256: str


async def examine(data: bytes | AsyncIterable[bytes], *, name: str) -> Examined:
    """Return what is wrong with the recording in ``data``, a file called ``name``, and its mended form.

    ``data`` is whole or comes in pieces; the same bytes give the same result. Raises RecordingError, whose
    text says why it cannot be used and what to do, and what ``data`` raises.
    """
    recording = await decode_recording(data, name=name)
    return await on_the_whole(_examined, recording)


def _examined(recording: Recording) -> Examined:
    side = one_channel(recording.pcm)
    heard = activity(side.samples)
    check_speech(heard)
    part = best_part(heard, _clipped(side.samples))
    pcm = _cut(side.samples, part)
    kept = np.frombuffer(pcm, "<i2")
    findings = [side.finding, *_about_time(part), _about_clipping(kept), _about_noise(heard)]
    mended, change = _levelled(kept)
    findings += [_about_level(change), _about_rate(recording), _about_length(len(kept) / 48_000)]
    wav = write_wav(mended)
    return Examined(
        wav,
        len(mended) / (2 * 48_000),
        tuple(finding for finding in findings if finding),
        part.chosen,
        hashlib.sha256(wav).hexdigest(),
    )


def _clipped(samples: Samples) -> Shares:
    """Return the share of samples at the top in each frame."""
    top = _AT_TOP * max(float(samples.max()), -float(samples.min()))
    step = _FRAMES_AT_ONCE * FRAME_SAMPLES
    return np.concatenate([
        _at_top(samples[start : start + step], top) for start in range(0, len(samples), step)
    ])  # fmt: skip


def _at_top(samples: Samples, top: float) -> Shares:
    frames = -(-len(samples) // FRAME_SAMPLES)
    at_top = np.pad((samples >= top) | (samples <= -top), (0, frames * FRAME_SAMPLES - len(samples)))
    shares: Shares = at_top.reshape(frames, FRAME_SAMPLES).mean(axis=1)
    return shares


def _cut(samples: Samples, part: BestPart) -> bytes:
    """Return the part as PCM, its pieces joined and both ends faded."""
    pieces = [
        sound_of(samples[start * FRAME_SAMPLES : end * FRAME_SAMPLES].tobytes()) for start, end in part.ranges
    ]
    row = pieces[0]
    for piece in pieces[1:]:
        row = row.append(piece, crossfade=FADE_MS)
    faded: bytes = row.fade_in(FADE_MS).fade_out(FADE_MS).raw_data
    return faded


def _levelled(samples: Samples) -> tuple[bytes, float]:
    """Return ``samples`` as PCM, centred, at the loudness of all our speech, and the gain in decibels."""
    wave = samples.astype(np.float32) / np.float32(32_768)
    wave -= wave.mean()
    before = loudness(wave, full_scale=1.0)
    try:
        mended = samples_at(wave, SPEECH_LUFS, max_lift=_MAX_LIFT_DB)
    except AudioError:  # a rumble that no ear hears
        raise RecordingError(SILENT) from None
    return to_pcm(mended), loudness(mended, full_scale=1.0) - before


def _about_time(part: BestPart) -> list[str]:
    found = [
        f"I cut {seconds:.1f} s of silence from the {place}."
        for place, seconds in (("start", part.silence_before), ("end", part.silence_after))
        if seconds >= _MENTION_SILENCE_SECONDS
    ]
    if part.pauses_shortened:
        pauses = "a long pause" if part.pauses_shortened == 1 else f"{part.pauses_shortened} long pauses"
        found.append(f"I shortened {pauses}, by {part.pause_seconds:.1f} s in all.")
    if part.chosen:
        start, end = part.chosen
        found.append(f"It is long; I used its best part, from {_clock(start)} to {_clock(end)}.")
    return found


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _about_clipping(samples: Samples) -> str | None:
    share = clipped_share(samples)
    if share > HOPELESS_CLIPPED_SHARE:
        raise RecordingError(
            "That recording is far too loud: the sound is cut off all the time. "
            f"{_BETTER} with the microphone turned down, or from further away."
        )
    if share > CLIPPED_SHARE:
        return (
            f"It is too loud in places ({100 * share:.1f} % is cut off), so the voice may sound harsh. "
            f"{_BETTER} with the microphone turned down, if you can."
        )
    return None


def _about_noise(heard: Activity) -> str | None:
    if heard.snr < HOPELESS_SNR_DB:
        raise RecordingError(
            "The noise in that recording is nearly as loud as the voice. "
            f"{_BETTER} in a quiet room, closer to the microphone."
        )
    if heard.snr < NOISY_SNR_DB:
        return (
            f"There is noise behind the voice, only about {heard.snr:.0f} dB softer. "
            f"{_BETTER} in a quiet room, if you can."
        )
    return None


def _about_level(change: float) -> str | None:
    if abs(change) < _MENTION_GAIN_DB:
        return None
    was, became = ("quiet", "louder") if change > 0 else ("loud", "softer")
    return f"It was {was}; I made it {abs(change):.0f} dB {became}."


def _about_rate(recording: Recording) -> str | None:
    if recording.rate >= DULL_RATE:
        return None
    return "It has the quality of a telephone call, so the voice will sound muffled."


def _about_length(seconds: float) -> str | None:
    if round(seconds, 1) >= SHORTEST_SECONDS:
        return None
    return f"It has only {seconds:.1f} s of speech; with 5 to 15 s the voice would come out better."
