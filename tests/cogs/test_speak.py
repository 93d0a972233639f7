from __future__ import annotations

import asyncio
import wave
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

import discord
import pytest

from bot.library.voice import Scope
from bot.text.labels import one_line
from bot.text.speakable import speakable
from cogs.speak import words_of_message
from rehearsal.cdn import SentFile
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.likeness import likeness
from rehearsal.permissions import Permission
from rehearsal.stage import pcm_of_wav
from tests.cogs.generations import choose, offered
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tests.text.discord_cases import CASES, complaints, names_for


async def test_speak_answers_with_a_wav_that_says_what_it_is(scene: Scene):
    answer = await scene.speak("Hello there, how are you?")

    file = await file_of(answer)

    assert file.name == "Hello-there-how-are-you.wav"
    with wave.open(BytesIO(await file.read())) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (48_000, 1, 2)
        seconds = sound.getnframes() / 48_000
    assert answer.content.splitlines()[:2] == [
        "> Hello there, how are you?",
        f"AI voice: Warm · requested by {scene.alice.mention} · {seconds:.1f} s",
    ]
    assert not answer.ephemeral


async def test_the_file_itself_says_that_the_voice_is_made(scene: Scene):
    file = await file_of(await scene.speak())

    data = await file.read()

    assert b"LIST" in data
    assert b"AI-generated voice of Warm, for Alice" in data


async def test_the_command_is_acknowledged_before_the_speech_is_made(scene: Scene):
    answer = await scene.speak()

    await file_of(answer)

    assert answer.acknowledged_after is not None
    assert answer.acknowledged_after < answer.history[-1].after
    assert answer.history[0].content == ""  # thinking


async def test_options_reach_the_tts_gateway(scene: Scene):
    answer = await scene.speak("Good evening", style="an old man, slow", guidance=2.5, quality=20)

    await file_of(answer)

    assert scene.asked == [{"text": "(an old man, slow)Good evening", "cfg_value": 2.5, "dit_steps": 20}]


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_in_a_voice_channel_it_is_heard_whole_and_given_as_a_file(scene: Scene):
    listener = await scene.alice.join(scene.perch)

    answer = await scene.speak("The quick brown fox jumps over the lazy dog.")
    file = await file_of(answer)
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    match = likeness(pcm_of_wav(await file.read()), listener.pcm())
    assert match.correlation >= 0.95
    assert match.complete
    assert match.delay >= 0.2  # the silence that leads
    assert listener.undecryptable == 0


async def test_voice_channel_alone_gives_no_file(scene: Scene):
    listener = await scene.alice.join(scene.perch)

    answer = await scene.speak(output="voice channel")
    await listener.wait_for_speech(timeout=DEADLINE)
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)

    assert f"<#{scene.perch.id}>" in answer.content
    assert "AI voice" in answer.content
    assert not answer.files


async def test_here_is_not_spoken_in_the_voice_channel(scene: Scene):
    await scene.alice.join(scene.perch)

    await file_of(await scene.speak(output="here"))

    assert scene.guild.bot_channel is None


async def test_voice_channel_without_sitting_in_one_says_what_to_do(scene: Scene):
    answer = await scene.speak(output="voice channel")

    assert await words_of(answer) == "Join a voice channel first, or choose output: here."
    assert answer.ephemeral
    assert scene.asked == []


async def test_where_the_bot_may_not_speak_the_file_is_given_all_the_same(scene: Scene):
    scene.guild.deny_bot(Permission.SPEAK, scene.perch)
    await scene.alice.join(scene.perch)

    answer = await scene.speak()
    await file_of(answer)

    _quote, reason, credit = answer.content.splitlines()[:3]
    assert reason.startswith(f'I need the permission "Speak" in <#{scene.perch.id}>.')
    assert credit.startswith("AI voice")
    assert scene.guild.bot_channel is None


async def test_outside_a_voice_channel_a_file_comes_without_a_reason(scene: Scene):
    scene.guild.deny_bot(Permission.SPEAK, scene.perch)

    answer = await scene.speak()
    await file_of(answer)

    assert answer.content.splitlines()[1].startswith("AI voice")


async def test_where_the_bot_may_not_speak_and_was_asked_to_it_names_the_permission(scene: Scene):
    scene.guild.deny_bot(Permission.SPEAK, scene.perch)
    await scene.alice.join(scene.perch)

    answer = await scene.speak(output="both")

    assert '"Speak"' in await words_of(answer)
    assert scene.asked == []


async def test_without_the_right_to_attach_files_nothing_is_made(scene: Scene):
    scene.guild.deny_bot(Permission.ATTACH_FILES)

    answer = await scene.speak()

    assert f'"Attach Files" in <#{scene.general.id}>' in await words_of(answer)
    assert scene.asked == []


async def test_in_a_channel_that_the_bot_cannot_see_it_names_that_permission(scene: Scene):
    scene.guild.deny_bot(Permission.VIEW_CHANNEL, scene.general)
    await scene.rehearsal.caught_up()

    answer = await scene.speak()
    words = await words_of(answer)

    assert f'"View Channel" in <#{scene.general.id}>' in words
    assert "Attach Files" not in words
    assert scene.asked == []


@pytest.mark.parametrize("options", [{}, {"output": "both"}])
async def test_what_is_heard_needs_no_right_to_attach_files(scene: Scene, options: dict[str, str]):
    scene.guild.deny_bot(Permission.ATTACH_FILES)
    listener = await scene.alice.join(scene.perch)

    answer = await scene.speak(**options)
    words = await words_of(answer)
    await listener.wait_for_speech(timeout=DEADLINE)

    assert words.splitlines()[1].startswith('I need the permission "Attach Files"')
    assert words.splitlines()[2].startswith("AI voice")
    assert "Play in my channel" in await offered(scene.alice, answer)


async def test_where_it_can_be_neither_heard_nor_sent_both_permissions_are_named(scene: Scene):
    scene.guild.deny_bot(Permission.ATTACH_FILES)
    scene.guild.deny_bot(Permission.CONNECT, scene.perch)
    await scene.alice.join(scene.perch)

    words = await words_of(await scene.speak())

    assert '"Connect"' in words
    assert '"Attach Files"' in words
    assert scene.asked == []


@pytest.mark.parametrize("text", ["!!!", "~~~ ... ~~~", "\u3164\u3164"])
async def test_nothing_to_say_is_one_sentence_and_costs_nothing(scene: Scene, text: str):
    answer = await scene.speak(text)

    assert (await words_of(answer)).endswith(".")
    assert scene.asked == []


async def test_a_text_over_the_limit_says_the_limit(scene: Scene):
    answer = await scene.speak(" ".join(f"word{number}" for number in range(180)))

    assert "1,000" in await words_of(answer)
    assert scene.asked == []


@pytest.mark.parametrize(
    "name", ["<@123456789012345678>", "**Mallory** @everyone", "gnp.\u202egalf", "discord.gg/x"]
)
async def test_whatever_an_asker_is_called_they_are_mentioned_by_id_and_not_pinged(scene: Scene, name: str):
    mallory = scene.rehearsal.world.add_person(name)
    scene.guild.add_member(mallory)

    answer = await mallory.slash(scene.general, "speak", text="Hi")
    file = await file_of(answer)

    assert answer.content.startswith(f"> Hi\nAI voice: Warm · requested by {mallory.mention} · ")
    assert "Mallory" not in answer.content
    assert one_line(name).encode() in await file.read(), "inside the file the name stands as plain text"
    scene.assert_nobody_was_pinged()


async def test_speak_this_says_what_a_message_says(scene: Scene):
    message = await scene.bob.say(
        scene.general, f"**Hello** {scene.alice.mention}, see https://example.com/a?b=c"
    )

    answer = await scene.alice.message_menu("Speak this", message)
    await file_of(answer)

    assert "**" not in scene.asked[0]["text"]
    assert "Alice" in scene.asked[0]["text"]
    assert "https" not in scene.asked[0]["text"]


async def test_speak_this_on_a_message_without_words_says_so(scene: Scene):
    message = await scene.bob.say(scene.general, files=[SentFile("picture.png", b"\x89PNG")])

    answer = await scene.alice.message_menu("Speak this", message)

    assert "no text" in await words_of(answer)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.get("surface") == "message"], ids=lambda case: case["id"]
)
async def test_a_message_is_read_as_an_accepted_reading(scene: Scene, case: dict[str, Any]):
    message = _message(scene, case["message"])

    words = words_of_message(message)

    mentioned = {user.id: user.display_name for user in message.mentions}
    names = names_for(case)
    said = speakable(words, replace(names, members={**names.members, **mentioned}))
    assert complaints(case, said) == [], said


async def test_a_forwarded_message_is_read(scene: Scene):
    inside = {"content": "the original", "timestamp": "2026-11-24T12:00:00+00:00", "edited_timestamp": None}
    message = _message(
        scene,
        {"content": "", "message_snapshots": [{"message": {**inside, **_EMPTY, "type": 0, "flags": 0}}]},
    )

    assert words_of_message(message) == "the original"


async def test_the_card_of_a_link_is_not_read(scene: Scene):
    card = {"type": "article", "title": "Somebody else's words"}

    assert words_of_message(_message(scene, {"content": "see", "embeds": [card]})) == "see"


_EMPTY: Final[dict[str, Any]] = {"attachments": [], "embeds": [], "mentions": [], "mention_roles": []}


def _message(scene: Scene, payload: dict[str, Any]) -> discord.Message:
    """Return a message as discord.py makes it of what Discord sends."""
    channel = scene.bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)
    author = {"id": "3", "username": "carla", "discriminator": "0", "avatar": None}
    data: Any = {
        "id": "77",
        "channel_id": str(channel.id),
        "author": author,
        "type": 0,
        "flags": 0,
        "pinned": False,
        "tts": False,
        "mention_everyone": False,
        "edited_timestamp": None,
        "components": [],
        "timestamp": "2026-11-24T12:00:00+00:00",
        **_EMPTY,
        **payload,
    }
    return discord.Message(state=scene.bot._connection, channel=channel, data=data)


async def test_a_member_whom_the_bot_has_not_seen_is_called_by_their_name(scene: Scene):
    carol = scene.rehearsal.world.add_person("Carol")
    scene.guild.add_member(carol)

    await file_of(await scene.speak(f"hi {carol.mention} and <@123456789012345678>"))

    assert scene.asked[0]["text"] == "hi Carol and someone"


async def test_speak_works_in_a_direct_message(scene: Scene):
    answer = await scene.alice.slash(scene.rehearsal.world.dm(scene.alice), "speak", text="Just for me")

    file = await file_of(answer)

    assert len(pcm_of_wav(await file.read())) > 2 * 24_000


async def test_speak_works_as_a_user_installed_app_where_the_bot_is_not(scene: Scene):
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    lounge = elsewhere.add_text_channel("lounge")

    answer = await carol.slash(lounge, "speak", text="I brought my own bird")

    await file_of(answer)


async def test_a_user_installed_app_is_told_that_it_cannot_speak_in_voice_there(scene: Scene):
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    lounge = elsewhere.add_text_channel("lounge")

    answer = await carol.slash(lounge, "speak", text="Hi", output="voice channel")

    assert "servers I've been added to" in await words_of(answer)


@pytest.mark.slow
async def test_progress_is_shown_while_the_speech_is_made(scene: Scene):
    hold = Hold()
    scene.faults.on_post(hold)

    answer = await scene.speak()
    await answer.until(lambda shown: shown.content.endswith("…"), timeout=DEADLINE)
    hold.released.set()

    await file_of(answer)


async def test_what_was_written_is_quoted_with_its_spoilers_and_again_quotes_what_was_said(scene: Scene):
    answer = await scene.speak(f"**Hi** {scene.bob.mention}, it is ||the butler||! @everyone", output="here")
    await file_of(answer)
    again = await scene.alice.press(answer, "Again")
    await file_of(again)

    assert answer.content.splitlines()[0] == r"> \*\*Hi\*\* Bob, it is ||the butler||! everyone"
    assert again.content.splitlines()[0] == "> Hi Bob, it is spoiler! everyone"
    scene.assert_nobody_was_pinged()


async def test_moderators_can_have_it_without_quotes_and_as_ogg_of_what_was_heard(scene: Scene):
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    await scene.bot.library.settings.set_answer_rules(moderator, quotes_text=False, sends_ogg=True)

    answer = await scene.speak("Hello there, how are you?")
    file = await file_of(answer)

    assert answer.content.startswith("AI voice")
    assert file.name == "Hello-there-how-are-you.ogg"
    data = await file.read()
    assert data.startswith(b"OggS")
    assert b"AI-generated voice of Warm, for Alice" in data
    assert await words_of(await choose(scene.alice, answer, "Send as voice message")) == "Sent."


async def test_what_is_dropped_while_it_is_made_is_told_to_who_asked_alone(scene: Scene):
    await scene.alice.join(scene.perch)
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await scene.speak()
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)

    await words_of(await scene.alice.slash(scene.general, "stop"))
    await answer.until(lambda shown: shown.ephemeral, timeout=DEADLINE)

    assert answer.content == "Stopped."
    assert not any("Stopped." in message.content for message in scene.general.history)
    hold.released.set()
