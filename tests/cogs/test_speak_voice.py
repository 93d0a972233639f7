"""/speak in saved voices: named, chosen, the server's, or made by the first generation; and dialogues."""

from __future__ import annotations

import pytest

from bot.library.audit import Use
from bot.library.consent_rules import POLICY_VERSION
from bot.library.voice import Scope, Sharing
from rehearsal.answers import AnswerState
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.permissions import Permission
from rehearsal.stage import pcm_of_wav
from tests.cogs.generations import choose, offered
from tests.cogs.saved_voices import chosen, cloned, designed
from tests.fakes.babble_engine import BabbleEngine
from tests.library.shelves import voice_for
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.base import Engine

TEXT = "The quick brown fox jumps over the lazy dog."
NO_SUCH = "There's no voice with that name here."


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


async def uses(scene: Scene) -> list[Use]:
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    return list((await scene.bot.library.audit.page(moderator)).entries)


async def test_a_named_voice_is_cloned_from_its_recording_and_named_in_answer_and_file(scene: Scene):
    await designed(scene, scene.bob, "Robin")

    answer = await scene.speak(TEXT, voice="robin", output="here")
    data = await (await file_of(answer)).read()

    assert f"AI voice: Robin · requested by {scene.alice.mention} · " in answer.content
    assert b"AI-generated voice of Robin, for Alice" in data
    (request,) = scene.asked
    assert request["prompt_text"] == "Hello"
    assert request["reference_audio_url"].startswith("https://cdn.discordapp.com/")


async def test_the_same_words_of_the_same_voice_cost_nothing_the_second_time(scene: Scene):
    await designed(scene, scene.bob, "Robin")

    first = await file_of(await scene.speak(TEXT, voice="Robin", output="here"))
    again = await file_of(await scene.speak(TEXT, voice="Robin", output="here"))

    assert pcm_of_wav(await again.read()) == pcm_of_wav(await first.read())
    assert len(scene.asked) == 1


async def test_what_is_typed_completes_to_voices_the_member_may_use(scene: Scene):
    robin = await designed(scene, scene.bob, "Robin")
    await designed(scene, scene.bob, "Rook", sharing=Sharing.ME)

    proposed = await scene.alice.autocomplete(scene.general, "speak", "voice", "rob", text="Hi")

    assert proposed == [("Robot · flat and mechanical", "starter-robot"), ("Robin", robin.id)]


async def test_a_missing_and_a_hidden_voice_get_the_same_answer_and_cost_nothing(scene: Scene):
    hidden = await designed(scene, scene.bob, "Rook", sharing=Sharing.ME)

    answers = [await words_of(await scene.speak(TEXT, voice=name)) for name in ("Rook", hidden.id, "Nobody")]

    assert len(set(answers)) == 1
    assert answers[0].startswith(NO_SUCH)
    assert scene.asked == []


async def test_my_choice_comes_before_the_server_s_voice(scene: Scene):
    robin = await designed(scene, scene.bob, "Robin")
    rook = await designed(scene, scene.bob, "Rook")
    moderator = Scope(scene.guild.id, scene.bob.id, is_moderator=True)
    await scene.bot.library.voices.set_default(moderator, robin.id)
    await chosen(scene, rook, scene.alice)

    mine = await scene.speak(TEXT, output="here")
    await file_of(mine)
    others = await scene.bob.slash(scene.general, "speak", text=TEXT, output="here")
    await file_of(others)

    assert "AI voice: Rook" in mine.content
    assert "AI voice: Robin" in others.content


async def test_a_style_is_another_voice_and_never_becomes_the_default(scene: Scene):
    answer = await scene.speak(TEXT, style="an old man", output="here")
    await file_of(answer)

    assert f"AI voice · requested by {scene.alice.mention}" in answer.content
    assert await voice_for(scene.bot.library.voices, Scope(scene.guild.id, scene.alice.id)) is None


async def test_where_no_recording_can_be_posted_it_is_spoken_without_a_voice(scene: Scene):
    scene.alice.refuse_dms()  # the application is hers
    await file_of(await scene.speak(TEXT, output="here"))

    for text in ("Something that was never said.", "And something else."):
        answer = await scene.speak(text, output="here")
        await file_of(answer)

        assert f"AI voice · requested by {scene.alice.mention}" in answer.content


async def test_speak_this_is_in_the_member_s_own_voice(scene: Scene):
    robin = await designed(scene, scene.bob, "Robin")
    await chosen(scene, robin, scene.alice)
    message = await scene.bob.say(scene.general, TEXT)

    answer = await scene.alice.message_menu("Speak this", message)
    await file_of(answer)

    assert f"AI voice: Robin · requested by {scene.alice.mention}" in answer.content


async def test_a_dialogue_is_one_sound_with_each_voice(scene: Scene):
    await designed(scene, scene.bob, "Robin", transcript="Hello")
    await designed(scene, scene.bob, "Rook", transcript="Croak")

    answer = await scene.speak("Robin: Hello there, my friend. / rook: Hi, how are you?", output="here")
    await file_of(answer)

    assert f"AI voices: Robin and Rook · requested by {scene.alice.mention}" in answer.content
    said = {request["prompt_text"]: request["text"] for request in scene.asked}
    assert said == {"Hello": "Hello there, my friend.", "Croak": "Hi, how are you?"}


async def test_a_stranger_in_a_dialogue_is_named(scene: Scene):
    await designed(scene, scene.bob, "Robin")

    answer = await scene.speak("Robin: Hello there. / Mallory: Hi.")

    assert "There's no voice called Mallory here." in await words_of(answer)
    assert scene.asked == []


async def test_every_generation_of_a_cloned_voice_is_written_down_without_its_words(scene: Scene):
    voice = await cloned(scene, scene.bob, "Bobby")

    answer = await scene.speak(TEXT, voice="Bobby", output="here")
    await file_of(answer)

    (use,) = await uses(scene)
    assert (use.voice_id, use.member_id) == (voice.id, scene.alice.id)
    assert answer.message is not None
    assert (use.channel_id, use.message_id) == (scene.general.id, answer.message.id)
    assert use.seconds > 1
    assert TEXT not in repr(use)
    kept = await scene.bot.library.voices.unscoped(voice.id)
    assert kept is not None
    assert kept.uses == 1


async def test_what_was_heard_before_it_was_stopped_is_written_down_too(scene: Scene):
    voice = await cloned(scene, scene.bob, "Bobby")
    listener = await scene.alice.join(scene.perch)
    hold = Hold()
    scene.faults.on_post(None, None)
    scene.faults.every_post = hold
    answer = await scene.speak(" ".join([TEXT] * 8), voice="Bobby", output="voice channel")
    await listener.wait_for_speech(timeout=DEADLINE)

    await words_of(await scene.alice.slash(scene.general, "stop"))
    assert await words_of(answer) == "Stopped."
    hold.released.set()

    (use,) = await uses(scene)
    assert (use.voice_id, use.member_id) == (voice.id, scene.alice.id)


async def test_a_designed_voice_is_counted_and_not_written_down(scene: Scene):
    voice = await designed(scene, scene.bob, "Robin")

    await file_of(await scene.speak(TEXT, voice="Robin", output="here"))

    assert await uses(scene) == []
    kept = await scene.bot.library.voices.unscoped(voice.id)
    assert kept is not None
    assert kept.uses == 1


async def test_a_voice_message_is_sent_with_its_waveform_and_the_answer_says_whose_it_is(scene: Scene):
    answer = await scene.speak(TEXT, output="voice message")
    sent = await scene.general.until_message(lambda shown: shown.voice_message, timeout=DEADLINE)
    await answer.until(lambda shown: "AI voice" in shown.content, timeout=DEADLINE)

    (file,) = scene.rehearsal.files_of(sent)
    assert file.seconds is not None
    assert file.seconds > 1
    assert file.waveform
    assert b"AI-generated voice of Warm, for Alice" in await file.read()
    assert answer.buttons[0] == "Again"
    assert not answer.files


async def test_without_the_permission_a_voice_message_becomes_a_file_with_a_reason(scene: Scene):
    scene.guild.deny_bot(Permission.SEND_VOICE_MESSAGES)
    await scene.rehearsal.caught_up()

    answer = await scene.speak(TEXT, output="voice message")
    await file_of(answer)

    assert '"Send Voice Messages" here for voice messages, so here is the file.' in answer.content


async def test_in_direct_messages_a_voice_message_is_one(scene: Scene):
    private = scene.rehearsal.world.dm(scene.alice)

    answer = await scene.alice.slash(private, "speak", text=TEXT, output="voice message")
    await private.until_message(lambda shown: shown.voice_message, timeout=DEADLINE)
    await answer.until(lambda shown: "AI voice" in shown.content, timeout=DEADLINE)

    assert not answer.files
    assert await offered(scene.alice, answer) == ["Send as voice message", "Delete"]


async def test_where_only_the_member_has_the_app_a_voice_message_is_a_press_away(scene: Scene):
    guest = scene.rehearsal.world.add_person("Gus", has_installed_app=True)
    private = scene.rehearsal.world.add_private_chat(guest, scene.bob)

    answer = await guest.slash(private, "speak", text=TEXT, output="voice message")
    await file_of(answer)
    pressed = await choose(guest, answer, "Send as voice message")
    await pressed.until(lambda shown: bool(shown.files), timeout=DEADLINE)

    assert "only send voice messages from More…, so here is the file." in answer.content
    assert pressed.message is not None and pressed.message.voice_message
    (callback,) = [one for one in scene.rehearsal.requests if one.path.endswith("/callback") and one.files]
    assert (callback.json["type"], callback.files[0].part_type) == (4, "audio/ogg")


async def test_speak_this_in_a_voice_asks_for_one_of_those_the_member_may_use(scene: Scene):
    await designed(scene, scene.bob, "Robin")
    await designed(scene, scene.bob, "Rook", sharing=Sharing.ME)
    message = await scene.bob.say(scene.general, TEXT)

    menu = await scene.alice.message_menu("Speak this in a voice", message)
    assert await words_of(menu) == "Which voice should say this?"
    assert menu.ephemeral
    answer = await scene.alice.select(menu, "Choose a voice", "Robin")
    await file_of(answer)

    assert f"AI voice: Robin · requested by {scene.alice.mention}" in answer.content
    assert not answer.ephemeral
    assert menu.state is AnswerState.DELETED


async def test_a_voice_that_goes_while_its_menu_is_open_is_refused(scene: Scene):
    robin = await designed(scene, scene.bob, "Robin")
    message = await scene.bob.say(scene.general, TEXT)
    menu = await scene.alice.message_menu("Speak this in a voice", message)
    await words_of(menu)
    await scene.bot.library.voices.delete(Scope(scene.guild.id, scene.bob.id), robin.id)

    answer = await scene.alice.select(menu, "Choose a voice", "Robin")

    assert "There's no voice with that name here." in await words_of(answer)
    assert scene.asked == []


async def test_who_takes_no_direct_messages_is_heard_in_a_starter_voice_elsewhere(scene: Scene):
    carol = scene.rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    lounge = elsewhere.add_text_channel("lounge")
    await file_of(await carol.slash(lounge, "speak", text=TEXT))
    carol.refuse_dms()

    again = await carol.slash(lounge, "speak", text="And now something else.")
    await file_of(again)

    assert f"AI voice: Warm · requested by {carol.mention}" in again.content
    assert not [message for message in carol.dms() if message.files]


async def test_a_voice_that_nobody_named_is_passed_over_when_it_may_not_speak(scene: Scene) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    await scene.bot.library.voices.set_default(moderator, voice.id)
    await scene.bot.library.settings.set_cloning(moderator, False, policy=POLICY_VERSION)

    answer = await scene.speak("Good morning")
    await file_of(answer)

    assert "AI voice: Warm" in answer.content


async def test_a_named_voice_that_may_not_speak_is_refused_where_only_the_asker_reads_it(
    scene: Scene,
) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    await scene.bot.library.settings.set_cloning(moderator, False, policy=POLICY_VERSION)

    answer = await scene.speak("Good morning", voice=voice.name)

    assert (
        await words_of(answer) == "Cloning is off in this server. A moderator can turn it on: /myna cloning."
    )
    assert answer.ephemeral
    assert scene.asked == []
