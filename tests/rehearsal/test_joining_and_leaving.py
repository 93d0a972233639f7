"""Op 4 and its answers, and what happens to people and the bot in voice channels."""

from __future__ import annotations

import discord
import pytest

from rehearsal.errors import RehearsalError
from rehearsal.permissions import Permission
from rehearsal.records import Channel
from tests.fakes.bare_voice import BareVoice
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage


def seen(bot: HeldBot, channel: Channel) -> discord.VoiceChannel | discord.StageChannel:
    found = bot.get_channel(channel.id)
    assert isinstance(found, (discord.VoiceChannel, discord.StageChannel))
    return found


async def asked(scene: Stage, bot: HeldBot, channel: Channel | None, **how: bool) -> list[str]:
    """Send op 4 and return the names of the events that came back."""
    await scene.rehearsal.caught_up()
    guild = bot.get_guild(scene.guild.id)
    assert guild is not None
    socket = scene.rehearsal.main_socket
    before, received = len(bot.events), len(socket.received)
    await guild.change_voice_state(channel=seen(bot, channel) if channel else None, **how)
    await socket.until(lambda: len(socket.received) > received)
    await socket.caught_up()
    return bot.events[before:]


async def test_joining_is_answered_with_a_state_and_a_server(scene: Stage, bot: HeldBot) -> None:
    events = await asked(scene, bot, scene.perch, self_deaf=True)

    assert events == ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]
    assert scene.guild.bot_channel is scene.perch
    me = seen(bot, scene.perch).guild.me
    assert me.voice is not None and me.voice.self_deaf


async def test_the_same_channel_again_is_answered_with_a_state_only(scene: Stage, bot: HeldBot) -> None:
    await asked(scene, bot, scene.perch)

    assert await asked(scene, bot, scene.perch, self_mute=True) == ["VOICE_STATE_UPDATE"]


async def test_leaving_is_answered_with_an_empty_state(scene: Stage, bot: HeldBot) -> None:
    await asked(scene, bot, scene.perch)

    assert await asked(scene, bot, None) == ["VOICE_STATE_UPDATE"]
    assert scene.guild.bot_channel is None
    assert await asked(scene, bot, None) == []


@pytest.mark.parametrize("missing", [Permission.CONNECT, Permission.VIEW_CHANNEL])
async def test_without_the_permission_nothing_is_answered(
    scene: Stage, bot: HeldBot, missing: Permission
) -> None:
    scene.guild.deny_bot(missing, scene.perch)

    assert await asked(scene, bot, scene.perch) == []
    assert scene.guild.bot_channel is None


async def test_a_full_channel_answers_nothing_unless_the_bot_may_move_members(
    scene: Stage, bot: HeldBot
) -> None:
    small = scene.guild.add_voice_channel("Small", user_limit=1)
    await scene.alice.join(small)

    assert await asked(scene, bot, small) == []
    scene.guild.add_role("movers", Permission.MOVE_MEMBERS)
    scene.guild.members[bot.application_id or 0].role_ids.append(next(reversed(scene.guild.roles)))
    assert "VOICE_SERVER_UPDATE" in await asked(scene, bot, small)


async def test_people_in_voice_are_seen_by_a_bot_that_logs_in_later_and_by_one_that_is_there(
    scene: Stage, bot: HeldBot
) -> None:
    listener = await scene.alice.join(scene.perch)
    during = [member.display_name for member in seen(bot, scene.perch).members]

    await scene.alice.leave()

    assert during == ["Alice"] and listener.user_id == scene.alice.id
    assert seen(bot, scene.perch).members == []


async def test_people_cannot_join_what_is_full_or_forbidden(scene: Stage) -> None:
    small = scene.guild.add_voice_channel("Small", user_limit=1)
    bob = scene.rehearsal.world.add_person("Bob")
    scene.guild.add_member(bob)
    await scene.alice.join(small)

    with pytest.raises(RehearsalError, match="full"):
        await bob.join(small)
    with pytest.raises(RehearsalError):
        await bob.join(scene.general)
    with pytest.raises(RehearsalError):
        await scene.rehearsal.world.add_person("Stranger").join(scene.perch)


async def connected(scene: Stage, bot: HeldBot) -> BareVoice:
    await scene.rehearsal.caught_up()
    BareVoice.rehearsal = scene.rehearsal
    return await seen(bot, scene.perch).connect(cls=BareVoice, timeout=10)


async def test_a_kicked_bot_hears_an_empty_state_and_4014(scene: Stage, bot: HeldBot) -> None:
    voice = await connected(scene, bot)

    await scene.guild.kick_bot_from_voice()

    assert await voice.finished() == 4014
    assert voice.states[-1]["channel_id"] is None and len(voice.servers) == 1
    assert scene.guild.bot_channel is None


async def test_a_dragged_bot_hears_the_new_channel_a_new_server_and_4014(scene: Stage, bot: HeldBot) -> None:
    nest = scene.guild.add_voice_channel("Nest")
    voice = await connected(scene, bot)

    await scene.guild.move_bot(nest)

    assert await voice.finished() == 4014
    assert voice.states[-1]["channel_id"] == str(nest.id) and scene.guild.bot_channel is nest
    assert len({server["token"] for server in voice.servers}) == 2


async def test_a_deleted_channel_empties_and_its_call_ends_with_4022(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.join(scene.perch)
    voice = await connected(scene, bot)

    await scene.guild.delete_channel(scene.perch)

    assert await voice.finished() == 4022
    assert voice.states[-1]["channel_id"] is None
    assert bot.get_channel(scene.perch.id) is None and scene.guild.voice_states == {}


async def test_who_joins_a_stage_is_silent_until_it_speaks_up(scene: Stage, bot: HeldBot, ask: Ask) -> None:
    stage = scene.guild.add_stage_channel("Stage")
    await scene.rehearsal.caught_up()
    await asked(scene, bot, stage)
    me = seen(bot, stage).guild.me
    path = f"/guilds/{scene.guild.id}/voice-states/@me"
    body = {"channel_id": str(stage.id), "suppress": False}

    refused = await ask("PATCH", path, body)
    scene.guild.add_role("stage hands", Permission.MUTE_MEMBERS)
    scene.guild.members[me.id].role_ids.append(next(reversed(scene.guild.roles)))
    allowed = await ask("PATCH", path, body)
    await scene.rehearsal.caught_up()

    assert (refused[1]["code"], allowed[0]) == (50013, 204)
    assert me.voice is not None and not me.voice.suppress


async def test_a_new_voice_server_is_announced(scene: Stage, bot: HeldBot) -> None:
    await asked(scene, bot, scene.perch)
    before = len(bot.events)

    await scene.guild.change_voice_server()

    assert bot.events[before:] == ["VOICE_SERVER_UPDATE"]
