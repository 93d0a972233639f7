"""File formats of speech: uploads, soundboard sounds, voice messages, kept speech, and back."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np
from numpy.typing import NDArray

from bot import limits
from bot.audio.edit import announced, sound_of, trimmed
from bot.audio.opus import FRAME_SAMPLES as OPUS_FRAME_SAMPLES
from bot.audio.opus import LOOKAHEAD_SAMPLES
from bot.audio.quality import FRAME_SAMPLES, FRAME_SECONDS, activity, runs
from bot.audio.sound import RATE, SpeechSound
from bot.audio.wav import NO_TAGS, parse_wav, vorbis_comments, write_wav
from bot.audio.workers import Pieces, run_batch, run_batch_pieces
from bot.errors import AudioError, RecordingError
from untrusted.decoder import DecodeLimits, DecodingError, decode

OPUS_BITRATES: Final = (64_000, 32_000, 16_000)
"""Bits per second, best first; the last is a telephone's quality, still good to understand."""

_Codec = Literal["flac", "libopus", "libmp3lame"]
_COMPRESSED: Final[tuple[tuple[str, _Codec, int | None], ...]] = (
    ("flac", "flac", None),
    *(("ogg", "libopus", bitrate) for bitrate in OPUS_BITRATES),
)
_SAMPLES_AT_ONCE: Final = 48_000
_OPTIONS: Final = {"libopus": {"compression_level": "5"}}  # half the work of 10 for one voice
_AS_FRAMES: Final = {"application": "audio", "frame_duration": "20"}  # as `bot.audio.opus` makes them
_FRAMES_AT_ONCE: Final = 500
_SAMPLE_FORMS: Final = {"flac": "s16", "libopus": "s16", "libmp3lame": "s16p"}


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A sound file: its bytes, and the extension that belongs to them: wav, flac or ogg."""

    data: bytes = field(repr=False)
    extension: str


async def export(speech: SpeechSound, *, max_bytes: int, tags: Mapping[str, str] = NO_TAGS) -> AudioFile:
    """Return ``speech`` as the best file of at most ``max_bytes``: WAV, else FLAC, else Ogg Opus.

    ``tags`` go by their INFO names, see `bot.audio.wav`.
    Raises AudioError when even the smallest is too large.
    """
    return await run_batch_pieces(_first_that_fits, speech.pcm, max_bytes, tags)


def _first_that_fits(pcm: bytes, max_bytes: int, tags: Mapping[str, str]) -> Pieces[AudioFile]:
    wav = write_wav(pcm, tags=tags)
    if len(wav) <= max_bytes:
        return AudioFile(wav, "wav")
    for extension, codec, bitrate in _COMPRESSED:
        try:
            data = yield from encoded(extension, codec, bitrate, pcm, tags=tags)
        except av.FFmpegError as error:
            raise AudioError(f"could not be written as {extension}") from error
        if len(data) <= max_bytes:
            return AudioFile(data, extension)
    raise AudioError(f"{len(pcm) / 96_000:.0f} s of sound do not fit into {max_bytes} bytes")


async def ogg_of(frames: Sequence[bytes], *, tags: Mapping[str, str] = NO_TAGS) -> AudioFile:
    """Return an Ogg file of these very Opus frames of 20 ms, nothing of them encoded anew.

    ``tags`` go by their INFO names, see `bot.audio.wav`. Raises AudioError.
    """
    return AudioFile(await run_batch_pieces(_muxed, frames, tags), "ogg")


def _muxed(frames: Sequence[bytes], tags: Mapping[str, str]) -> Pieces[bytes]:
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
            container.metadata.update(vorbis_comments(tags))
            # It encodes nothing; it is there for the header, which says how far the encoder lagged behind.
            stream = container.add_stream(
                "libopus", rate=RATE, options=_AS_FRAMES, layout="mono", format=_SAMPLE_FORMS["libopus"]
            )
            for number, frame in enumerate(frames):
                packet = av.Packet(frame)
                packet.stream, packet.time_base = stream, Fraction(1, RATE)
                packet.pts = packet.dts = number * OPUS_FRAME_SAMPLES - LOOKAHEAD_SAMPLES
                packet.duration = OPUS_FRAME_SAMPLES
                container.mux(packet)
                if number % _FRAMES_AT_ONCE == 0:
                    yield
    except av.FFmpegError as error:
        raise AudioError("could not be written as Ogg") from error
    return file.getvalue()


def encoded(
    container_name: str,
    codec_name: _Codec,
    bitrate: int | None,
    pcm: bytes,
    *,
    tags: Mapping[str, str],
) -> Pieces[bytes]:
    """Return ``pcm`` in this container and codec, with ``tags`` as Vorbis comments, or as ID3 in an MP3.

    It is work in pieces, see `bot.audio.workers`. Raises av.FFmpegError.
    """
    file = io.BytesIO()
    form = _SAMPLE_FORMS[codec_name]
    samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
    # bitexact: the same speech gives the same bytes, without the muxer's name and a random serial
    with av.open(file, "w", format=container_name, options={"fflags": "+bitexact"}) as container:
        container.metadata.update(vorbis_comments(tags))
        options = _OPTIONS.get(codec_name)
        stream = container.add_stream(codec_name, rate=48_000, options=options, layout="mono", format=form)
        if bitrate is not None:
            stream.bit_rate = bitrate
        for start in range(0, samples.shape[1], _SAMPLES_AT_ONCE):
            part = av.AudioFrame.from_ndarray(
                samples[:, start : start + _SAMPLES_AT_ONCE], format=form, layout="mono"
            )
            part.sample_rate, part.pts = 48_000, start
            container.mux(stream.encode(part))
            yield
        container.mux(stream.encode(None))
    return file.getvalue()


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


async def soundboard_clip(speech: SpeechSound, *, tags: Mapping[str, str] = NO_TAGS) -> SoundboardClip:
    """Return as much of ``speech`` as a soundboard takes, cut at a pause, its file with ``tags`` as ID3.

    Silence at both ends is trimmed first. ``tags`` go by their INFO names, see `bot.audio.wav`.
    Raises AudioError when all is silence, or the encoder fails.
    """
    return await run_batch_pieces(_clip, await trimmed(speech), tags)


def _clip(speech: SpeechSound, tags: Mapping[str, str]) -> Pieces[SoundboardClip]:
    if not speech.pcm:
        raise AudioError("no sound for a soundboard")
    longest = MAX_CLIP_SECONDS - _PADDING_SECONDS
    was_cut = speech.seconds > longest
    pcm = _beginning(speech.pcm, longest) if was_cut else speech.pcm
    try:
        data = yield from encoded("mp3", "libmp3lame", _BIT_RATE, pcm, tags=tags)
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


_SECONDS: Final = limits.MAX_UTTERANCE_SECONDS + 2  # the padding of a lossy format
_LIMITS: Final = DecodeLimits(
    max_bytes=limits.MAX_AUDIO_BYTES, seconds=int(_SECONDS), wall_seconds=30.0, cpu_seconds=15
)
_SENTENCE: Final = "I can no longer read the sound of that message. Ask me for it again."


async def speech_from_file(data: bytes, *, name: str) -> SpeechSound:
    """Return the speech in ``data``, a file called ``name`` that `bot.audio.formats` made: WAV, FLAC or Ogg.

    It comes back as it was written, neither levelled nor faded again. A WAV is read here; anything else is
    decoded in a process of its own, since who can send a file may also change one.
    Raises RecordingError, with a sentence for the member, when there is no sound of ours in it.
    """
    if name.lower().endswith(".wav"):
        speech = await run_batch(_from_wav, data)
        if speech is not None:
            return speech
    try:
        decoded = await decode(data, rate=RATE, limits=_LIMITS)
    except DecodingError:
        raise RecordingError(_SENTENCE) from None
    if decoded.is_cut:
        raise RecordingError(_SENTENCE)
    return SpeechSound(decoded.samples.tobytes())


def _from_wav(data: bytes) -> SpeechSound | None:
    """Return the speech in a WAV of the form we write, None for any other."""
    try:
        sound = parse_wav(data, max_seconds=_SECONDS)
    except AudioError:
        return None
    if sound.rate != RATE or sound.channels != 1 or not len(sound.samples):
        return None
    return SpeechSound(sound.samples.tobytes())


MAX_POINTS: Final = 256
POINT_SECONDS: Final = 0.1
"""Discord takes so many points, and its own app makes one for each tenth of a second."""

_CURVE: Final = 0.7  # lifts the weak syllables, which a straight scale draws as dots
_FLAT: Final = 0.05  # of the loudest: with less between the points the eye sees a line


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """One voice message: Ogg Opus, 48 kHz mono; ``waveform`` is base64 of one byte for each point."""

    ogg: bytes = field(repr=False)
    seconds: float
    waveform: str = field(repr=False)


async def voice_message(
    speech: SpeechSound, *, tags: Mapping[str, str] = NO_TAGS, is_announced: bool = False
) -> VoiceMessage:
    """Return ``speech`` as a voice message, its file with ``tags`` as comments.

    ``tags`` go by their INFO names, see `bot.audio.wav`. ``is_announced``: two tones before it say that it
    imitates somebody, since Discord shows no words beside a voice message. Raises AudioError when there is
    no sound, or the encoder fails.
    """
    return await run_batch_pieces(_voice_message, announced(speech) if is_announced else speech, tags)


def _voice_message(speech: SpeechSound, tags: Mapping[str, str]) -> Pieces[VoiceMessage]:
    if not speech.pcm:
        raise AudioError("no sound for a voice message")
    try:
        ogg = yield from encoded("ogg", "libopus", OPUS_BITRATES[0], speech.pcm, tags=tags)
    except av.FFmpegError as error:
        raise AudioError("could not be written as a voice message") from error
    points = _waveform(np.frombuffer(speech.pcm, "<i2"))
    return VoiceMessage(ogg, speech.seconds, base64.b64encode(points.tobytes()).decode("ascii"))


def _waveform(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return how loud each tenth of a second is, 255 for the loudest; of longer parts if there are many."""
    count = max(1, min(MAX_POINTS, round(len(samples) / 48_000 / POINT_SECONDS)))
    parts = np.array_split(samples, count)
    powers = [np.square(part.astype(np.float32)).mean() if len(part) else 0.0 for part in parts]
    heights = np.sqrt(np.array(powers, np.float64))
    loudest = float(heights.max())
    if loudest == 0 or (count > 1 and loudest - float(heights.min()) < _FLAT * loudest):
        heights, loudest = np.sin(np.pi * (np.arange(count) + 0.5) / count), 1.0  # one steady sound: an arch
    points: NDArray[np.uint8] = np.rint(255 * (heights / loudest) ** _CURVE).astype(np.uint8)
    return points


_KEPT_HEADER: Final = struct.Struct("<8sdI")  # magic, time of making, number of frames
_KEPT_MAGIC: Final = b"MYNAspk3"
_DIGEST_BYTES: Final = 32


def write_kept(path: Path, frames: tuple[bytes, ...], speech: SpeechSound, made_at: datetime) -> int:
    """Write speech to a new file, for our own user only, and return its size in bytes.

    The file tells when it was made. In front of the samples stand the frames that they are played as.
    Raises OSError; nothing is left at ``path`` then.
    """
    lengths = struct.pack(f"<{len(frames)}H", *map(len, frames))
    parts = (_KEPT_HEADER.pack(_KEPT_MAGIC, made_at.timestamp(), len(frames)), lengths, *frames, speech.pcm)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.write(digest.digest())
            return file.tell()
    except OSError:
        path.unlink(missing_ok=True)
        raise


def read_kept(path: Path, made_at: datetime) -> tuple[tuple[bytes, ...], SpeechSound] | None:
    """Return the frames and the speech that `write_kept` has written.

    None if a single bit is different, or it was made at another time. Raises OSError.
    """
    data = path.read_bytes()
    body, digest = memoryview(data)[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not _was_made(body[: _KEPT_HEADER.size], made_at) or hashlib.sha256(body).digest() != digest:
        return None
    _, _, count = _KEPT_HEADER.unpack_from(body)
    start = _KEPT_HEADER.size + 2 * count
    lengths = struct.unpack_from(f"<{count}H", body, _KEPT_HEADER.size)
    bounds = list(accumulate(lengths, initial=start))
    frames = tuple(bytes(body[begin:end]) for begin, end in pairwise(bounds))
    return frames, SpeechSound(bytes(body[bounds[-1] :]))


def is_kept(path: Path, made_at: datetime) -> bool:
    """Return whether this file begins as one that `write_kept` has written then. Raises OSError."""
    with path.open("rb") as file:
        return _was_made(file.read(_KEPT_HEADER.size), made_at)


def _was_made(header: bytes | memoryview, at: datetime) -> bool:
    return len(header) == _KEPT_HEADER.size and _KEPT_HEADER.unpack(header)[:2] == (
        _KEPT_MAGIC,
        at.timestamp(),
    )
