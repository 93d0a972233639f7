import asyncio

import discord
import pytest

from bot.errors import MemberError, PlaybackError
from bot.playback.players import GuildPlayers, IdleTimeouts
from bot.playback.queue import Outcome
from tests.fakes.guild import ALICE, BORIS, BOT, BOT_ROLE, CHLOE, GUILD, OTHER_BOT, GuildOfTests
from tests.fakes.voice_client import FakeVoice
from tests.playback.speaking import frames, say, soon, speech


async def test_a_player_that_has_joined_is_found_by_its_guild(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    assert players.get(GUILD) is None

    player = await players.join(guild.lounge, requested_by=guild.alice)

    assert players.get(GUILD) is player
    assert player.channel == guild.lounge
    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("hello")


async def test_two_who_ask_at_once_get_one_connection(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    voice.admit.clear()
    asked = [asyncio.create_task(players.join(guild.lounge, requested_by=guild.alice)) for _ in range(2)]
    await soon(voice.asked.wait())
    voice.admit.set()

    first, second = [await soon(task) for task in asked]

    assert first is second
    assert len(voice.clients) == 1


async def test_what_forbids_speaking_is_said_before_anything_is_tried(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    guild.overwrite(guild.lounge, BOT_ROLE, deny=discord.Permissions(speak=True))

    with pytest.raises(MemberError, match='"Speak"'):
        await players.join(guild.lounge, requested_by=guild.alice)

    assert voice.clients == []
    assert players.get(GUILD) is None


async def test_a_join_that_fails_leaves_no_player(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    voice.refuse = True
    with pytest.raises(PlaybackError):
        await players.join(guild.lounge, requested_by=guild.alice)
    assert players.get(GUILD) is None
    voice.refuse = False

    assert await players.join(guild.lounge, requested_by=guild.alice) is players.get(GUILD)


async def test_a_join_that_was_given_up_does_not_block_the_next(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    voice.admit.clear()
    given_up = asyncio.create_task(players.join(guild.lounge, requested_by=guild.alice))
    await soon(voice.asked.wait())
    given_up.cancel()
    await asyncio.wait({given_up})
    voice.admit.set()

    player = await soon(players.join(guild.lounge, requested_by=guild.alice))

    assert players.get(GUILD) is player


async def test_an_idle_player_moves_to_whoever_asks(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    boris, _, _ = guild.enter(BORIS, guild.cellar)

    assert await players.join(guild.cellar, requested_by=boris) is player

    assert player.channel == guild.cellar
    assert [client.left for client in voice.clients] == [True, False]
    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("hello")


async def test_busy_it_says_where_to_who_can_see_it(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    player.reserve(member_id=ALICE, title="long")
    boris, _, _ = guild.enter(BORIS, guild.cellar)

    with pytest.raises(MemberError) as refusal:
        await players.join(guild.cellar, requested_by=boris)

    assert guild.lounge.mention in str(refusal.value)
    assert player.channel == guild.lounge
    assert len(voice.clients) == 1


async def test_busy_it_names_no_channel_to_who_cannot_see_it(
    players: GuildPlayers, guild: GuildOfTests
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    player.reserve(member_id=ALICE, title="long")
    boris, _, _ = guild.enter(BORIS, guild.cellar)
    guild.overwrite(guild.lounge, BORIS, deny=discord.Permissions(view_channel=True))

    with pytest.raises(MemberError) as refusal:
        await players.join(guild.cellar, requested_by=boris)

    assert "another channel" in str(refusal.value)
    assert guild.lounge.mention not in str(refusal.value)


async def test_busy_it_moves_when_nobody_is_left_to_listen(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    waiting = player.reserve(member_id=ALICE, title="long")
    guild.enter(OTHER_BOT, guild.lounge)
    guild.enter(ALICE, None)
    boris, _, _ = guild.enter(BORIS, guild.cellar)

    await players.join(guild.cellar, requested_by=boris)
    waiting.supply(frames("long"))

    assert player.channel == guild.cellar
    assert await soon(waiting.finished()) is Outcome.PLAYED


async def test_busy_it_moves_for_who_may_move_members(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    voice.client.moving.clear()
    utterance = say(player, "long")
    await soon(voice.client.started.wait())
    boris, _, _ = guild.enter(BORIS, guild.cellar)
    # Without Connect, Discord grants nothing else in a voice channel.
    guild.overwrite(guild.lounge, BORIS, allow=discord.Permissions(connect=True, move_members=True))

    assert await players.join(guild.cellar, requested_by=boris) is player

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(voice.clients[1].heard) == frames("long")


async def test_a_move_that_fails_loses_the_player_and_hangs_nobody(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    voice.refuse = True

    with pytest.raises(PlaybackError):
        await players.join(guild.cellar, requested_by=guild.alice)

    assert players.get(GUILD) is None
    assert player.channel is None


async def test_leaving_ends_what_is_left_as_lost(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    making = player.reserve(member_id=ALICE, title="making")

    assert await players.leave(GUILD)

    assert await soon(making.finished()) is Outcome.LOST
    assert voice.client.left
    assert players.get(GUILD) is None
    assert not await players.leave(GUILD)


async def test_kicked_it_forgets_everything_at_once_and_does_not_come_back(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    voice.client.moving.clear()
    playing, making = say(player, "playing"), player.reserve(member_id=ALICE, title="making")
    await soon(voice.client.started.wait())

    voice.client.end()

    assert players.get(GUILD) is None
    assert [await soon(utterance.finished()) for utterance in (playing, making)] == [Outcome.LOST] * 2
    assert len(voice.clients) == 1


async def test_after_a_kick_it_comes_when_it_is_asked(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    old = await players.join(guild.lounge, requested_by=guild.alice)
    voice.client.end()

    new = await players.join(guild.lounge, requested_by=guild.alice)

    assert new is not old
    assert await soon(say(new, "hello").finished()) is Outcome.PLAYED


async def test_a_connection_that_stands_still_is_replaced_and_the_rest_is_said(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    voice.client.moving.clear()
    stuck, following = say(player, "stuck"), say(player, "following")

    assert await soon(stuck.finished()) is Outcome.PLAYED
    assert await soon(following.finished()) is Outcome.PLAYED

    assert [client.left for client in voice.clients] == [True, False]
    assert speech(voice.client.heard) == frames("stuck") + frames("following")
    assert players.get(GUILD) is player


async def test_moved_while_it_is_being_replaced_it_joins_where_it_was_moved_to(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    await players.voice_state_changed(*guild.enter(BOT, guild.lounge))
    voice.client.moving.clear()
    utterance = say(player, "stuck")
    await soon(voice.client.started.wait())
    voice.refuse = True
    voice.asked.clear()
    await soon(voice.asked.wait())

    guild.enter(BORIS, guild.cellar)
    await players.voice_state_changed(*guild.enter(BOT, guild.cellar))
    voice.refuse = False

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert player.channel == guild.cellar


@pytest.mark.slow
async def test_a_connection_that_cannot_be_replaced_is_the_end(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    voice.client.moving.clear()
    stuck, following = say(player, "stuck"), say(player, "following")
    voice.refuse = True

    assert await soon(stuck.finished()) is Outcome.LOST
    assert await soon(following.finished()) is Outcome.LOST
    assert players.get(GUILD) is None


async def test_a_player_that_is_alone_leaves_after_a_while(guild: GuildOfTests, voice: FakeVoice) -> None:
    alice, _, _ = guild.enter(ALICE, guild.lounge)
    players = GuildPlayers(connect=voice, idle_timeouts=IdleTimeouts(alone_seconds=0.05))
    player = await players.join(guild.lounge, requested_by=alice)
    making = player.reserve(member_id=ALICE, title="making")

    await players.voice_state_changed(*guild.enter(ALICE, None))

    assert await soon(making.finished()) is Outcome.LOST
    assert players.get(GUILD) is None
    assert voice.client.left
    await players.aclose()


async def test_whoever_asked_may_be_gone_before_it_came(guild: GuildOfTests, voice: FakeVoice) -> None:
    alice, _, _ = guild.enter(ALICE, guild.lounge)
    guild.enter(ALICE, None)
    players = GuildPlayers(connect=voice, idle_timeouts=IdleTimeouts(alone_seconds=0.05))
    player = await players.join(guild.lounge, requested_by=alice)

    assert await soon(player.reserve(member_id=ALICE, title="making").finished()) is Outcome.LOST
    await players.aclose()


async def test_a_player_stays_when_somebody_comes_back(guild: GuildOfTests, voice: FakeVoice) -> None:
    alice, _, _ = guild.enter(ALICE, guild.lounge)
    players = GuildPlayers(connect=voice, idle_timeouts=IdleTimeouts(alone_seconds=0.2))
    player = await players.join(guild.lounge, requested_by=alice)
    await players.voice_state_changed(*guild.enter(ALICE, None))

    await players.voice_state_changed(*guild.enter(CHLOE, guild.lounge))
    # A loop that is slower than the countdown still runs a cancelled countdown never.
    await asyncio.sleep(0.4)

    assert players.get(GUILD) is player
    await players.aclose()


async def test_another_bot_is_no_listener(guild: GuildOfTests, voice: FakeVoice) -> None:
    alice, _, _ = guild.enter(ALICE, guild.lounge)
    guild.enter(OTHER_BOT, guild.lounge)
    players = GuildPlayers(connect=voice, idle_timeouts=IdleTimeouts(alone_seconds=0.05))
    player = await players.join(guild.lounge, requested_by=alice)
    making = player.reserve(member_id=ALICE, title="making")

    await players.voice_state_changed(*guild.enter(ALICE, guild.cellar))

    assert await soon(making.finished()) is Outcome.LOST
    await players.aclose()


async def test_at_the_end_it_leaves_everywhere_and_joins_nowhere(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    player = await players.join(guild.lounge, requested_by=guild.alice)
    making = player.reserve(member_id=ALICE, title="making")

    await soon(players.aclose())

    assert voice.client.left
    assert await soon(making.finished()) is Outcome.LOST
    with pytest.raises(MemberError, match="restarting"):
        await players.join(guild.lounge, requested_by=guild.alice)


async def test_a_join_under_way_at_the_end_is_given_up(
    players: GuildPlayers, guild: GuildOfTests, voice: FakeVoice
) -> None:
    voice.admit.clear()
    joining = asyncio.create_task(players.join(guild.lounge, requested_by=guild.alice))
    await soon(voice.asked.wait())
    await players.aclose()
    voice.admit.set()

    with pytest.raises(MemberError, match="restarting"):
        await soon(joining)

    assert voice.client.left
