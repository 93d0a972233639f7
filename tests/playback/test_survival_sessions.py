"""What becomes of the voice channel when the main connection is lost, or the bot is started anew."""

import asyncio

import pytest

from bot.playback.players import GuildPlayers, TargetChannels
from bot.playback.queue import Outcome
from bot.playback.voice_connection import LEAVE_SECONDS
from rehearsal.permissions import Permission
from rehearsal.records import VoiceState
from tests.playback.hearing import assert_all_was_heard, heard
from tests.playback.speaking import frames, say, soon
from tests.scenes import VoiceScene, join, until

QUICK = 12.0


@pytest.fixture
async def players(scene: VoiceScene) -> GuildPlayers:
    """Players as they are; the scene closes them."""
    scene.client.players = GuildPlayers()
    return scene.client.players


def leave_a_state_behind(scene: VoiceScene) -> None:
    """Let Discord show the bot in the lounge, as a crashed process leaves it."""
    bot_id = scene.rehearsal.parts.bot.id
    state = VoiceState(bot_id, scene.perch.id, "a session of a process that is gone")
    scene.guild.voice_states[bot_id] = state
    desk = scene.rehearsal.parts.voice_desk
    desk._tell(scene.guild, state)


@pytest.mark.slow
async def test_a_dropped_main_connection_is_resumed_and_nobody_hears_of_it(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=80)
    await listener.wait_for_speech(timeout=QUICK)
    socket = scene.rehearsal.parts.main_socket

    await socket.drop()
    await until(lambda: socket.resumed == 1, within=QUICK)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(listener) == frames("long", 80)
    assert players.get(scene.guild.id) is player


@pytest.mark.slow
async def test_moved_while_the_main_connection_was_away_it_speaks_there(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    upstairs = await scene.alice.join(scene.perch)
    downstairs = await scene.bob.join(scene.cellar)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=100)
    await upstairs.wait_for_speech(timeout=QUICK)
    socket = scene.rehearsal.parts.main_socket

    await socket.drop()
    await scene.guild.move_bot(scene.cellar)
    await until(lambda: socket.resumed == 1, within=QUICK)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await downstairs.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(downstairs)[-1] == frames("long", 100)[-1]
    assert player.channel == scene.channel(scene.cellar)


@pytest.mark.slow
async def test_after_a_new_session_it_is_back_in_its_channel_and_goes_on(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    # discord.py's own bot is out of the channel for good, with a connection that looks alive.
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=80)
    await listener.wait_for_speech(timeout=QUICK)
    socket = scene.rehearsal.parts.main_socket

    await socket.invalidate()
    await until(lambda: socket.identified == 2, within=QUICK)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 80))
    assert players.get(scene.guild.id) is player
    assert scene.bot_is_in(scene.perch)
    assert len(scene.client.voice_clients) == 1
    connection: object = player.connection
    assert connection is scene.client.voice_clients[0]
    # It looks at the new objects of the library, not at those of the session that is gone.
    assert player.channel is scene.channel(scene.perch)


@pytest.mark.slow
async def test_an_idle_player_is_where_it_was_after_a_new_session(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    socket = scene.rehearsal.parts.main_socket

    await socket.invalidate()
    await until(lambda: socket.identified == 2, within=QUICK)
    await until(lambda: scene.bot_is_in(scene.perch), within=QUICK)

    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED


async def test_a_state_left_over_from_a_crash_is_cleared_before_the_first_join(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    leave_a_state_behind(scene)
    await scene.rehearsal.caught_up()

    player = await join(scene, scene.perch, scene.alice)

    asked = [
        frame["d"]["channel_id"] for frame in scene.rehearsal.parts.main_socket.received if frame["op"] == 4
    ]
    assert asked == [None, scene.perch.id]
    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(listener) == frames("hello")


async def test_at_a_start_it_leaves_where_it_does_not_mean_to_be(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    await scene.alice.join(scene.perch)
    leave_a_state_behind(scene)
    await scene.rehearsal.caught_up()

    await soon(players.reconcile(scene.client.guilds))

    assert scene.bot_is_in(None)
    assert players.get(scene.guild.id) is None


async def test_after_a_restart_it_comes_back_to_where_it_was(scene: VoiceScene) -> None:
    listener = await scene.alice.join(scene.perch)
    leave_a_state_behind(scene)
    await scene.rehearsal.caught_up()
    players = GuildPlayers(targets=TargetChannels({scene.guild.id: scene.perch.id}))
    scene.client.players = players

    await soon(players.reconcile(scene.client.guilds))

    player = players.get(scene.guild.id)
    assert player is not None
    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(listener) == frames("hello")


@pytest.mark.parametrize("reason", ["nobody is there", "it may not", "the channel is gone"])
async def test_after_a_restart_it_does_not_come_back_when(scene: VoiceScene, reason: str) -> None:
    remembered: list[tuple[int, int | None]] = []
    meant = TargetChannels(
        {scene.guild.id: scene.perch.id}, remember=lambda guild, channel: remembered.append((guild, channel))
    )
    players = scene.client.players = GuildPlayers(targets=meant)
    if reason == "the channel is gone":
        await scene.guild.delete_channel(scene.perch)
    elif reason == "it may not":
        await scene.alice.join(scene.perch)
        scene.guild.deny_bot(Permission.CONNECT, scene.perch)
        await scene.rehearsal.caught_up()

    await soon(players.reconcile(scene.client.guilds))

    assert scene.bot_is_in(None)
    assert players.get(scene.guild.id) is None
    assert remembered == [(scene.guild.id, None)]


async def test_where_it_means_to_be_follows_what_happens(scene: VoiceScene) -> None:
    remembered: list[int | None] = []
    meant = TargetChannels(remember=lambda _guild, channel: remembered.append(channel))
    players = scene.client.players = GuildPlayers(targets=meant)
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.cellar)

    await join(scene, scene.perch, scene.alice)
    await scene.guild.move_bot(scene.cellar)
    await until(lambda: remembered[-1] == scene.cellar.id)
    await players.leave(scene.guild.id)
    await join(scene, scene.perch, scene.alice)
    await scene.guild.kick_bot_from_voice()
    await until(lambda: players.get(scene.guild.id) is None)
    await join(scene, scene.perch, scene.alice)
    await players.aclose()  # the bot ends, and means to come back

    lounge, cellar = scene.perch.id, scene.cellar.id
    assert remembered == [lounge, cellar, None, lounge, None, lounge]


@pytest.mark.slow
async def test_all_channels_are_left_at_once_even_if_discord_does_not_answer(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    # discord.py leaves one after the other, and waits 30 s for each.
    other = scene.rehearsal.world.add_guild("Cinema")
    hall = other.add_voice_channel("hall")
    other.add_member(scene.alice)
    await scene.rehearsal.caught_up()
    await scene.alice.join(scene.perch)
    await join(scene, scene.perch, scene.alice)
    await scene.bob.join(scene.perch)
    channel = scene.channel(hall)
    await soon(players.join(channel, requested_by=channel.guild.me))
    loop = asyncio.get_running_loop()

    async with scene.slow_discord():
        started = loop.time()
        await players.aclose()
        took = loop.time() - started

    assert took < 1.8 * LEAVE_SECONDS
    assert scene.client.voice_clients == []
