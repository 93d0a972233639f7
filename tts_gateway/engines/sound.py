"""Sound of a text, on its way to the finished WAV: joining, tone colour, 48 kHz, loudness."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from typing import Final

import numpy as np

from tts_gateway.engines.base import TextRefused
from tts_gateway.engines.espeak import SAMPLE_RATE, Samples, SoundTooLongError, VoiceSettings, say
from tts_gateway.engines.languages import passages

MAX_TEXT_CHARS: Final = 5_000
"""The longest text that is begun; the bot sends a tenth of it."""

MAX_SECONDS: Final = 300.0
"""The longest sound that is finished."""

OUTPUT_RATE: Final = 48_000
"""The rate of VoxCPM2's own sound, and so of every WAV of this TTS gateway."""

NORMAL_DBFS: Final = -20.0
"""RMS of finished speech: a usual level for voice chat, with room for the peaks of speech."""

PEAK_DBFS: Final = -1.0
"""No sample goes above this."""

_SILENT: Final = 10 ** (-60 / 20)
_EDGE_SECONDS: Final = 0.03  # kept in front of the first and behind the last sound
_JOIN_SECONDS: Final = 0.08  # between two languages in one sentence
_FADE_SECONDS: Final = 0.005


def speak_text(text: str, settings: VoiceSettings) -> Samples:
    """Return ``text``, in whatever languages it is, without silent edges. Blocks.

    Raises TextRefused when nothing in it can be spoken or it is too long.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise TextRefused(f"the text is longer than {MAX_TEXT_CHARS} characters")
    try:
        sound = joined(say(passages(text), settings, max_seconds=MAX_SECONDS))
    except SoundTooLongError:
        raise TextRefused(f"the text would take more than {MAX_SECONDS / 60:.0f} minutes to say") from None
    if not len(sound):
        raise TextRefused("there is nothing in the text that can be spoken")
    return sound


def joined(sounds: Sequence[Samples]) -> Samples:
    """Return the sounds in a row without their silent edges; empty when all of them are silent."""
    pause = np.zeros(int(_JOIN_SECONDS * SAMPLE_RATE), np.float32)
    pieces: list[Samples] = []
    for sound in map(trimmed, sounds):
        if len(sound):
            pieces += [pause, sound] if pieces else [sound]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def trimmed(sound: Samples) -> Samples:
    """Return the sound without the silence before and after it, keeping a breath of each."""
    loud = np.flatnonzero(np.abs(sound) > _SILENT)
    if not len(loud):
        return sound[:0]
    edge = int(_EDGE_SECONDS * SAMPLE_RATE)
    return sound[max(0, int(loud[0]) - edge) : int(loud[-1]) + edge]


def filtered(sound: Samples, taps: Samples) -> Samples:
    """Return the sound through a linear-phase FIR of odd length, its delay taken out again."""
    if not len(sound):
        return sound
    size = _fast_size(len(sound) + len(taps))
    product = np.fft.rfft(sound, size) * np.fft.rfft(taps, size)
    start = len(taps) // 2
    return np.fft.irfft(product, size)[start : start + len(sound)].astype(np.float32)


def resampled(sound: Samples, rate: int = SAMPLE_RATE) -> Samples:
    """Return sound of ``rate`` at ``OUTPUT_RATE``: the same spectrum, nothing above it."""
    if not len(sound) or rate == OUTPUT_RATE:
        return sound
    step = math.gcd(rate, OUTPUT_RATE)
    up, down = OUTPUT_RATE // step, rate // step
    blocks = _fast_size(-(-len(sound) // down) + 4)  # a little silence behind, against wrapping around
    spectrum = np.fft.rfft(sound, blocks * down)
    wide = np.fft.irfft(spectrum, blocks * up) * (up / down)
    return wide[: len(sound) * up // down].astype(np.float32)


def levelled(sound: Samples, *, rms_dbfs: float = NORMAL_DBFS) -> Samples:
    """Return the sound at this RMS, its peaks rounded off below ``PEAK_DBFS``, faded at both ends."""
    power = np.square(sound)
    loudest = float(np.max(power, initial=0.0))
    if loudest <= 0:
        return sound
    rms = float(np.sqrt(power[power > loudest * 1e-5].mean()))  # pauses do not count
    result = _rounded_off(sound * np.float32(10 ** (rms_dbfs / 20) / rms))
    fade = np.linspace(0, 1, min(int(_FADE_SECONDS * OUTPUT_RATE), len(result) // 2), dtype=np.float32)
    result[: len(fade)] *= fade
    result[len(result) - len(fade) :] *= fade[::-1]
    return result


def _rounded_off(sound: Samples) -> Samples:
    ceiling = np.float32(10 ** (PEAK_DBFS / 20))
    knee = ceiling * np.float32(0.6)
    size = np.abs(sound)
    bent = knee + (ceiling - knee) * np.tanh((size - knee) / (ceiling - knee))
    result: Samples = np.where(size > knee, np.sign(sound) * bent, sound).astype(np.float32)
    return result


def wav_bytes(sound: Samples) -> bytes:
    """Return the sound as a WAV: 48 kHz, mono, 16-bit."""
    pcm = np.round(np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(OUTPUT_RATE)
        wav.writeframes(pcm)
    return file.getvalue()


def _fast_size(least: int) -> int:
    """Return the smallest power of 2 that is not below ``least``: fast for the FFT."""
    return 1 << (least - 1).bit_length()
