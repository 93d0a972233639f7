"""What people may type, and what reaches the bot of it."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from rehearsal.answers import NO_RESPONSE, AnswerState
from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.wire import MEBIBYTE
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import logged_in
from tests.scenes import Stage


async def test_options_arrive_as_typed(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(
        scene.general, "bounded", text="hello", count=3, where="Here", loud=True, speed=0.5, whom=scene.alice
    )
    interaction = await bot.next()
    await interaction.response.send_message("x")

    text, count, where, loud, speed, whom = interaction.extras["options"]
    assert (text, count, where, loud, speed) == ("hello", 3, "here", True, 0.5)
    assert isinstance(whom, discord.Member) and whom.id == scene.alice.id


UNSENT: list[tuple[dict[str, Any], str]] = [
    ({}, "required"),
    ({"text": "h"}, "2 or more"),
    ({"text": "hello!"}, "5 or fewer"),
    ({"text": 5}, "a text"),
    ({"text": "hi", "count": 0}, "greater than or equal to 1"),
    ({"text": "hi", "count": 4}, "less than or equal to 3"),
    ({"text": "hi", "count": 1.5}, "integer"),
    ({"text": "hi", "count": "2"}, "number"),
    ({"text": "hi", "where": "there"}, "choice"),
    ({"text": "hi", "loud": 1}, "True or False"),
    ({"text": "hi", "speed": 2.5}, "less than or equal to 2"),
    ({"text": "hi", "whom": "alice"}, "kind"),
    ({"text": "hi", "other": 1}, "no option"),
]


async def test_what_discord_would_not_send_never_reaches_the_bot(
    scene: Stage, bot: HeldBot, subtests: pytest.Subtests
) -> None:
    for options, words in UNSENT:
        with subtests.test(words, options=options), pytest.raises(RehearsalError, match=words):
            await scene.alice.slash(scene.general, "bounded", **options)

    await scene.rehearsal.caught_up()
    assert bot.held.empty()


async def test_a_command_nobody_registered_is_not_offered(scene: Stage, bot: HeldBot) -> None:
    with pytest.raises(RehearsalError, match="no command 'sing'"):
        await scene.alice.slash(scene.general, "sing")
    with pytest.raises(RehearsalError, match="needs one of"):
        await scene.alice.slash(scene.general, "voices")
    with pytest.raises(RehearsalError, match="no sub-command"):
        await scene.alice.slash(scene.general, "voices list")


async def test_an_attachment_reaches_the_bot_as_an_ephemeral_file(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(scene.general, "attach", recording=SentFile("my voice.wav", b"RIFF"))
    interaction = await bot.next()
    recording: discord.Attachment = interaction.extras["recording"]
    await interaction.response.send_message("x")

    assert (recording.filename, recording.content_type, recording.size) == ("my_voice.wav", "audio/x-wav", 4)
    assert recording.ephemeral and "/ephemeral-attachments/" in recording.url
    assert await recording.read() == b"RIFF"


async def test_a_file_over_the_persons_limit_is_stopped_by_the_app(scene: Stage, bot: HeldBot) -> None:
    with pytest.raises(RehearsalError, match="too powerful"):
        await scene.alice.slash(
            scene.general, "attach", recording=SentFile("a.wav", bytes(10 * MEBIBYTE + 1))
        )


async def test_autocomplete_proposes_what_the_bot_answers(scene: Stage, bot: HeldBot) -> None:
    choices = await scene.alice.autocomplete(scene.general, "voices use", "voice", "al")

    assert choices == [("Alba", "alba"), ("Albert", "albert")]
    with pytest.raises(RehearsalError, match="not completed"):
        await scene.alice.autocomplete(scene.general, "hold", "text", "x")


async def test_a_menu_on_a_message_brings_text_and_files_without_the_content_intent(
    scene: Stage, bot: HeldBot
) -> None:
    message = await scene.alice.say(scene.general, "read me", files=[SentFile("a.ogg", b"OggS")])

    await scene.alice.message_menu("Speak this", message)
    interaction = await bot.next()
    await interaction.response.send_message("x")

    seen: discord.Message = interaction.extras["message"]
    assert seen.content == "read me" and seen.author.id == scene.alice.id
    assert await seen.attachments[0].read() == b"OggS"
    assert "MESSAGE_CREATE" not in bot.events


async def test_a_voice_message_of_a_person_is_one(scene: Stage, bot: HeldBot) -> None:
    recording = SentFile("voice-message.ogg", b"OggS", seconds=1.5, waveform="AAAA")
    message = await scene.alice.say(scene.general, files=[recording], as_voice_message=True)

    await scene.alice.message_menu("Speak this", message)
    interaction = await bot.next()
    await interaction.response.send_message("x")

    seen: discord.Message = interaction.extras["message"]
    assert seen.flags.voice and seen.attachments[0].is_voice_message()
    assert seen.attachments[0].duration == 1.5


@pytest.mark.parametrize("missing", [Permission.ATTACH_FILES, Permission.SEND_VOICE_MESSAGES])
async def test_files_and_voice_messages_of_a_person_need_each_its_own_permission(
    scene: Stage, missing: Permission
) -> None:
    scene.guild.set_everyone_permissions(int(EVERYONE) & ~int(missing), scene.general)
    file = [SentFile("voice-message.ogg", b"OggS")]

    for needed, as_voice_message in (
        (Permission.ATTACH_FILES, False),
        (Permission.SEND_VOICE_MESSAGES, True),
    ):
        if needed is missing:
            with pytest.raises(RehearsalError, match="cannot write that"):
                await scene.alice.say(scene.general, files=file, as_voice_message=as_voice_message)
        else:
            await scene.alice.say(scene.general, files=file, as_voice_message=as_voice_message)
    with pytest.raises(RehearsalError, match="one recording"):
        await scene.alice.say(scene.rehearsal.world.dm(scene.alice), "hi", file, as_voice_message=True)


async def test_message_content_is_only_told_with_its_intent(scene: Stage) -> None:
    intents = discord.Intents(guilds=True, guild_messages=True)
    async with logged_in(scene.rehearsal, intents=intents) as bot:
        heard: list[str] = []

        @bot.listen()
        async def on_message(message: discord.Message) -> None:
            heard.append(message.content)

        await scene.alice.say(scene.general, "secret")
        await scene.alice.say(scene.general, f"to <@{scene.rehearsal.application_id}>")
        await scene.rehearsal.caught_up()

    assert heard == ["", f"to <@{scene.rehearsal.application_id}>"]


async def test_default_permissions_hide_a_command(scene: Stage, bot: HeldBot) -> None:
    assert "moderators" not in scene.alice.offered(scene.general)

    scene.guild.add_role("mod", Permission.MANAGE_GUILD, scene.alice)

    assert "moderators" in scene.alice.offered(scene.general)


async def test_people_need_to_see_a_channel_and_may_be_kept_from_commands(scene: Stage, bot: HeldBot) -> None:
    stranger = scene.rehearsal.world.add_person("Stranger")
    with pytest.raises(RehearsalError, match="cannot see"):
        await stranger.slash(scene.general, "hold")

    scene.guild.set_everyone_permissions(EVERYONE & ~Permission.USE_APPLICATION_COMMANDS, scene.general)
    assert scene.alice.offered(scene.general) == []
    scene.guild.set_everyone_permissions(EVERYONE & ~Permission.SEND_MESSAGES, scene.general)
    with pytest.raises(RehearsalError, match="cannot write"):
        await scene.alice.say(scene.general, "x")


async def test_without_a_bot_the_member_reads_that_nothing_came(scene: Stage, bot: HeldBot) -> None:
    await bot.close()
    scene.rehearsal.interactions.acknowledge_seconds = 0.05

    answer = await scene.alice.slash(scene.general, "hold")

    await answer.until(lambda a: a.state is AnswerState.FAILED)
    assert answer.failure == NO_RESPONSE


async def test_a_message_of_the_bot_in_a_channel_can_be_awaited(scene: Stage, bot: HeldBot) -> None:
    channel = bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)

    await channel.send("done")

    message = await scene.general.until_message(lambda m: m.author.bot)
    assert message.content == "done"
