"""Members who come, go, and get or lose roles, and what a bot hears of it with which intents."""

from __future__ import annotations

import discord
import pytest

from rehearsal.errors import RehearsalError
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.wire import INTENT_MEMBERS
from tests.fakes.held_bot import INTENTS, HeldBot
from tests.rehearsal.conftest import Ask, logged_in
from tests.scenes import Stage

MEMBER_EVENTS = ["GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"]


@pytest.mark.parametrize("hears", [False, True])
async def test_only_with_the_members_intent_the_bot_hears_of_members(scene: Stage, hears: bool) -> None:
    scene.rehearsal.directory.privileged_intents = INTENT_MEMBERS
    intents = discord.Intents(guilds=True, voice_states=True, members=hears)
    role = scene.guild.add_role("Singers", 0)
    bob = scene.rehearsal.world.add_person("Bob")
    async with logged_in(scene.rehearsal, intents=intents, chunk_guilds_at_startup=False) as bot:
        scene.guild.add_member(bob)
        scene.guild.give_role(role, bob)
        await scene.guild.remove_member(bob)
        heard = [event for event in bot.events if event.startswith("GUILD_MEMBER")]

    assert heard == (MEMBER_EVENTS if hears else [])


async def test_of_its_own_roles_the_bot_hears_always(scene: Stage, bot: HeldBot) -> None:
    role = scene.guild.add_role("Curators", Permission.MANAGE_MESSAGES)
    scene.guild.give_role(role, scene.rehearsal.parts.bot)
    await scene.rehearsal.caught_up()
    assert bot.guilds[0].me.guild_permissions.manage_messages

    scene.guild.delete_role(role)
    await scene.rehearsal.caught_up()
    assert not bot.guilds[0].me.guild_permissions.manage_messages
    assert bot.guilds[0].get_role(role.id) is None


async def test_each_interaction_brings_the_roles_of_that_moment(scene: Stage, bot: HeldBot) -> None:
    role = scene.guild.add_role("Moderators", Permission.MANAGE_GUILD)
    seen: list[tuple[bool, bool]] = []
    for change in (lambda: None, lambda: scene.guild.give_role(role, scene.alice)):
        change()
        await scene.alice.slash(scene.general, "hold")
        interaction = await bot.next()
        await interaction.response.send_message("x")
        assert isinstance(interaction.user, discord.Member)
        has_role = interaction.user.get_role(role.id) is not None
        seen.append((interaction.permissions.manage_guild, has_role))
    scene.guild.take_role(role, scene.alice)

    assert seen == [(False, False), (True, True)]
    with pytest.raises(RehearsalError):
        await scene.alice.slash(scene.general, "moderators")


async def test_who_leaves_the_server_is_seen_to_leave_voice_and_can_do_nothing_more(
    scene: Stage, bot: HeldBot
) -> None:
    await scene.alice.join(scene.perch)
    channel = bot.get_channel(scene.perch.id)
    assert isinstance(channel, discord.VoiceChannel) and list(channel.voice_states) == [scene.alice.id]

    await scene.guild.remove_member(scene.alice)

    assert channel.voice_states == {}
    with pytest.raises(RehearsalError):
        await scene.alice.slash(scene.general, "hold")
    with pytest.raises(discord.NotFound):
        await bot.guilds[0].fetch_member(scene.alice.id)


async def test_a_role_can_grant_less_in_one_channel(scene: Stage, ask: Ask) -> None:
    role = scene.guild.add_role("Quiet", 0)
    scene.guild.give_role(role, scene.rehearsal.parts.bot)
    path = f"/channels/{scene.general.id}/messages"

    scene.guild.set_role_permissions(role, EVERYONE & ~Permission.SEND_MESSAGES, scene.general)

    assert (await ask("POST", path, {"content": "x"}))[1]["code"] == 50013


async def test_a_moderator_deletes_what_others_wrote(scene: Stage, bot: HeldBot, ask: Ask) -> None:
    bob = scene.rehearsal.world.add_person("Bob")
    scene.guild.add_member(bob)
    message = await scene.alice.say(scene.general, "hello")
    with pytest.raises(RehearsalError):
        bob.delete(message)
    scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, bob)

    bob.delete(message)

    status, body = await ask("GET", f"/channels/{scene.general.id}/messages/{message.id}")
    assert (status, body["code"]) == (404, 10008)


async def test_the_bot_deletes_messages_of_others_only_with_the_permission(scene: Stage, ask: Ask) -> None:
    message = await scene.alice.say(scene.general, "hello")
    path = f"/channels/{scene.general.id}/messages/{message.id}"

    assert (await ask("DELETE", path))[1]["code"] == 50013
    role = scene.guild.add_role("Curators", Permission.MANAGE_MESSAGES)
    scene.guild.give_role(role, scene.rehearsal.parts.bot)
    assert (await ask("DELETE", path))[0] == 204
    assert (await ask("DELETE", path))[1]["code"] == 10008


async def test_who_shares_no_server_with_the_bot_gets_no_direct_message(scene: Stage, bot: HeldBot) -> None:
    user = await bot.fetch_user(scene.alice.id)
    await user.send("hello")
    scene.alice.refuse_dms()
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("hello?")
    scene.alice.accept_dms()
    await scene.guild.remove_member(scene.alice)
    with pytest.raises(discord.Forbidden) as unreachable:
        await user.send("hello??")

    assert (refused.value.code, unreachable.value.code) == (50007, 50278)
    assert [message.content for message in scene.alice.dms()] == ["hello"]


def test_the_bot_of_these_tests_has_the_intents_of_the_real_one() -> None:
    assert discord.Intents(guilds=True, voice_states=True) == INTENTS
