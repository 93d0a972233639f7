"""Recordings of every kind that PyAV can write here, and spoiled ones that people have sent."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from _pytest.mark import ParameterSet

from tests.untrusted.encoding import encoded, wav_of
from tests.untrusted.refusals import refused
from untrusted.decoder import Decoded, DecodingError, Refusal, decode

RATE = 16_000
RECORDINGS = Path(__file__).parent / "recordings"

IN_STEREO = {  # at 48 kHz: the codecs of each container
    "wav": "pcm_s16le pcm_s24le pcm_s32le pcm_f32le pcm_f64le pcm_u8 pcm_alaw pcm_mulaw adpcm_ms"
    " adpcm_ima_wav adpcm_yamaha libmp3lame mp2 ac3",
    "w64": "pcm_s16le pcm_f32le",
    "aiff": "pcm_s16be pcm_s24be pcm_f32be pcm_f64be pcm_alaw pcm_mulaw adpcm_ima_qt pcm_s8",
    "au": "pcm_s16be pcm_mulaw pcm_alaw pcm_f32be pcm_s8",
    "caf": "pcm_s16le pcm_s16be alac flac pcm_f32le pcm_alaw adpcm_ima_qt libmp3lame",
    "voc": "pcm_u8 pcm_s16le",
    "ogg": "libopus vorbis flac",
    "flac": "flac",
    "mp3": "libmp3lame",
    "mp2": "mp2",
    "adts": "aac",
    "latm": "aac",
    "ac3": "ac3",
    "eac3": "eac3",
    "tta": "tta",
    "wv": "wavpack",
    "mp4": "aac alac flac libopus libmp3lame mp2 ac3 eac3 vorbis pcm_s16le",
    "ipod": "aac alac ac3",
    "mov": "aac alac pcm_s16le pcm_s16be pcm_s24be pcm_f32le pcm_alaw pcm_mulaw adpcm_ima_qt pcm_u8",
    "3gp": "aac",
    "3g2": "aac",
    "matroska": "libopus vorbis flac aac libmp3lame pcm_s16le pcm_f32le alac ac3 tta wavpack mp2",
    "webm": "libopus vorbis",
    "mpegts": "aac mp2 libmp3lame ac3 libopus eac3",
    "mpeg": "mp2 ac3",
    "avi": "libmp3lame pcm_s16le aac ac3 mp2 adpcm_ms pcm_alaw",
    "asf": "libmp3lame",
    "flv": "aac libmp3lame",
    "nut": "pcm_s16le libopus flac",
    "rm": "ac3",
    "adx": "adpcm_adx",
    "ircam": "pcm_s16le",
    "sox": "pcm_s32le",
    "wsaud": "adpcm_ima_ws",
    "wtv": "mp2",
    "ismv": "aac",
    "f4v": "aac",
    "smjpeg": "pcm_s16le",
}
OTHERWISE = [
    ("wav", "adpcm_swf", 44_100, "stereo"), ("wav", "g726", 48_000, "mono"), ("wav", "g722", 48_000, "mono"),
    ("wav", "pcm_s16le", 8_000, "mono"), ("wav", "pcm_s16le", 192_000, "stereo"),
    ("3gp", "libopencore_amrnb", 8_000, "mono"), ("3g2", "libopencore_amrnb", 8_000, "mono"),
    ("amr", "libopencore_amrnb", 8_000, "mono"), ("matroska", "real_144", 8_000, "mono"),
    ("rm", "real_144", 8_000, "mono"), ("flv", "nellymoser", 44_100, "mono"),
    ("flv", "adpcm_swf", 44_100, "stereo"), ("swf", "libmp3lame", 44_100, "stereo"),
    ("mmf", "adpcm_yamaha", 44_100, "stereo"), ("ogg", "flac", 16_000, "mono"),
    ("flac", "flac", 96_000, "stereo"), ("mp3", "libmp3lame", 22_050, "mono"),
    ("mov", "aac", 48_000, "5.1"), ("wav", "pcm_s16le", 48_000, "7.1"),
]  # fmt: skip
CASES = [
    *(
        (container, codec, 48_000, "stereo")
        for container, codecs in IN_STEREO.items()
        for codec in codecs.split()
    ),
    *OTHERWISE,
]
WITHOUT_A_HEADER = {  # their bytes do not say what they are
    "g722": "g722", "g726": "g726", "alaw": "pcm_alaw", "mulaw": "pcm_mulaw", "s16le": "pcm_s16le",
    "f32le": "pcm_f32le", "rso": "pcm_u8",
}  # fmt: skip
AS_FFMPEG_READS = {"libopus": "opus", "libmp3lame": "mp3float", "libopencore_amrnb": "amrnb"}


def tone_in(container: str, codec: str, rate: int = 48_000, layout: str = "stereo") -> bytes:
    """Return a second of 440 Hz in this container and codec."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    channels = av.AudioLayout(layout).nb_channels
    pcm = np.repeat((wave * 32_767).astype(np.int16), channels)
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"strict": "-2"}) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, options={"strict": "experimental"})
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        for number, part in enumerate(_of_size(size or 1_024, resampler.resample(frame))):
            if part.samples < size and codec in ("mp2", "ac3", "eac3", "alac", "flac"):
                break  # PyAV does not tell these that it is the last
            part.pts = number * (size or 1_024)
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def _of_size(size: int, frames: list[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    fifo = av.AudioFifo()
    for frame in frames:
        frame.pts = None
        fifo.write(frame)
    while (part := fifo.read(size, partial=True)) is not None:
        yield part


def pitch_of(decoded: Decoded) -> float:
    """Return the strongest frequency in Hz, of what lies between the edges."""
    sound = decoded.samples[RATE // 8 : RATE * 7 // 8, 0].astype(np.float64)
    return float(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))) * RATE / len(sound)


def quick_first(cases: Sequence[tuple[str, str, int, str]]) -> list[ParameterSet]:
    """Return all ``cases``; every twelfth is quick, so that each family of containers is there."""
    marks = [() if number % 12 == 0 else pytest.mark.slow for number in range(len(cases))]
    return [pytest.param(*case, marks=mark) for case, mark in zip(cases, marks, strict=True)]


@pytest.mark.parametrize(("container", "codec", "rate", "layout"), quick_first(CASES))
async def test_whatever_can_be_written_can_be_read(
    container: str, codec: str, rate: int, layout: str
) -> None:
    decoded = await decode(tone_in(container, codec, rate, layout), rate=RATE, most_channels=2)

    assert pitch_of(decoded) == pytest.approx(440, abs=5)
    assert 0.8 < len(decoded.samples) / RATE < 1.3
    assert decoded.rate == pytest.approx(rate, rel=0.001)
    assert decoded.channels == av.AudioLayout(layout).nb_channels
    assert not decoded.needs_care


def test_the_table_is_long() -> None:
    assert len(set(CASES)) == len(CASES) > 110


@pytest.mark.parametrize(("container", "codec"), WITHOUT_A_HEADER.items())
async def test_samples_without_a_header_are_no_recording(container: str, codec: str) -> None:
    with refused(Refusal.UNKNOWN_KIND):
        await decode(tone_in(container, codec, layout="mono"), rate=RATE)


SENT = {  # name: seconds, rate and codec of what is in it
    "amr_in_mp4.mp4": (8.0, 8_000, "amrnb"),
    "chained_at_other_rates.ogg": (12.5, 44_100, "vorbis"),
    "gsm_in_wav.wav": (8.5, 8_000, "gsm_ms"),
    "id3_before_adts.aac": (8.5, 48_000, "aac"),
    "id3_before_flac.flac": (3.0, 16_000, "flac"),
    "joined_at_other_rates.mp3": (12.6, 44_100, "mp3float"),
    "quicktime_in24.mp4": (3.0, 16_000, "pcm_s24be"),
    "speex.ogg": (8.5, 16_000, "speex"),
    "two_tracks_first_silent.mp4": (8.5, 48_000, "aac"),
}


@pytest.mark.parametrize("name", SENT)
async def test_what_people_have_sent_is_read_to_its_end(name: str) -> None:
    seconds, rate, codec = SENT[name]

    decoded = await decode((RECORDINGS / name).read_bytes(), rate=RATE)

    assert len(decoded.samples) / RATE == pytest.approx(seconds, abs=0.15)
    assert (decoded.rate, decoded.codec) == (rate, codec)
    assert np.abs(decoded.samples).max() > 3_000


WAV = wav_of(0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000))
ID3 = b"ID3\x04\0\0\0\0\x02\x00" + bytes(256)
APE = b"APETAGEX" + (2_000).to_bytes(4, "little") + (40).to_bytes(4, "little") + bytes(16) + bytes(40)
IN_FRONT = {
    "a tag": ID3,
    "two tags": ID3 + ID3,
    "a tag of another kind": APE,
    "a tag whose size is wrong": b"ID3\x04\0\0\0\x7f\x7f\x7f" + bytes(50),
    "padding": bytes(4_096),
    "the head of an answer": b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n",
    "noise": np.random.default_rng(5).bytes(3_000),
}


@pytest.mark.parametrize("junk", IN_FRONT)
@pytest.mark.parametrize(
    ("container", "codec"),
    [("wav", "pcm_s16le"), ("flac", "flac"), ("ogg", "libopus"), ("mp4", "aac"), ("mp3", "libmp3lame"),
     ("matroska", "libopus"), ("adts", "aac")],
)  # fmt: skip
async def test_a_recording_with_something_in_front_is_found(junk: str, container: str, codec: str) -> None:
    decoded = await decode(IN_FRONT[junk] + tone_in(container, codec), rate=RATE)

    assert pitch_of(decoded) == pytest.approx(440, abs=5)
    assert 0.8 < len(decoded.samples) / RATE < 1.3


async def test_a_recording_with_junk_in_front_needs_care_and_one_with_the_tag_of_an_mp3_does_not() -> None:
    assert (await decode(ID3 + WAV, rate=RATE)).needs_care
    assert not (await decode(ID3 + tone_in("mp3", "libmp3lame"), rate=RATE)).needs_care


@pytest.mark.parametrize(
    ("container", "codec"), [("ogg", "vorbis"), ("ogg", "flac"), ("wav", "pcm_s16le"), ("mp3", "libmp3lame")]
)
async def test_recordings_put_one_behind_the_other_are_read_as_one(container: str, codec: str) -> None:
    joined = tone_in(container, codec) + tone_in(container, codec, 44_100)

    decoded = await decode(joined, rate=RATE)

    assert len(decoded.samples) / RATE == pytest.approx(2, abs=0.3)
    assert decoded.needs_care


def in_tracks(*waves: np.ndarray, container: str = "matroska") -> bytes:
    """Return a recording with a track of FLAC for each of these 16-kHz waves."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        streams = [output.add_stream("flac", rate=RATE, layout="mono") for _ in waves]
        for wave, stream in zip(waves, streams, strict=True):
            pcm = (np.clip(wave, -1, 1) * 32_767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            for packet in itertools.chain(stream.encode(frame), stream.encode(None)):
                output.mux(packet)
    return file.getvalue()


def _speech_like() -> np.ndarray:
    time = np.arange(3 * RATE) / RATE
    wave: np.ndarray = 0.4 * np.sin(2 * np.pi * 300 * time) * np.abs(np.sin(2 * np.pi * 1.5 * time)) ** 2
    return wave


SILENCE = np.zeros(3 * RATE)
HUM = 0.2 * np.sin(2 * np.pi * 100 * np.arange(3 * RATE) / RATE)


@pytest.mark.parametrize("container", ["matroska", "mp4"])
@pytest.mark.parametrize(
    ("tracks", "number"),
    [
        ((SILENCE, _speech_like()), 1),
        ((_speech_like(), SILENCE), 0),
        ((HUM, SILENCE, _speech_like()), 2),
        ((SILENCE, HUM), 1),
        ((_speech_like(), _speech_like()), 0),
        ((SILENCE, SILENCE), 0),
    ],
)
async def test_of_several_tracks_the_first_with_speech_is_read(
    container: str, tracks: tuple[np.ndarray, ...], number: int
) -> None:
    decoded = await decode(in_tracks(*tracks, container=container), rate=RATE)

    sound = decoded.samples[:, 0] / 32_767
    assert decoded.track == number
    assert np.abs(sound[: RATE * 2] - tracks[number][: RATE * 2]).max() < 0.01


async def test_a_track_that_cannot_be_decoded_is_passed_over() -> None:
    data = in_tracks(_speech_like(), _speech_like())
    spoiled = data.replace(b"A_FLAC", b"A_NONE", 1)

    assert (await decode(spoiled, rate=RATE)).track == 1


@pytest.mark.parametrize(
    ("make", "codec"),
    [
        (lambda: tone_in("mp4", "aac").replace(b"mp4a", b"ac-4").replace(b"esds", b"free"), "ac4"),
        (lambda: tone_in("mp4", "aac").replace(b"mp4a", b"enca").replace(b"esds", b"free"), "enca"),
        (lambda: WAV[:20] + b"\x34\x12" + WAV[22:], "0x1234"),
        (lambda: WAV[:20] + b"\x00\x81"[::-1] + WAV[22:], "0x0081"),
        (lambda: tone_in("matroska", "flac").replace(b"A_FLAC", b"A_NONE"), None),
    ],
)
async def test_a_codec_that_cannot_be_decoded_is_named(make: Callable[[], bytes], codec: str | None) -> None:
    with pytest.raises(DecodingError) as caught:
        await decode(make(), rate=RATE)

    assert (caught.value.refusal, caught.value.codec) == (Refusal.UNKNOWN_CODEC, codec)


async def test_a_track_whose_packets_are_all_damaged_names_its_codec() -> None:
    good = encoded(WAV, "mp4", "aac")
    start = good.index(b"mdat") + 4

    with pytest.raises(DecodingError) as caught:
        await decode(good[:start] + b"\xff" * (len(good) - start), rate=RATE)

    assert caught.value.refusal is Refusal.UNREADABLE


async def test_a_film_with_subtitles_is_heard() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        film = output.add_stream("mpeg4", rate=10)
        film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
        words = output.add_stream("ass")
        words.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n"
        voice = output.add_stream("flac", rate=RATE, layout="mono")
        pcm = (_speech_like() * 32_767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        output.mux(film.encode(av.VideoFrame(64, 64, "yuv420p")))
        for piece in (frame, None):
            output.mux(voice.encode(piece))

    decoded = await decode(file.getvalue(), rate=RATE)

    assert len(decoded.samples) / RATE == pytest.approx(3, abs=0.1)
