"""The engine that needs no account, no GPU and no download: espeak-ng, fitted to recordings.

What it makes is an offline preview voice. Without a recording it is one steady voice (the model draws a
new one for every call); with a recording it takes over pitch, melody, vocal-tract size, tone colour and,
given the transcript, pace. It is never the voice of the person.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from tts_gateway.decode import decode_recording
from tts_gateway.engines.base import TextRefused
from tts_gateway.engines.descriptions import Traits, traits_of, without_description
from tts_gateway.engines.espeak import SAMPLE_RATE, Samples, SoundTooLongError, VoiceSettings, say
from tts_gateway.engines.fitting import (
    FittedVoice,
    Portrait,
    fit,
    fitted_rate,
    measured,
    portrait,
    with_melody,
)
from tts_gateway.engines.languages import passages
from tts_gateway.engines.sound import NORMAL_DBFS, filtered, joined, levelled, resampled, wav_bytes
from untrusted.decoder import DEFAULT_LIMITS, DecodeLimits

MAX_TEXT_CHARS: Final = 5_000
"""The longest text that is begun; the bot sends a tenth of it."""

MAX_SECONDS: Final = 300.0
"""The longest sound that is finished."""

CALIBRATION_TEXT: Final = (
    "Once upon a time, a young fisherman and his three daughters lived at the edge of a wide, cold lake. "
    "Should they stay, or move to the village? Each autumn they asked the question, and each spring, "
    "with fresh bread and good cheer, they found themselves staying just where they were."
)
"""What every fitted voice has said before it says anything else; some fourteen seconds of all sounds."""

_WORKERS: Final = 2  # one thread measures and filters while another holds espeak-ng
_KEPT_FITS: Final = 64  # figures only; the recordings themselves are not kept
_TRANSCRIPT_CHARS: Final = 1_000  # that are spoken to learn the pace
_MELODY_CHARS: Final = 300  # of a text that are spoken beforehand to set its pitch
_T = TypeVar("_T")


class OfflineEngine:
    """Speaks with espeak-ng. Equal calls give equal bytes, whatever else is under way.

    ``cfg_value`` and ``dit_steps`` steer a diffusion model; there is none here, so they are accepted and
    change nothing. Sound is made in worker threads of this object, recordings are decoded in child
    processes; the event loop is never held up.
    """

    def __init__(self, *, decode_limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._decode_limits = decode_limits
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="offline-engine")
        self._fitting: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._fits: OrderedDict[bytes, tuple[Portrait, FittedVoice]] = OrderedDict()

    async def speak(self, text: str, *, cfg_value: float = 2.0, dit_steps: int = 10) -> bytes:
        """Return the text as a WAV in the steady default voice, changed as a description in front asks.

        Raises TextRefused when nothing can be spoken or the text is too long.
        """
        return await self._in_worker(partial(_speech, text))

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None = None) -> bytes:
        """Return the text as a WAV in the offline preview voice of a recording.

        A description in front of the text changes that voice; unlike the real model's it may stand beside
        a transcript. Raises TextRefused as ``speak`` does, and ReferenceRefused when the recording is
        no recording, too large, too short, silent, or holds no voice.
        """
        target, fitted = await self._fitted(reference)
        return await self._in_worker(partial(_cloned_speech, text, target, fitted, prompt_text))

    async def aclose(self) -> None:
        """End the worker threads; what waits for them is dropped."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _fitted(self, reference: bytes) -> tuple[Portrait, FittedVoice]:
        digest = hashlib.sha256(reference).digest()
        async with self._fitting.setdefault(
            digest, asyncio.Lock()
        ):  # the second caller finds what the first made
            if digest not in self._fits:
                self._fits[digest] = await self._measured_and_fitted(reference)
            self._fits.move_to_end(digest)
            if len(self._fits) > _KEPT_FITS:
                self._fits.popitem(last=False)
            return self._fits[digest]

    async def _measured_and_fitted(self, reference: bytes) -> tuple[Portrait, FittedVoice]:
        recording = await decode_recording(reference, rate=SAMPLE_RATE, limits=self._decode_limits)
        target = await self._in_worker(partial(measured, recording))
        return target, await self._in_worker(partial(fit, target, partial(_spoken, CALIBRATION_TEXT)))

    async def _in_worker(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


def _speech(text: str) -> bytes:
    traits, spoken = _traits(text)
    sound = _spoken(spoken, traits.applied(VoiceSettings()))
    return _finished(sound, traits)


def _cloned_speech(text: str, target: Portrait, fitted: FittedVoice, transcript: str | None) -> bytes:
    traits, spoken = _traits(text)
    settings = fitted.settings
    if transcript and passages(transcript):
        seconds = portrait(_spoken(transcript[:_TRANSCRIPT_CHARS], settings)).speech_seconds
        settings = replace(settings, rate=fitted_rate(seconds, target))
    beginning = partial(_spoken, spoken[:_MELODY_CHARS])
    settings = with_melody(settings, target.melody, beginning, rounds=1)
    return _finished(filtered(_spoken(spoken, traits.applied(settings)), fitted.taps), traits)


def _traits(text: str) -> tuple[Traits, str]:
    description, spoken = without_description(text)
    return traits_of(description) if description else Traits(), spoken


def _finished(sound: Samples, traits: Traits) -> bytes:
    return wav_bytes(levelled(resampled(sound), rms_dbfs=NORMAL_DBFS + traits.gain_db))


def _spoken(text: str, settings: VoiceSettings) -> Samples:
    if len(text) > MAX_TEXT_CHARS:
        raise TextRefused(f"the text is longer than {MAX_TEXT_CHARS} characters")
    try:
        sound = joined(say(passages(text), settings, max_seconds=MAX_SECONDS))
    except SoundTooLongError:
        raise TextRefused(f"the text would take more than {MAX_SECONDS / 60:.0f} minutes to say") from None
    if not len(sound):
        raise TextRefused("there is nothing in the text that can be spoken")
    return sound
