"""The recordings of saved voices in Discord: in private, with addresses that stay good."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import pytest

from bot.conditions import storage_problem
from bot.delivery.reference_uploads import REST_SECONDS, ReferencePosts, seconds_left
from bot.errors import NoRecordingPlaceError
from bot.library.tables import ChannelToSearchRow
from bot.library.voice import Kind, NewVoice, Scope
from bot.library.withdrawal import MAX_TRIES, Post, RecordingPost, Undeleted
from bot.models import RecordingPlace, SpokenVoice
from rehearsal.cdn import SentFile
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Channel, Message
from rehearsal.rest.call import Misbehaviour
from tests.scenes import Scene

WAV = RECORDINGS[1].path.read_bytes()


class Shelf:
    """A saved voice of Alice's, to whom the application belongs, and how its recording is given."""

    def __init__(self, scene: Scene, voice: SpokenVoice) -> None:
        self.scene = scene
        self.voice = voice
        self.vault = scene.guild.add_text_channel("vault")
        self.now = datetime.now(UTC)
        self.posts = self.placing(RecordingPlace.OWNER)

    def placing(self, place: RecordingPlace, channel: Channel | None = None) -> ReferencePosts:
        library, storage = self.scene.bot.library, None if channel is None else channel.id
        return ReferencePosts(
            self.scene.bot,
            library.posts,
            library.recordings,
            place=place,
            storage_channel_id=storage,
            now=lambda: self.now,
        )

    async def address(self) -> str:
        return (await self.posts.reference(self.voice)).url

    async def post_in_public(self) -> Message:
        """Post the recording in #general, as the bot did before it had a private place."""
        channel = self.scene.bot.get_partial_messageable(self.scene.general.id)
        sent = await channel.send("The recording", file=discord.File(RECORDINGS[1].path, "voice.wav"))
        url = sent.attachments[0].url
        post = RecordingPost(
            self.voice.id, self.scene.general.id, sent.id, sent.attachments[0].id, url, self.now
        )
        await self.scene.bot.library.posts.remember(post)
        return self.scene.general.messages[sent.id]

    def in_private(self) -> list[Message]:
        return [message for message in self.scene.alice.dms() if message.files]

    def in_servers(self) -> list[Message]:
        guilds = self.scene.rehearsal.world.guilds
        channels = (channel for guild in guilds for channel in guild.channels.values())
        return [message for channel in channels for message in channel.history if message.files]


@pytest.fixture
async def shelf(scene: Scene) -> Shelf:
    library = scene.bot.library
    scene.bot.reference_posts.place = RecordingPlace.THIS_MACHINE  # it posts nothing beside the shelf
    names = ("reference-posts", "new-voices")
    beside = [task for task in asyncio.all_tasks() if task.get_name() in names]
    for task in beside:  # and it deletes nothing of the shelf's, whose place is another
        task.cancel()
    await asyncio.wait(beside)
    recording = await library.recordings.keep(WAV)
    new = NewVoice("Sister", Kind.DESIGNED, recording, seconds=4.0, transcript="Hello")
    saved = await library.voices.save(Scope(scene.guild.id, scene.alice.id), new)
    shelf = Shelf(scene, SpokenVoice(saved.id, saved.name, saved.recording, saved.transcript))
    await scene.rehearsal.caught_up()
    return shelf


def missing_access(method: str, path_part: str) -> Misbehaviour:
    return Misbehaviour(method, path_part, 403, {"code": 50001, "message": "Missing Access"})


async def fetched(scene: Scene, url: str) -> bytes | int:
    async with (
        aiohttp.ClientSession(connector=scene.rehearsal.connector()) as session,
        session.get(url) as got,
    ):
        return await got.read() if got.status == 200 else got.status


async def test_the_recording_goes_to_the_owner_silently_once_and_its_address_is_used_again(
    shelf: Shelf,
) -> None:
    first = await shelf.posts.reference(shelf.voice)
    again = await shelf.posts.reference(shelf.voice)

    assert first == again
    assert first.transcript == "Hello"
    assert await fetched(shelf.scene, first.url) == WAV
    (message,) = shelf.in_private()
    assert message.silent
    assert message.embeds == []
    assert shelf.in_servers() == []


async def test_many_who_need_it_at_once_get_one_upload(shelf: Shelf) -> None:
    addresses = await asyncio.gather(*(shelf.address() for _ in range(8)))

    assert len(set(addresses)) == 1
    assert len(shelf.in_private()) == 1


async def test_with_a_storage_channel_it_goes_there_and_not_to_the_owner(shelf: Shelf) -> None:
    shelf.posts = shelf.placing(RecordingPlace.STORAGE_CHANNEL, shelf.vault)

    url = await shelf.address()

    assert await fetched(shelf.scene, url) == WAV
    assert [message.channel_id for message in shelf.in_servers()] == [shelf.vault.id]
    assert shelf.in_private() == []


async def test_our_own_tts_gateway_gets_the_bytes_and_nothing_is_posted(shelf: Shelf) -> None:
    shelf.posts = shelf.placing(RecordingPlace.THIS_MACHINE)

    given = [await shelf.posts.reference(shelf.voice), await shelf.posts.renew(shelf.voice)]

    assert [one.wav for one in given] == [WAV, WAV]
    assert not [one for one in given if "://" in one.url]
    assert [request for request in shelf.scene.rehearsal.requests if request.files] == []


async def test_an_expired_address_is_replaced_by_looking_at_the_message_again(shelf: Shelf) -> None:
    shelf.scene.rehearsal.cdn.link_seconds = 60
    first = await shelf.address()
    shelf.scene.rehearsal.cdn.link_seconds = 86_400

    fresh = await shelf.address()

    assert fresh != first
    assert await fetched(shelf.scene, fresh) == WAV
    assert len(shelf.in_private()) == 1


async def test_a_deleted_message_costs_a_new_upload_and_no_voice(shelf: Shelf) -> None:
    shelf.posts = shelf.placing(RecordingPlace.STORAGE_CHANNEL, shelf.vault)
    shelf.scene.rehearsal.cdn.link_seconds = 60
    await shelf.address()
    (post,) = shelf.in_servers()
    shelf.scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, shelf.scene.alice)
    shelf.scene.alice.delete(post)

    fresh = await shelf.address()

    assert await fetched(shelf.scene, fresh) == WAV


async def test_a_message_that_cannot_be_seen_any_more_goes_once_there_is_a_new_one(
    shelf: Shelf,
) -> None:
    shelf.posts = shelf.placing(RecordingPlace.STORAGE_CHANNEL, shelf.vault)
    shelf.scene.rehearsal.cdn.link_seconds = 60
    await shelf.address()
    (before,) = shelf.in_servers()
    shelf.scene.guild.deny_bot(Permission.READ_MESSAGE_HISTORY, shelf.vault)

    await shelf.address()

    (after,) = shelf.in_servers()
    assert after.id != before.id


async def test_a_replaced_message_that_cannot_be_deleted_is_deleted_later(
    shelf: Shelf,
) -> None:
    shelf.posts = shelf.placing(RecordingPlace.STORAGE_CHANNEL, shelf.vault)
    await shelf.address()
    (before,) = shelf.in_servers()
    shelf.scene.rehearsal.misbehave(missing_access("DELETE", f"/messages/{before.id}"))

    fresh = (await shelf.posts.renew(shelf.voice)).url
    assert len(shelf.in_servers()) == 2
    assert await shelf.address() == fresh
    assert await shelf.scene.bot.library.posts.undeleted() == Undeleted(waiting=1, given_up=0)
    await shelf.posts.delete_orphans()  # too early
    assert len(shelf.in_servers()) == 2
    shelf.now += timedelta(hours=1)
    await shelf.posts.delete_orphans()

    (left,) = shelf.in_servers()
    assert left.id != before.id
    assert await shelf.address() == fresh


async def test_renewing_posts_it_anew_and_takes_the_old_message_away(shelf: Shelf) -> None:
    first = await shelf.address()

    fresh = (await shelf.posts.renew(shelf.voice)).url

    assert fresh != first
    assert await fetched(shelf.scene, fresh) == WAV
    assert len(shelf.in_private()) == 1
    assert await shelf.address() == fresh


async def test_orphans_in_a_channel_out_of_reach_are_not_tried_at_every_withdrawal(shelf: Shelf) -> None:
    library = shelf.scene.bot.library
    for number in range(10):
        orphan = RecordingPost("gone", shelf.scene.general.id, 100 + number, 0, "", shelf.now)
        await library.posts.remember(orphan)
    shelf.scene.guild.deny_bot(Permission.VIEW_CHANNEL, shelf.scene.general)

    for _ in range(5):
        await shelf.posts.delete_orphans()

    tried = [request for request in shelf.scene.rehearsal.requests if request.method == "DELETE"]
    assert len(tried) == 10
    assert await library.posts.undeleted() == Undeleted(waiting=10, given_up=0)


@pytest.mark.parametrize("place", list(RecordingPlace))
async def test_a_message_in_public_is_never_used_again_and_goes_at_the_next_use(
    shelf: Shelf, place: RecordingPlace
) -> None:
    channel = shelf.vault if place is RecordingPlace.STORAGE_CHANNEL else None
    shelf.posts = shelf.placing(place, channel)
    public = await shelf.post_in_public()

    given = await shelf.posts.reference(shelf.voice)

    assert str(public.files[0].id) not in given.url
    assert public.deleted
    assert {message.channel_id for message in shelf.in_servers()} <= {shelf.vault.id}


@pytest.mark.parametrize("place", list(RecordingPlace))
async def test_messages_in_public_go_also_when_their_voice_is_not_used(
    shelf: Shelf, place: RecordingPlace
) -> None:
    public = [await shelf.post_in_public() for _ in range(3)]
    channel = shelf.vault if place is RecordingPlace.STORAGE_CHANNEL else None

    await shelf.placing(place, channel).tidy(pace=0)

    assert all(message.deleted for message in public)
    assert await shelf.scene.bot.library.posts.undeleted() == Undeleted(waiting=0, given_up=0)


async def test_tidying_leaves_the_message_in_private_alone(shelf: Shelf) -> None:
    url = await shelf.address()

    await shelf.posts.tidy(pace=0)

    assert len(shelf.in_private()) == 1
    assert await shelf.address() == url


async def left_behind(shelf: Shelf, channel: Channel, words: str, name: str = "voice.wav") -> Message:
    """Return a message of the bot's that is in no row, in a channel that is to be searched."""
    sent = await shelf.scene.bot.get_partial_messageable(channel.id).send(
        words, file=discord.File(RECORDINGS[1].path, name)
    )
    async with shelf.scene.bot.library.database.session() as session:
        await session.merge(ChannelToSearchRow(channel_id=channel.id, tries=0))
    return channel.messages[sent.id]


OLD_WORDS = "The recording of the voice Sister: I need it here to speak in that voice."


async def to_search(shelf: Shelf) -> list[int]:
    """Return the channels that are still to be searched, some day."""
    return await shelf.scene.bot.library.posts.channels_to_search(shelf.now + timedelta(days=30))


async def test_recordings_that_are_in_no_row_are_found_where_an_earlier_edition_posted_them(
    shelf: Shelf,
) -> None:
    general, private = shelf.scene.general, shelf.scene.rehearsal.world.dm(shelf.scene.bob)
    recordings = [await left_behind(shelf, one, OLD_WORDS) for one in (general, general, private)]
    take = await left_behind(shelf, general, "AI-generated voice of Sister, for Alice", "voice.wav")
    other = await left_behind(shelf, general, OLD_WORDS, "sister.wav")
    theirs = await shelf.scene.bob.say(general, OLD_WORDS, [SentFile("voice.wav", WAV)])
    url = await shelf.address()

    await shelf.posts.tidy(pace=0)

    assert all(message.deleted for message in recordings)
    assert not any(message.deleted for message in (take, other, theirs))
    assert await to_search(shelf) == []
    assert await shelf.address() == url


async def test_the_place_where_recordings_belong_is_not_searched(shelf: Shelf) -> None:
    kept = await left_behind(shelf, shelf.vault, OLD_WORDS)

    await shelf.placing(RecordingPlace.STORAGE_CHANNEL, shelf.vault).tidy(pace=0)

    assert not kept.deleted
    assert await to_search(shelf) == []


@pytest.mark.parametrize("missing", [Permission.VIEW_CHANNEL, Permission.READ_MESSAGE_HISTORY])
async def test_a_channel_that_cannot_be_read_is_searched_later_and_not_for_ever(
    shelf: Shelf, missing: Permission
) -> None:
    message = await left_behind(shelf, shelf.scene.general, OLD_WORDS)
    shelf.scene.guild.deny_bot(missing, shelf.scene.general)
    await shelf.scene.rehearsal.caught_up()

    await shelf.posts.tidy(pace=0)
    await shelf.posts.tidy(pace=0)  # too early
    asked = shelf.scene.rehearsal.requests
    assert await to_search(shelf) == [shelf.scene.general.id]
    shelf.scene.guild.deny_bot(0, shelf.scene.general)
    await shelf.scene.rehearsal.caught_up()
    shelf.now += timedelta(hours=1)
    await shelf.posts.tidy(pace=0)
    assert message.deleted

    again = await left_behind(shelf, shelf.scene.general, OLD_WORDS)
    shelf.scene.guild.deny_bot(missing, shelf.scene.general)
    await shelf.scene.rehearsal.caught_up()
    for _ in range(MAX_TRIES):
        shelf.now += timedelta(days=1)
        await shelf.posts.tidy(pace=0)
    searches = sum(call.method == "GET" and call.path.endswith("/messages") for call in asked)
    assert await to_search(shelf) == []
    assert not again.deleted
    assert searches <= MAX_TRIES + 3


async def close_dms(shelf: Shelf) -> None:
    shelf.scene.alice.refuse_dms()


async def leave_every_server(shelf: Shelf) -> None:
    await shelf.scene.guild.remove_member(shelf.scene.alice)


@pytest.mark.parametrize("closing", [close_dms, leave_every_server])
async def test_an_owner_out_of_reach_is_a_sentence_that_says_what_to_set(shelf: Shelf, closing) -> None:
    await closing(shelf)

    with pytest.raises(NoRecordingPlaceError, match="need to set STORAGE_CHANNEL_ID to a private channel"):
        await shelf.address()

    assert not shelf.posts.has_place
    assert shelf.in_servers() == []


async def deny_writing(shelf: Shelf) -> None:
    shelf.scene.guild.deny_bot(Permission.SEND_MESSAGES, shelf.vault)


async def deny_files(shelf: Shelf) -> None:
    shelf.scene.guild.deny_bot(Permission.ATTACH_FILES, shelf.vault)


async def hide(shelf: Shelf) -> None:
    shelf.scene.guild.deny_bot(Permission.VIEW_CHANNEL, shelf.vault)


async def remove(shelf: Shelf) -> None:
    await shelf.scene.guild.delete_channel(shelf.vault)


@pytest.mark.parametrize("closing", [deny_writing, deny_files, hide, remove])
async def test_a_storage_channel_out_of_reach_is_a_sentence_and_no_other_place(shelf: Shelf, closing) -> None:
    shelf.posts = shelf.placing(RecordingPlace.STORAGE_CHANNEL, shelf.vault)
    await closing(shelf)

    with pytest.raises(NoRecordingPlaceError, match="needs to set STORAGE_CHANNEL_ID to a private channel"):
        await shelf.address()

    assert shelf.in_private() == []
    assert shelf.in_servers() == []
    problem = await storage_problem(shelf.scene.bot, shelf.vault.id)
    assert problem is not None
    assert "STORAGE_CHANNEL_ID" in problem


async def test_what_a_storage_channel_lacks_is_named_also_in_threads_and_voice_channels(shelf: Shelf) -> None:
    guild, bot = shelf.scene.guild, shelf.scene.bot
    hidden = int(EVERYONE & ~Permission.VIEW_CHANNEL)
    voice = guild.add_voice_channel("vault for voices")
    thread = guild.add_thread(shelf.vault, "thread", shelf.scene.alice, private=True)
    guild.add_to_thread(thread, shelf.scene.rehearsal.parts.bot)
    for channel in (shelf.vault, voice):
        guild.set_everyone_permissions(hidden, channel)

    async def problem(channel: Channel, missing: int) -> str | None:
        guild.deny_bot(missing, shelf.vault if channel is thread else channel)
        return await storage_problem(bot, channel.id)

    needed = "In the channel STORAGE_CHANNEL_ID I need: "
    assert await problem(shelf.vault, 0) is None
    assert await problem(shelf.vault, Permission.SEND_MESSAGES) == f"{needed}Send Messages."
    assert await problem(shelf.vault, Permission.READ_MESSAGE_HISTORY) == f"{needed}Read Message History."
    assert await problem(thread, Permission.SEND_MESSAGES) is None
    assert await problem(thread, Permission.SEND_MESSAGES_IN_THREADS) == f"{needed}Send Messages in Threads."
    assert await problem(voice, 0) is None
    assert await problem(voice, Permission.CONNECT) is not None
    thread.recipients.remove(shelf.scene.rehearsal.parts.bot)
    assert await problem(thread, 0) == "STORAGE_CHANNEL_ID names a channel that I can't see."


async def test_a_place_that_refused_is_left_alone_for_a_while_then_tried_again(shelf: Shelf) -> None:
    shelf.scene.alice.refuse_dms()

    for _ in range(20):
        with pytest.raises(NoRecordingPlaceError):
            await shelf.address()
    uploads = [request for request in shelf.scene.rehearsal.requests if request.files]
    shelf.scene.alice.accept_dms()
    shelf.now += timedelta(seconds=REST_SECONDS)

    assert len(uploads) == 1
    assert shelf.posts.has_place
    assert await fetched(shelf.scene, await shelf.address()) == WAV


async def test_a_storage_channel_that_everyone_reads_is_found(shelf: Shelf) -> None:
    asked = shelf.scene.bot, shelf.vault.id

    problem = await storage_problem(*asked)
    shelf.scene.guild.set_everyone_permissions(EVERYONE & ~Permission.VIEW_CHANNEL, shelf.vault)
    shelf.scene.guild.deny_bot(0, shelf.vault)
    mended = await storage_problem(*asked)

    assert problem is not None
    assert problem.startswith("@everyone can read the channel STORAGE_CHANNEL_ID")
    assert mended is None


async def test_deleting_takes_the_message_away_and_forgets_it(shelf: Shelf) -> None:
    await shelf.address()
    (post,) = await shelf.scene.bot.library.posts.of(shelf.voice.id)

    await shelf.posts.delete([Post(post.channel_id, post.message_id)])

    assert shelf.in_private() == []
    assert await shelf.scene.bot.library.posts.of(shelf.voice.id) == []


@pytest.mark.parametrize("url", ["https://cdn.discordapp.com/a/b", "https://x/?ex=zz", "https://x/?ex="])
def test_an_address_that_does_not_say_when_it_ends_is_not_trusted(url: str) -> None:
    assert seconds_left(url, 0.0) == 0.0
