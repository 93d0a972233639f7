"""Recordings that are none: what they try, and that it does not work."""

from __future__ import annotations

import asyncio
import io
import sys
import wave
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from tests.untrusted.children import decoding_children
from tests.untrusted.encoding import encoded, wav_of
from tests.untrusted.refusals import refused
from untrusted.decoder import DecodeLimits, DecodingError, Refusal, decode

RATE = 22_050
CHILD = Path("untrusted/decoder_child.py").resolve()
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")


def _disguises(secret: Path, origin: str) -> dict[str, bytes]:
    name = str(secret)
    return {
        "ffconcat": f"ffconcat version 1.0\nfile '{name}'\n".encode(),
        "ffconcat, relative": f"ffconcat version 1.0\nfile {secret.name}\n".encode(),
        "hls, file": f"#EXTM3U\n#EXTINF:1,\nfile://{name}\n#EXT-X-ENDLIST\n".encode(),
        "hls, http": f"#EXTM3U\n#EXTINF:1,\n{origin}/a.wav\n#EXT-X-ENDLIST\n".encode(),
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "dash": f'<?xml version="1.0"?><MPD><BaseURL>{origin}/</BaseURL></MPD>'.encode(),
        "cue": f'FILE "{name}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n'.encode(),
        "pls": f"[playlist]\nFile1={name}\nNumberOfEntries=1\n".encode(),
        "subtitles": b"1\n00:00:00,000 --> 00:00:09,000\nhello\n",
    }


def _secret(folder: Path) -> Path:
    file = folder / "secret.wav"
    file.write_bytes(wav_of(0.5 * np.ones(48_000)))
    return file


async def _run_child(data: bytes, cwd: Path) -> tuple[int, bytes]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(CHILD), str(RATE), "1", "90", "768", "10"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    out, _ = await asyncio.wait_for(child.communicate(data), 60)
    return child.returncode or 0, out


@pytest.mark.slow
async def test_text_in_disguise_is_no_recording(tmp_path: Path) -> None:
    disguises = _disguises(_secret(tmp_path), "http://127.0.0.1:9")

    for data in disguises.values():
        with refused(Refusal.UNKNOWN_KIND):
            await decode(data, rate=RATE)


async def test_text_behind_the_tag_of_an_mp3_is_not_opened_either(tmp_path: Path) -> None:
    disguise = _disguises(_secret(tmp_path), "http://127.0.0.1:9")["ffconcat"]

    with refused(Refusal.UNREADABLE):
        await decode(b"ID3\x03\x00\x00\x00\x00\x00\x00" + disguise, rate=RATE)


@pytest.mark.slow
@posix_only
async def test_a_playlist_reads_no_other_file_and_connects_to_nobody(tmp_path: Path) -> None:
    connections = 0

    async def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    disguises = _disguises(_secret(tmp_path), f"http://127.0.0.1:{port}")
    results = [await _run_child(data, tmp_path) for data in disguises.values()]
    server.close()

    assert all(code != 0 for code, _ in results)
    assert {out for _, out in results} == {b""}
    assert connections == 0


@pytest.mark.slow
@posix_only
async def test_an_hour_of_sound_in_a_small_file_stops_at_ninety_seconds() -> None:
    recording = _an_hour()
    assert len(recording) < 1_000_000

    decoded = await decode(recording, rate=RATE)

    assert (len(decoded.samples), decoded.is_cut) == (90 * RATE, True)


def _an_hour() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=8_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        minute = np.zeros((1, 8_000 * 60), np.int16)
        for _ in range(60):
            frame = av.AudioFrame.from_ndarray(minute, format="s16", layout="mono")
            frame.rate = 8_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_a_header_may_promise_anything() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 48_000, 0, "NONE", ""))
        wav.writeframes(bytes(96_000))
    data = bytearray(file.getvalue())
    data[40:44] = b"\xff\xff\xff\xff"

    decoded = asyncio.run(decode(bytes(data), rate=RATE))

    assert len(decoded.samples) == RATE


@pytest.mark.parametrize(("field", "value"), [(24, 1), (24, 4_000_000_000), (22, 65_535), (22, 0)])
async def test_absurd_rates_and_channel_counts_are_refused(field: int, value: int) -> None:
    data = bytearray(wav_of(np.zeros(48_000)))
    size = 4 if field == 24 else 2
    data[field : field + size] = value.to_bytes(size, "little")

    with pytest.raises(DecodingError):
        await decode(bytes(data), rate=RATE)


async def test_a_film_without_sound_says_so() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for piece in (av.VideoFrame(64, 64, "yuv420p"), None):
            container.mux(stream.encode(piece))

    with refused(Refusal.NO_SOUND):
        await decode(file.getvalue(), rate=RATE)


async def test_a_decoder_that_takes_too_long_is_ended() -> None:
    with refused(Refusal.TOO_SLOW):
        await decode(wav_of(np.zeros(48_000)), rate=RATE, limits=DecodeLimits(wall_seconds=0.001))

    assert decoding_children() == []


async def test_a_cancelled_call_leaves_no_process_behind() -> None:
    call = asyncio.create_task(decode(wav_of(np.zeros(480_000)), rate=RATE))
    while not decoding_children():  # noqa: ASYNC110 - a process says nothing when it starts
        await asyncio.sleep(0)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert decoding_children() == []


@pytest.mark.slow
async def test_many_decodings_leave_neither_zombies_nor_open_files() -> None:
    process = psutil.Process()
    good, bad = encoded(wav_of(np.zeros(48_000)), "ogg", "libopus"), b"OggS" + bytes(1_000)
    await decode(good, rate=RATE)
    before = process.num_fds() if sys.platform != "win32" else process.num_handles()

    for _ in range(4):
        await decode(good, rate=RATE)
        with pytest.raises(DecodingError):
            await decode(bad, rate=RATE)

    after = process.num_fds() if sys.platform != "win32" else process.num_handles()
    assert decoding_children() == []
    assert after <= before


@pytest.mark.slow
@posix_only
async def test_the_decoder_process_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_API_KEY", "a secret")
    call = asyncio.create_task(decode(wav_of(np.zeros(480_000)), rate=RATE))
    seen: list[dict[str, str]] = []

    while not call.done():
        for child in decoding_children():
            try:
                if "child.py" in " ".join(child.cmdline()):
                    seen.append(child.environ())
            except psutil.Error:
                continue
        await asyncio.sleep(0)
    await call

    assert seen
    assert all("TTS_API_KEY" not in environment for environment in seen)
    assert all(set(environment) <= {"LC_CTYPE"} for environment in seen)


@posix_only
async def test_a_decoder_that_runs_out_of_memory_says_so() -> None:
    with refused(Refusal.TOO_MUCH):
        await decode(wav_of(np.zeros(480_000)), rate=RATE, limits=DecodeLimits(megabytes=1))


BEGINNINGS = {
    "tags": b"ID3\x04" + bytes(6),
    "pages": b"OggS" + bytes(23),
    "first pages": b"OggS\0\2" + bytes(21) + b"OggS" + bytes(23),
    "empty wavs": b"RIFF\4\0\0\0WAVE",
    "atoms": b"\0\0\0\x08free",
    "films": b"\0\0\0\x10ftypisom",
    "matroska": b"\x1aE\xdf\xa3",
    "frames": b"\xff\xfb\x90\x00",
    "zeros": b"\0",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BEGINNINGS)
async def test_a_file_full_of_beginnings_is_refused_within_its_processor_time(name: str) -> None:
    beginning = BEGINNINGS[name]

    with refused(Refusal.UNREADABLE, Refusal.UNKNOWN_KIND, Refusal.NO_SOUND):
        await decode(beginning * (10_000_000 // len(beginning)), rate=RATE)
