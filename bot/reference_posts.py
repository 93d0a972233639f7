"""A public address of a saved voice's recording, whenever the TTS gateway needs one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from typing import Final
from urllib.parse import parse_qs, urlsplit
from weakref import WeakValueDictionary

import discord

from bot.errors import MemberError
from bot.library.clock import Clock, utc_now
from bot.library.posts import RecordingPost, RecordingPosts
from bot.library.recordings import Recordings
from bot.library.withdrawal import Post
from bot.models import SpokenVoice

log = logging.getLogger(__name__)

SPARE_SECONDS: Final = 300.0
"""An address that is valid for less is not handed out: a call may wait for its turn for so long."""

_NOWHERE: Final = (
    "I have nowhere to put the recording of that voice. Let me send files in this channel, "
    "or ask my owner for a storage channel."
)


class ReferencePosts:
    """Keeps one message with the recording of each voice that is spoken, and posts it again when it is lost.

    Discord signs the address of an attachment for about a day, and gives a fresh one with every look at
    the message (its API reference, "Signed attachment CDN URLs"). Our own copy is what counts: a deleted
    message costs one more upload. ``storage_channel_id`` is the operator's channel for recordings; without
    one they go to the channel where the voice is used.
    """

    def __init__(
        self,
        client: discord.Client,
        posts: RecordingPosts,
        recordings: Recordings,
        *,
        storage_channel_id: int | None = None,
        now: Clock = utc_now,
    ) -> None:
        self._client = client
        self._posts = posts
        self._recordings = recordings
        self._storage_channel_id = storage_channel_id
        self._now = now
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def address(self, voice: SpokenVoice, place: discord.abc.Messageable) -> str:
        """Return an address that is valid for five minutes at least; ``place`` is where the voice is used.

        Raises `MemberError` if there is no place for the recording, and `LibraryError` if our copy is lost.
        """
        async with self._lock(voice):
            for post in await self._posts.of(voice.id):
                if seconds_left(post.url, self._now().timestamp()) > SPARE_SECONDS:
                    return post.url
                url = await self._look_again(post)
                if url is not None:
                    return url
            return await self._upload(voice, place)

    async def renew(self, voice: SpokenVoice, place: discord.abc.Messageable) -> str:
        """Return the address of a new upload, for when the one before could not be reached.

        Raises what `address` raises.
        """
        async with self._lock(voice):
            before = await self._posts.of(voice.id)
            url = await self._upload(voice, place)
            await self.delete([Post(post.channel_id, post.message_id) for post in before])
            return url

    async def delete_orphans(self) -> None:
        """Delete the messages of voices that are gone: those that could not be deleted with their voice."""
        await self.delete([Post(post.channel_id, post.message_id) for post in await self._posts.orphans()])

    async def delete(self, posts: Sequence[Post]) -> None:
        """Delete these messages in Discord, and forget those that are gone. The others stay remembered."""
        for post in posts:
            channel = self._client.get_partial_messageable(post.channel_id)
            try:
                await channel.get_partial_message(post.message_id).delete()
            except discord.NotFound:
                pass
            except (discord.HTTPException, OSError) as error:
                log.warning("a recording in channel %d could not be deleted: %s", post.channel_id, error)
                continue
            await self._posts.forget(post.message_id)

    def _lock(self, voice: SpokenVoice) -> asyncio.Lock:
        return self._locks.setdefault(voice.id, asyncio.Lock())

    async def _look_again(self, post: RecordingPost) -> str | None:
        """Return the fresh address in the message; None if it is gone or out of reach."""
        channel = self._client.get_partial_messageable(post.channel_id)
        try:
            message = await channel.fetch_message(post.message_id)
        except (discord.NotFound, discord.Forbidden):
            await self._posts.forget(post.message_id)
            return None
        for attachment in message.attachments:
            if attachment.id == post.attachment_id:
                await self._remember(post.voice_id, message, attachment)
                return attachment.url
        return None

    async def _upload(self, voice: SpokenVoice, place: discord.abc.Messageable) -> str:
        wav = await self._recordings.read(voice.recording)
        message = await self._send(voice, wav, place)
        attachment = message.attachments[0]
        await self._remember(voice.id, message, attachment)
        return attachment.url

    async def _send(self, voice: SpokenVoice, wav: bytes, place: discord.abc.Messageable) -> discord.Message:
        name = discord.utils.escape_markdown(voice.name)
        words = f"The recording of the voice {name}: I need it here to speak in that voice."
        if self._storage_channel_id is not None:
            storage = self._client.get_partial_messageable(self._storage_channel_id)
            with suppress(discord.Forbidden, discord.NotFound):
                return await storage.send(words, file=_file(wav), silent=True)
            log.error("STORAGE_CHANNEL_ID: I cannot send files there; recordings go where voices are used")
        try:
            return await place.send(words, file=_file(wav), silent=True)
        except discord.Forbidden:
            raise MemberError(_NOWHERE) from None

    async def _remember(
        self, voice_id: str, message: discord.Message, attachment: discord.Attachment
    ) -> None:
        await self._posts.remember(
            RecordingPost(
                voice_id=voice_id,
                channel_id=message.channel.id,
                message_id=message.id,
                attachment_id=attachment.id,
                url=attachment.url,
                posted_at=self._now(),
            )
        )


def seconds_left(url: str, now: float) -> float:
    """Return how long a signed address of Discord's is still valid; 0 where it does not say.

    Its parameter ``ex`` is the end in hexadecimal seconds since 1970 (API reference, as above).
    """
    try:
        return int(parse_qs(urlsplit(url).query)["ex"][0], 16) - now
    except (KeyError, ValueError):
        return 0.0


def _file(wav: bytes) -> discord.File:
    return discord.File(BytesIO(wav), "voice.wav")
