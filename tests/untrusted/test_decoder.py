"""Recordings in every format people have, decoded in a child process."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
import psutil
import pytest

from tests.untrusted.children import decoding_children
from tests.untrusted.encoding import FORMATS, encoded, wav_of
from tests.untrusted.refusals import refused
from untrusted.decoder import AT_ONCE, DecodeLimits, Refusal, decode

RATE = 22_050


def _tone(seconds: float, hertz: float = 440.0) -> bytes:
    return wav_of(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(48_000 * seconds)) / 48_000))


@pytest.mark.parametrize(("container_format", "codec"), FORMATS.values(), ids=FORMATS)
async def test_each_format_comes_out_as_the_sound_that_went_in(container_format: str, codec: str) -> None:
    recording = encoded(_tone(1.5), container_format, codec)

    decoded = await decode(recording, rate=RATE, most_channels=2)

    assert (decoded.channels, decoded.rate, decoded.is_cut) == (2, 48_000, False)
    assert len(decoded.samples) / RATE == pytest.approx(1.5, abs=0.06)
    for channel in decoded.samples[RATE // 4 : RATE // 4 + RATE].T / 32_768:
        assert np.argmax(np.abs(np.fft.rfft(channel))) == pytest.approx(440, abs=1)
        assert 0.3 < np.max(np.abs(channel)) < 0.7


async def test_the_channels_are_kept_apart_or_mixed_as_asked() -> None:
    left, right = 0.5 * np.ones(48_000), np.zeros(48_000)
    recording = wav_of(np.stack([left, right], axis=1))

    apart = await decode(recording, rate=48_000, most_channels=2)
    mixed = await decode(recording, rate=48_000)

    assert apart.samples[24_000] / 32_768 == pytest.approx([0.5, 0.0], abs=0.001)
    assert mixed.samples.shape == (48_000, 1)
    assert mixed.samples[24_000, 0] / 32_768 == pytest.approx(0.25, abs=0.001)
    assert (apart.channels, mixed.channels) == (2, 2)


@pytest.mark.parametrize(("channels", "given"), [(1, 1), (6, 2)])
async def test_the_form_of_the_file_is_told_beside_the_samples(channels: int, given: int) -> None:
    recording = wav_of(np.full((16_000, channels), 0.1), rate=16_000)

    decoded = await decode(recording, rate=48_000, most_channels=2)

    assert (decoded.channels, decoded.rate) == (channels, 16_000)
    assert decoded.samples.shape == (48_000, given)


async def test_a_recording_is_cut_off_at_the_limit() -> None:
    longer = await decode(_tone(3.0), rate=RATE, limits=DecodeLimits(seconds=2))
    just_so = await decode(_tone(2.0), rate=RATE, limits=DecodeLimits(seconds=2))

    assert (len(longer.samples), longer.is_cut) == (2 * RATE, True)
    assert (len(just_so.samples), just_so.is_cut) == (2 * RATE, False)


async def test_a_recording_that_breaks_off_is_heard_as_far_as_it_goes() -> None:
    whole = encoded(_tone(2.0), "ogg", "libopus")

    decoded = await decode(whole[: len(whole) * 3 // 4], rate=RATE)

    assert 0.9 < len(decoded.samples) / RATE < 2.0


async def test_what_is_too_large_is_refused_unseen() -> None:
    with refused(Refusal.TOO_LARGE):
        await decode(_tone(0.1), rate=RATE, limits=DecodeLimits(max_bytes=9_000))


@pytest.mark.parametrize("container_format", ["wav", "ogg", "mp3", "mov", "flac", "matroska", "aac"])
async def test_a_good_beginning_with_rubbish_behind_it_is_refused(container_format: str) -> None:
    good = {name: encoded(_tone(0.2), *FORMATS[kind]) for name, kind in _KIND_OF.items()}[container_format]
    rubbish = np.random.default_rng(3).bytes(20_000)

    with refused(Refusal.UNREADABLE, Refusal.NO_SOUND):
        await decode(good[:12] + rubbish, rate=RATE)


@pytest.mark.slow
async def test_a_bound_number_of_children_works_at_once() -> None:
    recording = _tone(0.2)
    most = 0

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(decode(recording, rate=RATE)) for _ in range(5)]
        while not all(call.done() for call in calls):
            most = max(most, len(decoding_children()))
            await asyncio.sleep(0.005)

    assert 0 < most <= AT_ONCE
    assert {len(call.result().samples) for call in calls} == {RATE // 5}


_KIND_OF = {
    "wav": "WAV",
    "ogg": "Ogg Opus",
    "mp3": "MP3",
    "mov": "M4A",
    "flac": "FLAC",
    "matroska": "WebM",
    "aac": "AAC",
}


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can limit descriptors there")
@pytest.mark.parametrize("spare", [0, 1, 3])
async def test_without_descriptors_it_says_so_leaves_none_behind_and_works_again(spare: int) -> None:
    import resource

    await decode(_tone(0.5), rate=RATE)  # everything of ours that stays open is
    before = psutil.Process().num_fds()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + spare, hard))
    try:
        for _ in range(3):
            with refused(Refusal.NO_PROCESS):
                await decode(_tone(0.5), rate=RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert len((await decode(_tone(0.5), rate=RATE)).samples)
    assert psutil.Process().num_fds() == before
