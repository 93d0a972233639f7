"""The welcome in a new server: where it is, that it comes once, and what its buttons do for whom."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from bot.library.tables import GuildSettingsRow
from bot.library.voice import Scope
from bot.speech_bot import STATUS, SpeechBot
from rehearsal.answers import Answer, AnswerState
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.records import Channel, Message
from rehearsal.rest.call import Misbehaviour
from tests.cogs.saved_voices import designed
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, until

ENDED = (AnswerState.REPLIED, AnswerState.FAILED)
BUTTONS = ["Hear it", "Choose the server's voice", "Turn cloning on"]


def new_guild(scene: Scene, *names: str) -> Guild:
    """Add a server that the bot is not in, with these text channels, and Alice and Bob in it."""
    guild = scene.rehearsal.world.add_guild("The Rookery", with_bot=False)
    for name in names:
        guild.add_text_channel(name)
    guild.add_member(scene.alice)
    guild.add_member(scene.bob)
    guild.add_role("Moderators", Permission.MANAGE_GUILD, scene.bob)
    return guild


def welcomes_in(guild: Guild) -> list[Message]:
    return [
        message
        for channel in guild.channels.values()
        for message in channel.history
        if message.content.startswith("Hi, I'm Myna.")
    ]


def channels_of(guild: Guild) -> dict[str, Channel]:
    return {channel.name: channel for channel in guild.channels.values()}


async def welcomed(guild: Guild) -> Message:
    """Let the server invite the bot, and return the welcome."""
    guild.add_bot()
    await until(lambda: bool(welcomes_in(guild)))
    (message,) = welcomes_in(guild)
    return message


async def nothing_more(scene: Scene, guild: Guild) -> None:
    """Return when the bot has done with what it was told of ``guild``: it answers a command there."""
    await scene.rehearsal.caught_up()
    answer = await scene.bob.slash(scene.general, "help")
    await answer.until(lambda shown: bool(shown.content), timeout=DEADLINE)


async def test_a_new_server_is_welcomed_in_its_system_channel(scene: Scene):
    guild = new_guild(scene, "rules", "lobby")
    guild.system_channel = channels_of(guild)["lobby"]

    message = await welcomed(guild)

    assert message.channel_id == channels_of(guild)["lobby"].id
    assert message.buttons == BUTTONS
    assert not message.pinged


async def test_where_the_system_channel_is_closed_it_is_the_first_that_it_may_write_in(scene: Scene):
    guild = new_guild(scene, "lobby", "secret", "read-only", "chat", "more")
    channels = channels_of(guild)
    guild.system_channel = channels["lobby"]
    guild.set_everyone_permissions(EVERYONE & ~Permission.SEND_MESSAGES, channels["lobby"])
    guild.set_everyone_permissions(EVERYONE & ~Permission.VIEW_CHANNEL, channels["secret"])
    guild.set_everyone_permissions(EVERYONE & ~Permission.SEND_MESSAGES, channels["read-only"])

    message = await welcomed(guild)

    assert message.channel_id == channels["chat"].id


async def test_a_server_where_it_may_write_nowhere_gets_nothing_and_may_be_welcomed_later(
    scene: Scene, caplog: pytest.LogCaptureFixture
):
    guild = new_guild(scene, "lobby")
    (channel,) = guild.channels.values()
    guild.set_everyone_permissions(EVERYONE & ~Permission.SEND_MESSAGES, channel)
    guild.add_bot()
    await nothing_more(scene, guild)
    assert welcomes_in(guild) == []
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []

    await guild.remove_bot()
    guild.set_everyone_permissions(EVERYONE, channel)

    assert (await welcomed(guild)).channel_id == channel.id


def refused(channel: Channel, *, times: int = 1) -> Misbehaviour:
    """Let the bot not write in a channel, whatever its permissions say."""
    body = {"code": 50013, "message": "Missing Permissions"}
    return Misbehaviour("POST", f"/channels/{channel.id}/messages", 403, body, times=times)


async def test_a_channel_that_refuses_the_welcome_is_passed_over(scene: Scene):
    guild = new_guild(scene, "lobby", "chat")
    scene.rehearsal.misbehave(refused(channels_of(guild)["lobby"]))

    message = await welcomed(guild)

    assert message.channel_id == channels_of(guild)["chat"].id


async def test_a_server_that_refuses_the_welcome_everywhere_may_be_welcomed_later(scene: Scene):
    guild = new_guild(scene, "lobby")
    (lobby,) = guild.channels.values()
    scene.rehearsal.misbehave(refused(lobby))
    guild.add_bot()
    await until(lambda: any(request.status == 403 for request in scene.rehearsal.requests))
    while await welcomed_at(scene, guild) is not None:
        await nothing_more(scene, guild)

    await guild.remove_bot()

    assert (await welcomed(guild)).channel_id == lobby.id


async def welcomed_at(scene: Scene, guild: Guild) -> datetime | None:
    """Return when a server was welcomed, as the database says."""
    wanted = select(GuildSettingsRow.welcomed_at).where(GuildSettingsRow.guild_id == guild.id)
    async with scene.bot.library.database.reading() as session:
        return await session.scalar(wanted)


async def test_a_welcome_that_nobody_has_confirmed_is_not_said_again(scene: Scene):
    guild = new_guild(scene, "lobby", "chat")
    lost = Misbehaviour(
        "POST", f"/channels/{channels_of(guild)['lobby'].id}/messages", carried_out=True, cuts=True
    )
    scene.rehearsal.misbehave(lost)
    await welcomed(guild)

    await nothing_more(scene, guild)
    await guild.remove_bot()
    guild.add_bot()
    await nothing_more(scene, guild)

    assert len(welcomes_in(guild)) == 1


async def test_a_server_without_text_channels_gets_nothing(scene: Scene, caplog: pytest.LogCaptureFixture):
    guild = new_guild(scene)
    guild.add_voice_channel("Perch")
    guild.add_bot()

    await nothing_more(scene, guild)

    assert welcomes_in(guild) == []
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []


async def test_a_server_that_invites_it_again_and_again_is_welcomed_once(scene: Scene):
    guild = new_guild(scene, "lobby")
    await welcomed(guild)

    for _ in range(5):
        await guild.remove_bot()
        guild.add_bot()
    await nothing_more(scene, guild)

    assert len(welcomes_in(guild)) == 1


async def test_a_restart_welcomes_nobody_twice(scene: Scene):
    guild = new_guild(scene, "lobby")
    await welcomed(guild)

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        await nothing_more(scene, guild)

        assert len(welcomes_in(guild)) == 1


async def test_a_server_that_invited_it_while_it_was_away_is_welcomed_at_the_start(scene: Scene):
    guild = new_guild(scene, "lobby")
    await scene.bot.shut_down()
    guild.add_bot()

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        await until(lambda: bool(welcomes_in(guild)))


async def test_a_server_it_has_long_been_in_is_not_welcomed(scene: Scene):
    await nothing_more(scene, scene.guild)

    assert welcomes_in(scene.guild) == []


async def test_hear_it_speaks_for_who_presses_alone_and_makes_no_default_voice(scene: Scene):
    guild = new_guild(scene, "lobby")
    message = await welcomed(guild)

    pressed = await scene.alice.press(message, "Hear it")

    assert (await file_of(pressed)).data.startswith(b"RIFF")
    assert pressed.ephemeral
    found = await scene.bot.library.voices.chosen_voices(Scope(guild.id, scene.alice.id))
    assert found.default is None


async def test_hear_it_is_heard_in_the_voice_channel_of_who_presses(scene: Scene):
    guild = new_guild(scene, "lobby")
    perch = guild.add_voice_channel("Perch")
    message = await welcomed(guild)
    listener = await scene.alice.join(perch)

    await scene.alice.press(message, "Hear it")

    await listener.wait_for_packets(10, timeout=DEADLINE)


@pytest.mark.parametrize("button", BUTTONS[1:])
async def test_a_member_without_rights_reads_one_sentence(scene: Scene, button: str):
    guild = new_guild(scene, "lobby")
    message = await welcomed(guild)

    words = await told_alone(await scene.alice.press(message, button))

    assert words.startswith("Only moderators (Manage Server) can ")
    assert "\n" not in words
    assert not await scene.bot.library.settings.cloning_is_on(guild.id)


async def told_alone(pressed: Answer) -> str:
    """Return the final words of what only the presser reads."""
    await pressed.until(lambda shown: shown.state in ENDED, timeout=DEADLINE)
    assert pressed.failure is None and pressed.ephemeral
    return pressed.content


async def _turn_cloning_on(moderator: Person, message: Message) -> Answer:
    question = await moderator.press(message, "Turn cloning on")
    assert "Cloning is off in this server." in await told_alone(question)
    return await moderator.press(question, "Accept, and turn cloning on")


async def test_a_moderator_turns_cloning_on_after_reading_what_it_means(scene: Scene):
    guild = new_guild(scene, "lobby")
    message = await welcomed(guild)

    await _turn_cloning_on(scene.bob, message)

    await until_on(scene.bot, guild)
    again = await scene.bob.press(message, "Turn cloning on")
    assert (await told_alone(again)).startswith("Cloning is on.")


async def until_on(bot: SpeechBot, guild: Guild) -> None:
    answered = False
    while not answered:
        answered = await bot.library.settings.cloning_is_on(guild.id)


async def test_a_moderator_chooses_the_servers_voice(scene: Scene):
    guild = new_guild(scene, "lobby")
    message = await welcomed(guild)
    keeper = await designed(scene, scene.alice, "Keeper", guild_id=guild.id)
    menu = await scene.bob.press(message, "Choose the server's voice")
    assert "Which voice should speak here for everyone" in await told_alone(menu)

    await scene.bob.select(menu, "Pick a voice", "Keeper")
    await until(lambda: "Choose Keeper" in menu.buttons)
    chosen = await scene.bob.press(menu, "Choose Keeper")

    await until(lambda: "now speaks here for everyone" in menu.content)
    found = await scene.bot.library.voices.chosen_voices(Scope(guild.id, scene.alice.id))
    assert found.default is not None and found.default.voice.id == keeper.id
    assert chosen.failure is None


@pytest.mark.slow
@pytest.mark.parametrize("button", BUTTONS)
async def test_the_buttons_work_after_a_restart(scene: Scene, button: str):
    guild = new_guild(scene, "lobby")
    message = await welcomed(guild)

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        assert await told_alone(await scene.alice.press(message, button))


async def test_the_status_says_how_to_begin(scene: Scene):
    (identified,) = [frame for frame in scene.rehearsal.main_socket.received if frame["op"] == 2]

    activity = identified["d"]["presence"]["game"]  # as discord.py 2.7.1 calls it when it logs in
    assert activity["state"] == STATUS == "/speak · /help"
