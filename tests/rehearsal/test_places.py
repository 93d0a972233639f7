"""Guilds, DMs, groups, and people who carry the app with them."""

from __future__ import annotations

import discord
import pytest

from rehearsal.errors import RehearsalError
from rehearsal.permissions import EVERYONE, Permission
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import logged_in
from tests.scenes import Stage


async def test_in_a_guild_the_interaction_tells_both_sides_permissions(scene: Stage, bot: HeldBot) -> None:
    scene.guild.deny_bot(Permission.ATTACH_FILES, scene.general)

    await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.send_message("x")

    assert isinstance(interaction.user, discord.Member) and interaction.guild is bot.get_guild(scene.guild.id)
    assert interaction.permissions.attach_files and not interaction.app_permissions.attach_files
    assert interaction.is_guild_integration() and not interaction.is_user_integration()
    assert interaction.context.guild


async def test_in_the_dm_with_the_bot_there_is_no_guild(scene: Stage, bot: HeldBot) -> None:
    dm = scene.rehearsal.world.dm(scene.alice)

    answer = await scene.alice.slash(dm, "hold")
    interaction = await bot.next()
    await interaction.response.send_message("hello")

    assert interaction.guild is None and isinstance(interaction.user, discord.User)
    assert interaction.context.dm_channel and answer.content == "hello"
    assert [message.content for message in dm.history] == ["hello"]
    with pytest.raises(RehearsalError):
        await scene.alice.slash(dm, "guild-only")


async def test_the_bot_can_write_a_dm_unless_the_person_refuses(scene: Stage, bot: HeldBot) -> None:
    user = await bot.fetch_user(scene.alice.id)
    await user.send("psst")
    scene.alice.refuse_dms()

    with pytest.raises(discord.Forbidden) as refused:
        await user.send("psst")

    assert refused.value.code == 50007
    assert [m.content for m in scene.rehearsal.world.dm(scene.alice).history] == ["psst"]


async def test_a_person_carries_the_app_into_a_guild_without_the_bot(scene: Stage, bot: HeldBot) -> None:
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    channel = elsewhere.add_text_channel("general")

    assert carol.offered(channel) == ["everywhere"]
    answer = await carol.slash(channel, "everywhere")
    interaction = await bot.next()
    await interaction.response.send_message("hi")

    assert interaction.is_user_integration() and not interaction.is_guild_integration()
    assert interaction.guild_id == elsewhere.id and bot.get_guild(elsewhere.id) is None
    assert isinstance(interaction.user, discord.Member) and interaction.user.voice is None
    assert not answer.ephemeral


async def test_without_the_permission_for_external_apps_the_answer_is_ephemeral(
    scene: Stage, bot: HeldBot
) -> None:
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    channel = elsewhere.add_text_channel("general")
    elsewhere.set_everyone_permissions(EVERYONE & ~Permission.USE_EXTERNAL_APPS)

    answer = await carol.slash(channel, "everywhere")
    await (await bot.next()).response.send_message("hi", ephemeral=False)

    assert answer.ephemeral


async def test_a_carried_app_has_five_followups(scene: Stage, bot: HeldBot) -> None:
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    dave = scene.rehearsal.world.add_person("Dave")
    group = scene.rehearsal.world.add_group("Friends", [carol, dave])
    answer = await carol.slash(group, "everywhere")
    interaction = await bot.next()
    await interaction.response.send_message("hi")
    for number in range(5):
        await interaction.followup.send(str(number))

    with pytest.raises(discord.HTTPException) as refused:
        await interaction.followup.send("one more")

    assert refused.value.code == 40094 and len(answer.followups) == 5
    assert interaction.context.private_channel


async def test_who_has_not_installed_the_app_is_not_offered_it_elsewhere(scene: Stage, bot: HeldBot) -> None:
    bob = scene.rehearsal.world.add_person("Bob")
    chat = scene.rehearsal.world.add_private_chat(bob, scene.alice)

    assert bob.offered(chat) == []
    with pytest.raises(RehearsalError):
        await scene.rehearsal.world.add_person("Eve").slash(chat, "everywhere")


async def test_the_bot_cannot_write_where_it_is_not(scene: Stage, bot: HeldBot) -> None:
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    channel = bot.get_partial_messageable(elsewhere.add_text_channel("general").id)

    with pytest.raises(discord.Forbidden) as refused:
        await channel.send("x")

    assert refused.value.code == 50001


async def test_the_bot_hears_nothing_of_places_it_is_not_in(scene: Stage) -> None:
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    intents = discord.Intents(guilds=True, voice_states=True, messages=True)
    async with logged_in(scene.rehearsal, intents=intents) as bot:
        before = len(bot.events)

        await carol.join(elsewhere.add_voice_channel("Voice"))
        await carol.say(elsewhere.add_text_channel("general"), "secret")
        await carol.say(scene.rehearsal.world.add_group("Us", [carol, scene.alice]), "secret")
        await carol.say(scene.rehearsal.world.dm(carol), "for you")
        await scene.rehearsal.caught_up()

        assert bot.events[before:] == ["MESSAGE_CREATE"]


async def test_the_bot_can_be_invited_and_removed_while_it_runs(scene: Stage, bot: HeldBot) -> None:
    guild = scene.rehearsal.world.add_guild("Later", with_bot=False)
    guild.add_bot()
    await scene.rehearsal.caught_up()
    joined = bot.get_guild(guild.id)

    await guild.remove_bot()
    await scene.rehearsal.caught_up()

    assert joined is not None and bot.get_guild(guild.id) is None
