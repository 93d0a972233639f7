"""Playing through the scheduler when the connection or its encryption is lost or replaced meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from rehearsal.voice.dave import Unheard
from rehearsal.voice.listener import HeardPacket, Listener
from tests.playback.sources import Play, Said, all_heard, flags, heard, secure
from tests.playback.speaking import DEADLINE, frames
from tests.scenes import VoiceScene, until

FEW_FRAMES = 10
"""How many frames may be on their way when something happens to the connection."""


def waits_for_a_server() -> bool:
    """Return whether a task of our playing is left over the next frames."""
    return any(task.get_name().startswith("speaking") for task in asyncio.all_tasks())


async def test_leaving_ends_what_is_played(scene: VoiceScene) -> None:
    client = await secure(scene)
    play = Play(client, Said(frames("long", 5000)))

    await client.disconnect()

    assert await play.end() is None


async def test_leaving_while_it_waits_for_a_server_ends_what_is_played(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 5000)))
    await listener.wait_for_speech(timeout=DEADLINE)
    await scene.rehearsal.voice.close_bot(scene.guild.id, 4014)  # and no new server is named
    await until(waits_for_a_server)

    await client.disconnect()

    assert await play.end() is None
    await until(lambda: not waits_for_a_server(), within=5.0)


@pytest.mark.slow
async def test_a_server_that_does_not_come_back_ends_it_in_time(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await scene.connect(scene.perch, timeout=2.0)
    assert await client.wait_until_secure(DEADLINE)
    play = Play(client, Said(frames("long", 5000)))
    await listener.wait_for_speech(timeout=DEADLINE)

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4014)

    assert await play.end() is None
    assert not client.is_playing()


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["change_voice_server", "4006", "4015"])
async def test_after_a_reconnect_nothing_is_sent_before_it_can_be_heard(scene: VoiceScene, cut: str) -> None:
    # Of the library's player the first frames go out in clear, and its flag is missing on the new server.
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    old = scene.server_side()
    play = Play(client, Said(frames("long", 60)))
    await listener.wait_for_speech(timeout=DEADLINE)
    scene.rehearsal.voice.faults.mls_delay = 0.3

    if cut == "change_voice_server":
        await scene.guild.change_voice_server()
    else:
        await scene.rehearsal.voice.close_bot(scene.guild.id, int(cut))
    await scene.other_server_side(old, within=DEADLINE)
    assert await play.end() is None
    await all_heard(listener, b"long 59")

    said, came = frames("long", 60), heard(listener)
    assert listener.undecryptable == 0
    assert len(said) - len(came) <= FEW_FRAMES
    assert came == [frame for frame in said if frame in came]
    await flags(scene, [0, 1, 0])


async def test_stopped_while_it_waits_for_keys_the_next_is_heard(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    old = scene.server_side()
    play = Play(client, Said(frames("long", 5000)))
    await listener.wait_for_speech(timeout=DEADLINE)
    scene.rehearsal.voice.faults.mls_delay = 0.5
    await scene.guild.change_voice_server()
    await scene.other_server_side(old, within=DEADLINE)
    assert await client.wait_until_open(DEADLINE)

    client.stop()
    assert await play.end() is None
    assert await client.wait_until_secure(DEADLINE)
    assert await Play(client, Said(frames("next"))).end() is None
    await all_heard(listener, b"next 2")

    assert heard(listener)[-3:] == frames("next")
    assert listener.undecryptable == 0


async def test_paused_over_a_reconnect_it_goes_on_afterwards(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    old = scene.server_side()
    play = Play(client, Said(frames("long", 30)))
    await listener.wait_for_speech(timeout=DEADLINE)
    client.pause()
    await flags(scene, [0, 1, 0])

    await scene.guild.change_voice_server()
    await scene.other_server_side(old, within=DEADLINE)
    client.resume()
    assert await play.end() is None
    await all_heard(listener, b"long 29")

    assert heard(listener) == frames("long", 30)
    assert listener.undecryptable == 0


async def test_who_comes_in_mid_sentence_hears_the_rest_and_nobody_misses_a_frame(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 60)))
    await listener.wait_for_speech(timeout=DEADLINE)

    newcomer = await scene.bob.join(scene.perch)
    assert await play.end() is None
    await all_heard(listener, b"long 59")
    await all_heard(newcomer, b"long 59")

    assert heard(listener) == frames("long", 60)
    assert listener.undecryptable == newcomer.undecryptable == 0


@pytest.mark.slow
async def test_thrown_out_of_the_encryption_it_waits_until_it_is_in_again(scene: VoiceScene) -> None:
    # discord.py goes on in clear: what it says until then is lost.
    listener = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 80)))
    await listener.wait_for_speech(timeout=DEADLINE)
    scene.rehearsal.voice.faults.invalid_commits = 1

    await scene.bob.join(scene.perch)
    assert await play.end() is None
    await all_heard(listener, b"long 79")

    # With its removal the keys are gone for what was still on its way; from then on there is no gap.
    lost = listener.count(Unheard.WRONG_KEYS)
    said, came = frames("long", 80), heard(listener)
    assert listener.count(Unheard.PLAINTEXT) == 0
    assert len(came) + lost == len(said)
    assert came == [frame for frame in said if frame in came]


async def test_left_alone_in_clear_it_is_heard_by_who_comes_back(scene: VoiceScene) -> None:
    scene.rehearsal.voice.faults.alone_version_zero = True
    first = await scene.alice.join(scene.perch)
    client = await secure(scene)
    play = Play(client, Said(frames("long", 5000)))
    await first.wait_for_speech(timeout=DEADLINE)
    await scene.alice.leave()
    await until(lambda: client._connection.dave_protocol_version == 0)

    second = await scene.alice.join(scene.perch)
    await until(lambda: len(encrypted(second)) > 0)
    on_the_way = second.undecryptable  # a new group is in force at once, at each end when it learns of it
    await until(lambda: len(encrypted(second)) > 20)
    client.stop()

    assert await play.end() is None
    assert second.undecryptable == on_the_way <= 2


def encrypted(listener: Listener) -> list[HeardPacket]:
    return [packet for packet in listener.packets if packet.is_speech and not packet.in_clear]
