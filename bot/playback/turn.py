"""One connection's turn at an utterance: to its last frame, or until something is in the way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import discord

from bot.playback.connection import VoiceConnection
from bot.playback.frames import OpusFrames

log = logging.getLogger(__name__)


async def play(
    connection: VoiceConnection,
    source: OpusFrames,
    *,
    stalled_seconds: float,
    is_held: Callable[[], bool],
) -> bool:
    """Play from ``source`` to its end, or until it is stopped; return False when no frame is taken for

    ``stalled_seconds`` although ``is_held`` gives no reason for that, or when it cannot begin.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def finish(error: Exception | None) -> None:
        if error is not None:
            log.error("playing in guild %d failed: %r", connection.channel.guild.id, error)
        if not ended.done():
            ended.set_result(None)

    def after(error: Exception | None) -> None:  # in the thread that sends
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(finish, error)

    try:
        connection.play(source, after=after)
    except discord.ClientException as error:  # it was lost meanwhile
        log.warning("guild %d: cannot play: %s", connection.channel.guild.id, error)
        return False
    try:
        return await _watch(ended, source, stalled_seconds, is_held)
    finally:
        if not ended.done():
            connection.stop()


async def _watch(
    ended: asyncio.Future[None], source: OpusFrames, stalled_seconds: float, is_held: Callable[[], bool]
) -> bool:
    loop = asyncio.get_running_loop()
    taken, since = source.taken, loop.time()
    while not ended.done():
        if source.taken != taken or is_held():
            taken, since = source.taken, loop.time()
        elif loop.time() - since >= stalled_seconds:
            log.warning("no frame was sent for %.1f s", loop.time() - since)
            return False
        await asyncio.wait({ended}, timeout=stalled_seconds / 4)
    return True
