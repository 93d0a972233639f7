"""How saved voices come to be heard where a member asks: their leave to speak, and their recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import discord

from bot.destinations import may_write, shelf_of
from bot.errors import MemberError
from bot.giving.presence import Presence
from bot.library.consent import Consents
from bot.models import SpokenVoice, VoiceAccess
from bot.reference_posts import ReferencePosts


class VoiceAccesses:
    """Gives each place its `VoiceAccess`.

    ``has_storage``: recordings have a channel of their own, so that no other place for them is needed.
    """

    def __init__(
        self, consents: Consents, presence: Presence, posts: ReferencePosts, *, has_storage: bool
    ) -> None:
        self._consents = consents
        self._presence = presence
        self._posts = posts
        self._has_storage = has_storage
        self._uploads: set[asyncio.Task[str]] = set()
        self._closed: set[int] = set()

    def at(self, interaction: discord.Interaction) -> VoiceAccess:
        """Return how voices are heard where ``interaction`` happens."""
        shelf, place = shelf_of(interaction), _place_of(interaction)
        guild = interaction.guild if interaction.is_guild_integration() else None

        async def may_speak(voice: SpokenVoice) -> str | None:
            await self._presence.look(guild, voice.id, interaction.user.id)
            return await self._consents.may_speak(voice, shelf)

        async def address(voice: SpokenVoice) -> str:
            try:
                return await self._whole(self._posts.address(voice, place))
            except MemberError:
                if place is interaction.user:  # who takes no direct messages
                    self._closed.add(shelf)
                raise

        async def renew(voice: SpokenVoice) -> str:
            return await self._whole(self._posts.renew(voice, place))

        return VoiceAccess(may_speak, address, renew)

    def can_post(self, interaction: discord.Interaction) -> bool:
        """Return whether there is a place for recordings, when a voice is used that nobody has named."""
        if self._has_storage:
            return True
        if not interaction.is_guild_integration():
            return interaction.user.id not in self._closed
        return may_write(interaction) and interaction.app_permissions.attach_files

    async def settle(self) -> None:
        """Wait until no recording is on its way to Discord that is not remembered yet."""
        if self._uploads:
            await asyncio.wait(set(self._uploads))

    async def _whole(self, upload: Awaitable[str]) -> str:
        """Let an upload end although nobody wants it any more: a message that is sent must be remembered."""
        task = asyncio.ensure_future(upload)
        assert isinstance(task, asyncio.Task), "a coroutine becomes a task"  # noqa: S101
        self._uploads.add(task)
        task.add_done_callback(self._uploads.discard)
        return await asyncio.shield(task)


def _place_of(interaction: discord.Interaction) -> discord.abc.Messageable:
    """Return where a recording is posted if there is no channel for it: here, or in private."""
    if interaction.guild_id is None or not interaction.is_guild_integration() or not interaction.channel_id:
        return interaction.user
    return interaction.client.get_partial_messageable(interaction.channel_id, guild_id=interaction.guild_id)
