"""Open replies: written down while they are being made, so that none stays "thinking" if its process dies."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord.http import Route

from bot.delivery.reply import TOKEN_SECONDS, Reply
from bot.errors import RESTARTED, LibraryError
from bot.library.processes import TURN_SECONDS, OpenReplies, OpenReply

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.1
"""Replies are written down together, this long after the first; what is answered by then costs nothing."""

_FORGET_SECONDS: Final = 1.0
"""So long a row may outlive its reply: before a reply of somebody else is finished it is looked at."""

_UNDECIDED_SECONDS: Final = 10.0
"""So long it may take until a reply is one that somebody waits for; many a press has none."""

_PAUSES: Final = (1.0, 5.0, 20.0)  # seconds after a try that Discord did not take

_AT_ONCE: Final = 500
_FINISHED_AT_ONCE: Final = 5


@dataclass(slots=True)
class _Watched:
    reply: Reply
    row: OpenReply
    since: float
    is_kept: bool = False

    def is_over(self, now: float) -> bool:
        """Return whether nobody waits for it any more, or nobody ever did, as after a form."""
        age = now - self.since
        return self.reply.is_final or age > (TOKEN_SECONDS if self.reply.is_open else _UNDECIDED_SECONDS)


class ReplyWatch:
    """Watch over the replies of this process, and over those of processes that are dead.

    ``has_others``: other processes share the database.
    """

    def __init__(self, client: discord.Client, rows: OpenReplies, *, has_others: bool) -> None:
        self._client = client
        self._rows = rows
        self._has_others = has_others
        self._watched: dict[int, _Watched] = {}
        self._ended: list[int] = []
        self._forget_at = 0.0
        self._has_come = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin; what this process had not finished when it ended the last time is finished now."""
        before: list[OpenReply] = []
        with suppress(LibraryError):
            before = await self._rows.of_before()
        self._tasks = [
            asyncio.create_task(self._keep(), name="open-replies"),
            asyncio.create_task(self._finish_others(before), name="replies-of-others"),
        ]

    async def aclose(self) -> None:
        """Write down what is over. What is still open stays for the next one."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        with suppress(LibraryError):
            await self._write_down(_now() + _FORGET_SECONDS)

    def watch(self, interaction: discord.Interaction) -> None:
        """Watch the reply to an interaction, from its acknowledgement to its end."""
        if interaction.type is not discord.InteractionType.autocomplete:
            row = OpenReply(interaction.id, interaction.token)
            self._watched[interaction.id] = _Watched(Reply.of(interaction), row, _now())
            self._has_come.set()

    # -- those of this process --------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            if not self._watched and not self._ended:
                self._has_come.clear()
                await self._has_come.wait()
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._write_down(_now())
            except LibraryError as error:  # told elsewhere; a reply does not wait for it
                log.debug("open replies were not written down: %s", error)
                await asyncio.sleep(_FORGET_SECONDS)

    async def _write_down(self, now: float) -> None:
        begun: list[_Watched] = []
        for one in list(self._watched.values()):
            if one.is_over(now):
                del self._watched[one.row.id]
                if one.is_kept:
                    self._ended.append(one.row.id)
            elif one.reply.is_open and not one.is_kept and len(begun) < _AT_ONCE:
                begun.append(one)
        if not begun and not (self._ended and now >= self._forget_at):
            return
        ended = self._ended[:_AT_ONCE]
        await self._rows.update([one.row for one in begun], ended)
        del self._ended[: len(ended)]
        self._forget_at = now + _FORGET_SECONDS
        for one in begun:
            one.is_kept = True

    # -- those of others --------------------------------------------------------------------------

    async def _finish_others(self, left: list[OpenReply]) -> None:
        while True:
            try:
                await self._finish(left)
                if not self._has_others:
                    return
                await asyncio.sleep(TURN_SECONDS)
                left = await self._rows.take_over()
            except LibraryError as error:
                log.debug("open replies of others are not known: %s", error)
                await asyncio.sleep(TURN_SECONDS)

    async def _finish(self, left: list[OpenReply]) -> None:
        for start in range(0, len(left), _FINISHED_AT_ONCE):
            some = left[start : start + _FINISHED_AT_ONCE]
            told = await asyncio.gather(*(self._tell(one) for one in some))
            await self._rows.update([], [one.id for one in some])
            if any(told):
                log.info("told %d members that their command was cut off by a restart", sum(told))

    async def _tell(self, one: OpenReply) -> bool:
        """Tell whoever waits that nothing more comes; return whether somebody waited."""
        age = (discord.utils.utcnow() - discord.utils.snowflake_time(one.id)).total_seconds()
        if age > 2 * TOKEN_SECONDS:
            return False
        for pause in _PAUSES:
            try:
                said = await self._ask("GET", one)
                is_thinking = discord.MessageFlags._from_value(said.get("flags", 0)).loading
                if not (is_thinking or said.get("content", "").endswith(" …")):
                    return False
                await self._ask("PATCH", one, json={"content": RESTARTED, "allowed_mentions": {"parse": []}})
                return True
            except discord.NotFound:
                return False
            except Exception as error:  # also an answer that is not Discord's: the others wait as well
                log.debug("an open reply is not finished yet: %r", error)
            await asyncio.sleep(pause)
        return False

    async def _ask(self, method: str, one: OpenReply, **more: Any) -> Any:
        path = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
        route = Route(method, path, webhook_id=self._client.application_id, webhook_token=one.token)
        return await self._client.http.request(route, **more)


def _now() -> float:
    return asyncio.get_running_loop().time()
