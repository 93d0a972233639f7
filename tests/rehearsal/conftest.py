"""A rehearsal, a guild in it, and a bot that is logged in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from rehearsal.server import Rehearsal
from tests.fakes.held_bot import HeldBot
from tests.fakes.voice_server_client import VoiceHouse, voice_house
from tests.scenes import Stage


@pytest.fixture
async def house() -> AsyncIterator[VoiceHouse]:
    async with voice_house() as open_house:
        yield open_house


@pytest.fixture
async def scene() -> AsyncIterator[Stage]:
    async with Rehearsal() as rehearsal:
        yield Stage(rehearsal)


@contextlib.asynccontextmanager
async def logged_in(rehearsal: Rehearsal, **options: Any) -> AsyncIterator[HeldBot]:
    async with HeldBot(rehearsal, **options) as bot:
        task = asyncio.create_task(bot.start(rehearsal.token))
        await rehearsal.main_socket.until_ready()
        await asyncio.wait_for(bot.wait_until_ready(), 10)
        yield bot
        await bot.close()
        await task


@pytest.fixture
async def bot(scene: Stage) -> AsyncIterator[HeldBot]:
    async with logged_in(scene.rehearsal) as bot:
        yield bot


API = "https://discord.com/api/v10"
Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def ask(scene: Stage) -> AsyncIterator[Ask]:
    """Make one REST call as the bot, without discord.py: returns the status and the parsed body."""
    async with aiohttp.ClientSession(connector=scene.rehearsal.connector()) as session:

        async def call(method: str, path: str, json: Any = None, **options: Any) -> tuple[int, Any]:
            options.setdefault("headers", {"Authorization": f"Bot {scene.rehearsal.token}"})
            async with session.request(method, API + path, json=json, **options) as response:
                return response.status, await response.json() if response.status != 204 else None

        yield call
