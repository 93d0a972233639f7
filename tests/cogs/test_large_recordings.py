"""Recordings that are large, many, or do not come: what they cost, and who gets a place."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import discord
import numpy as np
import pytest
from aiohttp import web

from bot.audio.maker import Maker
from bot.audio.wav import write_wav
from bot.delivery.voice_creation import FETCH_TIMES, ExaminationQueue, VoiceCreation
from bot.errors import MemberError, RecordingError
from bot.library.library import Library
from bot.library.voice import Scope
from bot.limits import MAX_EXAMINATIONS, MAX_EXAMINATIONS_WAITING
from tests.cogs.sounds import HIGH

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
ONE_MORE = "I'm still checking another recording of yours. Try again in a minute."
_DISCORD = discord.Client(intents=discord.Intents.none())


class Visit:
    """A member who wants a place, and keeps it until told to leave."""

    def __init__(self, queue: ExaminationQueue, member_id: int) -> None:
        self.is_in = False
        self._done = asyncio.Event()
        self._task = asyncio.create_task(self._visit(queue, member_id))

    async def _visit(self, queue: ExaminationQueue, member_id: int) -> None:
        async with queue.place(member_id):
            self.is_in = True
            await self._done.wait()

    async def leave(self) -> None:
        self._done.set()
        await self._task

    async def give_up(self) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task

    async def refusal(self) -> str:
        with pytest.raises(MemberError) as refused:
            await self._task
        return str(refused.value)


async def _come(queue: ExaminationQueue, *member_ids: int) -> list[Visit]:
    visits = [Visit(queue, member_id) for member_id in member_ids]
    await _settle()
    return visits


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_two_members_have_a_place_four_wait_and_the_next_reads_how_many_are_before_them():
    queue = ExaminationQueue()
    visits = await _come(queue, *range(MAX_EXAMINATIONS + MAX_EXAMINATIONS_WAITING + 1))

    assert [visit.is_in for visit in visits] == [True, True, False, False, False, False, False]
    assert await visits[-1].refusal() == "I'm already looking at 6 recordings. Try again in a minute."

    for visit in visits[:-1]:  # each who leaves lets the one in who has waited for longest
        assert visit.is_in
        await visit.leave()
        await _settle()


async def test_a_member_has_one_place_and_waits_for_one_more_only_and_holds_nobody_up():
    queue = ExaminationQueue()
    first, second, third = await _come(queue, 1, 1, 1)
    (other,) = await _come(queue, 2)

    assert [first.is_in, second.is_in, other.is_in] == [True, False, True]
    assert await third.refusal() == ONE_MORE

    (last,) = await _come(queue, 3)
    await other.leave()
    await _settle()
    assert last.is_in  # though the second of member 1 was there before
    assert not second.is_in
    await first.leave()
    await _settle()
    assert second.is_in
    await second.leave()
    await last.leave()


async def test_whoever_gives_up_gives_the_place_back_working_or_waiting_or_just_called_in():
    queue = ExaminationQueue()
    visits = await _come(queue, 1, 2, 3, 4, 5)

    await visits[2].give_up()  # it waited
    await visits[0].give_up()  # it had a place
    await _settle()
    assert [visit.is_in for visit in visits[1:]] == [True, False, True, False]

    leaving = asyncio.create_task(visits[1].leave())
    await asyncio.sleep(0)
    visits[4]._task.cancel()  # in the moment in which it is called in
    await leaving
    await _settle()
    await visits[3].leave()

    again = await _come(queue, 6, 7)
    assert [visit.is_in for visit in again] == [True, True]
    for visit in again:
        await visit.leave()


async def test_many_members_who_come_and_give_up_at_random_leave_every_place_free():
    random = np.random.default_rng(7)
    queue = ExaminationQueue()
    most = at_once = 0

    async def visit(member_id: int) -> None:
        nonlocal at_once, most
        async with queue.place(member_id):
            at_once += 1
            most = max(most, at_once)
            try:
                for _ in range(int(random.integers(4))):
                    await asyncio.sleep(0)
            finally:
                at_once -= 1

    tasks = []
    for _ in range(3_000):
        tasks.append(asyncio.create_task(visit(int(random.integers(6)))))
        if random.random() < 0.5:
            tasks[int(random.integers(max(0, len(tasks) - 8), len(tasks)))].cancel()
        if random.random() < 0.7:
            await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(result) for result in results} == {type(None), MemberError, asyncio.CancelledError}
    assert most == MAX_EXAMINATIONS
    assert [visit.is_in for visit in await _come(queue, 1, 2, 3)] == [True, True, False]


class Store:
    """A server of files: some come, some never, some not whole. It counts who is being served."""

    origin: str

    def __init__(self, wav: bytes) -> None:
        self._wav = wav
        self.asked = 0
        self.open = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        match request.path:
            case "/good.wav":
                return web.Response(body=self._wav)
            case "/held.wav":
                await self.open.wait()
                return web.Response(body=self._wav)
            case "/endless.wav":
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(self._wav)
            case "/cut.wav":
                response = web.StreamResponse(headers={"Content-Length": str(2 * len(self._wav))})
                await response.prepare(request)
                await response.write(self._wav)
                assert request.transport is not None
                request.transport.close()
                return response
            case "/stalled.wav":
                await asyncio.Event().wait()  # until the caller has gone
        return web.Response(status=404 if request.path == "/gone.wav" else 500)

    def attachment(self, name: str, *, size: int = 1_000) -> discord.Attachment:
        data: Any = {
            "id": "1", "filename": name, "size": size, "url": f"{self.origin}/{name}", "proxy_url": ""
        }  # fmt: skip
        return discord.Attachment(data=data, state=_DISCORD._connection)


@asynccontextmanager
async def _store(wav: bytes) -> AsyncIterator[Store]:
    store = Store(wav)
    app = web.Application()
    app.router.add_get("/{name}", store.serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield store
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _making(
    tmp_path: Path, fetch_times: aiohttp.ClientTimeout = FETCH_TIMES
) -> AsyncIterator[VoiceCreation]:
    async with Library(None, tmp_path) as library, aiohttp.ClientSession() as session:
        yield VoiceCreation(library, session, Maker(), fetch_times=fetch_times)


def by(member_id: int) -> Any:
    """Return who asks, and whose voice it is: somebody for themselves."""
    return {"scope": Scope.alone(member_id), "speaker_id": member_id}


@pytest.mark.slow
async def test_who_waits_for_a_place_has_not_fetched_anything_yet(tmp_path: Path):
    async with _store(write_wav(HIGH)) as store, _making(tmp_path) as making, asyncio.timeout(DEADLINE):
        held = store.attachment("held.wav")
        calls = [asyncio.create_task(making.examine(held, **by(number))) for number in range(6)]
        while store.asked < MAX_EXAMINATIONS:  # noqa: ASYNC110 - it is the server that is asked
            await asyncio.sleep(0.01)
        with pytest.raises(MemberError, match="already looking at 6 recordings"):
            await making.examine(held, **by(99))
        asked = store.asked
        store.open.set()
        examined = await asyncio.gather(*calls)

    assert asked == MAX_EXAMINATIONS
    assert store.asked == 6
    assert len({one.sha256 for one in examined}) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.wav", "can no longer get that recording from Discord"),
        ("broken.wav", "couldn't fetch"),
        ("cut.wav", "couldn't fetch"),
        ("endless.wav", "larger than 10 MiB"),
    ],
)
async def test_a_recording_that_does_not_come_whole_gives_its_place_back(
    tmp_path: Path, name: str, words: str
):
    async with _store(write_wav(HIGH)) as store, _making(tmp_path) as making, asyncio.timeout(DEADLINE):
        for _ in range(3):
            with pytest.raises(RecordingError, match=words):
                await making.examine(store.attachment(name), **by(1))
        examined = await making.examine(store.attachment("good.wav"), **by(1))

    assert examined.seconds > 1


async def test_a_recording_that_stands_still_on_the_way_gives_its_place_back(tmp_path: Path):
    impatient = aiohttp.ClientTimeout(sock_read=0.1)
    async with _store(write_wav(HIGH)) as store, _making(tmp_path, impatient) as making:
        for _ in range(3):
            with pytest.raises(RecordingError, match="couldn't fetch"):
                await making.examine(store.attachment("stalled.wav"), **by(1))

    assert store.asked == 3


async def test_a_member_who_goes_away_while_the_recording_comes_gives_the_place_back(tmp_path: Path):
    async with _store(write_wav(HIGH)) as store, _making(tmp_path) as making, asyncio.timeout(DEADLINE):
        for number in range(1, 4):
            call = asyncio.create_task(making.examine(store.attachment("held.wav"), **by(1)))
            while store.asked < number:  # noqa: ASYNC110 - it is the server that is asked
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        examined = await making.examine(store.attachment("good.wav"), **by(1))

    assert examined.seconds > 1


async def test_what_discord_says_is_too_large_is_not_fetched(tmp_path: Path):
    async with _store(b"") as store, _making(tmp_path) as making:
        with pytest.raises(RecordingError, match="larger than 10 MB"):
            await making.examine(store.attachment("good.wav", size=11 * 1024**2), **by(1))

    assert store.asked == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_two_hundred_commands_on_one_message_of_ten_megabytes_stay_under_a_hundred(tmp_path: Path):
    large = tmp_path / "large.wav"
    large.write_bytes(write_wav(HIGH * (10_000_000 // len(HIGH))))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.cogs.flooded_bot", str(tmp_path / "data"), str(large), "200"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    said = json.loads(ended.stdout)

    assert sum(said["answers"].values()) == 200
    assert said["answers"][ONE_MORE] > 0
    assert said["more"] < 100
