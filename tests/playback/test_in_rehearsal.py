"""The players through a whole Discord on loopback: what listeners hear, decrypted, of what is said."""

import asyncio

import pytest

from bot.errors import MemberError
from bot.playback.players import GuildPlayers, IdleTimeouts
from bot.playback.queue import Outcome
from rehearsal.permissions import EVERYONE, Permission
from tests.playback.speaking import frames, say, soon
from tests.scenes import VoiceScene, join, until

BETWEEN_TWO_LOOKS = 1
"""The audio thread looks every 20 ms; on loopback a reconnect can be over before it sees it begin."""


@pytest.fixture
async def players(scene: VoiceScene) -> GuildPlayers:
    """The players, told of every voice state by the client; the scene closes them."""
    scene.client.players = GuildPlayers(idle_timeouts=IdleTimeouts(alone_seconds=0.3))
    return scene.client.players


@pytest.mark.slow
async def test_every_frame_is_heard_from_the_first_to_the_last(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    said = [say(player, name, count=25) for name in ("one", "two")]

    assert [await soon(utterance.finished()) for utterance in said] == [Outcome.PLAYED] * 2
    await listener.wait_for_silence(seconds=0.2, timeout=20.0)

    assert [packet.opus for packet in listener.speech()] == frames("one", 25) + frames("two", 25)
    assert listener.undecryptable == 0
    assert scene.bot_is_deafened()


@pytest.mark.slow
async def test_who_comes_later_hears_the_rest(scene: VoiceScene, players: GuildPlayers) -> None:
    first = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await first.wait_for_speech(timeout=20.0)

    second = await scene.bob.join(scene.perch)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await first.wait_for_silence(seconds=0.2, timeout=20.0)
    assert [packet.opus for packet in first.speech()] == frames("long", 60)
    assert second.speech()[-1].opus == frames("long", 60)[-1]
    assert second.undecryptable == 0


async def test_a_kick_ends_everything_and_nobody_comes_back(scene: VoiceScene, players: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    playing, making = say(player, "long", count=500), player.reserve(member_id=1, title="making")
    await listener.wait_for_speech(timeout=20.0)

    await scene.guild.kick_bot_from_voice()

    assert await soon(playing.finished()) is Outcome.LOST
    assert await soon(making.finished()) is Outcome.LOST
    assert players.get(scene.guild.id) is None
    await until(lambda: scene.client.voice_clients == [])
    assert scene.bot_is_in(None)


async def test_right_after_a_kick_it_comes_when_it_is_asked(scene: VoiceScene, players: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    await join(scene, scene.perch, scene.alice)
    await scene.guild.kick_bot_from_voice()
    await until(lambda: players.get(scene.guild.id) is None)

    player = await join(scene, scene.perch, scene.alice)
    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED

    await listener.wait_for_speech(timeout=20.0)
    assert listener.undecryptable == 0


@pytest.mark.slow
async def test_moved_it_goes_on_where_it_was_moved_to(scene: VoiceScene, players: GuildPlayers) -> None:
    upstairs = await scene.alice.join(scene.perch)
    downstairs = await scene.bob.join(scene.cellar)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=80)
    await upstairs.wait_for_speech(timeout=20.0)

    await scene.guild.move_bot(scene.cellar)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await downstairs.wait_for_silence(seconds=0.2, timeout=20.0)
    # What was on its way while Discord moved us is lost; from then on there is no gap.
    heard = [packet.opus for packet in downstairs.speech()]
    assert heard
    assert heard == frames("long", 80)[-len(heard) :]
    assert downstairs.undecryptable <= BETWEEN_TWO_LOOKS
    assert player.channel == scene.channel(scene.cellar)
    assert scene.bot_is_deafened()


@pytest.mark.slow
async def test_a_lost_session_breaks_nothing_off(scene: VoiceScene, players: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=20.0)

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4006)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=20.0)
    assert listener.speech()[-1].opus == frames("long", 60)[-1]
    assert listener.undecryptable <= BETWEEN_TWO_LOOKS
    assert players.get(scene.guild.id) is player


async def test_asked_elsewhere_it_moves_and_says_there_what_is_left(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    await scene.alice.leave()
    downstairs = await scene.bob.join(scene.cellar)
    utterance = player.reserve(member_id=1, title="late")

    assert await join(scene, scene.cellar, scene.bob) is player
    utterance.supply(frames("late", 10))

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await downstairs.wait_for_silence(seconds=0.2, timeout=20.0)
    assert [packet.opus for packet in downstairs.speech()] == frames("late", 10)
    assert scene.bot_is_in(scene.cellar)


async def test_a_channel_that_is_deleted_ends_everything(scene: VoiceScene, players: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    playing = say(player, "long", count=500)
    await listener.wait_for_speech(timeout=20.0)

    await scene.guild.delete_channel(scene.perch)

    assert await soon(playing.finished()) is Outcome.LOST
    assert players.get(scene.guild.id) is None
    await until(lambda: scene.client.voice_clients == [])


async def test_a_bot_that_is_alone_leaves(scene: VoiceScene, players: GuildPlayers) -> None:
    await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    making = player.reserve(member_id=1, title="making")

    await scene.alice.leave()

    assert await soon(making.finished()) is Outcome.LOST
    await until(lambda: scene.bot_is_in(None))
    assert players.get(scene.guild.id) is None


@pytest.mark.slow
async def test_a_connection_that_hangs_is_replaced(scene: VoiceScene, players: GuildPlayers) -> None:
    hasty = GuildPlayers(stalled_seconds=0.5)
    scene.client.players = hasty
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    stuck, following = say(player, "stuck", count=80), say(player, "following", count=10)
    await listener.wait_for_speech(timeout=20.0)
    old = player.connection

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4014)  # and no new server is named

    assert await soon(stuck.finished()) is Outcome.PLAYED
    assert await soon(following.finished()) is Outcome.PLAYED
    assert player.connection is not old
    await listener.wait_for_silence(seconds=0.2, timeout=20.0)
    assert [packet.opus for packet in listener.speech()][-11:] == [
        *frames("stuck", 80)[-1:],
        *frames("following", 10),
    ]


@pytest.mark.slow
async def test_another_voice_server_is_followed(scene: VoiceScene, players: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=20.0)

    await scene.guild.change_voice_server()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=20.0)
    assert listener.speech()[-1].opus == frames("long", 60)[-1]
    assert listener.undecryptable <= BETWEEN_TWO_LOOKS


async def test_without_connect_the_member_is_told_at_once(scene: VoiceScene, players: GuildPlayers) -> None:
    await scene.alice.join(scene.perch)
    scene.guild.deny_bot(Permission.CONNECT, scene.perch)
    channel = scene.channel(scene.perch)
    await until(lambda: not channel.permissions_for(channel.guild.me).connect)

    with pytest.raises(MemberError, match='"Connect"'):
        await join(scene, scene.perch, scene.alice)

    assert scene.bot_is_in(None)


async def test_on_a_stage_it_steps_up_and_is_heard(scene: VoiceScene, players: GuildPlayers) -> None:
    scene.guild.set_bot_permissions(int(EVERYONE) | Permission.MUTE_MEMBERS, scene.stage)
    listener = await scene.alice.join(scene.stage)
    channel = scene.channel(scene.stage)
    await until(lambda: channel.permissions_for(channel.guild.me).mute_members)
    player = await join(scene, scene.stage, scene.alice)

    assert await soon(say(player, "hello", count=10).finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=20.0)

    assert [packet.opus for packet in listener.speech()] == frames("hello", 10)


async def test_at_the_end_it_leaves_all_guilds(scene: VoiceScene, players: GuildPlayers) -> None:
    await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    making = player.reserve(member_id=1, title="making")

    await asyncio.wait_for(players.aclose(), 6.0)

    assert await soon(making.finished()) is Outcome.LOST
    assert scene.bot_is_in(None)
    assert scene.client.voice_clients == []
