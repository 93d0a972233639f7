"""The bot at work in a rehearsal, for as long as a test needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.server import Rehearsal

READY_SECONDS = 60.0
"""How long a bot may take to log in, its TTS gateway included."""


@asynccontextmanager
async def attending(bot: SpeechBot, rehearsal: Rehearsal) -> AsyncIterator[SpeechBot]:
    """Yield ``bot`` logged in to ``rehearsal``; on leaving it shuts down in order.

    Raises what kept it from logging in.
    """
    async with bot:
        running = asyncio.create_task(bot.start(rehearsal.token), name="bot")
        try:
            await _ready(bot, running)
            yield bot
        finally:
            await bot.shut_down()
            await asyncio.wait([running])
    running.result()


@asynccontextmanager
async def restarted(bot: SpeechBot, settings: Settings, rehearsal: Rehearsal) -> AsyncIterator[SpeechBot]:
    """Shut ``bot`` down and yield another with the same ``settings``, logged in to the same ``rehearsal``.

    Everything in the rehearsal stays as it is: messages, their buttons, files, who is where.
    """
    await bot.shut_down()
    async with attending(SpeechBot(settings, connector=rehearsal.connector()), rehearsal) as anew:
        yield anew


async def _ready(bot: SpeechBot, running: asyncio.Task[None]) -> None:
    ready = asyncio.create_task(bot.wait_until_ready(), name="ready")
    await asyncio.wait({running, ready}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        ready.cancel()
        running.result()
    if not ready.done():
        ready.cancel()
        raise TimeoutError(f"the bot was not logged in after {READY_SECONDS:g} s")
