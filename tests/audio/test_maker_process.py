"""Sound is made in a process of its own, which may die at any time."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from bot.audio.maker import Arrival, IncomingSpeech, Maker, Source
from bot.audio.maker_child import HELD_BYTES, _Spool
from bot.audio.maker_process import MakerProcess, build_maker
from bot.audio.opus import SILENCE_FRAME
from bot.audio.wav import parse_wav, write_wav
from bot.errors import AudioError, TTSFetchError
from bot.models import Speech
from bot.tts.download import Downloader
from bot.tts.http import DownloadLimits
from rehearsal.likeness import likeness
from tests.audio import in_child
from tests.fakes.babble_engine import babble
from tests.fakes.raw_server import answer, saying, serving
from tests.scenes import until
from tests.speech.sounds import WavInPieces
from tests.speech.test_long_texts import decoded
from tests.tts.test_stream import in_turn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
TEXT = "A bird in the hand is worth two in the bush, and three on the roof."
WAV = write_wav(babble(TEXT))


@pytest.fixture
async def process() -> AsyncIterator[MakerProcess]:
    process = MakerProcess(modules=("bot.tts.download",), restart_delay=0.01, max_restart_delay=0.02)
    await process.start()
    yield process
    await process.aclose()


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    downloader = Downloader(allow_loopback=True, limits=DownloadLimits(base_delay=0.0))
    yield downloader
    await downloader.aclose()


def kill(process: MakerProcess) -> int:
    killed = process.process_id
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    return killed


def open_files(process: MakerProcess) -> list[Path]:
    return [one.readlink() for one in Path(f"/proc/{process.process_id}/fd").iterdir()]


async def come_in(maker: Maker, source: Source, *, is_live: bool) -> tuple[IncomingSpeech, list[bytes]]:
    incoming = maker.start(source, text=TEXT, is_live=is_live)
    return incoming, [frame async for frames in incoming for frame in frames]


async def speech_of(maker: Maker, *, is_live: bool = True) -> Speech:
    incoming, _ = await come_in(maker, WavInPieces(WAV), is_live=is_live)
    return await maker.joined([await maker.part(incoming)])


@pytest.mark.parametrize("is_live", [True, False])
async def test_what_is_made_there_is_what_is_made_in_threads(process: MakerProcess, is_live: bool):
    here, there = [await speech_of(maker, is_live=is_live) for maker in (Maker(), Maker(process))]

    assert there == here
    assert await Maker(process).wav(there, tags={"ICMT": "ours"}) == await Maker().wav(
        here, tags={"ICMT": "ours"}
    )
    assert await Maker(process).voice_message(there) == await Maker().voice_message(here)
    oggs = [
        await maker.file(speech, max_bytes=10_000_000, as_ogg=True)
        for maker, speech in ((Maker(process), there), (Maker(), here))
    ]
    assert oggs[0] == oggs[1]


@pytest.mark.slow
async def test_a_file_there_and_back_is_the_same_speech(process: MakerProcess):
    maker = Maker(process)
    speech = await speech_of(maker)

    file = await maker.file(speech, max_bytes=10_000_000)
    again = await maker.speech_from_file(file.data, name="speech.wav")

    assert await maker.wav(again) == await maker.wav(speech)


@pytest.mark.slow
async def test_speech_that_is_kept_there_is_heard_again(process: MakerProcess, tmp_path: Path):
    maker, made_at = Maker(process), datetime(2026, 11, 30, tzinfo=UTC)
    incoming, _ = await come_in(maker, WavInPieces(WAV), is_live=False)
    speech = await maker.joined([await maker.part(incoming)])

    await maker.write(speech, tmp_path / "kept", made_at)
    again = await maker.read(tmp_path / "kept", made_at)

    assert again is not None and again.frames == speech.frames
    assert await maker.wav(again) == await maker.wav(speech)


@pytest.mark.slow
async def test_what_is_no_speech_is_refused_in_the_same_words(process: MakerProcess):
    said = []
    for maker in (Maker(), Maker(process)):
        with pytest.raises(AudioError) as raised:
            await come_in(maker, WavInPieces(write_wav(bytes(96_000 * 4))), is_live=False)
        said.append(str(raised.value))

    assert said[0] == said[1]


@pytest.mark.slow
async def test_samples_that_nobody_holds_any_more_are_given_back(process: MakerProcess):
    maker = Maker(process)
    before = await process.run(in_child.sounds_held)

    speeches = [await speech_of(maker, is_live=number % 2 == 0) for number in range(50)]
    assert await process.run(in_child.sounds_held) >= before + 50
    speeches.clear()
    await asyncio.sleep(0)  # they are released by the loop

    assert await process.run(in_child.sounds_held) == before


@pytest.mark.parametrize("seed", range(5))
def test_a_file_of_samples_gives_back_what_was_written_and_its_room(tmp_path: Path, seed: int):
    rng, spool = random.Random(seed), _Spool(str(tmp_path))
    written: dict[tuple[int, int], bytes] = {}
    most = 0
    for _ in range(500):
        if written and rng.random() < 0.5:
            place = rng.choice(list(written))
            assert spool.read(*place) == written.pop(place)
            spool.release(*place)
        else:
            pcm = rng.randbytes(2 * rng.randint(1, 2_000))
            written[spool.write(pcm)] = pcm
        most = max(most, sum(map(len, written.values())))
        ends_and_starts = pairwise(spool._free)
        assert all(start + size < following for (start, size), (following, _) in ends_and_starts)
        assert len(spool._free) <= len(written)
    assert spool._end < 3 * most
    for place, pcm in written.items():
        assert spool.read(*place) == pcm
        spool.release(*place)

    assert (spool._end, spool._free) == (0, [])
    spool._file.close()


@pytest.mark.slow
@pytest.mark.parametrize("is_there", [True, False])
async def test_samples_that_are_too_many_for_memory_wait_in_a_file(tmp_path: Path, is_there: bool):
    folder = tmp_path / "data"
    if is_there:
        folder.mkdir()
    process = MakerProcess(modules=("bot.tts.download",), folder=folder)
    await process.start()
    async with aclosing(Maker(process)) as maker:
        incoming, frames = await come_in(maker, WavInPieces(WAV), is_live=True)
        part = await maker.part(incoming)
        times = [1 + HELD_BYTES // (3 * len(frames) * 1_920), 3, 5, 40, 2, 7]
        speeches = [await maker.joined([part] * count) for count in 4 * times[:1] + times]
        del speeches[3:5]  # what is written next comes into the room of these
        await asyncio.sleep(0)
        speeches += [await maker.joined([part] * count) for count in times]

        one = await maker.wav(await maker.joined([part]))
        for speech in speeches:
            said = await maker.wav(speech)
            assert said[44:] == one[44:] * (len(speech.frames) // len(part.frames))
        assert not is_there or list(folder.iterdir()) == []
        if sys.platform == "linux":
            assert any(one.is_relative_to(folder) for one in open_files(process)) is is_there


@pytest.mark.skipif(sys.platform != "linux", reason="the memory is that of glibc")
@pytest.mark.slow
async def test_after_many_at_once_its_memory_is_what_it_was_before(process: MakerProcess):
    maker = Maker(process)
    await speech_of(maker)
    before = rss(process)

    speeches = await asyncio.gather(*(speech_of(maker) for _ in range(50)))
    most = rss(process)
    del speeches

    assert most > before + 10_000_000
    await until(lambda: rss(process) - before <= (most - before) / 4)


def rss(process: MakerProcess) -> int:
    """Return the bytes that the process has in memory."""
    size: int = psutil.Process(process.process_id).memory_info().rss
    return size


@pytest.mark.slow
async def test_a_finished_speech_outlives_the_process_as_what_its_frames_sound_like(process: MakerProcess):
    maker = Maker(process)
    speech = await speech_of(maker)
    whole = parse_wav(await maker.wav(speech)).samples

    kill(process)
    again = parse_wav(await maker.wav(speech)).samples

    assert len(again) == len(whole)
    assert (again != whole).any()


@pytest.mark.slow
async def test_a_generation_that_was_checked_and_lost_is_fetched_again(
    process: MakerProcess, downloader: Downloader
):
    maker = Maker(process)
    async with serving(saying(answer(WAV))) as server:
        download = downloader.download(f"{server.url}/a.wav")
        incoming, _ = await come_in(maker, download, is_live=False)

        kill(process)
        part = await maker.part(incoming)

    assert part == await Maker().part((await come_in(Maker(), WavInPieces(WAV), is_live=False))[0])
    assert server.connections == 2


@pytest.mark.slow
async def test_a_generation_goes_on_behind_what_was_heard_of_it(
    process: MakerProcess, downloader: Downloader
):
    rest = asyncio.Event()

    async def half(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(answer(WAV)[: len(WAV) // 2])
        await writer.drain()
        await rest.wait()

    async with serving(in_turn(half, saying(answer(WAV)))) as server:
        maker = Maker(process)
        incoming = maker.start(downloader.download(f"{server.url}/a.wav"), text=TEXT, is_live=True)
        heard: list[bytes] = []
        async for frames in incoming:
            if not heard:
                kill(process)
            heard += frames
        rest.set()

    part = await maker.part(incoming)
    _, whole = await come_in(Maker(), WavInPieces(WAV), is_live=True)
    assert list(part.frames) == heard
    assert likeness(decoded(heard), decoded(whole)).correlation > 0.99
    assert len(heard) == len(whole)
    assert server.connections == 2


@pytest.mark.slow
async def test_another_recording_is_not_put_behind_what_was_heard(process: MakerProcess, tmp_path: Path):
    stream = process.stream(in_child.another_each_time, str(tmp_path / "was here"))

    assert await anext(stream) == Arrival([b"frame"], None, (b"one",))
    with pytest.raises(TTSFetchError, match="another recording"):
        await anext(stream)


@pytest.mark.slow
async def test_what_kills_it_again_is_given_up_and_the_rest_goes_on(process: MakerProcess):
    with pytest.raises(AudioError, match="has died"):
        await process.run(in_child.die)

    assert (await speech_of(Maker(process))).seconds > 1


@pytest.mark.slow
async def test_a_process_that_cannot_stay_alive_is_not_waited_for_without_end():
    process = MakerProcess(modules=("no_such_module_of_ours",), restart_delay=0.01, max_restart_delay=0.02)
    await process.start()
    try:
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(TTSFetchError, match="has died"):
                await come_in(Maker(process), WavInPieces(WAV), is_live=True)
    finally:
        await process.aclose()


async def test_its_errors_are_ours_or_say_nothing(process: MakerProcess):
    with pytest.raises(AudioError, match="no sound at all"):
        await process.run(in_child.refuse)
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as raised:
        await process.run(in_child.break_down)

    assert "secret words" not in str(raised.value)


async def test_nothing_but_our_values_is_taken_from_it(
    process: MakerProcess, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(AudioError, match="has died"):
        await process.run(in_child.say_something_else)

    assert "an answer that is none" in caplog.text


async def test_who_stops_listening_ends_the_download_there(process: MakerProcess, downloader: Downloader):
    left = asyncio.Event()

    async def held(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(answer(WAV)[:2_000])  # too little for a packet
        try:
            while True:
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(b"\0")
        finally:
            left.set()

    async with serving(held) as server:
        maker = Maker(process)
        incoming = maker.start(downloader.download(f"{server.url}/a.wav"), text=TEXT, is_live=True)
        waiting = asyncio.create_task(come_in(Maker(process), incoming.source, is_live=True))
        await server.asked.wait()

        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.wait_for(left.wait(), DEADLINE)


@pytest.mark.slow
async def test_it_ends_with_many_under_way_and_leaves_nothing(process: MakerProcess, downloader: Downloader):
    asked = asyncio.Semaphore(0)

    async def never(writer: asyncio.StreamWriter, request: bytes) -> None:
        asked.release()
        await asyncio.Event().wait()

    async with serving(never) as server:
        making = [
            asyncio.create_task(
                come_in(Maker(process), downloader.download(f"{server.url}/{number}.wav"), is_live=True)
            )
            for number in range(30)
        ]
        for _ in making:
            await asked.acquire()
        child = process.process_id
        assert child is not None

        await process.aclose()
        ended = await asyncio.gather(*making, return_exceptions=True)

    assert {type(one) for one in ended} == {TTSFetchError}
    assert not psutil.pid_exists(child)


PARENT = """
import asyncio
from bot.audio.maker_process import MakerProcess

async def main():
    process = MakerProcess()
    await process.start()
    print(process.process_id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_it_ends_by_itself_when_we_are_killed():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={"PATH": os.defpath}
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), DEADLINE)))

    parent.kill()
    await parent.wait()

    await asyncio.to_thread(child.wait, DEADLINE)


PARENT_THAT_ASKS = """
import asyncio
from bot.audio.maker import Maker
from bot.audio.maker_process import MakerProcess
from bot.audio.opus import SILENCE_FRAME
from bot.models import Speech

async def main():
    process = MakerProcess()
    await process.start()
    maker, speech = Maker(process), Speech((SILENCE_FRAME,) * 1_500)
    expected = await maker.wav(speech)
    asked = [asyncio.create_task(maker.wav(speech)) for _ in range(20)]
    await asyncio.sleep(0)
    print(process.process_id, flush=True)
    answers = [await one == expected for one in asked]
    print(answers == [True] * 20 and await maker.wav(speech) == expected, flush=True)
    await process.aclose()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be halted here")
async def test_while_nobody_reads_what_it_says_it_waits_and_then_everything_comes():
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT_THAT_ASKS),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), DEADLINE)))
    parent.send_signal(signal.SIGSTOP)
    done = -1.0
    while (now := sum(child.cpu_times()[:2])) != done:  # 58 MB of answers fit into no socket
        done = now
        await asyncio.sleep(0.2)
    waits = child.status()
    parent.send_signal(signal.SIGCONT)

    assert await asyncio.wait_for(parent.stdout.readline(), DEADLINE) == b"True\n"
    assert await parent.wait() == 0
    assert waits == psutil.STATUS_SLEEPING
    assert not child.is_running()


async def test_our_secrets_are_not_in_its_environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("DISCORD_TOKEN", "TTS_API_KEY", "DATABASE_URL", "ANYTHING_ELSE"):
        monkeypatch.setenv(name, "canary-0123456789abcdef")
    process = MakerProcess()
    await process.start()

    environment = await process.run(in_child.environment)

    await process.aclose()
    assert "canary" not in environment
    assert "PATH" in environment


async def test_it_takes_no_notice_of_ctrl_c(process: MakerProcess):
    speech = await speech_of(Maker(process))
    before = process.process_id
    assert before is not None

    os.kill(before, signal.SIGINT)

    assert await Maker(process).wav(speech)
    assert process.process_id == before


async def test_where_no_process_can_be_started_sound_is_made_in_threads(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    maker = await build_maker("on")

    assert (await speech_of(maker)).seconds > 1
    assert "in threads" in caplog.text
    await maker.aclose()


async def test_its_log_becomes_ours(process: MakerProcess, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG), pytest.raises(RuntimeError):
        await process.run(in_child.break_down)
    await process.aclose()

    assert "ZeroDivisionError" in caplog.text


async def test_on_a_small_machine_sound_is_made_in_threads(monkeypatch: pytest.MonkeyPatch):
    chosen = []
    for cores in (1, 10_000):
        monkeypatch.setattr("bot.audio.maker_process.MIN_CORES", cores)
        monkeypatch.setattr("bot.audio.maker_process.MIN_MEMORY_BYTES", 0)
        maker = await build_maker("auto")
        assert await maker.wav(Speech((SILENCE_FRAME,) * 5))  # until then it may not have begun to be another
        chosen.append(
            len([one for one in psutil.Process().children() if "maker_child" in str(one.cmdline())])
        )
        await maker.aclose()

    assert chosen == [1, 0]
