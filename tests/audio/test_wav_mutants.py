"""Sixty thousand damaged files: the parser says AudioError or gives sound, and is quick."""

from __future__ import annotations

import contextlib
import random
import struct
import time
from collections.abc import Iterator

import pytest

from bot.audio.wav import COMMENT, parse_wav, write_wav
from bot.errors import AudioError
from tests.audio.handmade import FLOAT_GUID, PCM_GUID, chunk, ds64, fmt, riff

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))]
MUTANTS = 15_000  # with each seed
SLOW_SECONDS = 0.05

BODY = bytes(range(240))
LIST = chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"made by a machine"))
PARTS: list[tuple[bytes, list[bytes]]] = [
    (b"RIFF", [fmt(), chunk(b"data", BODY)]),
    (b"RIFF", [fmt(channels=2, bits=24), LIST, chunk(b"data", BODY)]),
    (b"RIFF", [chunk(b"JUNK", b"odd"), fmt(tag=3, bits=32), chunk(b"data", BODY), LIST]),
    (b"RIFF", [fmt(tag=3, bits=64), chunk(b"fact", bytes(4)), chunk(b"data", BODY)]),
    (b"RIFF", [fmt(tag=0xFFFE, channels=6, guid=PCM_GUID), chunk(b"data", BODY)]),
    (b"RIFF", [fmt(tag=0xFFFE, bits=32, guid=FLOAT_GUID), LIST, chunk(b"data", BODY)]),
    (b"RF64", [ds64(len(BODY)), fmt(bits=8), chunk(b"data", BODY, size=0xFFFFFFFF), LIST]),
]
WHOLE = [riff(*parts, magic=magic) for magic, parts in PARTS] + [write_wav(BODY, tags={COMMENT: "né"})]
SIZES = [0, 1, 2, 15, 16, 17, 18, 40, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF]
NAMES = [b"fmt ", b"data", b"LIST", b"ds64", b"INFO", b"RIFF", b"RIFX", b"RF64", b"WAVE", bytes(4)]


def bits_flipped(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(WHOLE))
    for _ in range(chance.randint(1, 8)):
        data[int(len(data) * chance.random() ** 2)] ^= 1 << chance.randrange(8)
    return bytes(data)


def cut(chance: random.Random) -> bytes:
    data = chance.choice(WHOLE)
    start = 0 if chance.random() < 0.9 else chance.randrange(12)
    return data[start : chance.randrange(len(data))]


def wrong_number(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(WHOLE))
    for _ in range(chance.randint(1, 3)):
        struct.pack_into("<I", data, chance.randrange(min(len(data) - 4, 120)), chance.choice(SIZES))
    return bytes(data)


def wrong_name(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(WHOLE))
    struct.pack_into("<4s", data, chance.randrange(min(len(data) - 4, 120)), chance.choice(NAMES))
    return bytes(data)


def chunks_shuffled(chance: random.Random) -> bytes:
    magic, parts = chance.choice(PARTS)
    parts = [*parts, *chance.choice(PARTS)[1]]
    return riff(*chance.sample(parts, chance.randint(1, len(parts))), magic=magic)


def bytes_inserted(chance: random.Random) -> bytes:
    data = chance.choice(WHOLE)
    place = chance.randrange(min(len(data), 120))
    return data[:place] + chance.randbytes(chance.randint(1, 9)) + data[place + chance.randrange(5) :]


KINDS = [bits_flipped, cut, wrong_number, wrong_name, chunks_shuffled, bytes_inserted]


def mutants(seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for number in range(MUTANTS):
        yield KINDS[number % len(KINDS)](chance)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutants_raise_nothing_but_audio_error_and_none_is_slow(seed: int):
    heard = refused = 0
    slow: list[bytes] = []

    for mutant in mutants(seed):
        start = time.thread_time()
        try:
            parse_wav(mutant)
            heard += 1
        except AudioError:
            refused += 1
        if time.thread_time() - start > SLOW_SECONDS:
            slow.append(mutant)

    assert heard + refused == MUTANTS
    assert min(heard, refused) > MUTANTS // 10  # mutants that are all one kind would show nothing
    assert [mutant for mutant in slow if slow_again(mutant)] == []


def slow_again(mutant: bytes) -> bool:
    """Whether it is the file that is slow, and not this machine a moment ago."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        with contextlib.suppress(AudioError):
            parse_wav(mutant)
        times.append(time.thread_time() - start)
    return min(times) > SLOW_SECONDS
