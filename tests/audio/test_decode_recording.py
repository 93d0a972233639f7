"""A member's recording: decoded in any format, or refused with a reason and a cure."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import av
import numpy as np
import pytest

from bot import limits
from bot.audio.reference_check import decode_recording
from bot.errors import RecordingError, sentence_for
from tests.audio.voices import CHILD, MAN, RATE, WOMAN, Wave, breath, silence, stereo, times
from tests.untrusted.encoding import FORMATS, encoded, wav_of

EXTENSIONS = {
    "WAV": ".wav", "Ogg Opus": ".opus", "Ogg Vorbis": ".oga", "MP3": ".mp3", "M4A": ".m4a", "MP4": ".mp4",
    "AAC": ".aac", "FLAC": ".flac", "WebM": ".webm",
}  # fmt: skip


@pytest.mark.parametrize("kind", EXTENSIONS)
async def test_every_kind_that_is_offered_is_read(kind: str):
    data = encoded(wav_of(WOMAN[: 2 * RATE]), *FORMATS[kind])

    recording = await decode_recording(data, name="voice" + EXTENSIONS[kind])

    assert recording.seconds == pytest.approx(2, abs=0.1)
    assert (recording.channels, recording.rate) == (2, 48_000)
    assert recording.pcm.shape[1] == 2


def test_every_extension_on_offer_is_tried_above():
    assert {*EXTENSIONS.values(), ".ogg"} == set(limits.REFERENCE_EXTENSIONS)


@pytest.mark.slow
async def test_the_form_of_the_file_is_kept():
    mono = await decode_recording(wav_of(WOMAN[::3], rate=16_000), name="a.wav")
    two = await decode_recording(wav_of(stereo(MAN, CHILD)), name="b.wav")

    assert (mono.channels, mono.rate, mono.pcm.shape[1]) == (1, 16_000, 1)
    assert np.abs(two.pcm[: len(MAN), 0] / 32_767 - MAN).max() < 0.001
    assert np.abs(two.pcm[: len(CHILD), 1] / 32_767 - CHILD).max() < 0.001


A_WORD = WOMAN[RATE : RATE + 25_000]


@cache
def three_hours() -> bytes:
    """Return three hours of real speech in less than 10 MiB: one encoded minute, again and again."""
    minute = np.rint(np.tile(MAN, 9)[::6][: 60 * 8_000] * 32_767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(minute.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 8_000
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=8_000, layout="mono", options={"frame_duration": "60"})
        stream.bit_rate = 6_000
        packets = [bytes(packet) for packet in (*stream.encode(frame), *stream.encode(None))]
        for place in range(180 * 60 * 50 // 3):
            packet = av.Packet(packets[place % len(packets)])
            packet.stream, packet.time_base = stream, Fraction(3, 50)
            packet.pts = packet.dts = place
            container.mux(packet)
    return file.getvalue()


def film_without_sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for piece in (av.VideoFrame(64, 64, "yuv420p"), None):
            container.mux(stream.encode(piece))
    return file.getvalue()


def tone(seconds: float) -> Wave:
    return 0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)


def spoiled(container: str, codec: str) -> bytes:
    """Return a recording none of whose packets can be decoded."""
    good = encoded(wav_of(WOMAN), container, codec)
    start = good.index(b"mdat") + 4
    return good[:start] + b"\x07" * (good.index(b"moov") - 4 - start) + good[good.index(b"moov") - 4 :]


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a text called mp3": (
        "notes.mp3",
        lambda: b"Dear diary, " * 100,
        "ends in .mp3, but I can't read",
    ),
    "a picture": ("cat.png", lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), "can't read that kind of file"),
    "a playlist": ("list.m3u", lambda: b"#EXTM3U\nfile:///etc/passwd\n", "can't read that kind of file"),
    "an empty file": ("voice.wav", lambda: b"", "ends in .wav, but I can't read"),
    "broken": ("voice.ogg", lambda: b"OggS" + bytes(5_000), "damaged.*[Ss]ave it again"),
    "a header alone": ("voice.wav", lambda: wav_of(silence(0)), "has no sound"),
    "a film without sound": ("film.mp4", film_without_sound, "has no sound"),
    "a codec of cinemas": (
        "film.mp4",
        lambda: encoded(wav_of(WOMAN), "mp4", "aac").replace(b"mp4a", b"ac-4").replace(b"esds", b"free"),
        r"uses a codec that I can't read \(AC-4\)\. Send a recording as WAV",
    ),
    "copy-protected": (
        "song.m4a",
        lambda: encoded(wav_of(WOMAN), "mp4", "aac").replace(b"mp4a", b"enca").replace(b"esds", b"free"),
        "copy-protected",
    ),
    "damaged inside": ("voice.m4a", lambda: spoiled("ipod", "aac"), "damaged.*from its AAC"),
    "too slow a rate": ("voice.wav", lambda: wav_of(WOMAN[::24], rate=2_000), "sample rate or a number"),
    "silent": ("voice.wav", lambda: wav_of(silence(5)), "silent.*microphone is on"),
    "nearly silent": ("voice.wav", lambda: wav_of(times(MAN, -50)), "silent.*microphone is on"),
    "an offset": ("voice.wav", lambda: wav_of(silence(5) + 0.4), "silent.*microphone is on"),
    "noise": ("voice.wav", lambda: wav_of(breath(5, dbfs=-25)), "anyone speaking.*closer"),
    "a tone": ("voice.wav", lambda: wav_of(tone(5)), "anyone speaking.*closer"),
    "a word": (
        "voice.wav",
        lambda: wav_of(A_WORD),
        r"only 0\.\d s of speech.*5 to 15 s",
    ),
    "a word in silence": (
        "voice.wav",
        lambda: wav_of(np.concatenate([silence(4), A_WORD, silence(4)])),
        r"only 0\.\d s of speech.*5 to 15 s",
    ),
    "three hours": ("voice.ogg", three_hours, "longer than 5 minutes.*Send a clip of 5 to 15 s"),
    "too many bytes": (
        "voice.wav",
        lambda: wav_of(silence(120)),
        "larger than 10 MiB.*Send a clip of 5 to 15 s",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_recording_of_speech_is_refused_with_reason_and_cure(case: str):
    name, make, said = REFUSED[case]
    data = make()

    with pytest.raises(RecordingError, match=said) as caught:
        await decode_recording(data, name=name)

    assert sentence_for(caught.value) == str(caught.value)
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 200


def test_three_hours_fit_into_an_upload():
    assert 5_000_000 < len(three_hours()) < limits.MAX_REFERENCE_BYTES


async def test_a_recording_that_breaks_off_is_used_as_far_as_it_goes():
    whole = encoded(wav_of(MAN), "flac", "flac")

    recording = await decode_recording(whole[: len(whole) // 2], name="voice.flac")

    assert 2 < recording.seconds < 5
