"""One member's answer: acknowledged at once, edited while it is made, and final exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, Final

import aiohttp
import discord

log = logging.getLogger(__name__)

TOKEN_SECONDS: Final = 15 * 60.0
"""How long Discord lets an interaction be answered (its documentation of interaction tokens)."""

_NOTICE_SECONDS: Final = 60.0
"""The member hears this long before the token ends that the answer will come as a message."""

_EDIT_SECONDS: Final = 1.5
"""Progress is shown this often; every edit counts against the rate limit of the answer."""

_TRIES: Final = 3
_PASSING = (discord.DiscordServerError, aiohttp.ClientError, OSError)
"""Faults worth another try; discord.py lets those of aiohttp through (2.7.1, http.py)."""

_GONE = (10008, 10015, 10062, 50027)
"""Discord's codes for an answer that can no longer be edited: message, webhook, interaction, token."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file for an answer: its name as people see it, and its bytes."""

    name: str
    data: bytes


class Answer:
    """The answer to one interaction; `of` returns the same one for the same interaction."""

    def __init__(
        self,
        interaction: discord.Interaction,
        *,
        token_seconds: float = TOKEN_SECONDS,
        edit_seconds: float = _EDIT_SECONDS,
    ) -> None:
        self._interaction = interaction
        self._edit_seconds = edit_seconds
        self._expires = asyncio.get_running_loop().time() + token_seconds
        self._acknowledged = False
        self._ephemeral = False
        self._final = False
        self._line = ""
        self._ended = asyncio.Event()
        self._showing: asyncio.Task[None] | None = None
        self.message_id: int | None = None
        """The message it stands in, as soon as Discord has said so."""

    @classmethod
    def of(cls, interaction: discord.Interaction) -> Answer:
        """Return the answer that belongs to ``interaction``."""
        answer = interaction.extras.get(cls)
        if not isinstance(answer, cls):
            answer = interaction.extras[cls] = cls(interaction)
        return answer

    @property
    def is_final(self) -> bool:
        """Whether the member has the last word already."""
        return self._final

    async def defer(self, *, ephemeral: bool = False) -> None:
        """Acknowledge within Discord's three seconds; the member sees that the bot is thinking.

        A second call does nothing.
        """
        if self._is_acknowledged:
            return
        self._ephemeral = ephemeral
        try:
            acknowledged = await self._interaction.response.defer(thinking=True, ephemeral=ephemeral)
            self.message_id = acknowledged.message_id if acknowledged else None
        except discord.HTTPException as error:
            if error.code != 40060:  # acknowledged already: the first try came through after all
                raise
        self._acknowledged = True

    def show(self, line: str) -> None:
        """Show ``line`` until there is something newer; returns at once."""
        if self._final or line == self._line:
            return
        self._line = line
        if self._showing is None:
            self._showing = asyncio.create_task(self._show(), name=f"answer-{self._interaction.id}")

    async def finish(
        self, content: str, upload: Upload | None = None, view: discord.ui.View | None = None
    ) -> None:
        """Give the final answer.

        Where the original response can no longer be edited, the bot posts it itself; ``view`` only in the
        channel where it was asked for.
        """
        self._final = True
        await self._end_showing()
        with suppress(discord.InteractionResponded):
            if not self._is_acknowledged:
                await self._interaction.response.send_message(content, ephemeral=True)
                return
        if self._seconds_left() > 0 and await self._edit(content, upload, view):
            return
        await self._post(content, upload, view)

    async def amend(self, content: str) -> None:
        """Replace the words of a final answer and keep its file; silently nothing if it is too late."""
        if self._seconds_left() > 0:
            await self._edit(content, None)

    @property
    def _is_acknowledged(self) -> bool:
        return self._acknowledged or self._interaction.response.is_done()

    def _seconds_left(self) -> float:
        return self._expires - asyncio.get_running_loop().time()

    async def _show(self) -> None:
        shown = ""
        while not self._final:
            if self._seconds_left() < _NOTICE_SECONDS:
                await self._quiet_edit("This takes longer than usual. I will post it here when it is done.")
                return
            if self._line != shown:
                shown = self._line
                await self._quiet_edit(shown)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._edit_seconds):
                    await self._ended.wait()

    async def _quiet_edit(self, content: str) -> None:
        try:
            await self._interaction.edit_original_response(content=content)
        except (discord.HTTPException, *_PASSING) as error:
            log.debug("progress could not be shown: %s", type(error).__name__)

    async def _end_showing(self) -> None:
        # Waited for, not cancelled: an edit that is on its way could otherwise land after the final one.
        self._ended.set()
        if self._showing is not None:
            await asyncio.wait([self._showing], timeout=10)

    async def _edit(self, content: str, upload: Upload | None, view: discord.ui.View | None = None) -> bool:
        """Return whether the original response could be edited."""
        edit = self._interaction.edit_original_response
        try:
            await self._send(
                edit if view is None else partial(edit, view=view), content, upload, key="attachments"
            )
        except discord.HTTPException as error:
            if error.status == 401 or error.code in _GONE:
                return False
            raise
        return True

    async def _post(self, content: str, upload: Upload | None, view: discord.ui.View | None) -> None:
        interaction = self._interaction
        in_channel = interaction.is_guild_integration() and not self._ephemeral
        if in_channel and isinstance(interaction.channel, discord.abc.Messageable):
            with suppress(discord.Forbidden):
                send = interaction.channel.send
                await self._send(
                    send if view is None else partial(send, view=view), content, upload, key="files"
                )
                return
        try:
            await self._send(interaction.user.send, content, upload, key="files")
        except discord.Forbidden:
            log.warning("an answer came after its 15 minutes, and there was no place left to post it")

    async def _send(
        self, send: Callable[..., Awaitable[object]], content: str, upload: Upload | None, *, key: str
    ) -> None:
        for attempt in range(1, _TRIES + 1):
            arguments: dict[str, Any] = {
                "content": content,
                "allowed_mentions": discord.AllowedMentions.none(),
            }
            if upload is not None:  # a discord.File can be sent only once
                arguments[key] = [discord.File(BytesIO(upload.data), upload.name)]
            try:
                async with asyncio.timeout(120):
                    await send(**arguments)
                return
            except _PASSING as error:
                if attempt == _TRIES:
                    raise
                log.warning("an answer could not be sent, try %d: %s", attempt, type(error).__name__)
            await asyncio.sleep(attempt)
