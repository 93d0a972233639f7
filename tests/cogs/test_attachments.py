"""Which recording a message has, whose it is said to be, and who may use it."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from bot.errors import MemberError
from cogs.attachments import recording_by, recording_in
from rehearsal.cdn import SentFile
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.records import Message
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.sounds import LOW, recording
from tests.scenes import Scene, file_of, words_of


def attached(name: str, content_type: str | None) -> dict[str, Any]:
    address = f"https://cdn.discordapp.com/attachments/1/2/{name}"
    told = {} if content_type is None else {"content_type": content_type}
    return {"id": "5", "filename": name, "size": 9, "url": address, "proxy_url": address, **told}


def message_with(scene: Scene, author: Any, /, **payload: Any) -> discord.Message:
    """Return a message in #general as discord.py makes it of what Discord sends."""
    channel = scene.bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)
    data: Any = {
        "id": "77", "channel_id": str(channel.id), "type": 0, "flags": 0, "pinned": False, "tts": False,
        "content": "", "mention_everyone": False, "edited_timestamp": None, "components": [], "embeds": [],
        "timestamp": "2026-11-24T12:00:00+00:00", "attachments": [], "mentions": [], "mention_roles": [],
        "author": {"id": str(author.id), "username": "x", "discriminator": "0", "avatar": None},
        **payload,
    }  # fmt: skip
    return discord.Message(state=scene.bot._connection, channel=channel, data=data)


def user(scene: Scene, person: Any) -> discord.abc.User:
    return message_with(scene, person).author


def forward(scene: Scene, author: Any, original: Message | None) -> discord.Message:
    """Return a message of ``author`` that forwards ``original``, or one that the bot cannot see."""
    inside = {
        "content": "", "embeds": [], "mentions": [], "mention_roles": [], "type": 0, "flags": 0,
        "timestamp": "2026-11-24T12:00:00+00:00", "edited_timestamp": None,
        "attachments": [attached("voice-message.ogg", "audio/ogg")],
    }  # fmt: skip
    reference = {"type": 1, "message_id": "1", "channel_id": "2", "guild_id": "3"}
    if original is not None:
        reference |= {"message_id": str(original.id), "channel_id": str(scene.general.id)}
        reference |= {"guild_id": str(scene.guild.id)}
    return message_with(scene, author, message_snapshots=[{"message": inside}], message_reference=reference)


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ([("cat.png", "image/png"), ("me.ogg", "audio/ogg")], "me.ogg"),
        ([("film.mp4", "video/mp4"), ("me.wav", "audio/x-wav")], "me.wav"),
        ([("a.mp3", "audio/mpeg"), ("b.mp3", "audio/mpeg")], "a.mp3"),
        ([("notes.txt", "text/plain"), ("voice", None)], "voice"),
        ([("voice.amr", "application/octet-stream")], "voice.amr"),
        ([("cat.png", "image/png")], None),
        ([("notes.txt", "text/plain; charset=utf-8")], None),
        ([], None),
    ],
)
async def test_of_the_files_of_a_message_the_likeliest_is_its_recording(
    scene: Scene, files: list[tuple[str, str | None]], chosen: str | None
) -> None:
    message = message_with(scene, scene.alice, attachments=[attached(*file) for file in files])

    if chosen is None:
        with pytest.raises(MemberError, match="no recording"):
            recording_in(message)
    else:
        assert recording_in(message).filename == chosen


async def test_a_forwarded_recording_is_the_voice_of_who_sent_it_first(scene: Scene) -> None:
    original = await scene.bob.say(scene.general, "me")

    found = await recording_by(forward(scene, scene.alice, original), user(scene, scene.alice))

    assert found.attachment.filename == "voice-message.ogg"
    assert found.speaker.id == scene.bob.id


async def test_who_forwards_somebody_s_recording_cannot_name_themselves(scene: Scene) -> None:
    original = await scene.bob.say(scene.general, "me")
    alice = user(scene, scene.alice)

    assert (await recording_by(forward(scene, alice, original), alice, alice)).speaker.id == scene.bob.id


async def test_one_s_own_forward_from_elsewhere_counts_as_an_upload(scene: Scene) -> None:
    alice = user(scene, scene.alice)

    assert (await recording_by(forward(scene, alice, None), alice)).speaker.id == alice.id


async def test_somebody_s_forward_from_elsewhere_is_nobody_s_to_use(scene: Scene) -> None:
    alice = user(scene, scene.alice)
    forwarded = forward(scene, scene.bob, None)

    for speaker in (None, alice):
        with pytest.raises(MemberError, match="I can't see who sent it first"):
            await recording_by(forwarded, alice, speaker)


@pytest.mark.parametrize(
    "sender",
    [
        {"author": {"id": "9", "username": "x", "discriminator": "0", "avatar": None, "bot": True}},
        {"webhook_id": "8"},
    ],
    ids=["another bot", "a webhook"],
)
async def test_what_a_bot_has_sent_is_nobody_s_voice(scene: Scene, sender: dict[str, Any]) -> None:
    message = message_with(scene, scene.bob, attachments=[attached("me.ogg", "audio/ogg")], **sender)

    for speaker in (None, user(scene, scene.alice), user(scene, scene.bob)):
        with pytest.raises(MemberError, match="A bot sent that"):
            await recording_by(message, user(scene, scene.alice), speaker)


async def test_what_a_bot_has_sent_is_nobody_s_voice_when_it_is_forwarded(scene: Scene) -> None:
    spoken = await scene.speak()
    await file_of(spoken)
    alice = user(scene, scene.alice)

    for speaker in (None, alice, user(scene, scene.bob)):
        with pytest.raises(MemberError, match="A bot sent that"):
            await recording_by(forward(scene, alice, spoken.message), alice, speaker)


@pytest.mark.parametrize("is_forwarded", [False, True])
async def test_another_than_the_author_is_named_only_by_who_may_manage_messages(
    scene: Scene, is_forwarded: bool
) -> None:
    carol = user(scene, scene.add_member("Carol"))
    message = message_with(scene, scene.bob, attachments=[attached("me.ogg", "audio/ogg")])
    if is_forwarded:
        message = forward(scene, scene.alice, await scene.bob.say(scene.general, "me"))
    alice = await member(scene, scene.alice)

    with pytest.raises(MemberError, match="Someone else wrote that message"):
        await recording_by(message, alice, carol)
    scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, scene.alice)
    await scene.rehearsal.caught_up()
    found = await recording_by(message, await member(scene, scene.alice), carol)

    assert [one.id for one in found.people] == [carol.id, scene.bob.id]


async def test_in_one_s_own_message_anybody_can_be_named_and_only_they_are_asked(scene: Scene) -> None:
    message = message_with(scene, scene.alice, attachments=[attached("me.ogg", "audio/ogg")])

    found = await recording_by(message, user(scene, scene.alice), user(scene, scene.bob))

    assert [one.id for one in found.people] == [scene.bob.id]


async def member(scene: Scene, person: Any) -> discord.Member:
    """Return a person as a member with their roles of this moment."""
    guild = scene.bot.get_guild(scene.guild.id)
    assert guild is not None
    return await guild.fetch_member(person.id)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["nobody", "added", "manages threads"])
@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_a_link_into_a_private_thread_is_for_those_who_may_read_it(scene: Scene, way: str) -> None:
    thread = scene.guild.add_thread(scene.general, "secret", scene.bob, private=True)
    scene.guild.add_to_thread(thread, scene.rehearsal.parts.bot)
    await scene.let_clone(scene.bob)
    message = await scene.bob.say(thread, files=[SentFile("me.wav", recording("wav", LOW))])
    if way != "added":
        thread.recipients.remove(scene.bob.user)
    if way == "manages threads":
        scene.guild.set_everyone_permissions(int(EVERYONE) | int(Permission.MANAGE_THREADS), scene.general)
        await scene.rehearsal.caught_up()

    link = f"https://discord.com/channels/{scene.guild.id}/{thread.id}/{message.id}"
    answer = await scene.bob.slash(scene.general, "clone", text="Hello", message=link)

    if way == "nobody":
        assert "that you can read yourself" in await words_of(answer)
    else:
        await file_of(answer)
