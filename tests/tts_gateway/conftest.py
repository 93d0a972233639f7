"""Fixtures for the tests of the TTS gateway's server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import Caller
from tts_gateway.server import ServerOptions, create_app, serving

StartServer = Callable[..., Awaitable[Caller]]


@pytest.fixture
def engine() -> ToneEngine:
    return ToneEngine()


@pytest.fixture
def faults() -> FaultScript:
    return FaultScript()


@pytest.fixture
async def start(engine: ToneEngine) -> AsyncIterator[StartServer]:
    """Start a server with the options given; it is ended with the test."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def start_server(
            options: ServerOptions | None = None, faults: FaultScript | None = None
        ) -> Caller:
            if faults is None:
                app = create_app(engine, options=options)
            else:
                app = create_faulty_app(engine, faults, options=options)
            return Caller(session, await stack.enter_async_context(serving(app)))

        yield start_server


@pytest.fixture
async def caller(start: StartServer) -> Caller:
    """A caller of a server with the default options."""
    return await start()
