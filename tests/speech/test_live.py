from __future__ import annotations

import pytest

from bot.audio.maker import Maker
from bot.audio.sound import SpeechSound
from bot.audio.stream import HELD_FRAMES, HeldFrames
from bot.audio.wav import write_wav
from tests.fakes.babble_engine import babble
from tests.speech.sounds import WavInPieces

SOUND = babble("A bird in the hand.")[: -2 * 4_800]


def frames(count: int, start: int = 0) -> list[bytes]:
    return [bytes([number // 256, number % 256]) for number in range(start, start + count)]


def test_the_first_frames_are_released_at_once():
    assert HeldFrames().add(frames(5)) == frames(5)


def test_after_them_the_newest_half_second_waits():
    held = HeldFrames()

    heard = held.add(frames(100)) + held.add(frames(50, 100))

    assert heard == frames(150 - HELD_FRAMES)


async def live(wav: bytes, *, drops_silent_end: bool) -> tuple[list[bytes], float]:
    """Return the frames that are heard of a WAV while it comes in, and how long it is as a whole."""
    made = Maker().start(
        WavInPieces(wav), text="A bird in the hand.", is_live=True, drops_silent_end=drops_silent_end
    )
    heard = [frame async for batch in made for frame in batch]
    return heard, made.checked.seconds


async def test_where_nothing_follows_nothing_is_left_out():
    heard, seconds = await live(write_wav(SOUND + bytes(2 * 24_000)), drops_silent_end=False)

    assert len(heard) >= int(seconds / 0.02)


async def test_where_more_follows_it_ends_with_its_sound():
    whole, _ = await live(write_wav(SOUND + bytes(2 * 24_000)), drops_silent_end=False)

    heard, _ = await live(write_wav(SOUND + bytes(2 * 24_000)), drops_silent_end=True)

    assert heard == whole[: len(heard)]
    assert len(heard) == pytest.approx(len(whole) - 22, abs=2)


@pytest.mark.parametrize(("silence", "left_out"), [(0.0, 0), (0.05, 0), (0.3, 12), (0.5, 22), (3.0, 25)])
def test_silence_at_the_end_is_left_out_up_to_half_a_second(silence: float, left_out: int):
    speech = SpeechSound(SOUND + bytes(2 * round(48_000 * silence)))
    count = -(-len(speech.pcm) // 1_920)
    held = HeldFrames()

    heard = held.add(frames(count)) + held.finish(speech)

    assert heard == frames(len(heard))
    assert len(heard) == pytest.approx(count - left_out, abs=1)


def test_a_short_generation_is_heard_whole():
    held = HeldFrames()

    assert held.add(frames(7)) + held.finish(SpeechSound(SOUND[: 7 * 1_920])) == frames(7)
