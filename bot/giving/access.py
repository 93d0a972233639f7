"""How saved voices come to be heard where a member asks: their leave to speak, and their recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import discord

from bot.destinations import shelf_of
from bot.errors import NoRecordingPlaceError
from bot.giving.order import Order
from bot.giving.presence import Presence
from bot.library.consent import Consents
from bot.models import RecordingPlace, ReferenceAudio, SpokenVoice, VoiceAccess
from bot.reference_posts import ReferencePosts


class VoiceAccesses:
    """Gives each place its `VoiceAccess`."""

    def __init__(self, consents: Consents, presence: Presence, posts: ReferencePosts) -> None:
        self._consents = consents
        self._presence = presence
        self._posts = posts
        self._uploads: set[asyncio.Task[ReferenceAudio]] = set()

    def at(self, interaction: discord.Interaction) -> VoiceAccess:
        """Return how voices are heard where ``interaction`` happens."""
        shelf = shelf_of(interaction)
        guild = interaction.guild if interaction.is_guild_integration() else None

        async def may_speak(voice: SpokenVoice) -> str | None:
            await self._presence.look(guild, voice.id, interaction.user.id)
            return await self._consents.may_speak(voice, shelf)

        async def reference(voice: SpokenVoice) -> ReferenceAudio:
            return await self._whole(self._posts.reference(voice))

        async def renew(voice: SpokenVoice) -> ReferenceAudio:
            return await self._whole(self._posts.renew(voice))

        return VoiceAccess(may_speak, reference, renew)

    @property
    def has_place(self) -> bool:
        """Whether a voice that is made now could be used afterwards, as far as is known."""
        return self._posts.has_place

    async def reachable(self, order: Order) -> Order:
        """Return ``order``, without a voice that nobody has named if its recording has no private place.

        Raises `LibraryError` if the recording is lost.
        """
        voice = order.request.voice
        if order.is_named or voice is None or self._posts.place is RecordingPlace.THIS_MACHINE:
            return order
        try:
            await self._whole(self._posts.reference(voice))
        except NoRecordingPlaceError:
            return replace(order, request=replace(order.request, voice=None), voices=())
        return order

    async def settle(self) -> None:
        """Wait until no recording is on its way to Discord that is not remembered yet."""
        if self._uploads:
            await asyncio.wait(set(self._uploads))

    async def _whole(self, upload: Awaitable[ReferenceAudio]) -> ReferenceAudio:
        """Let an upload end although nobody wants it any more: a message that is sent must be remembered."""
        task = asyncio.ensure_future(upload)
        assert isinstance(task, asyncio.Task), "a coroutine becomes a task"  # noqa: S101
        self._uploads.add(task)
        task.add_done_callback(self._uploads.discard)
        return await asyncio.shield(task)
