from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import settings

from bot.errors import TTSError
from bot.models import ReferenceAudio, SpeechRequest, Stage
from bot.settings import Secret
from bot.tts.client import TTSCall, TTSClient
from bot.tts.download import AudioDownload, Downloader
from bot.tts.http import DownloadLimits, RetryPolicy, Timeouts
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from tests.fakes.tone_engine import SameToneEngine
from tts_gateway.fetch import FetchOptions
from tts_gateway.server import ServerOptions, serving

KEY = "canary/KEY+0123456789&abcdefghijkl=XYZ"

calm = settings(deadline=None, database=None)
"""For Hypothesis: the machine may be slow, and nothing is kept on disk."""

AT_ONCE = RetryPolicy(base_delay=0)

TIMEOUTS = Timeouts(connect=10, first_byte=20, total=30, polling=20, poll_first=0.001, poll_longest=0.01)

DOWNLOADS = DownloadLimits(base_delay=0, connect=10, gap=20, total=30)

MakeClient = Callable[..., TTSClient]


@pytest.fixture
async def faults() -> FaultScript:
    return FaultScript()


@pytest.fixture
async def tts_base_url(faults: FaultScript) -> AsyncIterator[str]:
    options = ServerOptions(api_key=KEY, fetch=FetchOptions(allow_loopback=True))
    async with serving(create_faulty_app(SameToneEngine(), faults, options=options)) as base_url:
        yield base_url


@pytest.fixture
async def make_client(tts_base_url: str) -> AsyncIterator[MakeClient]:
    """A function that returns clients of the TTS gateway, or of another base URL."""
    clients: list[TTSClient] = []

    def make(base_url: str | None = None, **options: object) -> TTSClient:
        values = {"retry": AT_ONCE, "timeouts": TIMEOUTS, "downloads": DOWNLOADS, **options}
        client = TTSClient(base_url or tts_base_url, Secret(KEY), **values)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
async def client(make_client: MakeClient) -> TTSClient:
    return make_client()


HELLO = SpeechRequest("Hello")
CLONE = SpeechRequest("Hello", reference=ReferenceAudio("https://cdn.example/r.wav"))


async def failure(client: TTSClient, request: SpeechRequest = HELLO) -> TTSError:
    """Return the error of a call; its exact class matters, so `pytest.raises` would be too kind."""
    try:
        await client.synthesize(request)
    except TTSError as error:
        return error
    raise AssertionError("no error")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    yield Clock()


@asynccontextmanager
async def progress_of(source: TTSCall | AudioDownload) -> AsyncIterator[list[Stage | float | None]]:
    """Ask ``source`` how far it is in every turn of the event loop, and give what was new."""
    said: list[Stage | float | None] = []

    async def ask() -> None:
        while True:
            now = source.stage if isinstance(source, TTSCall) else source.fraction
            if not said or said[-1] != now:
                said.append(now)
            await asyncio.sleep(0)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    try:
        yield said
        await asyncio.sleep(0)
    finally:
        asking.cancel()


@pytest.fixture
async def make_downloader() -> AsyncIterator[Callable[..., Downloader]]:
    """A function that returns downloaders."""
    made: list[Downloader] = []

    def make(
        limits: DownloadLimits = DOWNLOADS, *, allow_loopback: bool = True, **more: object
    ) -> Downloader:
        made.append(Downloader(allow_loopback=allow_loopback, limits=limits, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for downloader in made:
        await downloader.aclose()


@pytest.fixture
async def downloader(make_downloader: Callable[..., Downloader]) -> Downloader:
    return make_downloader()
