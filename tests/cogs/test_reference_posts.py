"""The recordings of saved voices in Discord: their addresses stay good whatever becomes of the messages."""

from __future__ import annotations

import asyncio
import dataclasses

import aiohttp
import pytest

from bot.errors import MemberError
from bot.library.scope import Scope
from bot.library.voices import Kind, NewVoice
from bot.library.withdrawal import Post
from bot.models import SpokenVoice
from bot.reference_posts import ReferencePosts, seconds_left
from rehearsal.channels import Channel
from rehearsal.permissions import Permission
from rehearsal.recordings import RECORDINGS
from tests.cogs.scene import Scene

WAV = RECORDINGS[1].path.read_bytes()


@dataclasses.dataclass
class Shelf:
    """A saved voice of Alice's, and where its recording is posted."""

    scene: Scene
    voice: SpokenVoice
    posts: ReferencePosts

    async def address(self) -> str:
        return await self.posts.address(self.voice, self._place())

    async def renew(self) -> str:
        return await self.posts.renew(self.voice, self._place())

    def _place(self):
        return self.scene.bot.get_partial_messageable(self.scene.general.id)

    def shown(self, channel: Channel):
        return [message for message in channel.history if message.files]


@pytest.fixture
async def shelf(scene: Scene) -> Shelf:
    library = scene.bot.library
    recording = await library.recordings.keep(WAV)
    new = NewVoice("Sister", Kind.DESIGNED, recording, seconds=4.0, transcript="Hello")
    saved = await library.voices.save(Scope(scene.guild.id, scene.alice.id), new)
    voice = SpokenVoice(saved.id, saved.name, saved.recording, saved.transcript)
    return Shelf(scene, voice, ReferencePosts(scene.bot, library.posts, library.recordings))


async def fetched(scene: Scene, url: str) -> bytes | int:
    async with (
        aiohttp.ClientSession(connector=scene.rehearsal.connector()) as session,
        session.get(url) as got,
    ):
        return await got.read() if got.status == 200 else got.status


async def test_the_recording_is_posted_once_and_its_address_used_again(shelf: Shelf) -> None:
    first = await shelf.address()
    again = await shelf.address()

    assert first == again
    assert await fetched(shelf.scene, first) == WAV
    assert len(shelf.shown(shelf.scene.general)) == 1


async def test_many_who_need_it_at_once_get_one_upload(shelf: Shelf) -> None:
    addresses = await asyncio.gather(*(shelf.address() for _ in range(8)))

    assert len(set(addresses)) == 1
    assert len(shelf.shown(shelf.scene.general)) == 1


async def test_an_expired_address_is_replaced_by_looking_at_the_message_again(shelf: Shelf) -> None:
    shelf.scene.rehearsal.cdn.link_seconds = 60
    first = await shelf.address()
    shelf.scene.rehearsal.cdn.link_seconds = 86_400

    fresh = await shelf.address()

    assert fresh != first
    assert await fetched(shelf.scene, fresh) == WAV
    assert len(shelf.shown(shelf.scene.general)) == 1


async def test_a_deleted_message_costs_a_new_upload_and_no_voice(shelf: Shelf) -> None:
    shelf.scene.rehearsal.cdn.link_seconds = 60
    await shelf.address()
    (post,) = shelf.shown(shelf.scene.general)
    shelf.scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, shelf.scene.alice)
    shelf.scene.alice.delete(post)

    fresh = await shelf.address()

    assert await fetched(shelf.scene, fresh) == WAV


async def test_renewing_posts_it_anew_and_takes_the_old_message_away(shelf: Shelf) -> None:
    first = await shelf.address()

    fresh = await shelf.renew()

    assert fresh != first
    assert await fetched(shelf.scene, fresh) == WAV
    assert len(shelf.shown(shelf.scene.general)) == 1
    assert await shelf.address() == fresh


async def test_where_no_file_can_be_sent_the_member_reads_what_to_do(shelf: Shelf) -> None:
    shelf.scene.guild.deny_bot(Permission.SEND_MESSAGES)

    with pytest.raises(MemberError, match="nowhere to put the recording"):
        await shelf.address()


async def test_deleting_takes_the_message_away_and_forgets_it(shelf: Shelf) -> None:
    await shelf.address()
    (post,) = await shelf.scene.bot.library.posts.of(shelf.voice.id)

    await shelf.posts.delete([Post(post.channel_id, post.message_id)])

    assert shelf.shown(shelf.scene.general) == []
    assert await shelf.scene.bot.library.posts.of(shelf.voice.id) == []


@pytest.mark.parametrize("url", ["https://cdn.discordapp.com/a/b", "https://x/?ex=zz", "https://x/?ex="])
def test_an_address_that_does_not_say_when_it_ends_is_not_trusted(url: str) -> None:
    assert seconds_left(url, 0.0) == 0.0
