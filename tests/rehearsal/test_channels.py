"""What the bot may do in channels with the permissions it has."""

from __future__ import annotations

import io

import discord
import pytest

from rehearsal.permissions import Permission
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage


@pytest.mark.parametrize(
    ("missing", "code"),
    [(Permission.VIEW_CHANNEL, 50001), (Permission.SEND_MESSAGES, 50013)],
)
async def test_writing_needs_its_permission(scene: Stage, ask: Ask, missing: Permission, code: int) -> None:
    path = f"/channels/{scene.general.id}/messages"
    assert (await ask("POST", path, {"content": "x"}))[0] == 200

    scene.guild.deny_bot(missing, scene.general)

    status, body = await ask("POST", path, {"content": "x"})
    assert (status, body["code"]) == (403, code)


async def test_files_and_embeds_need_their_own_permissions(scene: Stage, bot: HeldBot) -> None:
    scene.guild.deny_bot(Permission.ATTACH_FILES | Permission.EMBED_LINKS, scene.general)
    await scene.rehearsal.caught_up()
    channel = bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)

    await channel.send("plain")
    for extra in ({"file": discord.File(io.BytesIO(b"x"), "a.wav")}, {"embed": discord.Embed(title="x")}):
        with pytest.raises(discord.Forbidden) as refused:
            await channel.send("x", **extra)
        assert refused.value.code == 50013

    assert not channel.permissions_for(channel.guild.me).attach_files


async def test_text_in_a_voice_channel_needs_connect(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.perch.id}/messages"
    assert (await ask("POST", path, {"content": "x"}))[0] == 200

    scene.guild.deny_bot(Permission.CONNECT)

    assert (await ask("POST", path, {"content": "x"}))[1]["code"] == 50001


async def test_the_bot_edits_and_deletes_its_own_messages_only(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.general.id}/messages"
    own = (await ask("POST", path, {"content": "x"}))[1]["id"]
    theirs = (await scene.alice.say(scene.general, "mine")).id

    assert (await ask("PATCH", f"{path}/{own}", {"content": "y"}))[1]["content"] == "y"
    assert (await ask("PATCH", f"{path}/{theirs}", {"content": "y"}))[1]["code"] == 50005
    assert (await ask("DELETE", f"{path}/{theirs}"))[1]["code"] == 50013
    assert (await ask("DELETE", f"{path}/{own}"))[0] == 204
    assert (await ask("GET", f"{path}/{own}"))[1]["code"] == 10008


async def test_an_edit_may_not_leave_nothing(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.general.id}/messages"
    own = (await ask("POST", path, {"content": "x"}))[1]["id"]

    assert (await ask("PATCH", f"{path}/{own}", {"content": None}))[1]["code"] == 50006


async def test_permission_changes_reach_the_bot(scene: Stage, bot: HeldBot) -> None:
    guild = bot.get_guild(scene.guild.id)
    perch = bot.get_channel(scene.perch.id)
    assert guild is not None and isinstance(perch, discord.VoiceChannel)
    before = perch.permissions_for(guild.me)

    scene.guild.deny_bot(Permission.SPEAK, scene.perch)
    await scene.rehearsal.caught_up()

    after = perch.permissions_for(guild.me)
    assert (before.speak, after.speak, after.connect) == (True, False, True)


async def test_both_sides_compute_the_same_permissions(scene: Stage, bot: HeldBot) -> None:
    scene.guild.add_role("loud", Permission.MOVE_MEMBERS)
    scene.guild.set_everyone_permissions(Permission.VIEW_CHANNEL | Permission.CONNECT, scene.perch)
    await scene.rehearsal.caught_up()
    guild = bot.get_guild(scene.guild.id)
    assert guild is not None

    for channel in scene.guild.channels.values():
        seen = guild.get_channel(channel.id)
        assert seen is not None
        ours = scene.guild.permissions_of(bot.application_id or 0, channel)
        compared = VOICE if channel.is_voice else TEXT  # discord.py shows each kind only its own
        assert seen.permissions_for(guild.me).value & compared == ours & compared


TEXT = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.ATTACH_FILES
VOICE = Permission.VIEW_CHANNEL | Permission.CONNECT | Permission.SPEAK | Permission.MOVE_MEMBERS


async def test_a_silent_message_says_that_it_is(scene: Stage, bot: HeldBot) -> None:
    channel = bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)

    quiet = await channel.send("x", silent=True, suppress_embeds=True)
    loud = await channel.send("x")

    assert quiet.flags.suppress_notifications and quiet.flags.suppress_embeds
    assert scene.general.messages[quiet.id].silent
    assert not scene.general.messages[loud.id].silent


async def test_unknown_things_are_unknown(scene: Stage, ask: Ask) -> None:
    base = f"/channels/{scene.general.id}"

    assert (await ask("GET", "/channels/1"))[1]["code"] == 10003
    assert (await ask("GET", f"{base}/messages/1"))[1]["code"] == 10008
    assert (await ask("GET", "/guilds/1"))[1]["code"] == 10004
    assert (await ask("GET", f"/guilds/{scene.guild.id}/members/1"))[1]["code"] == 10007
    assert (await ask("GET", f"/guilds/{scene.guild.id}/voice-states/@me"))[1]["code"] == 10065
    assert (await ask("POST", "/users/@me/channels", {"recipient_id": "1"}))[1]["code"] == 50033
    assert (await ask("GET", base))[1]["name"] == "general"
    assert scene.rehearsal.router.unknown_requests == []
