"""Opus frames of 20 ms: encoding for voice channels, decoding back to sound, and another volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bot.audio.live_gain import STEP_SAMPLES, Limiter
from bot.audio.loudness import PEAK_CEILING, to_pcm
from bot.audio.sound import RATE, Resampler, SpeechSound, seeing_one_core
from bot.audio.workers import Pieces, run_batch_pieces
from bot.errors import AudioError

FRAME_SAMPLES: Final = 960
SILENCE_FRAME: Final = b"\xf8\xff\xfe"
"""20 ms of silence; a voice channel wants five after the last word, or clients make up a sound."""

BITRATE: Final = 64_000
"""Bits per second: no difference to be heard for one voice, and what a channel has by default."""

LOOKAHEAD_SAMPLES: Final = 312
"""6.5 ms that libopus lags behind at 48 kHz; every decoder gives the sound back this much later."""

_OPTIONS: Final = {
    "application": "audio",  # "voip" costs more than twice as much for the same size
    "frame_duration": "20",
    "compression_level": "5",  # half the work of 10 for one voice at this bitrate
    "vbr": "constrained",  # or one voice takes up to twice its bitrate: in memory, and on everybody's line
}
_SAMPLES_AT_ONCE: Final = 48_000  # a whole number of frames; small enough never to hold the GIL long
_FRAMES_AT_ONCE: Final = 50  # to decode: as much


async def opus_frames(speech: SpeechSound) -> tuple[bytes, ...]:
    """Return ``speech`` as Opus frames of exactly 20 ms each; the last is padded with silence.

    There is one more than the samples fill when the encoder's lag would swallow the end.
    Raises AudioError if the encoder fails or makes a frame of another length.
    """
    return await run_batch_pieces(all_frames, speech.pcm)


def is_20_ms(frame: bytes) -> bool:
    """Return if an Opus frame lasts 20 ms, by its first byte (RFC 6716, section 3.1)."""
    if not frame:
        return False
    config, count_code = frame[0] >> 3, frame[0] & 3
    if config < 12:  # SILK: 10, 20, 40, 60 ms
        lasts_20_ms = config % 4 == 1
    elif config < 16:  # hybrid: 10, 20 ms
        lasts_20_ms = config % 2 == 1
    else:  # CELT: 2.5, 5, 10, 20 ms
        lasts_20_ms = config % 4 == 3
    return lasts_20_ms and count_code == 0


class OpusEncoder:
    """Encodes 48 kHz 16-bit mono samples as they come. Raises AudioError as `opus_frames` does."""

    def __init__(self) -> None:
        self._context: av.AudioCodecContext | None = None
        self._encoded = 0

    def feed(self, samples: NDArray[np.int16]) -> list[bytes]:
        """Return the frames that are full with ``samples``."""
        frames: list[bytes] = []
        for start in range(0, len(samples), _SAMPLES_AT_ONCE):
            part = samples[start : start + _SAMPLES_AT_ONCE]
            frame = av.AudioFrame.from_ndarray(part.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, self._encoded
            self._encoded += len(part)
            frames += self._frames(frame)
        return frames

    def finish(self) -> list[bytes]:
        """Return the last frames, none if there was no sample at all."""
        return [] if self._context is None else self._frames(None)

    def _frames(self, frame: av.AudioFrame | None) -> list[bytes]:
        try:
            if self._context is None:
                self._context = _context()
                with seeing_one_core():
                    packets = self._context.encode(frame)
            else:
                packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise AudioError("the Opus encoder failed") from error
        return [_checked(packet) for packet in packets]


def _context() -> av.AudioCodecContext:
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "mono", "s16"
    context.bit_rate, context.options = BITRATE, dict(_OPTIONS)
    return context


def all_frames(pcm: bytes) -> Pieces[tuple[bytes, ...]]:
    """Return what `opus_frames` does, in this thread; it is work in pieces, see `bot.audio.workers`."""
    encoder, samples = OpusEncoder(), np.frombuffer(pcm, "<i2")
    frames: list[bytes] = []
    for start in range(0, len(samples), _SAMPLES_AT_ONCE):
        frames += encoder.feed(samples[start : start + _SAMPLES_AT_ONCE])
        yield
    return (*frames, *encoder.finish())


def _checked(packet: av.Packet[av.AudioStream]) -> bytes:
    frame = bytes(packet)
    if not is_20_ms(frame):
        raise AudioError("the encoder made a frame that does not last 20 ms")
    return frame


Samples = NDArray[np.int16]


class OpusDecoder:
    """Decodes frames to 48 kHz 16-bit mono samples as they come.

    The sound lags behind what was encoded by `LOOKAHEAD_SAMPLES`.
    """

    def __init__(self) -> None:
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = RATE, "mono"

    def feed(self, frames: Sequence[bytes]) -> Samples:
        """Return the samples of ``frames``. Raises AudioError when one cannot be decoded."""
        try:
            decoded = [sound for frame in frames for sound in self._decoder.decode(av.Packet(frame))]
        except av.FFmpegError as error:
            raise AudioError("an Opus frame cannot be decoded") from error
        return np.concatenate([np.zeros(0, np.int16), *(sound.to_ndarray().reshape(-1) for sound in decoded)])


async def speech_from_frames(frames: Sequence[bytes]) -> SpeechSound:
    """Return what listeners hear of ``frames``: as long and as loud, no sample above −1 dBFS.

    Raises AudioError when they cannot be decoded.
    """
    return SpeechSound(await run_batch_pieces(_decoded, frames))


def _decoded(frames: Sequence[bytes]) -> Pieces[bytes]:
    decoder, resampler = OpusDecoder(), Resampler(RATE)
    waves = []
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        waves.append(resampler.feed(decoder.feed(frames[start : start + _FRAMES_AT_ONCE])))
        yield
    wave = np.concatenate([np.zeros(0, np.float32), *waves])
    wave = np.pad(wave[LOOKAHEAD_SAMPLES:], (0, min(LOOKAHEAD_SAMPLES, len(wave))))
    limiter = Limiter(PEAK_CEILING)  # the encoder is not exact, least of all about peaks
    return to_pcm(np.concatenate([limiter.feed(wave), limiter.finish()]))


class Amplifier:
    """Takes 48 kHz 16-bit samples in parts; gives as many back, ``gain`` times as strong, 4 ms later.

    What the gain would bring above the ceiling, the limiter brings down. With a gain of 1 the samples pass
    as they are, at once.
    """

    def __init__(self, gain: float) -> None:
        self._gain = np.float32(gain / 32_768)
        self._limiter = None if gain == 1.0 else Limiter(PEAK_CEILING)
        self._rest = np.zeros(0, np.float32)  # less than a step of the limiter

    def feed(self, samples: Samples) -> Samples:
        """Return what is ready."""
        if self._limiter is None:
            return samples
        wave = np.concatenate([self._rest, samples * self._gain])
        whole = len(wave) - len(wave) % STEP_SAMPLES
        self._rest = wave[whole:]
        return _as_samples(self._limiter.feed(wave[:whole]))

    def finish(self) -> Samples:
        """Return what is left; with it, as much as went in has come out."""
        if self._limiter is None:
            return np.zeros(0, np.int16)
        missing = -len(self._rest) % STEP_SAMPLES
        last = self._limiter.feed(np.pad(self._rest, (0, missing)))
        wave = np.concatenate([last, self._limiter.finish()])
        return _as_samples(wave[: len(wave) - missing])


class FrameAmplifier:
    """Takes Opus frames of 20 ms and gives frames back that sound ``gain`` times as strong, 10 ms later.

    For one voice channel that is to hear what others hear at another volume. For one thread at a time; it
    takes about 4 ms for a second of sound. Raises AudioError when a frame cannot be decoded.
    """

    def __init__(self, gain: float) -> None:
        self._amplifier = Amplifier(gain)
        self._decoder = OpusDecoder()
        self._encoder = OpusEncoder()

    def feed(self, frames: Sequence[bytes]) -> list[bytes]:
        """Return the frames that are full."""
        return self._encoder.feed(self._amplifier.feed(self._decoder.feed(frames)))

    def finish(self) -> list[bytes]:
        """Return the last frames."""
        return [*self._encoder.feed(self._amplifier.finish()), *self._encoder.finish()]


def _as_samples(wave: NDArray[np.float32]) -> Samples:
    samples: Samples = np.clip(np.rint(wave * np.float32(32_768)), -32_768, 32_767).astype(np.int16)
    return samples
