"""Many who want speech at once: whose call comes when, seen by a real TTS gateway on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from bot.audio.maker import Maker
from bot.errors import (
    MemberError,
    TTSBusyError,
    TTSError,
    TTSNoAnswerError,
    TTSServerError,
    TTSUnreachableError,
)
from bot.models import Asker, Speech, SpeechRequest, Stage
from bot.speech.synthesizer import SpeechSynthesizer
from bot.tts.call_queue import AdaptiveLimit, CallDeadlines, CallQueue
from bot.tts.client import TTSClient
from bot.tts.http import DownloadLimits, RetryPolicy
from rehearsal.faulty_tts_gateway.faults import Delay, Exchange, Hold, PlannedAnswer, Respond
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, SENTENCES, Hearing, Studio
from tests.tts.conftest import Clock
from tts_gateway.server import serving


class Desk:
    """A synthesizer of its own in front of the studio's TTS gateway."""

    def __init__(self, studio: Studio, queue: CallQueue, base_url: str, **options: Any) -> None:
        self.tts = TTSClient(
            base_url,
            retry=RetryPolicy(base_delay=0.02),
            downloads=DownloadLimits(base_delay=0, tries=2),
            queue=queue,
            **options,
        )
        self.synthesizer = SpeechSynthesizer(self.tts, studio.cache, Maker())

    def asked(
        self, text: str, member: int, account: int, *, aloud: bool = True, hearing: Hearing | None = None
    ) -> asyncio.Task[Speech]:
        """Begin to make ``text`` for a member of a server."""
        return asyncio.create_task(self._make(text, Asker(member, account), aloud, hearing or Hearing()))

    async def _make(self, text: str, asker: Asker, aloud: bool, hearing: Hearing) -> Speech:
        before = 0.0 if aloud else None
        with self.synthesizer.submit(SpeechRequest(text), asker, seconds_before=before) as job:
            return await hearing.wait_for(job)


@pytest.fixture
async def desks(studio: Studio) -> Any:
    made: list[Desk] = []

    def make(queue: CallQueue, *, base_url: str = studio.base_url, **options: Any) -> Desk:
        made.append(Desk(studio, queue, base_url, **options))
        return made[-1]

    yield make
    for desk in made:
        await desk.synthesizer.aclose()
        await desk.tts.aclose()


def one_at_a_time() -> CallQueue:
    return CallQueue(AdaptiveLimit(1, 1))


async def within(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(DEADLINE):
        return await awaitable


async def waits(hearing: Hearing) -> None:
    await hearing.told(Stage.WAITING)


async def test_a_strangers_first_words_are_one_call_behind_a_server_that_asks_for_much(studio, desks):
    desk = desks(one_at_a_time())
    studio.faults.on_post(hold := Hold())
    hearings = [Hearing() for _ in range(7)]
    tasks = [desk.asked(f"Crowd number {n}.", 1 + n // 3, 100, hearing=hearings[n]) for n in range(6)]
    await studio.called(times=1)
    tasks.append(desk.asked("The words of a stranger.", 9, 200, hearing=hearings[6]))
    await waits(hearings[6])

    hold.released.set()
    await within(asyncio.gather(*tasks))

    assert studio.texts.index("The words of a stranger.") <= 2, "the one under way, and one more at most"


async def test_first_words_come_before_the_later_parts_of_others(studio, desks):
    desk = desks(one_at_a_time())
    studio.faults.on_post(None, hold := Hold())
    first, stranger = Hearing(), Hearing()
    tasks = [desk.asked(SENTENCES, 1, 100, hearing=first)]
    await studio.called(times=2)
    tasks += [desk.asked(f"Stranger number {n}.", 10 + n, 200 + n, hearing=stranger) for n in range(3)]
    await waits(stranger)

    hold.released.set()
    await within(asyncio.gather(*tasks))

    assert [text for text in studio.texts[2:5] if text.startswith("Stranger")] == studio.texts[2:5]


async def test_who_listens_comes_before_who_gets_a_file(studio, desks):
    desk = desks(one_at_a_time())
    studio.faults.on_post(hold := Hold())
    hearings = [Hearing() for _ in range(3)]
    tasks = [desk.asked("The one that is under way.", 1, 100)]
    await studio.called(times=1)
    tasks.append(desk.asked("This becomes a file.", 2, 200, aloud=False, hearing=hearings[1]))
    await waits(hearings[1])
    tasks.append(desk.asked("This is listened to.", 3, 300, hearing=hearings[2]))
    await waits(hearings[2])

    hold.released.set()
    await within(asyncio.gather(*tasks))

    assert studio.texts[1:] == ["This is listened to.", "This becomes a file."]


async def test_a_listener_who_leaves_before_the_call_starts_frees_the_turn_and_nothing_is_billed(
    studio, desks
):
    desk = desks(one_at_a_time())
    studio.faults.on_post(hold := Hold())
    hearings = [Hearing() for _ in range(3)]
    tasks = [desk.asked("Number 0.", 0, 0, hearing=hearings[0])]
    await studio.called(times=1)
    for n in (1, 2):
        tasks.append(desk.asked(f"Number {n}.", n, n, hearing=hearings[n]))
        await waits(hearings[n])

    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    hold.released.set()
    await within(asyncio.gather(tasks[0], tasks[2]))

    assert studio.texts == ["Number 0.", "Number 2."]


class HangsOnSome:
    """A TTS gateway that never answers to a text which says that it hangs."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        if "hangs" in self._studio.texts[-1]:
            await asyncio.Event().wait()
        return await exchange.right_answer()


DEADLINES = CallDeadlines(known=3.0, unknown=3.0)
"""Deadlines that a test can wait for, and that a busy machine keeps."""


@pytest.mark.slow
async def test_calls_that_hang_are_ended_and_not_repeated_and_a_stranger_is_heard(studio, desks):
    desk = desks(CallQueue(AdaptiveLimit(2, 2), deadlines=DEADLINES))
    studio.faults.every_post = HangsOnSome(studio)
    hanging = [desk.asked(f"This one hangs, number {n}.", n % 2, 100) for n in range(3)]
    await studio.called(times=2)

    stranger = desk.asked("The words of a stranger.", 9, 200)
    ended = await within(asyncio.gather(*hanging, return_exceptions=True))
    await within(stranger)

    assert {type(error) for error in ended} == {TTSNoAnswerError}
    assert studio.texts.index("The words of a stranger.") == 2
    assert len(studio.texts) == len(set(studio.texts)) == 4, "whatever may have been billed is not repeated"


class TakesEight:
    """A TTS gateway that makes eight texts at once, and refuses what is more."""

    def __init__(self) -> None:
        self.under_way = self.refused = 0

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        if self.under_way >= 8:
            self.refused += 1
            return await Respond(429, "busy").answer(exchange)
        self.under_way += 1
        try:
            return await Delay(0.05).answer(exchange)
        finally:
            self.under_way -= 1


@pytest.mark.slow
async def test_a_tts_gateway_that_takes_eight_refuses_few_of_two_hundred_calls(studio, desks):
    queue = CallQueue()
    desk = desks(queue)
    studio.faults.every_post = tts_gateway = TakesEight()
    calls = [SpeechRequest(f"Call number {n}.") for n in range(200)]

    await within(asyncio.gather(*(desk.tts.synthesize(request) for request in calls)))

    assert tts_gateway.refused <= 10
    assert len(studio.texts) == 200 + tts_gateway.refused, "none is made twice"
    assert set(studio.texts) == {request.text for request in calls}
    assert 4 <= queue.limit.slots <= 12


async def test_a_503_without_a_time_is_not_asked_again_and_lowers_the_limit(studio, desks):
    queue = CallQueue()
    desk = desks(queue)
    studio.faults.every_post = Respond(503)

    with pytest.raises(TTSBusyError):
        await within(desk.asked("Hello there.", 1, 1))

    assert len(studio.calls) == 1
    assert queue.limit.slots == 8


async def test_a_refused_call_waits_in_the_queue_and_lets_others_go_first(studio, desks):
    desk = desks(one_at_a_time())
    studio.faults.on_post(hold := Hold(Respond(429, headers={"Retry-After": "0.4"})))
    hearings = [Hearing() for _ in range(4)]
    tasks = [desk.asked("The one that is refused.", 1, 100)]
    await studio.called(times=1)
    tasks += [desk.asked(f"Number {n}.", n, n, hearing=hearings[n]) for n in range(2, 4)]
    await waits(hearings[2])
    await waits(hearings[3])

    hold.released.set()
    await within(asyncio.gather(*tasks))

    refused, first, *others = studio.texts
    assert first != refused
    assert sorted([first, *others]) == ["Number 2.", "Number 3.", refused]


async def test_with_no_credit_everybody_in_the_queue_is_told_at_once_and_nobody_else_calls(studio, desks):
    desk = desks(one_at_a_time())
    studio.faults.on_post(hold := Hold(Respond(402)), Hold())
    hearings = [Hearing() for _ in range(20)]
    tasks = [desk.asked(f"Number {n}.", n, n, hearing=hearings[n]) for n in range(20)]
    await studio.called(times=1)
    await waits(hearings[-1])

    hold.released.set()
    errors = await within(asyncio.gather(*tasks, return_exceptions=True))

    assert {type(error).__name__ for error in errors} == {"TTSCreditError"}
    assert len(studio.calls) == 1


async def test_in_an_outage_the_queue_fails_at_once_and_a_success_ends_it(studio, desks):
    clock = Clock()
    desk = desks(one_at_a_time(), clock=clock)
    studio.faults.every_post = Respond(500)
    for _ in range(3):
        clock.now += 20.0
        with pytest.raises(TTSServerError):
            await desk.asked("Is anybody there?", 1, 1)

    errors = await within(
        asyncio.gather(*(desk.asked(f"Number {n}.", n, n) for n in range(9)), return_exceptions=True)
    )
    assert {type(error) for error in errors} == {TTSServerError}
    assert len(studio.calls) == 3

    clock.now += 16.0
    studio.faults.clear()
    await within(desk.asked("It is back.", 1, 1))
    await within(asyncio.gather(*(desk.asked(f"Number {n}.", n, n) for n in range(3))))
    assert len(studio.calls) == 7


async def test_where_nothing_answers_the_queue_fails_at_once_until_something_does(
    studio, desks, unused_tcp_port
):
    clock = Clock()
    desk = desks(CallQueue(), base_url=f"http://127.0.0.1:{unused_tcp_port}/voxcpm/v1", clock=clock)
    tts_gateway = create_faulty_app(BabbleEngine(), studio.faults)
    for _ in range(2):
        clock.now += 40.0
        with pytest.raises(TTSUnreachableError):
            await within(desk.asked("Is anybody there?", 1, 1))

    async with serving(tts_gateway, port=unused_tcp_port):
        with pytest.raises(TTSUnreachableError):
            await within(desk.asked("Nobody looks yet.", 1, 1))
        assert studio.calls == []
        clock.now += 15.0
        await within(desk.asked("Somebody answers.", 1, 1))
        await within(asyncio.gather(*(desk.asked(f"Number {n}.", n, n) for n in range(3))))
        assert len(studio.calls) == 4


async def test_closed_while_calls_wait_nothing_hangs(studio, desks):
    desk = desks(one_at_a_time())
    studio.faults.every_post = hold = Hold()
    hearings = [Hearing() for _ in range(5)]
    tasks = [desk.asked(f"Number {n}.", n, n, hearing=hearings[n]) for n in range(5)]
    await studio.called(times=1)
    await waits(hearings[-1])

    await within(desk.tts.aclose())
    errors = await within(asyncio.gather(*tasks, return_exceptions=True))
    hold.released.set()

    assert all(isinstance(error, TTSError) for error in errors)
    assert len(studio.calls) == 1


async def test_a_text_of_many_paragraphs_is_refused_with_a_sentence_before_any_call(studio, desks):
    desk = desks(CallQueue())
    text = "\n\n".join(f"This is paragraph number {n}, and it says nothing at all to you." for n in range(70))

    with pytest.raises(MemberError, match="splits into 70 parts, and the limit is 50"):
        await within(desk.asked(text, 1, 1))

    assert studio.calls == []


@pytest.mark.slow
async def test_the_longest_texts_that_are_taken_cost_no_more_calls_than_their_limit(studio, desks):
    desk = desks(CallQueue())
    text = "\n\n".join(f"This is paragraph number {n}, and it says nothing at all to you." for n in range(50))

    await within(desk.asked(text, 1, 1))

    assert 50 <= len(studio.calls) <= 75
