"""Threads and tasks of voice connections: a hundred channels need no more threads than one."""

from __future__ import annotations

import asyncio
import threading

import pytest
from discord.gateway import VoiceKeepAliveHandler

from bot.playback.voice_client import SpeechVoiceClient
from bot.playback.voice_connection import Heartbeats
from rehearsal.records import Channel
from tests.playback.speaking import frames, soon
from tests.playback.test_voice_client import lose_the_session, play
from tests.scenes import VoiceScene, until

CONNECTIONS = 20
INTERVAL = 0.05
QUICK = 12.0


def more_channels(scene: VoiceScene, count: int) -> list[Channel]:
    """Add guilds with a voice channel each."""
    return [scene.rehearsal.world.add_guild(f"Guild {n}").add_voice_channel("lounge") for n in range(count)]


async def leave(clients: list[SpeechVoiceClient]) -> None:
    await asyncio.gather(*(client.disconnect(force=True) for client in clients))


def heartbeats_under_way() -> int:
    return [task.get_name() for task in asyncio.all_tasks()].count("voice-heartbeats")


def beat_quickly(client: SpeechVoiceClient, *, patience: float) -> Heartbeats:
    """Say hello as a voice server would that wants a heartbeat every 50 ms; return what sends them."""
    websocket = client._connection.ws
    websocket._keep_alive = VoiceKeepAliveHandler(ws=websocket, interval=INTERVAL)
    beating = websocket._keep_alive
    assert isinstance(beating, Heartbeats)
    beating.heartbeat_timeout = patience
    beating.start()
    return beating


async def test_twenty_connections_have_no_thread_of_their_own(scene: VoiceScene) -> None:
    await scene.connect(scene.perch)
    channels = more_channels(scene, CONNECTIONS)
    await until(lambda: all(scene.client.get_channel(channel.id) for channel in channels))
    before = [thread.name for thread in threading.enumerate()]

    clients = await asyncio.gather(*(scene.connect(channel) for channel in channels))

    after = [thread.name for thread in threading.enumerate()]
    assert sorted(after) == sorted(before)
    assert heartbeats_under_way() == CONNECTIONS + 1
    assert all(client.is_connected() for client in clients)
    await leave(clients)
    await until(lambda: heartbeats_under_way() == 1)


async def test_sound_in_all_of_them_takes_one_thread_together(scene: VoiceScene) -> None:
    channels = more_channels(scene, 5)
    await until(lambda: all(scene.client.get_channel(channel.id) for channel in channels))
    clients = await asyncio.gather(*(scene.connect(channel) for channel in channels))
    before = {thread.name for thread in threading.enumerate()}

    ends = [play(client, frames("all", 20)) for client in clients]
    during = {thread.name for thread in threading.enumerate()}
    await soon(asyncio.gather(*(end.wait() for end in ends)))

    assert during - before <= {"frame-scheduler"}
    await leave(clients)


async def test_heartbeats_are_answered_and_the_latency_is_known(scene: VoiceScene) -> None:
    client = await scene.connect(scene.perch)
    assert client.latency == client.average_latency == float("inf")

    beating = beat_quickly(client, patience=QUICK)
    await until(lambda: len(beating.recent_ack_latencies) >= 3)

    assert 0 < client.latency < QUICK
    assert 0 < client.average_latency < QUICK
    assert scene.server_side().last_acknowledged == client._connection.ws.seq_ack
    assert client.is_connected()


@pytest.mark.slow
async def test_a_server_that_answers_no_heartbeat_is_left_for_a_new_connection(
    scene: VoiceScene, caplog: pytest.LogCaptureFixture
) -> None:
    client = await scene.connect(scene.perch)
    old = scene.server_side()
    scene.rehearsal.voice.faults.no_heartbeat_ack = True

    beat_quickly(client, patience=3 * INTERVAL)
    await until(lambda: not client.is_connected())
    scene.rehearsal.voice.faults.no_heartbeat_ack = False
    await scene.other_server_side(old, within=QUICK)

    assert await client.wait_until_open(QUICK)
    assert "closed with 4000" in caplog.text
    assert f"the voice server of guild {scene.guild.id} answers no heartbeat" in caplog.text
    await until(lambda: heartbeats_under_way() == 1)


async def test_a_loop_that_was_held_up_is_in_the_log(
    scene: VoiceScene, caplog: pytest.LogCaptureFixture
) -> None:
    client = await scene.connect(scene.perch)
    beating = beat_quickly(client, patience=QUICK)
    beating.late_seconds = 0.0  # as if every heartbeat had waited too long

    await until(lambda: "s late" in caplog.text)

    assert f"a voice heartbeat of guild {scene.guild.id} was 0.0 s late" in caplog.text


@pytest.mark.parametrize("code", [1000, 4006, 4014, 4015])
async def test_closed_by_the_server_it_sends_no_more_heartbeats_there(scene: VoiceScene, code: int) -> None:
    client = await scene.connect(scene.perch)
    beating = beat_quickly(client, patience=QUICK)

    await scene.rehearsal.voice.close_bot(scene.guild.id, code)

    await until(lambda: beating._task is not None and beating._task.done())


async def test_a_new_session_has_heartbeats_and_the_old_one_none(scene: VoiceScene) -> None:
    client = await scene.connect(scene.perch)

    await lose_the_session(scene)
    assert await client.wait_until_open(QUICK)

    await until(lambda: heartbeats_under_way() == 1)


async def test_moved_by_somebody_it_has_heartbeats_in_the_new_channel_alone(scene: VoiceScene) -> None:
    client = await scene.connect(scene.perch)

    await scene.guild.move_bot(scene.cellar)
    await until(lambda: client.channel.id == scene.cellar.id and client.is_connected())

    await until(lambda: heartbeats_under_way() == 1)


async def test_having_left_nothing_beats_or_reads_any_more(scene: VoiceScene) -> None:
    client = await scene.connect(scene.perch)
    beat_quickly(client, patience=QUICK)

    await client.disconnect(force=True)

    await until(lambda: not heartbeats_under_way())
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "voice-discovery"]


async def test_said_hello_to_again_it_beats_once(scene: VoiceScene) -> None:
    client = await scene.connect(scene.perch)
    hello = {"op": 8, "d": {"v": 8, "heartbeat_interval": 60_000}}

    websocket = client._connection.ws

    await websocket.received_message(hello)
    await websocket.received_message(hello)

    await until(lambda: heartbeats_under_way() == 1)
    assert websocket._keep_alive is not None
    assert websocket._keep_alive.interval == 5.0
