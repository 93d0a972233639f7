"""Playing through the scheduler, as listeners of the rehearsal hear it."""

from __future__ import annotations

import asyncio
import itertools
import threading

import discord
import pytest

from bot.playback.scheduler import CATCH_UP_SECONDS, FRAME_SECONDS
from bot.playback.transmitter import CLOSING_FRAMES
from rehearsal.voice.listener import HeardPacket
from tests.playback.sources import QUIET, Broken, Play, Said, all_heard, flags, heard, secure
from tests.playback.speaking import DEADLINE, frames
from tests.scenes import VoiceScene, until


class PCM(discord.AudioSource):
    """Would have to be encoded."""

    def read(self) -> bytes:
        return bytes(3840)


def steps(packets: list[HeardPacket]) -> set[tuple[int, int]]:
    """Return how far sequence and timestamp go from packet to packet."""
    pairs = itertools.pairwise(packets)
    return {(b.sequence - a.sequence, b.timestamp - a.timestamp) for a, b in pairs}


async def test_one_packet_follows_the_other(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)

    assert await Play(client, Said(frames("one", 25))).end() is None
    await all_heard(listener, b"one 24")

    assert heard(listener) == frames("one", 25)
    assert steps(listener.packets) == {(1, 960)}
    assert listener.undecryptable == 0


async def test_the_silence_at_the_end_is_no_burst(scene: VoiceScene) -> None:
    # discord.py sends the second packet after 40 ms, and all of the closing silence at once.
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)

    await Play(client, Said(frames("one", 5))).end()
    await until(lambda: len(listener.packets) >= 5 + CLOSING_FRAMES)

    closing = listener.packets[-CLOSING_FRAMES:]
    assert not any(packet.is_speech for packet in closing)
    assert closing[-1].arrival - closing[0].arrival >= (CLOSING_FRAMES - 1) * FRAME_SECONDS - CATCH_UP_SECONDS
    assert heard(listener) == frames("one", 5)


async def test_the_speaking_flag_is_set_before_and_cleared_after(scene: VoiceScene) -> None:
    await scene.alice.join(scene.perch)
    client = await secure(scene)
    side = scene.server_side()
    assert side.speaking_flags == [0]

    await Play(client, Said(frames("one"))).end()

    await flags(scene, [0, 1, 0])


async def test_the_end_is_told_once_from_the_thread_that_sends(scene: VoiceScene) -> None:
    client = await secure(scene)

    play = Play(client, Said(frames("one")))
    await play.end()
    client.stop()
    await Play(client, Said(frames("two"))).end()

    assert play.ends == [None]
    assert play.thread is not None
    assert play.thread.name == "frame-scheduler"
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("frame-scheduler") == 1
    assert not [name for name in names if name.startswith("audio-player")]


async def test_what_follows_at_once_is_not_held_up_by_the_silence(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)

    await Play(client, Said(frames("one"))).end()
    await Play(client, Said(frames("two"))).end()
    await all_heard(listener, b"two 2")

    assert heard(listener) == frames("one") + frames("two")
    assert steps(listener.packets) == {(1, 960)}


async def test_stopped_it_ends_soon_and_with_silence(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 5000)))
    await listener.wait_for_speech(timeout=DEADLINE)

    client.stop()
    assert not client.is_playing()

    assert await play.end() is None
    await flags(scene, [0, 1, 0])
    await until(lambda: not any(packet.is_speech for packet in listener.packets[-CLOSING_FRAMES:]))


async def test_paused_it_is_silent_and_resumed_it_goes_on_where_it_was(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 40)))
    await listener.wait_for_speech(timeout=DEADLINE)

    client.pause()
    assert client.is_paused()
    assert not client.is_playing()
    await flags(scene, [0, 1, 0])
    await listener.wait_for_silence(seconds=QUIET, timeout=DEADLINE)
    before = len(listener.packets)
    assert not any(packet.is_speech for packet in listener.packets[-CLOSING_FRAMES:])
    client.resume()
    assert client.is_playing()
    assert await play.end() is None
    await all_heard(listener, b"long 39")

    assert heard(listener) == frames("long", 40)
    assert steps(listener.packets) == {(1, 960)}
    resumed = listener.packets[before:]
    assert resumed[-1].arrival - resumed[0].arrival >= (len(resumed) - 1) * FRAME_SECONDS - CATCH_UP_SECONDS
    await flags(scene, [0, 1, 0, 1, 0])


async def test_paused_and_resumed_at_once_nothing_is_lost(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 30)))
    await listener.wait_for_speech(timeout=DEADLINE)

    for _ in range(5):
        client.pause()
        await asyncio.sleep(0)
        client.resume()
    await play.end()
    await all_heard(listener, b"long 29")

    assert heard(listener) == frames("long", 30)


async def test_what_is_paused_can_be_stopped(scene: VoiceScene) -> None:
    await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 5000)))
    client.pause()
    await flags(scene, [0, 1, 0])

    client.stop()

    assert await play.end() is None
    assert not client.is_paused()


async def test_a_source_that_fails_ends_with_its_error_and_the_next_is_heard(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)

    error = await Play(client, Broken(frames("bad"))).end()
    assert await Play(client, Said(frames("good"))).end() is None
    await all_heard(listener, b"good 2")

    assert isinstance(error, ZeroDivisionError)
    assert heard(listener) == [*frames("bad", 1), *frames("good")]


async def test_without_anybody_to_tell_the_error_is_logged(
    scene: VoiceScene, caplog: pytest.LogCaptureFixture
) -> None:
    client = await secure(scene)

    client.play(Broken(frames("bad")))

    await until(lambda: "playing failed" in caplog.text)
    assert not client.is_playing()


async def test_an_end_that_fails_breaks_nothing(scene: VoiceScene, caplog: pytest.LogCaptureFixture) -> None:
    client = await secure(scene)

    def after(error: Exception | None) -> None:
        raise LookupError

    client.play(Said(frames("one")), after=after)
    await until(lambda: "could not be told" in caplog.text)

    assert await Play(client, Said(frames("two"))).end() is None


async def test_what_would_have_to_be_encoded_is_refused(scene: VoiceScene) -> None:
    client = await secure(scene)

    with pytest.raises(TypeError, match="Opus"):
        client.play(PCM())


async def test_two_at_once_are_refused(scene: VoiceScene) -> None:
    client = await secure(scene)
    play = Play(client, Said(frames("long", 5000)))

    with pytest.raises(discord.ClientException, match="Already playing"):
        client.play(Said(frames("two")))

    client.stop()
    assert await play.end() is None


async def test_without_a_connection_nothing_is_played(scene: VoiceScene) -> None:
    client = await secure(scene)
    await client.disconnect()

    with pytest.raises(discord.ClientException, match="Not connected"):
        client.play(Said(frames("one")))
