"""What the buttons under a generation do, also after a restart."""

from __future__ import annotations

import discord
import pytest

from bot.library.voice import Scope
from cogs.generation_buttons import GenerationButton
from cogs.ui import row_of
from rehearsal.answers import AnswerState
from rehearsal.cdn import SentFile
from rehearsal.likeness import likeness
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.stage import pcm_of_wav
from tests.cogs.generations import (
    BUTTONS,
    TEXT,
    choose,
    generated,
    generation_id_of,
    generation_of,
    may_add_sounds,
    menu_of,
    offered,
    spoken_only,
)
from tests.cogs.saved_voices import WAV, cloned, designed
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, until, words_of
from tts_gateway.engines.base import Engine


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


async def test_under_every_generation_stand_three_buttons_in_one_row_and_a_cloned_voice_is_not_saved(
    scene: Scene,
):
    await cloned(scene, scene.bob, "Bobby")

    first, after = await generated(scene), await generated(scene, voice="Bobby")

    assert (first.buttons, after.buttons) == (BUTTONS, ["Again", "More…"])
    assert after.message is not None
    assert len(after.message.components) == 1


async def test_more_offers_each_member_what_can_come_to_anything_for_them_alone(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    answer, after = await generated(scene), await generated(scene, voice="Bobby")
    may_add_sounds(scene, scene.bob)
    for_both = ["Play in my channel", "Send as voice message"]

    assert await offered(scene.alice, answer) == [*for_both, "Delete"]
    assert await offered(scene.bob, answer) == [*for_both, "Add to soundboard"]
    assert await offered(scene.bob, after) == [*for_both, "Add to soundboard", "Report"]
    assert answer.buttons == BUTTONS


async def test_what_was_reported_is_offered_for_a_report_when_nothing_else_of_it_is_kept(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    answer = await generated(scene, voice="Bobby")
    await scene.bot.library.generations.forget(generation_id_of(answer))

    assert await offered(scene.bob, answer) == ["Report"]


async def test_outside_servers_there_are_only_those_that_can_do_something(scene: Scene):
    private = scene.rehearsal.world.dm(scene.alice)
    answer = await scene.alice.slash(private, "speak", text=TEXT)
    await file_of(answer)

    assert answer.buttons == BUTTONS
    assert await offered(scene.alice, answer) == ["Send as voice message", "Delete"]


@pytest.mark.parametrize(
    ("label", "words"),
    [("Send as voice message", "Sent."), ("Play in my channel", "Join a voice channel first.")],
)
async def test_a_menu_goes_when_its_choice_is_carried_out_or_refused(scene: Scene, label: str, words: str):
    menu = await menu_of(scene.alice, await generated(scene))

    assert await words_of(await scene.alice.select(menu, "Choose what to do", label)) == words

    await until(lambda: menu.deleted)


async def test_a_menu_from_before_a_restart_says_what_to_press(scene: Scene):
    menu = await menu_of(scene.alice, await generated(scene))

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        chosen = await scene.alice.select(menu, "Choose what to do", "Send as voice message")
        await chosen.until(lambda shown: not shown.menus, timeout=DEADLINE)

    assert menu.content == "This menu has expired. Press More… again."


async def test_buttons_that_were_posted_before_there_was_a_menu_still_work(scene: Scene):
    def as_once(generation_id: str, _request: object) -> discord.ui.View:
        acts = ("again", "play", "voice", "save", "sound", "delete")
        return row_of(*(GenerationButton(act, generation_id) for act in acts))

    scene.bot.history.buttons = as_once
    answer = await generated(scene)
    listener = await scene.bob.join(scene.perch)
    may_add_sounds(scene, scene.bob)

    assert await words_of(await scene.bob.press(answer, "Send as voice message")) == "Sent."
    form = await scene.bob.press(answer, "Add to soundboard")
    await form.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
    await words_of(await scene.bob.submit(form, {"Name": "Fox"}))
    await scene.bob.press(answer, "Play in my channel")
    await listener.wait_for_speech(timeout=DEADLINE)
    assert (await refusal_of(await scene.bob.press(answer, "Delete"))).endswith("can delete it.")
    await scene.alice.press(answer, "Delete")
    await answer.until(lambda shown: shown.state is AnswerState.DELETED, timeout=DEADLINE)
    assert [sound.name for sound in scene.guild.sounds.values()] == ["Fox"]


async def test_after_a_restart_again_makes_a_new_generation_in_the_same_voice(scene: Scene):
    await designed(scene, scene.bob, "Robin")
    answer = await generated(scene, voice="Robin")

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        again = await scene.alice.press(answer, "Again")
        await file_of(again)

    assert f"AI voice: Robin · requested by {scene.alice.mention}" in again.content
    assert [request["text"] for request in scene.asked] == [TEXT, TEXT]


@pytest.mark.slow
async def test_again_after_a_recording_works_until_the_bot_has_forgotten_where_it_was(scene: Scene):
    await scene.let_clone(scene.alice)
    sent = SentFile("me.wav", WAV)
    answer = await scene.alice.slash(scene.general, "clone", text=TEXT, recording=sent, output="here")
    await file_of(answer)
    assert "Save voice" not in answer.buttons
    await file_of(await scene.alice.press(answer, "Again"))
    assert len(scene.asked) == 2

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        again = await scene.alice.press(answer, "Again")

        assert "Type /clone again." in await words_of(again)


async def test_again_of_a_dialogue_has_each_voice_again(scene: Scene):
    await designed(scene, scene.bob, "Robin", transcript="Hello")
    await designed(scene, scene.bob, "Rook", transcript="Croak")
    answer = await generated(scene, "Robin: Hello there, friend. / Rook: Hi, how are you?")

    again = await scene.alice.press(answer, "Again")
    await file_of(again)

    assert "AI voices: Robin and Rook" in again.content
    assert sorted(request["prompt_text"] for request in scene.asked) == ["Croak", "Croak", "Hello", "Hello"]


async def test_many_who_press_at_once_share_one_voice_message_that_is_fetched_and_made_once(scene: Scene):
    crowd = [scene.alice, scene.bob, *(scene.add_member(f"Member {number}") for number in range(10))]
    answer = await generated(scene)
    scene.rehearsal.cdn.served.clear()

    presses = [await choose(person, answer, "Send as voice message") for person in crowd]
    assert [await words_of(press) for press in presses] == ["Sent."] * len(crowd)

    assert len(scene.rehearsal.cdn.served) == 1
    sent = [
        message.files[0].data for message in scene.general.history if message.files and not message.content
    ]
    assert len(sent) == len(crowd)
    assert len(set(sent)) == 1


async def test_a_voice_message_of_a_voice_that_was_taken_back_is_not_remembered(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    answer = await generated(scene, voice="Bobby")
    assert await words_of(await choose(scene.alice, answer, "Send as voice message")) == "Sent."
    generation = await generation_of(scene, answer)
    assert generation is not None
    assert scene.bot.history._in_hand.voice_message(generation.id) is not None

    await scene.bot.library.consents.revoke(scene.bob.id)

    assert scene.bot.history._in_hand.voice_message(generation.id) is None
    words = await words_of(await choose(scene.alice, answer, "Send as voice message"))
    assert words == "That take's voice was deleted or withdrawn, so I can't use it."


@pytest.mark.slow
@pytest.mark.parametrize("how", ["file", "spoken"])
@pytest.mark.usefixtures("fast_playback")
async def test_after_a_restart_it_is_played_where_the_presser_sits(scene: Scene, how: str):
    answer = await (generated(scene) if how == "file" else spoken_only(scene))

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        listener = await scene.bob.join(scene.perch)
        pressed = await choose(scene.bob, answer, "Play in my channel")
        await pressed.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
        await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    assert pressed.ephemeral
    if how == "file":
        made = pcm_of_wav(await answer.files[0].read())
        assert likeness(made, listener.pcm()).correlation >= 0.95
    assert len(scene.asked) == 1


async def test_who_sits_in_no_voice_channel_is_told_to_join_one(scene: Scene):
    answer = await generated(scene)

    assert (
        await words_of(await choose(scene.bob, answer, "Play in my channel")) == "Join a voice channel first."
    )


async def test_as_voice_message_answers_the_generation_with_one(scene: Scene):
    answer = await generated(scene)

    pressed = await choose(scene.bob, answer, "Send as voice message")
    sent = await scene.general.until_message(lambda shown: shown.voice_message, timeout=DEADLINE)

    (file,) = scene.rehearsal.files_of(sent)
    assert file.seconds is not None
    assert file.seconds > 1
    assert b"AI-generated voice of Warm, for Alice" in await file.read()
    assert await words_of(pressed) == "Sent."
    assert pressed.ephemeral


async def test_a_cloned_voice_heard_once_more_is_written_down_with_who_wanted_it(scene: Scene):
    voice = await cloned(scene, scene.bob, "Bobby")
    answer = await generated(scene, voice="Bobby")
    carol = scene.rehearsal.world.add_person("Carol")
    scene.guild.add_member(carol)

    assert await words_of(await choose(carol, answer, "Send as voice message")) == "Sent."

    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    uses = (await scene.bot.library.audit.page(moderator)).entries
    assert [(use.voice_id, use.member_id) for use in uses] == [
        (voice.id, carol.id),
        (voice.id, scene.alice.id),
    ]


async def test_no_voice_message_where_the_bot_may_not_send_one(scene: Scene):
    answer = await generated(scene)
    scene.guild.deny_bot(Permission.SEND_VOICE_MESSAGES)
    await scene.rehearsal.caught_up()

    words = await words_of(await choose(scene.alice, answer, "Send as voice message"))

    assert "Send Voice Messages" in words
    assert not [message for message in scene.general.history if message.voice_message]


async def test_a_voice_message_is_no_reply_where_the_history_cannot_be_read(scene: Scene):
    answer = await generated(scene)
    scene.guild.deny_bot(Permission.READ_MESSAGE_HISTORY | Permission.ATTACH_FILES)
    await scene.rehearsal.caught_up()

    words = await words_of(await choose(scene.alice, answer, "Send as voice message"))

    sent = await scene.general.until_message(lambda shown: shown.voice_message, timeout=DEADLINE)
    assert (words, sent.reference) == ("Sent.", None)


async def test_a_voice_message_in_a_thread_needs_what_it_takes_to_write_there(scene: Scene):
    thread = scene.guild.add_thread(scene.general, "aside", scene.alice)
    scene.guild.deny_bot(Permission.SEND_MESSAGES, scene.general)
    answer = await scene.alice.slash(thread, "speak", text="Hello there", output="here")
    await file_of(answer)
    assert await words_of(await choose(scene.alice, answer, "Send as voice message")) == "Sent."

    scene.guild.deny_bot(Permission.SEND_MESSAGES_IN_THREADS, scene.general)
    words = await words_of(await choose(scene.alice, answer, "Send as voice message"))

    assert words == 'I need the permission "Send Messages in Threads" here for voice messages.'


@pytest.mark.parametrize("slow", [False, True])
async def test_a_voice_message_of_a_guest_is_the_first_response_or_a_sentence(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, slow: bool
):
    away = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    channel = away.add_text_channel("lobby")
    guest = scene.rehearsal.world.add_person("Gus", has_installed_app=True)
    away.add_member(guest)
    answer = await guest.slash(channel, "speak", text="Hello there", style="calm")
    await file_of(answer)
    if slow:
        monkeypatch.setattr(scene.bot.extensions["cogs.generation_buttons"], "_RESPONSE_SECONDS", 0.0)

    pressed = await choose(guest, answer, "Send as voice message")
    await pressed.until(lambda shown: shown.message is not None, timeout=DEADLINE)

    assert pressed.message is not None
    assert pressed.message.voice_message is not slow
    assert (pressed.content == "That took too long for a voice message here. Try again.") is slow
    menu = await menu_of(guest, answer)
    away.set_everyone_permissions(int(EVERYONE) & ~int(Permission.SEND_VOICE_MESSAGES))
    refusal = await guest.select(menu, "Choose what to do", "Send as voice message")
    assert (await words_of(refusal)).startswith("You can't send voice messages here")


async def test_no_voice_message_for_who_may_send_none(scene: Scene):
    answer = await generated(scene)
    menu = await menu_of(scene.bob, answer)
    scene.guild.set_everyone_permissions(int(EVERYONE) & ~int(Permission.SEND_VOICE_MESSAGES))
    await scene.rehearsal.caught_up()

    words = await words_of(await scene.bob.select(menu, "Choose what to do", "Send as voice message"))

    assert words == "You can't send voice messages here, so I won't either."
    assert await offered(scene.bob, answer) == ["Play in my channel"]


async def test_delete_takes_the_message_its_row_and_its_sound_away(scene: Scene):
    answer = await generated(scene)
    generation = await generation_of(scene, answer)
    assert generation is not None
    assert generation.cache_key is not None
    assert await scene.bot.synthesizer.kept(generation.cache_key) is not None

    await choose(scene.alice, answer, "Delete")
    await answer.until(lambda shown: shown.state is AnswerState.DELETED, timeout=DEADLINE)

    assert await scene.bot.library.generations.get(generation.id) is None
    assert await scene.bot.synthesizer.kept(generation.cache_key) is None


async def test_a_moderator_may_delete_what_others_asked_for(scene: Scene):
    answer = await generated(scene)
    scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, scene.bob)

    await choose(scene.bob, answer, "Delete")

    await answer.until(lambda shown: shown.state is AnswerState.DELETED, timeout=DEADLINE)


async def test_a_report_reaches_the_moderators_once(scene: Scene):
    voice = await cloned(scene, scene.bob, "Bobby")
    answer = await generated(scene, voice="Bobby")

    first = await words_of(await choose(scene.bob, answer, "Report"))
    second = await words_of(await choose(scene.bob, answer, "Report"))

    assert first.startswith("Thank you.")
    assert "already reported this voice" in second
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    (report,) = await scene.bot.library.audit.reports(moderator)
    assert (report.voice_id, report.member_id) == (voice.id, scene.alice.id)
