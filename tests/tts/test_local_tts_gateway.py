"""The real child process, as a bot without a key runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from bot.errors import TTSReferenceError, TTSUnreachableError
from bot.models import ReferenceAudio, SpeechRequest
from bot.tts.client import TTSClient
from bot.tts.local_tts_gateway import OwnTTSGateway
from rehearsal.recordings import RECORDINGS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
HELLO = SpeechRequest("Hello")
WAV = RECORDINGS[1].path.read_bytes()


def own_children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # of another test, and just gone
            if "tts_gateway" in " ".join(child.cmdline()):
                found.append(child)
    return found


class LogWaiter(logging.Handler):
    """Waits for a line in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._changed = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._changed.set()

    async def until(self, words: str) -> str:
        async with asyncio.timeout(DEADLINE):
            while True:
                for line in self.lines:
                    if words in line:
                        return line
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def log() -> AsyncIterator[LogWaiter]:
    waiter = LogWaiter()
    logger = logging.getLogger("bot.tts")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(waiter)
    yield waiter
    logger.removeHandler(waiter)
    logger.setLevel(level)


@pytest.fixture
async def make_own() -> AsyncIterator[Callable[..., OwnTTSGateway]]:
    made: list[OwnTTSGateway] = []

    def make(**options: object) -> OwnTTSGateway:
        made.append(OwnTTSGateway(**{"restart_delay": 0.01, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for own in made:
        await own.aclose()
    assert own_children() == []


@pytest.mark.slow
async def test_our_tts_gateway_comes_back_on_the_same_port_and_leaves_nothing(make_own, log: LogWaiter):
    own = make_own()
    base_url = await own.start()
    first = own.process_id
    async with TTSClient(base_url) as client:
        before = await client.synthesize(HELLO)

        os.kill(first, signal.SIGKILL)
        await log.until("ended with status -9")
        await log.until("is back")
        after = await client.synthesize(HELLO)

    assert await own.start() == base_url
    assert own.process_id != first
    assert before.startswith(b"RIFF")
    assert after.startswith(b"RIFF")
    await own.aclose()
    assert own_children() == []
    assert own.process_id is None


async def test_its_log_becomes_ours(make_own, log: LogWaiter):
    base_url = await make_own().start()

    async with TTSClient(base_url) as client:
        await client.synthesize(HELLO)

    assert "POST" in await log.until("text-to-speech")


async def test_a_recording_is_handed_over_for_each_call_and_its_address_is_good_for_one(make_own):
    own = make_own()
    base_url = await own.start()
    request = SpeechRequest("Hello", reference=ReferenceAudio("recording:one", wav=WAV))

    async with TTSClient(base_url, own=own) as client, TTSClient(base_url) as stranger:
        generations = await asyncio.gather(*(client.synthesize(request) for _ in range(4)))
        address = await own.hand_over(WAV)
        used = SpeechRequest("Hello", reference=ReferenceAudio(address))
        await stranger.synthesize(used)
        with pytest.raises(TTSReferenceError):
            await stranger.synthesize(used)

    assert all(generation.startswith(b"RIFF") for generation in generations)


@pytest.mark.slow
async def test_a_large_recording_goes_over_whole_among_others(make_own):
    own = make_own()
    base_url = await own.start()
    silence = WAV[:44] + bytes(8 * 1024 * 1024)

    large, *small = await asyncio.gather(*(own.hand_over(wav) for wav in (silence, WAV, WAV, WAV)))

    async with TTSClient(base_url) as client:
        with pytest.raises(TTSReferenceError):  # it came, and is no speech
            await client.synthesize(SpeechRequest("Hello", reference=ReferenceAudio(large)))
        for address in small:
            await client.synthesize(SpeechRequest("Hello", reference=ReferenceAudio(address)))


async def test_while_there_is_no_child_nothing_is_handed_over(make_own, log: LogWaiter):
    own = make_own(restart_delay=60.0)
    await own.start()

    os.kill(own.process_id, signal.SIGKILL)
    await log.until("ended with status -9")

    with pytest.raises(TTSUnreachableError):
        await own.hand_over(WAV)


@pytest.mark.slow
async def test_the_address_of_a_recording_is_in_no_log(make_own, log: LogWaiter):
    own = make_own()
    base_url = await own.start()

    address = await own.hand_over(WAV)
    async with TTSClient(base_url) as client:
        await client.synthesize(SpeechRequest("Hello", reference=ReferenceAudio(address)))
    await log.until("voice-cloning")

    assert not [line for line in log.lines if address.rpartition("/")[2] in line]


async def test_our_secrets_are_not_in_its_environment(make_own, monkeypatch: pytest.MonkeyPatch):
    secrets = ("DISCORD_TOKEN", "TTS_API_KEY", "DATABASE_URL", "ANYTHING_ELSE")
    for name in secrets:
        monkeypatch.setenv(name, "canary-0123456789abcdef")
    own = make_own()

    await own.start()

    environment = psutil.Process(own.process_id).environ()
    assert not [name for name, value in environment.items() if name in secrets or "canary" in value]
    assert environment["PATH"] == os.environ["PATH"]


async def test_our_tts_gateway_starts_from_any_folder(
    make_own, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)

    assert (await make_own().start()).startswith("http://127.0.0.1:")


async def test_our_tts_gateway_says_why_it_does_not_start(make_own):
    own = make_own(extra_arguments=("--no-such-option",))

    with pytest.raises(TTSUnreachableError, match="no-such-option"):
        await own.start()

    assert own_children() == []


async def test_our_tts_gateway_is_ended_when_it_does_not_answer_in_time(make_own):
    own = make_own(start_seconds=0.01)

    with pytest.raises(TTSUnreachableError, match="no answer within"):
        await own.start()

    assert own_children() == []


async def test_a_start_that_is_cancelled_leaves_nothing(make_own):
    starting = asyncio.create_task(make_own().start())
    async with asyncio.timeout(DEADLINE):
        while not own_children():  # noqa: ASYNC110  (no event tells that a process exists)
            await asyncio.sleep(0.01)

    starting.cancel()
    await asyncio.wait([starting])

    assert starting.cancelled()
    assert own_children() == []


PARENT = """
import asyncio
from bot.tts.local_tts_gateway import OwnTTSGateway

async def main():
    own = OwnTTSGateway()
    await own.start()
    print(own.process_id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_our_tts_gateway_ends_by_itself_when_we_are_killed():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={"PATH": os.defpath}
    )
    assert parent.stdout is not None
    process_id = int(await asyncio.wait_for(parent.stdout.readline(), DEADLINE))
    child = psutil.Process(process_id)

    parent.kill()
    await parent.wait()

    await asyncio.to_thread(child.wait, DEADLINE)
    assert not psutil.pid_exists(process_id) or child.status() == psutil.STATUS_ZOMBIE
