"""A TTS gateway that follows a fault script, and a caller of it."""

from __future__ import annotations

import pytest

from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer, engine, faults, start

__all__ = ["engine", "faults", "start"]  # fixtures, for the tests of the server it wraps too


@pytest.fixture
async def faulty(start: StartServer, faults: FaultScript) -> Caller:
    """A caller of a server that follows the fault script."""
    return await start(faults=faults)
