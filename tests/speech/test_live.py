from __future__ import annotations

import pytest

from bot.models import Speech
from bot.speech.speaker import HELD_FRAMES, Live
from tests.speech.babble import babble

SOUND = babble("A bird in the hand.")[: -2 * 4_800]


def frames(count: int, start: int = 0) -> list[bytes]:
    return [bytes([number // 256, number % 256]) for number in range(start, start + count)]


class Ear:
    def __init__(self, *, holds: bool) -> None:
        self.heard: list[bytes] = []
        self.addresses: list[str | None] = []
        self.live = Live(self.addresses.append, self.heard.extend, holds=holds)


def test_the_first_frames_are_handed_on_at_once():
    ear = Ear(holds=True)

    ear.live.feed("https://tts.example/1.wav", frames(5))

    assert ear.heard == frames(5)
    assert ear.addresses == ["https://tts.example/1.wav"]


def test_after_them_the_newest_half_second_waits():
    ear = Ear(holds=True)

    ear.live.feed(None, frames(100))
    ear.live.feed(None, frames(50, 100))

    assert ear.heard == ear.live.frames == frames(150 - HELD_FRAMES)
    assert ear.addresses == [None]


def test_where_nothing_follows_nothing_waits():
    ear = Ear(holds=False)

    ear.live.feed(None, frames(100))

    assert ear.heard == frames(100)


@pytest.mark.parametrize(("silence", "left_out"), [(0.0, 0), (0.05, 0), (0.3, 12), (0.5, 22), (3.0, 25)])
async def test_silence_at_the_end_is_left_out_up_to_half_a_second(silence: float, left_out: int):
    speech = Speech(SOUND + bytes(2 * round(48_000 * silence)))
    count = -(-len(speech.pcm) // 1_920)
    ear = Ear(holds=True)

    ear.live.feed(None, frames(count))
    await ear.live.finish(speech)

    assert ear.heard == frames(len(ear.heard))
    assert len(ear.heard) == pytest.approx(count - left_out, abs=1)


async def test_a_short_take_is_heard_whole():
    ear = Ear(holds=True)

    ear.live.feed(None, frames(7))
    await ear.live.finish(Speech(SOUND[: 7 * 1_920]))

    assert ear.heard == frames(7)
