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
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from tts_gateway.engines.descriptions import Traits, description_in, traits_of, without_description
from tts_gateway.engines.espeak import SAMPLE_RATE, Samples, VoiceSettings
from tts_gateway.engines.fitting import FittedVoice, fit_melody, fit_rate, fit_voice
from tts_gateway.engines.languages import passages
from tts_gateway.engines.reference import VoiceProfile, decode_recording, measure_reference, measure_voice
from tts_gateway.engines.sound import NORMAL_DBFS, filtered, levelled, resampled, speak_text, wav_bytes
from untrusted.decoder import DEFAULT_LIMITS, DecodeLimits

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
        self._fits: OrderedDict[bytes, tuple[VoiceProfile, FittedVoice]] = OrderedDict()

    async def speak(self, text: str, *, cfg_value: float = 2.0, dit_steps: int = 10) -> bytes:
        """Return the text as a WAV in the steady default voice, changed as a description in front asks.

        Raises TextRefused when nothing can be spoken or the text is too long.
        """
        return await self._in_worker(_speech_wav, text)

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None = None) -> bytes:
        """Return the text as a WAV in the offline preview voice of a recording.

        A description in front of the text changes that voice; unlike the real model's it may stand beside
        a transcript. A recording that says after which description it was made has the speaker of that:
        a whisper or a robot could not be measured. Raises TextRefused as ``speak`` does, and ReferenceRefused
        when the recording is no recording, too large, too short, silent, or holds no voice.
        """
        own = description_in(reference)
        if own is not None and traits_of(own) != Traits():
            return await self._in_worker(_speech_wav, text, own)
        profile, fitted = await self._fit(reference)
        return await self._in_worker(_cloned_speech_wav, text, profile, fitted, prompt_text)

    async def aclose(self) -> None:
        """End the worker threads; what waits for them is dropped."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _fit(self, reference: bytes) -> tuple[VoiceProfile, FittedVoice]:
        digest = hashlib.sha256(reference).digest()
        async with self._fitting.setdefault(digest, asyncio.Lock()):  # the second finds what the first made
            if digest not in self._fits:
                recording = await decode_recording(reference, rate=SAMPLE_RATE, limits=self._decode_limits)
                profile = await self._in_worker(measure_reference, recording)
                self._fits[digest] = profile, await self._in_worker(fit_voice, profile, CALIBRATION_TEXT)
            self._fits.move_to_end(digest)
            if len(self._fits) > _KEPT_FITS:
                self._fits.popitem(last=False)
            return self._fits[digest]

    async def _in_worker(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *arguments)


def _speech_wav(text: str, speaker: str = "") -> bytes:
    traits, words = _split_description(text)
    traits = traits_of(speaker) * traits
    return _finished_wav(speak_text(words, traits.applied(VoiceSettings())), traits)


def _cloned_speech_wav(
    text: str, profile: VoiceProfile, fitted: FittedVoice, transcript: str | None
) -> bytes:
    traits, words = _split_description(text)
    settings = fitted.settings
    if transcript and passages(transcript):
        spoken = measure_voice(speak_text(transcript[:_TRANSCRIPT_CHARS], settings))
        settings = replace(settings, rate=fit_rate(spoken.speech_seconds, profile))
    settings = fit_melody(settings, profile.melody, words[:_MELODY_CHARS], rounds=1)
    return _finished_wav(filtered(speak_text(words, traits.applied(settings)), fitted.taps), traits)


def _split_description(text: str) -> tuple[Traits, str]:
    description, words = without_description(text)
    return traits_of(description) if description else Traits(), words


def _finished_wav(sound: Samples, traits: Traits) -> bytes:
    return wav_bytes(levelled(resampled(sound), rms_dbfs=NORMAL_DBFS + traits.gain_db))
