"""The strict parser against every malformed file we know of, and what it must cost."""

from __future__ import annotations

import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.audio.wav import WavHeader, WavSound, parse_wav
from bot.errors import AudioError
from tests.audio.handmade import chunk, fmt, riff, wav
from tests.audio.oddities import DATA, HEARD, PCM, REFUSED, WAVE


@pytest.mark.parametrize("row", HEARD)
def test_a_file_that_is_odd_but_sound_is_heard_whole(row: str):
    data, expected = HEARD[row]

    sound = parse_wav(data)

    assert sound.samples.tobytes() == expected


@pytest.mark.parametrize("row", REFUSED)
def test_a_file_that_is_no_wav_we_accept_is_refused(row: str):
    with pytest.raises(AudioError):
        parse_wav(REFUSED[row])


def test_a_header_cut_anywhere_is_refused():
    whole = riff(fmt(), DATA)

    for length in range(44):
        with pytest.raises(AudioError):
            parse_wav(whole[:length])


@pytest.mark.parametrize("row", [*HEARD, *REFUSED])
def test_no_file_takes_long_or_much_memory(row: str):
    data = HEARD[row][0] if row in HEARD else REFUSED[row]

    tracemalloc.start()
    outcome(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak <= 2 * len(data) + 64 * 1024  # the constant is Python's own
    assert min(cpu_seconds(data) for _ in range(5)) <= 0.05


@pytest.mark.parametrize(("bits", "tag"), [(8, 1), (24, 1), (32, 1), (32, 3), (64, 3)])
def test_a_large_file_is_converted_within_twice_its_size(bits: int, tag: int):
    data = riff(fmt(bits=bits, tag=tag), chunk(b"data", bytes(8 * 1024 * 1024)))

    tracemalloc.start()
    parse_wav(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak <= 2 * len(data) + 2 * 1024 * 1024  # the constant is one block being converted


def test_sixteen_bit_mono_is_not_copied():
    data = riff(fmt(), chunk(b"data", bytes(8 * 1024 * 1024)))

    tracemalloc.start()
    parse_wav(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 64 * 1024


POLYGLOT_TAILS = {
    "zip": b"PK\x03\x04" + b"payload" * 40,
    "html": b"<html><script>alert(1)</script></html>",
    "pdf": b"%PDF-1.7\n1 0 obj\n",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(60),
    "exe": b"MZ" + bytes(62),
    "jar": b"\xca\xfe\xba\xbe" + bytes(30),
    "shell": b"\n#!/bin/sh\nrm -rf /\n",
    "another riff": b"RIFF" + (400).to_bytes(4, "little") + b"AVI " + bytes(396),
    "id3": b"ID3\x03\x00" + b"APIC" * 20,
    "second samples": chunk(b"data", b"\x22" * 300),
}


@pytest.mark.parametrize("kind", POLYGLOT_TAILS)
def test_what_hangs_behind_the_samples_is_dropped(kind: str):
    sound = parse_wav(wav(WAVE, tail=POLYGLOT_TAILS[kind]))

    assert sound.samples.tobytes() == PCM


def test_a_wav_joined_to_another_is_read_on_and_counts_for_the_length():
    joined = wav(WAVE, tail=wav(WAVE))

    assert parse_wav(joined).samples.tobytes() == PCM + PCM
    with pytest.raises(AudioError, match="at most"):
        parse_wav(joined, max_seconds=len(WAVE) / 48_000 * 1.5)


@pytest.mark.parametrize(
    "tail",
    [
        riff(fmt(channels=2), chunk(b"data", b"\x11" * 400)),
        riff(fmt(rate=16_000), chunk(b"data", b"\x11" * 400)),
        riff(fmt(bits=24), chunk(b"data", b"\x11" * 300)),
    ],
    ids=["channels", "rate", "bits"],
)
def test_a_wav_joined_to_one_of_another_form_is_no_whole(tail: bytes):
    with pytest.raises(AudioError, match="another form"):
        parse_wav(wav(WAVE, tail=tail))


def test_more_wavs_joined_than_anybody_asks_for_are_refused():
    with pytest.raises(AudioError, match="files in one"):
        parse_wav(wav(WAVE) * 17)


def test_too_long_a_sound_is_refused_before_it_is_converted():
    data = riff(fmt(bits=8, rate=8_000), chunk(b"data", bytes(8_000 * 60)))

    assert parse_wav(data, max_seconds=60.0).seconds == 60.0
    with pytest.raises(AudioError, match=r"60\.0 s"):
        parse_wav(data, max_seconds=59.9)


@pytest.mark.parametrize("row", HEARD)
def test_a_header_is_known_as_soon_as_the_samples_begin_and_stays_the_same(row: str):
    data = HEARD[row][0]
    whole = WavHeader.read(data)
    assert whole is not None

    early = [WavHeader.read(data[:length]) for length in range(whole.data_start + 1)]

    assert early == [None] * whole.data_start + [whole]


@pytest.mark.parametrize(
    "prefix",
    [b"<htm", riff()[:8] + b"AVI ", riff(fmt(size=0x7FFFFFFF)), riff(fmt(rate=1)), riff(chunk(b"data", b""))],
)
def test_what_can_never_become_a_wav_is_refused_without_waiting_for_more(prefix: bytes):
    with pytest.raises(AudioError):
        WavHeader.read(prefix)


def test_signalling_numbers_and_denormals_pass_without_a_warning():
    values = struct.pack("<4I", 0x7FA00000, 0xFFA00001, 0x00000001, 0x3F000000)  # sNaN, sNaN, tiny, 0.5

    sound = parse_wav(riff(fmt(tag=3, bits=32), chunk(b"data", values)))

    assert sound.samples.tolist() == [0, 0, 0, 16_384]


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=400), st.booleans())
def test_whatever_the_bytes_are_only_an_audio_error_comes_out(data: bytes, disguised: bool):
    outcome(riff(data) if disguised else data)


@settings(deadline=None)  # a busy machine is no failure
@given(
    rate=st.integers(8_000, 192_000),
    channels=st.integers(1, 8),
    frames=st.lists(st.integers(-32_768, 32_767), max_size=60),
    junk=st.lists(st.binary(max_size=9), max_size=5),
)
def test_every_well_formed_file_is_heard_as_it_is(
    rate: int, channels: int, frames: list[int], junk: list[bytes]
):
    numbers = np.repeat(np.array(frames, "<i2"), channels)
    extras = [chunk(b"junk", body) for body in junk]

    sound = parse_wav(
        riff(*extras, fmt(rate=rate, channels=channels), *extras, chunk(b"data", numbers.tobytes()))
    )

    assert (sound.rate, sound.channels, sound.samples.tolist()) == (rate, channels, frames)


def outcome(data: bytes) -> WavSound | AudioError:
    try:
        return parse_wav(data)
    except AudioError as error:
        return error


def cpu_seconds(data: bytes) -> float:
    start = time.thread_time()
    outcome(data)
    return time.thread_time() - start
