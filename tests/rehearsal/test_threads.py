"""Threads, and forwarded messages: who sees them, who may write, and what the bot learns of them."""

from __future__ import annotations

import discord
import pytest

from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.permissions import BOT, EVERYONE, Permission
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage


async def test_writing_in_a_thread_needs_its_own_permission_and_no_other(scene: Stage, ask: Ask) -> None:
    thread = scene.guild.add_thread(scene.general, "aside", scene.alice)
    path = f"/channels/{thread.id}/messages"

    scene.guild.deny_bot(Permission.SEND_MESSAGES, scene.general)
    without_send_messages = await ask("POST", path, {"content": "x"})
    scene.guild.deny_bot(Permission.SEND_MESSAGES_IN_THREADS, scene.general)
    without_its_own = await ask("POST", path, {"content": "x"})

    assert without_send_messages[0] == 200
    assert (without_its_own[0], without_its_own[1]["code"]) == (403, 50013)
    with pytest.raises(RehearsalError, match="cannot write that"):
        scene.guild.set_everyone_permissions(
            int(EVERYONE) & ~int(Permission.SEND_MESSAGES_IN_THREADS), scene.general
        )
        await scene.alice.say(thread, "x")


async def test_a_private_thread_is_for_who_was_added_and_for_who_manages_threads(
    scene: Stage, ask: Ask
) -> None:
    bob = scene.add_member("Bob")
    thread = scene.guild.add_thread(scene.general, "secret", scene.alice, private=True)
    message = await scene.alice.say(thread, "psst")
    path = f"/channels/{thread.id}/messages/{message.id}"

    assert (await ask("GET", path))[1]["code"] == 50001
    with pytest.raises(RehearsalError, match="cannot see"):
        await bob.say(thread, "x")
    scene.guild.set_bot_permissions(int(BOT | Permission.MANAGE_THREADS), scene.general)
    assert (await ask("GET", path))[0] == 200
    scene.guild.set_bot_permissions(int(BOT), scene.general)
    scene.guild.add_to_thread(thread, scene.rehearsal.parts.bot)
    assert (await ask("GET", path))[0] == 200

    members = f"/channels/{thread.id}/thread-members"
    assert (await ask("GET", f"{members}/{scene.alice.id}"))[0] == 200
    assert (await ask("GET", f"{members}/{bob.id}"))[1]["code"] == 10007
    assert (await ask("GET", f"/channels/{scene.general.id}/thread-members/{bob.id}"))[1]["code"] == 50024


async def test_the_bot_hears_of_threads_that_it_may_see_and_of_no_other(scene: Stage, bot: HeldBot) -> None:
    open_one = scene.guild.add_thread(scene.general, "aside", scene.alice)
    secret = scene.guild.add_thread(scene.general, "secret", scene.alice, private=True)
    await scene.rehearsal.caught_up()
    guild = bot.get_guild(scene.guild.id)
    assert guild is not None

    seen = guild.get_thread(open_one.id)
    assert seen is not None and (seen.parent_id, seen.is_private()) == (scene.general.id, False)
    assert guild.get_thread(secret.id) is None
    scene.guild.add_to_thread(secret, scene.rehearsal.parts.bot)
    await scene.rehearsal.caught_up()
    found = guild.get_thread(secret.id)
    assert found is not None and found.is_private()


async def test_a_command_in_a_thread_says_that_it_is_one(scene: Stage, bot: HeldBot) -> None:
    thread = scene.guild.add_thread(scene.general, "aside", scene.alice)

    await scene.alice.slash(thread, "hold")
    interaction = await bot.next()
    await interaction.response.send_message("x")

    assert isinstance(interaction.channel, discord.Thread)
    assert interaction.app_permissions.send_messages_in_threads


async def test_a_forward_shows_what_was_said_and_not_by_whom(scene: Stage, ask: Ask) -> None:
    scene.rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
    other = scene.guild.add_text_channel("other")
    original = await scene.alice.say(scene.general, "me", files=[SentFile("me.wav", b"RIFF")])
    forward = scene.alice.forward(original, other)
    scene.alice.delete(original)

    _status, body = await ask("GET", f"/channels/{other.id}/messages/{forward.id}")

    (snapshot,) = body["message_snapshots"]
    assert (body["type"], body["content"], body["attachments"]) == (0, "", [])
    assert body["message_reference"]["type"] == 1 and "author" not in snapshot["message"]
    assert snapshot["message"]["content"] == "me"
    assert [file["filename"] for file in snapshot["message"]["attachments"]] == ["me.wav"]


async def test_without_the_content_intent_a_forward_is_empty_and_cannot_be_forwarded(
    scene: Stage, ask: Ask
) -> None:
    original = await scene.alice.say(scene.general, "me")
    forward = scene.alice.forward(original, scene.general)
    path = f"/channels/{scene.general.id}/messages"

    _status, body = await ask("GET", f"{path}/{forward.id}")
    reference = {"type": 1, "message_id": str(original.id), "channel_id": str(scene.general.id)}
    forwarded = await ask("POST", path, {"message_reference": reference})
    own = await ask("POST", path, {"content": "mine"})
    allowed = await ask("POST", path, {"message_reference": reference | {"message_id": own[1]["id"]}})

    assert body["message_snapshots"] == []
    assert (forwarded[0], forwarded[1]["code"]) == (400, 160014)
    assert allowed[1]["message_snapshots"][0]["message"]["content"] == "mine"
