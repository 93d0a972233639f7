"""/voice save: one's own voice, somebody else's, and everything that can be wrong with a recording."""

from __future__ import annotations

import io
import shutil
import sqlite3
import wave

import pytest

from bot.library.voice import Kind, NewVoice, Scope, Sharing
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.records import Message
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.saved_voices import SISTER, designed, known_to, sent
from tests.cogs.sounds import recording, speech_of
from tests.scenes import DEADLINE, Scene, file_of, typed, words_of

SPEECH = speech_of(SISTER)


def kept(scene: Scene) -> list[str]:
    return scene.recordings


async def saved(scene: Scene, name: str = "Sister"):
    return await scene.bot.library.voices.find(Scope(scene.guild.id, scene.alice.id), name)


@pytest.mark.slow
async def test_a_moderator_settles_everything_with_two_presses_and_has_a_voice(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    command = await typed(scene.alice, scene.general, "voice save", name="Sister", recording=sent())

    accepted = await scene.alice.press(command, "Accept, and turn cloning on")
    await accepted.settled(timeout=DEADLINE)
    pressed = await scene.alice.press(accepted, "This is my own voice")

    words = await words_of(pressed)
    assert words.startswith("Saved as **Sister**, from ")
    assert "Type /speak with voice: Sister. Only you can use it" in words
    assert pressed.ephemeral
    voice = await saved(scene)
    assert (voice.kind, voice.owner_id, voice.speaker_id) == (Kind.CLONED, scene.alice.id, scene.alice.id)
    assert await scene.bot.library.consents.permission_error(voice, scene.guild.id) is None


async def test_the_answer_says_what_the_doctor_found_and_did(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    silence = bytes(2 * 48_000 * 3)
    sound = SentFile("me.wav", recording("wav", silence + SPEECH[: 2 * 48_000 * 3]))

    answer = await typed(
        scene.alice,
        scene.general,
        "voice save",
        name="Me",
        recording=sound,
        transcript="Ah",
        share_with="server",
    )

    assert "s of silence from the start." in answer.content
    assert "It has only" in answer.content
    assert "Everybody here can use it" in answer.content
    found = await saved(scene, "me")
    assert (found.transcript, found.sharing) == ("Ah", Sharing.SERVER)


async def test_somebody_else_is_asked_and_their_yes_saves_it_under_that_name(scene: Scene) -> None:
    await scene.let_clone()

    answer = await typed(
        scene.alice,
        scene.general,
        "voice save",
        name="Bobby",
        recording=sent(),
        speaker=scene.bob,
        share_with="server",
    )
    question = await scene.general.until_message(lambda shown: "I agree" in shown.buttons)
    await (await scene.bob.press(question, "I agree")).until(
        lambda _: "agreed to **Bobby**" in question.content, timeout=DEADLINE
    )

    assert "I've asked" in answer.content
    assert "everybody in this server" in question.content or "agreed" in question.content
    found = await saved(scene, "Bobby")
    assert (found.speaker_id, found.owner_id, found.sharing) == (
        scene.bob.id,
        scene.alice.id,
        Sharing.SERVER,
    )


@pytest.mark.slow
@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_nobody_names_themselves_for_somebody_else_s_message(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    message = await scene.bob.say(scene.general, "me", files=[sent()])
    link = f"https://discord.com/channels/{scene.guild.id}/{scene.general.id}/{message.id}"

    answer = await typed(
        scene.alice, scene.general, "voice save", name="Bobby", message=link, speaker=scene.alice
    )

    assert f"I've asked {scene.bob.mention}" in answer.content


async def save_form(scene: Scene, message: Message) -> Answer:
    """Return the form that Alice's menu on ``message`` opens."""
    form = await scene.alice.message_menu("Save this voice", message)
    return await form.until(lambda shown: shown.modal is not None, timeout=DEADLINE)


async def test_save_this_voice_keeps_the_recording_in_a_message_of_one_s_own(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    message = await scene.alice.say(scene.general, files=[sent()])
    form = await save_form(scene, message)

    answer = await scene.alice.submit(
        form,
        {
            "Name": "Harbour",
            "What is said in the recording?": " la la ",
            "Who may use it?": "everyone here",
        },
    )

    assert (await words_of(answer)).startswith("Saved as **Harbour**, from ")
    assert answer.ephemeral
    found = await saved(scene, "Harbour")
    assert (found.transcript, found.sharing, found.speaker_id) == ("la la", Sharing.SERVER, scene.alice.id)


async def test_save_this_voice_asks_whose_recording_it_is_as_voice_save_does(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    message = await scene.bob.say(scene.general, files=[sent()])

    answer = await scene.alice.submit(await save_form(scene, message), {"Name": "Bobby"})
    words = await words_of(answer)
    question = await scene.general.until_message(lambda shown: "I agree" in shown.buttons)
    await scene.bob.press(question, "I agree")
    await question.changes.until(
        lambda: "agreed to **Bobby**" in question.content, timeout=DEADLINE, story=lambda: question.content
    )

    assert words.startswith(f"I've asked {scene.bob.mention}")
    found = await saved(scene, "Bobby")
    assert (found.speaker_id, found.owner_id, found.sharing) == (scene.bob.id, scene.alice.id, Sharing.ME)


async def test_save_this_voice_of_a_forward_asks_who_sent_it_first(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    original = await scene.bob.say(scene.general, files=[sent()])
    forward = scene.alice.forward(original, scene.general)

    answer = await scene.alice.submit(await save_form(scene, forward), {"Name": "Bobby"})

    assert f"I've asked {scene.bob.mention}" in await words_of(answer)


async def test_save_this_voice_refuses_what_voice_save_does_and_before_a_form_what_it_can(
    scene: Scene,
) -> None:
    await designed(scene, scene.bob, "Taken")
    await scene.let_clone(scene.alice)
    await scene.bot.library.consents.never_clone(scene.bob.id, True)
    mine = await scene.alice.say(scene.general, files=[sent()])
    his = await scene.bob.say(scene.general, files=[sent()])
    words = await scene.bob.say(scene.general, "only words")

    taken = await scene.alice.submit(await save_form(scene, mine), {"Name": "Taken"})
    never = await scene.alice.submit(await save_form(scene, his), {"Name": "Bobby"})
    nothing = await scene.alice.message_menu("Save this voice", words)

    assert "already used here" in await words_of(taken)
    assert await words_of(never) == "That member doesn't want to be cloned."
    assert "no recording" in await words_of(nothing)


@pytest.mark.slow
async def test_save_this_voice_works_where_only_the_member_has_the_app(scene: Scene) -> None:
    guest = scene.rehearsal.world.add_person("Gus", has_installed_app=True)
    chat = scene.rehearsal.world.add_private_chat(guest, scene.bob)
    message = await guest.say(chat, files=[sent()])
    form = await guest.message_menu("Save this voice", message)
    await form.until(lambda shown: shown.modal is not None, timeout=DEADLINE)

    asked = await guest.submit(form, {"Name": "Mine"})
    await words_of(asked)
    pressed = await guest.press(asked, "This is my own voice")

    assert (await words_of(pressed)).startswith("Saved as **Mine**")
    assert await scene.bot.library.voices.find(Scope.alone(guest.id), "mine")


async def test_voice_save_with_nothing_to_save_says_which_menu_takes_a_message(scene: Scene) -> None:
    nothing = await typed(scene.alice, scene.general, "voice save", name="Me")
    nobody = await typed(scene.alice, scene.general, "voice save", name="Me", speaker=scene.bob)

    for answer in (nothing, nobody):
        assert answer.content.endswith("choose Apps, Save this voice.")


async def test_outside_servers_it_is_on_a_shelf_of_one_s_own(scene: Scene) -> None:
    dm = scene.rehearsal.world.dm(scene.alice)
    command = await typed(scene.alice, dm, "voice save", name="Mine", recording=sent())
    pressed = await scene.alice.press(command, "This is my own voice")

    assert (await words_of(pressed)).startswith("Saved as **Mine**")
    assert await scene.bot.library.voices.find(Scope.alone(scene.alice.id), "mine")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (SentFile("a.wav", recording("wav", SPEECH[:19_200])), "s of speech"),
        (SentFile("song.mp3", b"this is not a song" * 500), "ends in .mp3, but"),
        (SentFile("notes.txt", b"hello"), "can't read that kind of file"),
        (SentFile("silence.wav", recording("wav", bytes(2 * 48_000 * 5))), "."),
        (SentFile("empty.wav", b""), "."),
    ],
    ids=["a fifth of a second", "a text called mp3", "a text", "silence", "nothing"],
)
async def test_what_cannot_become_a_voice_is_one_sentence_and_leaves_nothing(
    scene: Scene, file: SentFile, words: str
) -> None:
    await scene.let_clone(scene.alice)

    answer = await typed(scene.alice, scene.general, "voice save", name="Me", recording=file)

    assert words in answer.content
    assert answer.content.endswith(".")
    assert "Saved" not in answer.content
    assert kept(scene) == []
    assert await known_to(scene, scene.alice) == []


@pytest.mark.slow
async def test_hours_of_talk_are_too_much_and_the_cure_is_said(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    telephone = SPEECH[1::12] * 60  # of each sixth sample the upper half
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 1, 8_000, 0, "NONE", ""))
        file.writeframes(bytes((byte + 128) % 256 for byte in telephone))

    answer = await typed(
        scene.alice,
        scene.general,
        "voice save",
        name="Me",
        recording=SentFile("talk.wav", buffer.getvalue()),
    )

    assert "longer than 5 minutes" in answer.content
    assert kept(scene) == []


async def test_a_taken_name_is_said_before_anything_is_downloaded(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    await designed(scene, scene.bob, "Sister", sharing=Sharing.SERVER)
    before = len(kept(scene))

    for name, words in (
        ("ＳISTER", "is already used here."),
        ("Ѕister", "looks like one that is already used"),
    ):
        answer = await typed(scene.alice, scene.general, "voice save", name=name, recording=sent())
        assert words in answer.content
    assert len(kept(scene)) == before


async def test_a_private_voice_is_not_betrayed_by_its_name(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    await scene.bot.library.voices.save(
        Scope(scene.guild.id, scene.bob.id),
        NewVoice("Sister", Kind.DESIGNED, await scene.bot.library.recordings.keep(b"RIFF"), 4.0),
    )

    answer = await typed(scene.alice, scene.general, "voice save", name="Sister", recording=sent())

    assert answer.content.startswith("Saved as **Sister**")
    assert (await saved(scene)).owner_id == scene.alice.id


async def test_a_name_that_cannot_be_one_is_refused(scene: Scene) -> None:
    await scene.let_clone(scene.alice)

    answer = await typed(scene.alice, scene.general, "voice save", name="a:b", recording=sent())

    assert answer.content == ("That name has characters I can't use. Use letters, digits, spaces and emoji.")


@pytest.mark.slow
async def test_a_locked_database_is_one_sentence_and_nothing_is_half_saved(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    other = sqlite3.connect(scene.settings.data_dir / "myna.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    answer = await scene.alice.slash(scene.general, "voice save", name="Sister", recording=sent())
    words = await words_of(answer)
    other.execute("ROLLBACK")
    other.close()

    assert words == "My database is busy right now. Nothing was changed. Try again in a minute."
    assert await known_to(scene, scene.alice) == []
    again = await typed(scene.alice, scene.general, "voice save", name="Sister", recording=sent())
    assert again.content.startswith("Saved as **Sister**")


async def test_a_disk_where_nothing_can_be_written_is_one_sentence(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    folder = scene.settings.data_dir / "recordings"
    shutil.rmtree(folder)
    folder.write_bytes(b"in the way")

    answer = await typed(scene.alice, scene.general, "voice save", name="Sister", recording=sent())

    assert answer.content == (
        "I can't reach my database right now. Nothing was changed. Try again in a minute."
    )
    assert await known_to(scene, scene.alice) == []


async def test_many_presses_at_once_save_one_voice(scene: Scene) -> None:
    await scene.let_clone(scene.alice)

    answers = [
        await scene.alice.slash(scene.general, "voice save", name="Sister", recording=sent())
        for _ in range(3)
    ]

    words = [await words_of(answer) for answer in answers]
    assert len([one for one in words if one.startswith("Saved")]) == 1
    assert len(kept(scene)) == 1


async def test_without_a_recording_it_is_the_last_generation(scene: Scene) -> None:
    said = "Good evening, everybody, and welcome back."
    await file_of(await scene.speak(said, style="an old man", output="here"))

    answer = await typed(scene.alice, scene.general, "voice save", name="Old Jack")

    assert answer.content.startswith("Saved as **Old Jack**, from ")
    voice = await scene.bot.library.voices.find(Scope(scene.guild.id, scene.alice.id), "Old Jack")
    assert voice.transcript == said
    assert voice.description == "an old man"


async def test_without_a_recording_and_a_generation_it_says_what_to_add(scene: Scene) -> None:
    await file_of(await scene.speak("This is Alice's, not Bob's.", output="here"))

    answer = await typed(scene.bob, scene.general, "voice save", name="Old Jack")

    assert answer.content.startswith("I have no recent take of yours")
