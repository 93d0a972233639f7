"""Reference check: a recording is decoded, looked over, and mended before a voice is cloned from it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot import limits
from bot.audio.edit import FADE_MS, sound_of
from bot.audio.loudness import SPEECH_LUFS, loudness, samples_at, to_pcm
from bot.audio.quality import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    SILENCE_DBFS,
    Activity,
    Flags,
    Levels,
    activity,
    clipped_share,
    runs,
)
from bot.audio.wav import write_wav
from bot.audio.workers import run_batch
from bot.errors import AudioError, RecordingError
from untrusted.decoder import Decoded, DecodeLimits, DecodingError, Refusal, decode
from untrusted.mark import MarkReader

RATE: Final = 48_000

_LIMITS: Final = DecodeLimits(
    max_bytes=limits.MAX_REFERENCE_BYTES,
    seconds=limits.MAX_REFERENCE_SECONDS,
    wall_seconds=30.0,  # a busy machine; the processor time is bounded more tightly
    cpu_seconds=15,
)
_STEADY_DB: Final = 1.5  # the spread of levels in noise or in a tone; of speech it is 6 and more
_SEND: Final = "Send a recording as WAV, MP3, Ogg, M4A or FLAC."
_CUT_OUT: Final = "Send a clip of 5 to 15 seconds with one person speaking clearly."
NOT_FETCHED: Final = "I couldn't fetch that recording from Discord. Try again."
"""What a member reads when its bytes do not come."""
_SENTENCES: Final = {
    Refusal.TOO_LARGE: (
        f"That recording is larger than {limits.MAX_REFERENCE_BYTES // 1024 // 1024} MiB. {_CUT_OUT}"
    ),
    Refusal.UNREADABLE: (
        "That recording is damaged: I can't read any sound from it. Save it again and send the new file."
    ),
    Refusal.UNUSABLE_FORM: (
        f"That recording has a sample rate or a number of channels that I can't use. {_SEND}"
    ),
    Refusal.NO_SOUND: f"That file has no sound. {_SEND}",
    Refusal.TOO_MUCH: f"That recording needs more memory than I have. {_CUT_OUT}",
    Refusal.TOO_LATE: NOT_FETCHED,
    Refusal.TOO_SLOW: f"Reading that recording took too long. {_CUT_OUT}",
    Refusal.NO_PROCESS: "I can't check recordings right now. Try again in a minute.",
}
_TOO_LONG: Final = (
    f"That recording is longer than {limits.MAX_REFERENCE_SECONDS // 60} minutes, and that's the "
    f"most I can take. {_CUT_OUT}"
)
SILENT: Final = "That recording is silent. Check that your microphone is on, and record it again."
"""What a member reads when there is nothing to be heard."""
_NOBODY: Final = "I can't hear anyone speaking in that recording. Record it again, closer to the microphone."
_PROTECTED: Final = ("enca", "drms", "aavd")  # what MP4 calls any codec that is encrypted


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Speech as a member recorded it: 48 kHz, 16 bit, a row of one or two channels for each moment.

    ``channels`` and ``rate`` (Hz) are those of the file; more than two channels come as a stereo mix.
    ``repairs`` are what decoding alone has mended, see `ReferenceCheck`.
    """

    pcm: NDArray[np.int16] = field(repr=False)
    channels: int
    rate: int
    repairs: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.pcm) / RATE


async def decode_recording(data: bytes | AsyncIterable[bytes], *, name: str) -> Recording:
    """Return the recording in ``data``, the bytes of a file called ``name``, whole or in pieces.

    It has somebody in it who speaks for a second or more. The bytes are decoded in a process of its own.
    Raises RecordingError, whose text says why it cannot be used and what to do; and what ``data`` raises.
    """
    try:
        decoded = await decode(data, rate=RATE, most_channels=2, limits=_LIMITS)
    except DecodingError as error:
        raise RecordingError(_sentence(error, name)) from None
    if decoded.is_cut:
        raise RecordingError(_TOO_LONG)
    await run_batch(_check_speech, decoded.samples)
    return Recording(decoded.samples, decoded.channels, decoded.rate, tuple(_repairs_of(decoded)))


_LOADABLE: Final = {
    "wav": (
        "pcm_s16le",
        "pcm_s24le",
        "pcm_s32le",
        "pcm_f32le",
        "pcm_f64le",
        "pcm_u8",
        "pcm_alaw",
        "pcm_mulaw",
    ),
    "flac": ("flac",),
    "ogg": ("vorbis", "opus", "flac"),
    "mp3": ("mp3float", "mp3"),
}
"""What the loaders of voice models read, by container: libsndfile, which stands behind nearly all of them."""


def _repairs_of(decoded: Decoded) -> Iterator[str]:
    if decoded.track:
        yield f"used track {decoded.track + 1}, the first with speech in it"
    if decoded.needs_care:
        yield "left out everything that isn't sound and joined the rest"
    if decoded.codec not in _LOADABLE.get(decoded.container, ()):
        yield f"converted it from {_shown(decoded.codec)} to WAV"


def _sentence(error: DecodingError, name: str) -> str:
    if error.codec in _PROTECTED:
        return f"That file is copy-protected, so I can't read its sound. {_SEND}"
    if error.refusal is Refusal.UNKNOWN_CODEC:
        named = f" ({_shown(error.codec)})" if error.codec else ""
        return f"That file uses a codec that I can't read{named}. {_SEND}"
    if error.refusal is Refusal.UNREADABLE and error.codec:
        return (
            f"That recording is damaged: I can't read any sound from its {_shown(error.codec)}. "
            "Save it again and send the new file."
        )
    return _SENTENCES.get(error.refusal) or _no_sound_file(name)


def _shown(codec: str) -> str:
    """Return FFmpeg's name of a codec as people know it: pcm_s24be is PCM, gsm_ms GSM."""
    known = {"amrnb": "AMR", "amrwb": "AMR", "mp3float": "MP3", "eac3": "E-AC-3", "ac4": "AC-4"}
    return known.get(codec) or (codec if codec.startswith("0x") else codec.split("_")[0].upper())


def _no_sound_file(name: str) -> str:
    extension = PurePath(name).suffix.lower()
    if extension in limits.REFERENCE_EXTENSIONS:
        return f"That file's name ends in {extension}, but I can't read any sound in it. {_SEND}"
    return f"I can't read that kind of file. {_SEND}"


def _check_speech(pcm: NDArray[np.int16]) -> None:
    found = max((activity(channel) for channel in pcm.T), key=lambda heard: heard.speech)
    check_speech(found)


def check_speech(found: Activity) -> None:
    """Raise RecordingError when what was found is too little to be speech: silence, noise, half a word."""
    if found.speech < SILENCE_DBFS:
        raise RecordingError(SILENT)
    if not found.speaking.any() or float(found.levels[found.speaking].std()) < _STEADY_DB:
        raise RecordingError(_NOBODY)
    if found.speech_seconds < limits.MIN_REFERENCE_SECONDS:
        raise RecordingError(
            f"That recording has only {found.speech_seconds:.1f} s of speech. Send 5 to 15 "
            "seconds with one person speaking clearly."
        )


Samples = NDArray[np.int16]

_MUCH_LOUDER_DB: Final = 12.0  # the other channel has crosstalk or noise, which a mix would only add
_TURN_DB: Final = 10.0  # so much louder than the other channel: whose turn it is to speak
_TURNS_SHARE: Final = 0.15  # of the speech, on either side
_CANCELS: Final = -0.3  # a correlation below it: one channel is upside down
_SAME: Final = 0.98  # a correlation above it: one recording in two channels
_EVERY: Final = 16  # samples: those between would not change a correlation
_AT_ONCE: Final = 480_000  # samples: 10 s; it bounds the memory, whatever the length
_NAMES: Final = ("left", "right")


@dataclass(frozen=True, slots=True, eq=False)
class OneChannel:
    """Mono samples, and what was done to get them, if a member should know: whole, and as a repair."""

    samples: Samples
    finding: str | None = None
    repair: str | None = None


def one_channel(pcm: Samples) -> OneChannel:
    """Return one channel of ``pcm`` (48 kHz, a row of one or two channels for each moment).

    A mix of two is written over ``pcm``: of a long recording a second copy would be 30 MB.
    """
    if pcm.shape[1] == 1:
        return OneChannel(pcm[:, 0])
    sides = list(pcm.T)
    heard = [activity(side) for side in sides]
    louder = 0 if heard[0].speech >= heard[1].speech else 1
    name, other = _NAMES[louder], _NAMES[1 - louder]
    if heard[louder].speech - heard[1 - louder].speech > _MUCH_LOUDER_DB:
        return OneChannel(
            sides[louder],
            f"The {other} channel is nearly silent; I used the {name} one.",
            f"used its {name} channel, because the {other} one was nearly silent",
        )
    likeness = _correlation(pcm)
    if likeness < _CANCELS:
        return OneChannel(
            sides[louder],
            f"The two channels cancel each other out; I used the {name} one.",
            f"used its {name} channel, because the two cancelled each other out",
        )
    if likeness < _SAME and _take_turns(*heard):
        return OneChannel(
            sides[louder],
            "The left and right channels seem to have different people in them. I used the "
            f"{name} one, which is louder. If that's the wrong person, send the {other} channel "
            "alone.",
            f"used its {name} channel, because the two seem to have different people in them",
        )
    return OneChannel(_mixed(pcm))


def _mixed(pcm: Samples) -> Samples:
    flat = pcm.reshape(-1)
    for start in range(0, len(pcm), _AT_ONCE):  # what is written is never ahead of what is read
        both = pcm[start : start + _AT_ONCE] // 2
        flat[start : start + len(both)] = both[:, 0] + both[:, 1]
    return flat[: len(pcm)]


def _correlation(pcm: Samples) -> float:
    left, right = (side[::_EVERY].astype(np.float32) for side in pcm.T)
    left, right = left - left.mean(), right - right.mean()
    powers = float(np.square(left).sum()) * float(np.square(right).sum())
    return float((left * right).sum()) / max(math.sqrt(powers), 1.0)


def _take_turns(left: Activity, right: Activity) -> bool:
    speech = (left.speaking | right.speaking).sum()
    difference = left.levels - right.levels
    left_turns = (left.speaking & (difference > _TURN_DB)).sum()
    right_turns = (right.speaking & (difference < -_TURN_DB)).sum()
    return bool(min(left_turns, right_turns) > _TURNS_SHARE * speech)


Shares = NDArray[np.float64]
Places = NDArray[np.intp]

SHORTEST_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 15.0
"""What VoxCPM's documentation and practice ask of a reference."""

_BEST_SECONDS: Final = 10.0  # the reference and what is said after it share about 30 s in the model
_EDGE: Final = 10  # frames of silence that stay at the ends
_LONG_PAUSE: Final = 100  # frames; a full stop makes up to a second
_PAUSE_SIDE: Final = 30  # frames that stay on each side of a long pause
_MOST_PAIRS: Final = 1_500  # of places to cut; bounds the work
_WHOLE_SPREAD_DB: Final = 40.0  # more distance from the noise than this is not heard
_CLIPPED_WEIGHT: Final = 10.0
_LENGTH_WEIGHT: Final = 0.02  # for each second away from the best length


@dataclass(frozen=True, slots=True)
class BestPart:
    """The part: ``ranges`` of 10-ms frames in order. The seconds say what was left out, and why.

    ``chosen`` is where the part lies in the recording, in seconds, if there was a choice.
    """

    ranges: tuple[tuple[int, int], ...]
    silence_before: float
    silence_after: float
    pauses_shortened: int
    pause_seconds: float
    chosen: tuple[float, float] | None


def best_part(heard: Activity, clipped: Shares) -> BestPart:
    """Return the best part of a recording in which somebody speaks.

    ``clipped`` is the share of samples at full scale in each frame.
    """
    spoken = np.flatnonzero(heard.speaking)
    first, last = int(spoken[0]), int(spoken[-1]) + 1
    start, end = max(0, first - _EDGE), min(len(heard.levels), last + _EDGE)
    kept = np.zeros(len(heard.levels), np.bool_)
    kept[start:end] = True
    pauses = [pause for pause in _pauses(heard, first, last) if pause[1] - pause[0] > _LONG_PAUSE]
    for pause_start, pause_end in pauses:
        kept[pause_start + _PAUSE_SIDE : pause_end - _PAUSE_SIDE] = False
    places = np.flatnonzero(kept)
    removed = end - start - len(places)
    chosen = None
    if len(places) * FRAME_SECONDS > LONGEST_SECONDS:
        low, high = _best_window(heard.levels[places], heard.speaking[places], clipped[places])
        places = places[low:high]
        chosen = (float(places[0]) * FRAME_SECONDS, float(places[-1] + 1) * FRAME_SECONDS)
    return BestPart(
        _ranges(places),
        silence_before=start * FRAME_SECONDS,
        silence_after=(len(heard.levels) - end) * FRAME_SECONDS,
        pauses_shortened=len(pauses),
        pause_seconds=removed * FRAME_SECONDS,
        chosen=chosen,
    )


def _pauses(heard: Activity, first: int, last: int) -> list[tuple[int, int]]:
    return [(first + start, first + end) for start, end in runs(~heard.speaking[first:last])]


def _ranges(places: Places) -> tuple[tuple[int, int], ...]:
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    return tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(places, breaks))


def _best_window(levels: Levels, speaking: Flags, clipped: Shares) -> tuple[int, int]:
    """Return the first frame of the window that shows the voice best, and the frame after its last."""
    pairs = _pairs(_cuts_in_pauses(speaking)) or _pairs(_cuts_at_quiet_moments(levels))
    step = -(-len(pairs) // _MOST_PAIRS)
    return max(pairs[::step], key=lambda pair: _worth(levels, speaking, clipped, slice(*pair)))


def _cuts_in_pauses(speaking: Flags) -> list[int]:
    middles = [(start + end) // 2 for start, end in runs(~speaking)]
    return sorted({0, *middles, len(speaking)})


def _cuts_at_quiet_moments(levels: Levels) -> list[int]:
    """Return the quietest frame of each second, for somebody who never pauses."""
    seconds = list(pairwise([*range(0, len(levels), 100), len(levels)]))
    return sorted({0, *(start + int(levels[start:end].argmin()) for start, end in seconds), len(levels)})


def _pairs(cuts: list[int]) -> list[tuple[int, int]]:
    shortest, longest = SHORTEST_SECONDS / FRAME_SECONDS, LONGEST_SECONDS / FRAME_SECONDS
    return [(start, end) for start in cuts for end in cuts if shortest <= end - start <= longest]


def _worth(levels: Levels, speaking: Flags, clipped: Shares, window: slice) -> float:
    quiet, loud = np.percentile(levels[window], (10, 90))
    clearness = min(loud - quiet, _WHOLE_SPREAD_DB) / _WHOLE_SPREAD_DB
    away = abs((window.stop - window.start) * FRAME_SECONDS - _BEST_SECONDS)
    faults = _CLIPPED_WEIGHT * clipped[window].mean() + _LENGTH_WEIGHT * away
    return float(speaking[window].mean() + clearness - faults)


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
class ReferenceCheck:
    """A recording made fit to clone a voice from.

    ``wav`` is mono, 16 bit, 48 kHz, at the loudness of all our speech, without idle time, of the best part
    where it was long. ``findings`` are sentences for the member, in the order of what was done. ``part``:
    where the best part lies in the recording, in seconds, if some of its words were left out; a transcript
    of the whole does not fit any more then. ``sha256`` is that of ``wav``, in hexadecimal digits, and
    ``upload`` that of the file it was made from; ``is_generated``: that says of itself that it is ours.
    ``repairs`` are what had to be done so that a voice model can use it, as ends of a sentence that begins
    with "I"; without any the recording serves as it is.
    """

    wav: bytes = field(repr=False)
    seconds: float
    findings: tuple[str, ...]
    part: tuple[float, float] | None
    sha256: str
    upload: str
    is_generated: bool
    repairs: tuple[str, ...] = ()


class _Upload:
    """Upload on its way to the decoder: its hash, and whether our mark is in it."""

    def __init__(self, data: bytes | AsyncIterable[bytes]) -> None:
        self._data = data
        self._hash = hashlib.sha256()
        self._mark = MarkReader()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._data, bytes):
            yield self._noted(self._data)
            return
        async for piece in self._data:
            yield self._noted(piece)

    def _noted(self, piece: bytes) -> bytes:
        self._hash.update(piece)
        self._mark.read(piece)
        return piece

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def is_generated(self) -> bool:
        return self._mark.has_mark


async def examine(data: bytes | AsyncIterable[bytes], *, name: str) -> ReferenceCheck:
    """Return what is wrong with the recording in ``data``, a file called ``name``, and its mended form.

    ``data`` is whole or comes in pieces; the same bytes give the same result. Raises RecordingError, whose
    text says why it cannot be used and what to do, and what ``data`` raises.
    """
    upload = _Upload(data)
    recording = await decode_recording(upload, name=name)
    return await run_batch(_examined, recording, upload)


def _examined(recording: Recording, upload: _Upload) -> ReferenceCheck:
    side = one_channel(recording.pcm)
    heard = activity(side.samples)
    check_speech(heard)
    part = best_part(heard, _clipped(side.samples))
    pcm = _cut(side.samples, part)
    kept = np.frombuffer(pcm, "<i2")
    findings = [side.finding, *_about_time(part), _about_clipping(kept), _about_noise(heard)]
    mended, change = _levelled(kept)
    findings += [_about_level(change), _about_rate(recording), _about_length(len(kept) / 48_000)]
    repairs = (*recording.repairs, side.repair, _repair_of_length(recording, part), _repair_of_clipping(kept))
    wav = write_wav(mended)
    return ReferenceCheck(
        wav,
        len(mended) / (2 * 48_000),
        tuple(finding for finding in findings if finding),
        part.chosen,
        hashlib.sha256(wav).hexdigest(),
        upload.sha256,
        upload.is_generated,
        tuple(repair for repair in repairs if repair),
    )


def _repair_of_length(recording: Recording, part: BestPart) -> str | None:
    if recording.seconds <= LONGEST_SECONDS:
        return None
    if part.chosen is None:
        return "cut out the silence, because it was long"
    start, end = part.chosen
    return f"used its best part, from {_clock(start)} to {_clock(end)}"


def _repair_of_clipping(samples: Samples) -> str | None:
    return (
        ("turned it down, because it was too loud in places")
        if clipped_share(samples) > CLIPPED_SHARE
        else None
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
        found.append(f"It's long, so I used its best part, from {_clock(start)} to {_clock(end)}.")
    return found


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _about_clipping(samples: Samples) -> str | None:
    share = clipped_share(samples)
    if share > HOPELESS_CLIPPED_SHARE:
        raise RecordingError(
            f"That recording is far too loud, so it's distorted throughout. {_BETTER} with the "
            "microphone turned down, or from further away."
        )
    if share > CLIPPED_SHARE:
        return (
            f"It's too loud in places ({100 * share:.1f} % is distorted), so the voice may sound "
            f"harsh. {_BETTER} with the microphone turned down, if you can."
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
            f"There's background noise, only about {heard.snr:.0f} dB quieter than the voice. "
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
    return "It sounds like a phone call, so the voice will be muffled."


def _about_length(seconds: float) -> str | None:
    if round(seconds, 1) >= SHORTEST_SECONDS:
        return None
    return f"It has only {seconds:.1f} s of speech. 5 to 15 s make a better voice."
