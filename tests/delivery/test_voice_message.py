"""Generations that buttons work on: few at a time, and what was made of them once for everybody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from bot.audio.formats import VoiceMessage
from bot.delivery.voice_message import GenerationsInHand
from bot.library.generations import Generation


def generation(name: str, *, member_id: int = 1, voice_ids: tuple[str, ...] = ("",)) -> Generation:
    made_as = (("Hello",), None, None, None, voice_ids, None, None, datetime.now(UTC))
    return Generation(name, 7, member_id, *made_as)


def made(size: int = 1_000) -> VoiceMessage:
    return VoiceMessage(bytes(size), 1.0, "")


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize("presses", [7, 40])
async def test_of_many_presses_few_are_worked_on_at_once_and_all_get_their_turn(at_once: int, presses: int):
    in_hand = GenerationsInHand(at_once=at_once)
    under_way, most, done = 0, 0, 0

    async def press(number: int) -> None:
        nonlocal under_way, most, done
        async with in_hand.turn(str(number)):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            done += 1

    await asyncio.gather(*(press(number) for number in range(presses)))

    assert (most, done) == (at_once, presses)


async def test_one_generation_is_worked_on_by_one_and_waiting_for_it_takes_no_place():
    in_hand = GenerationsInHand(at_once=2)
    order: list[str] = []
    first_may_end = asyncio.Event()

    async def press(name: str, generation_id: str) -> None:
        async with in_hand.turn(generation_id):
            order.append(name)
            if name == "first":
                await first_may_end.wait()

    presses = [asyncio.create_task(press(name, name[0])) for name in ("first", "few", "fourth")]
    other = asyncio.create_task(press("other", "o"))
    await other
    assert order == ["first", "other"]
    first_may_end.set()
    await asyncio.gather(*presses)

    assert order == ["first", "other", "few", "fourth"]


async def test_who_gives_up_leaves_the_place_to_others():
    in_hand = GenerationsInHand(at_once=1)
    async with in_hand.turn("a"):
        waiting = asyncio.create_task(in_hand.turn("b").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})

    async with asyncio.timeout(10), in_hand.turn("b"):
        pass


def test_what_is_remembered_is_bounded_by_its_bytes_and_the_newest_use_stays():
    in_hand = GenerationsInHand(max_bytes=3_000)
    for name in "abc":
        in_hand.remember(generation(name), made())
    assert in_hand.voice_message("a") is not None

    in_hand.remember(generation("d"), made())

    assert [name for name in "abcd" if in_hand.voice_message(name)] == ["a", "c", "d"]
    in_hand.remember(generation("e"), made(5_000))
    assert [name for name in "acde" if in_hand.voice_message(name)] == ["a", "c", "d"]


def test_it_goes_with_its_generation_its_member_and_any_of_its_voices():
    in_hand = GenerationsInHand()
    for name, member_id, voice_ids in (
        ("a", 1, ("v", "")),
        ("b", 2, ("w",)),
        ("c", 3, ("",)),
        ("d", 4, ("x", "y")),
    ):
        in_hand.remember(generation(name, member_id=member_id, voice_ids=voice_ids), made())

    in_hand.forget("c")
    in_hand.forget(member_id=2)
    in_hand.forget(voice_ids=["y", "z"])

    assert [name for name in "abcd" if in_hand.voice_message(name)] == ["a"]
