"""A WAV that arrives in pieces is judged as a whole one is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.audio.wav import MAX_HEADER_BYTES, WavStream, info_chunk, parse_wav
from bot.errors import AudioError
from tests.audio.handmade import chunk, ds64, fmt, pcm16, riff, sine
from tests.audio.streaming import cut

BODY = pcm16(sine(seconds=0.02))
FILES = {
    "plain": riff(fmt(), chunk(b"data", BODY)),
    "tags in front": riff(fmt(), info_chunk({"ICMT": "made by a machine"}), chunk(b"data", BODY)),
    "something behind": riff(fmt(), chunk(b"data", BODY), chunk(b"LIST", b"INFO")),
    "two channels": riff(fmt(channels=2), chunk(b"data", BODY)),
    "24 bits": riff(fmt(bits=24), chunk(b"data", BODY[: len(BODY) // 3 * 3])),
    "size unknown": riff(fmt(), chunk(b"data", BODY, size=0xFFFFFFFF)),
    "rf64": riff(ds64(len(BODY)), fmt(), chunk(b"data", BODY, size=0xFFFFFFFF), magic=b"RF64"),
    "joined": riff(fmt(), chunk(b"data", BODY)) * 3,
    "joined, notes between": riff(fmt(), chunk(b"data", BODY), chunk(b"LIST", b"INFO"))
    + riff(info_chunk({"ICMT": "the second"}), fmt(), chunk(b"data", BODY)),
    "joined, the last cut": riff(fmt(), chunk(b"data", BODY)) + riff(fmt(), chunk(b"data", BODY))[:-333],
    "joined, of odd length": riff(fmt(bits=8), chunk(b"data", BODY[:351])) * 2,
    "cut": riff(fmt(), chunk(b"data", BODY))[:-333],
}


def in_pieces(data: bytes, size: int) -> np.ndarray:
    stream = WavStream(max_seconds=math.inf)
    return np.concatenate([*(stream.feed(piece) for piece in cut(data, size)), stream.finish()])


@pytest.mark.parametrize("size", [1, 7, 1_000, 100_000])
@pytest.mark.parametrize("kind", FILES)
def test_in_pieces_it_gives_the_samples_of_the_whole(kind: str, size: int):
    data = FILES[kind]

    assert np.array_equal(in_pieces(data, size), parse_wav(data).samples)


@settings(deadline=None, database=None, max_examples=150)
@given(data=st.data(), kind=st.sampled_from(sorted(FILES)), size=st.sampled_from([1, 13, 5_000]))
def test_a_spoiled_file_is_judged_the_same_in_pieces(data: st.DataObject, kind: str, size: int):
    spoiled = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, min(len(spoiled), 90) - 1))] = data.draw(st.integers(0, 255))

    assert outcome(lambda: in_pieces(bytes(spoiled), size)) == outcome(
        lambda: parse_wav(bytes(spoiled), max_seconds=math.inf).samples
    )


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_a_wav_joined_to_one_of_another_form_is_refused_in_pieces_too(size: int):
    data = riff(fmt(), chunk(b"data", BODY)) + riff(fmt(rate=16_000), chunk(b"data", BODY))

    with pytest.raises(AudioError, match="another form"):
        in_pieces(data, size)


def test_a_wav_joined_to_one_without_samples_is_no_whole():
    data = riff(fmt(), chunk(b"data", BODY)) + riff(fmt())

    for judge in (parse_wav, lambda data: in_pieces(data, 99)):
        with pytest.raises(AudioError, match="joined file ends"):
            judge(data)


def test_a_long_header_is_waited_for_and_an_endless_one_is_not():
    long = riff(fmt(), chunk(b"junk", bytes(MAX_HEADER_BYTES // 2 + 900)), chunk(b"data", BODY))
    endless = riff(fmt(), chunk(b"junk", bytes(2 * MAX_HEADER_BYTES)), chunk(b"data", BODY))

    assert len(in_pieces(long, 1_400)) == len(BODY) // 2
    with pytest.raises(AudioError, match="no samples in the first"):
        in_pieces(endless, 1_400)


def outcome(make: Callable[[], np.ndarray]) -> bytes | None:
    """Return the samples, or None if they were refused."""
    try:
        return make().tobytes()
    except AudioError:
        return None
