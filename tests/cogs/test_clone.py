from __future__ import annotations

import pytest

from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.sounds import FORMATS, HIGH, LOW, recording
from tests.scenes import DEADLINE, Scene, file_of, words_of


def _link(scene: Scene, channel_id: int, message_id: int) -> str:
    return f"https://discord.com/channels/{scene.guild.id}/{channel_id}/{message_id}"


@pytest.fixture(autouse=True)
async def cloning(scene: Scene) -> None:
    await scene.let_clone(scene.alice, scene.bob)


async def _clone(scene: Scene, **options: object) -> Answer:
    return await scene.alice.slash(scene.general, "clone", text="Say it in this voice", **options)


@pytest.mark.slow
@pytest.mark.parametrize("extension", FORMATS)
async def test_every_format_of_recording_is_spoken_after(scene: Scene, extension: str):
    sent = SentFile(f"her voice.{extension}", recording(extension, HIGH))

    answer = await _clone(scene, recording=sent)
    await file_of(answer)

    folder = "attachments" if extension in ("m4a", "webm") else "ephemeral-attachments"  # those are mended
    assert scene.asked[0]["reference_audio_url"].startswith(f"https://cdn.discordapp.com/{folder}/")
    assert f"AI voice cloned from her\\_voice\\.{extension}" in answer.content


@pytest.mark.slow
@pytest.mark.parametrize("name", ["voice.mov", "voice.3gp", "voice.mka", "voice.m4b", "voice.txt", "voice"])
async def test_a_recording_is_known_by_its_bytes_and_not_by_its_name(scene: Scene, name: str):
    await file_of(await _clone(scene, recording=SentFile(name, recording("flac", HIGH))))

    assert len(scene.asked) == 1


@pytest.mark.slow
async def test_another_recording_gives_another_voice(scene: Scene):
    low = await file_of(await _clone(scene, recording=SentFile("low.wav", recording("wav", LOW))))
    high = await file_of(await _clone(scene, recording=SentFile("high.wav", recording("wav", HIGH))))

    assert await low.read() != await high.read()


@pytest.mark.slow
async def test_the_transcript_goes_along_as_prompt_text(scene: Scene):
    sent = SentFile("low.wav", recording("wav", LOW))

    await file_of(await _clone(scene, recording=sent, transcript="ah ah ah"))

    assert scene.asked[0]["prompt_text"] == "ah ah ah"
    assert set(scene.asked[0]) == {"text", "reference_audio_url", "prompt_text"}


@pytest.mark.slow
@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_the_recording_of_a_linked_message_is_used_where_discord_shows_it(scene: Scene):
    message = await scene.alice.say(scene.general, "me", files=[SentFile("me.wav", recording("wav", LOW))])

    answer = await _clone(scene, message=_link(scene, scene.general.id, message.id))
    await file_of(answer)

    assert scene.asked[0]["reference_audio_url"].startswith("https://cdn.discordapp.com/attachments/")


@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_a_linked_message_that_discord_hides_is_told_apart_from_one_without_a_recording(scene: Scene):
    scene.rehearsal.directory.privileged_intents = 0  # taken away since the start
    message = await scene.bob.say(scene.general, files=[SentFile("me.wav", recording("wav", LOW))])

    answer = await _clone(scene, message=_link(scene, scene.general.id, message.id))

    assert await words_of(answer) == (
        "Discord doesn't show me what's in that message. "
        "Right-click the message and choose Apps, Clone this voice."
    )


@pytest.mark.slow
async def test_clone_this_voice_asks_for_the_words_in_a_form(scene: Scene):
    sent = SentFile("voice-message.ogg", recording("ogg", HIGH))
    message = await scene.alice.say(scene.general, files=[sent])

    form = await scene.alice.message_menu("Clone this voice", message)
    await form.until(lambda answer: answer.modal is not None, timeout=DEADLINE)
    assert form.modal is not None
    typed = {form.modal.labels[0]: "Words from the form", form.modal.labels[1]: "la la"}
    answer = await scene.alice.submit(form, typed)
    await file_of(answer)

    assert scene.asked[0]["text"] == "Words from the form"
    assert scene.asked[0]["prompt_text"] == "la la"


async def test_a_form_with_nothing_to_say_ends_in_a_sentence(scene: Scene):
    message = await scene.alice.say(scene.general, files=[SentFile("a.wav", recording("wav", LOW))])
    form = await scene.alice.message_menu("Clone this voice", message)
    await form.until(lambda answer: answer.modal is not None, timeout=DEADLINE)
    assert form.modal is not None

    answer = await scene.alice.submit(form, {form.modal.labels[0]: "!!!"})

    assert (await words_of(answer)).endswith(".")


async def test_clone_this_voice_on_a_message_without_recording_says_so(scene: Scene):
    message = await scene.bob.say(scene.general, "only words")

    answer = await scene.alice.message_menu("Clone this voice", message)

    assert "no recording" in await words_of(answer)


async def test_neither_file_nor_link_says_what_to_add(scene: Scene):
    assert "Add one recording" in await words_of(await _clone(scene))


async def test_a_file_that_is_no_recording_is_refused_by_its_bytes(scene: Scene):
    answer = await _clone(scene, recording=SentFile("notes.txt", b"hello"))

    assert "I can't read that kind of file" in await words_of(answer)
    assert scene.asked == []


async def test_a_text_file_with_a_recording_s_name_costs_no_call(scene: Scene):
    answer = await _clone(scene, recording=SentFile("song.mp3", b"this is not a song" * 500))

    assert "can't read any sound in it" in await words_of(answer)
    assert scene.asked == []


@pytest.mark.parametrize(
    "link",
    [
        "isn't a link",
        "https://example.com/channels/1/2/3",
        "https://discord.com/channels/123456789012345678/123456789012345678/123456789012345678",
    ],
)
@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_a_link_that_leads_elsewhere_is_refused(scene: Scene, link: str):
    answer = await _clone(scene, message=link)

    assert (await words_of(answer)).endswith(".")
    assert scene.asked == []


@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_a_link_to_a_channel_the_member_cannot_read_is_refused(scene: Scene):
    secret = scene.guild.add_text_channel("secret")
    message = await scene.bob.say(secret, files=[SentFile("a.wav", recording("wav", LOW))])
    scene.guild.set_everyone_permissions(int(EVERYONE) & ~int(Permission.VIEW_CHANNEL), secret)

    answer = await _clone(scene, message=_link(scene, secret.id, message.id))

    assert "that you can read yourself" in await words_of(answer)
    assert scene.asked == []


@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_a_link_to_a_deleted_message_says_that_it_is_gone(scene: Scene):
    message = await scene.bob.say(scene.general, files=[SentFile("a.wav", recording("wav", LOW))])
    scene.bob.delete(message)

    answer = await _clone(scene, message=_link(scene, scene.general.id, message.id))

    assert "is gone" in await words_of(answer)
