"""The sound of an utterance on its way into the queue, at the volume of its guild."""

from __future__ import annotations

import av
import numpy as np
import pytest

from bot.audio.opus import OpusEncoder
from bot.playback.player import GuildPlayer, VolumeFilter, Volumes
from bot.playback.queue import Outcome
from tests.fakes.voice_client import FakeVoice
from tests.playback.speaking import frames, soon, speech


def spoken(seconds: float = 1.0) -> list[bytes]:
    """Return a tone as Opus frames."""
    time = np.arange(round(48_000 * seconds)) / 48_000
    encoder = OpusEncoder()
    return [*encoder.feed((np.sin(2 * np.pi * 220 * time) * 8_000).astype(np.int16)), *encoder.finish()]


def strength(sound: list[bytes]) -> float:
    decoder = av.AudioCodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    pieces = [piece for frame in sound for piece in decoder.decode(av.Packet(frame))]
    samples = np.concatenate([piece.to_ndarray().reshape(-1) for piece in pieces])
    return float(np.sqrt(np.square(samples.astype(np.float64)).mean()))


async def test_at_full_volume_the_frames_pass_untouched_and_at_once(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    utterance = player.reserve(member_id=1, title="usual")
    sound = VolumeFilter(utterance, 100)

    sound.append(frames("one", 5))
    assert utterance.seconds == pytest.approx(0.1)
    sound.append(frames("two"))
    await sound.complete()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("one", 5) + frames("two")


async def test_at_half_the_volume_all_of_it_comes_half_as_strong_and_in_order(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    utterance = player.reserve(member_id=1, title="softer")
    sound = VolumeFilter(utterance, 50)
    said = spoken()

    for start in range(0, len(said), 7):
        sound.append(said[start : start + 7])
    await sound.complete()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    heard = speech(voice.client.heard)
    assert len(said) <= len(heard) <= len(said) + 1
    assert strength(heard) == pytest.approx(strength(said) / 2, rel=0.05)


async def test_what_cannot_be_made_softer_is_played_as_it_is(
    player: GuildPlayer, voice: FakeVoice, caplog: pytest.LogCaptureFixture
) -> None:
    utterance = player.reserve(member_id=1, title="odd")
    sound = VolumeFilter(utterance, 50)

    sound.append([b"\xff" * 3] * 5)
    await sound.complete()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert b"\xff" * 3 in voice.client.heard
    assert "keeps its volume" in caplog.text


async def test_skipped_meanwhile_nothing_goes_wrong(player: GuildPlayer) -> None:
    utterance = player.reserve(member_id=1, title="skipped")
    sound = VolumeFilter(utterance, 50)
    sound.append(spoken(0.5))

    player.skip()
    sound.append(spoken(0.5))
    await sound.complete()

    assert utterance.outcome is Outcome.SKIPPED


def test_a_guild_without_a_volume_has_the_full_one() -> None:
    remembered: list[tuple[int, int]] = []
    volumes = Volumes({1: 70}, remember=lambda guild, percent: remembered.append((guild, percent)))

    volumes.set(2, 130)

    assert [volumes.get(guild) for guild in (1, 2, 3, None)] == [70, 130, 100, 100]
    assert remembered == [(2, 130)]
