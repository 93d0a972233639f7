"""No recording of a saved voice stands where members read, however the voice is used."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.check import Finding, findings
from bot.library.voice import Kind, NewVoice, Scope, Sharing
from bot.library.withdrawal import RecordingPost
from bot.settings import Secret, Settings
from rehearsal.cdn import SentFile
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.people import Person
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.records import Message
from rehearsal.server import Rehearsal
from tests.cogs.saved_voices import WAV, cloned, designed, sent
from tests.cogs.sounds import LOW, recording
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, open_scene, until, words_of
from tts_gateway.engines.base import Engine

TEXT = "The quick brown fox jumps over the lazy dog."


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


def recordings_in(rehearsal: Rehearsal) -> list[Message]:
    """Return the messages of every server that hold the recording of a voice, deleted or not."""
    channels = (channel for guild in rehearsal.world.guilds for channel in guild.channels.values())
    messages = (message for channel in channels for message in channel.messages.values())
    return [message for message in messages if any(file.name == "voice.wav" for file in message.files)]


def sent_to(person: Person) -> list[Message]:
    return [message for message in person.dms() if any(file.name == "voice.wav" for file in message.files)]


async def use_every_voice(scene: Scene, rehearsal: Rehearsal) -> None:
    """Use voices in every way there is, each so that its recording is needed."""
    await scene.let_clone()
    unshared = await designed(scene, scene.bob, "Rook", sharing=Sharing.ME)
    agreed = await cloned(
        scene, scene.bob, "Vicky", scene.alice, sharing=Sharing.ME
    )  # "only Bob may speak with it"
    assert (unshared.sharing, agreed.sharing) == (Sharing.ME, Sharing.ME)
    for name in ("Rook", "Vicky"):
        answer = await scene.bob.slash(scene.general, "speak", text=TEXT, voice=name, output="here")
        await file_of(answer)
        assert f"AI voice: {name}" in answer.content
    await file_of(await scene.bob.slash(scene.general, "speak", text="Rook: Hello there. / Vicky: Hi, you."))
    for number in range(2):  # the server's voice, and its second use
        answer = await scene.speak(f"{TEXT} {number}", output="here")
        await file_of(answer)
    assert "AI voice: Warm" in answer.content
    private = rehearsal.world.dm(scene.bob)
    for number in range(2):
        await file_of(await scene.bob.slash(private, "speak", text=f"{TEXT} {number}"))
    carol = rehearsal.world.add_person("Carol", has_installed_app=True)
    elsewhere = rehearsal.world.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(carol)
    lounge = elsewhere.add_text_channel("lounge")
    for number in range(2):
        await file_of(await carol.slash(lounge, "speak", text=f"{TEXT} {number}"))
    assert sent_to(carol) == []
    rehearsal.cdn.link_seconds = 60  # every address is expired when it is looked at
    for number in range(2):
        await file_of(await scene.bob.slash(scene.general, "speak", text=f"Later {number}", voice="Rook"))


@pytest.mark.slow
async def test_without_a_storage_channel_they_go_silently_to_the_owner_and_once_each(scene: Scene) -> None:
    await use_every_voice(scene, scene.rehearsal)

    assert recordings_in(scene.rehearsal) == []
    assert sent_to(scene.bob) == []
    private = sent_to(scene.alice)
    assert len(private) == 3  # Rook, Vicky, and the starter, once for all servers and members
    assert all(message.silent for message in private)


async def test_the_recording_of_a_new_voice_is_posted_before_anybody_uses_it(scene: Scene) -> None:
    await designed(scene, scene.bob, "Robin")
    await until(lambda: len(sent_to(scene.alice)) == 1)

    await file_of(await scene.speak(TEXT, voice="Robin", output="here"))

    assert len(sent_to(scene.alice)) == 1


async def test_the_recording_of_a_voice_that_may_not_speak_is_not_posted(scene: Scene) -> None:
    recording = await scene.bot.library.recordings.keep(WAV)
    new = NewVoice("Unknown", Kind.CLONED, recording, 4.0, speaker_id=scene.alice.id)  # and no consent
    unknown = await scene.bot.library.voices.save(Scope(scene.guild.id, scene.bob.id), new)
    await designed(scene, scene.bob, "Robin")
    await until(lambda: len(sent_to(scene.alice)) == 1)

    assert await scene.bot.library.posts.of(unknown.id) == []


async def test_a_recording_that_could_not_be_fetched_is_posted_anew_in_private(
    scene: Scene,
) -> None:
    await designed(scene, scene.bob, "Robin")
    scene.faults.on_post(Respond(400, {"message": "reference_audio_url cannot be reached."}), None)

    await file_of(await scene.speak(TEXT, voice="Robin", output="here"))

    assert len(scene.asked) == 2
    assert recordings_in(scene.rehearsal) == []
    assert len(sent_to(scene.alice)) == 1


async def test_of_a_team_s_application_the_owner_of_the_team_gets_them(scene: Scene) -> None:
    vera, walt = (scene.rehearsal.world.add_person(name) for name in ("Vera", "Walt"))
    for person in (vera, walt):
        scene.guild.add_member(person)
    scene.rehearsal.world.give_application_to(vera, walt, team="The Keepers")
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await designed(scene, scene.bob, "Robin")

        await file_of(await scene.speak(TEXT, voice="Robin", output="here"))

    assert [len(sent_to(person)) for person in (vera, walt, scene.alice)] == [1, 0, 0]
    assert recordings_in(scene.rehearsal) == []


@pytest.mark.slow
async def test_an_owner_without_a_server_in_common_is_a_sentence_and_clone_goes_on(
    scene: Scene,
) -> None:
    stranger = scene.rehearsal.world.add_person("Stranger")
    scene.rehearsal.world.give_application_to(stranger)
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await designed(scene, scene.bob, "Robin")
        await scene.let_clone(scene.bob)

        named = await scene.speak(TEXT, voice="Robin", output="here")
        assert "need to set STORAGE_CHANNEL_ID to a private channel" in await words_of(named)
        own = SentFile("me.wav", recording("wav", LOW))
        await file_of(
            await scene.bob.slash(scene.general, "clone", text="Hello", recording=own, output="here")
        )
        await file_of(await scene.speak(TEXT, output="here"))

    assert recordings_in(scene.rehearsal) == []


async def test_a_default_voice_without_a_private_place_is_done_without(scene: Scene) -> None:
    scene.alice.refuse_dms()
    robin = await designed(scene, scene.bob, "Robin")
    moderator = Scope(scene.guild.id, scene.bob.id, is_moderator=True)
    await scene.bot.library.voices.set_default(moderator, robin.id)

    for number in range(2):
        answer = await scene.speak(f"{TEXT} {number}", output="here")
        await file_of(answer)
        assert f"AI voice · requested by {scene.alice.mention}" in answer.content

    assert [request for request in scene.asked if "reference_audio_url" in request] == []
    assert recordings_in(scene.rehearsal) == []


@pytest.mark.slow
async def test_with_our_own_tts_gateway_no_recording_is_posted_at_all(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await use_every_voice(scene, scene.rehearsal)

        assert recordings_in(scene.rehearsal) == []
        assert [sent_to(person) for person in (scene.alice, scene.bob)] == [[], []]
        assert await scene.bot.library.posts.elsewhere(None) == []


async def test_messages_that_stand_in_public_from_before_are_deleted_at_the_start(scene: Scene) -> None:
    voice = await designed(scene, scene.bob, "Robin")
    channel = scene.bot.get_partial_messageable(scene.general.id)
    sent = await channel.send("The recording of the voice Robin")
    post = RecordingPost(
        voice.id, scene.general.id, sent.id, 1, "https://cdn.discordapp.com/x", sent.created_at
    )
    await scene.bot.library.posts.remember(post)
    message = scene.general.messages[sent.id]

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await message.changes.until(
            lambda: message.deleted, timeout=DEADLINE, story=lambda: "it stands there"
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("machine", " gets it each time; it runs there too"),
        ("channel", ", which others may run, gets it each time, from a private channel"),
        ("owner", ", which others may run, gets it each time, from a private message to whoever runs me"),
    ],
)
async def test_who_is_asked_for_their_voice_reads_where_the_recording_goes(
    scene: Scene, way: str, words: str
) -> None:
    vault = scene.guild.add_text_channel("vault")
    settings = {
        "machine": replace(scene.settings, tts_base_url=None),
        "channel": replace(scene.settings, storage_channel_id=vault.id),
        "owner": scene.settings,
    }[way]
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        await scene.let_clone(scene.alice)

        await scene.alice.slash(scene.general, "clone", text="Hello", recording=sent(), speaker=scene.bob)
        question = await scene.general.until_message(
            lambda message: "would like to save your voice" in message.content, timeout=DEADLINE
        )

    assert (
        "- Where the recording goes: it is kept on the machine that I run on. "
        f"The service that makes the speech{words}.\n"
    ) in question.content


async def about_recordings(scene: Scene, settings: Settings) -> list[Finding]:
    token = Secret(scene.rehearsal.token)
    settings = replace(settings, discord_token=token)
    found = findings(settings, connector=scene.rehearsal.connector())
    return [
        finding async for finding in found if "recordings" in finding.what and "decoder" not in finding.what
    ]


@pytest.mark.slow
async def test_check_says_which_way_recordings_go(scene: Scene) -> None:
    vault = scene.guild.add_text_channel("vault")
    own = replace(scene.settings, tts_base_url=None)
    storage = replace(scene.settings, storage_channel_id=vault.id)

    (machine,) = await about_recordings(scene, own)
    (owner,) = await about_recordings(scene, scene.settings)
    (read_by_all,) = await about_recordings(scene, storage)
    scene.guild.set_everyone_permissions(EVERYONE & ~Permission.VIEW_CHANNEL, vault)
    scene.guild.deny_bot(Permission.ATTACH_FILES, vault)
    (no_files,) = await about_recordings(scene, storage)
    scene.guild.deny_bot(0, vault)
    (channel,) = await about_recordings(scene, storage)
    (gone,) = await about_recordings(scene, replace(storage, storage_channel_id=12345))

    assert machine.fine
    assert "our own TTS gateway on this machine" in machine.what
    assert owner.fine
    assert "the owner of this bot, alice, as silent direct messages" in owner.what
    assert not read_by_all.fine
    assert "@everyone can read the channel" in read_by_all.what
    assert not no_files.fine
    assert "I need: Attach Files" in no_files.what
    assert channel.fine
    assert not gone.fine
    assert "doesn't exist" in gone.what
    assert all(finding.cure for finding in (read_by_all, no_files, gone))


async def test_check_counts_the_messages_that_could_not_be_deleted(scene: Scene) -> None:
    posts = scene.bot.library.posts
    now = datetime.now(UTC)
    for message_id, tries in ((1, 1), (2, 12), (3, 12)):
        await posts.remember(RecordingPost("gone", 5, message_id, 0, "", now))
        for _ in range(tries):
            await posts.not_deleted(message_id, now)

    found = [finding for finding in await about_recordings(scene, scene.settings) if "delete" in finding.what]

    assert [finding.what.rpartition(" ")[2] for finding in found] == ["1", "2"]
    assert all(finding.fine for finding in found)


class Told(logging.Handler):
    """Is set once a line with ``words`` was logged."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self.told = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self.told.set()


async def test_a_storage_channel_that_everyone_reads_is_told_at_the_start(scene: Scene) -> None:
    vault = scene.guild.add_text_channel("vault")
    settings = replace(scene.settings, storage_channel_id=vault.id)
    logger, told = logging.getLogger("bot.delivery.reference_uploads"), Told("@everyone can read the channel")
    logger.addHandler(told)
    try:
        async with restarted(scene.bot, settings, scene.rehearsal) as bot, asyncio.timeout(DEADLINE):
            scene.bot = bot
            await told.told.wait()
    finally:
        logger.removeHandler(told)
